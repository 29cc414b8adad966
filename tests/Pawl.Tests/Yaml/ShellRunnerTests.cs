using System.Diagnostics;
using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

/// <summary>A runtime folder and a working folder of its own, and a runner.</summary>
public abstract class ShellTest : IDisposable
{
    static int s_keys;

    protected string Folder { get; } = Directory.CreateTempSubdirectory("pawl-shell").FullName;

    private protected RuntimeDirectory Runtime { get; }

    private protected ShellRunner Runner { get; }

    protected List<string> Lines { get; } = [];

    protected string Key { get; } = $"test {Environment.ProcessId} {Interlocked.Increment(ref s_keys)}";

    protected ShellTest()
    {
        Runtime = RuntimeDirectory.Open(Path.Combine(Folder, "runtime"));
        Runner = new ShellRunner(TimeProvider.System, Runtime);
    }

    private protected ShellCommand Command(string script, ShellKind shell = ShellKind.Bash) => new() { Key = Key, Script = script, Shell = shell, WorkingDirectory = Folder };

    private protected Task<ShellOutcome> RunAsync(ShellCommand command, CancellationToken? cancellation = null) =>
        Runner.RunAsync(command, (line, isError) => { lock (Lines) Lines.Add(isError ? "! " + line : line); }, cancellation ?? TestContext.Current.CancellationToken);

    private protected Task<ShellOutcome> RunAsync(string script) => RunAsync(Command(script));

    protected static bool IsAlive(int pid) => ProcessTable.Find(pid) is not null;

    protected static async Task<bool> WithinAsync(int milliseconds, Func<bool> condition)
    {
        for (var watch = Stopwatch.StartNew(); !condition(); await Task.Delay(5, TestContext.Current.CancellationToken))
        {
            if (watch.ElapsedMilliseconds > milliseconds) return false;
        }
        return true;
    }

    protected int ReadPid(string file) => int.Parse(File.ReadAllText(Path.Combine(Folder, file)), System.Globalization.CultureInfo.InvariantCulture);

    protected Task<bool> FileWrittenAsync(string file) =>
        WithinAsync(20_000, () => File.Exists(Path.Combine(Folder, file)) && new FileInfo(Path.Combine(Folder, file)).Length > 0);

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        Directory.Delete(Folder, recursive: true);
    }
}

public sealed class ShellRunnerTests : ShellTest
{
    [Theory]
    [InlineData(ShellKind.Bash)]
    [InlineData(ShellKind.Sh)]
    public async Task A_script_gives_output_and_outputs(object shell)
    {
        var outcome = await RunAsync(Command("echo out; echo err >&2; echo \"n=$((6*7))\" >> \"$PAWL_OUTPUT\"; pwd", (ShellKind)shell) with { Environment = new Dictionary<string, string> { ["X"] = "a b" } });
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal("""{"n":"42"}""", outcome.Outputs.ToString());
        Assert.Equal(["! err", Folder, "out"], Lines.Order(StringComparer.Ordinal));
        Assert.Equal(4 + 4 + Folder.Length + 1, outcome.Log.Length);
        Assert.Empty(Runtime.Find(""));
        var result = outcome.ToResult();
        Assert.Equal(StepStatus.Completed, result.Status);
        Assert.Equal($$"""{"exit_code":0,"log":{"sha256":"{{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(outcome.Log.Span))}}","bytes":{{outcome.Log.Length}} } }""".Replace(" ", "", StringComparison.Ordinal), result.Info.ToString());
        Assert.Equal(outcome.Log, Assert.Single(result.Attachments!));
    }

