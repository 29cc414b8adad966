using System.Runtime.CompilerServices;

namespace Pawl.Storage;

/// <summary>The reference store: the laws in their plainest form. Nothing survives the process; for tests and for runs that need no resume.</summary>
public sealed class MemoryStore : ICheckpointStore
{
    readonly Lock _lock = new();
    readonly Dictionary<string, Entry> _runs = [];

    /// <inheritdoc/>
    public StoreInfo Info { get; } = new("memory:", DurabilityClass.None, "the memory store ends with its process");

    /// <inheritdoc/>
    public ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
    {
        RunIds.Check(head.RunId);
        lock (_lock)
        {
            if (_runs.TryGetValue(head.RunId, out var existing)) return new(new CreateResult(null, existing.WithOwner()));
            var entry = new Entry { Head = head };
            entry.Records.Add(created);
            _runs.Add(head.RunId, entry);
            return new(new CreateResult(claimant is null ? null : entry.Claim(claimant), null));
        }
    }

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(runId, out var entry)) return new(default(ClaimResult));
            return new(entry.Owner is { } holder ? new ClaimResult(null, holder) : new ClaimResult(entry.Claim(claimant), null));
        }
    }

    /// <inheritdoc/>
    public ValueTask RenewAsync(RunLease lease, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(lease.RunId, out var entry) || entry.Token != lease.Token || entry.Owner is null) throw new LeaseLostException(lease.RunId);
        }
        return default;
    }

    /// <inheritdoc/>
    public ValueTask ReleaseAsync(RunLease lease, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_runs.TryGetValue(lease.RunId, out var entry) && entry.Token == lease.Token) entry.Owner = null;
        }
        return default;
    }

    /// <inheritdoc/>
    public ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_runs.TryGetValue(commit.Lease.RunId, out var entry) || entry.Token != commit.Lease.Token || entry.Owner is null)
                return new(CommitResult.LeaseLost);
            var (first, last) = (commit.Records[0], commit.Records[^1]);
            // The same commit sent again: its answer was lost, its records are here.
            if (entry.Head.Seq == last.Seq && entry.Head.Hash == last.Hash) return new(CommitResult.Committed);
            if (first.Seq != entry.Head.Seq + 1) return new(CommitResult.Conflict);
            foreach (var payload in commit.Payloads) entry.Payloads[payload.Ref.Sha256] = payload.Content.ToArray();
            entry.Records.AddRange(commit.Records);
            entry.Head = commit.Head;
            return new(CommitResult.Committed);
        }
    }

    /// <inheritdoc/>
    public ValueTask<RunHead?> FindAsync(string runId, CancellationToken cancellationToken)
    {
        lock (_lock) return new(_runs.TryGetValue(runId, out var entry) ? entry.WithOwner() : null);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<RunHead> ListAsync(RunQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        List<RunHead> heads;
        lock (_lock)
        {
            heads = [.. _runs.Values.Select(entry => entry.WithOwner()).Where(query.Matches)
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
            return new(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken)
    {
        lock (_lock) return new(_runs.TryGetValue(runId, out var entry) && entry.Inbox.Count > 0 ? [.. entry.Inbox] : (IReadOnlyList<RunMessage>)[]);
    }

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_runs.TryGetValue(runId, out var entry) && entry.Owner is { } owner)
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
        public long Token { get; private set; }
        public RunOwner? Owner { get; set; }

        public RunLease Claim(RunOwner owner)
        {
            Owner = owner;
            return new RunLease(Head.RunId, ++Token);
        }

        public RunHead WithOwner() => Head with { Owner = Owner };
    }
}
