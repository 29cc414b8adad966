using System.Diagnostics.CodeAnalysis;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Pawl;

/// <summary>How Pawl reads and writes JSON: snake_case, at most 64 levels, double keys refused, numbers kept as they are.</summary>
public static class PawlJson
{
    /// <summary>The default options. Read-only.</summary>
    public static JsonSerializerOptions Default { get; } = Create();

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "The default for untrimmed programs; a trimmed one sets PawlOptions.Json with a source-generated resolver.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "As above.")]
    static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            AllowDuplicateProperties = false,
            MaxDepth = 64,
            // The engine's own types without reflection, so that a program compiled ahead has them too.
            TypeInfoResolver = JsonTypeInfoResolver.Combine(EngineJson.Default, new DefaultJsonTypeInfoResolver()),
        };
        options.Converters.Add(new RawJsonConverter());
        options.MakeReadOnly();
        return options;
    }

    internal static RawJson Encode<T>(T value, JsonSerializerOptions options)
    {
        if (value is RawJson raw) return raw;
        var type = value is null || typeof(T) != typeof(object) ? typeof(T) : value.GetType();
        return new RawJson(JsonSerializer.SerializeToUtf8Bytes(value, options.GetTypeInfo(type)));
    }

    internal static T Decode<T>(ReadOnlyMemory<byte> json, JsonSerializerOptions options)
    {
        if (typeof(T) == typeof(RawJson)) return (T)(object)new RawJson(json);
        return JsonSerializer.Deserialize(json.Span, (JsonTypeInfo<T>)options.GetTypeInfo(typeof(T)))!;
    }

    internal static string TypeName(Type type) => Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type) switch
    {
        TypeCode.String => "string",
        TypeCode.Boolean => "boolean",
        TypeCode.Byte or TypeCode.SByte or TypeCode.Int16 or TypeCode.UInt16 or TypeCode.Int32 or TypeCode.UInt32 or TypeCode.Int64 or TypeCode.UInt64 => "integer",
        TypeCode.Single or TypeCode.Double or TypeCode.Decimal => "number",
        _ => type.IsArray ? "list" : "object",
    };

    sealed class RawJsonConverter : JsonConverter<RawJson>
    {
        public override RawJson Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return RawJson.Parse(document.RootElement.GetRawText());
        }

        public override void Write(Utf8JsonWriter writer, RawJson value, JsonSerializerOptions options) => writer.WriteRawValue(value.Utf8.Span);
    }
}

/// <summary>What the engine itself keeps or reads in a journal, and the plain values of params and outputs.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(Approval)), JsonSerializable(typeof(Signal)), JsonSerializable(typeof(RawJson)), JsonSerializable(typeof(RawJson?)), JsonSerializable(typeof(List<RawJson?>))]
[JsonSerializable(typeof(JsonElement)), JsonSerializable(typeof(JsonElement?)), JsonSerializable(typeof(JsonNode)), JsonSerializable(typeof(JsonObject)), JsonSerializable(typeof(JsonArray))]
[JsonSerializable(typeof(object)), JsonSerializable(typeof(string)), JsonSerializable(typeof(bool)), JsonSerializable(typeof(int)), JsonSerializable(typeof(int?)), JsonSerializable(typeof(long))]
[JsonSerializable(typeof(double)), JsonSerializable(typeof(decimal)), JsonSerializable(typeof(IReadOnlyDictionary<string, double>)), JsonSerializable(typeof(Dictionary<string, object?>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, object?>)), JsonSerializable(typeof(List<object?>)), JsonSerializable(typeof(List<string>)), JsonSerializable(typeof(Dictionary<string, string>))]
sealed partial class EngineJson : JsonSerializerContext;
