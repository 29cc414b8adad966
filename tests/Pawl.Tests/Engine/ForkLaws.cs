using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>A fork is a new run from any checkpoint of any run; its parent is never touched, and never needed again.</summary>
public class ForkLaws
{
    static Workflow Prices(List<string>? ran = null, bool fails = false)
    {
        var builder = Workflow.Create("prices");
        builder.Step("load", ctx => Ran(ctx, ctx.Params.Get<int>("rows")));
        builder.Step("check", ctx => { ctx.State.Set("checked", true); return fails ? throw new StepException("bad rows", ErrorClass.Permanent) : Ran(ctx, ctx.Output<int>("load") * 2); });
        builder.Step("save", ctx => Ran(ctx, $"saved {ctx.Output<int>("check")} {ctx.State.Get<string>("target")}"));
        return builder.Build();

        Task<T> Ran<T>(StepContext ctx, T value)
        {
            ran?.Add(ctx.Path);
            return Task.FromResult(value);
        }
    }

    static async Task<string> HashOf(Lab lab, string runId = "run") => (await lab.Journal(runId))[^1].Hash;

    [Fact]
    public void A_fork_of_a_finished_run_keeps_what_stands_before_the_step_and_runs_the_rest() => Lab.Do(async lab =>
    {
        (await lab.Run(Prices(), new { rows = 10 })).EnsureCompleted();
        var parent = await HashOf(lab);
        var fork = await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", Before = "save", State = Lab.Values(new { target = "db" }) }, Lab.Token);
        Assert.Equal((RunStatus.Paused, 2, "run", null), (fork.Status, fork.Done, fork.Tags["forked_from"], (await lab.Head("fork")).Owner));
        var ran = new List<string>();
        var result = (await lab.Resume(Prices(ran), runId: "fork")).EnsureCompleted();
        Assert.Equal(["save"], ran);
        Assert.Equal("saved 20 db", result.Output<string>("save"));
        Assert.Equal(parent, await HashOf(lab));
        Assert.Equal("saved 20 ", (await lab.Client.SnapshotAsync("run", null, Lab.Token)).Outputs["save"].ToString().Trim('"'));
    });

