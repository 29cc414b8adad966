using Pawl.Tests.Docs;

namespace Pawl.Tests.Cli;

/// <summary>Signals, decisions, queues and the worker as commands.</summary>
public sealed class WaitLaws
{
    static CommandLab Release()
    {
        var lab = new CommandLab();
        lab.Write("workflow.yaml", File.ReadAllText(Path.Combine(Repository.Root, "samples/release/workflow.yaml")));
        return lab;
    }

    [Fact]
    public async Task A_run_that_waits_ends_with_4_and_names_the_commands_that_go_on()
    {
        using var lab = Release();
        var run = await lab.RunAsync("run", "--run-id", "r1");
        Assert.True(run.Code == 4, run.All);
        Assert.Contains("pawl approve r1 gate/approval", run.Out, StringComparison.Ordinal);
        Assert.Contains("pawl signal r1 scan-report", run.Out, StringComparison.Ordinal);
        Assert.Contains("Publish 1.0.0 (14 bytes)?", run.Out, StringComparison.Ordinal);
        var list = await lab.RunAsync("list", "--status", "waiting");
        Assert.Contains("waits for a decision: Publish 1.0.0", list.Out, StringComparison.Ordinal);
        var resumed = await lab.RunAsync("resume", "r1");
        Assert.True(resumed.Code == 4, resumed.All);
        Assert.Contains("pawl approve", resumed.Error, StringComparison.Ordinal);
        // The plan says what the resume would say.
        var plan = await lab.RunAsync("resume", "r1", "--plan");
        Assert.Equal(4, plan.Code);
        Assert.Contains("waits in 'gate/approval' for a decision", plan.All, StringComparison.Ordinal);

        Assert.Equal(0, (await lab.RunAsync("approve", "r1", "--by", "ann", "--reason", "fine")).Code);
        Assert.Equal(3, (await lab.RunAsync("reject", "r1", "gate")).Code);
        Assert.Equal(0, (await lab.RunAsync("signal", "r1", "scan-report", """{"result":"clean"}""")).Code);
        Assert.Contains("the first one counts", (await lab.RunAsync("signal", "r1", "scan-report")).Out, StringComparison.Ordinal);
        resumed = await lab.RunAsync("resume", "r1", "--json");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal("published by ann, scan: clean", (await File.ReadAllTextAsync(lab.Path_("build/release/published"), TestContext.Current.CancellationToken)).Trim());
    }

    [Fact]
    public async Task A_rejected_step_fails_its_run_and_asks_again_when_it_is_resumed()
    {
        using var lab = Release();
        await lab.RunAsync("run", "--run-id", "r1");
        await lab.RunAsync("reject", "r1", "--by", "bob", "--reason", "too early");
        await lab.RunAsync("signal", "r1", "scan-report", """{"result":"clean"}""");
        var failed = await lab.RunAsync("resume", "r1", "--json");
        Assert.Equal((1, "rejected by bob: too early"), (failed.Code, failed.Json.GetProperty("error").GetString()));
        Assert.Equal(4, (await lab.RunAsync("resume", "r1")).Code);
        await lab.RunAsync("approve", "r1", "--by", "bob");
        Assert.Equal(0, (await lab.RunAsync("resume", "r1")).Code);
    }

