namespace Pawl.Storage;

/// <summary>The small summary of a run that lists and queues read. Always the fold of its journal (<see cref="RunHead.After"/>).</summary>
public sealed record RunHead
{
    internal const string DeadLetterType = "dead_letter";
    static readonly IReadOnlyDictionary<string, string> Empty = new Dictionary<string, string>();

    /// <summary>The run.</summary>
    public required string RunId { get; init; }

    /// <summary>Its workflow's name.</summary>
    public required string Workflow { get; init; }

    /// <summary>Its workflow's version: that of the last pass that began with another definition.</summary>
    public int Version { get; init; } = 1;

    /// <summary>Where it stands. <see cref="RunStatus.Running"/> without an <see cref="Owner"/> means that its process died.</summary>
    public RunStatus Status { get; init; }

    /// <summary>Sequence number of the last record.</summary>
    public long Seq { get; init; }

    /// <summary>Hash of the last record.</summary>
    public string Hash { get; init; } = "";

    /// <summary>Fencing token of the last claim that wrote.</summary>
    public long Token { get; init; }

    /// <summary>Top-level steps done (completed, or skipped for good).</summary>
    public int Done { get; init; }

    /// <summary>Top-level steps in the definition.</summary>
    public int Total { get; init; }

    /// <summary>When the run was created.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its first pass began; null while it is <see cref="RunStatus.Pending"/>.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the last record was written.</summary>
    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The step that failed the run.</summary>
    public string? ErrorStep { get; init; }

    /// <summary>Why the run failed, paused or was canceled.</summary>
    public string? Error { get; init; }

    /// <summary>The run that started this one.</summary>
    public string? ParentRunId { get; init; }

    /// <summary>The queue it was put into; null when no worker takes it by itself.</summary>
    public string? Queue { get; init; }

    /// <summary>Of runs that are due in a queue the one with the greatest number goes first. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>When a worker takes it, unless it is held: a delayed start, a timer, a resume of its own. Null: not by time.</summary>
    public DateTimeOffset? WakeAt { get; init; }

    /// <summary>How many messages it had read when it began to wait: more of them wake it.</summary>
    public int Seen { get; init; }

    /// <summary>What it waits for, while it is <see cref="RunStatus.Waiting"/>.</summary>
    public IReadOnlyList<Wait> Waits { get; init; } = [];

    /// <summary>How many passes in a row ended with the death of their process, without a step finished in between.</summary>
    public int Recoveries { get; init; }

    /// <summary>It failed because it ended its processes again and again: workers leave it alone until it is put back.</summary>
    public bool DeadLetter { get; init; }

    /// <summary>Its journal holds its definition, so that any worker can execute it.</summary>
    public bool Portable { get; init; }

    /// <summary>Words to find it by.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = Empty;

    /// <summary>What part of the data it works on.</summary>
    public IReadOnlyDictionary<string, string> Partition { get; init; } = Empty;

    /// <summary>The live process that executes it, as the store knows; null when there is none. Not part of the fold.</summary>
    public RunOwner? Owner { get; init; }

    /// <summary>The head behind the next record. Pure; the same in every store.</summary>
    /// <exception cref="IllegalTransitionException">The record may not follow.</exception>
    public static RunHead After(RunHead? head, Checkpoint record) => Engine.Transitions.Apply(head, record);
}

/// <summary>Something that a run waits for.</summary>
/// <param name="Path">The step that waits.</param>
/// <param name="Signal">The message it waits for; null for a timer.</param>
/// <param name="Due">When the waiting ends by itself; null is never.</param>
/// <param name="Message">What a person is asked; null when it is no approval.</param>
public sealed record Wait(string Path, string? Signal, DateTimeOffset? Due, string? Message = null)
{
    const string Child = "pawl:child:";

    /// <summary>It is the end of a child run, that of the step, which is waited for; the child sends the message.</summary>
    public bool IsChildRun => Signal?.StartsWith(Child, StringComparison.Ordinal) == true;

    /// <summary>How the messages of a child run to its parent begin.</summary>
    internal static string ForChild(string runId) => Child + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(runId)).AsSpan(0, 16));
}
