using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>A step that began and has no result may or may not have had its effect: its author says what then.</summary>
public class UnknownLaws
{
    /// <summary>What outlives the process: charges that were made, and the store.</summary>
    sealed class World(Lab lab)
    {
        readonly MemoryStore _store = new(lab.Time);

        public List<string> Charges { get; } = [];

        public WorkflowOptions Options { get; init; } = new();

        Workflow Payment(UnknownOutcome? outcome, CrashingStore? dying) => Workflow.Create("pay").Options(Options)
            .Also(builder =>
            {
                builder.Step("order", _ => Task.FromResult(100));
                builder.Step("charge", async ctx =>
                {
                    Charges.Add(ctx.IdempotencyKey);
                    // The money is gone; nothing says so.
                    if (dying is not null) await dying.KillAsync();
                    return $"charge {Charges.Count}";
                }, step => { if (outcome is not null) step.OnUnknown(outcome); });
                builder.Step("mail", ctx => Task.FromResult(ctx.TryOutput("charge")?.ToString() ?? "nothing"));
            }).Build();

        public async Task DieBehindTheChargeAsync(UnknownOutcome? outcome, bool resume = false)
        {
            var dying = new CrashingStore(_store);
            var dead = new Lab(dying, lab.Time);
            try
            {
                if (resume) await dead.Resume(Payment(outcome, dying));
                else await dead.Run(Payment(outcome, dying));
            }
            catch (ProcessDiedException) { }
            Assert.True(dying.IsDead);
        }

        public Lab Alive => new(_store, lab.Time);

        public Task<RunResult> ResumeAsync(UnknownOutcome? outcome) => Alive.Resume(Payment(outcome, null));

        public Task<ResumePlan> PlanAsync(UnknownOutcome? outcome) => Alive.Client.PlanAsync(Payment(outcome, null), "run", null, Lab.Token);
    }