    [Fact]
    public async Task What_is_waited_for_is_in_the_machine_readable_answers()
    {
        using var lab = Release();
        var run = await lab.RunAsync("run", "--run-id", "r1", "--json");
        Assert.Equal(["gate/approval", "scanned/scan-report"], run.Json.GetProperty("waits").EnumerateArray().Select(wait => wait.GetProperty("step").GetString()).Order());
        var status = await lab.RunAsync("list", "--json");
        Assert.Equal(2, status.Json.GetProperty("runs")[0].GetProperty("waits").GetArrayLength());
        Assert.Contains("Nothing", (await lab.RunAsync("approve", "nothing")).All + "Nothing", StringComparison.Ordinal);
        var wrong = await lab.RunAsync("approve", "r1", "build");
        Assert.DoesNotContain("(Parameter", wrong.Error, StringComparison.Ordinal);
        Assert.Equal(2, wrong.Code);
        Assert.Contains("'gate/approval'", wrong.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.RunAsync("signal", "r1", "a b")).Code);
    }

    [Fact]
    public async Task A_worker_executes_what_is_enqueued_wakes_what_is_signalled_and_stops_when_asked()
    {
        using var lab = Release();
        using var stop = new CancellationTokenSource();
        Assert.Equal(0, (await lab.RunAsync("enqueue", "--run-id", "r1", "--param", "version=2.0.0")).Code);
        Assert.Equal("pending", (await lab.RunAsync("status", "r1", "--json")).Json.GetProperty("status").GetString());
        using var workers = new CommandLabOf(lab, stop.Token);
        var worker = workers.RunAsync("worker", "--concurrency", "2");
        await UntilAsync(lab, "r1", "waiting");
        await lab.RunAsync("approve", "r1", "--by", "ann");
        await lab.RunAsync("signal", "r1", "scan-report", """{"result":"clean"}""");
        await UntilAsync(lab, "r1", "completed");
        await stop.CancelAsync();
        var ended = await worker;
        Assert.True(ended.Code == 0, ended.All);
        Assert.Contains("serves default", ended.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_is_approved_while_another_of_its_steps_runs()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", """
            name: w
            steps:
              - id: long
                run: for i in $(seq 150); do test -f published && exit 0; sleep 0.02; done; exit 1
              - id: gate
                needs: []
                approval: { message: "Publish?" }
              - id: publish
                needs: gate
                run: touch published
            """);
        var run = lab.RunAsync("run", "--run-id", "r1");
        while (!(await lab.RunAsync("status", "r1")).Out.Contains("asks      gate/approval: Publish?", StringComparison.Ordinal) && !run.IsCompleted) await Task.Yield();
        Assert.Equal("gate/approval", (await lab.RunAsync("status", "r1", "--json")).Json.GetProperty("waits")[0].GetProperty("step").GetString());
        var approved = await lab.RunAsync("approve", "r1", "--by", "ann");
        Assert.True(approved.Code == 0, approved.All);
        Assert.Contains("'gate/approval' is approved by ann", approved.Out, StringComparison.Ordinal);
        var done = await run;
        Assert.True(done.Code == 0, done.All);
    }

    [Theory]
    [InlineData("mail:speed=3", "'speed=3' is not understood")]
    [InlineData("../x", "a queue's name has letters")]
    [InlineData("mail:concurrency=0", "'0' is not understood")]
    public async Task A_queue_that_cannot_be_read_is_refused(string queue, string problem)
    {
        using var lab = Release();
        var answer = await lab.RunAsync("worker", "--queue", queue);
        Assert.Equal(2, answer.Code);
        Assert.Contains(problem, answer.Error, StringComparison.Ordinal);
    }

    static async Task UntilAsync(CommandLab lab, string run, string status)
    {
        string? now = null;
        for (var i = 0; i < 300; i++)
        {
            now = (await lab.RunAsync("status", run, "--json")).Json.GetProperty("status").GetString();
            if (now == status) return;
            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
        Assert.Equal(status, now);
    }

    /// <summary>Another caller in the same folder.</summary>
    sealed class CommandLabOf(CommandLab lab, CancellationToken stop) : IDisposable
    {
        readonly StringWriter _output = new(), _error = new();

        public async Task<Answer> RunAsync(params string[] args)
        {
            var output = TextWriter.Synchronized(_output);
            var code = await Pawl.Cli.Cli.RunAsync(args, new Pawl.Cli.Caller { Out = output, Error = output, Directory = lab.Folder, Stop = stop, Variable = name => name == "PATH" ? Environment.GetEnvironmentVariable("PATH") : null });
            return new Answer(code, _output.ToString(), _error.ToString());
        }

        public void Dispose()
        {
            _output.Dispose();
            _error.Dispose();
        }
    }

    [Theory]
    [InlineData("--no-checkpoint", false)]
    [InlineData(null, true)]
    [InlineData(null, false)]
    public async Task A_run_that_is_kept_nowhere_and_would_ask_is_refused_before_its_first_step(string? option, bool variable)
    {
        using var lab = new CommandLab();
        lab.Stop = new CancellationTokenSource(TimeSpan.FromSeconds(5)).Token;
        if (variable) lab["CHECKPOINT_ENABLED"] = "false";
        var off = option is null && !variable ? "checkpointing: { strategy: off }\n" : "";
        lab.Write("workflow.yaml", $"name: w\n{off}steps:\n  - {{ id: first, run: touch first }}\n  - {{ id: all, group: [{{ id: gate, approval: {{ message: Publish? }} }}] }}\n");
        var refused = await lab.RunAsync(option is null ? ["run"] : ["run", option]);
        Assert.True(refused.Code == 2, refused.All);
        Assert.Contains("'all/gate'", refused.Error, StringComparison.Ordinal);
        Assert.Contains("checkpoints are off", refused.Error, StringComparison.OrdinalIgnoreCase);
        Assert.False(File.Exists(lab.Path_("first")));
        // Without that step it may run.
        Assert.Equal(0, (await lab.RunAsync([.. option is null ? ["run"] : new[] { "run", option }, "--only", "first"])).Code);
    }

    [Fact]
    public async Task An_interrupted_run_that_is_kept_nowhere_does_not_say_that_something_is_kept()
    {
        using var lab = new CommandLab();
        using var stop = new CancellationTokenSource();
        lab.Stop = stop.Token;
        lab.Write("workflow.yaml", "name: w\nsteps:\n  - { id: long, run: 'touch began; for i in $(seq 250); do sleep 0.02; done' }\n");
        var run = lab.RunAsync("run", "--no-checkpoint");
        while (!File.Exists(lab.Path_("began")) && !run.IsCompleted) await Task.Yield();
        await stop.CancelAsync();
        var ended = await run;
        Assert.Equal(130, ended.Code);
        Assert.Contains("nothing of it is kept", ended.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("is kept\n", ended.Out.Replace("nothing of it is kept", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }
}
