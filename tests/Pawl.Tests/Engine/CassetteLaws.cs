namespace Pawl.Tests.Engine;

/// <summary>What was recorded once is played instead of done again.</summary>
public class CassetteLaws
{
    static Workflow Research(List<string> asked, string extra = "")
    {
        var builder = Workflow.Create("research");
        builder.Step("plan", ctx => { ctx.State.Set("topic", "ratchets"); return Ask("plan"); }, step => step.OnUnknown(UnknownOutcome.Skip));
        builder.Group("sources", group =>
        {
            group.Step("web", _ => Ask("web"));
            group.Step("library", async ctx => await ctx.StepAsync("shelf", () => Ask("shelf")) + "!");
        });
        builder.Step("gate", async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Publish?"))).IsApproved);
        builder.ForEach("each", _ => new[] { "a", "b" }, key => key, (_, item) => Ask($"each {item}"));
        if (extra.Length > 0) builder.Step(extra, _ => Ask(extra));
        builder.Step("report", ctx => $"{ctx.State.Get<string>("topic")}: {ctx.Output<string>("plan")}, {ctx.Output<string>("sources/web")}, {ctx.Output<string>("sources/library")}, {string.Join('+', ctx.Output<List<string>>("each"))}");
        return builder.Build();

        Task<string> Ask(string what)
        {
            asked.Add(what);
            return Task.FromResult($"{what} {asked.Count}");
        }
    }

    static async Task<string> RecordAsync(Lab lab)
    {
        var asked = new List<string>();
        await lab.Run(Research(asked));
        await lab.Client.ApproveAsync("run", "gate", cancellationToken: Lab.Token);
        var result = (await lab.Resume(Research(asked))).EnsureCompleted();
        Assert.Equal(5, asked.Count);
        return result.Output<string>("report");
    }

    [Fact]
    public void A_run_is_played_from_another_at_no_cost_and_without_waiting() => Lab.Do(async lab =>
    {
        var report = await RecordAsync(lab);
        var asked = new List<string>();
        var cassette = await Cassette.OfAsync(lab.Client, "run", strict: true, cancellationToken: Lab.Token);
        var result = (await lab.Run(Research(asked), start: new StartOptions { RunId = "played", Cassette = cassette })).EnsureCompleted();
        Assert.Empty(asked);
        Assert.Equal(report, result.Output<string>("report"));
        Assert.StartsWith("played from run@", result.Steps.Single(step => step.Path == "sources/web").Reason, StringComparison.Ordinal);
    });

    [Fact]
    public void What_a_played_result_once_took_is_saved_and_not_spent() => Lab.Do(async lab =>
    {
        var workflow = Workflow.Create("w").Also(builder => builder.Step("ask", _ => Task.FromResult(StepResult.Ok(1) with { Metrics = new Dictionary<string, double> { ["cost_usd"] = 2, ["tokens"] = 30 } }))).Build();
        await lab.Run(workflow);
        await lab.Run(workflow, start: new StartOptions { RunId = "played", Cassette = await Cassette.OfAsync(lab.Client, "run", cancellationToken: Lab.Token) });
        var costs = await lab.Client.CostsAsync("played", Lab.Token);
        Assert.Equal((0m, 2m, 30), (costs.Spent.CostUsd, costs.Saved.CostUsd, costs.Saved.Tokens));
    });

    [Fact]
    public void What_is_not_on_it_runs_or_played_strictly_fails() => Lab.Do(async lab =>
    {
        await RecordAsync(lab);
        var asked = new List<string>();
        (await lab.Run(Research(asked, "extra"), start: new StartOptions { RunId = "through", Cassette = await Cassette.OfAsync(lab.Client, "run", cancellationToken: Lab.Token) })).EnsureCompleted();
        Assert.Equal(["extra"], asked);
        asked.Clear();
        var strict = await lab.Run(Research(asked, "extra"), start: new StartOptions { RunId = "strict", Cassette = await Cassette.OfAsync(lab.Client, "run", strict: true, cancellationToken: Lab.Token) });
        Assert.Equal((RunStatus.Failed, "extra", 0), (strict.Status, strict.ErrorStep, asked.Count));
    });

    [Fact]
    public void Only_the_kinds_and_steps_that_are_named_are_played() => Lab.Do(async lab =>
    {
        await RecordAsync(lab);
        var asked = new List<string>();
        var cassette = await Cassette.OfAsync(lab.Client, "run", ["foreach", "sources"], strict: true, Lab.Token);
        await lab.Run(Research(asked), start: new StartOptions { RunId = "some", Cassette = cassette });
        Assert.Equal(["plan"], asked);
    });
}
