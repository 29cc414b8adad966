using System.Text.Json.Nodes;

namespace Pawl.Yaml;

/// <summary>The migrations of a file: names, outputs and state of what earlier versions finished.</summary>
internal static class MigrationReader
{
    public static List<Migration> Read(YamlMapping node, FileContext file)
    {
        var found = new List<Migration>();
        var version = StepReader.Whole(node.FindScalar("version")) ?? 1;
        foreach (var migration in (node.Find("migrations") as YamlSequence)?.Items.OfType<YamlMapping>() ?? [])
        {
            if (StepReader.Whole(migration.FindScalar("from")) is not { } from) continue;
            var to = StepReader.Whole(migration.FindScalar("to")) ?? from + 1;
            if (to <= from || to > version) file.Problems.Error(migration, $"The migration leads from version {from} to {to}.", $"It must lead forward, at most to the workflow's own version, {version}; 'to' without a value is the next one.");
            else if (found.Exists(other => other.From == from)) file.Problems.Error(migration, $"Two migrations lead on from version {from}.", "Write one.");
            else found.Add(new Migration(from, to, change => Apply(migration, change)));
        }
        return found;
    }

    static void Apply(YamlMapping migration, RunMigration change)
    {
        foreach (var (old, name) in Entries(migration, "rename")) change.Rename(old.Value, ((YamlScalar)name).Value);
        foreach (var (step, members) in Entries(migration, "outputs"))
        {
            // A step that is not finished has nothing to change.
            if (change.Output(step.Value) is not JsonObject output) continue;
            foreach (var (name, value) in ((YamlMapping)members).Entries) Put(output, name.Value, value, from => Taken(output, from));
            change.SetOutput(step.Value, output);
        }
        foreach (var (key, value) in Entries(migration, "state"))
        {
            var from = MovedFrom(value);
            change.SetState(key.Value, from is null ? Literal(value) : change.State(from)?.DeepClone());
            if (from is not null) change.SetState(from, null);
        }
    }

    static IEnumerable<(YamlScalar Key, YamlNode Value)> Entries(YamlMapping node, string key) => (node.Find(key) as YamlMapping)?.Entries.Select(entry => (entry.Key, entry.Value)) ?? [];

    static void Put(JsonObject output, string name, YamlNode value, Func<string, JsonNode?> take)
    {
        if (MovedFrom(value) is { } from) output[name] = take(from);
        else if (value is YamlScalar { IsNull: true }) output.Remove(name);
        else output[name] = Literal(value);
    }

    static JsonNode? Taken(JsonObject output, string name)
    {
        output.TryGetPropertyValue(name, out var value);
        output.Remove(name);
        return value;
    }

    static string? MovedFrom(YamlNode value) => value is YamlMapping { Entries: [var only] } && only.Key.Value == "from" && only.Value is YamlScalar from ? from.Value : null;

    static JsonNode? Literal(YamlNode value) => value is YamlScalar { IsNull: true } ? null : JsonNode.Parse(value.ToJson().Utf8.Span);
}
