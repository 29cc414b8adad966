using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Pawl.Yaml;

internal enum ValueKind { Null, Boolean, Number, String, List, Object }

/// <summary>Named members that are looked up one at a time, so that a scope computes only what an expression asks for.</summary>
internal interface IExpressionMap
{
    /// <summary>The members that exist, for hints and <c>toJSON</c>.</summary>
    IEnumerable<string> Keys { get; }

    /// <summary>The member, or null when there is none.</summary>
    ExpressionValue? Find(string key);

    /// <summary>Why there is no such member, as a sentence; null says just that there is none.</summary>
    string? WhyMissing(string key) => null;
}

/// <summary>A value of an expression. Numbers keep the text they came in, so 9007199254740993 and 1.10 stay what they are. Immutable.</summary>
internal sealed class ExpressionValue
{
    static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };
    static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 128 };

    // bool, string (text or raw number), JsonElement (a list) or IExpressionMap, as the kind says.
    readonly object? _content;

    ExpressionValue(ValueKind kind, object? content) => (Kind, _content) = (kind, content);

    public static ExpressionValue Null { get; } = new(ValueKind.Null, null);

    static readonly ExpressionValue s_true = new(ValueKind.Boolean, true);

    static readonly ExpressionValue s_false = new(ValueKind.Boolean, false);

    public ValueKind Kind { get; }

    public static ExpressionValue Of(bool value) => value ? s_true : s_false;

    public static ExpressionValue Of(string? value) => value is null ? Null : new(ValueKind.String, value);

    public static ExpressionValue Of(long value) => Number(value.ToString(CultureInfo.InvariantCulture));

    public static ExpressionValue Of(IExpressionMap value) => new(ValueKind.Object, value);

    /// <summary>A number from its JSON text.</summary>
    public static ExpressionValue Number(string rawText) => new(ValueKind.Number, rawText);

    /// <summary>Keys with values that are known already.</summary>
    public static ExpressionValue Of(IReadOnlyDictionary<string, ExpressionValue> members) => Of(new DictionaryMap(members));

    public static ExpressionValue Of(RawJson json) => Of(json.ToElement());

    /// <exception cref="JsonException">Not one JSON value of at most 64 levels without double keys.</exception>
    public static ExpressionValue FromJson(string json) => Of(JsonDocument.Parse(json, Strict).RootElement);

    public static ExpressionValue Of(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.True => s_true,
        JsonValueKind.False => s_false,
        JsonValueKind.Number => Number(json.GetRawText()),
        JsonValueKind.String => Of(json.GetString()),
        JsonValueKind.Array => new(ValueKind.List, json),
        JsonValueKind.Object => Of(new JsonMap(json)),
        _ => Null,
    };

    /// <summary>As in GitHub Actions: null, false, 0 and the empty text are false, all else is true.</summary>
    public bool IsTrue => Kind switch
    {
        ValueKind.Null => false,
        ValueKind.Boolean => (bool)_content!,
        ValueKind.Number => AsNumber() is { Sign: not 0 },
        ValueKind.String => ((string)_content!).Length > 0,
        _ => true,
    };

    /// <summary>The text that stands for the value in a template: null is empty, lists and objects are compact JSON.</summary>
    public string AsText() => Kind switch
    {
        ValueKind.Null => "",
        ValueKind.Boolean => (bool)_content! ? "true" : "false",
        ValueKind.Number or ValueKind.String => (string)_content!,
        _ => ToJson(),
    };

    public string ToJson()
    {
        if (Kind == ValueKind.Number) return (string)_content!;
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Relaxed)) Write(writer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public RawJson ToRawJson() => new(Encoding.UTF8.GetBytes(ToJson()));

    /// <summary>The number, also of a text that is one; null for everything else.</summary>
    public ExactNumber? AsNumber() => Kind is ValueKind.Number or ValueKind.String && ExactNumber.TryParse((string)_content!, out var number) ? number : null;

    public IExpressionMap? AsMap() => _content as IExpressionMap;

    public IReadOnlyList<ExpressionValue>? AsList() => Kind == ValueKind.List ? [.. ((JsonElement)_content!).EnumerateArray().Select(Of)] : null;

    public int? Length => Kind switch
    {
        ValueKind.String => ((string)_content!).Length,
        ValueKind.List => ((JsonElement)_content!).GetArrayLength(),
        ValueKind.Object => AsMap()!.Keys.Count(),
        _ => null,
    };

    /// <summary>An element of a list; null when the index is outside.</summary>
    public ExpressionValue? At(int index) => index >= 0 && index < Length ? Of(((JsonElement)_content!)[index]) : null;

    /// <summary>Equality of <c>==</c>: texts without regard to case, a text that is a number equals that number (as in GitHub Actions, and because
    /// the outputs of shell steps are texts), lists and objects by content, all other mixtures are unequal.</summary>
    public bool IsEqualTo(ExpressionValue other)
    {
        if (Kind != other.Kind) return Mixed(this, other) && AsNumber() is { } mine && mine == other.AsNumber();
        return Kind switch
        {
            ValueKind.Null => true,
            ValueKind.Boolean => IsTrue == other.IsTrue,
            ValueKind.Number => AsNumber() == other.AsNumber(),
            ValueKind.String => string.Equals((string)_content!, (string)other._content!, StringComparison.OrdinalIgnoreCase),
            _ => JsonElement.DeepEquals(ToElement(), other.ToElement()),
        };
    }

    /// <summary>Order of <c>&lt;</c>: numbers with numbers (or texts that are numbers), texts with texts; null when the two have no order.</summary>
    public int? Compare(ExpressionValue other) => Kind == ValueKind.String && other.Kind == ValueKind.String
        ? string.Compare((string)_content!, (string)other._content!, StringComparison.OrdinalIgnoreCase)
        : (Kind == other.Kind || Mixed(this, other)) && AsNumber() is { } mine && other.AsNumber() is { } theirs ? mine.CompareTo(theirs) : null;

    public override string ToString() => Kind == ValueKind.String ? $"'{AsText().Replace("'", "''", StringComparison.Ordinal)}'" : ToJson();

    static bool Mixed(ExpressionValue a, ExpressionValue b) => (a.Kind, b.Kind) is (ValueKind.Number, ValueKind.String) or (ValueKind.String, ValueKind.Number);

    JsonElement ToElement() => _content is JsonElement list ? list : _content is JsonMap map ? map.Json : JsonDocument.Parse(ToJson()).RootElement;

    void Write(Utf8JsonWriter writer)
    {
        switch (_content)
        {
            case null: writer.WriteNullValue(); break;
            case bool flag: writer.WriteBooleanValue(flag); break;
            case string number when Kind == ValueKind.Number: writer.WriteRawValue(number); break;
            case string text: writer.WriteStringValue(text); break;
            case JsonElement list: list.WriteTo(writer); break;
            case JsonMap map: map.Json.WriteTo(writer); break;
            case IExpressionMap map:
                writer.WriteStartObject();
                foreach (var key in map.Keys)
                {
                    if (map.Find(key) is not { } value) continue;
                    writer.WritePropertyName(key);
                    value.Write(writer);
                }
                writer.WriteEndObject();
                break;
        }
    }

    sealed class JsonMap(JsonElement json) : IExpressionMap
    {
        public JsonElement Json => json;

        public IEnumerable<string> Keys => json.EnumerateObject().Select(member => member.Name);

        public ExpressionValue? Find(string key) => json.TryGetProperty(key, out var value) ? Of(value) : null;
    }

    sealed class DictionaryMap(IReadOnlyDictionary<string, ExpressionValue> members) : IExpressionMap
    {
        public IEnumerable<string> Keys => members.Keys;

        public ExpressionValue? Find(string key) => members.GetValueOrDefault(key);
    }
}
