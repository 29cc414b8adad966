using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Testing;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

public sealed class FleetLaws
{
    static object Task(string text = "What is it?") => new { task = text };

    static ResumeOptions With(string param, object value) => new() { Params = new Dictionary<string, object?> { [param] = value } };

    /// <summary>A model that keeps every request it was asked, as text, by the step that asked.</summary>
    sealed class Listener(IChatClient inner) : DelegatingChatClient(inner)
    {
        public List<string> Asked { get; } = [];
        public Func<string, bool>? Dies { get; set; }

        public override Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            var all = messages.ToList();
            var step = (string)options!.AdditionalProperties![ScriptedChatClient.StepProperty]!;
            if (Dies?.Invoke(step) == true) throw new IOException($"the network is away at {step}");
            Asked.Add($"{step}\n{string.Join("\n", all.Select(message => $"[{message.Role}] {message.Text}"))}");
            return base.GetResponseAsync(all, options, cancellationToken);
        }

        public string At(string step) => Asked.Last(asked => asked.StartsWith(step + "\n", StringComparison.Ordinal));
    }

    [Fact]
    public void A_fleet_works_in_rounds_until_the_request_is_satisfied() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst"));
        var result = (await lab.Run(Fleets.Pair(client).ToWorkflow(), Task())).EnsureCompleted();
        Assert.Equal(new FleetAnswer("forty-two", 4, 0), result.Output<FleetAnswer>("fleet"));
        Assert.Equal(2 + (4 * 2), client.Calls);
        Assert.Equal([
            "fleet/begin", "fleet/plan/1/facts/chat/1", "fleet/plan/1/plan/chat/1", "fleet/plan/1",
            "fleet/round/1/ledger/chat/1", "fleet/round/1/coder/chat/1", "fleet/round/1",
            "fleet/round/2/ledger/chat/1", "fleet/round/2/analyst/chat/1", "fleet/round/2",
            "fleet/round/3/ledger/chat/1", "fleet/round/3/coder/chat/1", "fleet/round/3",
            "fleet/round/4/ledger/chat/1", "fleet/round/4/final/chat/1", "fleet/round/4", "fleet"], result.Executed);
    });

    [Fact]
    public void Everybody_sees_what_was_said_and_their_own_words_as_their_own() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst")));
        await lab.Run(Fleets.Pair(client).ToWorkflow(), Task());
        var said = client.At("fleet/round/3/coder/chat/1");
        Assert.Contains("What is it?", said, StringComparison.Ordinal);
        Assert.Contains("[user] orchestrator: coder, do part 1\n[assistant] part 1 is done\n[user] orchestrator: analyst, do part 2\n[user] analyst: part 2 is done\n[user] orchestrator: do part 3", said, StringComparison.Ordinal);
    });

    /// <summary>A ten-round run that dies between two tool calls of round 8.</summary>
    [Fact]
    public void The_interrupted_round_goes_on_at_the_very_call_and_nothing_paid_for_is_paid_again() => Lab.Do(async lab =>
    {
        List<ScriptedAnswer> answers = [new() { Agent = "coder", Round = 8, Turn = 0, Tool = "count", Arguments = Json("{}") }, new() { Agent = "coder", Round = 8, Turn = 2, Tool = "count", Arguments = Json("""{"more":1}""") }, .. Fleets.Answers(10, "analyst", "coder")];
        var (script, counted, dies) = (new ScriptedChatClient(answers), 0, false);
        var count = AIFunctionFactory.Create((int? more = null) => dies && more is not null ? throw new OperationCanceledException() : ++counted, "count");
        AgentFleet Make(IChatClient client) => Fleets.Of(client, null, new Agent("coder", client) { Tools = [count] }, new Agent("analyst", client));

        var unbroken = await lab.Run(Make(script).ToWorkflow(), Task(), new StartOptions { RunId = "unbroken" });
        var (calls, tools) = (script.Calls, counted);
        Assert.Equal((24, 2), (calls, tools));

        using var stop = new CancellationTokenSource();
        var client = new Listener(script) { Dies = step => step.EndsWith("round/8/coder/chat/2", StringComparison.Ordinal) && !stop.IsCancellationRequested && Stop() };
        bool Stop() { stop.Cancel(); return true; }
        Assert.Equal(RunStatus.Paused, (await lab.Run(Make(client).ToWorkflow(), Task(), interrupt: stop)).Status);
        Assert.Equal(1, counted - tools);
        var result = (await lab.Resume(Make(client).ToWorkflow())).EnsureCompleted();
        Assert.Equal(unbroken.Output<FleetAnswer>("fleet"), result.Output<FleetAnswer>("fleet"));
        Assert.Equal((calls, tools), (script.Calls - calls, counted - tools));
        Assert.Contains("fleet/round/8/coder/chat/1", result.Restored);
        Assert.Equal("fleet/round/8/coder/chat/2", result.Executed.First());
    });

    static System.Text.Json.JsonElement Json(string text) => System.Text.Json.JsonDocument.Parse(text).RootElement;

    [Fact]
    public void An_agents_error_fails_the_round_and_a_resume_repeats_that_round() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst"))) { Dies = step => step.Contains("round/2/analyst", StringComparison.Ordinal) };
        var workflow = Fleets.Pair(client).ToWorkflow();
        var failed = await lab.Run(workflow, Task());
        Assert.Equal((RunStatus.Failed, "fleet"), (failed.Status, failed.ErrorStep));
        Assert.Contains("the network is away", failed.Error, StringComparison.Ordinal);
        client.Dies = null;
        var result = (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(["fleet/round/2/analyst/chat/1", "fleet/round/2", "fleet/round/3/ledger/chat/1"], result.Executed.Take(3));
        Assert.Equal(10, client.Asked.Count);
    });

    [Fact]
    public void The_rounds_are_limited_and_a_resume_with_a_raised_limit_goes_on_behind_the_last() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient(Fleets.Answers(6, "coder", "analyst"));
        var workflow = Fleets.Pair(client, new FleetOptions { MaxRounds = 3 }).ToWorkflow();
        var result = await lab.Run(workflow, Task());
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Equal("There is no answer after 3 rounds, and max_rounds is 3. To go on behind round 3: 'pawl resume run --param max_rounds=6', or resume it with a message.", result.Error);
        Assert.Equal("max_rounds_reached", (await lab.Records("fleet"))[^1].Error!.Type);
        var calls = client.Calls;
        Assert.Equal(RunStatus.Failed, (await lab.Resume(workflow)).Status);
        Assert.Equal(calls, client.Calls);
        Assert.Equal(6, (await lab.Resume(workflow, With("max_rounds", 6))).EnsureCompleted().Output<FleetAnswer>("fleet").Rounds);
        Assert.Equal(2 + (6 * 2), client.Calls);
    });

    [Fact]
    public void A_run_that_stopped_in_its_last_round_repeats_that_round_and_does_not_end_at_once() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient(Fleets.Answers(3, "coder", "analyst"))) { Dies = step => step.EndsWith("round/3/final/chat/1", StringComparison.Ordinal) };
        var workflow = Fleets.Pair(client, new FleetOptions { MaxRounds = 3 }).ToWorkflow();
        await lab.Run(workflow, Task());
        client.Dies = null;
        Assert.Equal("forty-two", (await lab.Resume(workflow)).EnsureCompleted().Output<FleetAnswer>("fleet").Answer);
        // A fork of the finished run at a checkpoint of its last round does the same.
        var at = (await lab.Records("fleet/round/3/ledger/chat/1"))[0].Seq;
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", At = at }, Lab.Token);
        Assert.Equal("forty-two", (await lab.Resume(workflow, runId: "fork")).EnsureCompleted().Output<FleetAnswer>("fleet").Answer);
    });

    [Fact]
    public void Stalls_make_a_new_plan_and_resets_are_bounded_and_can_be_raised() => Lab.Do(async lab =>
    {
        var n = 0;
        List<ScriptedAnswer> answers = [.. Enumerable.Range(1, 40).Select(round => Fleets.Ledger(round, "coder", "try", progress: round > 12, satisfied: round == 14)),
            new() { Agent = "facts", Text = "facts" }, new() { Agent = "plan", Text = "plan" }, new() { Agent = "final", Text = "at last" }];
        var script = new ScriptedChatClient(answers);
        var worker = new FakeChatClient(_ => $"try {++n}");
        var workflow = Fleets.Of(script, new FleetOptions { MaxRounds = 50 }, new Agent("coder", worker)).ToWorkflow();
        var result = await lab.Run(workflow, Task());
        Assert.StartsWith("There was no progress in 3 rounds, and the plan was made anew 2 times; max_resets is 2.", result.Error, StringComparison.Ordinal);
        // Two rounds of work under each of three plans: the third stall makes a new plan at once.
        Assert.Equal((6, "stalled"), (n, (await lab.Records("fleet"))[^1].Error!.Type));
        Assert.Equal(["fleet/plan/1", "fleet/plan/2", "fleet/plan/3"], result.Executed.Where(path => path.StartsWith("fleet/plan/", StringComparison.Ordinal) && path.Length == 12));
        var resumed = (await lab.Resume(workflow, With("max_resets", 9))).EnsureCompleted();
        Assert.Equal(new FleetAnswer("at last", 14, 4), resumed.Output<FleetAnswer>("fleet"));
        Assert.DoesNotContain("fleet/round/9", resumed.Executed);
    });

    [Fact]
    public void The_same_answer_again_is_a_stall_whatever_the_orchestrator_thinks() => Lab.Do(async lab =>
    {
        List<ScriptedAnswer> answers = [.. Enumerable.Range(1, 40).Select(round => Fleets.Ledger(round, "coder", "try")), new() { Agent = "facts", Text = "facts" }, new() { Agent = "plan", Text = "plan" }];
        var worker = new FakeChatClient(_ => "always the same");
        var workflow = Fleets.Of(new ScriptedChatClient(answers), new FleetOptions { MaxStalls = 2, MaxResets = 1, MaxRounds = 30 }, new Agent("coder", worker)).ToWorkflow();
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow, Task())).Status);
        Assert.Equal(("stalled", 6), ((await lab.Records("fleet"))[^1].Error!.Type, worker.Calls));
    });

    [Fact]
    public void A_ledger_that_cannot_be_read_is_asked_for_again_and_not_for_ever() => Lab.Do(async lab =>
    {
        var good = Fleets.Ledger(null, "coder", "", satisfied: true).Text!;
        string[] replies = ["no idea", "{\"is_request_satisfied\": 7}", Fleets.Ledger(null, "nobody", "x").Text!, "sorry", $"Here it is:\n```json\n{good}\n```"];
        var n = 0;
        var client = new Listener(new ScriptedChatClient([new() { Agent = "facts", Text = "facts" }, new() { Agent = "plan", Text = "plan" }, new() { Agent = "final", Text = "done" }, .. replies.Select(text => new ScriptedAnswer { Text = text })]));
        var workflow = Fleets.Pair(client).ToWorkflow();
        var failed = await lab.Run(workflow, Task());
        Assert.Contains("gave 3 replies that cannot be used; the last one: the answer of 'next_speaker' must be one of: coder, analyst", failed.Error, StringComparison.Ordinal);
        Assert.Contains("'is_request_satisfied' must be true or false", client.At("fleet/round/1/ledger/chat/3"), StringComparison.Ordinal);
        // What was recorded is not asked again; the resume tries afresh behind it.
        Assert.Equal("done", (await lab.Resume(workflow)).EnsureCompleted().Output<FleetAnswer>("fleet").Answer);
        Assert.Equal((0, 5), (n, client.Asked.Count(asked => asked.Contains("/ledger/", StringComparison.Ordinal))));
    });

    [Fact]
    public void A_message_at_a_resume_comes_behind_the_request_and_replaces_nothing() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient(Fleets.Answers(9, "coder", "analyst"))) { Dies = step => step.EndsWith("round/3/coder/chat/1", StringComparison.Ordinal) };
        var workflow = Fleets.Pair(client, new FleetOptions { MaxRounds = 4 }).ToWorkflow();
        await lab.Run(workflow, Task("the request"));
        client.Dies = null;
        var asked = client.Asked.Count;
        // Round 3 was under way: it is finished as it began, with its recorded ledger, and the message stands behind it.
        var more = await lab.Resume(workflow, new ResumeOptions { Params = AgentFleet.Say(await lab.Head(), "go on") });
        Assert.DoesNotContain("go on", client.Asked[asked], StringComparison.Ordinal);
        Assert.Empty(lab.Warnings);
        var ledger = client.At("fleet/round/4/ledger/chat/1");
        Assert.True(ledger.IndexOf("the request", StringComparison.Ordinal) < ledger.IndexOf("part 3 is done", StringComparison.Ordinal));
        Assert.True(ledger.IndexOf("part 3 is done", StringComparison.Ordinal) < ledger.IndexOf("[user] go on", StringComparison.Ordinal));
        // Four rounds more since the message; the same words once more are another message.
        Assert.Contains("after 7 rounds", more.Error, StringComparison.Ordinal);
        Assert.Equal(RunStatus.Failed, (await lab.Resume(workflow)).Status);
        Assert.Equal("forty-two", (await lab.Resume(workflow, new ResumeOptions { Params = AgentFleet.Say(await lab.Head(), "go on") })).EnsureCompleted().Output<FleetAnswer>("fleet").Answer);
        Assert.Equal(3, client.At("fleet/round/8/ledger/chat/1").Split("[user] go on").Length);
    });

    [Fact]
    public void Another_task_at_a_resume_is_a_message_and_the_first_one_stays() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst")));
        var workflow = Fleets.Pair(client, new FleetOptions { MaxRounds = 2 }).ToWorkflow();
        await lab.Run(workflow, Task("the request"));
        (await lab.Resume(workflow, With("task", "Continue the analysis"))).EnsureCompleted();
        Assert.Contains("the request", client.At("fleet/round/4/final/chat/1"), StringComparison.Ordinal);
        Assert.Contains("[user] Continue the analysis", client.At("fleet/round/3/ledger/chat/1"), StringComparison.Ordinal);
        Assert.Equal("the request", (await lab.Client.FleetRoundsAsync("run", cancellationToken: Lab.Token))[^1].Context.UserQuery);
    });

    [Fact]
    public void A_fork_of_a_finished_fleet_at_its_last_round_goes_on_with_a_message_and_knows_its_answer() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient([.. Fleets.Answers(2, "coder"), Fleets.Ledger(3, "coder", "do more"), new() { Agent = "coder", Text = "more is done" }, Fleets.Ledger(4, "", "", satisfied: true)]));
        var workflow = Fleets.Pair(client, new FleetOptions { MaxRounds = 2 }).ToWorkflow();
        (await lab.Run(workflow, Task())).EnsureCompleted();
        var last = (await lab.Client.FleetRoundsAsync("run", cancellationToken: Lab.Token))[^1];
        var head = await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", At = long.Parse(last.CheckpointId.Split('@')[1], System.Globalization.CultureInfo.InvariantCulture) }, Lab.Token);
        var result = (await lab.Resume(workflow, new ResumeOptions { Params = AgentFleet.Say(head, "And more?") }, "fork")).EnsureCompleted();
        Assert.Equal(4, result.Output<FleetAnswer>("fleet").Rounds);
        Assert.Contains("[assistant] forty-two\n[user] And more?", client.At("fleet/round/3/ledger/chat/1"), StringComparison.Ordinal);
    });

    [Theory]
    [InlineData("DELEGATE: coder - write it", "coder", "write it", null)]
    [InlineData("Thoughts.\n**DELEGATE:** data-analyst - look:\n- at a\n- at b", "data-analyst", "look:\n- at a\n- at b", null)]
    [InlineData("DELEGATE: `coder`: write it", "coder", "write it", null)]
    [InlineData("DELEGATE: coder - a\nFINAL_ANSWER: made up", "coder", "a", null)]
    [InlineData("FINAL_ANSWER: yes\nDELEGATE: coder - a", null, null, "yes\nDELEGATE: coder - a")]
    [InlineData("**FINAL_ANSWER:**\n42", null, null, "42")]
    [InlineData("FINAL_ANSWER:", null, null, null)]
    [InlineData("I would say DELEGATE: coder - a", null, null, null)]
    [InlineData("DELEGATE: coder-write", null, null, null)]
    public void The_words_of_a_small_model_are_read(string said, string? agent, string? work, string? answer) => Assert.Equal(new TextReply(agent, work, answer), TextReply.Read(said));

    [Theory]
    [InlineData("approve", "the plan")]
    [InlineData("edit", "my own plan")]
    [InlineData("reject", "a better plan")]
    public void A_person_reviews_the_plan_before_it_is_carried_out(string how, string plan) => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient([new() { Agent = "plan", Contains = "use fewer steps", Text = "a better plan" }, .. Fleets.Answers(2, "coder")]));
        var workflow = Fleets.Pair(client, new FleetOptions { PlanReview = new ApprovalRequest("Please look.") }).ToWorkflow();
        var waits = (await lab.Run(workflow, Task())).Waits;
        Assert.Equal("Please look.\n\nThe plan:\n\nthe plan", Assert.Single(waits).Message);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow));
        if (how == "approve") await lab.Client.ApproveAsync("run", "fleet", "ann", cancellationToken: Lab.Token);
        else if (how == "edit") await lab.Client.ApproveAsync("run", "fleet", "ann", changes: new { plan = "my own plan" }, cancellationToken: Lab.Token);
        else
        {
            await lab.Client.RejectAsync("run", "fleet", "ann", "use fewer steps", Lab.Token);
            Assert.Contains("a better plan", (await lab.Resume(workflow)).Waits[0].Message, StringComparison.Ordinal);
            await lab.Client.ApproveAsync("run", "fleet", "ann", cancellationToken: Lab.Token);
        }
        (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Contains($"The plan:\n\n{plan}", client.At("fleet/round/1/ledger/chat/1"), StringComparison.Ordinal);
        Assert.Equal(how == "reject" ? 7 : 6, client.Asked.Count);
    });

    [Fact]
    public void A_plan_that_nobody_reviews_in_time_is_not_carried_out_unless_that_was_allowed() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient(Fleets.Answers(2, "coder"));
        foreach (var (action, status) in new[] { (TimeoutAction.Reject, RunStatus.Failed), (TimeoutAction.Fail, RunStatus.Failed), (TimeoutAction.Continue, RunStatus.Completed) })
        {
            var workflow = Fleets.Pair(client, new FleetOptions { PlanReview = new ApprovalRequest("?") { Timeout = TimeSpan.FromHours(1), OnTimeout = action } }).ToWorkflow();
            await lab.Run(workflow, Task(), new StartOptions { RunId = $"run{action}" });
            await lab.Delay(3601);
            Assert.Equal(status, (await lab.Resume(workflow, runId: $"run{action}")).Status);
        }
    });

    [Fact]
    public void A_small_model_delegates_and_answers_in_two_words() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient([
            new() { Agent = "orchestrator", Round = 1, Contains = "there is no agent 'bob'", Text = "**DELEGATE:** Coder - write it\nand test it" },
            new() { Agent = "orchestrator", Round = 1, Contains = "cannot be used", Text = "DELEGATE: bob - write it" }, new() { Agent = "orchestrator", Round = 1, Text = "I think we should begin." },
            new() { Agent = "coder", Round = 1, Text = "written" },
            new() { Agent = "orchestrator", Round = 2, Text = "Done.\nFINAL_ANSWER: it is\nwritten" }]));
        var result = (await lab.Run(Fleets.Pair(client, new FleetOptions { Protocol = FleetProtocol.Text }).ToWorkflow(), Task())).EnsureCompleted();
        Assert.Equal(new FleetAnswer("it is\nwritten", 2, 0), result.Output<FleetAnswer>("fleet"));
        Assert.Contains("[user] orchestrator: write it\nand test it", client.At("fleet/round/1/coder/chat/1"), StringComparison.Ordinal);
        Assert.Contains("[assistant] coder, write it\nand test it\n[user] coder: written", client.At("fleet/round/2/orchestrator/chat/1"), StringComparison.Ordinal);
    });

    [Fact]
    public void A_small_model_that_gets_the_same_answer_again_and_again_stalls() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient([new() { Agent = "orchestrator", Text = "DELEGATE: coder - write it" }, new() { Agent = "coder", Text = "no" }]);
        var workflow = Fleets.Pair(client, new FleetOptions { Protocol = FleetProtocol.Text, MaxRounds = 50, MaxResets = 1 }).ToWorkflow();
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow, Task())).Status);
        Assert.Equal("stalled", (await lab.Records("fleet"))[^1].Error!.Type);
        Assert.Contains("we begin anew", Prompts.Again(""), StringComparison.Ordinal);
    });

    [Fact]
    public void A_run_that_dies_at_any_write_pays_for_at_most_one_call_again_and_ends_as_an_unbroken_one() => Lab.Do(async lab =>
    {
        List<ScriptedAnswer> answers = [new() { Agent = "coder", Round = 3, Turn = 0, Tool = "count", Arguments = Json("{}") }, .. Fleets.Answers(5, "analyst", "coder")];
        var script = new ScriptedChatClient(answers);
        var counted = 0;
        var count = AIFunctionFactory.Create(() => ++counted, "count");
        var workflow = Fleets.Of(script, null, new Agent("coder", script) { Tools = [count] }, new Agent("analyst", script)).ToWorkflow();
        async Task<(int Calls, int Tools, string Answer)> LiveAsync(CrashPoint? point)
        {
            var (calls, tools) = (script.Calls, counted);
            await using var store = new Pawl.Storage.MemoryStore(lab.Time);
            var dying = new CrashingStore(store, point);
            var start = new StartOptions { RunId = "r" };
            try { await new PawlClient(dying, new PawlOptions { Time = lab.Time }).RunAsync(workflow, Lab.Values(Task()), start, Lab.Token); }
            catch (ProcessDiedException) { }
            var end = await new PawlClient(store, new PawlOptions { Time = lab.Time }).RunAsync(workflow, Lab.Values(Task()), start with { IfExists = ExistingRun.Join }, Lab.Token);
            writes = dying.Writes;
            return (script.Calls - calls, counted - tools, end.EnsureCompleted().Output<FleetAnswer>("fleet").ToString());
        }
        var unbroken = await LiveAsync(null);
        var all = writes;
        Assert.InRange(all, 20, 100);
        for (var write = 1; write <= all; write++)
        {
            foreach (var moment in new[] { CrashMoment.Before, CrashMoment.After })
            {
                var (calls, tools, answer) = await LiveAsync(new CrashPoint(write, moment));
                Assert.Equal(unbroken.Answer, answer);
                Assert.InRange(calls + tools, unbroken.Calls + unbroken.Tools, unbroken.Calls + unbroken.Tools + (moment == CrashMoment.Before ? 1 : 0));
            }
        }
    });
    int writes;

    [Fact]
    public void An_answer_that_a_fork_sets_by_hand_stands_for_the_models() => Lab.Do(async lab =>
    {
        var client = new Listener(new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst")));
        var workflow = Fleets.Pair(client).ToWorkflow();
        (await lab.Run(workflow, Task())).EnsureCompleted();
        var at = (await lab.Records("fleet/round/2/ledger/chat/1"))[0].Seq;
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", At = at, Outputs = new Dictionary<string, object?> { ["fleet/round/1/coder/chat/1"] = "another part", ["fleet/round/2/analyst/chat/1"] = "set by hand" } }, Lab.Token);
        var asked = client.Asked.Count;
        (await lab.Resume(workflow, runId: "fork")).EnsureCompleted();
        Assert.Contains("coder: another part", client.At("fleet/round/4/final/chat/1"), StringComparison.Ordinal);
        Assert.Contains("analyst: set by hand", client.At("fleet/round/4/final/chat/1"), StringComparison.Ordinal);
        // What round 2's ledger was asked is different now: it was asked anew, and said.
        Assert.Equal(5, client.Asked.Count - asked);
        Assert.Contains(lab.Warnings, warning => warning.Contains("'fleet/round/2/ledger/chat/2' asks the model anew", StringComparison.Ordinal));
    });

    [Fact]
    public void A_recorded_fleet_is_played_without_its_model() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient(Fleets.Answers(4, "coder", "analyst"));
        var workflow = Fleets.Pair(client).ToWorkflow();
        await lab.Run(workflow, Task());
        var calls = client.Calls;
        var cassette = await Cassette.OfAsync(lab.Client, "run", strict: true, cancellationToken: Lab.Token);
        var played = await lab.Run(workflow, Task(), new StartOptions { RunId = "played", Cassette = cassette });
        Assert.Equal((new FleetAnswer("forty-two", 4, 0), calls), (played.EnsureCompleted().Output<FleetAnswer>("fleet"), client.Calls));
        Assert.Equal(0, (await lab.Client.CostsAsync("played", Lab.Token)).Spent.Calls);
    });

    [Fact]
    public void Whoever_watches_a_fleet_sees_it_in_order_and_cannot_make_it_fail() => Lab.Do(async lab =>
    {
        var seen = new List<string>();
        var options = new FleetOptions
        {
            OnEvent = happened =>
            {
                seen.Add(happened switch
                {
                    FleetEvent.PlanMade made => $"plan {made.Plan}",
                    FleetEvent.RoundBegan began => $"round {began.Round}",
                    FleetEvent.Judged => "judged",
                    FleetEvent.Delegated to => $"{to.Agent}: {to.Work}",
                    FleetEvent.Said said => $"<{said.Agent}> {said.Update.Text}",
                    FleetEvent.RoundEnded ended => $"ended {ended.Round}",
                    _ => "?",
                });
                if (happened is FleetEvent.Judged) throw new InvalidOperationException("the display broke");
            }
        };
        var workflow = Fleets.Pair(new ScriptedChatClient(Fleets.Answers(2, "coder")), options).ToWorkflow();
        (await lab.Run(workflow, Task())).EnsureCompleted();
        Assert.Equal(["plan 1", "round 1", "judged", "coder: do part 1", "<coder> part ", "<coder> 1 ", "<coder> is ", "<coder> done", "ended 1", "round 2", "judged", "<orchestrator> forty-two", "ended 2"],
            seen.Where(one => !one.EndsWith("> ", StringComparison.Ordinal)));
        Assert.Contains(lab.Warnings, warning => warning.Contains("the display broke", StringComparison.Ordinal));
    });

    sealed class Slow(IChatClient inner, Lab lab) : DelegatingChatClient(inner)
    {
        public override async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            await lab.Delay(8, cancellationToken);
            return await base.GetResponseAsync(messages, options, cancellationToken);
        }
    }

    [Fact]
    public void The_time_limit_ends_a_pass_and_a_resume_has_the_whole_time_for_the_rest() => Lab.Do(async lab =>
    {
        var script = new ScriptedChatClient(Fleets.Answers(6, "coder", "analyst"));
        var workflow = Fleets.Pair(new Slow(script, lab), new FleetOptions { Timeout = TimeSpan.FromSeconds(60) }).ToWorkflow();
        Assert.Contains("time limit of 60 s exceeded", (await lab.Run(workflow, Task())).Error, StringComparison.Ordinal);
        Assert.Equal(7, script.Calls);
        (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(14, script.Calls);
    });

    [Fact]
    public void A_fleet_is_a_step_among_others_and_its_answer_an_output() => Lab.Do(async lab =>
    {
        var fleet = Fleets.Pair(new ScriptedChatClient(Fleets.Answers(2, "coder")));
        var builder = Workflow.Create("w");
        builder.Step("ask", ctx => fleet.RunAsync(ctx, new FleetTask("What is it?")));
        builder.Step("tell", ctx => $"It is {ctx.Output<FleetAnswer>("ask").Answer}.");
        Assert.Equal("It is forty-two.", (await lab.Run(builder.Build())).EnsureCompleted().Output<string>("tell"));
        Assert.Equal("completed", (await lab.Client.FleetRoundsAsync("run", cancellationToken: Lab.Token))[^1].Metadata["status"]);
    });

    [Fact]
    public void What_is_wrong_with_a_fleet_is_told_whole()
    {
        var client = ScriptedChatClient.Saying();
        var wrong = Assert.Throws<InvalidDefinitionException>(() => AgentFleet.Create("f").Agent(new Agent("a", client)).Agent(new Agent("A", client)).Agent(new Agent("ledger", client)).Options(new FleetOptions { MaxRounds = 0 }).Build());
        Assert.Equal(4, wrong.Problems.Count);
        Assert.Throws<ArgumentException>(() => new Agent("a/b", client));
    }
}
