using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Runs killed at every write, in every way, and resumed: they end as if nothing had happened, and no acknowledged step runs again.</summary>
public class CrashLaws
{
    static CrashReport Everywhere(Action<WorkflowBuilder> define, WorkflowOptions? options = null, bool pairs = false, Action<PawlOptions>? client = null, Action? reset = null, CrashMoment[]? moments = null)
    {
        var time = new VirtualTime();
        var settings = new PawlOptions { Time = time };
        client?.Invoke(settings);
        var report = time.Run(() => Crash.EverywhereAsync(new CrashScenario
        {
            Workflow = () =>
            {
                var builder = Workflow.Create("w").Options(options ?? new());
                define(builder);
                return builder.Build();
            },
            Options = settings, Pairs = pairs, Reset = reset, Moments = moments ?? Enum.GetValues<CrashMoment>(),
        }, Lab.Token));
        return report.EnsureUnbroken();
    }

    static void Diamond(WorkflowBuilder builder)
    {
        builder.Work("top", 0.1);
        builder.Work("left", 0.2, s => s.Needs("top"));
        builder.Work("right", 0.3, s => s.Needs("top"));
        builder.Work("bottom", 0.1, s => s.Needs("left", "right"));
    }

    [Fact]
    public void A_sequence_survives_a_crash_at_any_write_and_another_while_it_recovers()
    {
        var report = Everywhere(builder =>
        {
            builder.Work("a");
            builder.Work("b");
            builder.Work("c");
        }, pairs: true);
        Assert.Equal((7, RunStatus.Completed), (report.Writes, report.Unbroken));
        Assert.True(report.Trials.Count > 200, $"{report.Trials.Count} trials");
    }

    [Fact]
    public void A_diamond_survives_a_crash_at_any_write_and_another_while_it_recovers() => Everywhere(Diamond, pairs: true);

    [Fact]
    public void Steps_that_end_at_the_same_instant_survive_a_crash_at_any_write() => Everywhere(builder =>
    {
        for (var i = 0; i < 6; i++) builder.Work($"s{i}", 0.1, s => s.Needs());
        builder.Work("end", 0.1, s => s.Needs("s0", "s1", "s2", "s3", "s4", "s5"));
    }, new WorkflowOptions { Concurrency = 3 });