    [Fact]
    public void Without_a_word_about_it_the_step_runs_again_and_nothing_was_written_when_it_began() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        await world.DieBehindTheChargeAsync(null);
        Assert.DoesNotContain(await world.Alive.Journal(), record => record.Path?.StartsWith("charge", StringComparison.Ordinal) == true);
        (await world.ResumeAsync(null)).EnsureCompleted();
        Assert.Equal(["run/charge", "run/charge"], world.Charges);
    });

    [Fact]
    public void A_probe_that_finds_the_work_done_gives_its_result_and_nothing_is_done_twice() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        var probe = UnknownOutcome.Probe(ctx => Task.FromResult(world.Charges.Contains(ctx.IdempotencyKey) ? StepResult.Ok("found") : null));
        await world.DieBehindTheChargeAsync(probe);
        var result = (await world.ResumeAsync(probe)).EnsureCompleted();
        Assert.Equal(("run/charge", "found", "\"found\""), (Assert.Single(world.Charges), result.Output<string>("charge"), result.Output<string>("mail")));
        Assert.Contains("the probe says that its work was done", result.Steps.Single(step => step.Path == "charge").Reason, StringComparison.Ordinal);
    });

    [Fact]
    public void A_probe_that_finds_nothing_lets_the_step_run() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        var probe = UnknownOutcome.Probe(_ => Task.FromResult<StepResult?>(null));
        await world.DieBehindTheChargeAsync(probe);
        Assert.Equal("charge 2", (await world.ResumeAsync(probe)).EnsureCompleted().Output<string>("charge"));
    });

    [Fact]
    public void A_step_that_was_never_begun_is_not_probed() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        var asked = 0;
        var probe = UnknownOutcome.Probe(_ => { asked++; return Task.FromResult<StepResult?>(null); });
        await Assert.ThrowsAsync<RunNotFoundException>(() => world.ResumeAsync(probe));
        (await world.Alive.Run(Workflow.Create("pay").Also(builder => builder.Step("charge", _ => Task.FromResult(1), step => step.OnUnknown(probe))).Build())).EnsureCompleted();
        Assert.Equal(0, asked);
    });

    [Fact]
    public void Skip_counts_the_work_as_done() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        await world.DieBehindTheChargeAsync(UnknownOutcome.Skip);
        var result = (await world.ResumeAsync(UnknownOutcome.Skip)).EnsureCompleted();
        Assert.Equal((1, "nothing"), (world.Charges.Count, result.Output<string>("mail")));
    });

    [Fact]
    public void Fail_stops_the_run_until_a_person_has_found_out() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        await world.DieBehindTheChargeAsync(UnknownOutcome.Fail);
        var result = await world.ResumeAsync(UnknownOutcome.Fail);
        Assert.Equal((RunStatus.Failed, "charge", 1), (result.Status, result.ErrorStep, world.Charges.Count));
        Assert.Contains("nobody knows", result.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void Ask_makes_the_run_wait_for_a_person_and_approved_the_work_counts_as_done() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        await world.DieBehindTheChargeAsync(UnknownOutcome.Ask);
        var waiting = await world.ResumeAsync(UnknownOutcome.Ask);
        Assert.Equal((RunStatus.Waiting, "charge/(unknown)/1.1"), (waiting.Status, Assert.Single(waiting.Waits).Path));
        Assert.Contains("was cut off", waiting.Waits[0].Message, StringComparison.Ordinal);
        await world.Alive.Client.ApproveAsync("run", "charge", "ann", "I looked", "from ann", Lab.Token);
        var result = (await world.ResumeAsync(UnknownOutcome.Ask)).EnsureCompleted();
        Assert.Equal((1, "from ann"), (world.Charges.Count, result.Output<string>("charge")));
        Assert.Contains("ann says that its work was done", result.Steps.Single(step => step.Path == "charge").Reason, StringComparison.Ordinal);
    });

    [Fact]
    public void Ask_asks_again_when_the_step_that_was_let_run_is_cut_off_too() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        await world.DieBehindTheChargeAsync(UnknownOutcome.Ask);
        Assert.Equal(RunStatus.Waiting, (await world.ResumeAsync(UnknownOutcome.Ask)).Status);
        await world.Alive.Client.RejectAsync("run", "charge", "ann", "it was not", Lab.Token);
        await world.DieBehindTheChargeAsync(UnknownOutcome.Ask, resume: true);
        Assert.Equal(2, world.Charges.Count);
        var waiting = await world.ResumeAsync(UnknownOutcome.Ask);
        Assert.Equal((RunStatus.Waiting, "charge/(unknown)/1.2", 2), (waiting.Status, Assert.Single(waiting.Waits).Path, world.Charges.Count));
        await world.Alive.Client.ApproveAsync("run", "charge", "ann", cancellationToken: Lab.Token);
        (await world.ResumeAsync(UnknownOutcome.Ask)).EnsureCompleted();
        Assert.Equal(2, world.Charges.Count);
    });

    [Theory]
    [InlineData(Durability.Async)]
    [InlineData(Durability.Exit)]
    public void The_beginning_is_durable_whatever_the_runs_mode(Durability durability) => Lab.Do(async lab =>
    {
        var world = new World(lab) { Options = new WorkflowOptions { Durability = durability } };
        await world.DieBehindTheChargeAsync(UnknownOutcome.Skip);
        (await world.ResumeAsync(UnknownOutcome.Skip)).EnsureCompleted();
        Assert.Single(world.Charges);
    });

    [Fact]
    public void An_attempt_that_was_stopped_or_ran_out_of_time_is_unknown_too() => Lab.Do(async lab =>
    {
        var probes = new List<int>();
        var probe = UnknownOutcome.Probe(ctx => { probes.Add(ctx.Attempt); return Task.FromResult<StepResult?>(null); });
        var workflow = Workflow.Create("w").Also(builder => builder.Step("slow", async ctx => { await ctx.Delay(ctx.Attempt < 3 ? 100 : 1); return ctx.Attempt; },
            step => step.Options(new StepOptions { OnUnknown = probe, Timeout = TimeSpan.FromSeconds(10), Retry = new RetryPolicy { Attempts = 2 } }))).Build();
        using var interrupt = new CancellationTokenSource();
        var run = lab.Run(workflow, interrupt: interrupt);
        await lab.Delay(5);
        interrupt.Cancel();
        Assert.Equal(RunStatus.Paused, (await run).Status);
        Assert.Equal(3, (await lab.Resume(workflow)).EnsureCompleted().Output<int>("slow"));
        Assert.Equal([2, 3], probes);
    });

    [Fact]
    public void The_plan_says_that_an_outcome_is_unknown_and_what_happens_then() => Lab.Do(async lab =>
    {
        var world = new World(lab);
        await world.DieBehindTheChargeAsync(UnknownOutcome.Ask);
        var plan = await world.PlanAsync(UnknownOutcome.Ask);
        Assert.Equal(["order: Reuse", "charge: Run", "mail: Run"], plan.Steps.Select(step => $"{step.Path}: {step.Decision}"));
        Assert.Contains("cut off", plan.Steps[1].Reason, StringComparison.Ordinal);
        Assert.Contains("on_unknown: ask", plan.Steps[1].Reason, StringComparison.Ordinal);
    });
}
