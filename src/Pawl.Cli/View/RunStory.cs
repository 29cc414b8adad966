using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Cli.View;

/// <summary>What a journal tells about one step.</summary>
sealed class StepStory(string path)
{
    public string Path => path;
    public string Kind { get; set; } = "code";
    public string? Title { get; set; }
    public IReadOnlyList<string> Before { get; set; } = [];

    /// <summary>Its records, each with the pass (from 1) that wrote it.</summary>
    public List<(int Pass, Checkpoint Record)> Records { get; } = [];

    /// <summary>Passes that found it done and used the result.</summary>
    public List<int> ReusedIn { get; } = [];

    /// <summary>The record that counts; null when there is none, or a later pass decides anew.</summary>
    public Checkpoint? Current { get; set; }

    public bool IsDone => Current is { Status: StepStatus.Completed } or { Status: StepStatus.Skipped, Cause: not SkipCause.Blocked } or { Status: StepStatus.Failed, Tolerated: true };

    /// <summary>Done, and a resume does not keep it: it ran because of a failure.</summary>
    public bool AfterFailure => Current is { } record && record.Data.Span.IndexOf("\"after_failure\":true"u8) >= 0;

    public string State => Current switch
    {
        { Status: StepStatus.Skipped, Cause: SkipCause.Blocked } => "blocked",
        { Status: { } status } => Words.Of(status),
        _ => "pending",
    };
}

/// <summary>A journal, read for people: each step with its attempts over all passes.</summary>
sealed class RunStory
{
    readonly Dictionary<string, StepStory> _steps = [];
    readonly List<string> _defined = [];

    public RunStory(RunHead head, IReadOnlyList<Checkpoint> records)
    {
        Head = head;
        Records = records;
        foreach (var record in records) Apply(record);
    }

    public RunHead Head { get; }
    public IReadOnlyList<Checkpoint> Records { get; }
    public int Passes { get; private set; }

    /// <summary>The steps of the definition in its order.</summary>
    public IEnumerable<StepStory> Defined => _defined.Select(id => _steps[id]);

    /// <summary>As <see cref="Defined"/>, each followed by what was recorded below it.</summary>
    public IEnumerable<StepStory> All => Defined.SelectMany(step => (IEnumerable<StepStory>)[step, .. Below(step.Path)]);

    /// <summary>Steps that are not done and that nothing holds back.</summary>
    public IEnumerable<StepStory> Ready => Defined.Where(step => !step.IsDone && step.Before.All(id => !_steps.TryGetValue(id, out var before) || before.IsDone));

    public StepStory? Find(string path) => _steps.GetValueOrDefault(path);

    public IEnumerable<StepStory> Below(string path) => _steps.Values.Where(step => step.Path.Length > path.Length && IsUnder(step.Path, path)).OrderBy(step => step.Records.Count > 0 ? step.Records[0].Record.Seq : 0);

    public static async Task<RunStory> ReadAsync(PawlClient client, string runId, CancellationToken stop)
    {
        if (!RunIds.IsValid(runId)) throw new UsageException($"'{Human.Line(runId, 80)}' is not a run id. 'pawl list' shows what is there.");
        var head = await client.FindAsync(runId, stop) ?? throw new RunNotFoundException(runId);
        return new RunStory(head, await client.HistoryAsync(runId, stop));
    }

    public StepStory Require(string path) =>
        Find(path) ?? throw new UsageException($"There is no step '{Human.Line(path, 80)}' in run '{Head.RunId}'.{Nearest.Hint(path, _steps.Keys)} Its steps are: {string.Join(", ", _defined)}.");

    void Apply(Checkpoint record)
    {
        switch (record.Kind)
        {
            case CheckpointKind.Created:
                Define(record);
                break;
            case CheckpointKind.Resumed:
                BeginPass(record);
                break;
            case CheckpointKind.Step:
                var step = Step(record.Path!);
                step.Records.Add((Passes, record));
                step.Current = record;
                break;
            case CheckpointKind.Compensated when record.Status == StepStatus.Completed:
                Step(record.Path!).Records.Add((Passes, record));
                foreach (var undone in Under(record.Path!)) undone.Current = null;
                break;
        }
    }

    void BeginPass(Checkpoint record)
    {
        Passes++;
        foreach (var step in _steps.Values.Where(step => step.AfterFailure)) step.Current = null;
        if (!record.Data.IsEmpty)
        {
            Define(record);
            using var data = JsonDocument.Parse(record.Data);
            if (data.RootElement.TryGetProperty("map", out var map))
                foreach (var pair in map.EnumerateObject()) Rename(pair.Value.GetString()!, pair.Name);
            if (data.RootElement.TryGetProperty("rerun", out var rerun))
                foreach (var step in rerun.EnumerateArray().SelectMany(path => Under(path.GetString()!))) step.Current = null;
        }
        if (Passes > 1) foreach (var step in _steps.Values.Where(step => step.IsDone)) step.ReusedIn.Add(Passes);
    }

    void Define(Checkpoint record)
    {
        using var data = JsonDocument.Parse(record.Data);
        if (!data.RootElement.TryGetProperty("steps", out var steps)) return;
        _defined.Clear();
        foreach (var definition in steps.EnumerateArray())
        {
            var step = Step(definition.GetProperty("id").GetString()!);
            step.Kind = definition.TryGetProperty("kind", out var kind) ? kind.GetString()! : "code";
            step.Title = definition.TryGetProperty("title", out var title) ? title.GetString() : null;
            step.Before = definition.TryGetProperty("needs", out var needs) ? [.. needs.EnumerateArray().Select(need => need.GetString()!)] : [];
            _defined.Add(step.Path);
        }
    }

    void Rename(string from, string to)
    {
        foreach (var old in Under(from))
        {
            var step = Step(to + old.Path[from.Length..]);
            step.Records.AddRange(old.Records);
            step.Current = old.Current;
            _steps.Remove(old.Path);
        }
    }

    StepStory Step(string path) => _steps.TryGetValue(path, out var step) ? step : _steps[path] = new StepStory(path);

    List<StepStory> Under(string path) => [.. _steps.Values.Where(step => IsUnder(step.Path, path))];

    static bool IsUnder(string path, string root) => path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] is '/' or '[');
}
