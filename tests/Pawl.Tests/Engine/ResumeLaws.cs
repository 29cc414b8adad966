using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>What a resume does, what it refuses, and what its plan says beforehand.</summary>
public class ResumeLaws
{
    /// <summary>a, b, c in a row; the one named fails. Fingerprints are the ids unless changed.</summary>
    static Workflow Row(string? fails = null, string[]? ids = null, Func<string, string>? print = null, int version = 1)
    {
        var builder = Workflow.Create("w", version);
        foreach (var id in ids ?? ["a", "b", "c"])
            builder.Fail(id, () => id == fails, s => s.Options(new StepOptions { Fingerprint = print?.Invoke(id) ?? id }));
        return builder.Build();
    }

    static string Decisions(ResumePlan plan) => string.Join(' ', plan.Steps.Select(step => $"{step.Path}:{step.Decision}"));

    [Fact]
    public void A_resume_begins_at_the_first_step_without_success_and_never_behind_it() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        Assert.Equal(StepStatus.Failed, (await lab.Records("b")).Single().Status);
        var result = await lab.Resume(Row());
        Assert.Equal(["a", "b", "b", "c"], lab.Began);
        Assert.Equal(["a"], result.Restored);
        Assert.Equal(["b", "c"], result.Executed);
        Assert.Equal(0.1, result.Saved.Duration.TotalSeconds, 3);
    });

    [Fact]
    public void A_completed_run_is_refused_and_the_refusal_points_to_rerun() => Lab.Do(async lab =>
    {
        await lab.Run(Row());
        var error = await Assert.ThrowsAsync<ResumeRefusedException>(async () => await lab.Resume(Row()));
        Assert.Equal(RefusalReason.Completed, error.Refusal.Reason);
        Assert.Contains("rerun", error.Refusal.Hint);
        Assert.Null((await lab.Head()).Owner);
    });

    [Fact]
    public void Without_an_id_the_newest_run_that_can_be_resumed_is_taken() => Lab.Do(async lab =>
    {
        foreach (var (id, fails) in new[] { ("old", "b"), ("newer", "c"), ("done", null) })
        {
            await lab.Delay(10);
            await lab.Run(Row(fails), start: new StartOptions { RunId = id });
        }
        Assert.Equal("newer", (await lab.Resume(Row(), runId: null)).RunId);
        Assert.Equal("old", (await lab.Resume(Row(), runId: null)).RunId);
        var none = await Assert.ThrowsAsync<ResumeRefusedException>(async () => await lab.Resume(Row(), runId: null));
        Assert.Equal(RefusalReason.NothingToResume, none.Refusal.Reason);
    });

    [Fact]
    public void A_run_that_does_not_exist_is_not_found() => Lab.Do(async lab =>
        await Assert.ThrowsAsync<RunNotFoundException>(async () => await lab.Resume(Row(), runId: "ghost")));

    [Fact]
    public void The_plan_says_what_a_resume_then_does_and_changes_nothing() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        var before = (await lab.Journal()).Count;
        var plan = await lab.Client.PlanAsync(Row(), "run", cancellationToken: Lab.Token);
        Assert.Equal("a:Reuse b:Run c:Run", Decisions(plan));
        Assert.Equal(["recorded as checkpoint 3", "failed: b broke", "blocked by 'b', which failed"], plan.Steps.Select(step => step.Reason));
        Assert.Equal(0.1, plan.Saves.Duration.TotalSeconds, 3);
        Assert.Empty(plan.Refusals);
        Assert.Equal(before, (await lab.Journal()).Count);
        Assert.Null((await lab.Head()).Owner);
    });

    [Fact]
    public void The_plan_of_a_held_run_names_its_holder() => Lab.Do(async lab =>
    {
        var run = lab.Run(Row());
        await lab.Delay(0.05);
        var plan = await lab.Client.PlanAsync(Row(), "run", cancellationToken: Lab.Token);
        Assert.Equal(RefusalReason.Held, plan.Refusals.Single().Reason);
        await run;
    });

    [Fact]
    public void Later_steps_may_come_and_unfinished_ones_may_change() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        var result = await lab.Resume(Row(ids: ["a", "b", "new", "c"], print: id => id == "a" ? "a" : "edited", version: 2));
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Empty(lab.Warnings);
        Assert.Equal((4, 4), ((await lab.Head()).Done, (await lab.Head()).Total));
    });

    [Fact]
    public void A_finished_step_that_was_edited_is_reused_with_a_warning() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        await lab.Resume(Row(print: id => id + "2"));
        Assert.Contains("'a' was changed since it finished", lab.Warnings.Single());
        Assert.Equal(["a", "b", "b", "c"], lab.Began);
    });

    [Fact]
    public void A_finished_step_that_was_edited_runs_again_when_asked() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        var options = new ResumeOptions { RerunChanged = true };
        Assert.Equal("a:Rerun b:Run c:Run", Decisions(await lab.Client.PlanAsync(Row(print: id => id + "2"), "run", options, Lab.Token)));
        await lab.Resume(Row(print: id => id + "2"), options);
        Assert.Equal(["a", "b", "a", "b", "c"], lab.Began);
        Assert.Equal([1, 2], (await lab.Records("a")).Select(record => record.Attempt));
    });

    [Fact]
    public void An_edit_is_told_once_more_until_the_step_ran_again() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        await lab.Resume(Row("b", print: id => id + "2"));
        Assert.Contains("'a' was changed", Assert.Single((await lab.Client.PlanAsync(Row(print: id => id + "2"), "run", cancellationToken: Lab.Token)).Warnings));
        await lab.Resume(Row("b", print: id => id + "2"), new ResumeOptions { RerunChanged = true });
        Assert.Empty((await lab.Client.PlanAsync(Row(print: id => id + "2"), "run", cancellationToken: Lab.Token)).Warnings);
    });

    [Fact]
    public void A_finished_step_that_was_removed_refuses_with_the_likely_new_name() => Lab.Do(async lab =>
    {
        await lab.Run(Row("c", ["fetch", "b", "c"]));
        var renamed = Row(ids: ["fetch-all", "b", "c"], print: id => id == "fetch-all" ? "fetch" : id);
        var error = await Assert.ThrowsAsync<ResumeRefusedException>(async () => await lab.Resume(renamed));
        Assert.Equal(RefusalReason.Incompatible, error.Refusal.Reason);
        Assert.Contains("--map fetch=fetch-all", error.Refusal.Hint);
        lab.Began.Clear();
        var result = await lab.Resume(renamed, new ResumeOptions { Map = new Dictionary<string, string> { ["fetch-all"] = "fetch" } });
        Assert.Equal((RunStatus.Completed, "fetch"), (result.Status, result.Output<string>("fetch-all")));
        Assert.Equal(["c"], lab.Began);
    });

    [Fact]
    public void A_renamed_step_keeps_its_new_name_in_later_resumes() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        await lab.Resume(Row("b", ["z", "b", "c"]), new ResumeOptions { Map = new Dictionary<string, string> { ["z"] = "a" } });
        lab.Began.Clear();
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Row(ids: ["z", "b", "c"]))).Status);
        Assert.Equal(["b", "c"], lab.Began);
    });

    [Fact]
    public void Another_order_of_steps_is_no_hindrance() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Row(ids: ["c", "b", "a"]))).Status);
        Assert.Equal(["a", "b", "c", "b"], lab.Began);
    });

    [Fact]
    public void Another_workflow_is_refused() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        var builder = Workflow.Create("other");
        builder.Work("a");
        Assert.Equal(RefusalReason.OtherWorkflow, await lab.Refused(builder.Build()));
    });

    [Fact]
    public void Another_project_folder_is_refused_unless_forced() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"), start: new StartOptions { ProjectPath = "/srv/one" });
        Assert.Equal(RefusalReason.ProjectDiffers, await lab.Refused(Row(), new ResumeOptions { ProjectPath = "/srv/two" }));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Row(), new ResumeOptions { ProjectPath = "/srv/two", Force = true })).Status);
    });

    [Theory]
    [InlineData(GuardPolicy.Refuse)]
    [InlineData(GuardPolicy.Warn)]
    [InlineData(GuardPolicy.Ignore)]
    public void Age_is_guarded_by_policy(GuardPolicy policy) => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        await lab.Delay(TimeSpan.FromHours(25).TotalSeconds);
        var options = new ResumeOptions { AgeGuard = policy };
        if (policy == GuardPolicy.Refuse) Assert.Equal(RefusalReason.TooOld, await lab.Refused(Row(), options));
        else
        {
            await lab.Resume(Row(), options);
            Assert.Equal(policy == GuardPolicy.Warn ? 1 : 0, lab.Warnings.Count());
        }
    });

    [Theory]
    [InlineData("git_branch", true)]
    [InlineData("git_commit", true)]
    [InlineData("shell", false)]
    public void Branch_and_commit_are_guarded_other_facts_are_not(string fact, bool guarded) => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"), start: new StartOptions { Environment = new Dictionary<string, string> { [fact] = "one" } });
        var options = new ResumeOptions { EnvironmentGuard = GuardPolicy.Refuse, Environment = new Dictionary<string, string> { [fact] = "two" } };
        if (guarded) Assert.Equal(RefusalReason.EnvironmentDiffers, await lab.Refused(Row(), options));
        else Assert.Equal(RunStatus.Completed, (await lab.Resume(Row(), options)).Status);
    });

    [Fact]
    public void All_refusals_are_in_the_plan_at_once() => Lab.Do(async lab =>
    {
        await lab.Run(Row(), start: new StartOptions { ProjectPath = "/one" });
        var plan = await lab.Client.PlanAsync(Row(ids: ["x"]), "run", new ResumeOptions { ProjectPath = "/two", From = "ghost" }, Lab.Token);
        Assert.Equal([RefusalReason.Completed, RefusalReason.ProjectDiffers, RefusalReason.UnknownStep, RefusalReason.Incompatible, RefusalReason.Incompatible, RefusalReason.Incompatible],
            plan.Refusals.Select(refusal => refusal.Reason));
        Assert.All(plan.Refusals, refusal => Assert.NotEmpty(refusal.Hint));
    });

    [Fact]
    public void From_a_step_runs_it_and_all_behind_it_again() => Lab.Do(async lab =>
    {
        await lab.Run(Row("c"));
        lab.Began.Clear();
        var result = await lab.Resume(Row(), new ResumeOptions { From = "b" });
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(["b", "c"], lab.Began);
        Assert.Equal([1, 2], (await lab.Records("b")).Select(record => record.Attempt));
        Assert.Equal((3, 3), ((await lab.Head()).Done, (await lab.Head()).Total));
    });

    [Fact]
    public void From_jumps_over_a_failed_step_only_because_it_was_named_and_says_so() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        var result = await lab.Resume(Row("b"), new ResumeOptions { From = "c" });
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(["a", "b", "c"], lab.Began);
        var jumped = (await lab.Records("b"))[^1];
        Assert.Equal((StepStatus.Skipped, "jumped over by request"), (jumped.Status, jumped.Reason));
    });

    [Fact]
    public void From_works_in_a_parallel_graph_and_uses_recorded_outputs() => Lab.Do(async lab =>
    {
        Workflow Make(bool broken)
        {
            var builder = Workflow.Create("w").Options(new WorkflowOptions { OnFailure = FailurePolicy.Continue });
            builder.Work("top");
            builder.Work("left", 1, s => s.Needs("top"));
            builder.Fail("right", () => broken, s => s.Needs("top"));
            builder.Step("bottom", ctx => $"{ctx.Output<string>("left")}+{ctx.TryOutput("right")?.ToString() ?? "nothing"}", s => s.Needs("left", "right"));
            return builder.Build();
        }
        await lab.Run(Make(true));
        lab.Began.Clear();
        var result = await lab.Resume(Make(true), new ResumeOptions { From = "bottom" });
        Assert.Equal((RunStatus.Completed, "left+nothing"), (result.Status, result.Output<string>("bottom")));
        Assert.Equal(["bottom"], lab.Began);
    });

    [Fact]
    public void From_a_step_that_does_not_exist_is_refused() => Lab.Do(async lab =>
    {
        await lab.Run(Row("b"));
        Assert.Equal(RefusalReason.UnknownStep, await lab.Refused(Row(), new ResumeOptions { From = "x" }));
    });

    [Fact]
    public void Steps_can_see_that_they_are_resumed() => Lab.Do(async lab =>
    {
        var seen = new List<(bool, bool)>();
        var builder = Workflow.Create("w");
        builder.Step("a", async ctx =>
        {
            seen.Add((ctx.IsResumed, ctx.Params.Get("__resumed__", false)));
            await ctx.Delay(1);
            return seen.Count == 1 ? throw new IOException() : 1;
        });
        var workflow = builder.Build();
        await lab.Run(workflow);
        await lab.Resume(workflow);
        Assert.Equal([(false, false), (true, true)], seen);
    });

    [Fact]
    public void Rerun_is_a_new_run_with_the_same_params_and_overrides() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("a", ctx => $"{ctx.Params.Get<string>("x")} {ctx.Params.Get<int>("y")}");
        var workflow = builder.Build();
        await lab.Run(workflow, new { x = "one", y = 1 });
        var result = await lab.Client.RerunAsync(workflow, "run", new Dictionary<string, object?> { ["y"] = 2 }, new StartOptions { RunId = "again" }, Lab.Token);
        Assert.Equal(("again", "one 2"), (result.RunId, result.Output<string>("a")));
        Assert.Equal(4, (await lab.Journal()).Count);
    });

    [Fact]
    public void A_failed_run_resumes_by_itself_when_set_so_bounded_and_with_back_off() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { AutoResumeAttempts = 2 });
        builder.Work("a");
        builder.Fail("b", () => true);
        var result = await lab.Run(builder.Build());
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Equal(["a", "b", "b", "b"], lab.Began);
        Assert.Equal(15.4, lab.Time.Elapsed.TotalSeconds, 1);
    });

    [Fact]
    public void A_run_resumes_by_itself_until_it_completes_and_not_once_more() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { AutoResumeAttempts = 5 });
        builder.Step("a", async ctx => { await ctx.Delay(1); return ctx.Attempt < 2 ? throw new IOException() : 1; });
        Assert.Equal(RunStatus.Completed, (await lab.Run(builder.Build())).Status);
        Assert.Equal(2, lab.Began.Count);
    });

    [Fact]
    public void A_critical_failure_is_not_resumed_by_itself() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Options(new WorkflowOptions { AutoResumeAttempts = 5 });
        builder.Step("a", _ => Task.FromResult(StepResult.Fail("gone", ErrorClass.Critical)));
        await lab.Run(builder.Build());
        Assert.Single(lab.Began);
    });

    [Fact]
    public void An_interruption_between_automatic_resumes_leaves_the_run_failed_and_resumable() => Lab.Do(async lab =>
    {
        using var interrupt = new CancellationTokenSource(TimeSpan.FromSeconds(2), lab.Time);
        var builder = Workflow.Create("w").Options(new WorkflowOptions { AutoResumeAttempts = 5 });
        builder.Fail("a", () => true);
        Assert.Equal(RunStatus.Failed, (await lab.Run(builder.Build(), interrupt: interrupt)).Status);
        Assert.Single(lab.Began);
    });

    [Fact]
    public void A_run_that_died_before_its_first_step_is_begun_by_a_resume() => Lab.Do(async lab =>
    {
        var dying = new Testing.CrashingStore(lab.Store, new Testing.CrashPoint(1, Testing.CrashMoment.After));
        await Assert.ThrowsAsync<Testing.ProcessDiedException>(() => new PawlClient(dying, lab.Options).RunAsync(Row(), start: new StartOptions { RunId = "run" }, cancellationToken: Lab.Token));
        Assert.Equal(RunStatus.Pending, (await lab.Head()).Status);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Row())).Status);
    });

    [Fact]
    public void Any_process_can_read_the_definition_a_run_was_made_with() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w").Source(new WorkflowSource("yaml", "flow.yaml", "name: w"));
        builder.Work("a");
        await lab.Run(builder.Build());
        Assert.Equal(new WorkflowSource("yaml", "flow.yaml", "name: w"), await lab.Client.DefinitionAsync("run", Lab.Token));
    });

    [Fact]
    public void What_earlier_runs_left_can_be_looked_up() => Lab.Do(async lab =>
    {
        PastStep? past = null;
        var builder = Workflow.Create("w");
        builder.Step("a", async ctx =>
        {
            past = await ctx.History.FindLastSuccessAsync("a", ctx.CancellationToken);
            return past is { } same && same.Inputs.ToString() == "\"v1\"" ? StepResult.Skip("unchanged", same.Output, unchanged: true) : StepResult.Ok(42) with { Inputs = RawJson.Parse("\"v1\"") };
        });
        var workflow = builder.Build();
        await lab.Run(workflow);
        Assert.Null(past);
        await lab.Delay(10);
        var second = await lab.Run(workflow, start: new StartOptions { RunId = "second" });
        Assert.Equal(("run", "42"), (past!.RunId, past.Output!.Value.ToString()));
        Assert.Equal((RunStatus.Completed, 42), (second.Status, second.Output<int>("a")));
    });

    [Fact]
    public void A_newer_journal_format_is_refused_by_name() => Lab.Do(async lab =>
    {
        var data = """{"format":99,"run_id":"run","workflow":"w","fingerprint":"x","steps":[]}""";
        var record = Pawl.Storage.CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = lab.Time.GetUtcNow(), Data = JsonSerializer.SerializeToUtf8Bytes(JsonDocument.Parse(data)) }, 1, more: false, "");
        await lab.Store.CreateAsync(record, RunHead.After(null, record), null, Lab.Token);
        Assert.Equal(RefusalReason.NewerFormat, await lab.Refused(Row()));
    });

    [Fact]
    public void A_finished_step_of_another_kind_is_refused_also_when_it_has_no_fingerprint() => Lab.Do(async lab =>
    {
        static Workflow With(Action<WorkflowBuilder> first, string id = "a") => Workflow.Create("w").Also(first).Also(builder => builder.Fail("b", () => id == "a")).Build();
        await lab.Run(With(builder => builder.Work("a")));
        Assert.Equal(RefusalReason.Incompatible, await lab.Refused(With(builder => builder.Sleep("a", TimeSpan.FromSeconds(1)))));
        // Another name does not make it another kind.
        var map = new Dictionary<string, string> { ["other"] = "a" };
        Assert.Equal(RefusalReason.Incompatible, await lab.Refused(With(builder => builder.Sleep("other", TimeSpan.FromSeconds(1)), "other"), new ResumeOptions { Map = map }));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(With(builder => builder.Sleep("a", TimeSpan.FromSeconds(1)), "x"), new ResumeOptions { From = "a" })).Status);
    });
}
