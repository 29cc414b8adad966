using System.Text;
using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>What is durable when, and what happens when it cannot be.</summary>
public class DurabilityLaws
{
    static Workflow Row(WorkflowOptions options, Action<string, StepBuilder>? configure = null)
    {
        var builder = Workflow.Create("w").Options(options);
        foreach (var id in new[] { "a", "b", "c", "d" }) builder.Work(id, 1, s => configure?.Invoke(id, s));
        return builder.Build();
    }

    /// <summary>Runs until the process dies at its n-th write, and says what the store then holds.</summary>
    static async Task<(List<string> Began, List<string> Kept)> Killed(Lab lab, Workflow workflow, CrashPoint point)
    {
        var process = new CrashingStore(lab.Store, point);
        var dying = new Lab(process, lab.Time);
        try { await dying.Run(workflow); }
        catch (ProcessDiedException) { }
        Assert.True(process.IsDead);
        return (dying.Began, [.. (await lab.Journal()).Where(record => record.Kind == CheckpointKind.Step).Select(record => record.Path!)]);
    }

    [Fact]
    public void Under_sync_a_step_begins_only_when_the_one_before_is_durable() => Lab.Do(async lab =>
    {
        // Writes: create, begin, a, b: the process dies when b is to be written.
        var (began, kept) = await Killed(lab, Row(new()), new CrashPoint(4, CrashMoment.Before));
        Assert.Equal(["a", "b"], began);
        Assert.Equal(["a"], kept);
    });

    [Fact]
    public void Under_async_a_crash_may_repeat_steps_but_their_order_is_kept() => Lab.Do(async lab =>
    {
        var workflow = Row(new WorkflowOptions { Durability = Durability.Async });
        var slow = new SlowStore(lab.Store, lab.Time, TimeSpan.FromSeconds(1.5));
        var result = await new Lab(slow, lab.Time).Run(workflow);
        Assert.Equal(RunStatus.Completed, result.Status);
        // Four seconds of steps hide all writes but the last ones.
        Assert.InRange(result.Duration.TotalSeconds, 4, 8);
        Assert.Equal(["a", "b", "c", "d"], (await lab.Journal()).Where(record => record.Kind == CheckpointKind.Step).Select(record => record.Path));
        Assert.Empty(await lab.Client.VerifyAsync("run", Lab.Token));
    });

    [Fact]
    public void Under_sync_every_write_is_waited_for() => Lab.Do(async lab =>
    {
        var result = await new Lab(new SlowStore(lab.Store, lab.Time, TimeSpan.FromSeconds(1.5)), lab.Time).Run(Row(new()));
        Assert.Equal(4 + 5 * 1.5, result.Duration.TotalSeconds, 3);
    });

