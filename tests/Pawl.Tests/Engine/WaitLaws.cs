namespace Pawl.Tests.Engine;

/// <summary>Signals, approvals and sleeps: a run that can only wait holds nothing.</summary>
public class WaitLaws
{
    static readonly TimeSpan s_day = TimeSpan.FromDays(1);

    static Workflow Asks(ApprovalRequest request) => Workflow.Define("w", async ctx =>
    {
        await ctx.StepAsync("before", () => Task.FromResult(1));
        var approval = await ctx.RequestApprovalAsync(request);
        return approval;
    });

    static Workflow Listens(string signal = "go", TimeSpan? timeout = null) => Workflow.Define("w", async ctx =>
    {
        await ctx.StepAsync("before", () => Task.FromResult(1));
        var came = await ctx.WaitForSignalAsync(signal, timeout);
        return came.TimedOut ? "late" : came.Get<string>() ?? "nothing";
    });

    [Fact]
    public void A_run_that_waits_for_a_signal_ends_its_pass_and_is_held_by_nobody() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Listens());
        Assert.Equal(RunStatus.Waiting, result.Status);
        Assert.Equal("w/go", Assert.Single(result.Waits).Path);
        var head = await lab.Head();
        Assert.Equal((RunStatus.Waiting, null, "go"), (head.Status, head.Owner, head.Waits.Single().Signal));
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(Listens()));
        Assert.Equal("Run 'run' waits in 'w/go' for the signal 'go'.", Assert.Single((await lab.Client.PlanAsync(Listens(), "run", cancellationToken: Lab.Token)).Refusals).Message);
        Assert.True(await lab.Client.SignalAsync("run", "go", "hello", "ann", Lab.Token));
        Assert.Empty((await lab.Client.PlanAsync(Listens(), "run", cancellationToken: Lab.Token)).Refusals);
        result = await lab.Resume(Listens());
        Assert.Equal((RunStatus.Completed, "hello"), (result.Status, result.Output<string>("w")));
        Assert.Equal(["w", "w/before", "w/go", "w", "w/go"], lab.Began);
    });

    [Fact]
    public void A_run_is_parked_also_when_what_it_waits_for_came_right_behind_steps_side_by_side() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Also(builder =>
        {
            builder.Group("group", group =>
            {
                group.Step("one", _ => Task.FromResult(1));
                group.Step("two", async ctx => await ctx.StepAsync("below", () => Task.FromResult(1)));
            });
            builder.Step("gate", async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Publish?"))).IsApproved);
        }).Build();
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        await lab.Client.ApproveAsync("run", "gate", cancellationToken: Lab.Token);
        Assert.True((await lab.Resume(workflow)).EnsureCompleted().Output<bool>("gate"));
    });

    [Fact]
    public void A_signal_that_comes_while_a_run_is_being_parked_is_news_to_whoever_takes_it() => Lab.Do(async lab =>
    {
        var isFirst = true;
        var workflow = Workflow.Define("w", async ctx =>
        {
            try { return (await ctx.WaitForSignalAsync("go")).Get<string>(); }
            catch (OperationCanceledException) when (isFirst)
            {
                // The pass has been told to park, and has not written so.
                isFirst = false;
                await lab.Client.SignalAsync("run", "go", "hello", cancellationToken: Lab.Token);
                await lab.Delay(1);
                throw;
            }
        });
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        Assert.Equal("hello", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_signal_that_comes_before_the_wait_is_not_lost_and_the_first_one_counts() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Define("w", async ctx =>
        {
            await ctx.StepAsync("before", async () => { await lab.Delay(10); return 1; });
            return (await ctx.WaitForSignalAsync("go")).Get<string>();
        });
        var run = lab.Run(workflow);
        await lab.Delay(1);
        Assert.True(await lab.Client.SignalAsync("run", "go", "first", cancellationToken: Lab.Token));
        Assert.False(await lab.Client.SignalAsync("run", "go", "second", cancellationToken: Lab.Token));
        Assert.Equal("first", (await run).EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_signal_reaches_a_pass_that_has_other_things_to_do() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Work("long", 60);
        builder.Step("wait", async ctx => (await ctx.WaitForSignalAsync("go")).At, step => step.Needs());
        builder.Work("after", 1, step => step.Needs("wait"));
        var run = lab.Run(builder.Build());
        await lab.Delay(5);
        await lab.Client.SignalAsync("run", "go", cancellationToken: Lab.Token);
        var result = (await run).EnsureCompleted();
        Assert.Equal(["after", "long"], result.Executed.Where(path => path is "after" or "long"));
        Assert.Equal(60, lab.Time.Elapsed.TotalSeconds, 0);
    });

    [Fact]
    public void A_wait_ends_at_its_time_counted_from_when_it_began() => Lab.Do(async lab =>
    {
        Assert.Equal(RunStatus.Waiting, (await lab.Run(Listens(timeout: s_day))).Status);
        await lab.Delay(3600);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(Listens(timeout: s_day)));
        await lab.Delay(s_day.TotalSeconds);
        var result = await lab.Resume(Listens(timeout: s_day));
        Assert.Equal("late", result.EnsureCompleted().Output<string>("w"));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_decision_is_recorded_with_who_and_why(bool approve) => Lab.Do(async lab =>
    {
        var asks = Asks(new ApprovalRequest("Publish?"));
        var waits = (await lab.Run(asks)).Waits;
        Assert.Equal("Publish?", waits.Single().Message);
        if (approve) await lab.Client.ApproveAsync("run", "w", "ann", "looks good", new { tag = "v2" }, Lab.Token);
        else await lab.Client.RejectAsync("run", "w", "ann", "not today", Lab.Token);
        Assert.False(await lab.Client.RejectAsync("run", "w", "bob", cancellationToken: Lab.Token));
        var approval = (await lab.Resume(asks)).EnsureCompleted().Output<Approval>("w");
        Assert.Equal((approve, "ann", approve ? "looks good" : "not today"), (approval.IsApproved, approval.By, approval.Reason));
        if (approve) Assert.Equal("""{"tag":"v2"}""", approval.Changes!.Value.ToString());
    });

    [Theory]
    [InlineData(TimeoutAction.Reject, RunStatus.Completed, false)]
    [InlineData(TimeoutAction.Continue, RunStatus.Completed, true)]
    [InlineData(TimeoutAction.Fail, RunStatus.Failed, false)]
    public void A_time_out_means_what_was_asked_for(TimeoutAction action, RunStatus status, bool approved) => Lab.Do(async lab =>
    {
        var asks = Asks(new ApprovalRequest("Publish?") { Timeout = TimeSpan.FromHours(1), OnTimeout = action });
        await lab.Run(asks);
        await lab.Delay(3601);
        var result = await lab.Resume(asks);
        Assert.Equal(status, result.Status);
        if (status == RunStatus.Failed) Assert.Contains("nobody decided", result.Error, StringComparison.Ordinal);
        else Assert.Equal((approved, true, null), (result.Output<Approval>("w").IsApproved, result.Output<Approval>("w").TimedOut, result.Output<Approval>("w").By));
    });

    [Fact]
    public void Trusted_operations_are_not_asked_for_and_trust_goes_first() => Lab.Do(async lab =>
    {
        lab.Options.Approvals = new ApprovalRules { Required = new HashSet<string> { "code", "search" }, Trusted = new HashSet<string> { "search" } };
        var n = 0;
        foreach (var (operation, asked) in new (string?, bool)[] { ("search", false), ("code", true), ("other", false), (null, true) })
        {
            var result = await lab.Run(Asks(new ApprovalRequest("?") { Operation = operation }), start: new StartOptions { RunId = $"run{++n}" });
            Assert.Equal(asked ? RunStatus.Waiting : RunStatus.Completed, result.Status);
        }
    });

    [Fact]
    public void A_step_that_waits_takes_no_place_from_the_others() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Concurrency = 1 });
        builder.Step("asks", async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("?"))).IsApproved);
        builder.Work("other", 1, step => step.Needs());
        var result = await lab.Run(builder.Build());
        Assert.Equal(RunStatus.Waiting, result.Status);
        Assert.Contains("other", result.Executed);
    });

    [Fact]
    public void A_body_that_swallows_its_stop_does_not_end_a_parked_step() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Define("w", async ctx =>
        {
            try { return (await ctx.WaitForSignalAsync("go")).Get<string>(); }
            catch (Exception) { return "swallowed"; }
        });
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        Assert.Empty(await lab.Records("w"));
        await lab.Client.SignalAsync("run", "go", "heard", cancellationToken: Lab.Token);
        Assert.Equal("heard", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_body_with_other_steps_under_way_is_not_parked_between_them() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Define("w", async ctx =>
        {
            var signal = ctx.WaitForSignalAsync("go");
            for (var i = 0; i < 5; i++) await ctx.StepAsync($"s{i}", async () => { await lab.Delay(1); return i; });
            return (await signal).Get<string>();
        });
        var result = await lab.Run(workflow);
        Assert.Equal(RunStatus.Waiting, result.Status);
        Assert.Equal(5, result.Executed.Count());
    });

    [Fact]
    public void A_caller_waits_through_a_sleep() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Workflow.Define("w", async ctx => { await ctx.SleepAsync("nap", s_day); return 1; }));
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(s_day, lab.Time.Elapsed);
    });

    [Fact]
    public void A_waiting_run_can_be_canceled() => Lab.Do(async lab =>
    {
        await lab.Run(Listens());
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("run", "ann", cancellationToken: Lab.Token)).Status);
    });

    [Fact]
    public void A_decision_nobody_asked_for_is_refused_with_what_is_open() => Lab.Do(async lab =>
    {
        await lab.Run(Asks(new ApprovalRequest("?")));
        var error = await Assert.ThrowsAsync<ArgumentException>(() => lab.Client.ApproveAsync("run", "other", cancellationToken: Lab.Token));
        Assert.Contains("'w/approval'", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(() => lab.Client.SignalAsync("run", "pawl:approval:x", cancellationToken: Lab.Token));
    });

    [Fact]
    public void Two_decisions_asked_for_side_by_side_in_one_step_are_made_one_after_the_other() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Concurrency = 1 });
        builder.Step("w", async ctx =>
        {
            async Task<bool> AskAsync(string name)
            {
                await ctx.StepAsync($"before-{name}", () => Task.FromResult(1));
                var approved = (await ctx.RequestApprovalAsync(new ApprovalRequest(name), name)).IsApproved;
                await ctx.StepAsync($"behind-{name}", () => Task.FromResult(1));
                return approved;
            }
            return string.Join(",", await Task.WhenAll(AskAsync("one"), AskAsync("two")));
        });
        builder.Work("other", 1, step => step.Needs());
        var workflow = builder.Build();
        Assert.Equal(["w/one", "w/two"], (await lab.Run(workflow)).Waits.Select(wait => wait.Path));
        await lab.Client.ApproveAsync("run", "w/one", cancellationToken: Lab.Token);
        Assert.Equal(["w/two"], (await lab.Resume(workflow)).Waits.Select(wait => wait.Path));
        await lab.Client.RejectAsync("run", "w/two", cancellationToken: Lab.Token);
        Assert.Equal("True,False", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_run_that_is_kept_nowhere_does_not_wait_for_an_answer_that_nobody_can_give() => Lab.Do(async lab =>
    {
        lab.Options.Checkpointing = false;
        var asks = await lab.Run(Workflow.Define("w", async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Go?") { Timeout = TimeSpan.FromHours(1) })).IsApproved));
        Assert.Equal(RunStatus.Failed, asks.Status);
        Assert.Contains("nobody could answer", asks.Error, StringComparison.Ordinal);
        Assert.Equal(RunStatus.Failed, (await lab.Run(Workflow.Define("w", ctx => ctx.WaitForSignalAsync("go")))).Status);
        Assert.Equal(0, lab.Time.Elapsed.TotalSeconds, 0);
        // One with an end of its own comes to it, and what the rules decide needs nobody.
        Assert.True((await lab.Run(Workflow.Define("w", ctx => ctx.WaitForSignalAsync("go", TimeSpan.FromSeconds(9))))).EnsureCompleted().Output<Signal>("w")!.TimedOut);
        lab.Options.Approvals = new ApprovalRules { Enabled = false };
        Assert.True((await lab.Run(Workflow.Define("w", async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Go?"))).IsApproved))).EnsureCompleted().Output<bool>("w"));
    });
}
