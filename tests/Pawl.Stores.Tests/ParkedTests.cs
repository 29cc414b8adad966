using System.Collections.Concurrent;
using System.Diagnostics;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>Runs that wait, in a real store with real workers: they hold nothing, and each wakes once. <c>PAWL_PARKED=10000</c> makes it as many.</summary>
[Collection(nameof(Alone))]
public sealed class ParkedTests(PostgresFixture postgres)
{
    static readonly int s_runs = int.Parse(Environment.GetEnvironmentVariable("PAWL_PARKED") ?? "300", System.Globalization.CultureInfo.InvariantCulture);

    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Two workers, each with its own connections, until the body has ended.</summary>
    async Task WithWorkersAsync(Workflow workflow, int concurrency, Func<PawlClient, List<PawlWorker>, Task> body)
    {
        var schema = postgres.NewSchema();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var clients = new List<PawlClient>();
        for (var i = 0; i < 2; i++) clients.Add(new PawlClient(await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema }, Token)));
        var workers = clients.Select(client => new PawlWorker(client, new WorkerOptions { Workflows = [workflow], Concurrency = concurrency })).ToList();
        var working = workers.Select(worker => worker.RunAsync(stop.Token)).ToList();
        await body(clients[0], workers);
        await stop.CancelAsync();
        await Task.WhenAll(working);
        foreach (var client in clients) await client.DisposeAsync();
    }

    static async Task UntilAsync(PawlClient client, RunQuery query, int count)
    {
        for (var clock = Stopwatch.StartNew(); await client.ListAsync(query, Token).CountAsync(Token) != count; await Task.Delay(50, Token))
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(10), $"after {clock.Elapsed.TotalSeconds:0} s there are not {count} runs that are {query.Statuses!.First()}");
    }

    static RunQuery Are(RunStatus status) => new() { Statuses = [status] };

    [Fact]
    public async Task Parked_runs_cost_the_workers_no_memory_and_a_thousand_signals_at_once_wake_each_run_once()
    {
        var woken = new ConcurrentQueue<string>();
        var workflow = Workflow.Define("w", async ctx =>
        {
            await ctx.WaitForSignalAsync("go");
            woken.Enqueue(ctx.RunId);
            return 1;
        });
        await WithWorkersAsync(workflow, concurrency: 32, async (client, workers) =>
        {
            // What is needed once is there before it is measured.
            await EnqueueAsync("warm", 100);
            var before = Memory();
            var clock = Stopwatch.StartNew();
            await EnqueueAsync("r", s_runs);
            var (parked, parkedIn) = (Memory() - before, clock.Elapsed);
            Assert.All(workers, worker => Assert.Empty(worker.Health.Running));
            clock.Restart();
            var count = Math.Min(s_runs, 1000);
            await Task.WhenAll(Enumerable.Range(0, count).Select(i => client.SignalAsync($"r{i}", "go", cancellationToken: Token)));
            await UntilAsync(client, Are(RunStatus.Completed), count);
            TestContext.Current.SendDiagnosticMessage($"{s_runs} runs parked in {parkedIn.TotalSeconds:0.0} s; the process then had {parked / 1024.0:0} KiB more than before ({(double)parked / s_runs:0} bytes a run); {count} signals at once woke {woken.Distinct().Count()} runs, completed within {clock.Elapsed.TotalSeconds:0.00} s.");
            Assert.Equal((count, count), (woken.Count, woken.Distinct().Count()));
            Assert.InRange(parked, long.MinValue, Math.Max(s_runs * 100L, 1 << 20));

            async Task EnqueueAsync(string prefix, int runs)
            {
                foreach (var some in Enumerable.Range(0, runs).Chunk(100))
                    await Task.WhenAll(some.Select(i => client.EnqueueAsync(workflow, null, null, new StartOptions { RunId = $"{prefix}{i}" }, Token)));
                await UntilAsync(client, Are(RunStatus.Waiting), prefix == "warm" ? runs : runs + 100);
                // A run whose record is there may still be on its way out of the worker.
                for (var clock = Stopwatch.StartNew(); workers.Any(worker => worker.Health.Running.Count > 0) && clock.Elapsed < TimeSpan.FromSeconds(10);) await Task.Delay(20, Token);
            }
        });

        static long Memory()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return GC.GetTotalMemory(forceFullCollection: true);
        }
    }

    [Fact]
    public async Task Parents_whose_children_wait_hold_nothing_and_go_on_when_their_children_have_ended()
    {
        const int parents = 25;
        var done = new ConcurrentQueue<string>();
        var inner = Workflow.Create("child");
        inner.Step("wait", ctx => ctx.WaitForSignalAsync("go"));
        inner.Step("work", Work);
        var outer = Workflow.Create("parent");
        outer.Child("sub", inner.Build());
        outer.Step("after", Work);
        var workflow = outer.Build();
        await WithWorkersAsync(workflow, concurrency: 4, async (client, workers) =>
        {
            for (var i = 0; i < parents; i++) await client.EnqueueAsync(workflow, null, null, new StartOptions { RunId = $"p{i}" }, Token);
            await UntilAsync(client, Are(RunStatus.Waiting), 2 * parents);
            for (var clock = Stopwatch.StartNew(); workers.Any(worker => worker.Health.Running.Count > 0) && clock.Elapsed < TimeSpan.FromSeconds(10);) await Task.Delay(20, Token);
            Assert.All(workers, worker => Assert.Empty(worker.Health.Running));
            await Task.WhenAll(Enumerable.Range(0, parents).Select(i => client.SignalAsync($"p{i}.sub", "go", cancellationToken: Token)));
            await UntilAsync(client, Are(RunStatus.Completed), 2 * parents);
        });
        Assert.Equal((2 * parents, 2 * parents), (done.Count, done.Distinct().Count()));

        Task<int> Work(StepContext ctx)
        {
            done.Enqueue(ctx.IdempotencyKey);
            return Task.FromResult(1);
        }
    }
}

/// <summary>Tests that measure the memory of the process: no other runs meanwhile.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
