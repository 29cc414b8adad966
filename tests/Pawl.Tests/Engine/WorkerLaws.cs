using Microsoft.Extensions.Logging;
using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Workers on virtual time: what is enqueued is done once, by whoever lives.</summary>
public class WorkerLaws
{
    static readonly EnqueueOptions s_default = new();

    static Task<RunHead> Enqueue(Lab lab, Workflow workflow, string id, EnqueueOptions? options = null) =>
        lab.Client.EnqueueAsync(workflow, null, options ?? s_default, new StartOptions { RunId = id }, Lab.Token);

    [Fact]
    public void What_is_enqueued_is_executed_once_however_often_it_is_enqueued_and_however_many_workers_there_are() => Lab.Do(async lab =>
    {
        var began = new List<string>();
        var workflow = Workflow.Define("w", async ctx => { began.Add(ctx.RunId); await lab.Delay(1); return 1; });
        await using var one = new Hand(lab, workflow);
        await using var two = new Hand(lab, workflow);
        for (var i = 0; i < 20; i++) await Enqueue(lab, workflow, $"r{i % 10}");
        for (var i = 0; i < 10; i++) Assert.Equal(RunStatus.Completed, (await lab.Ended($"r{i}")).Status);
        Assert.Equal(10, began.Count);
        Assert.InRange(lab.Time.Elapsed.TotalSeconds, 2, 3);
    });

    [Fact]
    public void A_dead_workers_run_is_taken_over_and_goes_on_where_it_was() => Lab.Do(async lab =>
    {
        var began = new List<string>();
        var builder = Workflow.Create("w");
        foreach (var id in (string[])["a", "b", "c"]) builder.Step(id, async ctx => { began.Add(id); await ctx.Delay(10); return id; });
        var workflow = builder.Build();
        await using var one = new Hand(lab, workflow);
        await Enqueue(lab, workflow, "run");
        await lab.Delay(15);
        await one.KillAsync();
        await using var two = new Hand(lab, workflow);
        Assert.Equal(RunStatus.Completed, (await lab.Ended("run")).Status);
        Assert.Equal(["a", "b", "b", "c"], began);
    });

    /// <summary>Each line of a log, and whether it brings an exception.</summary>
    sealed class Lines : ILoggerFactory, ILogger
    {
        public List<(LogLevel Level, string Text, bool HasTrace)> All { get; } = [];
        public ILogger CreateLogger(string categoryName) => this;
        public bool IsEnabled(LogLevel logLevel) => true;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => All.Add((logLevel, formatter(state, exception), exception is not null));
        public void AddProvider(ILoggerProvider provider) { }
        public void Dispose() { }
    }

    [Fact]
    public void A_database_that_is_away_for_a_minute_is_told_once_and_work_goes_on_by_itself_when_it_is_back()
    {
        var time = new VirtualTime();
        var database = new AwayStore(new MemoryStore(time, TimeSpan.FromSeconds(30)));
        var lab = new Lab(database, time);
        time.Run(async () =>
        {
            var lines = new Lines();
            lab.Options.Logging = lines;
            var workflow = Workflow.Create("w").Also(builder => { builder.Work("a", 10); builder.Work("b", 100); }).Build();
            for (var i = 0; i < 4; i++) await Enqueue(lab, workflow, $"r{i}");
            await using var hand = new Hand(lab, new WorkerOptions { Workflows = [workflow], Concurrency = 5 });
            await lab.Delay(5);
            Assert.NotNull(hand.Worker.Health.LastContact);
            database.IsAway = true;
            await lab.Delay(58);
            Assert.Null(hand.Worker.Health.LastContact);
            database.IsAway = false;
            for (var i = 0; i < 4; i++) Assert.Equal(RunStatus.Completed, (await lab.Ended($"r{i}")).Status);
            Assert.NotNull(hand.Worker.Health.LastContact);
            Assert.DoesNotContain(lines.All, line => line.HasTrace || line.Text.Contains('\n', StringComparison.Ordinal));
            Assert.Single(lines.All, line => line.Text == "The store cannot be reached at the moment: connection refused");
            Assert.Single(lines.All, line => line.Text.StartsWith("The store answers again, after 5", StringComparison.Ordinal));
            // Beside it each run that was under way says once that it stopped.
            Assert.True(lines.All.Count(line => line.Level >= LogLevel.Warning) <= 5, string.Join('\n', lines.All));
        });
    }

