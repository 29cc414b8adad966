using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>A store in front of another; the ones below change one thing about it.</summary>
abstract class StoreInFront(ICheckpointStore inner) : ICheckpointStore
{
    protected ICheckpointStore Inner => inner;
    public StoreInfo Info { get; init; } = inner.Info;
    public virtual ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken) => inner.CreateAsync(created, head, claimant, cancellationToken);
    public virtual ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) => inner.ClaimAsync(runId, claimant, cancellationToken);
    public virtual ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken) => inner.TakeAsync(work, claimant, cancellationToken);
    public virtual ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) => inner.RenewAsync(leases, cancellationToken);
    public virtual ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken) => inner.CommitAsync(commits, cancellationToken);
    public virtual IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) => inner.ListAsync(query, cancellationToken);
    public virtual IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => inner.ReadAsync(runId, fromSeq, cancellationToken);
    public virtual ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) => inner.ReadPayloadAsync(runId, payload, cancellationToken);
    public virtual ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken) => inner.PostAsync(runId, message, cancellationToken);
    public virtual ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => inner.InboxAsync(runId, cancellationToken);
    public virtual IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => inner.WatchAsync(cancellationToken);
    public virtual ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken) => inner.DeleteAsync(runId, cancellationToken);
    public ValueTask DisposeAsync() => default;
}

/// <summary>Every commit takes its time.</summary>
sealed class SlowStore(ICheckpointStore inner, TimeProvider time, TimeSpan latency) : StoreInFront(inner)
{
    public override async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
    {
        await Task.Delay(latency, time, CancellationToken.None);
        return await Inner.CommitAsync(commits, cancellationToken);
    }
}

/// <summary>No commit succeeds while the disk is full.</summary>
sealed class FailingStore(ICheckpointStore inner) : StoreInFront(inner)
{
    public bool IsFull { get; set; }

    public override ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken) =>
        IsFull && commits.Any(commit => commit.Records.Count > 0) ? throw new IOException("disk full") : Inner.CommitAsync(commits, cancellationToken);
}

/// <summary>A journal as somebody changed it, without payloads.</summary>
sealed class ReadOnlyJournal(ICheckpointStore inner, List<Checkpoint> records) : StoreInFront(inner)
{
    public override IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => records.ToAsyncEnumerable();

    public override ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) =>
        throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is missing");
}

/// <summary>The messages of one run cannot be read.</summary>
sealed class DamagedInbox(ICheckpointStore inner, string damaged) : StoreInFront(inner)
{
    public override ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) =>
        runId == damaged ? throw new JournalCorruptException(runId, 0, "a message is damaged") : Inner.InboxAsync(runId, cancellationToken);
}

/// <summary>A database that is away for a while.</summary>
sealed class AwayStore(ICheckpointStore inner) : StoreInFront(inner)
{
    public bool IsAway { get; set; }

    ICheckpointStore There => IsAway ? throw new IOException("connection refused") : Inner;

    public override ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) => There.ClaimAsync(runId, claimant, cancellationToken);
    public override ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken) => There.TakeAsync(work, claimant, cancellationToken);
    public override ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) => There.RenewAsync(leases, cancellationToken);
    public override ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken) => There.CommitAsync(commits, cancellationToken);
    public override IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => There.ReadAsync(runId, fromSeq, cancellationToken);
    public override ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => There.InboxAsync(runId, cancellationToken);
    public override IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => There.WatchAsync(cancellationToken);
}

/// <summary>A database that is away when a step wants its transaction.</summary>
sealed class AwayDatabase(ICheckpointStore inner) : StoreInFront(inner), ITransactionalStore
{
    public ValueTask<IStepTransaction> BeginAsync(RunLease lease, CancellationToken cancellationToken) => throw new IOException("no connection");

    public ValueTask<RunHead?> CreateAsync(System.Data.Common.DbTransaction transaction, Checkpoint created, RunHead head, CancellationToken cancellationToken) => throw new IOException("no connection");
}

/// <summary>Counts how often somebody tried to begin a run.</summary>
sealed class CreatingStore(ICheckpointStore inner) : StoreInFront(inner)
{
    public int Tries { get; private set; }

    public override ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
    {
        Tries++;
        return Inner.CreateAsync(created, head, claimant, cancellationToken);
    }
}
