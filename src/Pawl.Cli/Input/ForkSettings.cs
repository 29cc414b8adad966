using System.Text.Json;
using System.Text.Json.Nodes;

namespace Pawl.Cli.Input;

/// <summary>What <c>--set PATH=JSON</c> changes at a checkpoint: <c>outputs.STEP</c>, <c>state.KEY</c>, or a member inside one.</summary>
static class ForkSettings
{
    /// <param name="fork">What is asked besides.</param>
    /// <param name="settings">As the caller wrote them.</param>
    /// <param name="at">What stands at the checkpoint.</param>
    /// <param name="ended">Steps that have ended there.</param>
    /// <param name="later">Steps that ended behind it.</param>
    public static ForkOptions Apply(ForkOptions fork, string[]? settings, Snapshot at, HashSet<string> ended, HashSet<string> later)
    {
        var (outputs, state) = (new Dictionary<string, object?>(), new Dictionary<string, object?>());
        foreach (var (path, text) in Params.Pairs("--set", settings))
        {
            var dot = path.IndexOf('.', StringComparison.Ordinal);
            var (values, known) = (dot > 0 ? path[..dot] : "") switch
            {
                "outputs" => (outputs, at.Outputs),
                "state" => (state, at.State),
                _ => throw new UsageException($"--set '{path}': write outputs.STEP=JSON, state.KEY=JSON, or a member inside, such as outputs.load.rows=5. Params are set with --param."),
            };
            var name = path[(dot + 1)..];
            if (values == outputs && !ended.Any(step => IsIn(name, step)))
                throw new UsageException(later.FirstOrDefault(step => IsIn(name, step)) is { } step ? $"--set '{path}': '{step}' has not ended at checkpoint {at.Head.Seq}."
                    : $"--set '{path}': no step of this name has ended at checkpoint {at.Head.Seq}.{(Nearest.Hint(name, ended) is { Length: > 0 } hint ? hint : Nearest.Hint(name.Split('.')[0], ended))}");
            Set(values, known, name, Value(path, text), path);
        }
        return fork with { Outputs = outputs, State = state };
    }

    static bool IsIn(string name, string step) => name == step || name.StartsWith(step + ".", StringComparison.Ordinal);

    /// <summary>A value of its own, or, when the name goes on behind one that is there, a member inside it.</summary>
    static void Set(Dictionary<string, object?> values, IReadOnlyDictionary<string, RawJson> known, string name, JsonNode? value, string path)
    {
        var owner = known.Keys.Concat(values.Keys).Where(key => name.StartsWith(key + ".", StringComparison.Ordinal)).MaxBy(key => key.Length);
        if (known.ContainsKey(name) || values.ContainsKey(name) || owner is null)
        {
            values[name] = Raw(value);
            return;
        }
        var root = JsonNode.Parse((values.TryGetValue(owner, out var set) ? (RawJson?)set : known[owner])!.Value.Utf8.Span);
        var names = name[(owner.Length + 1)..].Split('.');
        var at = root;
        foreach (var part in names[..^1]) at = at is JsonObject inner ? inner[part] : null;
        if (at is not JsonObject parent) throw new UsageException($"--set '{path}': '{owner}' has no object there to set '{names[^1]}' in.");
        parent[names[^1]] = value;
        values[owner] = Raw(root);
    }

    static RawJson? Raw(JsonNode? value) => value is null ? null : RawJson.Parse(value.ToJsonString());

    static JsonNode? Value(string path, string text)
    {
        try { return JsonNode.Parse(text); }
        catch (JsonException) { throw new UsageException($"--set '{path}': '{text}' is not JSON. A text stands in double quotes: --set '{path}=\"{text}\"'."); }
    }
}
