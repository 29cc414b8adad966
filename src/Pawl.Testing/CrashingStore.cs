using System.Runtime.CompilerServices;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>How a write meets the death of its process, or of its answer.</summary>
public enum CrashMoment
{
    /// <summary>The process dies before the store does anything.</summary>
    Before,
    /// <summary>The store did it, and the process dies before it learns so.</summary>
    After,
    /// <summary>The store did it and the process lives, but is told of an <see cref="IOException"/>.</summary>
    AnswerLost,
    /// <summary>The store did nothing and says so with an <see cref="IOException"/>; the process lives.</summary>
    Refused,
}

/// <summary>Where a process dies.</summary>
/// <param name="Write">The write, from 1: creates, claims, commits (a release is one), posts and deletes are counted.</param>
/// <param name="Moment">How.</param>
public readonly record struct CrashPoint(int Write, CrashMoment Moment)
{
    /// <inheritdoc/>
    public override string ToString() => $"write {Write}, {Moment}";
}

/// <summary>Thrown where a process would have died, and by every later call of the dead process.</summary>
public sealed class ProcessDiedException(CrashPoint at) : Exception($"The process died at {at}.")
{
    /// <summary>Where.</summary>
    public CrashPoint At { get; } = at;
}

/// <summary>A store that ends its process at one write. What the inner store holds afterwards is what a crash leaves.</summary>
/// <remarks>One instance stands for one process. At its death the leases it held are released in the inner store, as the operating system releases locks;
/// nothing that the dead process still does reaches the store. Thread safe. The inner store is not disposed with it.</remarks>
public sealed class CrashingStore(ICheckpointStore inner, CrashPoint? point = null) : ICheckpointStore
{
    readonly Lock _lock = new();
    readonly List<RunLease> _leases = [];
    readonly List<Checkpoint> _acknowledged = [];
    int _writes;
    ProcessDiedException? _died;

    /// <summary>Writes so far.</summary>
    public int Writes => Volatile.Read(ref _writes);

    /// <summary>The process is dead.</summary>
    public bool IsDead => Volatile.Read(ref _died) is not null;

    /// <summary>Records whose commit was answered with success, in order.</summary>
    public IReadOnlyList<Checkpoint> Acknowledged { get { lock (_lock) return [.. _acknowledged]; } }

    /// <inheritdoc/>
    public StoreInfo Info => inner.Info;

    /// <inheritdoc/>
    public ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken) => WriteAsync(async () =>
    {
        var result = await inner.CreateAsync(created, head, claimant, cancellationToken);
        Hold(result.Lease);
        return result;
    });

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) => WriteAsync(async () =>
    {
        var result = await inner.ClaimAsync(runId, claimant, cancellationToken);
        Hold(result.Lease);
        return result;
    });

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken) => WriteAsync(async () =>
    {
        var taken = await inner.TakeAsync(work, claimant, cancellationToken);
        foreach (var run in taken) Hold(run.Lease);
        return taken;
    });

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken)
    {
        ThrowIfDead();
        return inner.RenewAsync(leases, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
    {
        var results = await WriteAsync(() => inner.CommitAsync(commits, cancellationToken));
        lock (_lock)
        {
            foreach (var (commit, result) in commits.Zip(results))
            {
                if (result == CommitResult.Committed) _acknowledged.AddRange(commit.Records);
                if (commit.Release) _leases.Remove(commit.Lease);
            }
        }
        return results;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) => ReadAsync(inner.ListAsync(query, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => ReadAsync(inner.ReadAsync(runId, fromSeq, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken)
    {
        ThrowIfDead();
        return inner.ReadPayloadAsync(runId, payload, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken) => WriteAsync(() => inner.PostAsync(runId, message, cancellationToken));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken)
    {
        ThrowIfDead();
        return inner.InboxAsync(runId, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => ReadAsync(inner.WatchAsync(cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken) => WriteAsync(() => inner.DeleteAsync(runId, cancellationToken));

    /// <summary>Ends the process now, outside any write.</summary>
    public ValueTask KillAsync() => IsDead ? default : DieAsync(new CrashPoint(Writes, CrashMoment.After));

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;

    async ValueTask<T> WriteAsync<T>(Func<ValueTask<T>> write)
    {
        ThrowIfDead();
        var number = Interlocked.Increment(ref _writes);
        var moment = point is { } at && at.Write == number ? at.Moment : (CrashMoment?)null;
        if (moment == CrashMoment.Before) await DieAsync(point!.Value);
        if (moment == CrashMoment.Refused) throw new IOException("The store could not be written (by order of the test).");
        ThrowIfDead();
        var result = await write();
        if (moment == CrashMoment.After) await DieAsync(point!.Value);
        if (moment == CrashMoment.AnswerLost) throw new IOException("The answer of the store was lost (by order of the test).");
        ThrowIfDead();
        return result;
    }

    async ValueTask DieAsync(CrashPoint at)
    {
        List<RunLease> held;
        lock (_lock)
        {
            _died = new ProcessDiedException(at);
            held = [.. _leases];
        }
        foreach (var lease in held) await inner.ReleaseAsync(lease, CancellationToken.None);
    }

    void Hold(RunLease? lease)
    {
        if (lease is not null) lock (_lock) _leases.Add(lease);
    }

    void ThrowIfDead()
    {
        if (Volatile.Read(ref _died) is { } died) throw new ProcessDiedException(died.At);
    }

    async IAsyncEnumerable<T> ReadAsync<T>(IAsyncEnumerable<T> source, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ThrowIfDead();
        await foreach (var item in source.WithCancellation(cancellationToken))
        {
            ThrowIfDead();
            yield return item;
        }
    }
}
