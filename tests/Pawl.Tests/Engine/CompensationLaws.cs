using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>Undoing what is done when the run fails.</summary>
public class CompensationLaws
{
    static readonly WorkflowOptions Compensate = new() { OnFailure = FailurePolicy.Compensate };

    static Workflow Row(List<string> undone, Func<bool>? fails = null, Func<StepContext, Task>? also = null, Action<StepBuilder>? configure = null)
    {
        var builder = Workflow.Create("w").Options(Compensate);
        foreach (var id in new[] { "a", "b", "c" })
        {
            builder.Work(id, 1, s =>
            {
                s.Compensate(async ctx => { await (also?.Invoke(ctx) ?? ctx.Delay(1)); undone.Add($"{ctx.Path}:{ctx.Output<string>(ctx.Path)}"); });
                configure?.Invoke(s);
            });
        }
        builder.Fail("last", fails ?? (() => true));
        return builder.Build();
    }

    [Fact]
    public void Finished_steps_are_undone_the_last_one_first_and_see_their_outputs() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        var result = await lab.Run(Row(undone));
        Assert.Equal(["c:c", "b:b", "a:a"], undone);
        Assert.Equal((RunStatus.Failed, "last", "last broke (finished steps were compensated)"), (result.Status, result.ErrorStep, result.Error));
        Assert.Equal((0, 4), ((await lab.Head()).Done, (await lab.Head()).Total));
        Assert.Equal(["c", "b", "a"], (await lab.Journal()).Where(record => record.Kind == CheckpointKind.Compensated).Select(record => record.Path));
    });

    [Fact]
    public void A_finished_step_that_got_another_name_is_undone_under_it() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        Workflow Named(string name, FailurePolicy policy) => Workflow.Create("w").Options(new() { OnFailure = policy }).Also(builder =>
        {
            builder.Work(name, 1, s => s.Compensate(ctx => { undone.Add(ctx.Path); return Task.CompletedTask; }));
            builder.Fail("last", () => true);
        }).Build();
        await lab.Run(Named("old", FailurePolicy.Stop));
        await lab.Resume(Named("new", FailurePolicy.Compensate), new ResumeOptions { Map = new Dictionary<string, string> { ["new"] = "old" } });
        Assert.Equal(["new"], undone);
    });

    [Fact]
    public void A_completed_run_undoes_nothing() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        Assert.Equal(RunStatus.Completed, (await lab.Run(Row(undone, () => false))).Status);
        Assert.Empty(undone);
    });

    [Fact]
    public void What_was_undone_runs_again_on_resume() => Lab.Do(async lab =>
    {
        var broken = true;
        var workflow = Row([], () => broken);
        await lab.Run(workflow);
        broken = false;
        lab.Began.Clear();
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(["a", "b", "c", "last"], lab.Began);
        Assert.Equal(4, (await lab.Head()).Done);
    });

    [Fact]
    public void An_interrupted_compensation_is_paused_and_goes_on_where_it_was() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(4.6), lab.Time);
        var undone = new List<string>();
        var workflow = Row(undone);
        var first = await lab.Run(workflow, interrupt: interrupt);
        Assert.Equal((RunStatus.Paused, "interrupted while compensating; a resume goes on with it"), (first.Status, first.Error));
        Assert.Equal(["c:c"], undone);
        var second = await lab.Resume(workflow);
        Assert.Equal((RunStatus.Failed, "last", "last broke (finished steps were compensated)"), (second.Status, second.ErrorStep, second.Error));
        Assert.Equal(["c:c", "b:b", "a:a"], undone);
        Assert.Equal(4, lab.Began.Count);
    });

    [Fact]
    public void An_undo_that_fails_is_recorded_and_the_others_go_on() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        var result = await lab.Run(Row(undone, also: ctx => ctx.Path == "b" ? throw new InvalidOperationException("gone") : Task.CompletedTask));
        Assert.Equal(["c:c", "a:a"], undone);
        Assert.Equal("last broke (compensation failed: 'b': gone)", result.Error);
        Assert.Equal(StepStatus.Failed, (await lab.Journal()).Single(record => record.Kind == CheckpointKind.Compensated && record.Path == "b").Status);
    });

    [Fact]
    public void An_undo_is_retried_as_its_step_is() => Lab.Do(async lab =>
    {
        var (tries, undone) = (0, new List<string>());
        await lab.Run(Row(undone, also: ctx => ctx.Path == "b" && ++tries < 3 ? throw new IOException("busy") : Task.CompletedTask, configure: s => s.Retry(3)));
        Assert.Equal(["c:c", "b:b", "a:a"], undone);
    });

    [Fact]
    public void A_cancel_ends_a_compensation_for_good() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        var run = lab.Run(Row(undone));
        await lab.Delay(4.6);
        await lab.Client.CancelAsync("run", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Canceled, (await run).Status);
        Assert.Equal(["c:c"], undone);
    });

    [Fact]
    public void Steps_in_groups_and_branches_are_undone_before_what_came_before_them() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        Action<StepBuilder> undo = s => s.Compensate(ctx => { undone.Add(ctx.Path); return Task.CompletedTask; });
        var builder = Workflow.Create("w").Options(Compensate);
        builder.Work("first", 1, undo);
        builder.Group("g", group =>
        {
            group.Step("x", async ctx => { await ctx.Delay(1); return 1; }, undo);
            group.Step("y", async ctx => { await ctx.Delay(2); return 1; }, undo);
        });
        builder.Choose("pick", cases => cases.Otherwise(then => then.Step("z", _ => Task.FromResult(1), undo)));
        builder.Fail("last", () => true);
        await lab.Run(builder.Build());
        Assert.Equal(["pick/otherwise/z", "g/y", "g/x", "first"], undone);
    });

    [Fact]
    public void Undoing_goes_by_the_graph_also_when_an_earlier_step_ran_again_later() => Lab.Do(async lab =>
    {
        var undone = new List<string>();
        Workflow With(string print, FailurePolicy policy) => Workflow.Create("w").Options(new() { OnFailure = policy }).Also(builder =>
        {
            foreach (var id in (string[])["a", "b", "c"])
                builder.Work(id, 1, s => s.Options(new StepOptions { Fingerprint = id == "a" ? print : null }).Compensate(ctx => { undone.Add(ctx.Path); return Task.CompletedTask; }));
            builder.Fail("last", () => true);
        }).Build();
        await lab.Run(With("1", FailurePolicy.Stop));
        await lab.Resume(With("2", FailurePolicy.Compensate), new ResumeOptions { RerunChanged = true });
        Assert.Equal(["c", "b", "a"], undone);
    });
}
