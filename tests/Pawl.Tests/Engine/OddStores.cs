using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>A store in front of another; the ones below change one thing about it.</summary>
abstract class StoreInFront(ICheckpointStore inner) : ICheckpointStore
{
    protected ICheckpointStore Inner => inner;
    public StoreInfo Info => inner.Info;
    public virtual ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken) => inner.CreateAsync(created, head, claimant, cancellationToken);
    public virtual ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) => inner.ClaimAsync(runId, claimant, cancellationToken);
    public virtual ValueTask RenewAsync(RunLease lease, CancellationToken cancellationToken) => inner.RenewAsync(lease, cancellationToken);
    public virtual ValueTask ReleaseAsync(RunLease lease, CancellationToken cancellationToken) => inner.ReleaseAsync(lease, cancellationToken);
    public virtual ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken) => inner.CommitAsync(commit, cancellationToken);
    public virtual ValueTask<RunHead?> FindAsync(string runId, CancellationToken cancellationToken) => inner.FindAsync(runId, cancellationToken);
    public virtual IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) => inner.ListAsync(query, cancellationToken);
    public virtual IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => inner.ReadAsync(runId, fromSeq, cancellationToken);
    public virtual ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) => inner.ReadPayloadAsync(runId, payload, cancellationToken);
    public virtual ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken) => inner.PostAsync(runId, message, cancellationToken);
    public virtual ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => inner.InboxAsync(runId, cancellationToken);
    public virtual ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken) => inner.DeleteAsync(runId, cancellationToken);
    public ValueTask DisposeAsync() => default;
}

/// <summary>Every commit takes its time.</summary>
sealed class SlowStore(ICheckpointStore inner, TimeProvider time, TimeSpan latency) : StoreInFront(inner)
{
    public override async ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken)
    {
        await Task.Delay(latency, time, CancellationToken.None);
        return await Inner.CommitAsync(commit, cancellationToken);
    }
}

/// <summary>No commit succeeds while the disk is full.</summary>
sealed class FailingStore(ICheckpointStore inner) : StoreInFront(inner)
{
    public bool IsFull { get; set; }

    public override ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken) =>
        IsFull ? throw new IOException("disk full") : Inner.CommitAsync(commit, cancellationToken);
}

/// <summary>A journal as somebody changed it, without payloads.</summary>
sealed class ReadOnlyJournal(ICheckpointStore inner, List<Checkpoint> records) : StoreInFront(inner)
{
    public override IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => records.ToAsyncEnumerable();

    public override ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) =>
        throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is missing");
}
