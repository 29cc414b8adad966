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
/// <param name="LeaseTime">How long a lease lives without renewal, by the store's clock; null when it lives as long as its process.</param>
/// <param name="Clock">The clock of all times in the store, when it is not the client's own: that of a database which several machines share.</param>
public sealed record StoreInfo(string Uri, DurabilityClass Durability, string? Remark = null, TimeSpan? LeaseTime = null, TimeProvider? Clock = null);

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
/// <param name="Records">Consecutive, each with its <see cref="Checkpoint.Line"/>. Empty only in a commit that releases.</param>
/// <param name="Payloads">New payloads the records refer to.</param>
/// <param name="Head">The head behind the last record; null without records.</param>
/// <param name="Release">Gives the lease back in the same act.</param>
public readonly record struct Commit(RunLease Lease, IReadOnlyList<Checkpoint> Records, IReadOnlyList<Payload> Payloads, RunHead? Head, bool Release = false);

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
    const string DamagedName = "pawl:damaged:";

    /// <summary>Keeps the place of a message that cannot be read: whoever waits counts them.</summary>
    internal static RunMessage Damaged(string number, string why) => new(DamagedName + number, RawJson.Parse($"\"{System.Text.Json.JsonEncodedText.Encode(why)}\""), default);

    /// <summary>Why it cannot be read; null when it can.</summary>
    internal string? Damage => Name.StartsWith(DamagedName, StringComparison.Ordinal) ? Body!.Value.ToElement().GetString() : null;

    /// <summary>Asks the pass with this fencing token to cancel. Bound to the pass, so it cannot hit a later one.</summary>
    public static string Cancel(long token) => $"pawl:cancel:{token}";

    /// <summary>Whether it is what somebody waits for: by its name, or by the first part of one of the engine's.</summary>
    internal bool Answers(string signal) => Name.StartsWith(signal, StringComparison.Ordinal) && (Name.Length == signal.Length || Name[signal.Length] == ':');

    /// <summary>The name, if it is one that users may send.</summary>
    /// <exception cref="ArgumentException">It is not, or it is the engine's.</exception>
    internal static string CheckName(string name) => name is { Length: > 0 and <= 128 } && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')
        ? name
        : throw new ArgumentException($"'{RunIds.Printable(name)}' is not a signal's name: use letters, digits, '.', '_' and '-', at most 128.");

    /// <summary>Asks the pass with this fencing token to pause.</summary>
    public static string Pause(long token) => $"pawl:pause:{token}";
}

/// <summary>Answers to a lone commit, made once.</summary>
static class CommitResults
{
    static readonly IReadOnlyList<CommitResult>[] s_one = [[CommitResult.Committed], [CommitResult.LeaseLost], [CommitResult.Conflict]];

    public static IReadOnlyList<CommitResult> One(CommitResult result) => s_one[(int)result];
}