    [Fact]
    public void Params_and_outputs_that_are_set_are_what_later_steps_see() => Lab.Do(async lab =>
    {
        await lab.Run(Prices(fails: true), new { rows = 10 });
        // An override of the parent's own resume must not win over the fork's.
        await lab.Resume(Prices(fails: true), new ResumeOptions { Params = Lab.Values(new { rows = 11 }) });
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "params", At = 2, Params = Lab.Values(new { rows = 3 }) }, Lab.Token);
        Assert.Equal("saved 6 ", (await lab.Resume(Prices(), runId: "params")).EnsureCompleted().Output<string>("save"));
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "newest", Params = Lab.Values(new { rows = 4 }) }, Lab.Token);
        Assert.Equal("4", (await lab.Client.ParamsAsync("newest", Lab.Token))["rows"].ToString());
        Assert.Equal(2, (await lab.Client.ForkAsync("run", new ForkOptions { RunId = "outputs", Outputs = Lab.Values(new { load = 1, check = 7 }) }, Lab.Token)).Done);
        var ran = new List<string>();
        Assert.Equal("saved 7 ", (await lab.Resume(Prices(ran), runId: "outputs")).EnsureCompleted().Output<string>("save"));
        Assert.Equal(["save"], ran);
    });

    [Fact]
    public void A_fork_can_begin_at_every_checkpoint_of_every_run_and_each_completes() => Lab.Do(async lab =>
    {
        await lab.Run(Prices(fails: true), new { rows = 10 });
        await lab.Client.CancelAsync("run", cancellationToken: Lab.Token);
        await lab.Resume(Prices(), new ResumeOptions { Force = true });
        var parent = await lab.Journal();
        Assert.Equal((CheckpointKind.Completed, true), (parent[^1].Kind, parent.Any(record => record.Kind == CheckpointKind.Canceled)));
        foreach (var record in parent)
        {
            var id = $"fork-{record.Seq}";
            var fork = await lab.Client.ForkAsync("run", new ForkOptions { RunId = id, At = record.Seq }, Lab.Token);
            Assert.Equal(RunStatus.Paused, fork.Status);
            Assert.Empty(await lab.Client.VerifyAsync(id, Lab.Token));
            var ran = new List<string>();
            var result = (await lab.Resume(Prices(ran), runId: id)).EnsureCompleted();
            Assert.Equal("saved 20 ", result.Output<string>("save"));
            var done = parent.Where(one => one.Seq <= record.Seq && one is { Kind: CheckpointKind.Step, Status: StepStatus.Completed }).Select(one => one.Path);
            Assert.Equal(new[] { "load", "check", "save" }.Except(done), ran);
        }
        Assert.Equal(parent.Select(record => record.Hash), (await lab.Journal()).Select(record => record.Hash));
    });

    [Fact]
    public void A_fork_lives_on_when_its_parent_is_removed_payloads_and_all() => Lab.Do(async lab =>
    {
        var big = new string('x', 600_000);
        var workflow = Workflow.Create("w").Also(builder =>
        {
            builder.Step("big", _ => Task.FromResult(StepResult.Ok(big) with
            {
                Attachments = [new byte[] { 1, 2, 3 }, new byte[] { 4 }],
                Info = RawJson.Parse(
                """{"log":{"sha256":"039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81","bytes":3},"other":{"sha256":"0000000000000000000000000000000000000000000000000000000000000000","bytes":1}}""")
            }));
            builder.Step("after", ctx => Task.FromResult(ctx.Output<string>("big").Length));
        }).Build();
        (await lab.Run(workflow)).EnsureCompleted();
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", Before = "after" }, Lab.Token);
        Assert.True(await lab.Client.DeleteAsync("run", Lab.Token));
        Assert.Equal(600_000, (await lab.Resume(workflow, runId: "fork")).EnsureCompleted().Output<int>("after"));
        var log = await lab.Store.ReadPayloadAsync("fork", new PayloadRef("039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81", 3), Lab.Token);
        Assert.Equal([1, 2, 3], log.ToArray());
        // What nothing else names is named by the record.
        Assert.Equal([4], (await lab.Store.ReadPayloadAsync("fork", new PayloadRef("e52d9c508c502347344d8c07ad91cbd6068afc75ff6292f062a09ca381c89e71", 1), Lab.Token)).ToArray());
        Assert.Empty(await lab.Client.VerifyAsync("fork", Lab.Token));
    });

    [Fact]
    public void A_fork_of_a_fork_is_canceled_by_its_own_tokens_and_remembers_its_own_parent() => Lab.Do(async lab =>
    {
        for (var pass = 0; pass < 3; pass++) await (pass == 0 ? lab.Run(Prices(fails: true), new { rows = 1 }) : lab.Resume(Prices(fails: true)));
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "one" }, Lab.Token);
        await lab.Client.ForkAsync("one", new ForkOptions { RunId = "two", Tags = new Dictionary<string, string> { ["why"] = "test" } }, Lab.Token);
        var head = await lab.Head("two");
        Assert.Equal(("one", "test"), (head.Tags["forked_from"], head.Tags["why"]));
        var slow = Workflow.Create("prices").Also(builder => { builder.Work("load", 1); builder.Work("check", 100); builder.Work("save", 1); }).Build();
        var running = lab.Resume(slow, runId: "two");
        await lab.Delay(5);
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("two", cancellationToken: Lab.Token)).Status);
        Assert.Equal(RunStatus.Canceled, (await running).Status);
    });

    [Fact]
    public void A_fork_of_a_schedules_run_belongs_to_no_schedule_and_stands_in_no_queue() => Lab.Do(async lab =>
    {
        await lab.Client.ScheduleAsync(new Schedule("nightly", Prices(), "0 3 * * *"), Lab.Token);
        RunHead? next = null;
        await foreach (var head in lab.Client.ListAsync(cancellationToken: Lab.Token)) next = head;
        var fork = await lab.Client.ForkAsync(next!.RunId, new ForkOptions { RunId = "fork", Params = Lab.Values(new { rows = 1 }) }, Lab.Token);
        Assert.Equal((null, false), (fork.Queue, fork.Tags.ContainsKey("schedule")));
        (await lab.Resume(Prices(), runId: "fork")).EnsureCompleted();
        var ahead = 0;
        await foreach (var head in lab.Client.ListAsync(cancellationToken: Lab.Token)) if (Schedule.IsAhead(head)) ahead++;
        Assert.Equal(1, ahead);
    });

    [Fact]
    public void A_secret_that_a_fork_is_given_is_kept_nowhere_and_given_again_to_its_resume() => Lab.Do(async lab =>
    {
        const string secret = "hunter2-not-for-disks";
        var builder = Workflow.Create("prices").Param("region", "eu").Param(new WorkflowParam("token", "secret", Required: true));
        builder.Step("load", ctx => $"{ctx.Params.Get<string>("region")} {ctx.Params.Get<string>("token").Length}");
        var workflow = builder.Build();
        (await lab.Run(workflow, new { token = secret })).EnsureCompleted();
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", Before = "load", Params = Lab.Values(new { region = "us", token = secret }) }, Lab.Token);
        // A fork of the fork knows it from the copied record.
        await lab.Client.ForkAsync("fork", new ForkOptions { RunId = "again", Params = Lab.Values(new { token = secret }) }, Lab.Token);
        foreach (var record in (await lab.Journal("fork")).Concat(await lab.Journal("again"))) Assert.DoesNotContain(secret, Encoding.UTF8.GetString(record.Line.Span));
        Assert.Equal(["region"], (await lab.Client.ParamsAsync("fork", Lab.Token)).Keys);
        await Assert.ThrowsAsync<InvalidDefinitionException>(() => lab.Resume(workflow, runId: "fork"));
        Assert.Equal("us 21", (await lab.Resume(workflow, new ResumeOptions { Params = Lab.Values(new { token = secret }) }, "fork")).EnsureCompleted().Output<string>("load"));
    });

    [Fact]
    public void A_param_that_a_later_pass_declared_as_a_secret_is_one_to_every_fork() => Lab.Do(async lab =>
    {
        var plain = Workflow.Create("prices");
        plain.Step("load", _ => throw new StepException("no", ErrorClass.Permanent));
        await lab.Run(plain.Build());
        var guarded = Workflow.Create("prices").Param(new WorkflowParam("token", "secret"));
        guarded.Step("load", _ => 1);
        await lab.Resume(guarded.Build());
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "fork", At = 2, Params = Lab.Values(new { token = "hunter2" }) }, Lab.Token);
        Assert.Empty(await lab.Client.ParamsAsync("fork", Lab.Token));
    });

    [Fact]
    public void The_plan_of_a_fork_is_what_it_then_does_and_writes_nothing() => Lab.Do(async lab =>
    {
        (await lab.Run(Prices(), new { rows = 10 })).EnsureCompleted();
        var fork = new ForkOptions { RunId = "fork", Before = "check" };
        var plan = await lab.Client.PlanForkAsync(Prices(), "run", fork, null, Lab.Token);
        Assert.Equal(["load: Reuse", "check: Run", "save: Run"], plan.Steps.Select(step => $"{step.Path}: {step.Decision}"));
        Assert.Null(await lab.Client.FindAsync("fork", Lab.Token));
    });

    [Fact]
    public void What_cannot_be_forked_is_refused_and_leaves_nothing() => Lab.Do(async lab =>
    {
        (await lab.Run(Prices(), new { rows = 10 })).EnsureCompleted();
        await Assert.ThrowsAsync<ArgumentException>(() => lab.Client.ForkAsync("run", new ForkOptions { At = 99 }, Lab.Token));
        var wrong = await Assert.ThrowsAsync<ArgumentException>(() => lab.Client.ForkAsync("run", new ForkOptions { Before = "chek" }, Lab.Token));
        Assert.Contains("'check'", wrong.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<RunExistsException>(() => lab.Client.ForkAsync("run", new ForkOptions { RunId = "run" }, Lab.Token));
        await Assert.ThrowsAsync<RunNotFoundException>(() => lab.Client.ForkAsync("none", cancellationToken: Lab.Token));
        var runs = 0;
        await foreach (var _ in lab.Client.ListAsync(cancellationToken: Lab.Token)) runs++;
        Assert.Equal(1, runs);
    });

    [Fact]
    public void A_fork_whose_making_was_cut_off_is_refused_by_every_resume() => Lab.Do(async lab =>
    {
        (await lab.Run(Prices(), new { rows = 10 })).EnsureCompleted();
        var inner = (MemoryStore)lab.Store;
        var dying = new Lab(new Testing.CrashingStore(inner, new Testing.CrashPoint(2, Testing.CrashMoment.Before)), lab.Time);
        await Assert.ThrowsAnyAsync<Exception>(() => dying.Client.ForkAsync("run", new ForkOptions { RunId = "half" }, Lab.Token));
        Assert.Equal(RefusalReason.Incompatible, await lab.Refused(Prices(), runId: "half"));
        Assert.True(await lab.Client.DeleteAsync("half", Lab.Token));
    });
}
