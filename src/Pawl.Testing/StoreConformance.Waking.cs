using Pawl.Storage;

namespace Pawl.Testing;

// Runs that wait, and what wakes them and those who watch.
public static partial class StoreConformance
{
    static RunMessage Message(string name) => new(name, null, DateTimeOffset.UnixEpoch);

    static IEnumerable<StoreLaw> Waking()
    {
        yield return Law("What a run waits for comes back with the head, and so does all that queues go by", async (store, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(store, LawRun.NewQueue(), cancellation, data: ",\"priority\":-7,\"definition\":{},\"partition\":{\"customer\":\"ä\"}");
            await run.ReleaseAsync(cancellation);
            // Twice: the first pass did not say how it ended.
            await run.ClaimAsync(cancellation);
            await run.ResumeAsync(cancellation);
            await run.EndAsync("waiting", cancellation, "\"data\":" + $$"""{"waits":[{"path":"a/b","signal":"go","message":"ü?"},{"path":"c","due":"{{Future}}"}],"seen":3}""");
            await run.IsWholeAsync(store, cancellation);
            var head = (await store.FindAsync(run.Id, cancellation))!;
            Expect.Holds((head.Status, head.Priority, head.Portable, head.Seen, head.Recoveries, head.Waits.Count) == (RunStatus.Waiting, -7, true, 3, 1, 2), $"the head is {Expect.Describe(head)}");
        });
        yield return Law("A waiting run is taken when its time has come", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            var (due, early, never) = (await LawRun.BeginInQueueAsync(store, queue, cancellation), await LawRun.BeginInQueueAsync(store, queue, cancellation), await LawRun.BeginInQueueAsync(store, queue, cancellation));
            await due.WaitAsync(cancellation, Past);
            await early.WaitAsync(cancellation, Future);
            await never.WaitAsync(cancellation);
            await TakesAsync(store, Work(queue), due, cancellation);
            await TakesAsync(store, Work(queue), null, cancellation);
        });
        yield return Law("A waiting run is taken at the first of its times", async (store, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(store, LawRun.NewQueue(), cancellation);
            await run.EndAsync("waiting", cancellation, "\"data\":" + $$"""{"waits":[{"path":"a","due":"{{Future}}"},{"path":"b","due":"{{Past}}"},{"path":"c","signal":"go"}],"seen":0}""");
            await TakesAsync(store, Work(run.Head.Queue!), run, cancellation);
        });
        yield return Law("A waiting run is taken when a message has come", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await run.WaitAsync(cancellation, Future);
            await TakesAsync(one, Work(run.Head.Queue!), null, cancellation);
            await two.PostAsync(run.Id, Message("go"), cancellation);
            await TakesAsync(one, Work(run.Head.Queue!), run, cancellation);
        });
        yield return Law("A message that came before the run began to wait wakes it when it was not seen", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await two.PostAsync(run.Id, Message("go"), cancellation);
            await run.WaitAsync(cancellation, Future, seen: 0);
            await TakesAsync(two, Work(run.Head.Queue!), run, cancellation);
        });
        yield return Law("A message that was seen does not wake the run, the next one does", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await two.PostAsync(run.Id, Message("go"), cancellation);
            await run.WaitAsync(cancellation, Future, seen: 1);
            await TakesAsync(one, Work(run.Head.Queue!), null, cancellation);
            // The same name again is no message.
            await two.PostAsync(run.Id, Message("go"), cancellation);
            await TakesAsync(one, Work(run.Head.Queue!), null, cancellation);
            await two.PostAsync(run.Id, Message("more"), cancellation);
            await TakesAsync(one, Work(run.Head.Queue!), run, cancellation);
        });
        yield return Law("A message wakes only the run that it is for", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            var (run, other) = (await LawRun.BeginInQueueAsync(store, queue, cancellation), await LawRun.BeginInQueueAsync(store, queue, cancellation));
            await run.WaitAsync(cancellation);
            await other.WaitAsync(cancellation);
            await store.PostAsync(other.Id, Message("go"), cancellation);
            await TakesAsync(store, Work(queue), other, cancellation);
        });
        yield return Law("A message does not wake a run that does not wait", async (store, cancellation) =>
        {
            var run = await LawRun.EnqueueAsync(store, LawRun.NewQueue(), cancellation, data: $",\"not_before\":\"{Future}\"");
            await store.PostAsync(run.Id, Message("go"), cancellation);
            await TakesAsync(store, Work(run.Head.Queue!), null, cancellation);
        });
        yield return Law("A failed run is taken again when it is to be resumed by now", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            var (due, early, never) = (await LawRun.BeginInQueueAsync(store, queue, cancellation), await LawRun.BeginInQueueAsync(store, queue, cancellation), await LawRun.BeginInQueueAsync(store, queue, cancellation));
            await due.EndAsync("failed", cancellation, "\"path\":\"s\",\"data\":" + $$"""{"resume_at":"{{Past}}"}""");
            await early.EndAsync("failed", cancellation, "\"path\":\"s\",\"data\":" + $$"""{"resume_at":"{{Future}}"}""");
            await never.EndAsync("failed", cancellation, "\"path\":\"s\"");
            await TakesAsync(store, Work(queue), due, cancellation);
            await TakesAsync(store, Work(queue), null, cancellation);
        });
        yield return Law("A run that completed, was paused or was canceled is not taken, whatever comes", async (store, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            foreach (var end in new[] { "completed", "paused", "canceled" })
            {
                var run = await LawRun.BeginInQueueAsync(store, queue, cancellation);
                await run.EndAsync(end, cancellation);
                await store.PostAsync(run.Id, Message("go"), cancellation);
            }
            await TakesAsync(store, Work(queue), null, cancellation);
        });
        yield return Law("A run whose holder left without an end is taken again", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(one, LawRun.NewQueue(), cancellation);
            await run.AppendAsync(cancellation, run.Step("a"));
            await run.ReleaseAsync(cancellation);
            await TakesAsync(two, Work(run.Head.Queue!), run, cancellation);
            await run.ResumeAsync(cancellation);
            await run.IsWholeAsync(one, cancellation);
        });
        yield return Law("A run that was taken and given back unbegun is taken again", async (one, two, cancellation) =>
        {
            var run = await LawRun.EnqueueAsync(one, LawRun.NewQueue(), cancellation);
            await TakesAsync(one, Work(run.Head.Queue!), run, cancellation);
            await run.ReleaseAsync(cancellation);
            await TakesAsync(two, Work(run.Head.Queue!), run, cancellation);
        });
        yield return Law("A run that was removed is not taken", async (store, cancellation) =>
        {
            var run = await LawRun.EnqueueAsync(store, LawRun.NewQueue(), cancellation);
            await store.DeleteAsync(run.Id, cancellation);
            await TakesAsync(store, Work(run.Head.Queue!), null, cancellation);
        });
    }

    static IEnumerable<StoreLaw> Watching()
    {
        yield return Law("Whoever watches hears of a message to a run that it holds", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            await HearsAsync(one, hint => hint.RunId == run.Id, async n => await two.PostAsync(run.Id, Message($"m{n}"), cancellation), cancellation);
        });
        yield return Law("Whoever watches hears that a message may wake a run", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginInQueueAsync(two, LawRun.NewQueue(), cancellation);
            await run.WaitAsync(cancellation);
            await HearsAsync(one, hint => hint.RunId is null || hint.RunId == run.Id, async n => await two.PostAsync(run.Id, Message($"m{n}"), cancellation), cancellation);
        });
        yield return Law("Whoever watches hears that there is a run to take", async (one, two, cancellation) =>
        {
            var queue = LawRun.NewQueue();
            await HearsAsync(one, hint => hint.RunId is null, async _ => await LawRun.EnqueueAsync(two, queue, cancellation), cancellation);
        });
        yield return Law("A watch ends with its token, and others go on", async (one, two, cancellation) =>
        {
            var run = await LawRun.BeginAsync(one, cancellation);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var watch = WatchAsync(one, _ => false, ended.Token);
            await HearsAsync(one, hint => hint.RunId == run.Id, async n => await two.PostAsync(run.Id, Message($"m{n}"), cancellation), cancellation);
            await ended.CancelAsync();
            await watch.WaitAsync(s_longestWait, TimeProvider.System, cancellation);
            await HearsAsync(one, hint => hint.RunId == run.Id, async n => await two.PostAsync(run.Id, Message($"n{n}"), cancellation), cancellation);
        });
    }

    /// <summary>True when such a hint came before the token.</summary>
    static Task<bool> WatchAsync(ICheckpointStore store, Func<StoreHint, bool> expected, CancellationToken ended) => Task.Run(async () =>
    {
        try
        {
            await foreach (var hint in store.WatchAsync(ended)) if (expected(hint)) return true;
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The other way to end.
        }
        return false;
    }, CancellationToken.None);

    /// <summary>It happens several times: a watch begins when it can, and a hint may be missing. Not each time, though.</summary>
    static async Task HearsAsync(ICheckpointStore store, Func<StoreHint, bool> expected, Func<int, Task> happen, CancellationToken cancellation)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var watch = WatchAsync(store, expected, ended.Token);
        for (var n = 0; n < 10 && !watch.IsCompleted; n++)
        {
            await happen(n);
            await Task.WhenAny(watch, Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, cancellation));
        }
        await ended.CancelAsync();
        Expect.Holds(await watch.WaitAsync(s_longestWait, TimeProvider.System, cancellation), "nothing was heard within two seconds");
    }
}
