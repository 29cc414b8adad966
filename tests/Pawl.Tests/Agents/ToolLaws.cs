using System.Text.Json;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

public sealed class ToolLaws
{
    static readonly Dictionary<string, object?> s_to = new() { ["to"] = "bob" };

    /// <summary>Calls a tool once (or as often as it is said), then repeats the results.</summary>
    static FakeChatClient Caller(string tool = "send", IDictionary<string, object?>? arguments = null, int times = 1) => new((messages, options) =>
    {
        var results = messages.SelectMany(message => message.Contents).OfType<FunctionResultContent>().Select(result => result.Result?.ToString()).ToList();
        return Task.FromResult(results.Count < times && options?.ToolMode is not NoneChatToolMode
            ? new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent($"c{results.Count}", tool, arguments ?? s_to)]))
            : FakeChatClient.Says(string.Join(" & ", results)));
    });

    sealed class Post
    {
        public List<string> Sent { get; } = [];
        public Func<string, string>? Then { get; set; }
        public AIFunction Tool(ToolOptions? options = null) => AIFunctionFactory.Create((string to) =>
        {
            Sent.Add(to);
            return Then?.Invoke(to) ?? $"sent to {to}";
        }, "send", "Sends").WithCheckpoints(options ?? new());
    }

    static Workflow Of(Agent agent, Func<bool>? fails = null) => Workflow.Define("w", async ctx =>
    {
        var answer = await agent.RunAsync(ctx, "go");
        return fails?.Invoke() == true ? throw new IOException("behind the agent") : answer.Text;
    });

    static Agent With(IChatClient client, AITool tool) => new("coder", client) { Tools = [tool] };

    [Fact]
    public void A_tool_result_is_recorded_by_name_and_arguments_and_the_tool_is_not_invoked_again() => Lab.Do(async lab =>
    {
        var (post, client, fails) = (new Post(), Caller(times: 2), true);
        var workflow = Of(With(client, post.Tool()), () => fails);
        await lab.Run(workflow);
        fails = false;
        var result = (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(("sent to bob & sent to bob", 3), (result.Output<string>("w"), client.Calls));
        // The same call twice is two calls.
        Assert.Equal(["bob", "bob"], post.Sent);
        Assert.Equal(5, result.Restored.Count());
        Assert.All(result.Restored, path => Assert.Matches("^w/coder/(chat/[123]|tool/send/[0-9a-f]{16}(\\.2)?)$", path));
    });

    [Fact]
    public void An_error_of_a_tool_is_told_to_the_model_and_is_the_same_for_ever() => Lab.Do(async lab =>
    {
        var (post, client, fails) = (new Post { Then = _ => throw new InvalidOperationException("no such address") }, Caller(), true);
        var workflow = Of(With(client, post.Tool()), () => fails);
        await lab.Run(workflow);
        fails = false;
        post.Then = null;
        Assert.Equal("Error: no such address", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
        Assert.Equal((1, 2), (post.Sent.Count, client.Calls));
    });

    [Fact]
    public void A_failing_tool_is_repeated_as_its_policy_says_before_the_model_is_told() => Lab.Do(async lab =>
    {
        var post = new Post();
        post.Then = to => post.Sent.Count < 3 ? throw new IOException("busy") : "sent at last";
        var result = await lab.Run(Of(With(Caller(), post.Tool(new ToolOptions { Retry = new RetryPolicy { Attempts = 3 } }))));
        Assert.Equal("sent at last", result.EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_call_of_a_tool_that_is_not_there_or_whose_arguments_cannot_be_read_is_told_to_the_model() => Lab.Do(async lab =>
    {
        var post = new Post();
        Assert.Equal("Error: there is no tool 'sendd'. The tools are: send.", (await lab.Run(Of(With(Caller("sendd"), post.Tool())))).EnsureCompleted().Output<string>("w"));
        var garbled = new FakeChatClient((messages, _) => Task.FromResult(messages.Count == 1
            ? new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c", "send") { Exception = new JsonException("unexpected end") }])) : FakeChatClient.Says(messages[^1].Contents.OfType<FunctionResultContent>().Single().Result!.ToString()!)));
        var result = await lab.Run(Of(With(garbled, post.Tool())), start: new StartOptions { RunId = "other" });
        Assert.Equal("Error: the arguments of 'send' could not be read: unexpected end. Call it again with one JSON object.", result.EnsureCompleted().Output<string>("w"));
        Assert.Empty(post.Sent);
    });

    [Fact]
    public void An_agent_turns_as_often_as_it_may_and_then_must_answer() => Lab.Do(async lab =>
    {
        var post = new Post();
        var client = Caller(times: 100);
        Assert.Equal("sent to bob & sent to bob", (await lab.Run(Of(With(client, post.Tool()) with { MaxTurns = 3 }))).EnsureCompleted().Output<string>("w"));
        Assert.Equal(3, client.Calls);
        var stubborn = new FakeChatClient((_, _) => Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c", "send", s_to)]))));
        var result = await lab.Run(Of(With(stubborn, post.Tool()) with { MaxTurns = 2 }), start: new StartOptions { RunId = "stubborn" });
        Assert.Contains("called 'send' in turn 2 of 2", result.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void A_tool_that_is_only_declared_is_left_to_the_caller() => Lab.Do(async lab =>
    {
        var declared = AIFunctionFactory.CreateDeclaration("send", "Sends", JsonDocument.Parse("""{"type":"object"}""").RootElement);
        var workflow = Workflow.Define("w", async ctx => (await With(Caller(), declared).RunAsync(ctx, "go")).Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>().Single().Name);
        Assert.Equal("send", (await lab.Run(workflow)).EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_call_that_was_cut_off_is_decided_by_the_tools_policy_for_unknown_outcomes() => Lab.Do(async lab =>
    {
        var post = new Post();
        var client = Caller();
        Workflow Cut(Action act) => Of(With(client, AIFunctionFactory.Create((string to) => { act(); return $"sent to {to}"; }, "send").WithCheckpoints(new ToolOptions
        {
            OnUnknown = UnknownOutcome.Probe(_ => Task.FromResult<StepResult?>(StepResult.Ok("found: it was sent"))),
        })));
        using var stop = new CancellationTokenSource();
        var cut = await lab.Run(Cut(() => { post.Sent.Add("once"); stop.Cancel(); throw new OperationCanceledException(stop.Token); }), interrupt: stop);
        Assert.Equal(RunStatus.Paused, cut.Status);
        var result = await lab.Resume(Cut(() => post.Sent.Add("twice")));
        Assert.Equal("found: it was sent", result.EnsureCompleted().Output<string>("w"));
        Assert.Equal(["once"], post.Sent);
    });

    [Fact]
    public void A_tool_sees_the_step_of_its_call_with_a_key_that_stays_the_same() => Lab.Do(async lab =>
    {
        var keys = new List<string>();
        var tool = AIFunctionFactory.Create((AIFunctionArguments arguments) =>
        {
            keys.Add(((StepContext)arguments.Context![typeof(StepContext)]!).IdempotencyKey);
            return keys.Count < 2 ? throw new IOException("once more") : "done";
        }, "send").WithCheckpoints(new ToolOptions { Retry = new RetryPolicy { Attempts = 2 } });
        (await lab.Run(Of(With(Caller(), tool)))).EnsureCompleted();
        Assert.Equal(2, keys.Count);
        Assert.StartsWith("run/w/coder/tool/send/", Assert.Single(keys.Distinct()), StringComparison.Ordinal);
    });

    static ToolOptions Asks => new() { Approval = new ApprovalRequest("Careful.") };

    [Theory]
    [InlineData("approve", "sent to bob", "bob")]
    [InlineData("edit", "A person changed the arguments to {\"to\":\"eve\"}. The result: sent to eve", "eve")]
    [InlineData("reject", "Rejected by ann: not him. The tool was not called; do not call it with these arguments again.", null)]
    public void A_person_decides_before_the_tool_is_invoked_and_the_model_is_told(string how, string answer, string? sent) => Lab.Do(async lab =>
    {
        var (post, client) = (new Post(), Caller());
        var workflow = Of(With(client, post.Tool(Asks)));
        var waits = Assert.Single((await lab.Run(workflow)).Waits);
        Assert.Empty(post.Sent);
        Assert.StartsWith("Careful. Agent 'coder' wants to call send({\"to\":\"bob\"}).", waits.Message, StringComparison.Ordinal);
        if (how == "reject") await lab.Client.RejectAsync("run", waits.Path, "ann", "not him", Lab.Token);
        else await lab.Client.ApproveAsync("run", waits.Path, "ann", changes: how == "edit" ? new { to = "eve" } : null, cancellationToken: Lab.Token);
        Assert.Equal(answer, (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
        Assert.Equal(sent is null ? [] : [sent], post.Sent);
        Assert.Equal(2, client.Calls);
    });

    [Fact]
    public void A_function_that_requires_approval_asks_and_trusted_operations_do_not() => Lab.Do(async lab =>
    {
        var post = new Post();
        var workflow = Of(With(Caller(), new ApprovalRequiredAIFunction(post.Tool())));
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        lab.Options.Approvals = new ApprovalRules { Trusted = new HashSet<string> { "send" } };
        Assert.Equal("sent to bob", (await lab.Run(workflow, start: new StartOptions { RunId = "trusted" })).EnsureCompleted().Output<string>("w"));
        var mail = Of(With(Caller(), post.Tool(new ToolOptions { Approval = new ApprovalRequest("") { Operation = "mail" } })));
        Assert.Equal(RunStatus.Waiting, (await lab.Run(mail, start: new StartOptions { RunId = "mail" })).Status);
    });

    [Theory]
    [InlineData(TimeoutAction.Reject, RunStatus.Completed, 0)]
    [InlineData(TimeoutAction.Continue, RunStatus.Completed, 1)]
    [InlineData(TimeoutAction.Fail, RunStatus.Failed, 0)]
    public void A_decision_that_does_not_come_in_time_means_what_was_asked_for(TimeoutAction action, RunStatus status, int sent) => Lab.Do(async lab =>
    {
        var post = new Post();
        var workflow = Of(With(Caller(), post.Tool(new ToolOptions { Approval = new ApprovalRequest("?") { Timeout = TimeSpan.FromHours(1), OnTimeout = action } })));
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        await lab.Delay(3601);
        Assert.Equal((status, sent), ((await lab.Resume(workflow)).Status, post.Sent.Count));
    });

    [Fact]
    public void An_approval_is_for_these_arguments_and_no_others() => Lab.Do(async lab =>
    {
        var (post, to) = (new Post(), "bob");
        var client = new FakeChatClient((messages, _) => Task.FromResult(messages.Count == 1
            ? new ChatResponse(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c", "send", new Dictionary<string, object?> { ["to"] = to })])) : FakeChatClient.Says("ok")));
        var agent = With(client, post.Tool(Asks));
        var waits = (await lab.Run(Of(agent))).Waits;
        await lab.Client.ApproveAsync("run", waits[0].Path, cancellationToken: Lab.Token);
        // The request is another one now, and the model wants something else: what was approved was not this.
        to = "eve";
        var again = await lab.Resume(Of(agent with { Instructions = "be quick" }));
        Assert.Equal(RunStatus.Waiting, again.Status);
        Assert.Contains("eve", again.Waits[0].Message, StringComparison.Ordinal);
        Assert.Empty(post.Sent);
    });

    [Fact]
    public void Two_agents_side_by_side_may_both_wait_and_each_is_decided_for_itself() => Lab.Do(async lab =>
    {
        var post = new Post();
        List<Agent> agents = [new("one", Caller()) { Tools = [post.Tool(Asks)] }, new("two", Caller()) { Tools = [post.Tool(Asks)] }];
        var workflow = Workflow.Define("w", async ctx => string.Join(", ", (await agents.RunConcurrentlyAsync(ctx, "go")).Select(answer => answer.Text)));
        var waits = (await lab.Run(workflow)).Waits;
        Assert.Equal(2, waits.Count);
        await lab.Client.ApproveAsync("run", waits[0].Path, cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        await lab.Client.RejectAsync("run", waits[1].Path, reason: "no", cancellationToken: Lab.Token);
        Assert.Equal("sent to bob, Rejected: no. The tool was not called; do not call it with these arguments again.", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
        Assert.Single(post.Sent);
    });

    [Fact]
    public void There_is_no_way_around_a_pending_approval() => Lab.Do(async lab =>
    {
        var post = new Post();
        var builder = Workflow.Create("w");
        builder.Step("agent", async ctx => (await With(Caller(), post.Tool(Asks)).RunAsync(ctx, "go")).Text);
        builder.Step("publish", ctx => Task.FromResult(post.Sent.Count));
        var workflow = builder.Build();
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow));
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish" }));
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish", Force = true }));
        // A message to somebody else lets a waiting run be resumed, but not around the question.
        await lab.Client.SignalAsync("run", "unrelated", cancellationToken: Lab.Token);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish" }));
        // A fork stands where its parent stood: it asks too, and cannot jump either.
        foreach (var (id, fork) in new[] { ("fork1", new ForkOptions()), ("fork2", new ForkOptions { At = (await lab.Records("agent/coder/chat/1"))[0].Seq }) })
        {
            await lab.Client.ForkAsync("run", fork with { RunId = id }, Lab.Token);
            if (id == "fork1") Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish" }, id));
            Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, runId: id)).Status);
        }
        Assert.Empty(post.Sent);
    });

    [Fact]
    public void A_start_from_the_agents_own_step_and_a_fork_before_the_tools_result_ask_again() => Lab.Do(async lab =>
    {
        var (post, client) = (new Post(), Caller());
        var builder = Workflow.Create("w");
        var fails = true;
        builder.Step("agent", async ctx => (await With(client, post.Tool(Asks)).RunAsync(ctx, "go")).Text);
        builder.Fail("publish", () => fails);
        var workflow = builder.Build();
        var path = Assert.Single((await lab.Run(workflow)).Waits).Path;
        await lab.Client.ApproveAsync("run", path, cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Failed, (await lab.Resume(workflow)).Status);
        Assert.Equal((1, 2), (post.Sent.Count, client.Calls));
        // The tool's result is there, and so is the model's: a fork behind them has nothing left to ask, one before asks without paying the model again.
        var decided = (await lab.Records(path))[^1].Seq;
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "between", At = decided }, Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, runId: "between")).Status);
        Assert.Equal((1, 2), (post.Sent.Count, client.Calls));
        fails = false;
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "behind", At = decided + 1 }, Lab.Token);
        (await lab.Resume(workflow, runId: "behind")).EnsureCompleted();
        Assert.Single(post.Sent);
        // From the agent's step everything of it is to be done again, the asking too.
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, new ResumeOptions { From = "agent" })).Status);
        Assert.Single(post.Sent);
        await lab.Client.ApproveAsync("run", path, cancellationToken: Lab.Token);
        (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(2, post.Sent.Count);
    });
}
