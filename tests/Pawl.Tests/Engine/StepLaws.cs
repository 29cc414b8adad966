using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>One step and its attempts.</summary>
public class StepLaws
{
    static Workflow One(Func<StepContext, Task<string>> body, Action<StepBuilder>? configure = null, WorkflowOptions? options = null)
    {
        var builder = Workflow.Create("w").Options(options ?? new());
        builder.Step("a", body, configure);
        return builder.Build();
    }

    [Fact]
    public void Steps_run_in_their_order_and_hand_on_outputs() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        var a = builder.Step("a", async ctx => { await ctx.Delay(5); return 20; });
        var b = builder.Step("b", ctx => ctx.Output(a) + 1);
        var result = await lab.Run(builder.Build());
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(21, result.Output(b));
        Assert.Equal(["a", "b"], lab.Began);
        Assert.Equal(5, result.Duration.TotalSeconds, 3);
    });

    [Fact]
    public void The_journal_of_a_run_tells_all_that_happened_in_order() => Lab.Do(async lab =>
    {
        await lab.Run(One(ctx => Task.FromResult("out")));
        var journal = await lab.Journal();
        Assert.Equal([CheckpointKind.Created, CheckpointKind.Resumed, CheckpointKind.Step, CheckpointKind.Completed], journal.Select(record => record.Kind));
        Assert.Equal([1, 2, 3, 4], journal.Select(record => record.Seq));
        Assert.Equal("\"out\"", new RawJson(journal[2].Output).ToString());
        Assert.Empty(await lab.Client.VerifyAsync("run", Lab.Token));
    });

    [Fact]
    public void Numbers_in_raw_outputs_are_never_rounded() => Lab.Do(async lab =>
    {
        const string precise = """{"n":123456789012345678901234567890.12345678901234567890}""";
        var builder = Workflow.Create("w");
        builder.Step("a", _ => Task.FromResult(StepResult.Ok(RawJson.Parse(precise))));
        builder.Step("b", ctx => ctx.Output<RawJson>("a"));
        var result = await lab.Run(builder.Build());
        Assert.Equal(precise, result.Output<RawJson>("b").ToString());
    });

    [Fact]
    public void A_raw_output_with_line_breaks_stays_one_line_of_the_journal() => Lab.Do(async lab =>
    {
        await lab.Run(One2(_ => Task.FromResult(StepResult.Ok(RawJson.Parse("{\n \"a\": \"x\\ny\"\r\n}")))));
        var record = (await lab.Records("a")).Single();
        Assert.Equal(-1, record.Line.Span.IndexOfAny((byte)'\n', (byte)'\r'));
        Assert.Equal("x\ny", new RawJson(record.Output).ToElement().GetProperty("a").GetString());
        static Workflow One2(Func<StepContext, Task<StepResult>> body)
        {
            var builder = Workflow.Create("w");
            builder.Step("a", body);
            return builder.Build();
        }
    });

    [Fact]
    public void Invalid_raw_output_fails_its_step_and_never_reaches_the_journal() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", _ => Task.FromResult(StepResult.Ok(new RawJson("{\"a\":"u8.ToArray()))));
        var result = await lab.Run(builder.Build());
        Assert.Equal((RunStatus.Failed, "a"), (result.Status, result.ErrorStep));
        Assert.Empty(await lab.Client.VerifyAsync("run", Lab.Token));
    });

    [Fact]
    public void An_output_that_cannot_become_JSON_fails_its_step() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", _ => Task.FromResult(StepResult.Ok(new Exception().GetType())));
        Assert.Equal(RunStatus.Failed, (await lab.Run(builder.Build())).Status);
    });

    [Fact]
    public void Every_failed_attempt_is_recorded_with_its_error() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(ctx => throw new IOException($"no {ctx.Attempt}"), s => s.Retry(3)));
        Assert.Equal(RunStatus.Failed, result.Status);
        var records = await lab.Records("a");
        Assert.Equal([(1, "no 1"), (2, "no 2"), (3, "no 3")], records.Select(record => (record.Attempt, record.Error!.Message)));
        Assert.All(records, record => Assert.Equal((StepStatus.Failed, ErrorClass.Transient, "IOException"), (record.Status, record.Error!.Class, record.Error.Type)));
    });

    [Fact]
    public void A_retry_waits_longer_each_time_up_to_its_cap() => Lab.Do(async lab =>
    {
        var began = new List<double>();
        var policy = new RetryPolicy { Attempts = 5, Delay = TimeSpan.FromSeconds(2), Backoff = 3, MaxDelay = TimeSpan.FromSeconds(10), Jitter = false };
        await lab.Run(One(_ => { began.Add(lab.Time.Elapsed.TotalSeconds); throw new IOException(); }, s => s.Retry(policy)));
        Assert.Equal([0, 2, 8, 18, 28], began);
    });

    [Fact]
    public void A_permanent_error_is_not_retried() => Lab.Do(async lab =>
    {
        await lab.Run(One(_ => throw new ArgumentException("wrong"), s => s.Retry(5)));
        Assert.Equal(["a"], lab.Began);
        Assert.Equal(ErrorClass.Permanent, (await lab.Records("a"))[0].Error!.Class);
    });

    [Fact]
    public void A_policy_may_sort_errors_itself() => Lab.Do(async lab =>
    {
        await lab.Run(One(_ => throw new ArgumentException("busy"), s => s.Retry(new RetryPolicy { Attempts = 2, Classifier = _ => ErrorClass.Transient })));
        Assert.Equal(["a", "a"], lab.Began);
    });

    [Fact]
    public void Attempts_are_counted_over_resumes_and_retries_begin_anew() => Lab.Do(async lab =>
    {
        var numbers = new List<int>();
        var workflow = One(ctx => { numbers.Add(ctx.Attempt); throw new IOException(); }, s => s.Retry(2));
        await lab.Run(workflow);
        await lab.Resume(workflow);
        Assert.Equal([1, 2, 3, 4], numbers);
    });

    [Fact]
    public void The_idempotency_key_is_the_same_over_attempts_and_resumes() => Lab.Do(async lab =>
    {
        var keys = new HashSet<string>();
        var workflow = One(ctx => { keys.Add(ctx.IdempotencyKey); throw new IOException(); }, s => s.Retry(2));
        await lab.Run(workflow);
        await lab.Resume(workflow);
        Assert.Equal(["run/a"], keys);
    });

    [Fact]
    public void A_time_limit_ends_an_attempt_and_may_be_retried() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async ctx => { if (ctx.Attempt == 1) await ctx.Delay(100); return "ok"; }, s => s.Timeout(TimeSpan.FromSeconds(5)).Retry(new RetryPolicy { Attempts = 2, Delay = TimeSpan.Zero })));
        Assert.Equal(RunStatus.Completed, result.Status);
        var first = (await lab.Records("a"))[0];
        Assert.Equal((StepStatus.Failed, "timeout", ErrorClass.Transient), (first.Status, first.Error!.Type, first.Error.Class));
        Assert.Equal(5, result.Duration.TotalSeconds, 3);
    });

    [Fact]
    public void Of_nested_time_limits_the_shortest_wins() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Timeout = TimeSpan.FromSeconds(100) });
        builder.Group("g", group => group.Step("x", async ctx => { await ctx.Delay(1000); return 1; }, s => s.Timeout(TimeSpan.FromSeconds(50))), s => s.Timeout(TimeSpan.FromSeconds(20)));
        var result = await lab.Run(builder.Build());
        Assert.Equal(20, result.Duration.TotalSeconds, 3);
        Assert.Equal((RunStatus.Failed, "g"), (result.Status, result.ErrorStep));
        Assert.Equal("timeout", (await lab.Records("g")).Single().Error!.Type);
        Assert.Equal(StepStatus.Canceled, (await lab.Records("g/x")).Single().Status);
    });

    [Fact]
    public void The_runs_time_limit_stops_it_as_failed_and_a_resume_has_the_whole_time_again() => Lab.Do(async lab =>
    {
        var slow = true;
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Timeout = TimeSpan.FromSeconds(10) });
        builder.Work("a", 8);
        builder.Step("b", async ctx => { await ctx.Delay(slow ? 8 : 1); return 1; });
        var workflow = builder.Build();
        var first = await lab.Run(workflow);
        Assert.Equal((RunStatus.Failed, 10.0), (first.Status, first.Duration.TotalSeconds));
        Assert.Contains("time limit", first.Error);
        slow = false;
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(["a", "b", "b"], lab.Began);
    });

    [Fact]
    public void A_body_that_swallows_its_time_limit_has_failed_all_the_same() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async ctx =>
        {
            try { await ctx.Delay(100); }
            catch (Exception) { return "as if nothing had happened"; }
            return "done";
        }, s => s.Timeout(TimeSpan.FromSeconds(1))));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Equal("timeout", (await lab.Records("a"))[0].Error!.Type);
    });

    [Fact]
    public void A_body_that_swallows_an_interruption_runs_again() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(3), lab.Time);
        var workflow = One(async ctx =>
        {
            try { await ctx.Delay(10); return "done"; }
            catch (Exception) { return "half"; }
        });
        var first = await lab.Run(workflow, interrupt: interrupt);
        Assert.Equal(RunStatus.Paused, first.Status);
        Assert.Equal([StepStatus.Canceled], (await lab.Records("a")).Select(record => record.Status!.Value));
        var second = await lab.Resume(workflow);
        Assert.Equal((RunStatus.Completed, "done"), (second.Status, second.Output<string>("a")));
    });

    [Fact]
    public void A_failure_that_is_only_a_stop_is_not_tolerated_as_done() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(3), lab.Time);
        var workflow = One(async ctx =>
        {
            try { await ctx.Delay(10); return "done"; }
            catch (OperationCanceledException) { throw new IOException("exit code 143"); }
        }, s => s.Options(new StepOptions { ContinueOnError = true }));
        await lab.Run(workflow, interrupt: interrupt);
        Assert.Equal("done", (await lab.Resume(workflow)).Output<string>("a"));
    });

    [Fact]
    public void A_body_that_swallows_the_stop_of_its_sub_step_has_no_result() => Lab.Do(async lab =>
    {
        var workflow = One(async ctx =>
        {
            await ctx.StepAsync("first", async one => { await one.Delay(5); return 1; });
            try { await ctx.StepAsync("second", () => Task.FromResult(2)); }
            catch (Exception) { return "swallowed"; }
            return "whole";
        });
        var run = lab.Run(workflow);
        await lab.Delay(1);
        var asked = lab.Client.PauseAsync("run", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Paused, (await run).Status);
        await asked;
        Assert.Equal("whole", (await lab.Resume(workflow)).Output<string>("a"));
        Assert.Single(await lab.Records("a/first"));
    });

    [Fact]
    public void A_body_that_does_not_stop_is_given_up_after_ten_seconds_as_critical() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async _ => { await Task.Delay(TimeSpan.FromHours(1), lab.Time, CancellationToken.None); return "late"; }, s => s.Timeout(TimeSpan.FromSeconds(5)).Retry(3)));
        Assert.Equal((RunStatus.Failed, 15.0), (result.Status, result.Duration.TotalSeconds));
        var record = (await lab.Records("a"))[0];
        Assert.Equal(("unstoppable", ErrorClass.Critical), (record.Error!.Type, record.Error.Class));
    });

    [Fact]
    public void A_bodys_own_cancellation_is_a_failure_not_a_stop() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(_ => throw new OperationCanceledException("mine")));
        Assert.Equal((RunStatus.Failed, "a"), (result.Status, result.ErrorStep));
    });

    [Fact]
    public void A_tolerated_failure_is_recorded_and_the_run_goes_on() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Fail("a", () => true, s => s.Options(new StepOptions { ContinueOnError = true }));
        builder.Step("b", ctx => $"{ctx.StatusOf("a")}: {ctx.ErrorOf("a")!.Message}", s => s.Needs("a"));
        var result = await lab.Run(builder.Build());
        Assert.Equal((RunStatus.Completed, "Failed: a broke"), (result.Status, result.Output<string>("b")));
        Assert.True((await lab.Records("a")).Single().Tolerated);
    });

    [Fact]
    public void Sub_steps_are_recorded_one_by_one_and_reused() => Lab.Do(async lab =>
    {
        var broken = true;
        var workflow = One(async ctx =>
        {
            var x = await ctx.StepAsync("x", () => Task.FromResult(1));
            var y = await ctx.StepAsync("y", _ => broken ? throw new IOException("y broke") : Task.FromResult(2));
            return $"{x + y}";
        });
        var first = await lab.Run(workflow);
        Assert.Equal("Step 'a/y' failed: y broke", first.Error);
        broken = false;
        Assert.Equal("3", (await lab.Resume(workflow)).Output<string>("a"));
        Assert.Equal(["a", "a/x", "a/y", "a", "a/y"], lab.Began);
    });

    [Fact]
    public void A_sub_steps_failure_may_be_caught_by_the_body() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async ctx =>
        {
            try { await ctx.StepAsync<int>("x", _ => throw new FormatException("bad")); }
            catch (StepFailedException error) { return $"{error.Path} {error.Error.Type}"; }
            return "";
        }));
        Assert.Equal("a/x FormatException", result.Output<string>("a"));
    });

    [Fact]
    public void A_sub_step_name_used_twice_is_an_error_that_says_how_to_mend_it() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async ctx =>
        {
            for (var i = 0; i < 2; i++) await ctx.StepAsync("x", () => Task.FromResult(1));
            return "";
        }));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("'x' twice", result.Error);
        Assert.Contains("'x/1', 'x/2'", result.Error);
    });

    [Fact]
    public void Two_ways_to_one_path_are_an_error_not_a_mixed_up_result() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async ctx =>
        {
            await ctx.StepAsync("x/y", () => Task.FromResult("mine"));
            return await ctx.StepAsync("x", one => one.StepAsync("y", () => Task.FromResult("yours")));
        }));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("twice", result.Error);
    });

    [Fact]
    public void A_retried_body_finds_its_finished_sub_steps() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(async ctx =>
        {
            var x = await ctx.StepAsync("x", () => Task.FromResult("x"));
            return ctx.Attempt < 3 ? throw new IOException("again") : x;
        }, s => s.Retry(3)));
        Assert.Equal("x", result.Output<string>("a"));
        Assert.Single(await lab.Records("a/x"));
    });

    [Fact]
    public void A_map_keeps_each_item_under_its_key() => Lab.Do(async lab =>
    {
        var broken = true;
        var workflow = One(async ctx => string.Join(' ', await ctx.MapAsync("m", new[] { "b", "a", "c" }, item => item, async (one, item) =>
        {
            await one.Delay(1);
            return broken && item == "a" ? throw new IOException() : item + item;
        }, maxParallel: 2)));
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        broken = false;
        Assert.Equal("bb aa cc", (await lab.Resume(workflow)).Output<string>("a"));
        Assert.Equal(2, lab.Began.Count(path => path == "a/m[a]"));
        Assert.Equal(1, lab.Began.Count(path => path == "a/m[b]"));
    });

    [Fact]
    public void Progress_told_before_a_stop_is_there_for_the_next_attempt() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(3), lab.Time);
        var workflow = One(async ctx =>
        {
            if (ctx.LastProgress is { } last) return $"from {last.GetProperty("fraction").GetDouble()} {last.GetProperty("message").GetString()}";
            ctx.ReportProgress(0.25, "page 5");
            await ctx.Delay(10);
            return "at once";
        });
        await lab.Run(workflow, interrupt: interrupt);
        Assert.Equal("from 0.25 page 5", (await lab.Resume(workflow)).Output<string>("a"));
    });

    [Fact]
    public void Progress_told_between_sub_steps_survives_a_failure() => Lab.Do(async lab =>
    {
        var workflow = One(async ctx =>
        {
            if (ctx.LastProgress is { } last) return last.GetProperty("message").GetString()!;
            ctx.ReportProgress(0.5, "half");
            await ctx.StepAsync("x", () => Task.FromResult(1));
            throw new IOException("stop here");
        });
        await lab.Run(workflow);
        Assert.Equal("half", (await lab.Resume(workflow)).Output<string>("a"));
    });

    [Fact]
    public void Metrics_inputs_and_facts_stay_with_the_checkpoint() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", _ => Task.FromResult(StepResult.Ok(1, new Dictionary<string, double> { ["rows"] = 12 }) with { Inputs = RawJson.Parse("""{"file":"abc"}"""), Info = RawJson.Parse("""{"exit_code":0}""") }));
        await lab.Run(builder.Build());
        var record = (await lab.Records("a")).Single();
        Assert.Equal("""{"rows":12} {"file":"abc"} {"exit_code":0}""", $"{new RawJson(record.Metrics)} {new RawJson(record.Inputs)} {new RawJson(record.Data)}");
        Assert.Equal("""{"rows":12}""", (await lab.Client.SnapshotAsync("run", cancellationToken: Lab.Token)).Metrics["a"].ToString());
    });

    [Fact]
    public void Whoever_only_watches_cannot_make_a_step_fail() => Lab.Do(async lab =>
    {
        var result = await lab.Client.RunAsync(One(_ => Task.FromResult("ok")), start: new StartOptions { RunId = "run", OnEvent = _ => throw new InvalidOperationException("display broke") }, cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(StepStatus.Completed, (await lab.Records("a")).Single().Status);
    });

    [Fact]
    public void A_missing_output_says_which_step_was_meant() => Lab.Do(async lab =>
    {
        var result = await lab.Run(One(ctx => Task.FromResult(ctx.Output<string>("ghost"))));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("'ghost'", result.Error);
    });

    [Fact]
    public void Ten_thousand_steps_that_wait_for_one_place_do_not_exhaust_the_stack() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { Concurrency = 1 });
        for (var i = 0; i < 10_000; i++) builder.Step($"s{i}", async ctx => { await Task.Yield(); return 1; }, s => s.Needs());
        Assert.Equal(RunStatus.Completed, (await lab.Run(builder.Build())).Status);
    });
}
