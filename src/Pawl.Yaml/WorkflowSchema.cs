using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Pawl.Yaml;

/// <summary>The JSON Schema of workflow files, for editors. Thread safe.</summary>
public static class WorkflowSchema
{
    static readonly JsonWriterOptions s_indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The schema (draft 2020-12), made from the same table that checks files: what it refuses, a check refuses, too.</summary>
    public static string Json() => Json("Pawl workflow file", "workflow");

    /// <summary>The schema of the configuration file.</summary>
    internal static string ConfigurationJson() => Json("Pawl configuration file", "configuration");

    static string Json(string title, string root)
    {
        var definitions = new JsonObject();
        foreach (var place in Vocabulary.Places) definitions[place.Name] = Of(place);
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = title,
            ["$ref"] = $"#/$defs/{root}",
            ["$defs"] = definitions,
        };
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, s_indented)) schema.WriteTo(writer);
        return System.Text.Encoding.UTF8.GetString(stream.ToArray()) + "\n";
    }

    static JsonObject Of(Place place)
    {
        var properties = new JsonObject();
        foreach (var key in place.Keys)
        {
            var schema = key.Shape.Schema();
            schema["description"] = key.Default is null ? key.Doc : $"{key.Doc} Default: {key.Default}.";
            properties[key.Name] = schema;
        }
        var made = new JsonObject { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
        if (place.Keys.Any(key => key.IsRequired)) made["required"] = new JsonArray([.. place.Keys.Where(key => key.IsRequired).Select(key => JsonValue.Create(key.Name))]);
        if (place.Name == "step") made["oneOf"] = new JsonArray([.. StepReader.Works.Select(work => new JsonObject { ["required"] = new JsonArray(work) })]);
        return made;
    }
}
