using System.Diagnostics;
using System.Globalization;
using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

/// <summary>What becomes of a step when its runner is killed. The runner is this test program, started once more to run nothing but <see cref="Victim"/>.</summary>
public sealed class ShellOrphanTests : ShellTest
{
    // A script with a child, a background grandchild, and a job with a group of its own; each writes its process id.
    const string Tree = """
        trap '' TERM HUP INT
        echo $$ > main
        bash -c 'echo $$ > child; (sleep 1000 & echo $! > grandchild; wait) & wait' &
        set -m; sleep 1000 & echo $! > job; set +m
        while [ ! -s grandchild ]; do sleep 0.01; done
        echo x > ready
        while :; do sleep 0.2; done
        """;

    static readonly string[] TreeFiles = ["main", "child", "grandchild", "job"];

    [Fact(Explicit = true)]
    public async Task Victim()
    {
        if (Environment.GetEnvironmentVariable("PAWL_VICTIM") is not { } folder) return;
        var runner = new ShellRunner(TimeProvider.System, RuntimeDirectory.Open(Path.Combine(folder, "runtime")));
        var command = new ShellCommand { Key = Environment.GetEnvironmentVariable("PAWL_VICTIM_KEY")!, Script = File.ReadAllText(Path.Combine(folder, "script")), WorkingDirectory = folder };
        await runner.RunAsync(command, null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Kill_9_of_the_runner_leaves_no_process_of_the_step()
    {
        using var runner = StartVictim(Tree);
        Assert.True(await FileWrittenAsync("ready"));
        Assert.All(TreeFiles, file => Assert.True(IsAlive(ReadPid(file)), file));
        runner.Kill();
        var gone = await WithinAsync(1000, () => !TreeFiles.Any(file => IsAlive(ReadPid(file))));
        Assert.True(gone, $"Alive: {string.Join(' ', TreeFiles.Where(file => IsAlive(ReadPid(file))))}");
    }

    [Fact]
    public async Task What_a_killed_runner_left_is_ended_before_the_step_runs_again()
    {
        using var runner = StartVictim(Tree);
        Assert.True(await FileWrittenAsync("ready"));
        // The watcher is the leader's twin: a fork of the same shell. Without it the step outlives the runner.
        var leader = ProcessTable.Find(ReadPid("main"))!.Value.Session;
        var watcher = ProcessTable.All().Single(process => process.Group == leader && process.Id != leader && CommandLine(process.Id) == CommandLine(leader));
        Posix.Signal(watcher.Id, Posix.SigKill);
        runner.Kill();
        await runner.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(IsAlive(ReadPid("main")));

        await RunAsync("for p in $(cat main child grandchild job); do [ ! -e /proc/$p ] || grep -q '^State:.Z' /proc/$p/status || echo alive; done; echo checked");
        Assert.Equal(["checked"], Lines);
        Assert.Empty(Runtime.Find(""));
    }

    [Fact]
    public async Task A_daemon_of_a_killed_runner_is_found_by_its_mark()
    {
        using var runner = StartVictim("setsid sh -c 'echo $$ > daemon; exec sleep 1000' & while [ ! -s daemon ]; do sleep 0.01; done; echo x > ready; while :; do sleep 0.2; done");
        Assert.True(await FileWrittenAsync("ready"));
        runner.Kill();
        await runner.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(IsAlive(ReadPid("daemon")));
        await RunAsync("true");
        Assert.False(IsAlive(ReadPid("daemon")));
    }

    [Fact]
    public async Task The_step_of_a_living_runner_is_left_alone()
    {
        using var runner = StartVictim(Tree);
        Assert.True(await FileWrittenAsync("ready"));
        await RunAsync(Command("true") with { IsRepeated = true });
        Assert.True(IsAlive(ReadPid("main")));
        Assert.Single(Runtime.Find(""), file => file.EndsWith(".group", StringComparison.Ordinal));
        runner.Kill();
        Assert.True(await WithinAsync(1000, () => !IsAlive(ReadPid("main"))));
    }

    [Theory]
    [InlineData("{realm} {pid} 1 4194303 1\n")]
    [InlineData("other-boot {pid} {started} 4194303 1\n")]
    [InlineData("{realm} {pid} {sta")]
    [InlineData("{realm} 1 1 1 1\n")]
    [InlineData("{realm} -1 99999999999999999999 x 1\n")]
    [InlineData("")]
    public async Task A_group_file_that_tells_of_something_else_harms_nobody(string content)
    {
        using var bystander = Process.Start("setsid", ["sleep", "1000"]);
        try
        {
            Assert.True(await WithinAsync(5000, () => ProcessTable.Find(bystander.Id)?.Session == bystander.Id));
            var facts = ProcessTable.Find(bystander.Id)!.Value;
            var text = content.Replace("{realm}", ProcessTable.Realm, StringComparison.Ordinal).Replace("{pid}", $"{bystander.Id}", StringComparison.Ordinal).Replace("{started}", $"{facts.Started}", StringComparison.Ordinal);
            Runtime.Create($"{StepGroup.KeyOf(Key)}.4194303-1-1.group", Encoding.UTF8.GetBytes(text));
            await RunAsync("true");
            Assert.True(IsAlive(bystander.Id));
            Assert.Empty(Runtime.Find(""));
        }
        finally
        {
            bystander.Kill();
        }
    }

    [Fact]
    public async Task A_left_over_that_ignores_the_request_is_killed_and_one_of_ours_is_known_by_its_start()
    {
        using var left = Process.Start("setsid", ["bash", "-c", $"trap '' TERM; echo x > {Folder}/ready; while :; do sleep 0.2; done"]);
        Assert.True(await FileWrittenAsync("ready"));
        var facts = ProcessTable.Find(left.Id)!.Value;
        Runtime.Create($"{StepGroup.KeyOf(Key)}.4194303-1-1.group", Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{ProcessTable.Realm} {left.Id} {facts.Started} 4194303 1\n")));
        await RunAsync("true");
        Assert.False(IsAlive(left.Id));
    }

    Process StartVictim(string script)
    {
        File.WriteAllText(Path.Combine(Folder, "script"), script);
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet") start.ArgumentList.Add(typeof(ShellOrphanTests).Assembly.Location);
        foreach (var word in new[] { "--filter-method", $"{typeof(ShellOrphanTests).FullName}.{nameof(Victim)}", "--explicit", "only" }) start.ArgumentList.Add(word);
        start.Environment["PAWL_VICTIM"] = Folder;
        start.Environment["PAWL_VICTIM_KEY"] = Key;
        return Process.Start(start)!;
    }

    static string CommandLine(int pid) => File.ReadAllText($"/proc/{pid}/cmdline");
}
