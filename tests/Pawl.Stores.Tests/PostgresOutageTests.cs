using System.Diagnostics;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A server of its own is killed and comes back.</summary>
public class PostgresOutageTests
{
    static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_commit_cut_off_by_a_killed_server_is_an_io_error_and_sent_again_is_there_once()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = await PostgresStore.OpenAsync(server.ConnectionString, cancellationToken: Ended);
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => StoredRun.BeginAsync(store, $"r{i}")));
        var down = new TaskCompletionSource();
        var up = new TaskCompletionSource();
        var writers = runs.Select(run => Task.Run(async () =>
        {
            // Acknowledged before, cut off, and acknowledged after.
            for (var (wrote, afterwards) = (0, 0); afterwards < 20; wrote++)
            {
                var commit = run.Next($"s{wrote}");
                for (var failed = 0; ;)
                {
                    try
                    {
                        Assert.Equal(CommitResult.Committed, await store.CommitAsync(commit, Ended));
                        break;
                    }
                    catch (IOException)
                    {
                        down.TrySetResult();
                        await up.Task;
                        // The server answers again: what is left of the old connections is used up soon.
                        Assert.True(++failed < 30, "it does not come back");
                    }
                }
                run.Accept(commit);
                if (up.Task.IsCompleted) afterwards++;
            }
        }, Ended)).ToList();
        await using var hints = store.WatchAsync(Ended).GetAsyncEnumerator(Ended);
        Assert.True(await hints.MoveNextAsync());
        await server.KillAsync();
        await down.Task;
        await server.StartAgainAsync();
        up.SetResult();
        await Task.WhenAll(writers);
        foreach (var run in runs)
        {
            Assert.Equal(run.Head.Hash, (await store.FindAsync(run.Head.RunId, Ended))!.Hash);
            var paths = new List<string?>();
            await foreach (var record in store.ReadAsync(run.Head.RunId, 3, Ended)) paths.Add(record.Path);
            Assert.Equal(Enumerable.Range(0, (int)run.Head.Seq - 2).Select(n => $"s{n}"), paths);
        }
        // Whoever watched is told that there may be something, without asking.
        Assert.True(await hints.MoveNextAsync());
        Assert.Null(hints.Current.RunId);
        await store.PostAsync("r0", new RunMessage("go", null, default), Ended);
        var clock = Stopwatch.StartNew();
        do Assert.True(await hints.MoveNextAsync());
        while (hints.Current.RunId is null);
        Assert.Equal("r0", hints.Current.RunId);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"{clock.Elapsed}");
    }

    [Fact]
    public async Task A_run_of_the_engine_outlives_a_restart_of_the_server()
    {
        await using var server = await PostgresServer.StartAsync();
        await using var store = await PostgresStore.OpenAsync(server.ConnectionString, cancellationToken: Ended);
        var restarted = 0;
        var workflow = Workflow.Define("w", async ctx =>
        {
            for (var i = 0; i < 20; i++)
            {
                var number = i;
                await ctx.StepAsync($"s{number}", async () =>
                {
                    if (number != 10 || Interlocked.Exchange(ref restarted, 1) == 1) return number;
                    await server.KillAsync();
                    await server.StartAgainAsync();
                    return number;
                });
            }
        });
        (await new PawlClient(store).RunAsync(workflow, null, new StartOptions { RunId = "r" }, Ended)).EnsureCompleted();
        Assert.Empty(await new PawlClient(store).VerifyAsync("r", Ended));
    }
}
