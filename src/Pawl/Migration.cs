using System.Text.Json.Nodes;

namespace Pawl;

/// <summary>Brings what a run has finished from one version of its workflow to a later one.</summary>
/// <param name="From">The version that the run last ran with.</param>
/// <param name="To">The version after it; greater than <paramref name="From"/>.</param>
/// <param name="Change">The change. Pure: it is made for every plan, and once more for the resume.</param>
public sealed record Migration(int From, int To, Action<RunMigration> Change);

/// <summary>What a run has finished, for a <see cref="Migration"/> to change: names of steps, their outputs, shared state. Nothing is written unless the resume begins,
/// and then all of it together with the beginning of its pass. The records before stay as they are.</summary>
public sealed class RunMigration
{
    readonly Func<string, RawJson?> _output;
    readonly IReadOnlyDictionary<string, RawJson> _state;

    internal RunMigration(Func<string, RawJson?> output, IReadOnlyDictionary<string, RawJson> state) => (_output, _state) = (output, state);

    /// <summary>Present name → the name the step finished under.</summary>
    internal Dictionary<string, string> Map { get; } = [];

    internal Dictionary<string, RawJson> Outputs { get; } = [];

    internal Dictionary<string, JsonNode?> Changes { get; } = [];

    /// <summary>A step has another name now; what is below it goes with it.</summary>
    public void Rename(string from, string to)
    {
        Map[to] = Map.Remove(from, out var first) ? first : from;
        if (Outputs.Remove(from, out var output)) Outputs[to] = output;
    }

    /// <summary>The output of a finished step, by its present name; null when it has none, or is not finished.</summary>
    public JsonNode? Output(string step) => (Outputs.TryGetValue(step, out var set) ? set : _output(Map.GetValueOrDefault(step, step))) is { } json ? JsonNode.Parse(json.Utf8.Span) : null;

    /// <summary>Gives a finished step another output. Of a step that is not finished it changes nothing: it is still to run.</summary>
    public void SetOutput(string step, JsonNode? output)
    {
        if (_output(Map.GetValueOrDefault(step, step)) is not null) Outputs[step] = RawJson.Parse(output?.ToJsonString() ?? "null");
    }

    /// <summary>A value of the shared state; null when it is not there.</summary>
    public JsonNode? State(string key) => Changes.TryGetValue(key, out var set) ? set : _state.TryGetValue(key, out var value) ? JsonNode.Parse(value.Utf8.Span) : null;

    /// <summary>Changes a value of the shared state; null removes it.</summary>
    public void SetState(string key, JsonNode? value) => Changes[key] = value;
}