    [Fact]
    public void A_group_within_a_group_survives_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Group("outer", outer =>
        {
            outer.Step("x", async ctx => { await ctx.Delay(0.1); return 1; });
            outer.Group("inner", inner =>
            {
                inner.Step("y", async ctx => { await ctx.Delay(0.2); return 2; });
                inner.Step("z", async ctx => { await ctx.Delay(0.1); return ctx.Output<int>("y") + 1; }, s => s.Needs("y"));
            });
        });
        builder.Work("end");
    }, pairs: true);

    [Fact]
    public void A_fan_out_survives_a_crash_at_any_write() => Everywhere(builder =>
        builder.ForEach("each", _ => new[] { "eu", "us", "süd/1" }, key => key, async (ctx, item) =>
        {
            await ctx.Delay(item.Length);
            return item.ToUpperInvariant();
        }, maxParallel: 2));

    [Fact]
    public void A_choice_keeps_its_branch_over_a_crash_at_any_write()
    {
        // The condition would answer otherwise after a crash: only the recorded answer counts.
        var asked = 0;
        Everywhere(builder => builder.Choose("pick", cases => cases
            .When("first", _ => asked++ == 0, then => then.Step("a", async ctx => { await ctx.Delay(0.1); return "a"; }))
            .Otherwise(then => then.Step("b", async ctx => { await ctx.Delay(0.1); return "b"; }))), reset: () => asked = 0, moments: [CrashMoment.After, CrashMoment.AnswerLost, CrashMoment.Refused]);
    }

    [Fact]
    public void A_child_run_survives_a_crash_at_any_write()
    {
        var child = Workflow.Create("child");
        child.Work("inner1");
        child.Work("inner2");
        var definition = child.Build();
        Everywhere(Define);
        // A second death as well, for the two ways to die: all ways twice are some thousand histories.
        Everywhere(Define, pairs: true, moments: [CrashMoment.Before, CrashMoment.After]);

        void Define(WorkflowBuilder builder)
        {
            builder.Work("before");
            builder.Child("child", definition, ctx => new Dictionary<string, object?> { ["given"] = ctx.Output<string>("before") });
            builder.Work("after");
        }
    }

    [Fact]
    public void A_sleep_survives_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Sleep("nap", TimeSpan.FromSeconds(5));
        builder.Work("after");
    }, pairs: true);

    [Fact]
    public void Sub_steps_loops_and_maps_survive_a_crash_at_any_write() => Everywhere(builder => builder.Step("flow", async ctx =>
    {
        var sum = 0;
        for (var round = 1; round <= 3; round++) sum += await ctx.StepAsync($"round/{round}", async one => { await one.Delay(0.1); return one.Attempt * 10; });
        var squares = await ctx.MapAsync("square", [1, 2, 3], n => $"{n}", async (one, n) => { await one.Delay(n); return n * n; }, maxParallel: 3);
        await ctx.SleepAsync("pause", TimeSpan.FromSeconds(3));
        return sum + squares.Sum();
    }), pairs: true);

    [Fact]
    public void A_retried_step_survives_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Step("flaky", async ctx =>
        {
            await ctx.Delay(0.1);
            return ctx.Attempt < 3 ? throw new IOException("not yet") : "ok";
        }, s => s.Retry(5));
        builder.Work("after");
    });

    [Fact]
    public void A_failed_run_is_failed_in_the_same_way_after_a_crash_at_any_write()
    {
        var report = Everywhere(builder =>
        {
            builder.Work("a");
            builder.Fail("b", () => true, s => s.Needs("a"));
            builder.Work("c", 0.2, s => s.Needs("a"));
            builder.Work("d", 0.1, s => s.Needs("b"));
        }, pairs: true);
        Assert.Equal(RunStatus.Failed, report.Unbroken);
    }

    [Fact]
    public void A_failure_that_others_go_on_beside_survives_a_crash_at_any_write()
    {
        var report = Everywhere(builder =>
        {
            builder.Work("a");
            builder.Fail("b", () => true, s => s.Needs("a"));
            builder.Work("c", 0.2, s => s.Needs("a"));
            builder.Work("d", 0.1, s => s.Needs("b"));
            builder.Work("e", 0.1, s => s.Needs("c"));
            builder.Work("always", 0.1, s => s.After("d", "e").EvenAfterFailure());
            builder.Work("alarm", 0.1, s => s.After("b").EvenAfterFailure().When(ctx => ctx.AnyFailedBefore));
            builder.Work("calm", 0.1, s => s.After("c").EvenAfterFailure().When(ctx => ctx.AnyFailedBefore));
        }, new WorkflowOptions { OnFailure = FailurePolicy.Continue });
        Assert.Equal(RunStatus.Failed, report.Unbroken);
    }

    [Fact]
    public void A_tolerated_failure_survives_a_crash_at_any_write()
    {
        var report = Everywhere(builder =>
        {
            builder.Fail("soft", () => true, s => s.Options(new StepOptions { ContinueOnError = true }));
            builder.Work("after");
        }, pairs: true);
        Assert.Equal(RunStatus.Completed, report.Unbroken);
    }

    [Fact]
    public void Skipped_steps_survive_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Work("a");
        builder.Work("no", 0.1, s => s.When(_ => false));
        builder.Work("needs-no", 0.1, s => s.Needs("no"));
        builder.Work("after-no", 0.1, s => s.After("no"));
        builder.Step("self", _ => Task.FromResult(StepResult.Skip("nothing to do")));
        builder.Step("same", _ => Task.FromResult(StepResult.Skip("unchanged", output: 7, unchanged: true)));
        builder.Work("end", 0.1, s => s.Needs("same"));
    }, pairs: true);

    [Fact]
    public void Compensation_that_dies_goes_on_and_undoes_each_step_once_more_at_most()
    {
        var undone = new List<string>();
        var report = Everywhere(builder =>
        {
            foreach (var id in new[] { "a", "b", "c" })
                builder.Work(id, 1, s => s.Compensate(async ctx => { await ctx.Delay(0.1); undone.Add(ctx.Path); }));
            builder.Fail("d", () => true);
        }, new WorkflowOptions { OnFailure = FailurePolicy.Compensate }, pairs: true, reset: undone.Clear);
        Assert.Equal(RunStatus.Failed, report.Unbroken);
        Assert.True(report.Trials.Count > 400);
    }

    [Fact]
    public void Compensation_reaches_steps_in_groups_after_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Group("g", group =>
        {
            group.Step("x", async ctx => { await ctx.Delay(0.1); return 1; }, s => s.Compensate(_ => Task.CompletedTask));
            group.Step("y", async ctx => { await ctx.Delay(0.2); return 2; }, s => s.Compensate(_ => Task.CompletedTask));
        }, s => s.Compensate(_ => Task.CompletedTask));
        builder.Work("plain");
        builder.Fail("d", () => true);
    }, new WorkflowOptions { OnFailure = FailurePolicy.Compensate });

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Async)]
    [InlineData(Durability.Exit)]
    public void Every_durability_ends_as_the_unbroken_run_after_a_crash_at_any_write(Durability durability) =>
        Everywhere(Diamond, new WorkflowOptions { Durability = durability }, pairs: true);

    [Fact]
    public void Marked_checkpoints_end_as_the_unbroken_run_after_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Step("a", async ctx => { await ctx.Delay(0.1); ctx.State.Set("a", 0.1); return 1; });
        builder.Step("b", async ctx => { await ctx.Delay(0.1); ctx.State.Set("b", ctx.State.Get<int>("a") + 1); return 2; }, s => s.Checkpoint());
        builder.Step("c", async ctx => { await ctx.Delay(0.1); return StepResult.Ok(3, checkpoint: true); });
        builder.Work("d");
    }, new WorkflowOptions { Strategy = CheckpointStrategy.Marked }, pairs: true);

    [Fact]
    public void State_and_large_outputs_survive_a_crash_at_any_write() => Everywhere(builder =>
    {
        builder.Step("big", async ctx =>
        {
            await ctx.Delay(0.1);
            ctx.State.Set("seen", new[] { "big" });
            ctx.State.Set("gone", true);
            return new string('x', 10_000);
        });
        builder.Step("middle", ctx => ctx.Output<string>("big")[..5000]);
        builder.Step("use", async ctx =>
        {
            await ctx.Delay(0.1);
            ctx.State.Set("seen", ctx.State.Get<string[]>("seen")!.Append("use").ToArray());
            ctx.State.Remove("gone");
            return ctx.Output<string>("big").Length + ctx.Output<string>("middle").Length;
        });
    }, client: options => options.PayloadThreshold = 8000, pairs: true);
}
