using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Schedules on virtual time, which begins at 2026-01-01 00:00 UTC, a Thursday.</summary>
public class ScheduleLaws
{
    static readonly DateTimeOffset s_midnight = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>A laboratory with a workflow that notes its runs, and workers that have it.</summary>
    sealed class Hands(Lab lab, double seconds = 1)
    {
        public List<string> Began { get; } = [];
        public Workflow Workflow => field ??= Pawl.Workflow.Define("report", async ctx => { Began.Add(ctx.RunId); await lab.Delay(seconds, ctx.CancellationToken); return ctx.Params.Get("day", ""); });
        public Schedule Hourly => new("hourly", Workflow, "0 * * * *");

        public Worker Start(CrashPoint? point = null, IReadOnlyList<Schedule>? schedules = null) => new(lab, new WorkerOptions { Workflows = [Workflow], Schedules = schedules ?? [], DrainTime = TimeSpan.Zero }, point);
    }

    /// <summary>A process with a worker.</summary>
    sealed class Worker : IAsyncDisposable
    {
        readonly CancellationTokenSource _stop = new();
        readonly Task _work;

        public Worker(Lab lab, WorkerOptions options, CrashPoint? point)
        {
            Store = new CrashingStore(lab.Store, point);
            _work = new PawlWorker(new PawlClient(Store, lab.Options), options).RunAsync(_stop.Token);
        }

        public CrashingStore Store { get; }

        public async ValueTask DisposeAsync()
        {
            _stop.Cancel();
            try { await _work; }
            catch (ProcessDiedException) { }
        }
    }

    static async Task<List<RunHead>> Runs(Lab lab, RunStatus? status = null)
    {
        var heads = new List<RunHead>();
        await foreach (var head in lab.Client.ListAsync(new RunQuery { Statuses = status is { } one ? [one] : null }, Lab.Token)) heads.Add(head);
        heads.Reverse();
        return heads;
    }

    static async Task<ScheduleState> Only(Lab lab) => Assert.Single(await lab.Client.SchedulesAsync(Lab.Token));

