using System.Text;
using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>What a run took, what resumes and skips saved, and the budget that stops a run in a resumable way.</summary>
public class CostLaws
{
    static readonly Dictionary<string, ModelPrice> Prices = new() { ["m"] = new ModelPrice(InputUsd: 2, OutputUsd: 10) };

    static StepResult Asked(double calls = 1, double input = 1000, double output = 100)
    {
        const string answer = "done";
        // #region metrics
        return StepResult.Ok(answer) with
        {
            Metrics = new Dictionary<string, double> { ["calls"] = calls, ["input_tokens"] = input, ["output_tokens"] = output },
            Info = RawJson.Parse("""{ "model": "m" }"""),
        };
        // #endregion
    }

    static StepResult Paid(double usd, double tokens = 0) => StepResult.Ok() with { Metrics = new Dictionary<string, double> { ["cost_usd"] = usd, ["tokens"] = tokens } };

    [Fact]
    public void Limits_and_prices_stand_in_the_options()
    {
        // #region options
        var options = new WorkflowOptions
        {
            Budget = new Budget { CostUsd = 5, Tokens = 200_000, Duration = TimeSpan.FromHours(2) },
            Prices = new Dictionary<string, ModelPrice> { ["small-model"] = new(InputUsd: 0.25m, OutputUsd: 2) },
        };
        // #endregion
        var workflow = Workflow.Create("w").Options(options).Also(builder => builder.Step("a", _ => Task.FromResult(Paid(0, tokens: 200_001)))).Also(builder => builder.Work("b")).Build();
        Assert.Equal(RunStatus.Paused, Lab.Do(lab => lab.Run(workflow)).Status);
    }

    /// <summary>Steps in a row, each of which takes a minute and costs 2 USD and 100 tokens.</summary>
    static Workflow Row(Budget? budget, int steps = 5, string? fails = null, FailurePolicy policy = FailurePolicy.Stop)
    {
        var builder = Workflow.Create("row").Options(new WorkflowOptions { Budget = budget, OnFailure = policy });
        for (var i = 1; i <= steps; i++)
        {
            builder.Step($"s{i}", async ctx =>
            {
                await ctx.Delay(60);
                var paid = Paid(2, 100);
                return ctx.Path == fails ? StepResult.Fail("broke") with { Metrics = paid.Metrics } : paid;
            });
        }
        return builder.Build();
    }

    [Fact]
    public void Of_eight_rounds_that_fail_at_the_last_a_resume_saves_seven_and_the_ledger_says_so() => Lab.Do(async lab =>
    {
        var broken = true;
        var workflow = Workflow.Create("rounds").Options(new WorkflowOptions { Prices = Prices }).Also(builder => builder.Step("work", async ctx =>
        {
            for (var round = 1; round <= 8; round++)
            {
                var last = round == 8;
                await ctx.StepAsync($"round/{round}", async sub =>
                {
                    await sub.Delay(60);
                    var spent = Asked(2);
                    return last && broken ? StepResult.Fail("the service is away") with { Metrics = spent.Metrics, Info = spent.Info } : spent;
                });
            }
            return "all";
        })).Build();
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        broken = false;
        var plan = await lab.Client.PlanAsync(workflow, "run", cancellationToken: Lab.Token);
        var result = await lab.Resume(workflow);
        Assert.Equal(RunStatus.Completed, result.Status);

        // A round: a minute, 2 calls, 1,100 tokens, 1,000 × 2 + 100 × 10 USD for a million.
        var seven = new Cost(TimeSpan.FromMinutes(7), 14, 7700, 0.021m);
        Assert.Equal(7, result.Restored.Count());
        Assert.Equal(seven, result.Saved);
        Assert.Equal(seven, plan.Saves);
        var costs = await lab.Client.CostsAsync("run", Lab.Token);
        Assert.Equal(seven, costs.Saved);
        Assert.Equal([default, seven], costs.Passes.Select(pass => pass.Reused));
        // Eight in the first pass, the failed one among them, and the last one again.
        Assert.Equal([new Cost(TimeSpan.FromMinutes(8), 16, 8800, 0.024m), new Cost(TimeSpan.FromMinutes(1), 2, 1100, 0.003m)], costs.Passes.Select(pass => pass.Spent));
        Assert.Equal([RunStatus.Failed, RunStatus.Completed], costs.Passes.Select(pass => pass.End!.Value));
        Assert.Equal(new StepCost("work/round/8", 2, new Cost(TimeSpan.FromMinutes(2), 4, 2200, 0.006m)), costs.Steps.Single(step => step.Path == "work/round/8"));
        Assert.Equal(costs.Spent, Cost.Sum(costs.Steps.Select(step => step.Spent)));
    });

