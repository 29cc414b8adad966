using Pawl.Storage;
using Pawl.Testing;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Conformance;

/// <summary>The laws are able to fail: every store with a fault breaks one.</summary>
public class FaultyStoreTests
{
    public static TheoryData<string> Faults => [.. s_faults.Keys];

    static readonly Dictionary<string, Func<MemoryStore, ICheckpointStore>> s_faults = new()
    {
        ["loses the last record of a commit"] = inner => new Faulty(inner) { Commit = commit => inner.CommitAsync(commit.Records.Count > 1 ? commit with { Records = [.. commit.Records.SkipLast(1)] } : commit, default) },
        ["takes commits of older tokens"] = inner => new Faulty(inner) { Commit = async commit => await inner.CommitAsync(commit with { Lease = commit.Lease with { Token = Math.Max(commit.Lease.Token, (await TokenAsync(inner, commit.Lease)).Token) } }, default) },
        ["answers a lost lease with a conflict"] = inner => new Faulty(inner) { Commit = async commit => await inner.CommitAsync(commit, default) is var result && result == CommitResult.LeaseLost ? CommitResult.Conflict : result },
        ["refuses a repeated commit"] = inner => new Faulty(inner) { Commit = async commit => (await inner.FindAsync(commit.Lease.RunId, default))?.Hash == commit.Head!.Hash ? CommitResult.Conflict : await inner.CommitAsync(commit, default) },
        ["drops payloads"] = inner => new Faulty(inner) { Commit = commit => inner.CommitAsync(commit with { Payloads = [] }, default) },
        ["keeps the old head"] = inner => new Faulty(inner) { Commit = async commit => await inner.CommitAsync(commit with { Head = commit.Head! with { Done = 0 } }, default) },
        ["gives a held run to everybody"] = inner => new Faulty(inner) { Claim = async (id, owner) => await inner.ClaimAsync(id, owner, default) is { HeldBy: not null } ? new ClaimResult(new RunLease(id, 1), null) : await Claimed(inner, id) },
        ["does not say who holds a run"] = inner => new Faulty(inner) { Claim = async (id, owner) => await inner.ClaimAsync(id, owner, default) with { HeldBy = null } },
        ["keeps the last message"] = inner => new Faulty(inner) { Inbox = async id => [.. (await inner.InboxAsync(id, default)).Select(message => message with { Body = RawJson.Parse("3") })] },
        ["turns messages around"] = inner => new Faulty(inner) { Inbox = async id => [.. (await inner.InboxAsync(id, default)).Reverse()] },
        ["lists the oldest first"] = inner => new Faulty(inner) { List = query => inner.ListAsync(query, default).Reverse() },
        ["lists without a limit"] = inner => new Faulty(inner) { List = query => inner.ListAsync(query with { Limit = int.MaxValue }, default) },
        ["lists every status"] = inner => new Faulty(inner) { List = query => inner.ListAsync(query with { Statuses = null }, default) },
        ["reads from the beginning always"] = inner => new Faulty(inner) { Read = (id, _) => inner.ReadAsync(id, 1, default) },
        ["hides the newest record"] = inner => new Faulty(inner) { Read = (id, from) => inner.ReadAsync(id, from, default).SkipLast(1) },
        ["reads on when it is cancelled"] = inner => new Faulty(inner) { Read = (id, from) => inner.ReadAsync(id, from, default) },
        ["releases whatever it is asked to"] = inner => new Faulty(inner) { Release = async lease => await inner.ReleaseAsync(await TokenAsync(inner, lease), default) },
        ["never releases"] = inner => new Faulty(inner) { Release = _ => default },
        ["forgets the owner"] = inner => new Faulty(inner) { Find = async id => await inner.FindAsync(id, default) is { } head ? head with { Owner = null } : null },
        ["removes held runs"] = inner => new Faulty(inner) { Delete = async id => { await inner.ReleaseAsync(await TokenAsync(inner, new RunLease(id, 0)), default); return await inner.DeleteAsync(id, default); } },
        ["removes nothing"] = inner => new Faulty(inner) { Delete = _ => new(true) },
        ["takes messages for runs that are not there"] = inner => new Faulty(inner) { Post = async (id, message) => await inner.FindAsync(id, default) is null || await inner.PostAsync(id, message, default) },
    };

    [Fact]
    public async Task A_store_in_front_of_another_without_a_fault_breaks_none()
    {
        var store = new Faulty(new MemoryStore());
        Assert.Empty(await StoreConformance.CheckAsync(() => Task.FromResult<ICheckpointStore>(store), TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_store_with_a_fault_breaks_a_law(string fault)
    {
        var store = s_faults[fault](new MemoryStore());
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        Assert.NotEmpty(await StoreConformance.CheckAsync(() => Task.FromResult(store), limit.Token));
    }

    static async Task<ClaimResult> Claimed(MemoryStore inner, string id) => await inner.ClaimAsync(id, new RunOwner(1, "x", default), default) is { Lease: not null } claim ? claim : new ClaimResult(await TokenAsync(inner, new RunLease(id, 0)), null);

    /// <summary>The lease in force, found by trying.</summary>
    static async Task<RunLease> TokenAsync(MemoryStore inner, RunLease lease)
    {
        for (var token = 1; token < 100; token++)
        {
            try
            {
                await inner.RenewAsync(lease with { Token = token }, default);
                return lease with { Token = token };
            }
            catch (LeaseLostException) { }
        }
        return lease;
    }

    sealed class Faulty(ICheckpointStore inner) : StoreInFront(inner)
    {
        public Func<Commit, ValueTask<CommitResult>>? Commit { get; init; }
        public Func<string, RunOwner, ValueTask<ClaimResult>>? Claim { get; init; }
        public Func<RunLease, ValueTask>? Release { get; init; }
        public Func<string, ValueTask<RunHead?>>? Find { get; init; }
        public Func<RunQuery, IAsyncEnumerable<RunHead>>? List { get; init; }
        public Func<string, long, IAsyncEnumerable<Checkpoint>>? Read { get; init; }
        public Func<string, RunMessage, ValueTask<bool>>? Post { get; init; }
        public Func<string, ValueTask<IReadOnlyList<RunMessage>>>? Inbox { get; init; }
        public Func<string, ValueTask<bool>>? Delete { get; init; }

        public override async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
        {
            var results = new List<CommitResult>();
            foreach (var commit in commits)
            {
                if (commit is { Release: true, Records: [] } && Release is not null)
                {
                    await Release(commit.Lease);
                    results.Add(CommitResult.Committed);
                }
                else results.Add(await (commit.Records.Count > 0 && Commit is not null ? Commit(commit) : Inner.CommitAsync(commit, cancellationToken)));
            }
            return results;
        }

        public override ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) => Claim?.Invoke(runId, claimant) ?? base.ClaimAsync(runId, claimant, cancellationToken);
        public override IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) =>
            query.RunId is { } id && Find is not null ? FoundAsync(id) : List is not null && query.RunId is null ? List(query) : base.ListAsync(query, cancellationToken);

        async IAsyncEnumerable<RunHead> FoundAsync(string runId)
        {
            if (await Find!(runId) is { } head) yield return head;
        }

        public override IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => Read?.Invoke(runId, fromSeq) ?? base.ReadAsync(runId, fromSeq, cancellationToken);
        public override ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken) => Post?.Invoke(runId, message) ?? base.PostAsync(runId, message, cancellationToken);
        public override ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => Inbox?.Invoke(runId) ?? base.InboxAsync(runId, cancellationToken);
        public override ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken) => Delete?.Invoke(runId) ?? base.DeleteAsync(runId, cancellationToken);
    }
}
