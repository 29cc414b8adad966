using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>A failed run goes on by itself where it was set so: in calls, in resumes, in workers and in child runs, by what the journal holds.</summary>
public class AutoResumeLaws
{
    static Workflow Failing(int limit, Func<bool> fails, double seconds = 0.1, ErrorClass kind = ErrorClass.Transient)
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { AutoResumeAttempts = limit });
        builder.Work("a");
        builder.Step("b", async ctx =>
        {
            await ctx.Delay(seconds);
            return fails() ? StepResult.Fail("broke", kind) : StepResult.Ok(1);
        });
        return builder.Build();
    }

    static Task<Pawl.Storage.RunHead> Enqueue(Lab lab, Workflow workflow) => lab.Client.EnqueueAsync(workflow, null, new EnqueueOptions(), new StartOptions { RunId = "run" }, Lab.Token);

    static async Task<int> Attempts(Lab lab, string path = "b", string run = "run") => (await lab.Records(path, run)).Count(record => record.Status is StepStatus.Failed or StepStatus.Completed);

    [Fact]
    public void A_resume_goes_on_by_itself_as_a_start_does_and_counts_anew() => Lab.Do(async lab =>
    {
        var workflow = Failing(2, () => true);
        Assert.Null((await lab.Run(workflow)).ResumesAt);
        Assert.Equal(3, await Attempts(lab));
        var began = lab.Time.Elapsed;
        Assert.Equal(RunStatus.Failed, (await lab.Resume(workflow)).Status);
        Assert.Equal(6, await Attempts(lab));
        Assert.Equal(15.3, (lab.Time.Elapsed - began).TotalSeconds, 1);
        Assert.Contains(lab.Warnings, warning => warning.Contains("goes on by itself in 10 s: automatic resume 2 of 2", StringComparison.Ordinal));
        // The first step was done once.
        Assert.Single(await lab.Records("a"));
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_goes_on_by_itself_leaves_out_what_the_run_was_to_leave_out(bool inWorker) => Lab.Do(async lab =>
    {
        var failures = 0;
        var builder = Workflow.Create("w").Options(new WorkflowOptions { AutoResumeAttempts = 2 });
        builder.Step("build", _ => failures++ < 1 ? StepResult.Fail("broke") : StepResult.Ok(1));
        builder.Work("deploy");
        var workflow = builder.Build();
        var start = new StartOptions { RunId = "run", Select = new StepSelection { Until = "build" } };
        if (inWorker)
        {
            await using var hand = new Hand(lab, workflow);
            await lab.Client.EnqueueAsync(workflow, null, new EnqueueOptions(), start, Lab.Token);
            await lab.Delay(60);
        }
        else await lab.Run(workflow, start: start);
        Assert.Equal((RunStatus.Paused, 2), ((await lab.Head()).Status, await Attempts(lab, "build")));
        Assert.Empty(await lab.Records("deploy"));
    });

    [Fact]
    public void A_failed_run_of_a_queue_goes_on_by_itself_bounded_with_back_off_and_holds_nothing_meanwhile() => Lab.Do(async lab =>
    {
        var workflow = Failing(2, () => true);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await lab.Delay(4);
        var head = await lab.Head();
        Assert.Equal((RunStatus.Failed, null, 1), (head.Status, head.Owner, await Attempts(lab)));
        Assert.Equal(5, (head.WakeAt!.Value - head.UpdatedAt).TotalSeconds, 1);
        Assert.Empty(hand.Worker.Health.Running);
        await lab.Delay(4);
        Assert.Equal(2, await Attempts(lab));
        await lab.Delay(600);
        Assert.Equal((3, null), (await Attempts(lab), (await lab.Head()).WakeAt));
    });

    [Fact]
    public void A_pending_resume_outlives_the_worker_whose_run_failed() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Failing(1, () => fails);
        var one = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await lab.Delay(3);
        await one.KillAsync();
        await one.DisposeAsync();
        fails = false;
        await lab.Delay(1);
        await using var two = new Hand(lab, workflow);
        await lab.Delay(0.5);
        // Not before its time.
        Assert.Equal(RunStatus.Failed, (await lab.Head()).Status);
        await lab.Delay(5);
        Assert.Equal((RunStatus.Completed, 2), ((await lab.Head()).Status, await Attempts(lab)));
    });

    [Fact]
    public void A_worker_that_dies_within_an_automatic_resume_does_not_make_the_count_begin_anew() => Lab.Do(async lab =>
    {
        var workflow = Failing(1, () => true, seconds: 3);
        var one = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await lab.Delay(10);
        Assert.Equal(RunStatus.Running, (await lab.Head()).Status);
        await one.KillAsync();
        await one.DisposeAsync();
        await using var two = new Hand(lab, workflow);
        await lab.Delay(600);
        Assert.Equal((RunStatus.Failed, null, 2), ((await lab.Head()).Status, (await lab.Head()).WakeAt, await Attempts(lab)));
        // A person's word begins it anew.
        await lab.Client.RequeueAsync("run", cancellationToken: Lab.Token);
        await lab.Delay(600);
        Assert.Equal(4, await Attempts(lab));
    });

    [Fact]
    public void A_run_of_no_queue_whose_process_died_in_the_pause_goes_on_with_whoever_resumes_it() => Lab.Do(async lab =>
    {
        var fails = true;
        var workflow = Failing(3, () => fails);
        using var dies = new CancellationTokenSource(TimeSpan.FromSeconds(2), lab.Time);
        Assert.NotNull((await lab.Run(workflow, interrupt: dies)).ResumesAt);
        Assert.NotNull((await lab.Head()).WakeAt);
        fails = false;
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.InRange(lab.Time.Elapsed.TotalSeconds, 2, 3);
    });

    [Fact]
    public void What_cannot_pass_and_what_was_canceled_does_not_go_on_by_itself_in_a_queue_either() => Lab.Do(async lab =>
    {
        var critical = Failing(3, () => true, kind: ErrorClass.Critical);
        await using (var hand = new Hand(lab, critical))
        {
            await Enqueue(lab, critical);
            await lab.Delay(60);
            Assert.Equal((1, null), (await Attempts(lab), (await lab.Head()).WakeAt));
        }
        var workflow = Failing(3, () => true);
        await using var other = new Hand(lab, workflow);
        await lab.Client.EnqueueAsync(workflow, null, new EnqueueOptions(), new StartOptions { RunId = "canceled" }, Lab.Token);
        await lab.Delay(3);
        await lab.Client.CancelAsync("canceled", cancellationToken: Lab.Token);
        await lab.Delay(60);
        Assert.Equal((RunStatus.Canceled, 1), ((await lab.Head("canceled")).Status, await Attempts(lab, run: "canceled")));
    });

    [Fact]
    public void The_guards_of_a_resume_hold_for_what_goes_on_by_itself_behind_it() => Lab.Do(async lab =>
    {
        var workflow = Failing(2, () => true);
        using var once = new CancellationTokenSource(TimeSpan.FromSeconds(1), lab.Time);
        await lab.Run(workflow, interrupt: once);
        // Old enough after the pause of 5 s, and not before.
        var result = await lab.Resume(workflow, new ResumeOptions { MaxAge = TimeSpan.FromSeconds(3), AgeGuard = GuardPolicy.Refuse });
        Assert.Equal((RunStatus.Failed, 2), (result.Status, await Attempts(lab)));
        Assert.Null((await lab.Head()).Owner);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_child_run_that_goes_on_by_itself_has_not_ended_for_its_parent(bool inWorker) => Lab.Do(async lab =>
    {
        var failures = 0;
        var child = Failing(2, () => failures++ < 2);
        var builder = Workflow.Create("parent");
        builder.Step("run", async ctx => (await ctx.RunChildAsync("child", child)).Status);
        var parent = builder.Build();
        if (inWorker)
        {
            await using var hand = new Hand(lab, parent, child);
            await Enqueue(lab, parent);
            await lab.Ended();
        }
        else await lab.Run(parent);
        Assert.Equal(RunStatus.Completed, (await lab.Head()).Status);
        Assert.Equal(3, await Attempts(lab, run: RunIds.Child("run", "run/child")));
        Assert.Single(await lab.Records("run"));
        Assert.InRange(lab.Time.Elapsed.TotalSeconds, 15, 20);
    });

    [Fact]
    public void A_child_runs_pending_resume_outlives_the_worker_of_both() => Lab.Do(async lab =>
    {
        var failures = 0;
        var child = Failing(1, () => failures++ < 1);
        var builder = Workflow.Create("parent");
        builder.Step("run", async ctx => (await ctx.RunChildAsync("child", child)).Status);
        var parent = builder.Build();
        var one = new Hand(lab, parent, child);
        await Enqueue(lab, parent);
        await lab.Delay(3);
        await one.KillAsync();
        await one.DisposeAsync();
        await using var two = new Hand(lab, parent, child);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
        Assert.Equal(2, await Attempts(lab, run: RunIds.Child("run", "run/child")));
    });
}
