using System.Collections.Concurrent;
using System.Diagnostics;
using Pawl.Redis;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A server of its own is killed (SIGKILL) and comes back; a worker is killed and does not.</summary>
public class RedisOutageTests(RedisFixture redis)
{
    static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Behind_a_killed_server_every_acknowledged_commit_is_there_once_and_whole()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended);
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => StoredRun.BeginAsync(store, $"r{i}")));
        var (kills, acknowledged) = (0, new ConcurrentDictionary<string, long>());
        var writers = runs.Select(run => Task.Run(async () =>
        {
            // Under way at each kill, and for a while after the last one.
            for (var (wrote, afterwards) = (0, 0); afterwards < 20; wrote++)
            {
                var commit = run.Next($"s{wrote}", wrote % 5 == 0 ? $"payload {wrote}" : null);
                for (var failed = 0; ;)
                {
                    try
                    {
                        Assert.Equal(CommitResult.Committed, await store.CommitAsync(commit, Ended));
                        break;
                    }
                    catch (IOException)
                    {
                        Assert.True(++failed < 100, "it does not come back");
                        await Task.Delay(50, Ended);
                    }
                }
                run.Accept(commit);
                acknowledged[run.Head.RunId] = run.Head.Seq;
                if (Volatile.Read(ref kills) == 3) afterwards++;
            }
        }, Ended)).ToList();
        while (kills < 3)
        {
            var before = acknowledged.Values.Sum();
            for (var clock = Stopwatch.StartNew(); acknowledged.Values.Sum() < before + 100; await Task.Delay(5, Ended)) Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), "nothing is written");
            await server.KillAsync();
            var promised = acknowledged.ToArray();
            await server.StartAgainAsync();
            await using (var other = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended))
                foreach (var (id, seq) in promised) Assert.True((await other.FindAsync(id, Ended))!.Seq >= seq, $"an acknowledged checkpoint of {id} is lost");
            Interlocked.Increment(ref kills);
        }
        await Task.WhenAll(writers);
        foreach (var run in runs)
        {
            Assert.Equal(run.Head.Hash, (await store.FindAsync(run.Head.RunId, Ended))!.Hash);
            var paths = await store.ReadAsync(run.Head.RunId, 3, Ended).Select(record => record.Path).ToListAsync(Ended);
            Assert.Equal(Enumerable.Range(0, (int)run.Head.Seq - 2).Select(n => $"s{n}"), paths);
            Assert.Equal("payload 0", System.Text.Encoding.UTF8.GetString((await store.ReadPayloadAsync(run.Head.RunId, run.Next("x", "payload 0").Payloads[0].Ref, Ended)).Span));
        }
    }

    [Fact]
    public async Task Workers_and_watchers_go_on_by_themselves_when_a_killed_server_comes_back()
    {
        await using var server = await RedisServer.StartAsync();
        var began = new ConcurrentDictionary<string, int>();
        var builder = Workflow.Create("w");
        for (var i = 0; i < 6; i++)
        {
            var id = $"s{i}";
            builder.Step(id, async ctx =>
            {
                began.AddOrUpdate($"{ctx.RunId}/{id}", 1, (_, times) => times + 1);
                await Task.Delay(20, ctx.CancellationToken);
            });
        }
        var workflow = builder.Build();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        var clients = new List<PawlClient>();
        for (var i = 0; i < 2; i++) clients.Add(new PawlClient(await RedisStore.OpenAsync(server.Uri(), new RedisStoreOptions { LeaseTime = TimeSpan.FromSeconds(3) }, Ended)));
        for (var i = 0; i < 30; i++) await clients[0].EnqueueAsync(workflow, start: new StartOptions { RunId = $"r{i}" }, cancellationToken: Ended);
        await using var hints = clients[0].Store.WatchAsync(Ended).GetAsyncEnumerator(Ended);
        Assert.True(await hints.MoveNextAsync());
        var working = clients.Select(client => new PawlWorker(client, new WorkerOptions { Workflows = [workflow], Concurrency = 4 }).RunAsync(stop.Token)).ToList();
        while (began.Count < 30) await Task.Delay(5, Ended);
        await server.KillAsync();
        await server.StartAgainAsync();
        // Whoever watched is told that there may be something, without asking.
        Assert.True(await hints.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(30), Ended));
        var query = new RunQuery { Statuses = [RunStatus.Completed] };
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(50, Ended))
        {
            try { if (await clients[1].ListAsync(query, Ended).CountAsync(Ended) == 30) break; }
            catch (IOException) { }
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), "the runs do not come to their ends");
        }
        await stop.CancelAsync();
        await Task.WhenAll(working);
        foreach (var i in Enumerable.Range(0, 30))
        {
            Assert.Empty(await clients[0].VerifyAsync($"r{i}", Ended));
            var records = await clients[0].HistoryAsync($"r{i}", Ended);
            Assert.Equal(6, records.Count(record => record.Kind == CheckpointKind.Step && record.Status == StepStatus.Completed));
        }
        foreach (var client in clients) await client.DisposeAsync();
    }

    [Fact]
    public async Task A_run_whose_worker_was_killed_is_taken_over_long_before_its_lease_ends()
    {
        var uri = redis.NewUri();
        await using var client = new PawlClient(await RedisStore.OpenAsync(uri, RedisSubject.Options, Ended));
        var workflow = RedisSubject.Hanging(_ => Task.CompletedTask);
        await client.EnqueueAsync(workflow, start: new StartOptions { RunId = "r" }, cancellationToken: Ended);
        using var process = RedisSubject.Start(uri);
        Assert.Equal("HELD", await process.StandardOutput.ReadLineAsync(Ended));
        Assert.Equal(process.Id, (await client.Store.ClaimAsync("r", StoredRun.Owner(), Ended)).HeldBy?.Pid);
        process.Kill();
        await process.WaitForExitAsync(Ended);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        var working = new PawlWorker(client, new WorkerOptions { Workflows = [workflow] }).RunAsync(stop.Token);
        for (var clock = Stopwatch.StartNew(); (await client.FindAsync("r", Ended))!.Status != RunStatus.Completed; await Task.Delay(20, Ended)) Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), "nobody takes it over");
        await stop.CancelAsync();
        await working;
        // The first step was not done again.
        Assert.Single(await client.HistoryAsync("r", Ended), record => record.Path == "first");
    }
}