    [Fact]
    public void Parallel_steps_that_end_while_a_write_is_under_way_share_the_next() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        for (var i = 0; i < 50; i++) builder.Work($"s{i}", 1, s => s.Needs());
        var counting = new CrashingStore(new SlowStore(lab.Store, lab.Time, TimeSpan.FromSeconds(1)));
        await new Lab(counting, lab.Time).Run(builder.Build());
        // Create, begin, the first step, all the others together, the end, the release.
        Assert.Equal(6, counting.Writes);
        Assert.True((await lab.Journal())[5].More);
    });

    [Fact]
    public void Under_exit_nothing_but_the_beginning_is_written_before_the_end() => Lab.Do(async lab =>
    {
        var workflow = Row(new WorkflowOptions { Durability = Durability.Exit });
        var (began, kept) = await Killed(lab, workflow, new CrashPoint(3, CrashMoment.Before));
        Assert.Equal(["a", "b", "c", "d"], began);
        Assert.Empty(kept);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(["a", "b", "c", "d"], lab.Began);
    });

    [Fact]
    public void Under_exit_an_interruption_writes_what_is_finished() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(2.5), lab.Time);
        var workflow = Row(new WorkflowOptions { Durability = Durability.Exit });
        await lab.Run(workflow, interrupt: interrupt);
        Assert.Equal(["a", "b"], (await lab.Client.PlanAsync(workflow, "run", cancellationToken: Lab.Token)).Steps.Where(step => step.Decision == StepDecision.Reuse).Select(step => step.Path));
    });

    [Fact]
    public void The_durability_a_run_began_with_stays_with_it() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(1.5), lab.Time);
        await lab.Run(Row(new WorkflowOptions { Durability = Durability.Exit }), interrupt: interrupt);
        var counting = new CrashingStore(lab.Store);
        await new Lab(counting, lab.Time).Resume(Row(new WorkflowOptions { Durability = Durability.Sync }));
        Assert.Equal(4, counting.Writes);
    });

    [Fact]
    public void Marked_steps_carry_the_unmarked_before_them_and_are_restored_together() => Lab.Do(async lab =>
    {
        var workflow = Row(new WorkflowOptions { Strategy = CheckpointStrategy.Marked }, (id, s) => { if (id == "b") s.Checkpoint(); });
        // Writes: create, begin, a and b together, and the end, where the process dies.
        var (began, kept) = await Killed(lab, workflow, new CrashPoint(4, CrashMoment.Before));
        Assert.Equal(["a", "b", "c", "d"], began);
        Assert.Equal(["a", "b"], kept);
        var journal = await lab.Journal();
        Assert.Equal([false, false, true, false], journal.Select(record => record.More));
        await lab.Resume(workflow);
        Assert.Equal(["c", "d"], lab.Began);
    });

    [Fact]
    public void A_result_may_force_a_checkpoint() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Strategy = CheckpointStrategy.Marked });
        builder.Step("a", _ => Task.FromResult(StepResult.Ok(1, checkpoint: true)));
        builder.Work("b");
        var (_, kept) = await Killed(lab, builder.Build(), new CrashPoint(4, CrashMoment.Before));
        Assert.Equal(["a"], kept);
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Checkpoints_off_leaves_nothing_in_the_store_and_runs_as_ever(bool byClient) => Lab.Do(async lab =>
    {
        lab.Options.Checkpointing = !byClient;
        var counting = new CrashingStore(lab.Store);
        var result = await new PawlClient(counting, lab.Options).RunAsync(Row(new WorkflowOptions { Strategy = byClient ? CheckpointStrategy.EveryStep : CheckpointStrategy.Off }), cancellationToken: Lab.Token);
        Assert.Equal((RunStatus.Completed, "d"), (result.Status, result.Output<string>("d")));
        Assert.Equal(0, counting.Writes);
        await foreach (var head in lab.Client.ListAsync(cancellationToken: Lab.Token)) Assert.Fail(head.RunId);
    });

    [Theory]
    [InlineData(CrashMoment.Refused)]
    [InlineData(CrashMoment.AnswerLost)]
    public void A_write_that_failed_once_is_tried_again_and_nobody_notices(CrashMoment moment) => Lab.Do(async lab =>
    {
        var store = new CrashingStore(lab.Store, new CrashPoint(4, moment));
        Assert.Equal(RunStatus.Completed, (await new Lab(store, lab.Time).Run(Row(new()))).Status);
        Assert.Equal(["a", "b", "c", "d"], (await lab.Journal()).Where(record => record.Kind == CheckpointKind.Step).Select(record => record.Path));
    });

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Async)]
    [InlineData(Durability.Exit)]
    public void A_store_that_cannot_be_written_stops_the_run_and_says_so(Durability durability) => Lab.Do(async lab =>
    {
        var store = new FailingStore(lab.Store);
        var broken = new Lab(store, lab.Time);
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Durability = durability });
        builder.Work("a", 1);
        builder.Step("b", async ctx => { store.IsFull = true; await ctx.Delay(1); return 1; });
        builder.Work("c", 10);
        builder.Work("d", 10);
        var result = await broken.Run(builder.Build());
        Assert.Equal((RunStatus.Failed, true), (result.Status, result.CheckpointWriteFailed));
        Assert.StartsWith("checkpoint_write_failed: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("disk full", result.Error);
        if (durability == Durability.Sync) Assert.DoesNotContain("c", broken.Began);
        if (durability == Durability.Async) Assert.DoesNotContain("d", broken.Began);
        Assert.Equal(RunStatus.Running, (await lab.Head()).Status);
        store.IsFull = false;
        Assert.Equal(RunStatus.Completed, (await lab.Resume(builder.Build())).Status);
    });

    [Fact]
    public void A_write_that_fails_after_an_interruption_is_still_a_failed_write() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(0.5), lab.Time);
        var store = new FailingStore(lab.Store);
        var builder = Workflow.Create("w");
        builder.Step("a", async ctx => { store.IsFull = true; await ctx.Delay(1); return 1; });
        var result = await new Lab(store, lab.Time).Run(builder.Build(), interrupt: interrupt);
        Assert.Equal((RunStatus.Failed, true), (result.Status, result.CheckpointWriteFailed));
    });

    [Fact]
    public void Failed_writes_are_counted() => Lab.Do(async lab =>
    {
        var counted = 0L;
        using var listener = new System.Diagnostics.Metrics.MeterListener();
        listener.InstrumentPublished = (instrument, self) => { if (instrument.Name == "pawl.checkpoint.failures") self.EnableMeasurementEvents(instrument); };
        var thread = Environment.CurrentManagedThreadId;
        listener.SetMeasurementEventCallback<long>((_, value, _, _) => { if (Environment.CurrentManagedThreadId == thread) counted += value; });
        listener.Start();
        var store = new FailingStore(lab.Store) { IsFull = false };
        var builder = Workflow.Create("w");
        builder.Step("a", ctx => { store.IsFull = true; return 1; });
        await new Lab(store, lab.Time).Run(builder.Build());
        Assert.Equal(4, counted);
    });

    [Fact]
    public void A_large_output_goes_beside_the_journal_whole_and_a_huge_one_is_warned_of() => Lab.Do(async lab =>
    {
        (lab.Options.PayloadThreshold, lab.Options.PayloadWarning) = (1000, 5000);
        var builder = Workflow.Create("w");
        builder.Step("small", _ => new string('s', 900));
        builder.Step("large", _ => new string('l', 2000));
        builder.Step("huge", _ => new string('h', 6000));
        builder.Step("sum", ctx => ctx.Output<string>("small").Length + ctx.Output<string>("large").Length + ctx.Output<string>("huge").Length);
        Assert.Equal(8900, (await lab.Client.RunAsync(builder.Build(), start: new StartOptions { RunId = "run", OnEvent = lab.Events.Add }, cancellationToken: Lab.Token)).Output<int>("sum"));
        var large = (await lab.Records("large")).Single();
        Assert.Equal((true, 2002L), (large.Output.IsEmpty, large.OutputRef!.Bytes));
        Assert.InRange(large.Line.Length, 1, 400);
        Assert.Equal(2002, (await lab.Client.OutputAsync("run", large, Lab.Token))!.Value.Utf8.Length);
        Assert.Contains("'huge'", lab.Warnings.Single());
        Assert.Empty(await lab.Client.VerifyAsync("run", Lab.Token));
    });

    [Fact]
    public void A_steps_state_change_is_its_own_delta() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", ctx => { ctx.State.Set("x", 1); ctx.State.Set("y", new { deep = true }); return 0; });
        builder.Step("b", ctx => { ctx.State.Remove("x"); ctx.State.Set("z", ctx.State.Get<int>("x")); return 0; });
        builder.Step("c", ctx => string.Join(' ', ctx.State.All().Keys.Order()));
        Assert.Equal("y z", (await lab.Run(builder.Build())).Output<string>("c"));
        Assert.Equal("""{"x":null,"z":0}""", new RawJson((await lab.Records("b")).Single().State).ToString());
        Assert.Equal("""{"deep":true}""", (await lab.Client.SnapshotAsync("run", cancellationToken: Lab.Token)).State["y"].ToString());
        Assert.Equal(["x", "y"], (await lab.Client.SnapshotAsync("run", 3, Lab.Token)).State.Keys.Order());
    });

    [Fact]
    public void A_failed_attempt_changes_no_state() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", async ctx => { ctx.State.Set("x", ctx.Attempt); await ctx.Delay(1); return ctx.Attempt == 1 ? throw new IOException() : ctx.State.Get<int>("x"); }, s => s.Retry(2));
        Assert.Equal(2, (await lab.Run(builder.Build())).Output<int>("a"));
        Assert.True((await lab.Records("a"))[0].State.IsEmpty);
    });

    [Fact]
    public void A_checkpoint_costs_the_same_at_the_end_of_a_long_run_as_at_its_beginning() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        for (var i = 0; i < 3000; i++) builder.Step($"s{i:0000}", ctx => { ctx.State.Set(ctx.Path, 1); return 1; });
        await lab.Run(builder.Build());
        var journal = await lab.Journal();
        Assert.InRange(journal[^2].Line.Length - journal[2].Line.Length, 0, 20);
    });

    [Fact]
    public void The_same_run_writes_the_same_journal_to_the_last_byte()
    {
        static string Journal() => Lab.Do(async lab =>
        {
            var builder = Workflow.Create("w").Options(new WorkflowOptions { Concurrency = 3 });
            for (var i = 0; i < 10; i++)
                builder.Step($"s{i}", async ctx => { await ctx.Delay(i % 4); return ctx.Attempt == 1 && i % 3 == 0 ? throw new IOException() : i; }, s => s.Needs().Retry(2));
            await lab.Run(builder.Build());
            return string.Join('\n', (await lab.Journal()).Select(record => Encoding.UTF8.GetString(record.Line.Span)));
        });
        var first = Journal();
        // Only the host's facts come from outside.
        Assert.Equal(first, Journal());
    }

    [Fact]
    public void A_changed_or_missing_record_is_found_by_verify() => Lab.Do(async lab =>
    {
        await lab.Run(Row(new()));
        var journal = await lab.Journal();
        foreach (var damage in new Func<List<Checkpoint>, List<Checkpoint>>[]
        {
            records => { records.RemoveAt(3); return records; },
            records => { records[3] = Checkpoint.FromLine(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(records[3].Line.Span).Replace("\"b\"", "\"x\"", StringComparison.Ordinal))); return records; },
            records => { (records[3], records[4]) = (records[4], records[3]); return records; },
        })
        {
            var copy = new ReadOnlyJournal(lab.Store, damage([.. journal]));
            Assert.NotEmpty(await new PawlClient(copy, lab.Options).VerifyAsync("run", Lab.Token));
        }
    });

    [Fact]
    public void Verify_finds_a_missing_payload() => Lab.Do(async lab =>
    {
        lab.Options.PayloadThreshold = 10;
        await lab.Run(Row(new()));
        var builder = Workflow.Create("w");
        builder.Step("a", _ => new string('x', 100));
        await lab.Run(builder.Build(), start: new StartOptions { RunId = "big" });
        var copy = new ReadOnlyJournal(lab.Store, [.. await lab.Journal("big")]);
        Assert.Contains("is missing", Assert.Single(await new PawlClient(copy, lab.Options).VerifyAsync("big", Lab.Token)));
    });

    [Fact]
    public void Pruning_removes_finished_runs_only_and_keeps_the_newest_asked_for() => Lab.Do(async lab =>
    {
        for (var i = 0; i < 4; i++) await lab.Run(Row(new()), start: new StartOptions { RunId = $"done{i}" });
        var failing = Workflow.Create("w");
        failing.Fail("a", () => true);
        await lab.Run(failing.Build(), start: new StartOptions { RunId = "failed" });
        await lab.Delay(TimeSpan.FromDays(3).TotalSeconds);
        await lab.Run(Row(new()), start: new StartOptions { RunId = "fresh" });
        var policy = new RetentionPolicy { MaxAge = TimeSpan.FromDays(2), KeepLast = 2 };
        Assert.Equal(["done2", "done1", "done0"], (await lab.Client.PruneAsync(policy, dryRun: true, cancellationToken: Lab.Token)).Select(head => head.RunId));
        Assert.Equal(3, (await lab.Client.PruneAsync(policy, cancellationToken: Lab.Token)).Count);
        var left = new List<string>();
        await foreach (var head in lab.Client.ListAsync(cancellationToken: Lab.Token)) left.Add(head.RunId);
        Assert.Equal(["fresh", "failed", "done3"], left);
    });
}
