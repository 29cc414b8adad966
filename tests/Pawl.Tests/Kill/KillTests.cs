using System.Diagnostics;
using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Kill;

/// <summary>The real command, killed with SIGKILL and resumed: what was acknowledged is never done again, and the end is that of an unbroken run.</summary>
/// <remarks>Killed are every boundary and 25 instants by chance: each costs two processes. <c>PAWL_KILLS=90</c> makes it 208 kills in all.</remarks>
public abstract class KillSweep(string name, string workflow, int boundaries, int seed) : IDisposable
{
    static readonly int s_randomKills = int.Parse(Environment.GetEnvironmentVariable("PAWL_KILLS") ?? "25", System.Globalization.CultureInfo.InvariantCulture);

    readonly string _folder = Directory.CreateTempSubdirectory("pawl-kill-").FullName;

    [Fact]
    public async Task A_killed_run_resumes_to_the_end_of_an_unbroken_one_and_repeats_nothing_acknowledged()
    {
        var cancellation = TestContext.Current.CancellationToken;
        await File.WriteAllTextAsync(Path.Combine(_folder, "workflow.yaml"), workflow, cancellation);
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, await RunToEndAsync("run", "workflow.yaml", "--run-id", "unbroken", "--store", "file:store"));
        var length = clock.Elapsed;
        var expected = await StateAsync("unbroken");
        Assert.Equal(RunStatus.Completed, expected.Status);

