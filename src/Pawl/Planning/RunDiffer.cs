using System.Text;
using System.Text.Json;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl.Planning;

/// <summary>A run at a checkpoint, as a comparison sees it.</summary>
sealed class RunSide
{
    readonly List<Checkpoint> _records = [];
    readonly Dictionary<string, string?> _prints = [];
    readonly Dictionary<string, string?> _printOf = [];

    public Journal Journal { get; set; } = null!;
    public IReadOnlyDictionary<string, RawJson> Params { get; set; } = new Dictionary<string, RawJson>();
    public Dictionary<string, RawJson> Environment { get; } = [];
    public string? Definition { get; private set; }

    /// <summary>Takes the next record of the journal.</summary>
    public void Add(Checkpoint record)
    {
        _records.Add(record);
        // Under which definition a step ran is that of its pass.
        if (record.Kind == CheckpointKind.Step && TopOf(record.Path!) is var step && _prints.TryGetValue(step, out var print)) _printOf[step] = print;
        if (record.Kind is not (CheckpointKind.Created or CheckpointKind.Resumed) || record.Data.IsEmpty) return;
        using var data = JsonDocument.Parse(record.Data);
        var root = data.RootElement;
        if (root.TryGetProperty("steps", out var steps))
            foreach (var one in steps.EnumerateArray()) _prints[one.GetProperty("id").GetString()!] = one.TryGetProperty("fingerprint", out var text) ? text.GetString() : null;
        if (root.TryGetProperty("definition", out var definition)) Definition = definition.GetProperty("text").GetString();
        if (root.TryGetProperty("engine", out var engine)) Environment["pawl"] = Raw(engine);
        if (root.TryGetProperty("environment", out var environment)) foreach (var fact in environment.EnumerateObject()) Environment[fact.Name] = Raw(fact.Value);
        if (root.TryGetProperty("hostname", out var host) || (root.TryGetProperty("host", out var block) && block.TryGetProperty("hostname", out host))) Environment["host"] = Raw(host);
    }

    public string? PrintOf(string path) => _printOf.GetValueOrDefault(TopOf(path));

    /// <summary>The decisive record of each step, by path, in the order of the journal.</summary>
    public List<(string Path, Checkpoint Record)> Steps() =>
        [.. Journal.Entries.Where(entry => entry.Status is not null).OrderBy(entry => entry.Seq).Select(entry => (entry.Path, _records[(int)entry.Seq - 1]))];

    static RawJson Raw(JsonElement value) => new(Encoding.UTF8.GetBytes(value.GetRawText()));

    static string TopOf(string path) => path.AsSpan().IndexOfAny('/', '[') is > 0 and var cut ? path[..cut] : path;
}

/// <summary>Two journals → how they differ. Pure.</summary>
static class RunDiffer
{
    public static RunDiff Compare(RunSide left, RunSide right)
    {
        var parameters = JsonDiff.Compare(left.Params, right.Params);
        var environment = JsonDiff.Compare(left.Environment, right.Environment);
        var kin = new Kin(left.Journal.Head.RunId, right.Journal.Head.RunId, [.. left.Journal.Entries.Select(entry => entry.Path).Where(Transitions.IsTopLevel)]);
        var steps = Align(left.Steps(), right.Steps(), kin);
        var first = steps.FirstOrDefault(step => step.What.Count > 0);
        return new RunDiff
        {
            Left = left.Journal.Head, Right = right.Journal.Head, Steps = steps, Params = parameters, Environment = environment,
            State = JsonDiff.Compare(left.Journal.State, right.Journal.State, kin.AreSame),
            Definition = left.Definition is { } before && right.Definition is { } after ? TextDiff.Unified(before, after) : [],
            LeftCost = left.Journal.Spent, RightCost = right.Journal.Spent,
            First = first is null ? null : new Divergence(first.Path, first.What, Causes(first, left, right, parameters, environment)),
        };
    }

    /// <summary>In the order of the left side; what only the right one has comes behind the step it came behind there.</summary>
    static List<StepDiff> Align(List<(string Path, Checkpoint Record)> left, List<(string Path, Checkpoint Record)> right, Kin kin)
    {
        var there = right.ToDictionary(step => step.Path, step => step.Record);
        var here = left.Select(step => step.Path).ToHashSet();
        var behind = new Dictionary<string, List<StepDiff>>();
        var last = "";
        foreach (var (path, record) in right)
        {
            if (here.Contains(path)) last = path;
            else if (behind.TryGetValue(last, out var others)) others.Add(Compare(path, null, record, kin));
            else behind[last] = [Compare(path, null, record, kin)];
        }
        var steps = new List<StepDiff>(behind.GetValueOrDefault("") ?? []);
        foreach (var (path, record) in left)
        {
            steps.Add(Compare(path, record, there.GetValueOrDefault(path), kin));
            steps.AddRange(behind.GetValueOrDefault(path) ?? []);
        }
        return steps;
    }

