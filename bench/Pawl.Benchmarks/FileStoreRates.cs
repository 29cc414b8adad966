using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>The file store against a bare loop that appends as many bytes and calls fdatasync, taken in turns in one run.</summary>
static class FileStoreRates
{
    const int Steps = 1_000;
    const int Runs = 200;
    const int StepsPerRun = 1_000;
    const int Writers = 16;

    public static async Task OneRunAsync()
    {
        var (steps, bare) = (0.0, 0.0);
        await EngineOverhead.WarmUpAsync();
        for (var round = 0; round < 12; round++)
        {
            var (rate, bytes) = await StepsAsync(runs: 1, Steps, parallel: 1);
            steps = Math.Max(steps, rate);
            bare = Math.Max(bare, Bare(1, Steps, bytes));
        }
        Report.Row("file store, one run of 1,000 steps", Report.Number(steps, "steps/s"), Report.Number(bare, "appends/s"), Report.Number(steps / bare * 100, "%"), "≥ 80 %", steps / bare >= 0.8);
    }

    public static async Task ManyRunsAsync()
    {
        var (steps, bare) = (0.0, 0.0);
        await EngineOverhead.WarmUpAsync();
        for (var round = 0; round < 3; round++)
        {
            var (rate, bytes) = await StepsAsync(Runs, StepsPerRun, Writers);
            steps = Math.Max(steps, rate);
            bare = Math.Max(bare, Bare(Writers, Runs * StepsPerRun / Writers, bytes));
        }
        Report.Row("file store, 200 runs of 1,000 steps, 16 at once", Report.Number(steps, "steps/s"), Report.Number(bare, "appends/s in 16 files"), Report.Number(steps / bare * 100, "%"), "≥ 80 %", steps / bare >= 0.8);
    }

    static async Task<(double Rate, int BytesPerStep)> StepsAsync(int runs, int steps, int parallel)
    {
        using var folder = new TemporaryFolder();
        await using var store = FileStore.Open(folder.Path);
        await using var client = new PawlClient(store);
        var workflow = EngineOverhead.Loop(steps);
        var clock = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(0, runs), new ParallelOptions { MaxDegreeOfParallelism = parallel }, async (number, cancellation) =>
            (await client.RunAsync(workflow, null, new StartOptions { RunId = $"run{number}" }, cancellation)).EnsureCompleted());
        var took = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        var bytes = Directory.EnumerateFiles(folder.Path, "journal.jsonl", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        return (runs * steps / took, (int)(bytes / (runs * steps)));
    }

    static double Bare(int files, int appends, int bytes)
    {
        using var folder = new TemporaryFolder();
        var line = Encoding.ASCII.GetBytes(new string('x', bytes - 1) + "\n");
        var clock = Stopwatch.GetTimestamp();
        var threads = Enumerable.Range(0, files).Select(number => new Thread(() =>
        {
            var file = open(Path.Combine(folder.Path, $"f{number}"), O_WRONLY | O_CREAT | O_APPEND, 0x1a4);
            for (var i = 0; i < appends; i++)
            {
                if (write(file, line, line.Length) != line.Length || fdatasync(file) != 0) throw new IOException("the bare loop failed");
            }
            _ = close(file);
        })).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return files * appends / Stopwatch.GetElapsedTime(clock).TotalSeconds;
    }

    const int O_WRONLY = 1, O_CREAT = 0x40, O_APPEND = 0x400;
    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)] static extern int open([MarshalAs(UnmanagedType.LPStr)] string path, int flags, int mode);
    [DllImport("libc")] static extern nint write(int file, byte[] bytes, nint count);
    [DllImport("libc")] static extern int fdatasync(int file);
    [DllImport("libc")] static extern int close(int file);
}

/// <summary>On the disk of this folder, not in memory: a RAM disk flushes nothing.</summary>
sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateDirectory(System.IO.Path.Combine(Environment.GetEnvironmentVariable("PAWL_BENCH_DIR") ?? AppContext.BaseDirectory, "bench-" + System.IO.Path.GetRandomFileName())).FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
