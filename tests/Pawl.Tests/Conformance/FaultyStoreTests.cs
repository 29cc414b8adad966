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
        ["gives a run to two workers"] = inner => new Faulty(inner) { Take = async (work, owner) => [.. (await inner.TakeAsync(work, owner, default)).SelectMany(run => new[] { run, run })] },
        ["gives held runs to workers"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Owner = null }) },
        ["takes runs without holding them"] = inner => new Faulty(inner) { Take = async (work, owner) => await ReleasedAsync(inner, await inner.TakeAsync(work, owner, default)) },
        ["ignores places"] = inner => new Faulty(inner) { Take = (work, owner) => inner.TakeAsync(work with { Queues = [.. work.Queues.Select(queue => queue with { Places = 1000 })] }, owner, default) },
        ["ignores queues"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Queue = work.Queues.Count > 0 ? work.Queues[0].Queue.Name : null }) },
        ["ignores concurrency"] = inner => WithQueues(inner, queue => queue with { Concurrency = null }),
        ["ignores rates"] = inner => WithQueues(inner, queue => queue with { Rate = null }),
        ["counts what began long ago"] = inner => WithQueues(inner, queue => queue with { Per = TimeSpan.FromDays(10000) }),
        ["gives no turns"] = inner => WithQueues(inner, queue => queue with { FairBy = null }),
        ["gives turns always"] = inner => WithQueues(inner, queue => queue with { FairBy = queue.FairBy ?? "customer" }),
        ["ignores priority"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Priority = 0 }) },
        ["sorts priorities as text"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Priority = head.Priority.ToString(System.Globalization.CultureInfo.InvariantCulture)[0] }) },
        ["takes the newest first"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { CreatedAt = DateTimeOffset.UnixEpoch + (DateTimeOffset.MaxValue - head.CreatedAt) }) },
        ["takes runs before their time"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { WakeAt = head.WakeAt is null ? null : head.CreatedAt }) },
        ["takes runs only when they are new"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head.Status == RunStatus.Pending ? head : head with { Queue = null }) },
        ["takes runs that ended"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Status = head.Status == RunStatus.Completed ? RunStatus.Running : head.Status }) },
        ["takes paused runs"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Status = head.Status == RunStatus.Paused ? RunStatus.Running : head.Status }) },
        ["ignores what a worker has"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work with { Portable = true }, owner, head => head with { Portable = true }) },
        ["ignores versions"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Version = 1 }) },
        ["ignores definitions"] = inner => new Faulty(inner) { Take = (work, owner) => inner.TakeAsync(work with { Portable = false }, owner, default) },
        ["sleeps through messages"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Seen = int.MaxValue }) },
        ["is woken by old messages"] = inner => new Faulty(inner) { Take = (work, owner) => TakeAsync(inner, work, owner, head => head with { Seen = 0 }) },
        ["lets a stale commit spoil the others"] = inner => new Faulty(inner) { Together = async commits => commits.Count > 1 && await AnyStaleAsync(inner, commits) ? [.. commits.Select(_ => CommitResult.LeaseLost)] : await inner.CommitAsync(commits, default) },
        ["answers commits from the last to the first"] = inner => new Faulty(inner) { Together = async commits => [.. (await inner.CommitAsync(commits, default)).Reverse()] },
        ["releases what was refused"] = inner => new Faulty(inner) { Commit = async commit => await inner.CommitAsync(commit, default) is var result && commit.Release && result == CommitResult.Conflict ? await ReleasedAsync(inner, commit.Lease, result) : result },
        ["forgets to release with a commit"] = inner => new Faulty(inner) { Commit = commit => inner.CommitAsync(commit with { Release = false }, default) },
        ["renews whatever it is asked to"] = inner => new Faulty(inner) { Renew = _ => new([]) },
        ["loses all leases when one is lost"] = inner => new Faulty(inner) { Renew = async leases => (await inner.RenewAsync(leases, default)).Count > 0 ? leases : [] },
        ["never hints"] = inner => new Faulty(inner) { Watch = ended => inner.WatchAsync(ended).Where(_ => false) },
        ["hints without names"] = inner => new Faulty(inner) { Watch = ended => inner.WatchAsync(ended).Select(_ => new StoreHint(null)) },
        ["ends no watch"] = inner => new Faulty(inner) { Watch = _ => inner.WatchAsync(default) },
        ["takes messages for runs that are not there"] = inner => new Faulty(inner) { Post = async (id, message) => await inner.FindAsync(id, default) is null || await inner.PostAsync(id, message, default) },
    };

    internal static ICheckpointStore Store(string fault) => s_faults[fault](new MemoryStore());

    [Fact]
    public async Task A_store_in_front_of_another_without_a_fault_breaks_none()
    {
        var store = new Faulty(new MemoryStore());
        Assert.Empty(await StoreConformance.CheckAsync(() => Task.FromResult<ICheckpointStore>(store), TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("ends no lease")]
    [InlineData("ends renewed leases")]
    [InlineData("lets a lost lease release")]
    public async Task A_store_with_a_fault_of_its_leases_breaks_a_law(string fault)
    {
        var leaseTime = TimeSpan.FromMilliseconds(300);
        var inner = new MemoryStore(leaseTime: fault == "ends no lease" ? TimeSpan.FromHours(1) : leaseTime);
        ICheckpointStore store = fault switch
        {
            "ends no lease" => new Faulty(inner) { Info = inner.Info with { LeaseTime = leaseTime } },
            "ends renewed leases" => new Faulty(inner) { Renew = _ => new([]) },
            _ => new Faulty(inner) { Release = async lease => await inner.ReleaseAsync(await TokenAsync(inner, lease), default) },
        };
        Assert.True(await BreaksAsync(store, StoreConformance.Laws.Where(law => law.Name.StartsWith("A lease that", StringComparison.Ordinal))));
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_store_with_a_fault_breaks_a_law(string fault)
    {
        var store = Store(fault);
        Assert.True(await BreaksAsync(store, StoreConformance.Laws));
    }

    static async Task<bool> BreaksAsync(ICheckpointStore store, IEnumerable<StoreLaw> laws)
    {
        foreach (var law in laws)
        {
            try { await law.Check(() => Task.FromResult(store), TestContext.Current.CancellationToken); }
            catch (Exception) when (!TestContext.Current.CancellationToken.IsCancellationRequested) { return true; }
        }
        return false;
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

    /// <summary>Takes as a store would that reads heads so.</summary>
    static async ValueTask<IReadOnlyList<TakenRun>> TakeAsync(MemoryStore inner, WorkQuery work, RunOwner owner, Func<RunHead, RunHead> misread)
    {
        var (runs, heads) = (new List<(RunHead, int)>(), new Dictionary<string, RunHead>());
        await foreach (var head in inner.ListAsync(new RunQuery(), default))
        {
            heads[head.RunId] = head;
            runs.Add((misread(head), (await inner.InboxAsync(head.RunId, default)).Count));
        }
        var taken = new List<TakenRun>();
        foreach (var head in WorkChoice.Of(work, runs, TimeProvider.System.GetUtcNow()))
            if ((await inner.ClaimAsync(head.RunId, owner, default)).Lease is { } lease) taken.Add(new TakenRun(lease, heads[head.RunId]));
            else if (heads[head.RunId].Owner is not null) taken.Add(new TakenRun(await TokenAsync(inner, new RunLease(head.RunId, 0)), heads[head.RunId]));
        return taken;
    }

    static Faulty WithQueues(MemoryStore inner, Func<QueueOptions, QueueOptions> change) =>
        new(inner) { Take = (work, owner) => inner.TakeAsync(work with { Queues = [.. work.Queues.Select(queue => queue with { Queue = change(queue.Queue) })] }, owner, default) };

    static async Task<IReadOnlyList<TakenRun>> ReleasedAsync(MemoryStore inner, IReadOnlyList<TakenRun> taken)
    {
        foreach (var run in taken) await inner.ReleaseAsync(run.Lease, default);
        return taken;
    }

    static async Task<CommitResult> ReleasedAsync(MemoryStore inner, RunLease lease, CommitResult result)
    {
        await inner.ReleaseAsync(lease, default);
        return result;
    }

    static async Task<bool> AnyStaleAsync(MemoryStore inner, IReadOnlyList<Commit> commits) => (await inner.RenewAsync([.. commits.Select(commit => commit.Lease)], default)).Count > 0;

    sealed class Faulty(ICheckpointStore inner) : StoreInFront(inner)
    {
        public Func<Commit, ValueTask<CommitResult>>? Commit { get; init; }
        public Func<IReadOnlyList<Commit>, ValueTask<IReadOnlyList<CommitResult>>>? Together { get; init; }
        public Func<string, RunOwner, ValueTask<ClaimResult>>? Claim { get; init; }
        public Func<WorkQuery, RunOwner, ValueTask<IReadOnlyList<TakenRun>>>? Take { get; init; }
        public Func<IReadOnlyList<RunLease>, ValueTask<IReadOnlyList<RunLease>>>? Renew { get; init; }
        public Func<CancellationToken, IAsyncEnumerable<StoreHint>>? Watch { get; init; }
        public Func<RunLease, ValueTask>? Release { get; init; }
        public Func<string, ValueTask<RunHead?>>? Find { get; init; }
        public Func<RunQuery, IAsyncEnumerable<RunHead>>? List { get; init; }
        public Func<string, long, IAsyncEnumerable<Checkpoint>>? Read { get; init; }
        public Func<string, RunMessage, ValueTask<bool>>? Post { get; init; }
        public Func<string, ValueTask<IReadOnlyList<RunMessage>>>? Inbox { get; init; }
        public Func<string, ValueTask<bool>>? Delete { get; init; }

        public override async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
        {
            if (Together is not null) return await Together(commits);
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
        public override ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken) => Take?.Invoke(work, claimant) ?? base.TakeAsync(work, claimant, cancellationToken);
        public override ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) => Renew?.Invoke(leases) ?? base.RenewAsync(leases, cancellationToken);
        public override IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => Watch?.Invoke(cancellationToken) ?? base.WatchAsync(cancellationToken);
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
