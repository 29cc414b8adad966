using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>The primary dies, and its standby takes its place.</summary>
public sealed class FailoverTests
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Workers_go_on_by_themselves_with_the_standby_that_takes_the_primarys_place_and_lose_nothing()
    {
        const int runs = 20, steps = 8;
        await using var primary = await PostgresServer.StartAsync();
        await using var standby = await primary.FollowAsync();
        // Driver and store look for the primary among both; a standby that was promoted is noticed within a second.
        var both = new NpgsqlConnectionStringBuilder(primary.ConnectionString) { Host = $"127.0.0.1:{primary.Port},127.0.0.1:{standby.Port}", HostRecheckSeconds = 1, Timeout = 3, CommandTimeout = 5 }.ConnectionString;
        var executed = new ConcurrentQueue<string>();
        var workflow = Workflow.Define("w", async ctx =>
        {
            for (var i = 0; i < steps; i++)
            {
                await ctx.StepAsync($"s{i}", async step =>
                {
                    executed.Enqueue(step.IdempotencyKey);
                    await Task.Delay(60, step.CancellationToken);
                    return 1;
                });
            }
        });
        var clients = new List<PawlClient>();
        for (var i = 0; i < 2; i++) clients.Add(new PawlClient(await PostgresStore.OpenAsync(both, new PostgresStoreOptions { LeaseTime = TimeSpan.FromSeconds(3) }, Token)));
        for (var i = 0; i < runs; i++) await clients[0].EnqueueAsync(workflow, null, null, new StartOptions { RunId = $"r{i}" }, Token);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var working = clients.Select(client => new PawlWorker(client, new WorkerOptions { Workflows = [workflow], Concurrency = 5, PollInterval = TimeSpan.FromMilliseconds(200) }).RunAsync(stop.Token)).ToList();
        for (var clock = Stopwatch.StartNew(); executed.Count < runs * steps / 3 && clock.Elapsed < TimeSpan.FromSeconds(30);) await Task.Delay(10, Token);
        await primary.KillAsync();
        var begun = executed.Count;
        var died = Stopwatch.StartNew();
        await standby.PromoteAsync();
        for (; died.Elapsed < TimeSpan.FromSeconds(60); await Task.Delay(100, Token))
        {
            try
            {
                if (await clients[0].ListAsync(new RunQuery { Statuses = [RunStatus.Completed] }, Token).CountAsync(Token) == runs) break;
            }
            catch (IOException)
            {
                // Not yet.
            }
        }
        var took = died.Elapsed;
        await stop.CancelAsync();
        await Task.WhenAll(working);
        TestContext.Current.SendDiagnosticMessage($"{begun} of {runs * steps} steps had begun when the primary died; all {runs} runs were completed {took.TotalSeconds:0.0} s later; {executed.Count - runs * steps} steps began twice");
        await foreach (var head in clients[1].ListAsync(null, Token))
        {
            Assert.Equal(RunStatus.Completed, head.Status);
            Assert.Empty(await clients[1].VerifyAsync(head.RunId, Token));
            var history = await clients[1].HistoryAsync(head.RunId, Token);
            Assert.Equal(steps + 1, history.Count(record => record is { Kind: CheckpointKind.Step, Status: StepStatus.Completed }));
        }
        // At most what was under way in ten places.
        Assert.InRange(executed.Count - runs * steps, 0, 10);
        Assert.Equal(runs * steps, executed.Distinct().Count());
        Assert.Contains($",127.0.0.1:{standby.Port}", clients[0].Store.Info.Uri, StringComparison.Ordinal);
        foreach (var client in clients) await client.DisposeAsync();
    }
}
