using Pawl.Storage;

namespace Pawl.Testing;

// Commits of several runs, leases of several runs, and leases that end with time.
public static partial class StoreConformance
{
    // Longer leases are not waited for: then the laws about their end hold without being looked at.
    static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(5);

    static IEnumerable<StoreLaw> Together()
    {
        yield return Law("Commits that are sent together stand or fall alone, and are answered in their order", async (one, two, cancellation) =>
        {
            var runs = await BeginAsync(one, 5, cancellation);
            await runs[1].ReleaseAsync(cancellation);
            var heldByOther = (await two.ClaimAsync(runs[1].Id, LawRun.Owner(3), cancellation)).Lease!;
            var gap = runs[3].Steps(2);
            Commit[] commits =
            [
                runs[0].Commit(runs[0].Steps(3)) with { Payloads = [Payload(5000)] },
                runs[1].Commit(runs[1].Step("stale")) with { Payloads = [Payload(5000)] },
                runs[2].Commit(runs[2].Step("a")),
                runs[3].Commit(gap) with { Records = [gap[1]] },
                runs[4].Commit(runs[4].Step("a")),
            ];
            var answers = await one.CommitAsync(commits, cancellation);
            Expect.Holds(answers.SequenceEqual([CommitResult.Committed, CommitResult.LeaseLost, CommitResult.Committed, CommitResult.Conflict, CommitResult.Committed]), $"the answers were {string.Join(", ", answers)}");
            foreach (var i in new[] { 0, 2, 4 }) runs[i].Accept(commits[i]);
            foreach (var run in runs) await run.IsWholeAsync(two, cancellation);
            await ComesBackAsync(two, runs[0].Id, Payload(5000), cancellation);
            await Expect.ThrowsAsync<JournalCorruptException>(async () => await two.ReadPayloadAsync(runs[1].Id, Payload(5000).Ref, cancellation), "the payload of the stale one was written");
            await two.ReleaseAsync(heldByOther, cancellation);
        });
        yield return Law("Commits that were sent together and are sent again are acknowledged and change nothing", async (store, cancellation) =>
        {
            var runs = await BeginAsync(store, 4, cancellation);
            // The last one is new: what was sent before was a part of this.
            var commits = runs.Select((run, i) => run.Commit(run.Steps(i + 1))).ToList();
            var first = await store.CommitAsync([.. commits.SkipLast(1)], cancellation);
            var again = await store.CommitAsync(commits, cancellation);
            Expect.Holds(first.Concat(again).All(answer => answer == CommitResult.Committed), $"the answers were {string.Join(", ", first)}, then {string.Join(", ", again)}");
            foreach (var (run, commit) in runs.Zip(commits))
            {
                run.Accept(commit);
                await run.IsWholeAsync(store, cancellation);
            }
        });
        yield return Law("Many commits of many runs come back whole", async (one, two, cancellation) =>
        {
            var runs = await BeginAsync(one, 30, cancellation);
            for (var round = 0; round < 4; round++)
            {
                var commits = runs.Select((run, i) => run.Commit(i % 3 == 0 ? run.Steps(4) : [run.Step($"r{round}")])).ToList();
                Expect.Holds((await one.CommitAsync(commits, cancellation)).All(answer => answer == CommitResult.Committed), "one was refused");
                foreach (var (run, commit) in runs.Zip(commits)) run.Accept(commit);
            }
            foreach (var run in runs) await run.IsWholeAsync(two, cancellation);
        });
        yield return Law("Commits with shared runs from several threads leave each run one of them", async (store, cancellation) =>
        {
            var runs = await BeginAsync(store, 6, cancellation);
            // In different orders: a store that locks run by run must not wait for itself.
            var batches = Enumerable.Range(0, 8).Select(i => (i % 2 == 0 ? runs : Enumerable.Reverse(runs)).Select(run => run.Commit(run.Step($"rival{i}"))).ToList()).ToList();
            var answers = await Task.WhenAll(batches.Select(batch => Task.Run(async () => await store.CommitAsync(batch, cancellation), cancellation)));
            var committed = batches.Zip(answers).SelectMany(pair => pair.First.Zip(pair.Second)).Where(pair => pair.Second == CommitResult.Committed).Select(pair => pair.First).ToList();
            foreach (var run in runs)
            {
                var mine = committed.Where(commit => commit.Lease.RunId == run.Id).ToList();
                Expect.Holds(mine.Count == 1, $"{mine.Count} of 8 were acknowledged");
                run.Accept(mine[0]);
                await run.IsWholeAsync(store, cancellation);
            }
        });
        yield return Law("Nothing to commit, to renew or to take is answered with nothing", async (store, cancellation) =>
        {
            Expect.Holds((await store.CommitAsync([], cancellation)).Count == 0, "an empty list of commits has answers");
            Expect.Holds((await store.RenewAsync([], cancellation)).Count == 0, "an empty list of leases has lost ones");
        });
        yield return Law("A commit that releases gives the lease back in the same act", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await run.EndAsync("paused", cancellation);
            var claim = await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation);
            Expect.Holds(claim.Lease is not null, "the run could not be claimed");
            await run.IsWholeAsync(two, cancellation);
            await two.ReleaseAsync(claim.Lease!, cancellation);
        });
        yield return Law("A commit that releases and is sent again is acknowledged", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var commit = run.Commit(run.Line("paused", "\"reason\":\"law\"")) with { Release = true };
            await run.AppendAsync(commit, cancellation);
            Expect.Holds(await store.CommitAsync(commit, cancellation) == CommitResult.Committed, "it was refused");
            var other = await LawRun.BeginAsync(store, cancellation);
            var answers = await store.CommitAsync([commit, other.Commit(other.Step("a"))], cancellation);
            Expect.Holds(answers.All(answer => answer == CommitResult.Committed), $"together with another it was answered with {answers[0]}");
            await run.IsWholeAsync(store, cancellation);
            await run.ClaimAsync(cancellation);
            Expect.Holds(await store.CommitAsync(commit, cancellation) == CommitResult.LeaseLost, "it was not refused behind the next claim");
            await store.RenewAsync(run.Lease!, cancellation);
        });
        yield return Law("A commit that releases and is refused releases nothing", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            var steps = run.Steps(2);
            Expect.Holds(await one.CommitAsync(run.Commit(steps) with { Records = [steps[1]], Release = true }, cancellation) == CommitResult.Conflict, "a gap was no conflict");
            Expect.Holds((await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation)).Lease is null, "the run could be claimed");
            await run.AppendAsync(cancellation, run.Step("a"));
        });
        yield return Law("Among commits that are sent together each release is for its own run", async (one, two, cancellation) =>
        {
            var runs = await BeginAsync(one, 4, cancellation);
            Commit[] commits =
            [
                runs[0].Commit(runs[0].Step("a")),
                runs[1].Commit(runs[1].Line("completed", "\"reason\":\"law\"")) with { Release = true },
                new(runs[2].Lease!, [], [], null, Release: true),
                runs[3].Commit(runs[3].Step("a")) with { Release = true },
            ];
            Expect.Holds((await one.CommitAsync(commits, cancellation)).All(answer => answer == CommitResult.Committed), "one was refused");
            foreach (var i in new[] { 0, 1, 3 }) runs[i].Accept(commits[i]);
            foreach (var (run, i) in runs.Select((run, i) => (run, i)))
            {
                await run.IsWholeAsync(two, cancellation);
                var claim = await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation);
                Expect.Holds(claim.Lease is not null == (i != 0), $"run {i} {(claim.Lease is null ? "was not" : "was")} released");
                if (claim.Lease is { } lease) await two.ReleaseAsync(lease, cancellation);
            }
            await runs[0].AppendAsync(cancellation, runs[0].Step("b"));
        });
        yield return Law("Leases renewed together are answered with exactly those that were lost", async (one, two, cancellation) =>
        {
            var runs = await BeginAsync(one, 5, cancellation);
            var leases = runs.Select(run => run.Lease!).ToList();
            await runs[1].ReleaseAsync(cancellation);
            await runs[3].ReleaseAsync(cancellation);
            var taken = (await two.ClaimAsync(runs[3].Id, LawRun.Owner(3), cancellation)).Lease!;
            var nowhere = new RunLease(LawRun.NewId(), 1);
            var lost = await one.RenewAsync([.. leases, nowhere], cancellation);
            Expect.Holds(lost.ToHashSet().SetEquals([leases[1], leases[3], nowhere]), $"those of [{string.Join(", ", lost.Select(lease => runs.FindIndex(run => run.Id == lease.RunId)))}] were called lost instead of 1, 3 and one of no run");
            Expect.Holds((await two.RenewAsync([taken], cancellation)).Count == 0, "the successor's was lost");
            await two.ReleaseAsync(taken, cancellation);
        });
    }

    static async Task<List<LawRun>> BeginAsync(ICheckpointStore store, int count, CancellationToken cancellation)
    {
        var runs = new List<LawRun>();
        for (var i = 0; i < count; i++) runs.Add(await LawRun.BeginAsync(store, cancellation));
        return runs;
    }

    /// <summary>A law about leases that end with time; it holds by itself where they live as long as their process, or too long to wait for.</summary>
    static StoreLaw LeaseLaw(string name, Func<ICheckpointStore, ICheckpointStore, TimeSpan, CancellationToken, Task> check) => Law(name, (one, two, cancellation) =>
        one.Info.LeaseTime is { } leaseTime && leaseTime <= s_longestWait ? check(one, two, leaseTime, cancellation) : Task.CompletedTask);

    static Task RunsOutAsync(ICheckpointStore store, LawRun run, TimeSpan leaseTime, CancellationToken cancellation) =>
        EventuallyAsync(async () => (await store.FindAsync(run.Id, cancellation))!.Owner is null, 3 * leaseTime + s_longestWait, "the head still names an owner", cancellation);

    /// <summary>What is left of a lease whose run another instance has now: nothing.</summary>
    static async Task IsLostAsync(ICheckpointStore store, RunLease lost, Commit stale, LawRun run, CancellationToken cancellation)
    {
        Expect.Holds(run.Lease!.Token > lost.Token, $"the token {run.Lease.Token} followed {lost.Token}");
        Expect.Holds(await store.CommitAsync(stale, cancellation) == CommitResult.LeaseLost, "the old token's commit was not answered with LeaseLost");
        Expect.Holds((await store.RenewAsync([lost], cancellation)).Count == 1, "the old token could be renewed");
        await store.ReleaseAsync(lost, cancellation);
        await run.ResumeAsync(cancellation);
        await run.IsWholeAsync(store, cancellation);
        Expect.Holds((await store.FindAsync(run.Id, cancellation))!.Owner is not null, "the old token's release took the run from its successor");
    }

    static IEnumerable<StoreLaw> Leasing()
    {
        yield return LeaseLaw("A lease that ran out is taken over by a claim, not earlier, and is worth nothing then", async (one, two, leaseTime, cancellation) =>
        {
            var began = TimeProvider.System.GetTimestamp();
            var run = await LawRun.BeginAsync(one, cancellation);
            var (lost, stale) = (run.Lease!, run.Commit(run.Step("stale")));
            RunLease? taken = null;
            await EventuallyAsync(async () => (taken = (await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation)).Lease) is not null, 3 * leaseTime + s_longestWait, "it was not taken over", cancellation);
            Expect.Holds(TimeProvider.System.GetElapsedTime(began) >= 0.9 * leaseTime, $"it was taken over after {TimeProvider.System.GetElapsedTime(began)}");
            run.HeldBy(two, taken!);
            await IsLostAsync(one, lost, stale, run, cancellation);
        });
        yield return LeaseLaw("A lease that ran out is taken over by a worker, and is worth nothing then", async (one, two, leaseTime, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            var (lost, stale) = (run.Lease!, run.Commit(run.Step("stale")));
            IReadOnlyList<TakenRun> taken = [];
            await EventuallyAsync(async () => (taken = await two.TakeAsync(Work(run.Head.Queue!), cancellation)).Count > 0, 3 * leaseTime + s_longestWait, "it was not taken over", cancellation);
            run.HeldBy(two, taken[0].Lease);
            await IsLostAsync(one, lost, stale, run, cancellation);
        });
        yield return LeaseLaw("A lease that is renewed does not run out", async (one, two, leaseTime, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            var (began, renewed) = (TimeProvider.System.GetTimestamp(), TimeProvider.System.GetTimestamp());
            while (TimeProvider.System.GetElapsedTime(began) < 2 * leaseTime)
            {
                await Task.Delay(leaseTime / 10, TimeProvider.System, cancellation);
                var lost = (await one.RenewAsync([run.Lease!], cancellation)).Count > 0;
                var other = await two.ClaimAsync(run.Id, LawRun.Owner(3), cancellation);
                // A machine that stood still says nothing about the store.
                if (TimeProvider.System.GetElapsedTime(renewed) > 0.9 * leaseTime) return;
                Expect.Holds(!lost && other is { Lease: null, HeldBy: not null }, "it ran out");
                renewed = TimeProvider.System.GetTimestamp();
            }
            await run.AppendAsync(cancellation, run.Step("a"));
        });
        yield return LeaseLaw("A lease that ran out and that nobody took commits whole or not at all", async (one, two, leaseTime, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await RunsOutAsync(two, run, leaseTime, cancellation);
            var commit = run.Commit(run.Steps(3));
            var answer = await one.CommitAsync(commit, cancellation);
            Expect.Holds(answer is CommitResult.Committed or CommitResult.LeaseLost, $"the answer was {answer}");
            if (answer == CommitResult.Committed) run.Accept(commit);
            await run.IsWholeAsync(two, cancellation);
        });
        yield return LeaseLaw("A lease that ran out leaves its queue's place to others", async (one, two, leaseTime, cancellation) =>
        {
            var queue = new QueueOptions(LawRun.NewQueue()) { Concurrency = 1 };
            var run = await LawRun.BeginInQueueAsync(one, queue.Name, cancellation, ",\"priority\":-1");
            var next = await LawRun.EnqueueAsync(one, queue.Name, cancellation);
            await RunsOutAsync(two, run, leaseTime, cancellation);
            await TakesAsync(two, Work(queue), next, cancellation);
        });
        yield return LeaseLaw("A lease that ran out does not keep its run from being removed", async (one, two, leaseTime, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await RunsOutAsync(two, run, leaseTime, cancellation);
            Expect.Holds(await two.DeleteAsync(run.Id, cancellation), "it does");
            Expect.Holds(await one.CommitAsync(run.Commit(run.Step("a")), cancellation) == CommitResult.LeaseLost, "its holder could still commit");
        });
        yield return LeaseLaw("A lease that ran out is taken over by exactly one of many", async (one, two, leaseTime, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await RunsOutAsync(two, run, leaseTime, cancellation);
            var began = TimeProvider.System.GetTimestamp();
            var leases = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
            {
                var store = i % 2 == 0 ? one : two;
                if (i % 4 < 2) return (await store.ClaimAsync(run.Id, LawRun.Owner(i), cancellation)).Lease;
                return (await store.TakeAsync(Work(run.Head.Queue!), LawRun.Owner(i), cancellation)).Select(taken => taken.Lease).FirstOrDefault();
            }, cancellation)));
            var count = leases.Count(lease => lease is not null);
            Expect.Holds(count == 1 || (count > 1 && TimeProvider.System.GetElapsedTime(began) > 0.9 * leaseTime), $"{count} of 16 did");
        });
    }
}
