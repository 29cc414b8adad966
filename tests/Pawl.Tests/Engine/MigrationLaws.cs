using System.Text.Json.Nodes;
using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>A run that was begun under an earlier version goes on under a later one.</summary>
public class MigrationLaws
{
    static Workflow First() => Workflow.Create("prices").Also(builder =>
    {
        builder.Step("load", ctx => { ctx.State.Set("unit", "eur"); return Task.FromResult(10); });
        builder.Fail("save", () => true);
    }).Build();

    static Workflow Third(Action<WorkflowBuilder>? migrate = null, List<string>? undone = null, int version = 3) => Workflow.Create("prices", version).Options(new() { OnFailure = undone is null ? FailurePolicy.Stop : FailurePolicy.Compensate }).Also(builder =>
    {
        builder.Migrate(1, 2, change => change.Rename("load", "fetch"));
        builder.Migrate(2, 3, change =>
        {
            change.SetOutput("fetch", new JsonObject { ["rows"] = change.Output("fetch")?.DeepClone(), ["unit"] = change.State("unit")?.DeepClone() });
            change.SetOutput("save", 5);
            change.SetState("unit", null);
            change.SetState("currency", "EUR");
        });
        migrate?.Invoke(builder);
        builder.Step("fetch", _ => Task.FromResult(new Fetched(1, "none")), step => step.Compensate(ctx => { undone?.Add(ctx.Path); return Task.CompletedTask; }));
        builder.Step("save", ctx => undone is not null ? throw new StepException("broken", ErrorClass.Permanent) : Task.FromResult($"{ctx.Output<Fetched>("fetch")} {ctx.State.Get<string>("unit")} {ctx.State.Get<string>("currency")}"));
    }).Build();

    sealed record Fetched(int Rows, string Unit);

    [Fact]
    public void Outputs_names_and_state_are_brought_to_the_new_version_and_nothing_finished_runs_again() => Lab.Do(async lab =>
    {
        await lab.Run(First());
        var plan = await lab.Client.PlanAsync(Third(), "run", null, Lab.Token);
        Assert.Empty(plan.Refusals);
        Assert.Equal("recorded as checkpoint 3, migrated from version 1 to 3", plan.Steps[0].Reason);
        lab.Began.Clear();
        var result = (await lab.Resume(Third())).EnsureCompleted();
        Assert.Equal(["save"], lab.Began);
        Assert.Equal("Fetched { Rows = 10, Unit = eur }  EUR", result.Output<string>("save"));
        Assert.Equal(plan.Saves, result.Saved);
        Assert.Empty(await lab.Client.VerifyAsync("run", Lab.Token));
        Assert.Equal((2, 2), ((await lab.Head()).Done, (await lab.Head()).Total));
    });

    [Fact]
    public void A_run_is_migrated_once_whenever_its_process_dies() => Lab.Do(async lab =>
    {
        for (var write = 1; write < 8; write++)
        {
            var store = new MemoryStore(lab.Time);
            await new Lab(store, lab.Time).Run(First());
            var dying = new CrashingStore(store, new CrashPoint(write, CrashMoment.After));
            try { await new Lab(dying, lab.Time).Resume(Third()); }
            catch (Exception error) when (error is ProcessDiedException or PawlException) { }
            var alive = new Lab(store, lab.Time);
            if ((await alive.Head()).Status != RunStatus.Completed) await alive.Resume(Third());
            Assert.Equal("Fetched { Rows = 10, Unit = eur }  EUR", PawlJson.Decode<string>((await alive.Client.SnapshotAsync("run", null, Lab.Token)).Outputs["save"].Utf8, PawlJson.Default));
            Assert.Single(await alive.Records("fetch"));
        }
    });

    [Fact]
    public void A_run_that_was_migrated_is_left_alone_by_workers_of_the_old_version_and_taken_by_those_of_the_new_one() => Lab.Do(async lab =>
    {
        var (old, now) = (Waiting(1), Waiting(2));
        await using (var hand = new Hand(lab, old))
        {
            await lab.Client.EnqueueAsync(old, null, null, new StartOptions { RunId = "run" }, Lab.Token);
            await lab.Delay(5);
        }
        await lab.Client.SignalAsync("run", "first", cancellationToken: Lab.Token);
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(now)).Status);
        Assert.Equal(2, (await lab.Head()).Version);
        await lab.Client.SignalAsync("run", "second", cancellationToken: Lab.Token);
        await using var late = new Hand(lab, old);
        await lab.Delay(60);
        Assert.Equal(RunStatus.Waiting, (await lab.Head()).Status);
        await using var right = new Hand(lab, now);
        Assert.Equal(RunStatus.Completed, (await lab.Ended()).Status);

        static Workflow Waiting(int version)
        {
            var builder = Workflow.Create("w", version);
            builder.Step("first", ctx => ctx.WaitForSignalAsync("first"));
            builder.Step("second", ctx => ctx.WaitForSignalAsync("second"));
            if (version > 1) builder.Migrate(1, 2, _ => { });
            return builder.Build();
        }
    });

    [Fact]
    public void A_migrated_step_is_undone_once_and_under_its_new_name() => Lab.Do(async lab =>
    {
        await lab.Run(First());
        var undone = new List<string>();
        await lab.Resume(Third(undone: undone));
        Assert.Equal(["fetch"], undone);
    });

    [Fact]
    public void A_gap_in_the_chain_and_a_migration_that_fails_are_refused_and_change_nothing() => Lab.Do(async lab =>
    {
        await lab.Run(First());
        var before = await lab.Journal();
        Assert.Equal(RefusalReason.Incompatible, await lab.Refused(Third(version: 4)));
        var failing = Third(builder => builder.Migrate(3, 4, change => _ = change.Output("fetch")!["rows"]!["deep"]!.GetValue<string>()), version: 4);
        Assert.Equal(RefusalReason.Incompatible, await lab.Refused(failing));
        Assert.Equal(before.Count, (await lab.Journal()).Count);
    });

    [Fact]
    public void A_migration_that_leads_back_or_beyond_is_no_valid_definition()
    {
        Assert.Throws<InvalidDefinitionException>(() => Third(builder => builder.Migrate(3, 9, _ => { })));
        Assert.Throws<InvalidDefinitionException>(() => Third(builder => builder.Migrate(1, 3, _ => { })));
    }
}
