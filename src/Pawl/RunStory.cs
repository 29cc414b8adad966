using System.Text.Json;
using Pawl.Storage;

namespace Pawl;

/// <summary>What a journal tells about one step.</summary>
public sealed class StepStory
{
    internal StepStory(string path) => Path = path;

    /// <summary>The step.</summary>
    public string Path { get; }

    /// <summary>As the definition has it: <c>code</c>, <c>shell</c>, <c>group</c>, …</summary>
    public string Kind { get; internal set; } = "code";

    /// <summary>For people, or null.</summary>
    public string? Title { get; internal set; }

    /// <summary>The steps that it comes after.</summary>
    public IReadOnlyList<string> Before { get; internal set; } = [];

    /// <summary>Its records, each with the pass (from 1) that wrote it.</summary>
    public IReadOnlyList<(int Pass, Checkpoint Record)> Records => Told;

    /// <summary>Passes that found it done and used the result.</summary>
    public IReadOnlyList<int> ReusedIn => Reused;

    /// <summary>The record that counts; null when there is none, or a later pass decides anew.</summary>
    public Checkpoint? Current { get; internal set; }

    /// <summary>A resume uses what it left.</summary>
    public bool IsDone => Current is { Status: StepStatus.Completed } or { Status: StepStatus.Skipped, Cause: not SkipCause.Blocked } or { Status: StepStatus.Failed, Tolerated: true };

    /// <summary>Done, and a resume does not keep it: it ran because of a failure.</summary>
    public bool AfterFailure => Current is { } record && record.Data.Span.IndexOf("\"after_failure\":true"u8) >= 0;

    internal List<(int Pass, Checkpoint Record)> Told { get; } = [];
    internal List<int> Reused { get; } = [];
}

/// <summary>A journal, read for people: each step with its attempts over all passes. Immutable once made.</summary>
public sealed class RunStory
{
    readonly Dictionary<string, StepStory> _steps = [];
    readonly List<string> _defined = [];
    readonly Dictionary<string, Wait> _questions = [];

    /// <summary>Reads a journal.</summary>
    /// <param name="head">The run.</param>
    /// <param name="records">Its journal from the beginning; it may end early.</param>
    public RunStory(RunHead head, IReadOnlyList<Checkpoint> records)
    {
        Head = head;
        Records = records;
        foreach (var record in records) Apply(record);
    }

    /// <summary>The run.</summary>
    public RunHead Head { get; }

    /// <summary>Its journal.</summary>
    public IReadOnlyList<Checkpoint> Records { get; }

    /// <summary>How many passes began.</summary>
    public int Passes { get; private set; }

    /// <summary>The definition that the journal carries (the last one), or null when it was made in code.</summary>
    public WorkflowSource? Source { get; private set; }

    /// <summary>The steps of the definition in its order.</summary>
    public IEnumerable<StepStory> Defined => _defined.Select(id => _steps[id]);

    /// <summary>As <see cref="Defined"/>, each followed by what was recorded below it.</summary>
    public IEnumerable<StepStory> All
    {
        get
        {
            // Once for all: a run may have thousands of each.
            var below = _steps.Values.Where(step => step.Path.AsSpan().ContainsAny('/', '[')).OrderBy(First).ToLookup(step => step.Path[..step.Path.AsSpan().IndexOfAny('/', '[')]);
            return Defined.SelectMany(step => below[step.Path].Prepend(step));
        }
    }

    /// <summary>Steps that are not done and that nothing holds back.</summary>
    public IEnumerable<StepStory> Ready => Defined.Where(step => !step.IsDone && step.Before.All(id => !_steps.TryGetValue(id, out var before) || before.IsDone));

    /// <summary>What people are asked while other steps of a run go on: its head tells that only of one that waits. Meant for a run that is <see cref="RunStatus.Running"/>.</summary>
    public IReadOnlyCollection<Wait> Questions => _questions.Values;

    /// <summary>Every path that the journal or the definition names.</summary>
    public IEnumerable<string> Paths => _steps.Keys;

    /// <summary>The step with this path, or null.</summary>
    public StepStory? Find(string path) => _steps.GetValueOrDefault(path);

    /// <summary>What was recorded below a step, oldest first.</summary>
    public IEnumerable<StepStory> Below(string path) => _steps.Values.Where(step => step.Path.Length > path.Length && IsUnder(step.Path, path)).OrderBy(First);

    static long First(StepStory step) => step.Told.Count > 0 ? step.Told[0].Record.Seq : 0;

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
                step.Told.Add((Passes, record));
                step.Current = record;
                _questions.Remove(step.Path);
                break;
            case CheckpointKind.Timer when Engine.PassRecords.WaitIn(record) is { Message: not null } asked:
                _questions[asked.Path] = asked;
                break;
            case CheckpointKind.Compensated when record.Status == StepStatus.Completed:
                Step(record.Path!).Told.Add((Passes, record));
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
                foreach (var path in rerun.EnumerateArray().Select(path => path.GetString()!))
                {
                    foreach (var step in Under(path)) step.Current = null;
                    EndQuestions(path);
                }
        }
        if (Passes > 1) foreach (var step in _steps.Values.Where(step => step.IsDone)) step.Reused.Add(Passes);
    }

    void Define(Checkpoint record)
    {
        using var data = JsonDocument.Parse(record.Data);
        Source = SourceIn(data.RootElement, Source);
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

    /// <summary>The definition as of a record that begins a run or a pass; what that one does not tell stays.</summary>
    internal static WorkflowSource? SourceIn(JsonElement data, WorkflowSource? before)
    {
        var folder = data.TryGetProperty("folder", out var told) ? told.GetString() : before?.Folder;
        if (!data.TryGetProperty("definition", out var definition)) return before is null ? null : before with { Folder = folder };
        return new WorkflowSource(definition.GetProperty("format").GetString()!, definition.TryGetProperty("path", out var path) ? path.GetString() : null, definition.GetProperty("text").GetString()!) { Folder = folder };
    }

    void EndQuestions(string path)
    {
        foreach (var asked in _questions.Keys.Where(asked => IsUnder(asked, path)).ToList()) _questions.Remove(asked);
    }

    void Rename(string from, string to)
    {
        EndQuestions(from);
        foreach (var old in Under(from))
        {
            var step = Step(to + old.Path[from.Length..]);
            step.Told.AddRange(old.Told);
            step.Current = old.Current;
            _steps.Remove(old.Path);
        }
    }

    StepStory Step(string path) => _steps.TryGetValue(path, out var step) ? step : _steps[path] = new StepStory(path);

    List<StepStory> Under(string path) => [.. _steps.Values.Where(step => IsUnder(step.Path, path))];

    static bool IsUnder(string path, string root) => path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] is '/' or '[');
}
