using System.Text.Json;

namespace Pawl.Cli.Input;

/// <summary>Params from the command line: texts, which the workflow's declarations turn into numbers, lists and the rest.</summary>
static class Params
{
    /// <summary>Values of a JSON file, then <c>name=value</c> pairs over them.</summary>
    public static Dictionary<string, object?> Read(string[]? pairs, string? file, Caller caller)
    {
        var values = file is null ? [] : ReadFile(file, caller);
        foreach (var (name, value) in Pairs("--param", pairs)) values[name] = Text(value);
        return values;
    }

    public static List<(string Name, string Value)> Pairs(string option, string[]? pairs)
    {
        var list = new List<(string, string)>();
        foreach (var pair in pairs ?? [])
        {
            var at = pair.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0) throw new UsageException($"{option} '{pair}': write name=value.");
            list.Add((pair[..at], pair[(at + 1)..]));
        }
        return list;
    }

    /// <summary>Tags or partition values; of one name the first counts. Null without any.</summary>
    public static Dictionary<string, string>? Labels(string option, string[]? pairs)
    {
        var words = Pairs(option, pairs);
        return words.Count == 0 ? null : words.DistinctBy(pair => pair.Name).ToDictionary(pair => pair.Name, pair => pair.Value);
    }

    static Dictionary<string, object?> ReadFile(string file, Caller caller)
    {
        var text = Files.Read("--params-file", file, caller);
        try
        {
            using var json = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind != JsonValueKind.Object) throw new UsageException($"--params-file '{file}' must hold one JSON object, not a {Words.Of(json.RootElement.ValueKind)}.");
            return json.RootElement.EnumerateObject().ToDictionary(value => value.Name, value => (object?)RawJson.Parse(value.Value.GetRawText()));
        }
        catch (JsonException wrong)
        {
            throw new UsageException($"--params-file '{file}' is not JSON: {wrong.Message}");
        }
    }

    // As raw JSON, so that no serializer has to be set up for a few words.
    static RawJson Text(string value) => new(System.Text.Encoding.UTF8.GetBytes($"\"{JsonEncodedText.Encode(value)}\""));
}
