using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Child runs that wait: their parents hold nothing, and go on when they have ended.</summary>
public class ChildLaws
{
    static readonly string[] s_paths = ["run before", "run.sub a", "run.sub b", "run after"];

    /// <summary>A parent whose child waits for the signal <c>go</c> between two steps; bodies tell what they do.</summary>
    static Workflow Parent(List<string> done, Func<bool>? fails = null, Action<StepBuilder>? child = null, Func<StepContext, Task>? wait = null)
    {
        var inner = Workflow.Create("child");
        Add(inner, "a");
        inner.Step("wait", wait ?? (ctx => ctx.WaitForSignalAsync("go")));
        Add(inner, "b");
        var outer = Workflow.Create("parent");
        Add(outer, "before");
        outer.Child("sub", inner.Build(), null, child);
        Add(outer, "after");
        return outer.Build();

        void Add(WorkflowBuilder builder, string id) => builder.Step(id, async ctx =>
        {
            await ctx.Delay(0.1);
            if (id == "b" && fails?.Invoke() == true) throw new IOException("b broke");
            lock (done) done.Add($"{ctx.RunId} {id}");
            return ctx.Path;
        });
    }

    static async Task Parked(Lab lab, string run = "run")
    {
        for (var i = 0; i < 100 && await lab.Client.FindAsync(run, Lab.Token) is not { Status: RunStatus.Waiting, Owner: null }; i++) await lab.Delay(0.1);
        Assert.Equal((RunStatus.Waiting, null), ((await lab.Head(run)).Status, (await lab.Head(run)).Owner));
    }

    static Task<RunHead> Enqueue(Lab lab, Workflow workflow) => lab.Client.EnqueueAsync(workflow, null, new EnqueueOptions(), new StartOptions { RunId = "run" }, Lab.Token);

    static Task<bool> Signal(Lab lab) => lab.Client.SignalAsync("run.sub", "go", cancellationToken: Lab.Token);

    [Fact]
    public void A_parent_whose_child_waits_holds_nothing_and_goes_on_when_the_child_has_ended() => Lab.Do(async lab =>
    {
        var done = new List<string>();
        var workflow = Parent(done);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await Parked(lab, "run.sub");
        await Parked(lab);
        Assert.Empty(hand.Worker.Health.Running);
        Assert.True(Assert.Single((await lab.Head()).Waits).IsChildRun);
        await lab.Delay(600);
        // Nothing woke it: the passes are those of the beginning.
        Assert.Single(await lab.Journal(), record => record.Kind == CheckpointKind.Resumed);
        await Signal(lab);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
        Assert.Equal(s_paths, done);
        Assert.Equal(2, (await lab.Journal()).Count(record => record.Kind == CheckpointKind.Resumed));
    });

    [Fact]
    public void A_parent_whose_child_sleeps_holds_nothing_and_one_queue_place_is_enough_for_both() => Lab.Do(async lab =>
    {
        var done = new List<string>();
        var workflow = Parent(done, wait: ctx => ctx.SleepAsync("night", TimeSpan.FromHours(8)));
        await using var hand = new Hand(lab, new WorkerOptions { Workflows = [workflow], PollInterval = TimeSpan.FromMinutes(5), Queues = [new QueueOptions("default") { Concurrency = 1 }] });
        await Enqueue(lab, workflow);
        await Parked(lab);
        Assert.Empty(hand.Worker.Health.Running);
        await lab.Delay(8 * 3600);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
        Assert.Equal(s_paths, done);
    });

    [Theory]
    [InlineData(CrashMoment.Before)]
    [InlineData(CrashMoment.After)]
    [InlineData(CrashMoment.AnswerLost)]
    [InlineData(CrashMoment.Refused)]
    public void A_worker_that_dies_at_any_write_leaves_parent_and_child_able_to_go_on_and_nothing_is_done_twice(CrashMoment moment)
    {
        var write = 0;
        while (Trial(new CrashPoint(++write, moment))) { }
        Assert.True(write > 25, $"only {write} writes were tried");
    }

