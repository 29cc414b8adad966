using System.Diagnostics;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>The machines' clocks do not count: the database's does.</summary>
public sealed class ClockTests(PostgresFixture postgres)
{
    sealed class Wrong(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    [Fact]
    public async Task Clocks_that_differ_by_an_hour_change_nothing()
    {
        var (token, schema) = (TestContext.Current.CancellationToken, postgres.NewSchema());
        var workflow = Workflow.Define("nap", async ctx =>
        {
            await ctx.StepAsync("before", () => Task.FromResult(1));
            await ctx.SleepAsync("nap", TimeSpan.FromSeconds(3));
            return (await ctx.WaitForSignalAsync("never", TimeSpan.FromSeconds(1))).TimedOut;
        });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(token);
        var clients = new List<PawlClient>();
        foreach (var hours in (int[])[1, -1])
        {
            var time = new Wrong(TimeSpan.FromHours(hours));
            clients.Add(new PawlClient(await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema, Time = time }, token), new PawlOptions { Time = time }));
        }
        var working = clients.Select(client => new PawlWorker(client, new WorkerOptions { Workflows = [workflow], Concurrency = 3 }).RunAsync(stop.Token)).ToList();
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < 10; i++) await clients[i % 2].EnqueueAsync(workflow, null, new EnqueueOptions { Delay = TimeSpan.FromSeconds(1) }, new StartOptions { RunId = $"n{i}" }, token);
        while (clock.Elapsed < TimeSpan.FromSeconds(60))
        {
            await Task.Delay(100, token);
            if (await clients[0].ListAsync(new RunQuery { Statuses = [RunStatus.Completed] }, token).CountAsync(token) == 10) break;
        }
        var took = clock.Elapsed;
        await stop.CancelAsync();
        await Task.WhenAll(working);
        await foreach (var head in clients[0].ListAsync(null, token))
        {
            Assert.Equal(RunStatus.Completed, head.Status);
            // Two waits and a delay, to their length, whoever made the records.
            Assert.InRange(head.UpdatedAt - head.CreatedAt, TimeSpan.FromSeconds(4.9), TimeSpan.FromSeconds(40));
            Assert.InRange(DateTimeOffset.UtcNow - head.UpdatedAt, TimeSpan.FromMinutes(-1), TimeSpan.FromMinutes(2));
            Assert.Equal("true", (await clients[0].SnapshotAsync(head.RunId, null, token)).Outputs["nap"].ToString());
        }
        Assert.True(took < TimeSpan.FromSeconds(50), $"it took {took}");
        foreach (var client in clients) await client.DisposeAsync();
    }

    /// <summary>A clock whose monotonic part can be moved: to the store it is as if the database's had moved the other way.</summary>
    sealed class Movable : TimeProvider
    {
        long _by;

        public void Move(TimeSpan by) => Interlocked.Add(ref _by, (long)(by.TotalSeconds * TimestampFrequency));

        public override long GetTimestamp() => base.GetTimestamp() + Interlocked.Read(ref _by);
    }

    static void IsRight(PawlClient client) => Assert.InRange(client.Store.Info.Clock!.GetUtcNow() - DateTimeOffset.UtcNow, TimeSpan.FromSeconds(-5), TimeSpan.FromSeconds(5));

    [Fact]
    public async Task Behind_a_lost_connection_the_time_is_that_of_the_server_that_answers()
    {
        var token = TestContext.Current.CancellationToken;
        await using var server = await PostgresServer.StartAsync();
        var time = new Movable();
        await using var client = new PawlClient(await PostgresStore.OpenAsync(server.ConnectionString, new PostgresStoreOptions { Time = time }, token));
        var workflow = Workflow.Define("w", async ctx =>
        {
            await ctx.StepAsync("a", async () =>
            {
                // The server that takes this one's place has a clock that is an hour behind it.
                await server.KillAsync();
                time.Move(TimeSpan.FromHours(1));
                await server.StartAgainAsync();
                return 1;
            });
            await ctx.SleepAsync("nap", TimeSpan.FromSeconds(0.2));
        });
        var result = await client.RunAsync(workflow, null, new StartOptions { RunId = "r" }, token);
        result.EnsureCompleted();
        IsRight(client);
        var due = (await client.HistoryAsync("r", token)).Single(record => record.Kind == CheckpointKind.Timer).At;
        Assert.InRange(due - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(-1), TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Whoever_only_listens_has_the_right_time_again_too()
    {
        var token = TestContext.Current.CancellationToken;
        await using var server = await PostgresServer.StartAsync();
        var time = new Movable();
        await using var client = new PawlClient(await PostgresStore.OpenAsync(server.ConnectionString, new PostgresStoreOptions { Time = time }, token));
        await using var hints = client.Store.WatchAsync(token).GetAsyncEnumerator(token);
        Assert.True(await hints.MoveNextAsync());
        // Nothing but the listening connection notices that the server is another one.
        await server.KillAsync();
        time.Move(TimeSpan.FromHours(-1));
        await server.StartAgainAsync();
        Assert.True(await hints.MoveNextAsync());
        IsRight(client);
    }
}