    [Fact]
    public void A_frozen_workers_run_is_taken_over_when_its_lease_ends_and_it_can_write_nothing_more()
    {
        var time = new VirtualTime();
        var lab = new Lab(new MemoryStore(time, TimeSpan.FromSeconds(30)), time);
        time.Run(async () =>
        {
            var workflow = Workflow.Create("w").Also(builder => builder.Work("a", 50)).Also(builder => builder.Work("b", 5)).Build();
            await Enqueue(lab, workflow, "run");
            // Frozen: it holds the run and renews nothing.
            var taken = await lab.Store.TakeAsync(new WorkQuery { Queues = [new QueueDemand(new QueueOptions("default"), 1)], Workflows = [new WorkflowKey("w", 1)] }, new RunOwner(1, "frozen", default), default);
            await using var other = new Hand(lab, workflow);
            await lab.Delay(29);
            Assert.Equal(RunStatus.Pending, (await lab.Head()).Status);
            Assert.Equal(RunStatus.Completed, (await lab.Ended("run")).Status);
            Assert.InRange(lab.Time.Elapsed.TotalSeconds, 85, 90);
            Assert.Single(await lab.Store.RenewAsync([taken[0].Lease], default));
        });
    }

    [Fact]
    public void A_sleeping_run_is_held_by_nobody_and_wakes_in_time() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Define("w", async ctx => { await ctx.SleepAsync("nap", TimeSpan.FromMinutes(20)); return 1; });
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow, "run");
        await lab.Delay(60);
        var head = await lab.Head();
        Assert.Equal((RunStatus.Waiting, null), (head.Status, head.Owner));
        Assert.Empty(hand.Worker.Health.Running);
        await lab.Delay(20 * 60);
        Assert.Equal(RunStatus.Completed, (await lab.Head()).Status);
        Assert.InRange((await lab.Head()).UpdatedAt - head.WakeAt!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(1.5));
    });

    [Fact]
    public void A_signal_wakes_a_parked_run_within_a_tenth_of_a_second() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Define("w", async ctx => (await ctx.WaitForSignalAsync("go")).By);
        await using var hand = new Hand(lab, workflow);
        await Enqueue(lab, workflow, "run");
        await lab.Delay(100);
        Assert.Equal(RunStatus.Waiting, (await lab.Head()).Status);
        var sent = lab.Time.Elapsed;
        await lab.Client.SignalAsync("run", "go", by: "ann", cancellationToken: Lab.Token);
        await lab.Ended("run");
        Assert.InRange(lab.Time.Elapsed - sent, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
    });

    [Fact]
    public void A_thousand_signals_sent_at_once_wake_a_thousand_runs_each_once() => Lab.Do(async lab =>
    {
        var woken = new List<string>();
        var workflow = Workflow.Define("w", async ctx => { await ctx.WaitForSignalAsync("go"); woken.Add(ctx.RunId); return 1; });
        await using var one = new Hand(lab, workflow);
        await using var two = new Hand(lab, workflow);
        for (var i = 0; i < 1000; i++) await Enqueue(lab, workflow, $"r{i}");
        await lab.Delay(60);
        for (var i = 0; i < 1000; i++) await lab.Client.SignalAsync($"r{i}", "go", cancellationToken: Lab.Token);
        for (var i = 0; i < 1000; i++) Assert.Equal(RunStatus.Completed, (await lab.Ended($"r{i}")).Status);
        Assert.Equal(1000, woken.Count);
        Assert.Equal(1000, woken.Distinct().Count());
    });

    [Fact]
    public void A_worker_that_is_asked_to_stop_lets_short_runs_finish_and_hands_long_ones_over() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Also(builder => builder.Work("a", 3)).Also(builder => builder.Work("b", 100)).Build();
        await using (var one = new Hand(lab, workflow))
        {
            await Enqueue(lab, workflow, "run");
            await lab.Delay(1);
        }
        Assert.Equal(6, lab.Time.Elapsed.TotalSeconds, 0);
        var head = await lab.Head();
        Assert.Equal((RunStatus.Waiting, null, 1), (head.Status, head.Owner, head.Done));
        await using var two = new Hand(lab, workflow);
        Assert.Equal(RunStatus.Completed, (await lab.Ended("run")).Status);
        Assert.Equal(0, (await lab.Head()).Recoveries);
    });

    [Fact]
    public void A_run_that_kills_its_workers_becomes_a_dead_letter_and_can_be_put_back() => Lab.Do(async lab =>
    {
        var deadly = true;
        Hand? hand = null;
        var workflow = Workflow.Define("w", async ctx =>
        {
            if (deadly) await hand!.KillAsync();
            return 1;
        });
        var options = new WorkerOptions { Workflows = [workflow], MaxRecoveries = 2 };
        await Enqueue(lab, workflow, "run");
        for (var life = 0; life < 4; life++)
        {
            hand = new Hand(lab, options);
            await lab.Delay(5);
            await hand.DisposeAsync();
        }
        var head = await lab.Head();
        Assert.Equal((RunStatus.Failed, true), (head.Status, head.DeadLetter));
        Assert.Contains("died 3 times in a row", head.Error, StringComparison.Ordinal);
        deadly = false;
        await lab.Client.RequeueAsync("run", cancellationToken: Lab.Token);
        await using var last = new Hand(lab, options);
        head = await lab.Ended("run");
        Assert.Equal((RunStatus.Completed, false), (head.Status, head.DeadLetter));
    });

    [Fact]
    public void A_run_is_only_taken_by_workers_that_have_its_workflow_and_version() => Lab.Do(async lab =>
    {
        var old = Workflow.Define("w", ctx => Task.FromResult(1));
        var other = Workflow.Define("other", ctx => Task.FromResult(1));
        await using var hand = new Hand(lab, other);
        await Enqueue(lab, old, "run");
        await lab.Delay(30);
        Assert.Equal(RunStatus.Pending, (await lab.Head()).Status);
        await using var right = new Hand(lab, old);
        Assert.Equal(RunStatus.Completed, (await lab.Ended("run")).Status);
    });

    [Fact]
    public void A_run_that_no_longer_fits_its_workflow_fails_with_the_reason_instead_of_being_taken_for_ever() => Lab.Do(async lab =>
    {
        var before = Workflow.Create("w").Also(builder => builder.Work("a", 1)).Also(builder => builder.Work("b", 100)).Build();
        await using (var one = new Hand(lab, before))
        {
            await Enqueue(lab, before, "run");
            await lab.Delay(5);
        }
        await using var two = new Hand(lab, Workflow.Create("w").Also(builder => builder.Work("other", 1)).Build());
        var head = await lab.Ended("run", 30);
        Assert.Equal(RunStatus.Failed, head.Status);
        Assert.Contains("'a' is finished in this run", head.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void The_limits_of_a_queue_hold_over_all_workers() => Lab.Do(async lab =>
    {
        var (now, most) = (0, 0);
        var workflow = Workflow.Define("w", async ctx => { most = Math.Max(most, ++now); await lab.Delay(1); now--; return 1; });
        var options = new WorkerOptions { Workflows = [workflow], Concurrency = 10, Queues = [new QueueOptions("default") { Concurrency = 3 }] };
        await using var one = new Hand(lab, options);
        await using var two = new Hand(lab, options);
        for (var i = 0; i < 12; i++) await Enqueue(lab, workflow, $"r{i}");
        for (var i = 0; i < 12; i++) await lab.Ended($"r{i}");
        Assert.Equal(3, most);
    });

    [Fact]
    public void A_delayed_run_starts_at_its_time_and_the_most_urgent_one_first() => Lab.Do(async lab =>
    {
        var began = new List<string>();
        var workflow = Workflow.Define("w", async ctx => { began.Add(ctx.RunId); await lab.Delay(1); return 1; });
        await Enqueue(lab, workflow, "later", new EnqueueOptions { Delay = TimeSpan.FromSeconds(30), Priority = 9 });
        await Enqueue(lab, workflow, "usual");
        await Enqueue(lab, workflow, "urgent", new EnqueueOptions { Priority = 5 });
        await using var hand = new Hand(lab, new WorkerOptions { Workflows = [workflow], Concurrency = 1 });
        await lab.Ended("later");
        Assert.Equal(["urgent", "usual", "later"], began);
        Assert.InRange(lab.Time.Elapsed.TotalSeconds, 31, 32.5);
    });

    [Fact]
    public void A_definition_that_a_worker_cannot_read_fails_its_run_with_the_reason() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Source(new WorkflowSource("odd", null, "?"));
        builder.Work("a", 1);
        await Enqueue(lab, builder.Build(), "run");
        await using var hand = new Hand(lab, new WorkerOptions { Definitions = _ => throw new FormatException("what is that") });
        var head = await lab.Ended("run", 30);
        Assert.Equal(RunStatus.Failed, head.Status);
        Assert.Contains("what is that", head.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void Damaged_messages_of_one_run_leave_the_others_their_own()
    {
        var time = new VirtualTime();
        var lab = new Lab(new DamagedInbox(new MemoryStore(time), "bad"), time);
        time.Run(async () =>
        {
            var client = lab.Client;
            var workflow = Workflow.Create("w").Also(builder => builder.Work("a", 60)).Build();
            var bad = client.RunAsync(workflow, null, new StartOptions { RunId = "bad" }, Lab.Token);
            var good = client.RunAsync(workflow, null, new StartOptions { RunId = "good" }, Lab.Token);
            await lab.Delay(25);
            Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("good", cancellationToken: Lab.Token)).Status);
            Assert.Equal(RunStatus.Canceled, (await good).Status);
            Assert.Equal(RunStatus.Completed, (await bad).Status);
        });
    }

    [Fact]
    public void A_database_that_is_away_stops_a_transactional_steps_run_and_does_not_fail_the_step()
    {
        var time = new VirtualTime();
        var lab = new Lab(new AwayDatabase(new MemoryStore(time)), time);
        time.Run(async () =>
        {
            var result = await lab.Run(Workflow.Create("w").Also(builder => builder.Step("pay", ctx => Task.FromResult(ctx.Path), step => step.Transactional())).Build());
            Assert.True(result.CheckpointWriteFailed);
            Assert.Empty(await lab.Records("pay"));
            Assert.Equal((RunStatus.Running, null), ((await lab.Head()).Status, (await lab.Head()).Owner));
        });
    }

    [Fact]
    public void A_transactional_step_says_what_it_needs() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Options(new WorkflowOptions { Strategy = CheckpointStrategy.Marked }).Also(builder => builder.Step("pay", ctx => Task.FromResult(ctx.Path), step => step.Transactional())).Build();
        var result = await new Lab(new AwayDatabase(lab.Store), lab.Time).Run(workflow);
        Assert.Contains("a checkpoint of every step", result.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void A_worker_removes_old_runs_of_what_it_executes_and_looks_for_them_once_a_minute() => Lab.Do(async lab =>
    {
        static Workflow Named(string name, RetentionPolicy? retention) => Workflow.Create(name).Options(new() { Retention = retention }).Also(builder => builder.Work("a", 1)).Build();
        async Task<string> RunsAsync() => string.Join(' ', (await lab.Client.ListAsync(null, Lab.Token).ToListAsync(Lab.Token)).Select(head => head.RunId).Order(StringComparer.Ordinal));
        var (brief, usual) = (Named("brief", new RetentionPolicy { MaxAge = TimeSpan.Zero }), Named("usual", null));
        Assert.Equal(TimeSpan.FromDays(30), new WorkerOptions().Retention.MaxAge);
        await using var hand = new Hand(lab, new WorkerOptions { Workflows = [brief, usual], Retention = new RetentionPolicy { MaxAge = TimeSpan.FromMinutes(5) } });
        foreach (var id in (string[])["b1", "b2", "b3"])
        {
            await Enqueue(lab, brief, id);
            await lab.Ended(id);
        }
        await Enqueue(lab, usual, "u1");
        await lab.Ended("u1");
        // The first end looked, and found nothing older; the others are within its minute.
        Assert.Equal("b1 b2 b3 u1", await RunsAsync());
        await lab.Delay(60);
        await Enqueue(lab, brief, "b4");
        await lab.Ended("b4");
        await lab.Delay(1);
        Assert.Equal("b4 u1", await RunsAsync());
        // How long the others stay the worker says.
        await lab.Delay(300);
        await Enqueue(lab, usual, "u2");
        await lab.Ended("u2");
        await lab.Delay(1);
        Assert.Equal("b4 u2", await RunsAsync());
    });
}