    [Theory]
    [InlineData("false; echo no", 1, ErrorClass.Transient, "The script ended with exit code 1.")]
    [InlineData("echo a; exit 3", 3, ErrorClass.Transient, "The script ended with exit code 3.")]
    [InlineData("no-such-command", 127, ErrorClass.Permanent, "The script ended with exit code 127: a command was not found. Is it installed, and its folder on PATH?")]
    [InlineData("true | false | true", 1, ErrorClass.Transient, "The script ended with exit code 1.")]
    [InlineData("kill -SEGV $$", 139, ErrorClass.Transient, "The script ended with exit code 139 (SIGSEGV).")]
    [InlineData("kill -KILL $$", 137, ErrorClass.Transient, "The script ended with exit code 137 (SIGKILL): something killed it, often the system because memory ran out.")]
    [InlineData("touch f; ./f", 126, ErrorClass.Permanent, "The script ended with exit code 126: a command was found but cannot be executed. Is it executable (chmod +x), and made for this machine?")]
    public async Task A_failing_script_fails_with_its_code(string script, int code, ErrorClass errorClass, string message)
    {
        var outcome = await RunAsync($"echo 'last words'; {script}");
        Assert.Equal(code, outcome.ExitCode);
        var error = outcome.ToResult().Error!;
        Assert.Equal(("exit_code", errorClass, message), (error.Type, error.Class, error.Message));
        Assert.StartsWith("last words", error.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_outputs_fail_the_step_for_good()
    {
        var error = (await RunAsync("echo x >> $PAWL_OUTPUT")).ToResult().Error!;
        Assert.Equal(("bad_output", ErrorClass.Permanent), (error.Type, error.Class));
        Assert.Contains("Line 1", error.Message, StringComparison.Ordinal);
        Assert.Equal("{}", (await RunAsync("rm $PAWL_OUTPUT; touch $PAWL_OUTPUT")).Outputs.ToString());
        Assert.Contains("cannot be read", (await RunAsync("rm $PAWL_OUTPUT")).OutputProblem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ten_megabytes_of_outputs_arrive()
    {
        var outcome = await RunAsync("{ printf 'big='; head -c 10000000 /dev/zero | tr '\\0' x; } > $PAWL_OUTPUT");
        Assert.Equal("""{"big":""}""".Length + 10_000_000, outcome.Outputs.Utf8.Length);
    }

    [Fact]
    public async Task Binary_output_and_endless_lines_do_no_harm()
    {
        var outcome = await RunAsync("head -c 10000000 /dev/urandom; head -c 10000000 /dev/zero | tr '\\0' x >&2");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Equal(20_000_000 - 4 * 1024 * 1024, outcome.LogLeftOut);
        Assert.Contains($"\"log_left_out\":{outcome.LogLeftOut}", outcome.ToResult().Info.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Output_is_shown_as_it_comes()
    {
        var running = RunAsync("echo first; while [ ! -e go ]; do sleep 0.01; done; echo second");
        Assert.True(await WithinAsync(10_000, () => { lock (Lines) return Lines.Contains("first"); }));
        Assert.False(running.IsCompleted);
        File.WriteAllText(Path.Combine(Folder, "go"), "");
        await running;
        Assert.Equal(["first", "second"], Lines);
    }

    [Fact]
    public async Task Secrets_do_not_leave_the_step()
    {
        var outcome = await RunAsync(Command("echo \"is $TOKEN\"; printf hun; sleep 0.05; echo ter2; echo $TOKEN | base64; echo t=$TOKEN >> $PAWL_OUTPUT") with
        {
            Secrets = ["hunter2"],
            Environment = new Dictionary<string, string> { ["TOKEN"] = "hunter2" },
        });
        Assert.Equal(["is ***", "***"], Lines[..2]);
        Assert.StartsWith("***", Lines[2], StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", Encoding.UTF8.GetString(outcome.Log.Span), StringComparison.Ordinal);
        Assert.Contains("secret", outcome.ToResult().Error!.Message, StringComparison.Ordinal);
        Assert.Equal("{}", outcome.Outputs.ToString());
    }

    [Fact]
    public async Task A_script_reads_nothing_and_is_private()
    {
        await RunAsync("cat; stat -c %a \"$0\" \"$PAWL_OUTPUT\"; ls -l /proc/self/fd | grep -c '^lr-x.*pipe' || true; echo \"${PAWL_PARAM_OUTER-unset}\"");
        // No pipe to read from: the one that ties the step to the runner is not the step's.
        Assert.Equal(["600", "600", "0", "unset"], Lines);
    }

    [Fact]
    public async Task Signals_reach_the_processes_of_a_step_as_usual()
    {
        const string script = "trap 'echo got int' INT; kill -INT $$; trap 'echo got term' TERM; kill -TERM $$; sleep 100 & kill -TERM $!; wait $! || echo $?; trap";
        // Compared with bash alone, because signals that this program's own starter ignored stay ignored.
        using var alone = Process.Start(new ProcessStartInfo("bash", ["--norc", "-c", script]) { RedirectStandardOutput = true })!;
        var expected = await alone.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await RunAsync(script);
        Assert.Contains("got term", Lines);
        Assert.Equal(expected, string.Concat(Lines.Where(line => !line.StartsWith('!')).Select(line => line + "\n")));
    }

    [Fact]
    public async Task Left_behind_background_processes_end_with_the_step()
    {
        var watch = Stopwatch.StartNew();
        await RunAsync("sleep 1000 & echo $! > pid; (sleep 1000; echo never) &");
        Assert.True(watch.ElapsedMilliseconds < 5000);
        Assert.True(await WithinAsync(1000, () => !IsAlive(ReadPid("pid"))));
    }

    [Fact]
    public async Task A_daemon_that_keeps_the_pipe_does_not_hold_the_runner()
    {
        var watch = Stopwatch.StartNew();
        var outcome = await RunAsync("echo before; setsid sh -c 'echo $$ > pid; exec sleep 1000' & while [ ! -s pid ]; do sleep 0.01; done");
        try
        {
            Assert.Equal(0, outcome.ExitCode);
            Assert.Equal(["before"], Lines);
            Assert.True(watch.ElapsedMilliseconds < 5000);
            Assert.True(IsAlive(ReadPid("pid")), "A daemon on purpose lives on.");
            // … until the step runs again.
            await RunAsync(Command("true") with { IsRepeated = true });
            Assert.False(IsAlive(ReadPid("pid")));
        }
        finally
        {
            if (IsAlive(ReadPid("pid"))) Posix.Signal(ReadPid("pid"), Posix.SigKill);
        }
    }

    [Fact]
    public async Task A_cancelled_script_may_tidy_up()
    {
        using var cancellation = new CancellationTokenSource();
        var running = RunAsync(Command("trap 'echo tidy; exit 7' TERM; echo x > ready; while :; do sleep 0.01; done"), cancellation.Token);
        Assert.True(await FileWrittenAsync("ready"));
        await cancellation.CancelAsync();
        var outcome = await running;
        Assert.Contains("tidy", Lines);
        Assert.Equal((true, 7), (outcome.WasStopped, outcome.ExitCode));
        Assert.Equal(("stopped", ErrorClass.Transient), (outcome.ToResult().Error!.Type, outcome.ToResult().Error!.Class));
        Assert.Empty(Runtime.Find(""));
    }

    [Fact]
    public async Task Children_get_their_grace_also_when_the_script_ends_first()
    {
        using var cancellation = new CancellationTokenSource();
        var running = RunAsync(Command("(trap 'sleep 0.3; echo tidy > tidied; exit' TERM; echo x > ready; while :; do sleep 0.01; done) & wait"), cancellation.Token);
        Assert.True(await FileWrittenAsync("ready"));
        await cancellation.CancelAsync();
        await running;
        Assert.True(File.Exists(Path.Combine(Folder, "tidied")));
    }

    [Fact]
    public async Task What_ignores_the_request_to_end_is_killed_with_all_its_jobs()
    {
        using var cancellation = new CancellationTokenSource();
        var script = "trap '' TERM; set -m; (trap '' TERM; sleep 1000) & echo $! > job; set +m; (trap '' TERM; while :; do sleep 1; done) & echo $! > child; echo x > ready; while :; do sleep 1; done";
        var running = RunAsync(Command(script) with { Grace = TimeSpan.FromMilliseconds(200) }, cancellation.Token);
        Assert.True(await FileWrittenAsync("ready"));
        var watch = Stopwatch.StartNew();
        await cancellation.CancelAsync();
        var outcome = await running;
        Assert.InRange(watch.ElapsedMilliseconds, 180, 5000);
        Assert.True(outcome.WasStopped);
        Assert.True(await WithinAsync(1000, () => !IsAlive(ReadPid("job")) && !IsAlive(ReadPid("child"))));
    }

    [Fact]
    public async Task What_cannot_be_started_says_what_to_do()
    {
        async Task<string> FailAsync(ShellCommand command)
        {
            var error = await Assert.ThrowsAsync<StepException>(() => RunAsync(command));
            Assert.Equal(ErrorClass.Permanent, error.Class);
            return error.Message;
        }
        Assert.Contains("'pwsh' (PowerShell), and it is not on PATH. Install it", await FailAsync(Command("", ShellKind.Pwsh) with { Environment = new Dictionary<string, string> { ["PATH"] = Folder } }), StringComparison.Ordinal);
        Assert.Contains("does not exist", await FailAsync(Command("") with { WorkingDirectory = "/no/such/folder" }), StringComparison.Ordinal);
        Assert.Contains("PAWL_PARAM_X cannot be given to the script: it has 200000 bytes", await FailAsync(Command("") with { Environment = new Dictionary<string, string> { ["PAWL_PARAM_X"] = new string('x', 200_000) } }), StringComparison.Ordinal);
        var many = Enumerable.Range(0, 30).ToDictionary(i => $"V{i}", _ => new string('x', 120_000));
        Assert.Contains("All variables together are too large", await FailAsync(Command("") with { Environment = many }), StringComparison.Ordinal);
        Assert.Empty(Runtime.Find(""));
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void A_runtime_folder_that_is_not_private_is_refused()
    {
        var link = Path.Combine(Folder, "link");
        Directory.CreateSymbolicLink(link, Runtime.Path);
        Assert.Contains("symbolic link", Assert.Throws<StepException>(() => RuntimeDirectory.Open(link)).Message, StringComparison.Ordinal);
        var open = Directory.CreateDirectory(Path.Combine(Folder, "open"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute);
        Assert.Contains("0700", Assert.Throws<StepException>(() => RuntimeDirectory.Open(open.FullName)).Message, StringComparison.Ordinal);
        Assert.Equal(Posix.EffectiveUser, Posix.OwnerOf(Runtime.Path));
        Assert.Equal(0u, Posix.OwnerOf("/proc/self/../1"));
    }

    [Fact]
    public async Task A_receiver_of_lines_that_throws_does_not_block_the_script()
    {
        var command = Command("seq 200000; echo x > ran");
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => Runner.RunAsync(command, (_, _) => throw new InvalidTimeZoneException(), TestContext.Current.CancellationToken));
        Assert.True(File.Exists(Path.Combine(Folder, "ran")));
        Assert.Empty(Runtime.Find(""));
    }

    [Fact]
    public async Task Steps_leave_no_descriptors_open()
    {
        static int Open() => Directory.GetFileSystemEntries("/proc/self/fd").Length;
        var before = Open();
        for (var i = 0; i < 50; i++) await RunAsync(Command("true", ShellKind.Sh));
        // Other tests of the process come and go; what these steps left open would stay.
        for (var waited = Stopwatch.StartNew(); Open() >= before + 100;)
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(60), $"{before} descriptors before, {Open()} after 50 steps.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_shell_step_costs_little()
    {
        var quickest = TimeSpan.MaxValue;
        for (var i = 0; i < 10; i++)
        {
            var began = Stopwatch.GetTimestamp();
            await RunAsync("true");
            quickest = TimeSpan.FromTicks(Math.Min(quickest.Ticks, Stopwatch.GetElapsedTime(began).Ticks));
        }
        // The quickest, because other tests run at the same time; a step that waits for anything is slower every time.
        Assert.True(quickest < TimeSpan.FromMilliseconds(100), $"{quickest.TotalMilliseconds} ms");
    }
}
