using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>An approval cannot be skipped by resume, fork or start-from.</summary>
public class ApprovalLaws
{
    readonly List<string> _done = [];

    Step Gate(string id = "gate", params string[] needs) => new()
    {
        Id = id, Kind = "approval", Needs = needs,
        Body = async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Publish?"), ctx.Attempt == 1 ? "approval" : $"approval-{ctx.Attempt}")).IsApproved ? StepResult.Ok(true) : StepResult.Fail("rejected"),
    };

    /// <summary>A step of that kind, then two that need it in turn.</summary>
    Workflow Gated(Func<bool>? fails = null)
    {
        var builder = Workflow.Create("w");
        builder.Work("work");
        builder.Add(Gate("gate", "work"));
        builder.Step("publish", ctx => Done(ctx, fails), step => step.Needs("gate"));
        builder.Step("announce", ctx => Done(ctx, null), step => step.Needs("publish"));
        return builder.Build();
    }

    /// <summary>A question in the middle of a body, and what it guards.</summary>
    Workflow Asking(Func<bool>? fails = null, ApprovalRequest? request = null) => Workflow.Define("w", async ctx =>
    {
        await ctx.StepAsync("before", () => Task.FromResult(1));
        if (!(await ctx.RequestApprovalAsync(request ?? new ApprovalRequest("Send?"), "send/approval")).IsApproved) return "not sent";
        await ctx.StepAsync("send", sub => Done(sub, fails));
        return "sent";
    });

    Task<string> Done(StepContext ctx, Func<bool>? fails)
    {
        if (fails?.Invoke() == true) throw new IOException("broke");
        _done.Add($"{ctx.RunId}:{ctx.Path}");
        return Task.FromResult("done");
    }

    static async Task<long> SeqOf(Lab lab, string path) => (await lab.Records(path))[^1].Seq;

    static async Task Approve(Lab lab, string run = "run")
    {
        var wait = Assert.Single((await lab.Head(run)).Waits);
        Assert.True(await lab.Client.ApproveAsync(run, wait.Path, "ann", cancellationToken: Lab.Token));
    }

