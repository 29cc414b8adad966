using System.Runtime.CompilerServices;

namespace Pawl.Storage;

/// <summary>The reference store: the laws in their plainest form. Nothing survives the process; for tests and for runs that need no resume.</summary>
/// <param name="time">The store's clock. Default: the system's.</param>
/// <param name="leaseTime">Leases end when they are not renewed for so long; null, the default: only by release.</param>
public sealed class MemoryStore(TimeProvider? time = null, TimeSpan? leaseTime = null) : IMeasuredStore
{
    readonly Lock _lock = new();
    readonly TimeProvider _time = time ?? TimeProvider.System;
    readonly Dictionary<string, Entry> _runs = [];
    readonly List<Watcher> _watchers = [];

    /// <inheritdoc/>
    public StoreInfo Info { get; } = new("memory:", DurabilityClass.None, "the memory store ends with its process", leaseTime);

    /// <inheritdoc/>
    public ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken)
    {
        lock (_lock) return new(new StoreSize(_runs.Values.Sum(run => run.Records.Sum(record => (long)record.Line.Length) + run.Payloads.Values.Sum(content => (long)content.Length)), "the journals and payloads in memory"));
    }

    /// <inheritdoc/>
    public ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
    {
        RunIds.Check(head.RunId);
        lock (_lock)
        {
            if (_runs.TryGetValue(head.RunId, out var existing)) return new(new CreateResult(null, WithOwner(existing)));
            var entry = new Entry { Head = head };
            entry.Records.Add(created);
            _runs.Add(head.RunId, entry);
            if (claimant is not null) return new(new CreateResult(Claim(entry, claimant), null));
        }
        if (head.Queue is not null) Tell(new StoreHint(null));
        return default;
    }

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(runId, out var entry)) return new(default(ClaimResult));
            return new(Holder(entry) is { } holder ? new ClaimResult(null, holder) : new ClaimResult(Claim(entry, claimant), null));
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var runs = _runs.Values.Select(entry => (WithOwner(entry), entry.Inbox.Count)).ToList();
            return new([.. WorkChoice.Of(work, runs, _time.GetUtcNow()).Select(head => new TakenRun(Claim(_runs[head.RunId], claimant), head))]);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var lost = leases.Where(lease => Held(lease) is null).ToList();
            foreach (var lease in leases)
                if (Held(lease) is { } entry) entry.Until = _time.GetUtcNow() + leaseTime;
            return new(lost);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (commits.Count == 1) return new(CommitResults.One(Apply(commits[0])));
            var results = new CommitResult[commits.Count];
            for (var i = 0; i < results.Length; i++) results[i] = Apply(commits[i]);
            return new(results);
        }
    }

    CommitResult Apply(in Commit commit)
    {
        // A lease that ran out is good until another takes the run: nobody else can have written.
        if (!_runs.TryGetValue(commit.Lease.RunId, out var entry) || entry.Token != commit.Lease.Token) return CommitResult.LeaseLost;
        // The same commit sent again: its answer was lost, its records are here.
        var isThere = commit.Records.Count > 0 && entry.Head.Seq == commit.Records[^1].Seq && entry.Head.Hash == commit.Records[^1].Hash;
        if (entry.Owner is null) return isThere ? CommitResult.Committed : CommitResult.LeaseLost;
        if (!isThere && commit.Records.Count > 0)
        {
            if (commit.Records[0].Seq != entry.Head.Seq + 1) return CommitResult.Conflict;
            foreach (var payload in commit.Payloads) entry.Payloads[payload.Ref.Sha256] = payload.Content.ToArray();
            entry.Records.AddRange(commit.Records);
            entry.Head = commit.Head!;
        }
        if (commit.Release) entry.Owner = null;
        return CommitResult.Committed;
    }

    RunLease Claim(Entry entry, RunOwner owner)
    {
        (entry.Owner, entry.Until) = (owner, _time.GetUtcNow() + leaseTime);
        return new RunLease(entry.Head.RunId, ++entry.Token);
    }

    RunOwner? Holder(Entry entry) => entry.Until is { } until && until <= _time.GetUtcNow() ? null : entry.Owner;

    Entry? Held(RunLease lease) => _runs.TryGetValue(lease.RunId, out var entry) && entry.Token == lease.Token && entry.Owner is not null ? entry : null;

    RunHead WithOwner(Entry entry) => entry.Head with { Owner = Holder(entry) };

    /// <inheritdoc/>
    public async IAsyncEnumerable<RunHead> ListAsync(RunQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        List<RunHead> heads;
        lock (_lock)
        {
            heads = [.. (query.RunId is { } id ? _runs.TryGetValue(id, out var one) ? [one] : [] : (IEnumerable<Entry>)_runs.Values).Select(WithOwner).Where(query.Matches)
                .OrderByDescending(head => head.CreatedAt).ThenByDescending(head => head.RunId, StringComparer.Ordinal).Take(query.Limit)];
        }
        foreach (var head in heads)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return head;
        }
        await Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var index = (int)Math.Max(1, fromSeq) - 1; ; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Checkpoint record;
            lock (_lock)
            {
                if (!_runs.TryGetValue(runId, out var entry) || index >= entry.Records.Count) break;
                record = entry.Records[index];
            }
            yield return record;
        }
        await Task.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _runs.TryGetValue(runId, out var entry) && entry.Payloads.TryGetValue(payload.Sha256, out var bytes)
                ? new(bytes)
                : throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is missing");
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(runId, out var entry)) throw new RunNotFoundException(runId);
            if (entry.Inbox.Any(earlier => earlier.Name == message.Name)) return new(false);
            entry.Inbox.Add(message);
        }
        Tell(new StoreHint(runId));
        return new(true);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken)
    {
        lock (_lock) return new(_runs.TryGetValue(runId, out var entry) && entry.Inbox.Count > 0 ? [.. entry.Inbox] : (IReadOnlyList<RunMessage>)[]);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoreHint> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var watcher = new Watcher();
        lock (_watchers) _watchers.Add(watcher);
        try
        {
            while (true)
            {
                await watcher.Came.WaitAsync(cancellationToken);
                foreach (var hint in watcher.Take()) yield return hint;
            }
        }
        finally
        {
            lock (_watchers) _watchers.Remove(watcher);
        }
    }

    void Tell(StoreHint hint)
    {
        List<Watcher> watchers;
        lock (_watchers) watchers = [.. _watchers];
        watchers.ForEach(watcher => watcher.Put(hint));
    }

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_runs.TryGetValue(runId, out var entry) && Holder(entry) is { } owner)
                throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"Run '{runId}' is executed by {owner}.", "Cancel it first."));
            return new(_runs.Remove(runId));
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;

    sealed class Entry
    {
        public required RunHead Head { get; set; }
        public List<Checkpoint> Records { get; } = [];
        public Dictionary<string, byte[]> Payloads { get; } = [];
        public List<RunMessage> Inbox { get; } = [];
        public long Token { get; set; }
        public RunOwner? Owner { get; set; }
        public DateTimeOffset? Until { get; set; }
    }

    // Not a channel: its cancellation goes by the thread pool, and a simulation stays on its own thread.
    sealed class Watcher
    {
        List<StoreHint> _hints = [];
        TaskCompletionSource _came = new();

        public Task Came { get { lock (this) return _came.Task; } }

        public void Put(StoreHint hint)
        {
            lock (this) _hints.Add(hint);
            _came.TrySetResult();
        }

        public List<StoreHint> Take()
        {
            lock (this)
            {
                var hints = _hints;
                (_hints, _came) = ([], new TaskCompletionSource());
                return hints;
            }
        }
    }
}
