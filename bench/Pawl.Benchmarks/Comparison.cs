using System.Diagnostics;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>Two long runs, each with outputs of its own, compared step by step.</summary>
static class Comparison
{
    const int Steps = 10_000;

    public static async Task DiffAsync()
    {
        using var folder = new TemporaryFolder();
        await using (var client = new PawlClient(FileStore.Open(folder.Path)))
        {
            foreach (var (id, seed) in new[] { ("one", 1), ("two", 2) })
            {
                var workflow = Workflow.Define("bench", async ctx =>
                {
                    // Every tenth step gives another output.
                    for (var i = 0; i < Steps; i++)
                    {
                        var number = i;
                        await ctx.StepAsync($"s{number:D6}", () => Task.FromResult(new { number, rows = number % 10 == 0 ? number * seed : number, name = "a name that is the same" }));
                    }
                });
                (await client.RunAsync(workflow, null, new StartOptions { RunId = id })).EnsureCompleted();
            }
        }
        var best = double.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            await using var client = new PawlClient(FileStore.Open(folder.Path));
            var clock = Stopwatch.GetTimestamp();
            var diff = await client.DiffAsync("one", "two");
            best = Math.Min(best, Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
            if (diff.Steps.Count(step => step.What.Count > 0) != Steps / 10 - 1) throw new InvalidOperationException($"{diff.Steps.Count(step => step.What.Count > 0)} steps differ");
        }
        Report.Row("diff of two 10,000-step runs", Report.Number(best, "ms"), "-", "-", "< 500 ms", best < 500);
    }
}
