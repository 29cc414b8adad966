using System.Diagnostics;

namespace Pawl.Benchmarks;

/// <summary>The whole process, published as one file, against sh.</summary>
static class CommandStart
{
    public static Task RunAsync()
    {
        using var folder = new TemporaryFolder();
        var pawl = Publish();
        var file = Path.Combine(folder.Path, "workflow.yaml");
        File.WriteAllText(file, "name: three\nsteps:\n  - id: a\n    run: echo a\n  - id: b\n    run: echo b\n  - id: c\n    run: echo c\n");
        // In turns, and the median: other work on the machine meets both alike.
        var (shell, run, version) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 15; round++)
        {
            shell.Add(Time("sh", ["-c", "bash -c 'echo a'; bash -c 'echo b'; bash -c 'echo c'"], folder.Path));
            run.Add(Time(pawl, ["run", file], folder.Path));
            version.Add(Time(pawl, ["--version"], folder.Path));
        }
        var more = Median(run) - Median(shell);
        Report.Row("`pawl run` of 3 shell steps, more than `sh`", Report.Number(more, "ms"), Report.Number(Median(shell), "ms"), "-", "≤ 100 ms", more <= 100);
        Report.Row("`pawl --version`", Report.Number(Median(version), "ms"), "-", "-", "< 60 ms", Median(version) < 60);
        return Task.CompletedTask;
    }

    static string Publish()
    {
        var root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Pawl.slnx"))) root = Path.GetDirectoryName(root) ?? throw new IOException("Run the benchmarks inside the repository.");
        var output = Path.Combine(root, "artifacts", "bench-pawl");
        Time("bash", [Path.Combine(root, "eng", "publish.sh"), output], root);
        return Path.Combine(output, "pawl");
    }

    static double Time(string program, string[] arguments, string folder)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        var clock = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        var took = Stopwatch.GetElapsedTime(clock).TotalMilliseconds;
        return process.ExitCode == 0 ? took : throw new IOException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}: {output}{error.Result}");
    }

    static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
