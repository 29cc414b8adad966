using System.Diagnostics;
using Pawl.Postgres;
using Pawl.Storage;
using Pawl.Stores;

namespace Pawl.Benchmarks;

/// <summary>The plan and the fork of a run with 10,000 finished steps.</summary>
static class TimeTravel
{
    const int Steps = 10_000;
    const int Rounds = 5;

    public static async Task RunAsync()
    {
        await using (var memory = new PawlClient(new MemoryStore())) await PlanAsync(memory, await RecordAsync(memory));
        using var folder = new TemporaryFolder();
        await ForkAsync("file", new PawlClient(FileStore.Open(Path.Combine(folder.Path, "checkpoints"))));
        await ForkAsync("SQLite", new PawlClient(SqliteStore.Open(Path.Combine(folder.Path, "runs.db"))));
        await using var server = await PostgresServer.StartAsync(Environment.GetEnvironmentVariable("PAWL_BENCH_DIR"));
        await ForkAsync("PostgreSQL", new PawlClient(await PostgresStore.OpenAsync(server.ConnectionString)));
    }

    static async Task PlanAsync(PawlClient client, Workflow workflow)
    {
        var best = await BestAsync(_ => client.PlanAsync(workflow, "run"));
        Report.Row("plan of a resume of 10,000 steps", Report.Number(best, "ms"), "-", "-", "< 100 ms", best < 100);
    }

    static async Task ForkAsync(string store, PawlClient client)
    {
        await using var owned = client;
        await RecordAsync(client);
        var best = await BestAsync(round => client.ForkAsync("run", new ForkOptions { RunId = $"fork{round}" }));
        Report.Row($"{store} store, fork from the end of 10,000 steps", Report.Number(best, "ms"), "-", "-", "< 200 ms", best < 200);
    }

    /// <summary>A graph of 10,000 steps, of which the last one fails.</summary>
    static async Task<Workflow> RecordAsync(PawlClient client)
    {
        var builder = Workflow.Create("long").Options(new WorkflowOptions { Durability = Durability.Exit });
        for (var i = 0; i < Steps; i++) builder.Step($"step{i}", ctx => ctx.Path);
        builder.Step("last", Task (_) => throw new StepException("it fails", ErrorClass.Permanent));
        var workflow = builder.Build();
        var result = await client.RunAsync(workflow, start: new StartOptions { RunId = "run" });
        return result.ErrorStep == "last" ? workflow : throw new InvalidOperationException(result.Error);
    }

    static async Task<double> BestAsync(Func<int, Task> work)
    {
        var best = double.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            var began = Stopwatch.GetTimestamp();
            await work(round);
            best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        }
        return best;
    }
}
