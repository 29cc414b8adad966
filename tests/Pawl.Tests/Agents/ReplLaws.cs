using Pawl.Cli.Repl;
using Pawl.Tests.Cli;

namespace Pawl.Tests.Agents;

/// <summary>The conversation at a prompt: the real process, over a pipe and on a terminal.</summary>
public sealed class ReplLaws : IDisposable
{
    const string Prompt = "🎯 Your task: ", Continuing = "🎯 Your task (continuing): ";

    static readonly Dictionary<string, string> s_quick = new() { ["COUNT_SECONDS"] = "0" };

    readonly FleetFolder _folder = new();
    readonly CommandLab _lab = new();

    public void Dispose()
    {
        _folder.Dispose();
        _lab.Dispose();
    }

    [Fact]
    public async Task A_task_is_worked_on_round_by_round_and_its_checkpoints_and_costs_are_there()
    {
        await using var repl = AgentProcess.Start(_folder.Path, ["repl", "fleet.yaml"], s_quick);
        await repl.UntilAsync(Prompt);
        repl.Write("Which note is the longest?\n");
        var told = await repl.UntilAsync(Prompt, 2);
        Assert.Contains("Checkpointing: on (file:.checkpoints)", told, StringComparison.Ordinal);
        Assert.Contains("Approvals: on", told, StringComparison.Ordinal);
        foreach (var part in (string[])["── round 1 of 8", "orchestrator → coder: How many words has harbour.txt?", "✓ count_words", "coder: harbour.txt has 21 words.", "tokens, 16 calls so far", "orchestrator: lighthouse.txt is the longest note; it has 30 words.", "✓ report", "completed in"])
            Assert.Contains(part, told, StringComparison.Ordinal);

        repl.Write("checkpoints\n");
        var listed = (await repl.UntilAsync(Prompt, 3))[told.Length..];
        foreach (var part in (string[])["CHECKPOINT ID", "WORKFLOW ID", "ROUND", "TIMESTAMP", "STATUS", "in_progress", "completed"]) Assert.Contains(part, listed, StringComparison.Ordinal);
        repl.Write("costs\nhelp\nplan the next steps of this with care\n");
        var all = await repl.UntilAsync(Prompt, 6);
        Assert.Contains("STEP", all, StringComparison.Ordinal);
        Assert.Contains("list-checkpoints", all, StringComparison.Ordinal);
        // A sentence that begins with a command's word is a task.
        Assert.Equal(2, all.Split("completed in").Length - 1);
        repl.Write("q\n");
        Assert.Equal(0, await repl.EndAsync());
    }

    [Fact]
    public async Task Each_command_of_the_prompt_answers_for_the_newest_run()
    {
        _lab.Write("pawl.yaml", "models: { default: { scripted: answers.yaml } }");
        _lab.Write("answers.yaml", "- { agent: ask, text: hello }");
        _lab.Write("workflow.yaml", """
            name: one
            params: { task: { type: string } }
            steps: [{ id: ask, agent: { prompt: "${{ params.task }}" } }]
            """);
        await using var repl = AgentProcess.Start(_lab.Folder, ["repl"]);
        await repl.UntilAsync(Prompt);
        repl.Write("greet me\n");
        await repl.UntilAsync(Prompt, 2);
        var prompts = 2;
        var run = Assert.Single((await _lab.RunAsync("list", "--json")).Json.GetProperty("runs").EnumerateArray()).GetProperty("run_id").GetString();
        foreach (var (command, told) in new[]
        {
            ("list-checkpoints", "no checkpoints of rounds yet"), ("show", "completed"), ("plan", "is completed"), ("costs", "STEP"), ("approve", "asks for no approval"), ("reject", "asks for no approval"),
            ("fork", "Name a step"), ("resume", "Name a step"), ($"fork {run} ask\n", "Cancelled."), ($"fork {run} ask\nonce more", "is a fork of"),
        })
        {
            var before = repl.Output.Length;
            repl.Write(command + "\n");
            await AgentProcess.WaitAsync(() => repl.Output[before..].Contains(told, StringComparison.OrdinalIgnoreCase), () => $"'{command}' did not answer with '{told}': {repl.Output[before..]}");
            await repl.UntilAsync(Prompt, ++prompts);
        }
        repl.Write("quit\n");
        Assert.Equal(0, await repl.EndAsync());
        Assert.Equal(2, (await _lab.RunAsync("list", "--json")).Json.GetProperty("runs").GetArrayLength());
    }

