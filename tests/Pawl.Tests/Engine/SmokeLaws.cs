namespace Pawl.Tests.Engine;

public class SmokeLaws
{
    [Fact]
    public void A_workflow_runs_its_steps_in_order_and_hands_on_outputs() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        var a = builder.Step("a", async ctx => { await ctx.Delay(5); return 20; });
        var b = builder.Step("b", ctx => ctx.Output(a) + 1);
        var result = await lab.Run(builder.Build());
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(21, result.Output(b));
        Assert.Equal(["a", "b"], lab.Began);
        Assert.Equal(5, lab.Time.Elapsed.TotalSeconds, 3);
        Assert.Empty(await lab.Client.VerifyAsync("run", Lab.Token));
    });

    [Fact]
    public void A_failed_step_stops_the_run_and_a_resume_goes_on_there() => Lab.Do(async lab =>
    {
        var broken = true;
        var builder = Workflow.Create("w");
        builder.Work("a");
        builder.Fail("b", () => broken);
        builder.Work("c");
        var workflow = builder.Build();
        var first = await lab.Run(workflow);
        Assert.Equal((RunStatus.Failed, "b", "b broke"), (first.Status, first.ErrorStep, first.Error));
        broken = false;
        var second = await lab.Resume(workflow);
        Assert.Equal(RunStatus.Completed, second.Status);
        Assert.Equal(["a", "b", "b", "c"], lab.Began);
        Assert.Equal(["a"], second.Restored);
        Assert.Equal(["b", "c"], second.Executed);
    });

    [Fact]
    public void Steps_without_needs_run_side_by_side() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Work("a", 10, s => s.Needs());
        builder.Work("b", 20, s => s.Needs());
        builder.Work("c", 5, s => s.Needs("a", "b"));
        var result = await lab.Run(builder.Build());
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(25, result.Duration.TotalSeconds, 3);
    });
}