    [Fact]
    public void A_price_is_that_of_the_day_on_which_the_step_was_recorded() => Lab.Do(async lab =>
    {
        Workflow Priced(decimal input) => Workflow.Create("w").Options(new WorkflowOptions { Prices = new Dictionary<string, ModelPrice> { ["m"] = new(input, 0) } })
            .Also(builder => { builder.Step("a", _ => Task.FromResult(Asked())); builder.Fail("b", () => input == 1); }).Build();
        await lab.Run(Priced(1));
        await lab.Resume(Priced(100));
        Assert.Equal(0.001m, (await lab.Client.CostsAsync("run", Lab.Token)).Spent.CostUsd);
    });

    [Fact]
    public void What_a_step_says_itself_goes_before_the_price_table_and_an_unknown_model_costs_nothing() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Options(new WorkflowOptions { Prices = Prices }).Also(builder =>
        {
            builder.Step("said", _ => Task.FromResult(Asked() with { Metrics = new Dictionary<string, double> { ["input_tokens"] = 1e6, ["cost_usd"] = 7 } }));
            builder.Step("unknown", _ => Task.FromResult(Asked() with { Info = RawJson.Parse("""{"model":"other"}""") }));
            builder.Step("wrong", _ => Task.FromResult(StepResult.Ok() with { Metrics = new Dictionary<string, double> { ["tokens"] = -5, ["calls"] = 1e300 } }));
        }).Build();
        await lab.Run(workflow);
        Assert.Equal([new(default, 0, 1_000_000, 7), new(default, 1, 1100, 0), new(default, 0, 0, 0)], (await lab.Client.CostsAsync("run", Lab.Token)).Steps.Select(step => step.Spent));
    });

    [Fact]
    public void The_time_of_a_step_that_runs_others_counts_once() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Also(builder =>
        {
            builder.Group("side", group => { group.Step("one", ctx => ctx.Delay(30)); group.Step("two", ctx => ctx.Delay(50)); });
            builder.ForEach<int, int>("each", _ => [1, 2, 3], item => $"{item}", async (ctx, item) => { await ctx.Delay(item); return item; }, maxParallel: 1);
            builder.Step("own", async ctx => { await ctx.Delay(5); await ctx.StepAsync("sub", sub => sub.Delay(4)); });
        }).Build();
        await lab.Run(workflow);
        var costs = await lab.Client.CostsAsync("run", Lab.Token);
        Assert.Equal(30 + 50 + 6 + 9, costs.Spent.Duration.TotalSeconds, 3);
        Assert.Equal(5, costs.Steps.Single(step => step.Path == "own").Spent.Duration.TotalSeconds, 3);
        Assert.Equal(costs.Spent, Cost.Sum(costs.Steps.Select(step => step.Spent)));
    });

    [Fact]
    public void A_budget_that_is_exceeded_pauses_the_run_and_a_resume_is_refused_until_it_is_raised() => Lab.Do(async lab =>
    {
        var workflow = Row(new Budget { CostUsd = 5, Tokens = 1_000_000 });
        var paused = await lab.Run(workflow);
        Assert.Equal((RunStatus.Paused, 3), (paused.Status, lab.Began.Count));
        Assert.Equal("over budget: 6 of 5 USD. Raise it: 'budget' in the workflow file, or 'pawl resume run --budget cost_usd=12'.", paused.Error);
        Assert.Equal(paused.Error, (await lab.Head()).Error);

        Assert.Equal(RefusalReason.OverBudget, await lab.Refused(workflow));
        var plan = await lab.Client.PlanAsync(workflow, "run", cancellationToken: Lab.Token);
        Assert.Equal("Run 'run' is over its budget: 6 of 5 USD. Raise it: 'budget' in the workflow file, or 'pawl resume run --budget cost_usd=12'.", Assert.Single(plan.Refusals).ToString());
        Assert.Equal(3, lab.Began.Count);

        // By 1 USD for one step more; that limit holds from now on.
        Assert.Equal(RunStatus.Paused, (await lab.Resume(workflow, new ResumeOptions { Budget = new Budget { CostUsd = 7 } })).Status);
        Assert.Equal(4, lab.Began.Count);
        Assert.Equal(RefusalReason.OverBudget, await lab.Refused(workflow));
        // Or in the definition: but what a resume said goes before it.
        Assert.Equal(RefusalReason.OverBudget, await lab.Refused(Row(new Budget { CostUsd = 100 })));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow, new ResumeOptions { Budget = new Budget { CostUsd = 100 } })).Status);
        Assert.Equal(5, lab.Began.Count);
    });

    [Fact]
    public void A_budget_of_the_start_goes_before_the_definitions_and_stays_with_the_run() => Lab.Do(async lab =>
    {
        var workflow = Row(new Budget { CostUsd = 100 });
        Assert.Equal(RunStatus.Paused, (await lab.Run(workflow, start: new StartOptions { Budget = new Budget { CostUsd = 3 } })).Status);
        Assert.Equal(RefusalReason.OverBudget, await lab.Refused(workflow));
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow, new ResumeOptions { Budget = new Budget { CostUsd = 100 } })).Status);
    });

    [Fact]
    public void What_a_child_run_took_counts_in_its_parent_once_however_often_it_is_resumed() => Lab.Do(async lab =>
    {
        var broken = true;
        var inner = Workflow.Create("child");
        inner.Step("pay", _ => Task.FromResult(Paid(2, tokens: 30)));
        inner.Fail("then", () => broken);
        inner.Step("again", _ => Task.FromResult(Paid(1)));
        var outer = Workflow.Create("w").Options(new WorkflowOptions { Budget = new Budget { CostUsd = 2.5m } });
        outer.Child("sub", inner.Build());
        outer.Step("after", _ => 1);
        var workflow = outer.Build();
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        Assert.Equal((2m, 30), await SpentAsync());
        broken = false;
        var paused = await lab.Resume(workflow);
        Assert.Equal((3m, 30), await SpentAsync());
        Assert.StartsWith("over budget: 3 of 2.5 USD", paused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(await lab.Records("after"), record => record.Status == StepStatus.Completed);

        async Task<(decimal, long)> SpentAsync()
        {
            var spent = (await lab.Client.CostsAsync("run", Lab.Token)).Steps.Single(step => step.Path == "sub").Spent;
            return (spent.CostUsd, spent.Tokens);
        }
    });

    [Fact]
    public void A_model_without_a_price_is_told_once() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Options(new WorkflowOptions { Prices = Prices }).Also(builder =>
        {
            for (var i = 0; i < 3; i++) builder.Step($"s{i}", _ => Task.FromResult(Asked() with { Info = RawJson.Parse("""{"model":"other"}""") }));
        }).Build();
        await lab.Run(workflow);
        Assert.Contains("'other' has no price", Assert.Single(lab.Warnings), StringComparison.Ordinal);
    });

    [Fact]
    public void A_budget_raised_in_the_definition_lets_the_run_go_on() => Lab.Do(async lab =>
    {
        Assert.Equal(RunStatus.Paused, (await lab.Run(Row(new Budget { Tokens = 150 }))).Status);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(Row(new Budget { Tokens = 1500 }))).Status);
    });

    [Fact]
    public void Time_is_a_budget_and_waiting_between_passes_does_not_use_it() => Lab.Do(async lab =>
    {
        var budget = new Budget { Duration = TimeSpan.FromSeconds(150) };
        Assert.Equal(RunStatus.Failed, (await lab.Run(Row(budget, fails: "s2"))).Status);
        await lab.Delay(3600);
        var paused = await lab.Resume(Row(budget));
        Assert.Equal(RunStatus.Paused, paused.Status);
        Assert.StartsWith("over budget: 00:03:00 of 00:02:30 of work.", paused.Error, StringComparison.Ordinal);
        Assert.Contains("--budget duration=6m'", paused.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void Failed_attempts_and_earlier_passes_count() => Lab.Do(async lab =>
    {
        var budget = new Budget { CostUsd = 5 };
        Assert.Equal(RunStatus.Failed, (await lab.Run(Row(budget, fails: "s2"))).Status);
        Assert.Equal(RunStatus.Paused, (await lab.Resume(Row(budget))).Status);
        Assert.Equal(["s1", "s2", "s2"], lab.Began);
    });

    [Fact]
    public void No_retry_begins_past_the_budget() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Options(new WorkflowOptions { Budget = new Budget { CostUsd = 3 } }).Also(builder => builder.Step("a",
            _ => Task.FromResult(StepResult.Fail("away", ErrorClass.Transient) with { Metrics = Paid(2).Metrics }), s => s.Retry(10))).Build();
        Assert.Equal(RunStatus.Paused, (await lab.Run(workflow)).Status);
        Assert.Equal(2, lab.Began.Count);
    });

    [Fact]
    public void Steps_that_run_beside_the_one_that_exceeds_it_finish() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Options(new WorkflowOptions { Budget = new Budget { CostUsd = 1 } }).Also(builder =>
        {
            builder.Step("dear", async ctx => { await ctx.Delay(1); return Paid(2); }, s => s.Needs());
            builder.Step("slow", async ctx => { await ctx.Delay(60); return StepResult.Ok("kept"); }, s => s.Needs());
            builder.Work("never", configure: s => s.Needs("dear"));
        }).Build();
        var paused = await lab.Run(workflow);
        Assert.Equal(RunStatus.Paused, paused.Status);
        Assert.Equal("kept", paused.Output<string>("slow"));
        Assert.DoesNotContain("never", lab.Began);
    });

    [Fact]
    public void A_run_that_is_done_is_done_whatever_it_took() => Lab.Do(async lab =>
        Assert.Equal(RunStatus.Completed, (await lab.Run(Row(new Budget { CostUsd = 5 }, steps: 3))).Status));

    [Fact]
    public void Exactly_the_budget_is_not_more_than_it() => Lab.Do(async lab =>
        Assert.Equal(4, (await lab.Run(Row(new Budget { CostUsd = 6 }))).Executed.Count()));

    [Fact]
    public void A_run_that_was_woken_saved_nothing() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Also(builder =>
        {
            builder.Work("before", 60);
            builder.Step("ask", async ctx => { await ctx.WaitForSignalAsync("go"); });
        }).Build();
        Assert.Equal(RunStatus.Waiting, (await lab.Run(workflow)).Status);
        await lab.Client.SignalAsync("run", "go", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Completed, (await lab.Resume(workflow)).Status);
        Assert.Equal(default, (await lab.Client.CostsAsync("run", Lab.Token)).Saved);
    });

    [Fact]
    public void What_the_parent_of_a_fork_spent_is_not_the_forks_but_was_saved_by_it_once() => Lab.Do(async lab =>
    {
        var workflow = Row(new Budget { CostUsd = 5 }, steps: 4, fails: "s3");
        await lab.Run(workflow);
        var parent = (await lab.Journal()).TakeWhile(record => record.Path != "s3").ToList();
        // As a fork begins: its parent's records, then a pass that sets an output and is paused.
        List<Checkpoint> drafts =
        [
            parent[0] with { Data = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(parent[0].Data.Span).Replace("\"run_id\":\"run\"", "\"run_id\":\"fork\"", StringComparison.Ordinal)) },
            .. parent.Skip(1).Select(record => record with { Token = 0 }),
            new() { Kind = CheckpointKind.Paused, At = lab.Time.GetUtcNow() },
            new() { Kind = CheckpointKind.Resumed, At = lab.Time.GetUtcNow(), Reason = "forked" },
            new() { Kind = CheckpointKind.Step, At = lab.Time.GetUtcNow(), Path = "s2", Status = StepStatus.Completed, Attempt = 1, Duration = TimeSpan.FromSeconds(60), Metrics = Encoding.UTF8.GetBytes("""{"cost_usd":2}""") },
            new() { Kind = CheckpointKind.Paused, At = lab.Time.GetUtcNow() },
        ];
        RunHead? head = null;
        var records = new List<Checkpoint>();
        foreach (var draft in drafts)
        {
            records.Add(CheckpointCodec.Encode(draft, records.Count + 1, more: false, head?.Hash ?? ""));
            head = RunHead.After(head, records[^1]);
        }
        var lease = (await lab.Store.CreateAsync(records[0], RunHead.After(null, records[0]), new RunOwner(1, "host", lab.Time.GetUtcNow()), Lab.Token)).Lease!;
        await lab.Store.CommitAsync(new Commit(lease, records[1..], [], head), Lab.Token);
        await lab.Store.ReleaseAsync(lease, Lab.Token);

        var saved = new Cost(TimeSpan.FromMinutes(2), 0, 100, 4);
        Assert.Equal((default, saved), (await lab.Client.CostsAsync("fork", Lab.Token)) is var made ? (made.Spent, made.Saved) : default);
        var result = await lab.Resume(Row(new Budget { CostUsd = 5 }, steps: 4), runId: "fork");
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(saved, result.Saved);
        var costs = await lab.Client.CostsAsync("fork", Lab.Token);
        Assert.Equal((4m, saved), (costs.Spent.CostUsd, costs.Saved));
        Assert.Equal(["s3", "s4"], costs.Steps.Select(step => step.Path));
    });

    [Fact]
    public void A_crash_forgets_nothing_of_what_was_spent() => Lab.Do(async lab =>
    {
        var workflow = Row(new Budget { CostUsd = 5 });
        for (var write = 2; ; write++)
        {
            var (inner, run) = (new MemoryStore(lab.Time), $"run-{write}");
            await using var dying = new CrashingStore(inner, new CrashPoint(write, CrashMoment.After));
            try { await new PawlClient(dying, lab.Options).RunAsync(workflow, start: new StartOptions { RunId = run }, cancellationToken: Lab.Token); }
            catch (ProcessDiedException) { }
            if (!dying.IsDead) break;
            var client = new PawlClient(inner, lab.Options);
            try { await client.ResumeAsync(workflow, run, cancellationToken: Lab.Token); }
            catch (ResumeRefusedException refused) { Assert.Equal(RefusalReason.OverBudget, refused.Refusal.Reason); }
            // 2 USD a step: never a fourth one, and what the ledger says is what the journal holds.
            var costs = await client.CostsAsync(run, Lab.Token);
            Assert.Equal((6m, 3), (costs.Spent.CostUsd, costs.Steps.Count));
        }
    });

    [Fact]
    public void The_plan_the_result_and_the_ledger_agree_about_what_a_resume_saves()
    {
        var saving = 0;
        Parallel.For(0, 400, seed =>
        {
            // What a marked or a late write had not kept yet is not there to be saved.
            var random = new RandomWorkflow(seed) { Options = new WorkflowOptions { OnFailure = FailurePolicy.Continue, Concurrency = 1 + seed % 3 } };
            Lab.Do(async lab =>
            {
                await using (var dying = new CrashingStore(lab.Store, new CrashPoint(3 + seed % 7, CrashMoment.Before)))
                {
                    try { await new PawlClient(dying, lab.Options).RunAsync(random.Build(), start: new StartOptions { RunId = "run" }, cancellationToken: Lab.Token); }
                    catch (ProcessDiedException) { }
                }
                if (await lab.Client.FindAsync("run", Lab.Token) is not { Status: not RunStatus.Completed }) return;
                var workflow = random.Build();
                var plan = await lab.Client.PlanAsync(workflow, "run", cancellationToken: Lab.Token);
                var result = await lab.Resume(workflow);
                var costs = await lab.Client.CostsAsync("run", Lab.Token);
                Assert.True(plan.Saves == result.Saved, $"seed {seed}: the plan says {plan.Saves}, the resume saved {result.Saved}");
                Assert.True(costs.Saved == result.Saved, $"seed {seed}: the ledger says {costs.Saved}, the resume saved {result.Saved}");
                Assert.Equal(costs.Spent, Cost.Sum(costs.Steps.Select(step => step.Spent)));
                if (result.Saved != default) Interlocked.Increment(ref saving);
            });
        });
        Assert.True(saving > 100, $"{saving} resumes saved something");
    }
}