    /// <summary>The first worker dies at a point, at the latest when another one has had its time. True when the point was met.</summary>
    static bool Trial(CrashPoint crash) => Lab.Do(async lab =>
    {
        var done = new List<string>();
        var workflow = Parent(done);
        // Few looks at the queue, so that the writes are those of the runs.
        var options = new WorkerOptions { Workflows = [workflow], PollInterval = TimeSpan.FromMinutes(1) };
        await using var one = new Hand(lab, options, crash);
        await Enqueue(lab, workflow);
        await lab.Delay(5);
        await using var two = one.IsDead ? new Hand(lab, options) : null;
        await lab.Delay(100);
        // An answer that was lost may have left the run with a process that does not know of it: no lease ends here.
        if (await lab.Client.FindAsync("run.sub", Lab.Token) is not { Status: RunStatus.Waiting }) await one.KillAsync();
        await using var again = one.IsDead ? new Hand(lab, options) : null;
        await lab.Delay(5);
        await Signal(lab);
        await lab.Delay(100);
        await one.KillAsync();
        await using var three = new Hand(lab, options);
        Assert.True((await lab.Ended()).Status == RunStatus.Completed, $"{crash}: {(await lab.Head()).Status} {(await lab.Head()).Error}");
        Assert.Equal(RunStatus.Completed, (await lab.Head("run.sub")).Status);
        Assert.Equal(s_paths, done.Distinct());
        foreach (var path in s_paths) Assert.Single(await lab.Records(path.Split(' ')[1], path.Split(' ')[0]), record => record.Status == StepStatus.Completed);
        // Only what was done without its checkpoint is done again.
        Assert.InRange(done.Count, 4, crash.Moment is CrashMoment.Before or CrashMoment.Refused ? 5 : 4);
        return one.Writes >= crash.Write;
    });

