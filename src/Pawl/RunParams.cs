using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Pawl;

/// <summary>A run's params. Immutable.</summary>
public sealed class RunParams
{
    readonly IReadOnlyDictionary<string, RawJson> _values;
    readonly JsonSerializerOptions _json;

    internal RunParams(IReadOnlyDictionary<string, RawJson> values, JsonSerializerOptions json)
    {
        _values = values;
        _json = json;
    }

    /// <summary>Their names.</summary>
    public IEnumerable<string> Names => _values.Keys;

    /// <summary>The value of a param.</summary>
    /// <exception cref="OutputMissingException">There is none.</exception>
    public T Get<T>(string name) => _values.TryGetValue(name, out var raw)
        ? PawlJson.Decode<T>(raw.Utf8, _json)
        : throw new OutputMissingException($"There is no param '{name}'.{Nearest.Hint(name, _values.Keys)}");

    /// <summary>The value of a param, or a default when there is none.</summary>
    public T Get<T>(string name, T fallback) => _values.TryGetValue(name, out var raw) ? PawlJson.Decode<T>(raw.Utf8, _json) : fallback;

    /// <summary>The raw value of a param.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out RawJson? value)
    {
        value = _values.TryGetValue(name, out var raw) ? raw : null;
        return value is not null;
    }
}

/// <summary>Shared state as one step sees it: what was durable when the step began, and its own changes. Thread safe.</summary>
public sealed class StepState
{
    readonly IReadOnlyDictionary<string, RawJson> _before;
    readonly JsonSerializerOptions _json;
    Dictionary<string, RawJson?>? _changes;

    internal StepState(IReadOnlyDictionary<string, RawJson> before, JsonSerializerOptions json)
    {
        _before = before;
        _json = json;
    }

    /// <summary>The value under a key, or the default of <typeparamref name="T"/> when there is none.</summary>
    public T? Get<T>(string key)
    {
        lock (this)
        {
            if (_changes?.TryGetValue(key, out var changed) == true) return changed is { } value ? PawlJson.Decode<T>(value.Utf8, _json) : default;
        }
        return _before.TryGetValue(key, out var raw) ? PawlJson.Decode<T>(raw.Utf8, _json) : default;
    }

    /// <summary>Sets a value. Of two steps that set the same key, the one whose checkpoint is later wins.</summary>
    public void Set<T>(string key, T value)
    {
        var raw = PawlJson.Encode(value, _json);
        lock (this) (_changes ??= [])[key] = raw;
    }

    /// <summary>Removes a key.</summary>
    public void Remove(string key)
    {
        lock (this) (_changes ??= [])[key] = null;
    }

    /// <summary>Every value, for templates.</summary>
    public IReadOnlyDictionary<string, RawJson> All()
    {
        var all = new Dictionary<string, RawJson>(_before);
        lock (this)
        {
            foreach (var (key, value) in _changes ?? [])
            {
                if (value is { } raw) all[key] = raw;
                else all.Remove(key);
            }
        }
        return all;
    }

    /// <summary>The changes as a JSON object, null for removed keys; empty without changes.</summary>
    internal ReadOnlyMemory<byte> TakeDelta()
    {
        Dictionary<string, RawJson?> changes;
        lock (this)
        {
            if (_changes is null) return default;
            changes = new(_changes);
        }
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            foreach (var (key, value) in changes)
            {
                writer.WritePropertyName(key);
                if (value is { } raw) writer.WriteRawValue(raw.Utf8.Span);
                else writer.WriteNullValue();
            }
            writer.WriteEndObject();
        }
        return stream.ToArray();
    }
}
