using System.Text.Json;
using Pawl.Storage;

namespace Pawl;

/// <summary>How one pass over a run ended.</summary>
public sealed record RunResult
{
    /// <summary>The run.</summary>
    public required string RunId { get; init; }

    /// <summary>The workflow's name.</summary>
    public required string Workflow { get; init; }

    /// <summary>Where the run stands now. <see cref="RunStatus.Running"/> is one that another process took while this one executed it.</summary>
    public required RunStatus Status { get; init; }

    /// <summary>Every step that this pass met, in the order in which they ended.</summary>
    public IReadOnlyList<StepReport> Steps { get; init; } = [];

    /// <summary>Paths of steps whose recorded results were used.</summary>
    public IEnumerable<string> Restored => Steps.Where(step => step.Restored).Select(step => step.Path);

    /// <summary>Paths of steps that this pass completed.</summary>
    public IEnumerable<string> Executed => Steps.Where(step => !step.Restored && step.Status == StepStatus.Completed).Select(step => step.Path);

    /// <summary>The step that failed the run.</summary>
    public string? ErrorStep { get; init; }

    /// <summary>Why it failed, paused or was canceled.</summary>
    public string? Error { get; init; }

    /// <summary>When the failed run goes on by itself (<see cref="WorkflowOptions.AutoResumeAttempts"/>); null is not by itself. In a queue a worker does it; of any other run, whoever resumes it.</summary>
    public DateTimeOffset? ResumesAt { get; init; }

    /// <summary>What it waits for, when it is <see cref="RunStatus.Waiting"/>.</summary>
    public IReadOnlyList<Wait> Waits { get; init; } = [];

    /// <summary>The checkpoint write failed: the store holds less than what ran.</summary>
    public bool CheckpointWriteFailed { get; init; }

    /// <summary>What the restored steps once took, with all below them.</summary>
    public Cost Saved { get; init; }

    /// <summary>How long this pass took.</summary>
    public TimeSpan Duration { get; init; }

    internal Func<string, ReadOnlyMemory<byte>?>? Outputs { get; init; }

    internal JsonSerializerOptions? Json { get; init; }

    /// <summary>The output of a step.</summary>
    /// <exception cref="OutputMissingException">It has none.</exception>
    public T Output<T>(StepRef<T> step) => Output<T>(step.Path);

    /// <summary>The output of the step with this path.</summary>
    /// <exception cref="OutputMissingException">It has none.</exception>
    public T Output<T>(string path) => Outputs?.Invoke(path) is { } bytes
        ? PawlJson.Decode<T>(bytes, Json!)
        : throw new OutputMissingException($"Step '{path}' of run '{RunId}' has no output.");

    /// <summary>Throws unless the run completed.</summary>
    /// <exception cref="StepFailedException">It did not.</exception>
    public RunResult EnsureCompleted() => Status == RunStatus.Completed
        ? this
        : throw new StepFailedException(ErrorStep ?? RunId, new StepError("run", Error ?? $"run '{RunId}' is {Status}", ErrorClass.Permanent));
}

/// <summary>What became of one step in a pass.</summary>
/// <param name="Path">Its path.</param>
/// <param name="Status">How it ended.</param>
/// <param name="Attempt">Its last attempt; 0 when none was made.</param>
/// <param name="Duration">How long that attempt took.</param>
/// <param name="Restored">Its recorded result was used.</param>
/// <param name="Reason">Why it ran or was skipped.</param>
/// <param name="Error">Its last error.</param>
public sealed record StepReport(string Path, StepStatus Status, int Attempt, TimeSpan Duration, bool Restored, string? Reason, StepError? Error);

/// <summary>The state of a run at one checkpoint: computed from the journal, never stored.</summary>
public sealed record Snapshot
{
    /// <summary>The head at that checkpoint.</summary>
    public required RunHead Head { get; init; }

    /// <summary>Params with the overrides so far.</summary>
    public required IReadOnlyDictionary<string, RawJson> Params { get; init; }

    /// <summary>Shared state.</summary>
    public required IReadOnlyDictionary<string, RawJson> State { get; init; }

    /// <summary>Outputs of finished steps; large ones are read from the store.</summary>
    public required IReadOnlyDictionary<string, RawJson> Outputs { get; init; }

    /// <summary>Quality figures by step.</summary>
    public required IReadOnlyDictionary<string, RawJson> Metrics { get; init; }
}
