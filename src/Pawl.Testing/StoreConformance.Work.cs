using System.Collections.Concurrent;
using Pawl.Storage;

namespace Pawl.Testing;

// Runs that workers take.
public static partial class StoreConformance
{
    const string Past = "2026-01-10T12:00:00Z", Future = "2200-01-01T00:00:00Z";

    static WorkQuery Work(string queue, int places = 100) => Work(new QueueOptions(queue), places);

    static WorkQuery Work(QueueOptions queue, int places = 100) => new() { Queues = [new QueueDemand(queue, places)], Workflows = [new WorkflowKey("law", 1)] };

    static async Task<IReadOnlyList<TakenRun>> TakeAsync(this ICheckpointStore store, WorkQuery work, CancellationToken cancellation) => await store.TakeAsync(work, LawRun.Owner(5), cancellation);

    /// <summary>Takes exactly this run, or with null none.</summary>
    static async Task TakesAsync(ICheckpointStore store, WorkQuery work, LawRun? expected, CancellationToken cancellation)
    {
        var taken = await store.TakeAsync(work, cancellation);
        Expect.Holds(taken.Count == (expected is null ? 0 : 1) && taken.All(run => run.Head.RunId == expected!.Id), $"{(expected is null ? "nothing" : expected.Id)} was due, and what was taken is [{Ids(taken)}]");
        if (expected is not null) expected.HeldBy(store, taken[0].Lease);
    }

    static string Ids(IEnumerable<TakenRun> taken) => string.Join(", ", taken.Select(run => run.Head.RunId));

