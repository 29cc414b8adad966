namespace Pawl.Tests.Cli;

/// <summary><c>pawl costs</c>, and the budget of a workflow file.</summary>
public sealed class CostCommandLaws
{
    const string Paid = """
        name: paid
        budget: { tokens: 2000 }
        prices: { m: { input: 1, output: 10 } }
        steps:
          - id: a
            run: printf '%s\n' model=m calls=1 input_tokens=1000 output_tokens=100 >> "$PAWL_METRICS"
          - id: b
            run: |
              printf '%s\n' model=m calls=2 input_tokens=1000 output_tokens=100 >> "$PAWL_METRICS"
          - id: c
            run: test -f ok
        """;

    [Fact]
    public async Task A_run_over_its_budget_stops_with_the_mend_and_the_mend_works()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", Paid);
        lab.Write("ok", "");
        var stopped = await lab.RunAsync("run", "--run-id", "r");
        Assert.Equal(4, stopped.Code);
        Assert.Contains("r is paused: over budget: 2200 of 2000 tokens. Raise it: 'budget' in the workflow file, or 'pawl resume r --budget tokens=4400'.", stopped.Out, StringComparison.Ordinal);

        var refused = await lab.RunAsync("resume", "r", "--json");
        Assert.Equal((3, "over_budget"), (refused.Code, refused.Json.GetProperty("reason").GetString()));
        var plan = await lab.RunAsync("resume", "r", "--plan");
        Assert.Equal(3, plan.Code);
        Assert.Contains("refused: Run 'r' is over its budget: 2200 of 2000 tokens.", plan.Out, StringComparison.Ordinal);

        Assert.Equal(2, (await lab.RunAsync("resume", "r", "--budget", "dollars=3")).Code);
        var done = await lab.RunAsync("resume", "r", "--budget", "tokens=4400", "--json");
        Assert.True(done.Code == 0, done.All);
        var saved = done.Json.GetProperty("saved");
        Assert.Equal((3, 2200, 0.004m), (saved.GetProperty("calls").GetInt32(), saved.GetProperty("tokens").GetInt32(), saved.GetProperty("cost_usd").GetDecimal()));
        Assert.True(saved.GetProperty("duration_ms").GetDouble() > 0);
    }

    [Fact]
    public async Task The_ledger_of_a_run_has_steps_passes_and_what_was_saved()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", Paid.Replace("tokens: 2000", "tokens: 9000", StringComparison.Ordinal));
        await lab.RunAsync("run", "--run-id", "r");
        lab.Write("ok", "");
        var plan = (await lab.RunAsync("resume", "r", "--plan", "--json")).Json;
        Assert.Equal(2200, plan.GetProperty("saves").GetProperty("tokens").GetInt32());
        Assert.Equal([1, 2, 0], plan.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("saves").GetProperty("calls").GetInt32()));
        var resumed = await lab.RunAsync("resume", "r");
        Assert.Contains("3 calls, 2,200 tokens, $0.004)", resumed.Out, StringComparison.Ordinal);

        var costs = (await lab.RunAsync("costs", "r", "--json")).Json;
        Assert.Equal(0.004m, costs.GetProperty("spent").GetProperty("cost_usd").GetDecimal());
        Assert.Equal(2200, costs.GetProperty("saved").GetProperty("tokens").GetInt32());
        Assert.Equal(["failed", "completed"], costs.GetProperty("passes").EnumerateArray().Select(pass => pass.GetProperty("end").GetString()));
        Assert.Equal([("a", 1), ("b", 1), ("c", 2)], costs.GetProperty("steps").EnumerateArray().Select(step => (step.GetProperty("step").GetString()!, step.GetProperty("attempts").GetInt32())));
        var text = (await lab.RunAsync("costs", "r")).Out;
        Assert.Contains("Saved: ", text, StringComparison.Ordinal);
        Assert.Contains("$0.002", text, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.RunAsync("costs", "nobody")).Code);
    }

    [Fact]
    public async Task Without_a_run_each_workflow_is_summed_up_over_its_runs()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", Paid.Replace("tokens: 2000", "tokens: 9000", StringComparison.Ordinal));
        lab.Write("other.yaml", "name: other\nsteps: [{ id: x, run: 'echo cost_usd=1.5 >> $PAWL_METRICS' }]");
        lab.Write("ok", "");
        await lab.RunAsync("run", "--run-id", "r1");
        await lab.RunAsync("run", "--run-id", "r2");
        await lab.RunAsync("run", "other.yaml");
        var all = (await lab.RunAsync("costs", "--json")).Json.GetProperty("workflows").EnumerateArray().ToList();
        Assert.Equal([("other", 1, 1.5m), ("paid", 2, 0.008m)], all.Select(one => (one.GetProperty("workflow").GetString()!, one.GetProperty("runs").GetInt32(), one.GetProperty("spent").GetProperty("cost_usd").GetDecimal())));
        Assert.Contains("$1.50", (await lab.RunAsync("costs", "--workflow", "other")).Out, StringComparison.Ordinal);
        Assert.Contains("No such runs", (await lab.RunAsync("costs", "--since", "2100-01-01")).Out, StringComparison.Ordinal);
    }
}