        var random = new Random(seed);
        var kills = 0;
        for (var line = 1; line <= boundaries; line++, kills++) await KillAsync($"{name}-b{line}", run => UntilLinesAsync(run, line), expected.Outputs);
        for (var n = 1; n <= s_randomKills; n++, kills++)
        {
            var delay = TimeSpan.FromMilliseconds(random.NextDouble() * length.TotalMilliseconds);
            await KillAsync($"{name}-r{n}", _ => Task.Delay(delay, cancellation), expected.Outputs);
        }
        TestContext.Current.SendDiagnosticMessage($"{name}: {kills} kills (seed {seed}) in {clock.Elapsed.TotalSeconds:0} s");
    }

    async Task KillAsync(string run, Func<string, Task> moment, string expected)
    {
        using (var process = Start("run", "workflow.yaml", "--run-id", run, "--store", "file:store"))
        {
            var drained = DrainAsync(process);
            await Task.WhenAny(moment(run), process.WaitForExitAsync(TestContext.Current.CancellationToken));
            if (!process.HasExited) process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            await drained;
        }
        await NoOrphansAsync(run);
        if (!File.Exists(Journal(run)))
        {
            // Killed before the run was there: then there is nothing to resume, and a new start must do.
            Assert.Equal(0, await RunToEndAsync("run", "workflow.yaml", "--run-id", run, "--store", "file:store"));
        }
        else
        {
            var acknowledged = Completed(run);
            var before = Witness(run);
            if (!File.ReadAllText(Journal(run)).Contains("\"kind\":\"completed\"", StringComparison.Ordinal))
                Assert.Equal(0, await RunToEndAsync("resume", run, "--store", "file:store"));
            var after = Witness(run);
            foreach (var step in acknowledged) Assert.Equal((run, step, before.Count(one => one == step)), (run, step, after.Count(one => one == step)));
            foreach (var step in after.Distinct()) Assert.InRange(after.Count(one => one == step), 1, 2);
        }
        var end = await StateAsync(run);
        Assert.Equal((run, RunStatus.Completed), (run, end.Status));
        Assert.Equal(expected, end.Outputs);
    }

    string Journal(string run) => Path.Combine(_folder, "store", run, "journal.jsonl");

    string[] Witness(string run) => File.Exists(Path.Combine(_folder, $"witness-{run}")) ? File.ReadAllLines(Path.Combine(_folder, $"witness-{run}")) : [];

    /// <summary>Steps whose success the journal holds: a whole line is an acknowledged one or one that is about to be.</summary>
    List<string> Completed(string run) => [.. File.ReadAllText(Journal(run)).Split('\n')[..^1]
        .Where(line => line.Contains("\"kind\":\"step\"", StringComparison.Ordinal) && line.Contains("\"status\":\"completed\"", StringComparison.Ordinal))
        .Select(line => System.Text.Json.JsonDocument.Parse(line).RootElement.GetProperty("path").GetString()!)];

    async Task UntilLinesAsync(string run, int lines)
    {
        for (var tries = 0; tries < 20_000; tries++)
        {
            if (File.Exists(Journal(run)) && File.ReadAllText(Journal(run)).Count(c => c == '\n') >= lines) return;
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>A step of a killed runner must be gone within two seconds, grandchildren too.</summary>
    static async Task NoOrphansAsync(string run)
    {
        var mark = Encoding.ASCII.GetBytes($"PAWL_RUN_ID={run}\0");
        string? alive = null;
        for (var tries = 0; tries < 200; tries++)
        {
            alive = Directory.EnumerateDirectories("/proc").FirstOrDefault(process => int.TryParse(Path.GetFileName(process), out _) && HasMark(process, mark));
            if (alive is null) return;
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
        Assert.Fail($"{alive} of run {run} outlived its runner: {File.ReadAllText(alive + "/cmdline").Replace('\0', ' ')}");
    }

    static bool HasMark(string process, byte[] mark)
    {
        try { return File.ReadAllBytes(process + "/environ").AsSpan().IndexOf(mark) >= 0; }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { return false; }
    }

    async Task<(RunStatus Status, string Outputs)> StateAsync(string run)
    {
        await using var client = new PawlClient(FileStore.Open(Path.Combine(_folder, "store")));
        var snapshot = await client.SnapshotAsync(run, null, TestContext.Current.CancellationToken);
        return (snapshot.Head.Status, string.Join('\n', snapshot.Outputs.OrderBy(output => output.Key, StringComparer.Ordinal).Select(output => $"{output.Key} = {output.Value}")));
    }

    Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(PawlCommand.Path, arguments)
        {
            WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        return Process.Start(start)!;
    }

    static async Task<string> DrainAsync(Process process)
    {
        var error = process.StandardError.ReadToEndAsync();
        return await process.StandardOutput.ReadToEndAsync() + await error;
    }

    async Task<int> RunToEndAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var said = await DrainAsync(process);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode == 0 ? 0 : throw new InvalidOperationException($"pawl {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{said}");
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected const string Work = """echo "$PAWL_STEP" >> "witness-$PAWL_RUN_ID"; sleep 0.0""";
}

/// <summary>Ten steps in a row, each using the output of the one before.</summary>
public sealed class SequentialKillTests() : KillSweep("seq", Text, boundaries: 12, seed: 20261121)
{
    static readonly string Text = "name: seq\nsteps:\n" + string.Concat(Enumerable.Range(1, 10).Select(n => $$"""
          - id: s{{n}}
            run: |
              {{Work}}{{n % 3 + 1}}
              echo "sum=$(({{(n == 1 ? "0" : $"${{{{ steps.s{n - 1}.outputs.sum }}}}")}} + {{n}}))" >> "$PAWL_OUTPUT"

        """));
}

/// <summary>A fan-out, a group and a join, four at once.</summary>
public sealed class ParallelKillTests() : KillSweep("par", Text, boundaries: 16, seed: 11202621)
{
    static readonly string Text = $$$"""
        name: par
        concurrency: 4
        steps:
          - id: start
            run: |
              {{{Work}}}1
              echo "base=7" >> "$PAWL_OUTPUT"
          - id: each
            needs: start
            matrix: { os: [linux, windows, mac], mode: [debug, release] }
            max_parallel: 3
            run: |
              {{{Work}}}2
              echo "name=${{ matrix.os }}-${{ matrix.mode }}-${{ steps.start.outputs.base }}" >> "$PAWL_OUTPUT"
          - id: checks
            needs: start
            group:
              - id: lint
                run: |
                  {{{Work}}}2
                  echo "ok=1" >> "$PAWL_OUTPUT"
              - id: test
                run: |
                  {{{Work}}}3
                  (sleep 30 &) ; echo "ok=2" >> "$PAWL_OUTPUT"
          - id: join
            needs: [each, checks]
            run: |
              {{{Work}}}1
              echo "all=$((${{ steps.start.outputs.base }} + 1))" >> "$PAWL_OUTPUT"
        """;
}