    /// <summary>Sixteen workers of two instances take again and again until there is enough.</summary>
    static async Task<List<(ICheckpointStore Store, TakenRun Run)>> TakeAtOnceAsync(ICheckpointStore one, ICheckpointStore two, WorkQuery work, int enough, CancellationToken cancellation)
    {
        var taken = new ConcurrentBag<(ICheckpointStore, TakenRun)>();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
        {
            var store = i % 2 == 0 ? one : two;
            // A store may answer a worker with nothing while another one chooses.
            for (var began = TimeProvider.System.GetTimestamp(); taken.Count < enough && TimeProvider.System.GetElapsedTime(began) < s_longestWait;)
            {
                foreach (var run in await store.TakeAsync(work, LawRun.Owner(i), cancellation)) taken.Add((store, run));
                await Task.Delay(TimeSpan.FromMilliseconds(i), TimeProvider.System, cancellation);
            }
        }, cancellation)));
        foreach (var run in await one.TakeAsync(work, cancellation)) taken.Add((one, run));
        return [.. taken];
    }

    static IEnumerable<StoreLaw> Taking()
    {
        yield return Law("A run that was taken is held, with a raised token, and its holder can commit", async (one, two, cancellation) =>
        {
            var run = await LawRun.EnqueueAsync(one, LawRun.NewQueue(), cancellation);
            var before = await run.ClaimAsync(cancellation);
            await run.ReleaseAsync(cancellation);
            var taken = await two.TakeAsync(Work(run.Head.Queue!), LawRun.Owner(9), cancellation);
            Expect.Holds(taken.Count == 1 && taken[0].Lease.RunId == run.Id, "it was not taken");
            Expect.Holds(taken[0].Lease.Token > before.Token, $"the token {taken[0].Lease.Token} followed {before.Token}");
            Expect.Holds(taken[0].Head.Owner is null && Expect.Describe(taken[0].Head) == Expect.Describe(run.Head), "the head in the answer is not the one before");
            Expect.Holds((await one.FindAsync(run.Id, cancellation))!.Owner?.Pid == 9, "the head does not name the owner");
            Expect.Holds((await one.ClaimAsync(run.Id, LawRun.Owner(3), cancellation)).Lease is null, "another could claim it");
            run.HeldBy(two, taken[0].Lease);
            await run.ResumeAsync(cancellation);
            await run.IsWholeAsync(one, cancellation);
        });
        yield return Law("Of many workers that take at once exactly one gets each run", async (one, two, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            var runs = new List<string>();
            for (var i = 0; i < 32; i++) runs.Add((await LawRun.EnqueueAsync(i % 2 == 0 ? one : two, queue, cancellation)).Id);
            var taken = await TakeAtOnceAsync(one, two, Work(queue, 3), runs.Count, cancellation);
            var ids = taken.Select(run => run.Run.Head.RunId).ToList();
            Expect.Holds(ids.Distinct().Count() == ids.Count, $"{ids.Count - ids.Distinct().Count()} were taken twice");
            Expect.Holds(ids.ToHashSet().SetEquals(runs), $"{ids.Count} of {runs.Count} were taken");
        });
        yield return Law("A run that is held is not taken", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await TakesAsync(one, Work(run.Head.Queue!), null, cancellation);
            await TakesAsync(two, Work(run.Head.Queue!), null, cancellation);
            await run.AppendAsync(cancellation, run.Step("a"));
        });
        yield return Law("A run in no queue or in another one is not taken", async (store, cancellation) =>
        {
            var (mine, other) = (LawRun.NewQueue(), LawRun.NewQueue());
            await LawRun.CreateAsync(store, null, cancellation);
            await LawRun.EnqueueAsync(store, other, cancellation);
            var run = await LawRun.EnqueueAsync(store, mine, cancellation);
            await TakesAsync(store, Work(mine), run, cancellation);
            await TakesAsync(store, Work(LawRun.NewQueue()), null, cancellation);
            await TakesAsync(store, Work(mine) with { Queues = [] }, null, cancellation);
        });
        yield return Law("A run of a workflow or version that the worker does not have is left to others", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            await LawRun.EnqueueAsync(store, queue, cancellation, "another");
            await LawRun.EnqueueAsync(store, queue, cancellation, data: ",\"version\":2");
            // They neither are taken nor stand in the way.
            var run = await LawRun.EnqueueAsync(store, queue, cancellation, second: 60);
            await TakesAsync(store, Work(queue, 1), run, cancellation);
            await TakesAsync(store, Work(queue) with { Workflows = [] }, null, cancellation);
            await TakesAsync(store, Work(queue) with { Portable = true }, null, cancellation);
            var both = await store.TakeAsync(Work(queue) with { Workflows = [new WorkflowKey("another", 1), new WorkflowKey("law", 2)] }, cancellation);
            Expect.Holds(both.Count == 2, $"a worker that has them took {both.Count} of 2");
        });
        yield return Law("A run that went on under another version is taken by workers of that one, and no longer by those of the old one", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await run.AppendAsync(cancellation, run.Line("paused", "\"reason\":\"law\""));
            await run.AppendAsync(cancellation, run.Line("resumed", "\"token\":" + run.Lease!.Token + ",\"data\":{\"version\":2}"));
            await run.WaitAsync(cancellation, Past);
            Expect.Holds((await two.FindAsync(run.Id, cancellation))!.Version == 2, "its head has the old version");
            await TakesAsync(two, Work(run.Head.Queue!), null, cancellation);
            await TakesAsync(two, Work(run.Head.Queue!) with { Workflows = [new WorkflowKey("law", 2)] }, run, cancellation);
        });
        yield return Law("A run that carries its definition is taken by a worker that can execute it from there", async (store, cancellation) =>
        {
            var run = await LawRun.EnqueueAsync(store, LawRun.NewQueue(), cancellation, "nowhere", ",\"definition\":{\"name\":\"nowhere\"}");
            await TakesAsync(store, Work(run.Head.Queue!), null, cancellation);
            await TakesAsync(store, Work(run.Head.Queue!) with { Portable = true }, run, cancellation);
        });
        yield return Law("A run is not taken before its time", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            await LawRun.EnqueueAsync(store, queue, cancellation, data: $",\"not_before\":\"{Future}\"");
            var due = await LawRun.EnqueueAsync(store, queue, cancellation, data: $",\"not_before\":\"{Past}\"", second: 60);
            await TakesAsync(store, Work(queue, 1), due, cancellation);
            await TakesAsync(store, Work(queue), null, cancellation);
        });
        yield return Law("A run becomes due when its time comes", async (store, cancellation) =>
        {
            var soon = TimeProvider.System.GetUtcNow().AddMilliseconds(100);
            var run = await LawRun.EnqueueAsync(store, LawRun.NewQueue(), cancellation, data: $",\"not_before\":\"{soon:O}\"");
            // The store's clock may differ from this one.
            await EventuallyAsync(async () => (await store.TakeAsync(Work(run.Head.Queue!), cancellation)).Count == 1, TimeSpan.FromSeconds(10), "it did not", cancellation);
        });
        yield return Law("The most urgent run goes first, and of these the oldest", async (one, two, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            var late = await LawRun.EnqueueAsync(one, queue, cancellation, second: 90);
            var low = await LawRun.EnqueueAsync(one, queue, cancellation, data: ",\"priority\":-1", second: 0);
            var early = await LawRun.EnqueueAsync(one, queue, cancellation, data: ",\"priority\":0", second: 30);
            var urgentLate = await LawRun.EnqueueAsync(one, queue, cancellation, data: ",\"priority\":10", second: 120);
            var urgent = await LawRun.EnqueueAsync(one, queue, cancellation, data: ",\"priority\":10", second: 100);
            // Digits are no text: 9 is less than 10.
            var nine = await LawRun.EnqueueAsync(one, queue, cancellation, data: ",\"priority\":9", second: 1);
            await TakesAsync(two, Work(queue, 1), urgent, cancellation);
            await TakesAsync(one, Work(queue, 1), urgentLate, cancellation);
            var rest = await two.TakeAsync(Work(queue), cancellation);
            Expect.Holds(rest.Select(run => run.Head.RunId).SequenceEqual([nine.Id, early.Id, late.Id, low.Id]), $"the order was [{Ids(rest)}]");
        });
        yield return Law("No more runs are taken than the worker has places, for each queue", async (store, cancellation) =>
        {
            var (first, second) = (LawRun.NewQueue(), LawRun.NewQueue());
            for (var i = 0; i < 4; i++) await LawRun.EnqueueAsync(store, first, cancellation);
            for (var i = 0; i < 4; i++) await LawRun.EnqueueAsync(store, second, cancellation);
            var work = Work(first) with { Queues = [new(new(first), 3), new(new(second), 1)] };
            var taken = await store.TakeAsync(work, cancellation);
            var counts = (taken.Count(run => run.Head.Queue == first), taken.Count(run => run.Head.Queue == second));
            Expect.Holds(counts == (3, 1), $"for 3 and 1 places {counts.Item1} and {counts.Item2} were taken");
            await TakesAsync(store, Work(first, 0), null, cancellation);
        });
    }

    static IEnumerable<StoreLaw> Limiting()
    {
        yield return Law("A queue's concurrency holds over all workers", async (one, two, cancellation) =>
        {
            var queue = new QueueOptions(LawRun.NewQueue()) { Concurrency = 3 };
            var runs = new List<LawRun>();
            for (var i = 0; i < 12; i++) runs.Add(await LawRun.EnqueueAsync(one, queue.Name, cancellation));
            var taken = await TakeAtOnceAsync(one, two, Work(queue, 2), 3, cancellation);
            Expect.Holds(taken.Count == 3, $"{taken.Count} were taken");
            // One that ends makes room for one.
            var (store, ended) = taken[0];
            var run = runs.Single(run => run.Id == ended.Head.RunId);
            run.HeldBy(store, ended.Lease);
            await run.ResumeAsync(cancellation);
            await TakesAsync(two, Work(queue), null, cancellation);
            await run.EndAsync("completed", cancellation);
            var more = await two.TakeAsync(Work(queue), cancellation);
            Expect.Holds(more.Count == 1, $"behind one that ended {more.Count} were taken");
        });
        yield return Law("A claimed run takes a place of its queue", async (store, cancellation) =>
        {
            var queue = new QueueOptions(LawRun.NewQueue()) { Concurrency = 1 };
            var run = await LawRun.BeginInQueueAsync(store, queue.Name, cancellation);
            var next = await LawRun.EnqueueAsync(store, queue.Name, cancellation);
            await TakesAsync(store, Work(queue), null, cancellation);
            await run.EndAsync("completed", cancellation);
            await TakesAsync(store, Work(queue), next, cancellation);
        });
        yield return Law("A queue's rate limits how many begin within its time", async (one, two, cancellation) =>
        {
            var queue = new QueueOptions(LawRun.NewQueue()) { Rate = 2, Per = TimeSpan.FromHours(1) };
            var now = LawRun.SecondOf(TimeProvider.System.GetUtcNow()) - 10;
            var runs = new List<LawRun>();
            for (var i = 0; i < 5; i++) runs.Add(await LawRun.EnqueueAsync(one, queue.Name, cancellation, second: now));
            var taken = await one.TakeAsync(Work(queue), cancellation);
            Expect.Holds(taken.Count == 2, $"{taken.Count} began at once");
            await TakesAsync(two, Work(queue), null, cancellation);
            foreach (var run in runs.Where(run => taken.Any(other => other.Head.RunId == run.Id)))
            {
                run.HeldBy(one, taken.Single(other => other.Head.RunId == run.Id).Lease);
                await run.ResumeAsync(cancellation);
                await run.EndAsync("completed", cancellation);
            }
            // That they are over does not change when they began.
            await TakesAsync(two, Work(queue), null, cancellation);
        });
        yield return Law("A queue's rate does not count what began long ago, nor what goes on", async (store, cancellation) =>
        {
            var queue = new QueueOptions(LawRun.NewQueue()) { Rate = 1, Per = TimeSpan.FromMinutes(1) };
            var old = await LawRun.BeginInQueueAsync(store, queue.Name, cancellation);
            await old.ReleaseAsync(cancellation);
            var fresh = await LawRun.EnqueueAsync(store, queue.Name, cancellation, second: 60);
            await LawRun.EnqueueAsync(store, queue.Name, cancellation, second: 120);
            var taken = await store.TakeAsync(Work(queue), cancellation);
            Expect.Holds(taken.Select(run => run.Head.RunId).ToHashSet().SetEquals([old.Id, fresh.Id]), $"what was taken is [{Ids(taken)}]");
        });
        yield return Law("Partitions of a fair queue take turns", async (one, two, cancellation) =>
        {
            var queue = new QueueOptions(LawRun.NewQueue()) { FairBy = "customer" };
            var runs = new List<LawRun>();
            foreach (var (customer, i) in "aaaabb".Select((customer, i) => (customer, i)))
                runs.Add(await LawRun.EnqueueAsync(one, queue.Name, cancellation, data: $$""","partition":{"customer":"{{customer}}"}""", second: i));
            // What runs counts: behind a's first it is b's turn.
            await TakesAsync(one, Work(queue, 1), runs[0], cancellation);
            await TakesAsync(two, Work(queue, 1), runs[4], cancellation);
            var rest = await two.TakeAsync(Work(queue, 3), cancellation);
            Expect.Holds(rest.Select(run => run.Head.RunId).SequenceEqual([runs[1].Id, runs[5].Id, runs[2].Id]), $"the order was [{Ids(rest)}]");
        });
        yield return Law("Without turns the oldest goes first, whatever its partition", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            var runs = new List<LawRun>();
            foreach (var (customer, i) in "aab".Select((customer, i) => (customer, i)))
                runs.Add(await LawRun.EnqueueAsync(store, queue, cancellation, data: $$""","partition":{"customer":"{{customer}}"}""", second: i));
            var taken = await store.TakeAsync(Work(queue, 2), cancellation);
            Expect.Holds(taken.Select(run => run.Head.RunId).SequenceEqual([runs[0].Id, runs[1].Id]), $"the order was [{Ids(taken)}]");
        });
    }

    static async Task EventuallyAsync(Func<Task<bool>> condition, TimeSpan limit, string broken, CancellationToken cancellation)
    {
        for (var began = TimeProvider.System.GetTimestamp(); !await condition();)
        {
            Expect.Holds(TimeProvider.System.GetElapsedTime(began) < limit, broken);
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, cancellation);
        }
    }
}
