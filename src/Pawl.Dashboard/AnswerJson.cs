using System.Buffers;
using System.Collections;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Writes any object as its public properties: snake_case, nothing for null, words for enumerations, milliseconds for durations, journal lines as they are.</summary>
/// <remarks>The serializer's own way with types that nobody listed makes generic code at run time, which a command that is compiled ahead cannot.</remarks>
static class AnswerJson
{
    static readonly ConcurrentDictionary<Type, (JsonEncodedText Name, PropertyInfo Property)[]> s_shapes = [];
    static readonly JsonWriterOptions s_options = new() { Encoder = PawlJson.Default.Encoder };

    public static byte[] Of(object? value)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, s_options)) Write(writer, value);
        return buffer.WrittenSpan.ToArray();
    }

    static void Write(Utf8JsonWriter w, object? value)
    {
        switch (value)
        {
            case null: w.WriteNullValue(); break;
            case string text: w.WriteStringValue(text); break;
            case bool yes: w.WriteBooleanValue(yes); break;
            case int number: w.WriteNumberValue(number); break;
            case long number: w.WriteNumberValue(number); break;
            case double number: w.WriteNumberValue(number); break;
            case decimal number: w.WriteNumberValue(number); break;
            case DateTimeOffset time: w.WriteStringValue(time); break;
            case TimeSpan time: w.WriteNumberValue(Math.Round(time.TotalMilliseconds, 3)); break;
            case Enum word: w.WriteStringValue(JsonNamingPolicy.SnakeCaseLower.ConvertName(word.ToString())); break;
            case RawJson raw: w.WriteRawValue(raw.Utf8.Span); break;
            case Checkpoint record: w.WriteRawValue(record.Line.Span); break;
            case JsonElement json: json.WriteTo(w); break;
            case JsonNode json: json.WriteTo(w); break;
            case ReadOnlyMemory<byte> bytes: w.WriteBase64StringValue(bytes.Span); break;
            case IDictionary map:
                w.WriteStartObject();
                foreach (DictionaryEntry entry in map)
                {
                    w.WritePropertyName(entry.Key as string ?? Convert.ToString(entry.Key, CultureInfo.InvariantCulture)!);
                    Write(w, entry.Value);
                }
                w.WriteEndObject();
                break;
            case IEnumerable items:
                w.WriteStartArray();
                foreach (var item in items) Write(w, item);
                w.WriteEndArray();
                break;
            default:
                w.WriteStartObject();
                foreach (var (name, property) in s_shapes.GetOrAdd(value.GetType(), ShapeOf))
                {
                    if (property.GetValue(value) is not { } part) continue;
                    w.WritePropertyName(name);
                    Write(w, part);
                }
                w.WriteEndObject();
                break;
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = "The types are this assembly's and the core's, which the command keeps whole.")]
    static (JsonEncodedText, PropertyInfo)[] ShapeOf(Type type) =>
        [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanRead && property.GetIndexParameters().Length == 0)
            .Select(property => (JsonEncodedText.Encode(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)), property))];
}