    [Fact]
    public void A_schedule_runs_once_for_each_time_however_many_workers_there_are() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        var schedule = hands.Hourly with { Params = new Dictionary<string, object?> { ["day"] = "all" } };
        await using var one = hands.Start(schedules: [schedule]);
        await using var two = hands.Start(schedules: [schedule]);
        await using var three = hands.Start(schedules: [schedule]);
        await lab.Delay(5.5 * 3600);
        Assert.Equal(["hourly-20260101T010000Z", "hourly-20260101T020000Z", "hourly-20260101T030000Z", "hourly-20260101T040000Z", "hourly-20260101T050000Z"], hands.Began);
        Assert.Equal(5, (await Runs(lab, RunStatus.Completed)).Count);
        var pending = Assert.Single(await Runs(lab, RunStatus.Pending));
        Assert.Equal(("hourly-20260101T060000Z", s_midnight.AddHours(6), "hourly"), (pending.RunId, pending.WakeAt, pending.Tags["schedule"]));
        var state = await Only(lab);
        Assert.Equal((s_midnight.AddHours(6), "hourly-20260101T050000Z", RunStatus.Completed), (state.Next, state.LastRun?.RunId, state.LastRun?.Status));
        Assert.Equal("all", (await lab.Client.SnapshotAsync("hourly-20260101T050000Z", cancellationToken: Lab.Token)).Outputs["report"].ToElement().GetString());
        Assert.Empty(await lab.Client.VerifyAsync("hourly-20260101T050000Z", Lab.Token));
        Assert.All(await Runs(lab), head => Assert.InRange((head.StartedAt ?? head.WakeAt!.Value).Minute, 0, 0));
    });

    [Fact]
    public void A_worker_that_dies_anywhere_around_a_time_neither_breaks_the_chain_nor_doubles_it()
    {
        // Every write of a worker: it takes an occurrence, makes the next, begins, finishes, gives back.
        var deaths = 0;
        for (var write = 1; write <= 12; write++)
        {
            foreach (var moment in Enum.GetValues<CrashMoment>())
            {
                var time = new VirtualTime();
                var lab = new Lab(new MemoryStore(time, TimeSpan.FromSeconds(20)), time);
                time.Run(async () =>
                {
                    var hands = new Hands(lab);
                    await lab.Client.ScheduleAsync(new Schedule("m", hands.Workflow, "* * * * *"), Lab.Token);
                    await lab.Delay(60);
                    await using var dies = hands.Start(new CrashPoint(write, moment));
                    await lab.Delay(10);
                    if (dies.Store.IsDead) deaths++;
                    await using var lives = hands.Start();
                    await lab.Delay(200);
                    var at = $"write {write}, {moment}: {string.Join(' ', (await Runs(lab)).Select(head => $"{head.RunId} {head.Status}"))}";
                    Assert.True((await Runs(lab)).Select(head => (head.RunId, head.Status)).SequenceEqual(Enumerable.Range(1, 5).Select(n => ($"m-20260101T000{n}00Z", n < 5 ? RunStatus.Completed : RunStatus.Pending))), at);
                    foreach (var head in await Runs(lab)) Assert.Empty(await lab.Client.VerifyAsync(head.RunId, Lab.Token));
                });
            }
        }
        Assert.True(deaths >= 15, $"{deaths} deaths");
    }

    [Fact]
    public void A_death_between_making_the_next_run_and_beginning_this_one_leaves_both_and_the_next_worker_goes_on() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        // The worker takes the occurrence, looks for more, and makes the next: its third write.
        await lab.Delay(3600);
        await using (var dies = hands.Start(new CrashPoint(3, CrashMoment.After)))
        {
            await lab.Delay(100);
            Assert.True(dies.Store.IsDead);
        }
        Assert.Equal([("hourly-20260101T010000Z", RunStatus.Pending), ("hourly-20260101T020000Z", RunStatus.Pending)], (await Runs(lab)).Select(head => (head.RunId, head.Status)));
        Assert.Single(await lab.Journal("hourly-20260101T010000Z"));
        Assert.Empty(hands.Began);
        await using var lives = hands.Start();
        await lab.Delay(3700);
        Assert.Equal(["hourly-20260101T010000Z", "hourly-20260101T020000Z"], hands.Began);
        Assert.Equal("hourly-20260101T030000Z", Assert.Single(await Runs(lab, RunStatus.Pending)).RunId);
    });

    [Theory]
    [InlineData(MissedRuns.Once, "01", "06")]
    [InlineData(MissedRuns.Skip, "06")]
    [InlineData(MissedRuns.All, "01", "02", "03", "04", "05", "06")]
    public void What_was_missed_while_no_worker_was_there_is_made_up_for_as_the_schedule_says(MissedRuns missed, params string[] hours) => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly with { Missed = missed }, Lab.Token);
        await lab.Delay(5.5 * 3600);
        await using var worker = hands.Start();
        await lab.Delay(3600);
        Assert.Equal(hours.Select(hour => $"hourly-20260101T{hour}0000Z"), hands.Began);
        Assert.Equal("hourly-20260101T070000Z", Assert.Single(await Runs(lab, RunStatus.Pending)).RunId);
        if (missed != MissedRuns.Skip) return;
        var left = Assert.Single(await Runs(lab, RunStatus.Canceled));
        Assert.Contains("missed: its time was 2026-01-01 01:00:00Z", left.Error, StringComparison.Ordinal);
        Assert.Empty(await lab.Client.VerifyAsync(left.RunId, Lab.Token));
    });

    [Fact]
    public void Of_more_missed_runs_than_the_most_the_last_ones_are_made_up_for() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab, 0.1);
        await lab.Client.ScheduleAsync(new Schedule("m", hands.Workflow, "* * * * *") { Missed = MissedRuns.All }, Lab.Token);
        await lab.Delay(2 * 86400 + 30);
        await using var worker = hands.Start();
        await lab.Delay(25);
        // The one that was due at first, and the last hundred.
        Assert.Equal(Schedule.MostMissed + 1, hands.Began.Count);
        Assert.Equal(["m-20260101T000100Z", "m-20260102T222100Z", "m-20260102T222200Z"], hands.Began[..3]);
        Assert.Equal("m-20260103T000000Z", hands.Began[^1]);
    });

    [Fact]
    public void A_run_is_left_out_while_an_earlier_one_runs_when_the_schedule_says_so() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab, 5000);
        await lab.Client.ScheduleAsync(hands.Hourly with { Overlap = OverlapPolicy.Skip }, Lab.Token);
        await lab.Client.ScheduleAsync(new Schedule("beside", hands.Workflow, "0 * * * *"), Lab.Token);
        await using var worker = hands.Start();
        await lab.Delay(3.5 * 3600);
        Assert.Equal(["hourly-20260101T010000Z", "hourly-20260101T030000Z"], hands.Began.Where(run => run.StartsWith("hourly", StringComparison.Ordinal)));
        Assert.Equal(3, hands.Began.Count(run => run.StartsWith("beside", StringComparison.Ordinal)));
        Assert.Equal("left out: 'hourly-20260101T010000Z' still runs", (await lab.Head("hourly-20260101T020000Z")).Error);
    });

    [Fact]
    public void A_paused_schedule_does_not_run_and_what_it_missed_counts_as_missed() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        await using var worker = hands.Start();
        await lab.Delay(1.5 * 3600);
        Assert.True((await lab.Client.PauseScheduleAsync("hourly", "ann", Lab.Token)).IsPaused);
        Assert.True((await lab.Client.PauseScheduleAsync("hourly", "bob", Lab.Token)).IsPaused);
        Assert.True((await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token)).IsPaused);
        await lab.Delay(3 * 3600);
        Assert.Equal(["hourly-20260101T010000Z"], hands.Began);
        Assert.Equal("the schedule was paused by ann", (await Only(lab)).NextRun.Error);
        Assert.False((await lab.Client.ResumeScheduleAsync("hourly", cancellationToken: Lab.Token)).IsPaused);
        await lab.Delay(3600);
        Assert.Equal(["hourly-20260101T010000Z", "hourly-20260101T020000Z", "hourly-20260101T050000Z"], hands.Began);
        // Resumed before its time it waits for it.
        await lab.Client.PauseScheduleAsync("hourly", cancellationToken: Lab.Token);
        var state = await lab.Client.ResumeScheduleAsync("hourly", cancellationToken: Lab.Token);
        Assert.Equal((s_midnight.AddHours(6), RunStatus.Waiting), (state.Next, state.NextRun.Status));
        await lab.Delay(60);
        Assert.Equal(3, hands.Began.Count);
        await lab.Client.PauseScheduleAsync("hourly", cancellationToken: Lab.Token);
        await lab.Client.ResumeScheduleAsync("hourly", cancellationToken: Lab.Token);
        await lab.Delay(3600);
        Assert.Equal("hourly-20260101T060000Z", hands.Began[^1]);
        Assert.Equal("hourly-20260101T070000Z", (await Only(lab)).NextRun.RunId);
    });

    [Fact]
    public void A_trigger_runs_once_now_and_moves_nothing() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly with { Params = new Dictionary<string, object?> { ["day"] = "x" } }, Lab.Token);
        await lab.Client.PauseScheduleAsync("hourly", cancellationToken: Lab.Token);
        await using var worker = hands.Start();
        await lab.Delay(60);
        var run = await lab.Client.TriggerAsync("hourly", Lab.Token);
        var again = await lab.Client.TriggerAsync("hourly", Lab.Token);
        await lab.Delay(60);
        Assert.Equal([run.RunId, again.RunId], hands.Began);
        Assert.Equal("x", (await lab.Client.ParamsAsync(run.RunId, Lab.Token))["day"].ToElement().GetString());
        var state = await Only(lab);
        Assert.Equal((s_midnight.AddHours(1), true, again.RunId), (state.Next, state.IsPaused, state.LastRun?.RunId));
        Assert.Equal(3, (await Runs(lab)).Count);
    });

    [Fact]
    public void A_changed_schedule_replaces_its_next_run_and_the_same_one_changes_nothing() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        var before = await Only(lab);
        await lab.Delay(10);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        Assert.Equal(before.NextRun.Hash, (await Only(lab)).NextRun.Hash);
        // The same time with other params, then another time; several workers at the same moment.
        var changed = hands.Hourly with { Params = new Dictionary<string, object?> { ["day"] = "new" } };
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => lab.Client.ScheduleAsync(changed, Lab.Token)));
        Assert.Equal([("hourly-20260101T010000Z", RunStatus.Canceled), ("hourly-20260101T010000Z-2", RunStatus.Pending)], (await Runs(lab)).Select(head => (head.RunId, head.Status)));
        Assert.Equal("its schedule was changed or removed", (await lab.Head("hourly-20260101T010000Z")).Error);
        Assert.Equal("new", (await lab.Client.ParamsAsync("hourly-20260101T010000Z-2", Lab.Token))["day"].ToElement().GetString());
        await lab.Client.PauseScheduleAsync("hourly", cancellationToken: Lab.Token);
        var state = await lab.Client.ScheduleAsync(changed with { Cron = "30 3 * * *", Zone = "Europe/Berlin" }, Lab.Token);
        Assert.Equal((s_midnight.AddHours(2.5), true, "Europe/Berlin"), (state.Next, state.IsPaused, state.Zone));
        Assert.Null(state.LastRun);
        Assert.Equal("hourly-20260101T023000Z", Assert.Single(await Runs(lab, RunStatus.Paused)).RunId);
    });

    static readonly (string Name, Func<PawlClient, Schedule, Task> Do)[] s_operations =
    [
        ("change", (client, schedule) => client.ScheduleAsync(Changed(schedule), Lab.Token)),
        ("change back", (client, schedule) => client.ScheduleAsync(schedule, Lab.Token)),
        ("pause", (client, schedule) => client.PauseScheduleAsync(schedule.Name, cancellationToken: Lab.Token)),
        ("resume", (client, schedule) => client.ResumeScheduleAsync(schedule.Name, cancellationToken: Lab.Token)),
        ("remove", (client, schedule) => client.UnscheduleAsync(schedule.Name, Lab.Token)),
        ("trigger", (client, schedule) => client.TriggerAsync(schedule.Name, Lab.Token)),
    ];

    static Schedule Changed(Schedule schedule) => schedule with { Params = new Dictionary<string, object?> { ["day"] = "new" } };

    public static TheoryData<string> Operations => [.. s_operations.Select(operation => operation.Name)];

    /// <summary>What a schedule is to whoever looks at it.</summary>
    static async Task<string> Seen(Lab lab)
    {
        if (await lab.Client.SchedulesAsync(Lab.Token) is not [var state]) return "none";
        var isNew = (await lab.Client.ParamsAsync(state.NextRun.RunId, Lab.Token)).ContainsKey("day");
        return $"{(isNew ? "new" : "old")}{(state.IsPaused ? ", paused" : "")}";
    }

    /// <summary>Every write of every operation, on a schedule that runs, is paused, or whose change died half-way.</summary>
    [Theory]
    [MemberData(nameof(Operations))]
    public void An_operation_whose_process_dies_anywhere_leaves_the_schedule_as_it_was_or_as_it_is_to_be(string operation)
    {
        var (asItWas, asItIsToBe, deaths) = (0, 0, 0);
        foreach (var isPaused in (bool[])[false, true])
        {
            foreach (var isHalfChanged in (bool[])[false, true])
            {
                foreach (var moment in Enum.GetValues<CrashMoment>())
                {
                    var isReached = true;
                    for (var write = 1; isReached; write++)
                    {
                        // The lease of one who lives and was not told of it ends by itself.
                        var time = new VirtualTime();
                        var (lab, point) = (new Lab(new MemoryStore(time, TimeSpan.FromSeconds(20)), time), new CrashPoint(write, moment));
                        isReached = time.Run(() => Dies(lab, isPaused, isHalfChanged, point));
                    }
                }
            }
        }
        Assert.True(deaths > 8 && asItIsToBe > 0 && (asItWas > 0 || operation is "trigger"), $"{deaths} deaths, {asItWas} as it was, {asItIsToBe} as it is to be");

        async Task<bool> Dies(Lab lab, bool isPaused, bool isHalfChanged, CrashPoint point)
        {
            var hands = new Hands(lab, 0.1);
            var schedule = new Schedule("m", hands.Workflow, "* * * * *");
            var act = s_operations.First(one => one.Name == operation).Do;
            await lab.Client.ScheduleAsync(schedule, Lab.Token);
            if (isPaused) await lab.Client.PauseScheduleAsync("m", cancellationToken: Lab.Token);
            // The new one is made, behind the look at the id of the old one, which is not taken back.
            if (isHalfChanged) await Assert.ThrowsAsync<ProcessDiedException>(() => new PawlClient(new CrashingStore(lab.Store, new CrashPoint(2, CrashMoment.After)), lab.Options).ScheduleAsync(Changed(schedule), Lab.Token));
            var before = await Seen(lab);
            Assert.Equal($"{(isHalfChanged ? "new" : "old")}{(isPaused ? ", paused" : "")}", before);
            var after = operation switch { "change" => before.Replace("old", "new", StringComparison.Ordinal), "change back" => before.Replace("new", "old", StringComparison.Ordinal), "pause" => $"{before[..3]}, paused", "resume" => before[..3], "remove" => "none", _ => before };
            var process = new CrashingStore(lab.Store, point);
            try { await act(new PawlClient(process, lab.Options), schedule); }
            catch (Exception gone) when (gone is ProcessDiedException or IOException) { deaths++; }
            var seen = await Seen(lab);
            var at = $"{operation}{(isPaused ? ", paused" : "")}{(isHalfChanged ? ", half changed" : "")}, {point}";
            Assert.True(seen == before || seen == after, $"{at}: {seen}");
            if (seen == after) asItIsToBe++; else asItWas++;
            // What is seen is what happens.
            await using (hands.Start()) await lab.Delay(130);
            var times = hands.Began.Where(run => !run.Contains("manual", StringComparison.Ordinal)).ToList();
            Assert.True(times.Count == (seen is "old" or "new" ? 2 : 0) && times.Distinct().Count() == times.Count, $"{at}: {seen}, began {string.Join(' ', times)}");
            foreach (var run in times) Assert.True(seen == "new" == (await lab.Client.ParamsAsync(run, Lab.Token)).ContainsKey("day"), $"{at}: {run} has other params");
            Assert.True(await Seen(lab) == seen, $"{at}: {await Seen(lab)} behind two times");
            // The same asked again does it, and leaves nothing of what was before.
            if (seen != "none") await act(lab.Client, schedule);
            Assert.True(await Seen(lab) == after, $"{at}: {await Seen(lab)} when it was asked again");
            foreach (var head in await Runs(lab)) Assert.Empty(await lab.Client.VerifyAsync(head.RunId, Lab.Token));
            return process.Writes >= point.Write;
        }
    }

    [Fact]
    public void A_pause_that_meets_a_change_is_not_lost() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        // The change has made the new one, and dies before it looks again; the old one is paused just then.
        await Assert.ThrowsAsync<ProcessDiedException>(() => new PawlClient(new CrashingStore(lab.Store, new CrashPoint(2, CrashMoment.After)), lab.Options).ScheduleAsync(Changed(hands.Hourly), Lab.Token));
        await lab.Client.PauseAsync("hourly-20260101T010000Z", "ann", cancellationToken: Lab.Token);
        Assert.True((await Only(lab)).IsPaused);
        await using var worker = hands.Start();
        await lab.Delay(1.5 * 3600);
        Assert.Empty(hands.Began);
        Assert.True((await lab.Client.ScheduleAsync(Changed(hands.Hourly), Lab.Token)).IsPaused);
        Assert.Equal((await Only(lab)).NextRun.RunId, Assert.Single(await Runs(lab, RunStatus.Paused)).RunId);
        Assert.Contains("paused by ann", (await Only(lab)).NextRun.Error, StringComparison.Ordinal);
        await lab.Client.ResumeScheduleAsync("hourly", cancellationToken: Lab.Token);
        await lab.Delay(3600);
        Assert.Equal(2, hands.Began.Count);
    });

    [Fact]
    public void A_time_whose_run_was_taken_back_has_another_when_it_is_the_next_one_again() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        // Three o'clock is taken back, and comes again behind two o'clock of the changed schedule.
        await lab.Client.ScheduleAsync(hands.Hourly with { Cron = "0 3 * * *" }, Lab.Token);
        await lab.Client.ScheduleAsync(hands.Hourly with { Cron = "0 2-4 * * *" }, Lab.Token);
        await using var worker = hands.Start();
        await lab.Delay(4.5 * 3600);
        Assert.Equal(["hourly-20260101T020000Z", "hourly-20260101T030000Z-2", "hourly-20260101T040000Z"], hands.Began);
        Assert.Equal("hourly-20260102T020000Z", Assert.Single(await Runs(lab, RunStatus.Pending)).RunId);
    });

    [Fact]
    public void A_removed_schedule_is_gone_and_can_be_made_again() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab, 7200);
        await using (var worker = hands.Start(schedules: [hands.Hourly]))
        {
            await lab.Delay(1.5 * 3600);
            Assert.True(await lab.Client.UnscheduleAsync("hourly", Lab.Token));
            Assert.False(await lab.Client.UnscheduleAsync("hourly", Lab.Token));
            Assert.Empty(await lab.Client.SchedulesAsync(Lab.Token));
            var missing = await Assert.ThrowsAsync<ScheduleNotFoundException>(() => lab.Client.TriggerAsync("hourly", Lab.Token));
            Assert.Contains("There is no schedule 'hourly'", missing.Message, StringComparison.Ordinal);
            // What had begun goes on, and makes nothing.
            await lab.Delay(5 * 3600);
            Assert.Equal([("hourly-20260101T010000Z", RunStatus.Completed), ("hourly-20260101T020000Z", RunStatus.Canceled)], (await Runs(lab)).Select(head => (head.RunId, head.Status)));
        }
        Assert.Equal("hourly-20260101T070000Z", (await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token)).NextRun.RunId);
    });

    [Fact]
    public void A_schedule_made_again_does_not_run_a_time_twice() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        // Somebody ran it early by hand.
        (await lab.Resume(hands.Workflow, runId: "hourly-20260101T010000Z")).EnsureCompleted();
        await lab.Client.UnscheduleAsync("hourly", Lab.Token);
        // The one that was taken back never ran: its time has another run.
        Assert.Equal("hourly-20260101T020000Z-2", (await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token)).NextRun.RunId);
    });

    [Fact]
    public void A_next_run_that_is_run_by_hand_canceled_or_deleted_does_not_end_its_schedule() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await lab.Client.ScheduleAsync(hands.Hourly, Lab.Token);
        (await lab.Resume(hands.Workflow, runId: "hourly-20260101T010000Z")).EnsureCompleted();
        Assert.Equal("hourly-20260101T020000Z", (await Only(lab)).NextRun.RunId);
        await lab.Client.CancelAsync("hourly-20260101T020000Z", cancellationToken: Lab.Token);
        Assert.Equal("hourly-20260101T030000Z", (await Only(lab)).NextRun.RunId);
        await lab.Client.DeleteAsync("hourly-20260101T030000Z", Lab.Token);
        Assert.Equal("hourly-20260101T040000Z", (await Only(lab)).NextRun.RunId);
        // What began long ago makes nothing when it is run again.
        var fails = true;
        var flaky = Workflow.Create("flaky").Also(builder => builder.Fail("a", () => fails)).Build();
        await lab.Client.UnscheduleAsync("hourly", Lab.Token);
        await using (var worker = new Worker(lab, new WorkerOptions { Schedules = [new Schedule("flaky", flaky, "@daily")] }, null)) await lab.Delay(86400 + 10);
        await lab.Client.UnscheduleAsync("flaky", Lab.Token);
        fails = false;
        (await lab.Resume(flaky, runId: "flaky-20260102T000000Z")).EnsureCompleted();
        (await lab.Resume(hands.Workflow, new ResumeOptions { Force = true }, "hourly-20260101T020000Z")).EnsureCompleted();
        Assert.Empty(await lab.Client.SchedulesAsync(Lab.Token));
    });

    [Fact]
    public void Prune_leaves_the_next_run_and_a_plain_resume_passes_it_over() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        await using (var worker = hands.Start(schedules: [hands.Hourly])) await lab.Delay(3.5 * 3600);
        Assert.Equal(3, (await lab.Client.PruneAsync(new RetentionPolicy { MaxAge = TimeSpan.Zero }, cancellationToken: Lab.Token)).Count);
        Assert.Equal("hourly-20260101T040000Z", Assert.Single(await Runs(lab)).RunId);
        Assert.Null(await lab.Client.NewestResumableAsync(cancellationToken: Lab.Token));
    });

    [Fact]
    public void A_run_whose_definition_cannot_be_read_fails_and_its_schedule_goes_on() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Source(new WorkflowSource("odd", null, "?"));
        builder.Work("a", 1);
        await lab.Client.ScheduleAsync(new Schedule("odd", builder.Build(), "@hourly"), Lab.Token);
        await using var worker = new Worker(lab, new WorkerOptions { Definitions = _ => throw new FormatException("what is that") }, null);
        await lab.Delay(2.5 * 3600);
        Assert.Equal([RunStatus.Failed, RunStatus.Failed, RunStatus.Pending], (await Runs(lab)).Select(head => head.Status));
    });

    [Fact]
    public void What_is_wrong_with_a_schedule_is_said_before_anything_runs() => Lab.Do(async lab =>
    {
        var hands = new Hands(lab);
        async Task Wrong(Schedule schedule, string said) =>
            Assert.Contains(said, (await Assert.ThrowsAsync<InvalidDefinitionException>(() => lab.Client.ScheduleAsync(schedule, Lab.Token))).Message, StringComparison.Ordinal);
        await Wrong(hands.Hourly with { Cron = "0 99 * * *" }, "'99' cannot stand for the hour");
        await Wrong(hands.Hourly with { Zone = "Europe/Berln" }, "Did you mean 'Europe/Berlin'?");
        await Wrong(hands.Hourly with { Name = "a/b" }, "cannot name a schedule");
        await Assert.ThrowsAsync<InvalidDefinitionException>(() => new PawlWorker(lab.Client, new WorkerOptions { Schedules = [hands.Hourly with { Cron = "often" }] }).RunAsync(Lab.Token));
        Assert.Empty(await Runs(lab));
    });
}
