using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>Pause, cancel, interrupt, and two processes at one run.</summary>
public class SteeringLaws
{
    static Workflow Long(WorkflowOptions? options = null)
    {
        var builder = Workflow.Create("w").Options(options ?? new());
        builder.Work("a", 10);
        builder.Work("b", 10);
        builder.Work("c", 10);
        return builder.Build();
    }

    [Fact]
    public void A_pause_lets_running_steps_end_and_starts_nothing_new() => Lab.Do(async lab =>
    {
        var run = lab.Run(Long());
        await lab.Delay(5);
        var head = await lab.Client.PauseAsync("run", "anna", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Paused, head.Status);
        Assert.Equal(RunStatus.Paused, (await run).Status);
        Assert.Equal(10, lab.Time.Elapsed.TotalSeconds, 0);
        Assert.Equal(StepStatus.Completed, (await lab.Records("a")).Single().Status);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Long())).Status);
        Assert.Equal(["a", "b", "c"], lab.Began);
    });

    [Fact]
    public void A_pause_does_not_wait_for_a_message_that_a_step_waits_for() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Also(builder => builder.Work("a", 10)).Also(builder => builder.Step("b", async ctx => { await ctx.WaitForSignalAsync("go"); return 1; }, step => step.Needs())).Build();
        var run = lab.Run(workflow);
        await lab.Delay(5);
        Assert.Equal(RunStatus.Paused, (await lab.Client.PauseAsync("run", cancellationToken: Lab.Token)).Status);
        Assert.Equal(RunStatus.Paused, (await run).Status);
        await lab.Client.SignalAsync("run", "go", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Single(await lab.Records("a"));
    });

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Async)]
    [InlineData(Durability.Exit)]
    public void A_cancel_from_another_client_stops_running_steps_at_once(Durability durability) => Lab.Do(async lab =>
    {
        var run = lab.Run(Long(new WorkflowOptions { Durability = durability }));
        await lab.Delay(5);
        var head = await lab.Client.CancelAsync("run", "anna", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Canceled, head.Status);
        Assert.Equal(RunStatus.Canceled, (await run).Status);
        Assert.InRange(lab.Time.Elapsed.TotalSeconds, 5, 5.3);
        Assert.Equal(StepStatus.Canceled, (await lab.Records("a")).Single().Status);
    });

    [Fact]
    public void A_cancel_wins_over_a_completion_that_comes_later() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", async ctx => { await Task.Delay(TimeSpan.FromSeconds(6), lab.Time, CancellationToken.None); return 1; });
        var run = lab.Run(builder.Build());
        await lab.Delay(5);
        await lab.Client.CancelAsync("run", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Canceled, (await run).Status);
        Assert.Equal(RunStatus.Canceled, (await lab.Head()).Status);
        Assert.Equal(CheckpointKind.Canceled, (await lab.Journal())[^1].Kind);
    });

    [Fact]
    public void A_cancel_after_an_interruption_still_cancels() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(5), lab.Time);
        Assert.Equal(RunStatus.Paused, (await lab.Run(Long(), interrupt: interrupt)).Status);
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("run", cancellationToken: Lab.Token)).Status);
    });

    [Fact]
    public void A_canceled_run_stays_canceled_and_is_resumed_only_when_forced() => Lab.Do(async lab =>
    {
        var run = lab.Run(Long());
        await lab.Delay(15);
        await lab.Client.CancelAsync("run", cancellationToken: Lab.Token);
        await run;
        Assert.Equal(RefusalReason.Canceled, await lab.Refused(Long()));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Long(), new ResumeOptions { Force = true })).Status);
        Assert.Equal(["a", "b", "b", "c"], lab.Began);
    });

    [Fact]
    public void A_completed_run_cannot_be_canceled_or_paused() => Lab.Do(async lab =>
    {
        await lab.Run(Long());
        await Assert.ThrowsAsync<IllegalTransitionException>(() => lab.Client.CancelAsync("run", cancellationToken: Lab.Token));
        await Assert.ThrowsAsync<IllegalTransitionException>(() => lab.Client.PauseAsync("run", cancellationToken: Lab.Token));
    });

    [Fact]
    public void Canceling_twice_is_canceling_once() => Lab.Do(async lab =>
    {
        var run = lab.Run(Long());
        await lab.Delay(1);
        await Task.WhenAll(lab.Client.CancelAsync("run", cancellationToken: Lab.Token), lab.Client.CancelAsync("run", cancellationToken: Lab.Token));
        await run;
        Assert.Single(await lab.Journal(), record => record.Kind == CheckpointKind.Canceled);
    });

    [Fact]
    public void A_cancel_meant_for_a_dead_pass_does_not_hit_the_next() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(5), lab.Time);
        var token = 0L;
        var run = lab.Run(Long(), interrupt: interrupt);
        await lab.Delay(1);
        token = (await lab.Head()).Token;
        await run;
        await lab.Store.PostAsync("run", new RunMessage(RunMessage.Cancel(token), null, lab.Time.GetUtcNow()), Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Long())).Status);
    });

    [Fact]
    public void An_interrupted_run_is_paused_and_says_so() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(15), lab.Time);
        var result = await lab.Run(Long(), interrupt: interrupt);
        Assert.Equal((RunStatus.Paused, "interrupted", 15.0), (result.Status, result.Error, result.Duration.TotalSeconds));
        Assert.Null((await lab.Head()).Owner);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Long())).Status);
        Assert.Equal(["a", "b", "b", "c"], lab.Began);
    });

    [Fact]
    public void An_interruption_that_comes_when_all_is_done_changes_nothing() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource();
        var builder = Workflow.Create("w");
        builder.Step("a", ctx => 1);
        var result = await lab.Client.RunAsync(builder.Build(), start: new StartOptions { RunId = "run", OnEvent = e => { if (e is RunEvent.StepEnded) interrupt.Cancel(); } }, cancellationToken: interrupt.Token);
        Assert.Equal(RunStatus.Completed, result.Status);
    });

    [Fact]
    public void A_retry_pause_ends_at_once_when_the_run_stops() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(5), lab.Time);
        var builder = Workflow.Create("w");
        builder.Fail("a", () => true, s => s.Retry(new RetryPolicy { Attempts = 2, Delay = TimeSpan.FromHours(1), MaxDelay = TimeSpan.FromHours(1), Jitter = false }));
        var result = await lab.Run(builder.Build(), interrupt: interrupt);
        Assert.Equal((RunStatus.Paused, 5.0), (result.Status, result.Duration.TotalSeconds));
        Assert.Single(lab.Began);
    });

    [Fact]
    public void A_run_that_another_process_executes_is_refused_with_its_holder() => Lab.Do(async lab =>
    {
        var run = lab.Run(Long());
        await lab.Delay(1);
        var error = await Assert.ThrowsAsync<ResumeRefusedException>(async () => await lab.Resume(Long()));
        Assert.Equal(RefusalReason.Held, error.Refusal.Reason);
        Assert.Contains($"process {Environment.ProcessId}", error.Message);
        await run;
    });

    [Fact]
    public void A_process_that_lost_its_lease_stops_at_once_and_writes_nothing_more() => Lab.Do(async lab =>
    {
        var run = lab.Run(Long());
        await lab.Delay(5);
        // What a server store does when a lease runs out: the run is claimed by somebody else.
        await lab.Store.ReleaseAsync(new RunLease("run", (await lab.Head()).Token), Lab.Token);
        var taken = await lab.Store.ClaimAsync("run", new RunOwner(1, "elsewhere", lab.Time.GetUtcNow()), Lab.Token);
        var before = (await lab.Journal()).Count;
        var result = await run;
        Assert.Equal(RunStatus.Running, result.Status);
        Assert.Contains("taken over", result.Error);
        Assert.Equal(before, (await lab.Journal()).Count);
        Assert.Equal("elsewhere", (await lab.Head()).Owner!.Host);
        Assert.Equal(["a"], lab.Began);
        await lab.Store.ReleaseAsync(taken.Lease!, Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Long())).Status);
    });

    [Fact]
    public void A_lost_lease_is_noticed_between_checkpoints_too() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Work("a", 3600);
        var run = lab.Run(builder.Build());
        await lab.Delay(5);
        await lab.Store.ReleaseAsync(new RunLease("run", (await lab.Head()).Token), Lab.Token);
        await lab.Store.ClaimAsync("run", new RunOwner(1, "elsewhere", lab.Time.GetUtcNow()), Lab.Token);
        Assert.Contains("taken over", (await run).Error);
        Assert.InRange(lab.Time.Elapsed.TotalSeconds, 5, 60);
    });

    [Fact]
    public void Runs_in_one_store_do_not_disturb_each_other() => Lab.Do(async lab =>
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => lab.Run(Long(), start: new StartOptions { RunId = $"run{i}" })));
        Assert.All(results, result => Assert.Equal((RunStatus.Completed, 30.0), (result.Status, result.Duration.TotalSeconds)));
        foreach (var i in Enumerable.Range(0, 20)) Assert.Empty(await lab.Client.VerifyAsync($"run{i}", Lab.Token));
    });

    [Fact]
    public void Run_ids_made_in_the_same_second_are_numbered() => Lab.Do(async lab =>
    {
        var ids = new List<string>();
        for (var i = 0; i < 3; i++) ids.Add((await lab.Client.RunAsync(Of1(), cancellationToken: Lab.Token)).RunId);
        Assert.Equal(["my-flow_20260101_000000", "my-flow_20260101_000000_2", "my-flow_20260101_000000_3"], ids);
        static Workflow Of1()
        {
            var builder = Workflow.Create("my flow");
            builder.Step("a", _ => 1);
            return builder.Build();
        }
    });

    [Theory]
    [InlineData(1, 1)]
    [InlineData(20, 5)]
    public void Runs_that_begin_in_the_same_second_find_an_id_in_a_few_tries(int clients, int mostTries) => Lab.Do(async lab =>
    {
        const int runs = 600;
        var store = new CreatingStore(lab.Store);
        var flow = Workflow.Define("flow", _ => Task.CompletedTask);
        var many = Enumerable.Range(0, clients).Select(_ => new PawlClient(store, lab.Options)).ToList();
        for (var i = 0; i < runs; i++) await many[i % clients].EnqueueAsync(flow, cancellationToken: Lab.Token);
        Assert.Equal(runs, await lab.Client.ListAsync(cancellationToken: Lab.Token).CountAsync(Lab.Token));
        Assert.InRange(store.Tries, runs, runs * mostTries);
    });

    [Fact]
    public void Starting_an_id_that_exists_refuses_or_joins_as_asked() => Lab.Do(async lab =>
    {
        var broken = true;
        var builder = Workflow.Create("w");
        builder.Work("a");
        builder.Fail("b", () => broken);
        var workflow = builder.Build();
        await lab.Run(workflow);
        await Assert.ThrowsAsync<RunExistsException>(async () => await lab.Run(workflow));
        broken = false;
        var join = new StartOptions { IfExists = ExistingRun.Join };
        Assert.Equal(["a"], (await lab.Run(workflow, start: join)).Restored);
        var again = await lab.Run(workflow, start: join);
        Assert.Equal((RunStatus.Completed, "b"), (again.Status, again.Output<string>("b")));
        Assert.Equal(["a", "b", "b"], lab.Began);
    });

    [Fact]
    public void A_run_id_that_is_no_file_name_is_refused() => Lab.Do(async lab =>
    {
        foreach (var id in new[] { "../x", "a/b", "", "con", ".hidden", "a b", new string('x', 129) })
            await Assert.ThrowsAsync<ArgumentException>(async () => await lab.Run(Long(), start: new StartOptions { RunId = id }));
    });
}
