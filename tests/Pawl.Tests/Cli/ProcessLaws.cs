using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Pawl.Tests.Cli;

/// <summary>The program itself, as processes that are interrupted, killed and raced.</summary>
public sealed class ProcessLaws : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly string _folder = Directory.CreateTempSubdirectory("pawl-process-").FullName;
    readonly List<Process> _started = [];

    public ProcessLaws()
    {
        Directory.CreateDirectory(In("bin"));
        File.CreateSymbolicLink(In("bin/pawl"), PawlCommand.Path);
        // The second step waits for a file, and says when it begins and that it ran.
        File.WriteAllText(In("workflow.yaml"), """
            name: slow
            steps:
              - id: first
                run: echo first >> effects
              - id: second
                needs: first
                run: |
                  echo "$$" > began
                  while ! test -f go; do sleep 0.02; done
                  echo second >> effects
              - id: third
                needs: second
                run: echo third | tee -a effects
            """);
    }

    [Fact]
    public async Task A_killed_run_goes_on_where_it_was()
    {
        var run = await BeginAsync("run", "--run-id", "r1");
        run.Kill(entireProcessTree: false);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);
        var status = await CallAsync("status", "r1", "--json");
        Assert.True(status.Json.GetProperty("process_died").GetBoolean());
        Assert.Equal("running", status.Json.GetProperty("status").GetString());

        Go();
        var resumed = await CallAsync("resume", "--json");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal(["first"], Texts(resumed.Json, "restored"));
        Assert.Equal(["first", "second", "third"], Effects());
    }

    [Theory]
    [InlineData(2, "SIGINT")]
    [InlineData(15, "SIGTERM")]
    [InlineData(1, "SIGHUP")]
    public async Task An_interruption_is_exit_130_and_the_printed_command_works_as_it_stands(int signal, string name)
    {
        Assert.StartsWith("SIG", name, StringComparison.Ordinal);
        var run = await BeginAsync("run", "--run-id", "r1", "--store", "file:my store");
        var step = int.Parse(await File.ReadAllTextAsync(In("began"), TestContext.Current.CancellationToken), System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(0, Kill(run.Id, signal));
        var answer = await EndAsync(run);
        Assert.True(answer.Code == 130, $"{answer.Code}: {answer.All}");
        Assert.NotEqual(0, Kill(step, 0));
        Assert.Equal("paused", (await CallAsync("status", "r1", "--json", "--store", "file:my store")).Json.GetProperty("status").GetString());

        Go();
        const string wayOn = "Go on with:  ";
        var command = answer.Out.Split('\n').Single(line => line.StartsWith(wayOn, StringComparison.Ordinal))[wayOn.Length..];
        var resumed = await EndAsync(Start("/bin/sh", ["-c", command]));
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal(["first", "second", "third"], Effects());
    }

    [Fact]
    public async Task A_second_ctrl_c_ends_it_at_once_and_a_resume_still_goes_on()
    {
        await File.WriteAllTextAsync(In("workflow.yaml"), """
            name: stubborn
            steps:
              - id: a
                run: |
                  trap '' INT TERM HUP
                  echo > began
                  while ! test -f go; do sleep 0.02; done
            """, TestContext.Current.CancellationToken);
        var run = await BeginAsync("run", "--run-id", "r1");
        Assert.Equal(0, Kill(run.Id, 2));
        Assert.Contains("A second Ctrl+C", await run.StandardError.ReadLineAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(0, Kill(run.Id, 2));
        var answer = await EndAsync(run);
        Assert.Equal(130, answer.Code);
        Assert.DoesNotContain("was interrupted", answer.Out, StringComparison.Ordinal);
        Assert.True((await CallAsync("status", "r1", "--json")).Json.GetProperty("process_died").GetBoolean());
        Go();
        Assert.Equal(0, (await CallAsync("resume", "r1")).Code);
    }

    [Fact]
    public async Task Of_two_that_resume_one_wins_and_the_other_names_the_holder()
    {
        var run = await BeginAsync("run", "--run-id", "r1");
        var refused = await CallAsync("resume", "r1", "--json");
        Assert.Equal((3, "held"), (refused.Code, refused.Json.GetProperty("reason").GetString()));
        Assert.Contains($"process {run.Id} on ", refused.Error, StringComparison.Ordinal);
        run.Kill(entireProcessTree: false);
        await run.WaitForExitAsync(TestContext.Current.CancellationToken);

        File.Delete(In("began"));
        Process[] racers = [.. Enumerable.Range(0, 3).Select(_ => Start("pawl", ["resume", "r1"]))];
        await Until(() => File.Exists(In("began")) && racers.Count(racer => racer.HasExited) == 2, () => $"{racers.Count(racer => racer.HasExited)} of 3 ended");
        Go();
        var answers = new List<Answer>();
        foreach (var racer in racers) answers.Add(await EndAsync(racer));
        Assert.Equal([0, 3, 3], answers.Select(answer => answer.Code).Order());
        Assert.All(answers.Where(answer => answer.Code == 3), answer => Assert.Contains("is executed by process", answer.Error, StringComparison.Ordinal));
        Assert.Equal(["first", "second", "third"], Effects());
    }

    [Fact]
    public async Task A_live_run_is_canceled_from_another_process()
    {
        var run = await BeginAsync("run", "--run-id", "r1");
        var canceled = await CallAsync("cancel", "r1", "--json");
        Assert.True(canceled.Code == 0, canceled.All);
        Assert.Equal(1, (await EndAsync(run)).Code);
        Assert.Equal("canceled", (await CallAsync("status", "r1", "--json")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_live_run_is_paused_behind_its_running_step()
    {
        // The step outlives the moment between the message and the run's next look at its inbox.
        var text = await File.ReadAllTextAsync(In("workflow.yaml"), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(In("workflow.yaml"), text.Replace("sleep 0.02; done", "sleep 0.02; done; sleep 2", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        var run = await BeginAsync("run", "--run-id", "r1");
        var pausing = Start("pawl", ["pause", "r1", "--json"]);
        await Until(() => Directory.Exists(In(".checkpoints/r1/inbox")) && Directory.EnumerateFiles(In(".checkpoints/r1/inbox")).Any(), () => "no message");
        Go();
        Assert.Equal(0, (await EndAsync(pausing)).Code);
        Assert.Equal(4, (await EndAsync(run)).Code);
        Assert.Equal(["first", "second"], Effects());
        Assert.Equal(0, (await CallAsync("resume", "r1")).Code);
        Assert.Equal(["first", "second", "third"], Effects());
    }

    [Fact]
    public async Task Logs_follow_a_run_until_it_ends()
    {
        var run = await BeginAsync("run", "--run-id", "r1");
        var following = Start("pawl", ["logs", "r1", "-f"]);
        Go();
        await EndAsync(run);
        var followed = await EndAsync(following);
        Assert.Equal(0, followed.Code);
        Assert.Contains("third, attempt 1: completed", followed.Out, StringComparison.Ordinal);
        Assert.Contains("r1 is completed", followed.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_goes_away_does_not_stop_the_run()
    {
        Go();
        var piped = await EndAsync(Start("/bin/sh", ["-c", "pawl run --run-id r1 | head -1"]));
        Assert.Equal(0, piped.Code);
        await Until(() => Effects().Length == 3, () => string.Join(',', Effects()));
    }

    [Fact]
    public async Task On_a_terminal_the_steps_are_drawn_in_place_and_colours_can_be_off()
    {
        Go();
        var drawn = await EndAsync(Start("script", ["-qec", "pawl run --run-id r1", "/dev/null"]));
        Assert.True(drawn.Code == 0, drawn.All);
        Assert.Contains("\e[32m✓", drawn.Out, StringComparison.Ordinal);
        Assert.Contains("3/3", drawn.Out, StringComparison.Ordinal);
        var plain = await EndAsync(Start("script", ["-qec", "NO_COLOR=1 pawl run --run-id r2", "/dev/null"]));
        Assert.DoesNotContain("\e[32m", plain.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("\e", (await CallAsync("run", "--run-id", "r3")).All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_checkpoint_that_cannot_be_written_stops_the_run_with_exit_5_and_loses_nothing()
    {
        var steps = Enumerable.Range(1, 8).Select(i => $"  - id: s{i}\n    run: |\n      echo s{i} >> effects\n      printf 'x=%03000d\\n' {i} >> \"$PAWL_OUTPUT\"\n");
        await File.WriteAllTextAsync(In("workflow.yaml"), $"name: big\nsteps:\n{string.Join("", steps)}", TestContext.Current.CancellationToken);
        // A limit on the size of files stands for a full disk. The runtime's own double mapping of code is a file, too.
        var full = await EndAsync(Start("bash", ["-c", "trap '' XFSZ; ulimit -f 16; DOTNET_EnableWriteXorExecute=0 DOTNET_EnableDiagnostics=0 pawl run --run-id r1 --json"]));
        Assert.True(full.Code == 5, $"{full.Code}: {full.All}");
        Assert.True(full.Json.GetProperty("checkpoint_write_failed").GetBoolean());
        Assert.Equal("failed", full.Json.GetProperty("status").GetString());
        Assert.Equal("pawl resume r1", full.Json.GetProperty("resume").GetString());
        var ran = Effects().Length;
        Assert.InRange(ran, 2, 7);

        var resumed = await CallAsync("resume", "r1", "--json");
        Assert.True(resumed.Code == 0, resumed.All);
        // Only the step whose checkpoint was not written runs again.
        Assert.Equal(9, Effects().Length);
        Assert.Equal(ran - 1, Texts(resumed.Json, "restored").Count);
    }

    [Fact]
    public async Task A_worker_tells_how_it_is_and_hands_a_long_run_over_within_its_limit_when_it_is_terminated()
    {
        Assert.Equal(0, (await CallAsync("enqueue", "--run-id", "r1")).Code);
        int port;
        using (var reserved = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0))
        {
            reserved.Start();
            port = ((System.Net.IPEndPoint)reserved.LocalEndpoint).Port;
        }
        var worker = await BeginAsync("worker", "--drain", "200ms", "--health-port", $"{port}");
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        using var healthy = await http.GetAsync("/healthz", TestContext.Current.CancellationToken);
        Assert.Equal(System.Net.HttpStatusCode.OK, healthy.StatusCode);
        var health = JsonDocument.Parse(await healthy.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal((1, false), (health.GetProperty("running").GetInt32(), health.GetProperty("draining").GetBoolean()));
        Assert.Equal(System.Net.HttpStatusCode.NotFound, (await http.GetAsync("/", TestContext.Current.CancellationToken)).StatusCode);
        Assert.Equal(0, Kill(worker.Id, 15));
        var ended = await EndAsync(worker);
        Assert.True(ended.Code == 0, ended.All);
        Assert.Contains("stopped; 1 runs were handed over", ended.Out, StringComparison.Ordinal);
        // It waits for the next worker, which goes on at once, and no death is counted.
        Assert.Equal("waiting", (await CallAsync("status", "r1", "--json")).Json.GetProperty("status").GetString());
        Go();
        var next = Start("pawl", ["worker"]);
        await Until(() => Effects().Length == 3, () => string.Join(' ', Effects()));
        Assert.Equal(0, Kill(next.Id, 15));
        Assert.Equal(0, (await EndAsync(next)).Code);
        Assert.Equal(["first", "second", "third"], Effects());
    }

    [Fact]
    public async Task The_version_is_one_line()
    {
        var version = await CallAsync("--version");
        Assert.Equal((0, $"{Pawl.Cli.Cli.Version}\n"), (version.Code, version.Out));
    }

    string In(string name) => Path.Combine(_folder, name);

    void Go() => File.WriteAllText(In("go"), "");

    string[] Effects() => File.Exists(In("effects")) ? File.ReadAllLines(In("effects")) : [];

    /// <summary>Starts a run and returns when its second step has begun.</summary>
    async Task<Process> BeginAsync(params string[] args)
    {
        var run = Start("pawl", args);
        await Until(() => File.Exists(In("began")) && new FileInfo(In("began")).Length > 0, () => $"the step did not begin (ended: {run.HasExited})");
        return run;
    }

    Process Start(string program, string[] args)
    {
        var start = new ProcessStartInfo(program == "pawl" ? In("bin/pawl") : program, args) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = $"{In("bin")}:{start.Environment["PATH"]}";
        start.Environment["TERM"] = "xterm";
        start.Environment.Remove("NO_COLOR");
        var process = Process.Start(start)!;
        _started.Add(process);
        return process;
    }

    async Task<Answer> CallAsync(params string[] args) => await EndAsync(Start("pawl", args));

    static async Task<Answer> EndAsync(Process process)
    {
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        await process.WaitForExitAsync(limit.Token);
        return new Answer(process.ExitCode, await output, await error);
    }

    static async Task Until(Func<bool> holds, Func<string> otherwise)
    {
        var waited = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.True(waited.Elapsed < Patience, otherwise());
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    static List<string?> Texts(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(text => text.GetString())];

    public void Dispose()
    {
        foreach (var process in _started)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.Dispose();
        }
        Go();
        Directory.Delete(_folder, recursive: true);
    }

    [DllImport("libc", EntryPoint = "kill")]
    static extern int Kill(int pid, int signal);
}
