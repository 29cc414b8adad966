namespace Pawl.Tests.Engine;

/// <summary>Which steps run, when, and what a failure does to the others.</summary>
public class GraphLaws
{
    static Workflow Of(Action<WorkflowBuilder> define, WorkflowOptions? options = null)
    {
        var builder = Workflow.Create("w").Options(options ?? new());
        define(builder);
        return builder.Build();
    }

    static readonly WorkflowOptions Continue = new() { OnFailure = FailurePolicy.Continue };

    [Fact]
    public void A_diamond_runs_its_sides_at_the_same_time() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder =>
        {
            builder.Work("top", 1);
            builder.Work("left", 5, s => s.Needs("top"));
            builder.Work("right", 7, s => s.Needs("top"));
            builder.Work("bottom", 1, s => s.Needs("left", "right"));
        }));
        Assert.Equal(9, result.Duration.TotalSeconds, 3);
        Assert.Equal(["top", "left", "right", "bottom"], lab.Began);
    });

    [Fact]
    public void No_more_steps_run_at_once_than_the_concurrency_allows() => Lab.Do(async lab =>
    {
        var (now, most) = (0, 0);
        await lab.Run(Of(builder =>
        {
            for (var i = 0; i < 20; i++)
                builder.Step($"s{i}", async ctx => { most = Math.Max(most, ++now); await ctx.Delay(i % 3 + 1); now--; return 1; }, s => s.Needs());
        }, new WorkflowOptions { Concurrency = 4 }));
        Assert.Equal(4, most);
    });

    [Fact]
    public void A_group_takes_no_place_so_its_children_cannot_wait_for_it() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.Group("outer", outer => outer.Group("inner", inner =>
        {
            inner.Step("x", async ctx => { await ctx.Delay(1); return 1; });
            inner.Step("y", async ctx => { await ctx.Delay(1); return 1; });
        })), new WorkflowOptions { Concurrency = 1 }));
        Assert.Equal((RunStatus.Completed, 2.0), (result.Status, result.Duration.TotalSeconds));
    });

    [Fact]
    public void Steps_that_a_plain_step_runs_share_its_place_and_do_not_wait_for_another() => Lab.Do(async lab =>
    {
        var inner = Of(builder => builder.Work("x")).Steps;
        var result = await lab.Run(Of(builder => builder.Step("a", ctx => ctx.RunStepsAsync(inner)), new WorkflowOptions { Concurrency = 1 }));
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(["a", "a/x"], lab.Began);
    });

    [Fact]
    public void A_groups_width_limits_its_children_only() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.Group("g", group =>
        {
            for (var i = 0; i < 6; i++) group.Step($"s{i}", async ctx => { await ctx.Delay(1); return 1; });
        }, maxParallel: 2)));
        Assert.Equal(3, result.Duration.TotalSeconds, 3);
    });

    [Fact]
    public void Under_stop_what_runs_ends_and_nothing_new_begins() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder =>
        {
            builder.Fail("bad", () => true, s => s.Needs());
            builder.Work("long", 5, s => s.Needs());
            builder.Work("after-long", 1, s => s.Needs("long"));
            builder.Work("after-bad", 1, s => s.Needs("bad"));
        }));
        Assert.Equal((RunStatus.Failed, "bad"), (result.Status, result.ErrorStep));
        Assert.Equal(["bad", "long"], lab.Began);
        Assert.Single(await lab.Records("long"));
        Assert.Empty(await lab.Records("after-long"));
    });

    [Fact]
    public void Under_continue_only_dependants_are_skipped_and_the_blocker_is_named() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder =>
        {
            builder.Work("top");
            builder.Fail("left", () => true, s => s.Needs("top"));
            builder.Work("right", 1, s => s.Needs("top"));
            builder.Work("after-right", 1, s => s.Needs("right"));
            builder.Work("below-left", 1, s => s.Needs("left"));
            builder.Work("bottom", 1, s => s.Needs("below-left", "right"));
        }, Continue));
        Assert.Equal((RunStatus.Failed, "left"), (result.Status, result.ErrorStep));
        Assert.Equal(["top", "left", "right", "after-right"], lab.Began);
        foreach (var id in new[] { "below-left", "bottom" })
        {
            var record = (await lab.Records(id)).Single();
            Assert.Equal((StepStatus.Skipped, SkipCause.Blocked, "blocked by 'left', which failed"), (record.Status, record.Cause, record.Reason));
        }
    });

    [Fact]
    public void A_blocked_step_runs_when_its_blocker_is_mended() => Lab.Do(async lab =>
    {
        var broken = true;
        var workflow = Of(builder =>
        {
            builder.Fail("a", () => broken);
            builder.Work("b", 1, s => s.Needs("a"));
        }, Continue);
        await lab.Run(workflow);
        broken = false;
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(["a", "a", "b"], lab.Began);
    });

    [Fact]
    public void A_false_condition_skips_the_step_and_what_needs_it_but_not_what_comes_after() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder =>
        {
            builder.Work("no", 1, s => s.When(_ => false, "x > 1 (x = 0)"));
            builder.Work("needs", 1, s => s.Needs("no"));
            builder.Work("after", 1, s => s.After("no"));
        }));
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(["after"], lab.Began);
        Assert.Equal("x > 1 (x = 0)", (await lab.Records("no")).Single().Reason);
        Assert.Equal("needs 'no', which was skipped", (await lab.Records("needs")).Single().Reason);
        Assert.Equal((3, 3), ((await lab.Head()).Done, (await lab.Head()).Total));
    });

    [Fact]
    public void A_resume_keeps_what_a_condition_decided() => Lab.Do(async lab =>
    {
        var (allowed, broken) = (false, true);
        var workflow = Of(builder =>
        {
            builder.Work("maybe", 1, s => s.When(_ => allowed));
            builder.Fail("b", () => broken);
        });
        await lab.Run(workflow);
        (allowed, broken) = (true, false);
        await lab.Resume(workflow);
        Assert.DoesNotContain("maybe", lab.Began);
    });

    [Fact]
    public void A_condition_that_cannot_be_decided_fails_its_step() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.Work("a", 1, s => s.When(_ => throw new FormatException("no such word")))));
        Assert.Equal((RunStatus.Failed, "no such word"), (result.Status, result.Error));
        Assert.Empty(lab.Began);
    });

    [Fact]
    public void Always_and_failure_steps_run_after_a_failure_and_are_decided_anew_on_resume() => Lab.Do(async lab =>
    {
        var broken = true;
        var workflow = Of(builder =>
        {
            builder.Fail("work", () => broken);
            builder.Work("alarm", 1, s => s.After("work").EvenAfterFailure().When(ctx => ctx.AnyFailedBefore));
            builder.Work("cleanup", 1, s => s.After("work").EvenAfterFailure());
        });
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        Assert.Equal(["work", "alarm", "cleanup"], lab.Began);
        broken = false;
        lab.Began.Clear();
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(["work", "cleanup"], lab.Began);
        Assert.Equal(StepStatus.Skipped, (await lab.Records("alarm"))[^1].Status);
    });

    [Fact]
    public void A_failure_is_seen_through_skipped_steps() => Lab.Do(async lab =>
    {
        await lab.Run(Of(builder =>
        {
            builder.Fail("a", () => true);
            builder.Work("b", 1, s => s.Needs("a"));
            builder.Work("c", 1, s => s.Needs("b").EvenAfterFailure().When(ctx => ctx.AnyFailedBefore));
        }));
        Assert.Equal(["a", "c"], lab.Began);
    });

    [Fact]
    public void A_critical_failure_lets_nothing_new_begin_whatever_the_policy() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder =>
        {
            builder.Group("one", group => group.Step("x", async ctx => { await ctx.Delay(1); return StepResult.Fail("disk is gone", ErrorClass.Critical); }), s => s.Needs());
            builder.Group("two", group =>
            {
                group.Step("y", async ctx => { await ctx.Delay(2); return 1; });
                group.Step("z", async ctx => { await ctx.Delay(1); return 1; }, s => s.Needs("y"));
            }, s => s.Needs());
        }, Continue));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Equal(["one", "one/x", "two", "two/y"], lab.Began);
    });

    [Fact]
    public void A_critical_failure_is_neither_retried_nor_tolerated() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.Step("a", _ => Task.FromResult(StepResult.Fail("gone", ErrorClass.Critical)), s => s.Options(new StepOptions { ContinueOnError = true, Retry = new RetryPolicy() }))));
        Assert.Equal((RunStatus.Failed, 1), (result.Status, lab.Began.Count));
    });

    [Fact]
    public void A_choice_takes_one_branch_and_never_falls_into_the_next() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder =>
        {
            builder.Choose("pick", cases => cases
                .When("small", _ => false, then => then.Step("s", ctx => Task.FromResult(1)))
                .When("big", _ => true, then => { then.Step("b1", ctx => Task.FromResult(1)); then.Step("b2", ctx => Task.FromResult(2)); })
                .Otherwise(then => then.Step("o", ctx => Task.FromResult(3))));
            builder.Work("end");
        }));
        Assert.Equal(["pick", "pick/choice", "pick/big", "pick/big/b1", "pick/big/b2", "end"], lab.Began);
        Assert.Equal("big", result.Output<string>("pick"));
        Assert.Equal("the case 'big' was taken", (await lab.Records("pick/small")).Single().Reason);
        Assert.Equal(StepStatus.Skipped, (await lab.Records("pick/otherwise")).Single().Status);
    });

    [Fact]
    public void A_resumed_choice_keeps_its_branch() => Lab.Do(async lab =>
    {
        var (first, broken) = (true, true);
        var workflow = Of(builder => builder.Choose("pick", cases => cases
            .When("one", _ => first, then => then.Step("a", ctx => broken ? throw new IOException("a") : Task.FromResult(1)))
            .Otherwise(then => then.Step("b", ctx => Task.FromResult(2)))));
        await lab.Run(workflow);
        (first, broken) = (false, false);
        Assert.Equal("one", (await lab.Resume(workflow)).Output<string>("pick"));
        Assert.DoesNotContain("pick/otherwise/b", lab.Began);
    });

    [Fact]
    public void A_choice_without_a_case_that_holds_is_done_and_says_so() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.Choose("pick", cases => cases.When("no", _ => false, then => then.Step("x", ctx => Task.FromResult(1))))));
        Assert.Equal((RunStatus.Completed, ""), (result.Status, result.Output<string>("pick")));
        Assert.Equal("no case holds", (await lab.Records("pick/no")).Single().Reason);
    });

    [Fact]
    public void A_fan_out_gives_results_in_the_order_of_its_items() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        var each = builder.ForEach("each", _ => new[] { 3, 1, 2 }, n => $"k{n}", async (ctx, n) => { await ctx.Delay(n); return n * 10; });
        var result = await lab.Run(builder.Build());
        Assert.Equal([30, 10, 20], result.Output(each));
        Assert.Equal(3, result.Duration.TotalSeconds, 3);
        Assert.Equal(["each[k3]", "each[k1]", "each[k2]"], lab.Began.Skip(1));
    });

    [Fact]
    public void A_fan_out_resumes_with_its_unfinished_items_only() => Lab.Do(async lab =>
    {
        var broken = true;
        var builder = Workflow.Create("w").Options(Continue);
        var each = builder.ForEach("each", _ => new[] { 1, 2, 3 }, n => $"{n}", async (ctx, n) => { await ctx.Delay(n); return broken && n == 2 ? throw new IOException("two") : n; });
        var workflow = builder.Build();
        Assert.Equal("'each[2]' failed: two", (await lab.Run(workflow)).Error);
        broken = false;
        lab.Began.Clear();
        Assert.Equal([1, 2, 3], (await lab.Resume(workflow)).Output(each));
        Assert.Equal(["each", "each[2]"], lab.Began);
    });

    [Fact]
    public void Two_items_with_one_key_are_an_error() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.ForEach("each", _ => new[] { 1, 2 }, _ => "same", (_, n) => Task.FromResult(n))));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("[same]", result.Error);
    });

    [Fact]
    public void Strange_keys_stay_apart() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        var keys = new[] { "a/b", "a-b", "a[b", "日本", "", " ", new string('k', 500), new string('k', 499) + "!" };
        var each = builder.ForEach("each", _ => keys, key => key, (_, key) => Task.FromResult(key));
        Assert.Equal(keys, (await lab.Run(builder.Build())).Output(each));
    });

    [Fact]
    public void An_empty_fan_out_is_done() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        var each = builder.ForEach("each", _ => Array.Empty<int>(), n => $"{n}", (_, n) => Task.FromResult(n));
        Assert.Empty((await lab.Run(builder.Build())).Output(each));
    });

    [Fact]
    public void A_groups_failure_names_the_step_below_and_counts_the_others() => Lab.Do(async lab =>
    {
        var result = await lab.Run(Of(builder => builder.Group("g", group =>
        {
            group.Step<int>("x", async ctx => { await ctx.Delay(1); throw new IOException("x broke"); });
            group.Step<int>("y", async ctx => { await ctx.Delay(1); throw new IOException("y broke"); });
        }), Continue));
        Assert.Equal("'g/x' failed: x broke (and 1 more: g/y)", result.Error);
    });

    [Fact]
    public void A_child_run_has_a_journal_of_its_own_and_is_found_again() => Lab.Do(async lab =>
    {
        var broken = true;
        var inner = Workflow.Create("child");
        inner.Work("one");
        inner.Fail("two", () => broken);
        var child = inner.Build();
        var workflow = Of(builder => builder.Child("sub", child, _ => new Dictionary<string, object?> { ["p"] = 1 }));
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        Assert.Equal((RunStatus.Failed, "run"), ((await lab.Head("run.sub")).Status, (await lab.Head("run.sub")).ParentRunId));
        broken = false;
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(RunStatus.Completed, (await lab.Head("run.sub")).Status);
        Assert.Single(await lab.Records("one", "run.sub"));
    });

    [Fact]
    public void A_child_run_is_stopped_with_its_step_and_goes_on_with_it() => Lab.Do(async lab =>
    {
        var inner = Workflow.Create("child");
        inner.Work("one", 5);
        inner.Work("two", 5);
        var child = inner.Build();
        var workflow = Of(builder => builder.Child("sub", child, null, s => s.Timeout(TimeSpan.FromSeconds(7))));
        var first = await lab.Run(workflow);
        Assert.Equal((RunStatus.Failed, 7.0), (first.Status, first.Duration.TotalSeconds));
        Assert.Equal(RunStatus.Paused, (await lab.Head("run.sub")).Status);
        Assert.Equal("timeout", (await lab.Records("sub"))[0].Error!.Type);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Single(await lab.Records("one", "run.sub"));
    });

    [Fact]
    public void A_sleep_that_was_interrupted_waits_only_for_the_rest() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromMinutes(40), lab.Time);
        var workflow = Of(builder => builder.Sleep("nap", TimeSpan.FromHours(1)));
        Assert.Equal(RunStatus.Paused, (await lab.Run(workflow, interrupt: interrupt)).Status);
        await lab.Delay(600);
        await lab.Resume(workflow);
        Assert.Equal(60, lab.Time.Elapsed.TotalMinutes, 3);
    });

    [Fact]
    public void A_sleep_that_is_over_while_nobody_ran_waits_no_more() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromMinutes(1), lab.Time);
        var workflow = Of(builder => builder.Sleep("nap", TimeSpan.FromHours(1)));
        await lab.Run(workflow, interrupt: interrupt);
        await lab.Delay(7200);
        Assert.Equal(TimeSpan.Zero, (await lab.Resume(workflow)).Duration);
    });

    [Fact]
    public void A_part_of_the_graph_runs_as_asked_and_the_rest_later() => Lab.Do(async lab =>
    {
        var workflow = Of(builder => { builder.Work("a"); builder.Work("b"); builder.Work("c"); builder.Work("d"); });
        var first = await lab.Run(workflow, start: new StartOptions { Select = new StepSelection { Until = "b" } });
        Assert.Equal((RunStatus.Paused, "only a part was asked for; not yet run: c, d"), (first.Status, first.Error));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(["a", "b", "c", "d"], lab.Began);
    });

    [Fact]
    public void A_selection_of_a_step_that_does_not_exist_is_refused_before_anything_is_written() => Lab.Do(async lab =>
    {
        var workflow = Of(builder => builder.Work("load"));
        var error = await Assert.ThrowsAsync<InvalidDefinitionException>(async () => await lab.Run(workflow, start: new StartOptions { Select = new StepSelection { Only = ["lod"] } }));
        Assert.Contains("Did you mean 'load'?", error.Message);
        Assert.Null(await lab.Client.FindAsync("run", Lab.Token));
    });

    [Fact]
    public void Steps_given_at_run_time_that_wait_for_each_other_are_an_error_not_a_hang() => Lab.Do(async lab =>
    {
        Step Make(string id, string needs) => new() { Id = id, Needs = [needs], Body = _ => Task.FromResult(StepResult.Ok()) };
        var result = await lab.Run(Of(builder => builder.Step("a", ctx => ctx.RunStepsAsync([Make("x", "y"), Make("y", "x")]))));
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("circle", result.Error);
    });

    public static TheoryData<string, Action<WorkflowBuilder>> Wrong => new()
    {
        { "circle: a -> b -> a", builder => { builder.Work("a", 1, s => s.Needs("b")); builder.Work("b", 1, s => s.Needs("a")); } },
        { "needs itself", builder => builder.Work("a", 1, s => s.Needs("a")) },
        { "Did you mean 'load'?", builder => { builder.Work("load"); builder.Work("b", 1, s => s.Needs("loadd")); } },
        { "Two steps have the id 'a'", builder => { builder.Work("a"); builder.Work("a"); } },
        { "is not a step id", builder => builder.Work("../a") },
        { "There are no steps", _ => { } },
        { "Concurrency must be at least 1", builder => { builder.Work("a"); builder.Options(new WorkflowOptions { Concurrency = 0 }); } },
        { "time limit of step 'a'", builder => builder.Work("a", 1, s => s.Timeout(TimeSpan.FromSeconds(-1))) },
        { "at least one attempt", builder => builder.Work("a", 1, s => s.Retry(0)) },
        { "declared twice", builder => { builder.Work("a"); builder.Param("p", 1).Param("p", 2); } },
        { "Two steps have the id 'x'", builder => builder.Group("g", group => { group.Step("x", _ => Task.FromResult(1)); group.Step("x", _ => Task.FromResult(1)); }) },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void A_wrong_definition_is_refused_and_says_what_is_wrong(string says, Action<WorkflowBuilder> define) =>
        Assert.Contains(says, Assert.Throws<InvalidDefinitionException>(() => Of(define)).Message);

    [Fact]
    public void A_chain_of_a_hundred_thousand_steps_is_checked_without_exhausting_the_stack() => Of(builder =>
    {
        for (var i = 0; i < 100_000; i++) builder.Work($"s{i}");
    });
}