    static StepDiff Compare(string path, Checkpoint? left, Checkpoint? right, Kin kin)
    {
        if (left is null || right is null) return new StepDiff(path, left, right) { What = ["missing"] };
        // Records that are copies of each other, as those of a fork and its parent.
        if (left.Hash == right.Hash) return new StepDiff(path, left, right);
        var (output, inputs) = (JsonDiff.Compare(Output(left), Output(right), kin.AreSame), JsonDiff.Compare(Value(left.Inputs), Value(right.Inputs), kin.AreSame));
        List<string> what = [];
        if (left.Status != right.Status || left.Cause != right.Cause) what.Add("status");
        if (output.Count > 0) what.Add("output");
        if (inputs.Count > 0) what.Add("inputs");
        if (kin.ToRight(left.Error?.Message) != right.Error?.Message) what.Add("error");
        if (left.Reason != right.Reason) what.Add("reason");
        return new StepDiff(path, left, right) { What = what, Output = output, Inputs = inputs };
    }

    /// <summary>Large ones are compared by their hash.</summary>
    static RawJson? Output(Checkpoint record) => record.OutputRef is { } large ? new RawJson(Encoding.UTF8.GetBytes($"\"sha256:{large.Sha256} ({large.Bytes} bytes)\"")) : Value(record.Output);

    static RawJson? Value(ReadOnlyMemory<byte> json) => json.IsEmpty ? null : new RawJson(json);

    static List<string> Causes(StepDiff step, RunSide left, RunSide right, List<ValueDiff> parameters, List<ValueDiff> environment)
    {
        if (step.Left is null || step.Right is null)
        {
            var (other, head) = step.Left is null ? ("first", left.Journal.Head) : ("second", right.Journal.Head);
            return [head.Status is RunStatus.Completed ? $"the {other} run has no such step" : $"the {other} run did not come to it: it is {head.Status.ToString().ToLowerInvariant()} at checkpoint {head.Seq}"];
        }
        if (step.Left.Reason == ForkPlanner.SetByFork || step.Right.Reason == ForkPlanner.SetByFork) return [$"its output was {ForkPlanner.SetByFork}"];
        List<string> causes = [];
        if (left.PrintOf(step.Path) is { } before && right.PrintOf(step.Path) is { } after && before != after) causes.Add("its definition changed");
        causes.AddRange(step.Inputs.Select(value => $"it read {Describe(value, "nothing")}"));
        // What it read is recorded for few steps; any param may have mattered to the others.
        if (step.Inputs.Count == 0) causes.AddRange(parameters.Select(value => $"param {Describe(value, "not given")}"));
        if (step.Left.Attempt != step.Right.Attempt && (step.Left.Reason ?? step.Right.Reason) is { } reason && step.Left.Reason != step.Right.Reason) causes.Add($"it ran again in one of them: {reason}");
        if (causes.Count > 0) return causes;
        causes.AddRange(environment.Where(fact => fact.Path is not "host").Select(fact => $"the surroundings: {Describe(fact, "unknown")}"));
        causes.Add("definition, params and recorded inputs are the same: it depends on something that is not recorded (time, chance, a file, a service)");
        return causes;
    }

    static string Describe(ValueDiff value, string none)
    {
        return $"{(value.Path.Length == 0 ? "its input" : value.Path)}: {Text(value.Left)} → {Text(value.Right)}";
        string Text(RawJson? json) => json is { } given ? StepExecutor.Shorten(given.ToString()) : none;
    }
}

/// <summary>Ids of child runs follow from their parent's: those that follow in the same way are the same to a comparison.</summary>
sealed class Kin(string left, string right, IReadOnlyList<string> steps)
{
    // As RunIds.Child makes them of paths that are no part of an id.
    const int HashLength = 9;

    public bool AreSame(string one, string other) => left != right && Rest(one, left) is { } mine && Rest(other, right) is { } theirs && (mine == theirs || WithoutHash(mine) == WithoutHash(theirs));

    /// <summary>A text of the left run as the right one would have it.</summary>
    public string? ToRight(string? text) => text?.Replace($"{left}.", $"{right}.", StringComparison.Ordinal);

    string? Rest(string id, string parent) =>
        id.Length > parent.Length + 1 && id.StartsWith(parent, StringComparison.Ordinal) && id[parent.Length] == '.' && RunIds.IsValid(id)
            && id[(parent.Length + 1)..] is var rest && steps.Any(step => rest.StartsWith(step, StringComparison.Ordinal) && (rest.Length == step.Length || rest[step.Length] is '-' or '.')) ? rest : null;

    static string WithoutHash(string rest) => rest.Length > HashLength && rest[^HashLength] == '-' && rest[^(HashLength - 1)..].All(char.IsAsciiHexDigitLower) ? rest[..^HashLength] : rest;
}