    [Fact]
    public void A_start_from_the_step_that_asked_asks_again_and_the_old_answer_is_none() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Asking(() => fails);
        await lab.Run(workflow);
        await Approve(lab);
        Assert.Equal(RunStatus.Failed, (await lab.Resume(workflow)).Status);
        // A resume goes on with the decision: the question is the same, and so is the run.
        fails = false;
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, new ResumeOptions { From = "w" })).Status);
        Assert.Empty(_done);
        // Parked and resumed, and asked once more by another start: each answer is for its own question.
        await lab.Client.SignalAsync("run", "unrelated", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        await Approve(lab);
        Assert.Equal("sent", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
        Assert.Equal(["run:w/send"], _done);
    });

    [Fact]
    public void A_resume_of_a_failed_step_goes_on_with_the_decision_of_its_own_run() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Asking(() => fails);
        await lab.Run(workflow);
        await Approve(lab);
        await lab.Resume(workflow);
        fails = false;
        Assert.Equal("sent", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
    });

    [Fact]
    public void A_question_with_a_time_limit_is_asked_again_with_all_of_its_time() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Asking(() => fails, new ApprovalRequest("Send?") { Timeout = TimeSpan.FromHours(1) });
        await lab.Run(workflow);
        await Approve(lab);
        await lab.Resume(workflow);
        fails = false;
        await lab.Delay(7200);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, new ResumeOptions { From = "w" })).Status);
        Assert.Equal(3600, ((await lab.Head()).WakeAt!.Value - (await lab.Head()).UpdatedAt).TotalSeconds, 0);
        await lab.Delay(3601);
        Assert.Equal("not sent", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"));
        Assert.Empty(_done);
    });

    [Fact]
    public void A_fork_between_a_decision_and_what_it_guards_asks_for_itself() => Lab.Do(async lab =>
    {
        var workflow = Asking();
        await lab.Run(workflow);
        await Approve(lab);
        (await lab.Resume(workflow)).EnsureCompleted();
        var decided = (await lab.Journal()).Single(record => record.Path == "w/send/approval" && record.Status == StepStatus.Completed).Seq;
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", At = decided }, Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, runId: "fork")).Status);
        Assert.Equal(["run:w/send"], _done);
        await Approve(lab, "fork");
        Assert.Equal("sent", (await lab.Resume(workflow, runId: "fork")).EnsureCompleted().Output<string>("w"));
        Assert.Equal(["run:w/send", "fork:w/send"], _done);
        // Nor can the fork be given the decision.
        await Assert.ThrowsAsync<ArgumentException>(() => lab.Client.ForkAsync("run", new ForkOptions { RunId = "given", At = decided, Outputs = Lab.Values(new Dictionary<string, object?> { ["w/send/approval"] = new Approval(Decision.Approved) }) }, Lab.Token));
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "early", At = 2, Outputs = Lab.Values(new Dictionary<string, object?> { ["w/send/approval"] = new Approval(Decision.Approved) }) }, Lab.Token);
        Assert.Contains("was set by a fork", (await lab.Resume(workflow, runId: "early")).Error, StringComparison.Ordinal);
    });

    [Fact]
    public void A_fork_behind_what_a_decision_guarded_keeps_it() => Lab.Do(async lab =>
    {
        var workflow = Asking();
        await lab.Run(workflow);
        await Approve(lab);
        (await lab.Resume(workflow)).EnsureCompleted();
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", At = await SeqOf(lab, "w/send") }, Lab.Token);
        Assert.Equal("sent", (await lab.Resume(workflow, runId: "fork")).EnsureCompleted().Output<string>("w"));
        Assert.Equal(["run:w/send"], _done);
    });

    [Fact]
    public void A_fork_behind_an_approval_step_asks_again_until_the_step_behind_it_is_done() => Lab.Do(async lab =>
    {
        var workflow = Gated();
        await lab.Run(workflow);
        await Approve(lab);
        (await lab.Resume(workflow)).EnsureCompleted();
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "before", Before = "publish" }, Lab.Token);
        Assert.Equal(1, (await lab.Head("before")).Done);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish" }, "before"));
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, runId: "before")).Status);
        await lab.Client.RejectAsync("before", "gate", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Failed, (await lab.Resume(workflow, runId: "before")).Status);
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "behind", Before = "announce" }, Lab.Token);
        (await lab.Resume(workflow, runId: "behind")).EnsureCompleted();
        Assert.Equal(["run:publish", "run:announce", "behind:announce"], _done);
        // A fork of a fork is a new run again.
        await lab.Client.ForkAsync("behind", new ForkOptions { RunId = "again", Before = "publish" }, Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow, runId: "again")).Status);
    });

    [Fact]
    public void Nothing_that_a_fork_sets_and_no_other_steps_result_stands_for_an_approval_step() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Gated(() => fails);
        await lab.Run(workflow);
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "set", Outputs = Lab.Values(new { gate = true }) }, Lab.Token);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, runId: "set"));
        var renamed = Workflow.Create("w");
        renamed.Add(Gate("gate"));
        renamed.Step("publish", ctx => Done(ctx, null), step => step.Needs("gate"));
        await lab.Client.PauseAsync("run", cancellationToken: Lab.Token);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(renamed.Build(), new ResumeOptions { Map = new Dictionary<string, string> { ["gate"] = "work" } }));
        // A decision that was made keeps its meaning under a new name.
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        await Approve(lab);
        await lab.Resume(workflow);
        var other = Workflow.Create("w");
        other.Work("work");
        other.Add(Gate("check", "work"));
        other.Step("publish", ctx => Done(ctx, null), step => step.Needs("check"));
        other.Step("announce", ctx => Done(ctx, null), step => step.Needs("publish"));
        (await lab.Resume(other.Build(), new ResumeOptions { Map = new Dictionary<string, string> { ["check"] = "gate" } })).EnsureCompleted();
    });

    [Fact]
    public void A_start_that_leaves_steps_out_does_not_leave_out_an_approval_before_one_that_it_runs() => Lab.Do(async lab =>
    {
        var workflow = Gated();
        foreach (var select in (StepSelection[])[new() { From = "publish" }, new() { Only = ["publish"] }, new() { Only = ["work", "announce"] }])
            Assert.Contains("around an approval", (await Assert.ThrowsAsync<InvalidDefinitionException>(() => lab.Run(workflow, start: new StartOptions { Select = select }))).Message, StringComparison.Ordinal);
        Assert.Null(await lab.Client.FindAsync("run", Lab.Token));
        await lab.Run(workflow, start: new StartOptions { Select = new StepSelection { Until = "work" } });
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow, start: new StartOptions { RunId = "gate", Select = new StepSelection { From = "gate" } })).Status);
        Assert.Empty(_done);
    });

    /// <summary>A step that takes ten seconds, beside one that asks.</summary>
    Workflow Beside(ApprovalRequest? request = null, Durability durability = Durability.Sync)
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Durability = durability });
        builder.Work("long", 10);
        builder.Step("gate", async ctx => (await ctx.RequestApprovalAsync(request ?? new ApprovalRequest("Publish?"))).IsApproved ? "yes" : "no", step => step.Needs());
        builder.Step("publish", ctx => Done(ctx, null), step => step.Needs("gate"));
        return builder.Build();
    }

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Async)]
    [InlineData(Durability.Exit)]
    public void A_decision_is_made_while_other_steps_run_and_the_step_goes_on_at_once(Durability durability) => Lab.Do(async lab =>
    {
        var run = lab.Run(Beside(durability: durability));
        await lab.Delay(1);
        var asked = Assert.Single(await lab.Client.QuestionsAsync(await lab.Head(), Lab.Token));
        Assert.Equal(("gate/approval", "Publish?", null), (asked.Path, asked.Message, asked.Due));
        Assert.True(await lab.Client.ApproveAsync("run", "gate", "ann", cancellationToken: Lab.Token));
        await lab.Delay(0.1);
        Assert.Equal(["run:publish"], _done);
        // It was answered; as far as the journal says so by now.
        if (durability != Durability.Exit) Assert.Empty(await lab.Client.QuestionsAsync(await lab.Head(), Lab.Token));
        Assert.Equal("yes", (await run).EnsureCompleted().Output<string>("gate"));
        Assert.Equal(10, lab.Time.Elapsed.TotalSeconds, 0);
    });

    [Fact]
    public void A_question_is_recorded_once_and_again_when_a_pause_ended_it() => Lab.Do(async lab =>
    {
        var workflow = Beside(new ApprovalRequest("Publish?") { Timeout = TimeSpan.FromHours(1) });
        var run = lab.Run(workflow);
        await lab.Delay(1);
        var due = Assert.Single(await lab.Client.QuestionsAsync(await lab.Head(), Lab.Token)).Due;
        Assert.Equal(3600, (due!.Value - (await lab.Head()).CreatedAt).TotalSeconds, 0);
        await lab.Client.PauseAsync("run", cancellationToken: Lab.Token);
        await run;
        Assert.Empty(await lab.Client.QuestionsAsync(await lab.Head(), Lab.Token));
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        Assert.Equal(due, Assert.Single(await lab.Client.QuestionsAsync(await lab.Head(), Lab.Token)).Due);
        // Woken by something else it asks the same: that is known already.
        await lab.Client.SignalAsync("run", "unrelated", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        Assert.Equal(2, (await lab.Journal()).Count(record => record is { Kind: CheckpointKind.Timer, Path: "gate/approval" }));
        await lab.Client.RejectAsync("run", "gate", cancellationToken: Lab.Token);
        Assert.Equal("no", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("gate"));
    });
}
