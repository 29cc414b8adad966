using System.Diagnostics;
using System.Globalization;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>Cost must not grow with the length of a run.</summary>
static class LongRun
{
    const int Steps = 100_000;
    const int Window = 1_000;

    public static async Task FlatCostAsync()
    {
        using var folder = new TemporaryFolder();
        var stamps = new long[Steps];
        await using (var client = new PawlClient(FileStore.Open(folder.Path)))
        {
            var workflow = Workflow.Define("bench", async ctx =>
            {
                for (var i = 0; i < Steps; i++)
                {
                    var number = i;
                    await ctx.StepAsync($"s{number:D6}", () => Task.FromResult(number));
                    stamps[number] = Stopwatch.GetTimestamp();
                }
                throw new StepException("the last step fails, so that the run can be resumed");
            });
            await client.RunAsync(workflow, null, new StartOptions { RunId = "long" });
        }
        // Medians of ten windows each, so that one slow flush does not decide.
        var first = Median(stamps, Window, 10);
        var last = Median(stamps, Steps - 10 * Window, 10);
        Report.Row("last 10 × 1,000 of 100,000 steps against the first", Report.Number(last, "µs a step", 1), Report.Number(first, "µs a step", 1), Report.Number(last / first, "×", 2), "≤ 1.2 ×", last / first <= 1.2);

        var lines = File.ReadLines(Path.Combine(folder.Path, "long", "journal.jsonl")).Select(line => line.Length + 1).ToList();
        var (early, late) = (lines.Skip(1000).Take(Window).Average(), lines.Skip(Steps - Window).Take(Window).Average());
        Report.Row("journal bytes a step, last 1,000 against first", Report.Number(late, "B"), Report.Number(early, "B"), Report.Number(late / early, "×", 2), "≤ 1.05 ×", late / early <= 1.05);

        var best = double.MaxValue;
        for (var round = 0; round < 3; round++)
        {
            await using var client = new PawlClient(FileStore.Open(folder.Path));
            var clock = Stopwatch.GetTimestamp();
            var next = TimeSpan.Zero;
            var workflow = Workflow.Define("bench", async ctx =>
            {
                for (var i = 0; i < Steps; i++)
                {
                    var number = i;
                    await ctx.StepAsync($"s{number:D6}", () => Task.FromResult(number));
                }
                await ctx.StepAsync($"next{DateTime.UtcNow.Ticks.ToString(CultureInfo.InvariantCulture)}", () => { next = Stopwatch.GetElapsedTime(clock); return Task.FromResult(1); });
                throw new StepException("stay resumable");
            });
            await client.ResumeAsync(workflow, "long");
            best = Math.Min(best, next.TotalMilliseconds);
        }
        Report.Row("resume of a 100,000-step run to its next step", Report.Number(best, "ms"), "-", "-", "< 1,000 ms", best < 1000);
    }

    public static async Task MemoryAsync()
    {
        using var folder = new TemporaryFolder();
        await using var client = new PawlClient(FileStore.Open(folder.Path));
        (await client.RunAsync(EngineOverhead.Loop(10_000))).EnsureCompleted();
        var peak = Process.GetCurrentProcess().PeakWorkingSet64 / 1048576.0;
        Report.Row("peak memory of a 10,000-step run, by itself", Report.Number(peak, "MiB"), "-", "-", "< 100 MB", peak < 95);
    }

    static double Median(long[] stamps, int from, int windows)
    {
        var times = Enumerable.Range(0, windows).Select(n => Stopwatch.GetElapsedTime(stamps[from + n * Window - 1], stamps[from + (n + 1) * Window - 1]).TotalMicroseconds / Window).Order().ToList();
        return times[times.Count / 2];
    }
}
