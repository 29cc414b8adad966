namespace Pawl.Storage;

/// <summary>Where journals and heads live. Decisions are the engine's; a store does conditional writes and reads.</summary>
/// <remarks>
/// Thread safe. The laws below are checked by <c>StoreConformance.Laws</c>:
/// <list type="bullet">
/// <item>A commit is all or nothing, and when <see cref="CommitAsync"/> has answered <see cref="CommitResult.Committed"/> it survives the
/// death of the process and, for a durable store, of the machine.</item>
/// <item>A commit with an older token than the run's is rejected whole, and so is one that does not begin right behind the run's last record;
/// the same commit sent again is a no-op that answers <see cref="CommitResult.Committed"/>.</item>
/// <item>Each claim raises the run's token. At most one claim is live; one whose process is dead is taken over at once on the same machine.</item>
/// <item>Reads never write and never delete. A damaged record is reported, never skipped.</item>
/// <item>The first message to a name is kept, later ones to the same name change nothing.</item>
/// </list>
/// </remarks>
public interface ICheckpointStore : IAsyncDisposable
{
    /// <summary>What the store is, and how durable.</summary>
    StoreInfo Info { get; }

    /// <summary>Creates a run with its first checkpoint. With a claimant the new run is claimed in the same act.</summary>
    /// <returns>The lease (null without a claimant), or the head of the run that has the id already.</returns>
    ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken);

    /// <summary>Takes the right to execute a run.</summary>
    /// <exception cref="JournalCorruptException">The store found damage that no crash explains.</exception>
    ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken);

    /// <summary>Takes the right to execute runs that wait for a worker: enqueued ones that are due, waiting ones whose time or message came, and ones whose
    /// worker died. Within the limits of their queues, the most urgent first. One round trip however many.</summary>
    ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken);

    /// <summary>Extends leases, in one round trip. A store whose leases live as long as their process only looks.</summary>
    /// <returns>Those that are no longer valid.</returns>
    ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken);

    /// <summary>Makes commits of different runs durable together: in one round trip and one flush where the store can. Each stands or falls alone.</summary>
    /// <returns>An answer for each, in their order.</returns>
    /// <exception cref="IOException">Nothing was acknowledged; the caller may send the same commits again.</exception>
    ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken);

    /// <summary>Heads, newest first.</summary>
    IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken);

    /// <summary>How many runs a list has of each status, at most <see cref="RunQuery.Limit"/> of each: counting all of a large store would read it whole.</summary>
    /// <returns>A number for each status that the query asks for, 0 included.</returns>
    async ValueTask<IReadOnlyDictionary<RunStatus, int>> CountAsync(RunQuery query, CancellationToken cancellationToken)
    {
        var counts = new Dictionary<RunStatus, int>();
        foreach (var status in (query.Statuses ?? Enum.GetValues<RunStatus>()).Distinct()) counts[status] = await ListAsync(query with { Statuses = [status] }, cancellationToken).CountAsync(cancellationToken);
        return counts;
    }

    /// <summary>The journal in order from a sequence number, each record with its exact <see cref="Checkpoint.Line"/>. Empty for an unknown run.</summary>
    /// <exception cref="JournalCorruptException">The store itself found damage.</exception>
    IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken);

    /// <summary>A payload, checked against its hash.</summary>
    /// <exception cref="JournalCorruptException">It is missing or damaged.</exception>
    ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken);

    /// <summary>Leaves a message for a run, durable when this returns.</summary>
    /// <returns>False when a message with this name was there already; the first one stays.</returns>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken);

    /// <summary>The messages of a run in the order of arrival. One that is damaged hides none of the others.</summary>
    ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken);

    /// <summary>Hints that something happened: a message for a run, or runs to take. Ends with its token. A hint may be missing or needless: whoever waits also looks now and then.</summary>
    IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken);

    /// <summary>Removes a run whole.</summary>
    /// <returns>False when there is no such run.</returns>
    /// <exception cref="ResumeRefusedException">A live process holds it.</exception>
    ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken);
}

/// <summary>The contract's methods for one run.</summary>
public static class CheckpointStoreExtensions
{
    /// <summary>The head of a run, or null.</summary>
    public static async ValueTask<RunHead?> FindAsync(this ICheckpointStore store, string runId, CancellationToken cancellationToken)
    {
        await foreach (var head in store.ListAsync(new RunQuery { RunId = runId }, cancellationToken)) return head;
        return null;
    }

    /// <summary>Appends records, and their payloads, in one act.</summary>
    /// <exception cref="IOException">Nothing was acknowledged; the caller may send the same commit again.</exception>
    public static async ValueTask<CommitResult> CommitAsync(this ICheckpointStore store, Commit commit, CancellationToken cancellationToken) =>
        (await store.CommitAsync([commit], cancellationToken))[0];

    /// <summary>Gives the right back. Never fails for a lease that was lost.</summary>
    public static async ValueTask ReleaseAsync(this ICheckpointStore store, RunLease lease, CancellationToken cancellationToken) =>
        await store.CommitAsync([new Commit(lease, [], [], null, Release: true)], cancellationToken);

    /// <summary>Extends a lease.</summary>
    /// <exception cref="LeaseLostException">It is no longer valid.</exception>
    public static async ValueTask RenewAsync(this ICheckpointStore store, RunLease lease, CancellationToken cancellationToken)
    {
        if ((await store.RenewAsync([lease], cancellationToken)).Count > 0) throw new LeaseLostException(lease.RunId);
    }
}