    [Fact]
    public async Task Going_on_keeps_the_first_request_and_nothing_said_cancels()
    {
        var ends = false;
        var fails = true;
        using var server = new ModelServer(request => Interlocked.Exchange(ref fails, false) ? ModelReply.Fails(503, "just a moment") : request.Said[0].Role != "system" ? ModelReply.Says($"working {request.Number}") : ModelReply.Says(Volatile.Read(ref ends) ? "FINAL_ANSWER: enough" : "DELEGATE: worker - go on"));
        _lab.Write("pawl.yaml", $$"""models: { default: { endpoint: {{server.Endpoint}}, model: m } }""");
        _lab.Write("workflow.yaml", """
            name: team
            params: { task: { type: string } }
            steps: [{ id: team, retry: { attempts: 2, delay: 1ms }, agents: { protocol: delegate, task: "${{ params.task }}", agents: { worker: { description: Works. } }, max_rounds: 2 } }]
            """);
        await using var repl = AgentProcess.Start(_lab.Folder, ["repl"]);
        await repl.UntilAsync(Prompt);
        repl.Write("the first request\n");
        Assert.Contains("max_rounds is 2", await repl.UntilAsync(Prompt, 2), StringComparison.Ordinal);
        var calls = server.Calls;
        repl.Write("resume\n");
        await repl.UntilAsync(Continuing);
        repl.Write("\n");
        await repl.UntilAsync("Cancelled.");
        Assert.Equal(calls, server.Calls);

        Volatile.Write(ref ends, true);
        repl.Write("resume\nthe second request\n");
        Assert.Contains("worker: working", await repl.UntilAsync(Prompt, 4), StringComparison.Ordinal);
        Assert.Contains("completed in", repl.Output, StringComparison.Ordinal);
        Assert.Equal(calls + 1, server.Calls);
        Assert.InRange(server.Requests[^1].Text.IndexOf("the first request", StringComparison.Ordinal), 0, server.Requests[^1].Text.IndexOf("the second request", StringComparison.Ordinal));

        // A completed run stays as it is: what is said to it is said to a fork of it.
        repl.Write("resume\nthe third request\n");
        Assert.Contains("is a fork of", await repl.UntilAsync(Prompt, 5), StringComparison.Ordinal);
        Assert.Contains("the third request", server.Requests[^1].Text, StringComparison.Ordinal);
        Assert.Contains("enough", server.Requests[^1].Text, StringComparison.Ordinal);
        Assert.Equal(calls + 2, server.Calls);
        repl.Write("resume no-such-run\nexit\n");
        Assert.Equal(0, await repl.EndAsync());
        Assert.Contains("no-such-run", repl.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ctrl_c_stops_the_run_and_not_the_conversation()
    {
        var asked = new TaskCompletionSource();
        using var server = new ModelServer(_ =>
        {
            asked.TrySetResult();
            return new ModelReply { Delay = TimeSpan.FromMinutes(5) };
        });
        _lab.Write("pawl.yaml", $$"""models: { default: { endpoint: {{server.Endpoint}}, model: m } }""");
        _lab.Write("workflow.yaml", """
            name: one
            params: { task: { type: string } }
            steps: [{ id: ask, agent: { prompt: "${{ params.task }}" } }]
            """);
        await using var repl = AgentProcess.Start(_lab.Folder, ["repl"]);
        await repl.UntilAsync(Prompt);
        repl.Write("think\n");
        await asked.Task;
        repl.Interrupt();
        Assert.Contains("was stopped; what is done is kept", await repl.UntilAsync(Prompt, 2), StringComparison.Ordinal);
        repl.Write("quit\n");
        Assert.Equal(0, await repl.EndAsync());
        Assert.Equal("paused", (await _lab.RunAsync("status", "--json")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task What_a_tool_needs_a_person_for_is_decided_at_the_prompt_and_the_run_goes_on()
    {
        using var server = new ModelServer(request => request.Number == 1 ? ModelReply.Uses("go", "{}") : ModelReply.Says($"I went. {request.Last}"));
        _lab.Write("pawl.yaml", $$"""
            workflow: { human_in_the_loop: { require_approval_for: [code_execution] } }
            models: { default: { endpoint: {{server.Endpoint}}, model: m } }
            """);
        _lab.Write("workflow.yaml", """
            name: one
            params: { task: { type: string } }
            steps: [{ id: ask, agent: { prompt: "${{ params.task }}", tools: { go: { description: Goes., run: touch went; echo there } } } }]
            """);
        await using var repl = AgentProcess.Start(_lab.Folder, ["repl"]);
        Assert.Contains("Approvals: on (code_execution)", await repl.UntilAsync(Prompt), StringComparison.Ordinal);
        repl.Write("go\n");
        Assert.Contains("Decide with:  approve", await repl.UntilAsync(Prompt, 2), StringComparison.Ordinal);
        Assert.False(File.Exists(_lab.Path_("went")));
        repl.Write("approve\n");
        Assert.Contains("ask: I went. there", await repl.UntilAsync(Prompt, 3), StringComparison.Ordinal);
        Assert.True(File.Exists(_lab.Path_("went")));
        repl.Write("q\n");
        Assert.Equal(0, await repl.EndAsync());
    }

    [Fact]
    public async Task On_a_terminal_a_line_is_edited_and_ctrl_c_asks_before_leaving()
    {
        await using var repl = AgentProcess.Start(_folder.Path, ["-qec", $"{PawlCommand.Path} repl fleet.yaml", "/dev/null"], new Dictionary<string, string> { ["TERM"] = "xterm", ["NO_COLOR"] = "1" }, "script");
        await repl.UntilAsync(Prompt);
        repl.Write("hexx\u007f\u007flp\r");
        await repl.UntilAsync("list-checkpoints");
        repl.Write("\e[A");
        await repl.UntilAsync($"{Prompt}help", 2);
        repl.Write("\u0003");
        await repl.UntilAsync("Leave? Runs are kept. [y/N] ");
        repl.Write("n\r");
        await repl.UntilAsync(Prompt);
        repl.Write("\u0003");
        await repl.UntilAsync("[y/N] ", 2);
        repl.Write("y\r");
        Assert.Equal(0, await repl.EndAsync());
    }

    [Fact]
    public void A_line_is_edited_as_people_know_it()
    {
        var line = new EditedLine(["first", "second"]);
        foreach (var c in "helo world") line.Press(Key(ConsoleKey.None, c), false);
        for (var i = 0; i < 7; i++) line.Press(Key(ConsoleKey.LeftArrow), false);
        line.Press(Key(ConsoleKey.None, 'l'), false);
        Assert.Equal(("hello world", 4), (line.Text, line.Cursor));
        line.Press(Key(ConsoleKey.E), true);
        line.Press(Key(ConsoleKey.W), true);
        Assert.Equal("hello ", line.Text);
        line.Press(Key(ConsoleKey.UpArrow), false);
        Assert.Equal("second", line.Text);
        line.Press(Key(ConsoleKey.UpArrow), false);
        line.Press(Key(ConsoleKey.UpArrow), false);
        Assert.Equal("first", line.Text);
        line.Press(Key(ConsoleKey.DownArrow), false);
        line.Press(Key(ConsoleKey.DownArrow), false);
        Assert.Equal("hello ", line.Text);
        line.Press(Key(ConsoleKey.A), true);
        line.Press(Key(ConsoleKey.Delete), false);
        line.Press(Key(ConsoleKey.K), true);
        foreach (var c in "a🎯") line.Press(Key(ConsoleKey.None, c), false);
        line.Press(Key(ConsoleKey.Backspace), false);
        Assert.Equal(("a", 1), (line.Text, line.Cursor));

        static ConsoleKeyInfo Key(ConsoleKey key, char c = '\0') => new(c, key, false, false, false);
    }
}