    [Fact]
    public void A_cancel_of_a_parked_parent_reaches_its_child() => Lab.Do(async lab =>
    {
        var workflow = Parent([]);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await Parked(lab, "run.sub");
        await Parked(lab);
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("run", cancellationToken: Lab.Token)).Status);
        Assert.Equal(RunStatus.Canceled, (await lab.Head("run.sub")).Status);
    });

    [Fact]
    public void A_cancel_of_a_parent_at_work_reaches_the_child_that_it_executes() => Lab.Do(async lab =>
    {
        var workflow = Parent([], wait: ctx => ctx.Delay(3600));
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await lab.Delay(5);
        Assert.Equal(RunStatus.Running, (await lab.Head("run.sub")).Status);
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("run", cancellationToken: Lab.Token)).Status);
        Assert.Equal(RunStatus.Canceled, (await lab.Head("run.sub")).Status);
    });

    [Fact]
    public void A_canceled_or_deleted_child_does_not_leave_its_parent_waiting() => Lab.Do(async lab =>
    {
        var workflow = Parent([]);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await Parked(lab);
        await lab.Client.DeleteAsync("run.sub", Lab.Token);
        await Parked(lab, "run.sub");
        await Parked(lab);
        await lab.Client.CancelAsync("run.sub", cancellationToken: Lab.Token);
        var head = await lab.Ended();
        Assert.Equal((RunStatus.Failed, "sub"), (head.Status, head.ErrorStep));
        Assert.Contains("canceled on request", head.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void A_child_that_fails_while_its_parent_is_parked_fails_the_step_and_goes_on_when_the_parent_is_put_back() => Lab.Do(async lab =>
    {
        var (done, broken) = (new List<string>(), true);
        var workflow = Parent(done, () => broken);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await Parked(lab);
        await Signal(lab);
        var head = await lab.Ended();
        Assert.Equal((RunStatus.Failed, "sub"), (head.Status, head.ErrorStep));
        Assert.Contains("b broke", head.Error, StringComparison.Ordinal);
        Assert.Single(await lab.Records("b", "run.sub"));
        broken = false;
        await lab.Client.RequeueAsync("run", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
        Assert.Equal(s_paths, done);
    });

    [Fact]
    public void A_paused_child_keeps_its_parent_waiting_until_it_is_resumed() => Lab.Do(async lab =>
    {
        var done = new List<string>();
        var workflow = Parent(done);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        await Parked(lab);
        await lab.Client.PauseAsync("run.sub", cancellationToken: Lab.Token);
        await Signal(lab);
        await lab.Delay(60);
        await Parked(lab);
        await lab.Client.RequeueAsync("run.sub", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
        Assert.Equal(s_paths, done);
    });

    [Fact]
    public void A_step_that_runs_out_of_time_while_its_child_waits_elsewhere_stops_the_child() => Lab.Do(async lab =>
    {
        var done = new List<string>();
        var inner = Parent(done, child: step => step.Timeout(TimeSpan.FromMinutes(1)));
        var builder = Workflow.Create("parent").Options(new WorkflowOptions { OnFailure = FailurePolicy.Continue });
        builder.Group("both", both =>
        {
            both.Child("sub", inner.Find("sub")!.ChildWorkflow!, null, step => step.Timeout(TimeSpan.FromMinutes(1)));
            both.Step("busy", async ctx => { await ctx.Delay(120); return 1; });
        });
        var workflow = builder.Build();
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow);
        Assert.Equal(RunStatus.Failed, (await lab.Ended()).Status);
        Assert.Equal("timeout", (await lab.Records("both/sub"))[0].Error!.Type);
        Assert.Equal(RunStatus.Paused, (await lab.Head("run.both-sub-" + RunIds.Child("run", "both/sub")[^8..])).Status);
    });

    [Fact]
    public void A_message_of_an_end_that_takes_long_to_be_written_is_not_lost()
    {
        var time = new VirtualTime();
        var lab = new Lab(new SlowStore(new MemoryStore(time), time, TimeSpan.FromSeconds(2)), time);
        time.Run(async () =>
        {
            var workflow = Parent([]);
            await using var one = new Hand(lab, workflow);
            await using var two = new Hand(lab, workflow);
            await Enqueue(lab, workflow);
            await lab.Delay(60);
            await Parked(lab);
            await Signal(lab);
            Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
        });
    }

    [Fact]
    public void A_child_that_no_worker_could_take_is_held_by_its_parent_as_before() => Lab.Do(async lab =>
    {
        var inner = Workflow.Define("inner", async ctx => { await ctx.WaitForSignalAsync("go"); return 7; });
        var workflow = Workflow.Define("outer", async ctx => (await ctx.RunChildAsync("sub", inner)).Output<int>("inner"));
        await using (var hand = new Hand(lab, workflow))
        {
            await Enqueue(lab, workflow);
            await lab.Delay(60);
            Assert.Equal("run", Assert.Single(hand.Worker.Health.Running));
        }
        // One that has it parks both.
        await using var other = new Hand(lab, workflow, inner);
        await lab.Delay(1);
        await lab.Client.SignalAsync(RunIds.Child("run", "outer/sub"), "go", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);
    });

    [Fact]
    public void A_caller_gets_a_parent_back_whose_child_waits_for_a_person_and_resumes_it_when_there_is_an_answer() => Lab.Do(async lab =>
    {
        var done = new List<string>();
        var workflow = Parent(done, wait: ctx => ctx.RequestApprovalAsync(new ApprovalRequest("Go on?")));
        var result = await lab.Run(workflow);
        Assert.Equal(RunStatus.Waiting, result.Status);
        Assert.True(Assert.Single(result.Waits).IsChildRun);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow));
        await lab.Client.ApproveAsync("run.sub", "wait", "ann", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(s_paths, done);
    });
}
