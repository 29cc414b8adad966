using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Pawl.Yaml;

internal enum YamlStyle { Plain, Quoted, Literal, Folded }

/// <summary>A part of a YAML file with its place. Lines and columns count from 1.</summary>
internal abstract class YamlNode(int line, int column)
{
    static readonly JsonWriterOptions s_relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 128 };

    public int Line => line;

    public int Column => column;

    /// <summary>For messages: <c>a list</c>.</summary>
    public abstract string Kind { get; }

    public abstract void WriteTo(Utf8JsonWriter writer);

    public RawJson ToJson()
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, s_relaxed)) WriteTo(writer);
        return new RawJson(stream.ToArray());
    }

    /// <summary>The first 16 hex characters of the SHA-256 of what the part says, whatever its layout, comments and order of keys.</summary>
    /// <param name="without">Keys of this mapping that do not count.</param>
    /// <param name="with">More that counts.</param>
    public string Hash(IReadOnlyCollection<string>? without = null, string? with = null)
    {
        var text = new StringBuilder(with).Append('\n');
        Describe(text, without ?? []);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())))[..16];
    }

    protected abstract void Describe(StringBuilder text, IReadOnlyCollection<string> without);

    protected static void Describe(YamlNode node, StringBuilder text) => node.Describe(text, []);
}

/// <summary>A single value. Only a plain one can be a number, a flag or nothing; a quoted one is always text. Numbers are what JSON calls a number and
/// keep their digits; everything else (<c>on</c>, <c>yes</c>, <c>0123</c>, <c>0x1f</c>) is text.</summary>
internal sealed partial class YamlScalar(string value, YamlStyle style, int line, int column) : YamlNode(line, column)
{
    public string Value => value;

    public YamlStyle Style => style;

    public bool IsNull => style == YamlStyle.Plain && (value is "" or "~" or "null" or "Null" or "NULL");

    public bool? Flag => style != YamlStyle.Plain ? null : value switch
    {
        "true" or "True" or "TRUE" => true,
        "false" or "False" or "FALSE" => false,
        _ => null,
    };

    public bool IsNumber => style == YamlStyle.Plain && JsonNumber().IsMatch(value);

    public bool IsText => !IsNull && Flag is null && !IsNumber;

    public override string Kind => IsNull ? "nothing" : Flag is not null ? "true or false" : IsNumber ? "a number" : "a text";

    public override void WriteTo(Utf8JsonWriter writer)
    {
        if (IsNull) writer.WriteNullValue();
        else if (Flag is { } flag) writer.WriteBooleanValue(flag);
        else if (IsNumber) writer.WriteRawValue(value);
        else writer.WriteStringValue(value);
    }

    protected override void Describe(StringBuilder text, IReadOnlyCollection<string> without) => text.Append(IsText ? '"' : ' ').Append(value.Length).Append(':').Append(value);

    [GeneratedRegex(@"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\z")]
    private static partial Regex JsonNumber();
}

internal sealed class YamlSequence(int line, int column) : YamlNode(line, column)
{
    public List<YamlNode> Items { get; } = [];

    public override string Kind => "a list";

    public override void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartArray();
        foreach (var item in Items) item.WriteTo(writer);
        writer.WriteEndArray();
    }

    protected override void Describe(StringBuilder text, IReadOnlyCollection<string> without)
    {
        text.Append('[');
        foreach (var item in Items) Describe(item, text);
        text.Append(']');
    }
}

internal sealed class YamlMapping(int line, int column) : YamlNode(line, column)
{
    readonly Dictionary<string, (YamlScalar Key, YamlNode Value)> _entries = [];

    /// <summary>In the order of the file.</summary>
    public List<(YamlScalar Key, YamlNode Value)> Entries { get; } = [];

    public override string Kind => "a mapping";

    /// <returns>The key that was there before, or null.</returns>
    public YamlScalar? Add(YamlScalar key, YamlNode value)
    {
        if (!_entries.TryAdd(key.Value, (key, value))) return _entries[key.Value].Key;
        Entries.Add((key, value));
        return null;
    }

    /// <summary>The value, unless it is absent or nothing.</summary>
    public YamlNode? Find(string key) => _entries.TryGetValue(key, out var entry) && entry.Value is not YamlScalar { IsNull: true } ? entry.Value : null;

    public YamlScalar? FindScalar(string key) => Find(key) as YamlScalar;

    public YamlScalar KeyOf(string key) => _entries[key].Key;

    public bool Has(string key) => Find(key) is not null;

    public override void WriteTo(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        foreach (var (key, value) in Entries)
        {
            writer.WritePropertyName(key.Value);
            value.WriteTo(writer);
        }
        writer.WriteEndObject();
    }

    protected override void Describe(StringBuilder text, IReadOnlyCollection<string> without)
    {
        text.Append('{');
        foreach (var name in _entries.Keys.Where(name => !without.Contains(name)).Order(StringComparer.Ordinal))
        {
            Describe(_entries[name].Key, text);
            Describe(_entries[name].Value, text);
        }
        text.Append('}');
    }
}
