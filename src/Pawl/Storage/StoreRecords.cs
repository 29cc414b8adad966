namespace Pawl.Storage;

/// <summary>What survives what.</summary>
public enum DurabilityClass
{
    /// <summary>Nothing survives the process.</summary>
    None,
    /// <summary>Survives the process, not the loss of power.</summary>
    Process,
    /// <summary>Survives the loss of power.</summary>
    Power,
}

/// <summary>What a store is.</summary>
/// <param name="Uri">How to open it again, without secrets.</param>
/// <param name="Durability">What it promises here.</param>
/// <param name="Remark">Why the class is less than <see cref="DurabilityClass.Power"/>, or null.</param>
public sealed record StoreInfo(string Uri, DurabilityClass Durability, string? Remark = null);

/// <summary>A process that executes runs.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="Host">Machine name.</param>
/// <param name="Since">When it took the run.</param>
/// <param name="Command">What it is, for people.</param>
public sealed record RunOwner(int Pid, string Host, DateTimeOffset Since, string? Command = null)
{
    /// <inheritdoc/>
    public override string ToString() => $"process {Pid} on {Host} since {Since:yyyy-MM-dd HH:mm:ss}Z";
}

/// <summary>The right to execute a run.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Token">The fencing token: greater with every claim.</param>
public sealed record RunLease(string RunId, long Token);

/// <summary>Answer to a create.</summary>
/// <param name="Lease">The lease of the new run; null when it was created without a claimant or exists.</param>
/// <param name="Existing">The head of the run that has the id; null when it was created.</param>
public readonly record struct CreateResult(RunLease? Lease, RunHead? Existing);

/// <summary>Answer to a claim: exactly one is set, or none when there is no such run.</summary>
/// <param name="Lease">The claim succeeded.</param>
/// <param name="HeldBy">Another live process has it.</param>
/// <param name="Notice">What recovery found and set aside (a torn last record), for people.</param>
public readonly record struct ClaimResult(RunLease? Lease, RunOwner? HeldBy, string? Notice = null);

/// <summary>Records that become durable together.</summary>
/// <param name="Lease">Names run and fencing token.</param>
/// <param name="Records">At least one, consecutive, each with its <see cref="Checkpoint.Line"/>.</param>
/// <param name="Payloads">New payloads the records refer to.</param>
/// <param name="Head">The head behind the last record.</param>
public readonly record struct Commit(RunLease Lease, IReadOnlyList<Checkpoint> Records, IReadOnlyList<Payload> Payloads, RunHead Head);

/// <summary>Answer to a commit.</summary>
public enum CommitResult
{
    /// <summary>The records are durable.</summary>
    Committed,
    /// <summary>A younger token exists: nothing was written.</summary>
    LeaseLost,
    /// <summary>The records do not follow the run's last one: nothing was written.</summary>
    Conflict,
}

/// <summary>A reference to bytes kept beside the journal.</summary>
/// <param name="Sha256">Lower-case hex of the content: also its name.</param>
/// <param name="Bytes">Length.</param>
public sealed record PayloadRef(string Sha256, long Bytes);

/// <summary>Bytes kept beside the journal.</summary>
/// <param name="Ref">Their name.</param>
/// <param name="Content">The bytes.</param>
public readonly record struct Payload(PayloadRef Ref, ReadOnlyMemory<byte> Content);

/// <summary>A message to a run: a signal, or a request to cancel or pause.</summary>
/// <param name="Name">Letters, digits and <c>. _ - :</c>, at most 128. Names that begin with <c>pawl:</c> are the engine's.</param>
/// <param name="Body">Any JSON; null is none.</param>
/// <param name="At">When it was sent.</param>
/// <param name="By">Who sent it.</param>
public sealed record RunMessage(string Name, RawJson? Body, DateTimeOffset At, string? By = null)
{
    /// <summary>Asks the pass with this fencing token to cancel. Bound to the pass, so it cannot hit a later one.</summary>
    public static string Cancel(long token) => $"pawl:cancel:{token}";

    /// <summary>Asks the pass with this fencing token to pause.</summary>
    public static string Pause(long token) => $"pawl:pause:{token}";
}

/// <summary>Which runs to list. All conditions must hold.</summary>
public sealed record RunQuery
{
    /// <summary>Only this workflow.</summary>
    public string? Workflow { get; init; }

    /// <summary>Only these statuses.</summary>
    public IReadOnlyCollection<RunStatus>? Statuses { get; init; }

    /// <summary>Only runs created at or after this time.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Tags or partition values that must be there.</summary>
    public IReadOnlyDictionary<string, string>? Where { get; init; }

    /// <summary>At most this many. Default: all.</summary>
    public int Limit { get; init; } = int.MaxValue;

    /// <summary>Whether a head meets the conditions (the limit aside).</summary>
    public bool Matches(RunHead head) =>
        (Workflow is null || head.Workflow == Workflow)
        && (Statuses is null || Statuses.Contains(head.Status))
        && (Since is null || head.CreatedAt >= Since)
        && (Where is null || Where.All(pair =>
            (head.Tags.TryGetValue(pair.Key, out var tag) && tag == pair.Value)
            || (head.Partition.TryGetValue(pair.Key, out var part) && part == pair.Value)));
}

/// <summary>The small summary of a run that lists and queues read. Always the fold of its journal (<see cref="RunHead.After"/>).</summary>
public sealed record RunHead
{
    static readonly IReadOnlyDictionary<string, string> Empty = new Dictionary<string, string>();

    /// <summary>The run.</summary>
    public required string RunId { get; init; }

    /// <summary>Its workflow's name.</summary>
    public required string Workflow { get; init; }

    /// <summary>Its workflow's version.</summary>
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

    /// <summary>When the last record was written.</summary>
    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>The step that failed the run.</summary>
    public string? ErrorStep { get; init; }

    /// <summary>Why the run failed, paused or was canceled.</summary>
    public string? Error { get; init; }

    /// <summary>The run that started this one.</summary>
    public string? ParentRunId { get; init; }

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
