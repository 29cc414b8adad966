using System.Diagnostics;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>What the engine itself costs: the memory store does nothing but keep the records.</summary>
static class EngineOverhead
{
    const int Steps = 20_000;

    public static Workflow Loop(int steps) => Workflow.Define("bench", async ctx =>
    {
        for (var i = 0; i < steps; i++)
        {
            var number = i;
            await ctx.StepAsync($"s{number}", () => Task.FromResult(number));
        }
    });

    /// <summary>So that what is measured is compiled code.</summary>
    public static async Task WarmUpAsync()
    {
        for (var round = 0; round < 8; round++)
        {
            await using var client = new PawlClient(new MemoryStore());
            await client.RunAsync(Loop(Steps));
        }
    }

    public static async Task RunAsync()
    {
        var workflow = Loop(Steps);
        double best = double.MaxValue, bytes = 0;
        for (var round = 0; round < 20; round++)
        {
            await using var client = new PawlClient(new MemoryStore());
            GC.Collect();
            var allocated = GC.GetTotalAllocatedBytes(precise: true);
            var clock = Stopwatch.GetTimestamp();
            (await client.RunAsync(workflow)).EnsureCompleted();
            var took = Stopwatch.GetElapsedTime(clock).TotalMicroseconds / Steps;
            if (took < best) (best, bytes) = (took, (GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)Steps);
        }
        Report.Row("engine overhead a step, memory store", Report.Number(best, "µs", 1), "-", "-", "≤ 10 µs", best <= 10);
        Report.Row("allocated a step, memory store", Report.Number(bytes, "B"), "-", "-", "≤ 2,048 B", bytes <= 2048);
    }
}
