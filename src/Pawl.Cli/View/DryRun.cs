using Pawl.Cli.Input;

namespace Pawl.Cli.View;

/// <summary>What a run would do: waves, estimates, the chain that decides. Writes nothing, not even the store's folder.</summary>
static class DryRun
{
    public static async Task<int> ShowAsync(Cli cli, Workflow workflow, Dictionary<string, object?> parameters, StepSelection? select)
    {
        await CheckAsync(workflow, parameters, select);
        var estimates = await EstimatesAsync(cli, workflow);
        var chosen = Selection.Ids(workflow, select);
        var edges = Definitions.Edges(workflow).Where(edge => chosen?.Contains(edge.Id) != false).ToList();
        var waves = CriticalPath.Waves(edges);
        var path = CriticalPath.Of(edges, id => estimates.Of(id) ?? TimeSpan.Zero);
        var known = edges.Count(edge => estimates.Of(edge.Id) is not null);

        cli.Say($"{cli.Ink.Strong(workflow.Name)}: {Human.Count(edges.Count, "step")} would run{(chosen is null ? "" : $", {workflow.Steps.Count - edges.Count} left out")}. Nothing was run or written.");
        var table = new Table("WAVE", "STEP", "USUALLY", "AFTER", "REMARKS");
        for (var i = 0; i < waves.Count; i++)
        {
            foreach (var (id, before) in waves[i])
                table.Add(null, $"{i + 1}", id, estimates.Of(id) is { } usual ? Human.Duration(usual) : "-", string.Join(", ", before), Remarks(workflow.Find(id)!));
        }
        table.Write(cli);
        if (known > 0)
        {
            cli.Say($"Side by side about {Human.Duration(path.Length)}, one after another {Human.Duration(path.Sum)} (median of {Human.Count(estimates.Runs, "completed run")}{(known < edges.Count ? $"; {edges.Count - known} steps are not known yet" : "")}).");
            cli.Say($"Critical path: {string.Join(" → ", path.Steps)}");
        }
        cli.Json(w =>
        {
            w.WriteStartObject();
            w.WriteBoolean("dry_run", true);
            w.WriteString("workflow", workflow.Name);
            w.WriteStartArray("steps");
            foreach (var step in workflow.Steps)
            {
                w.WriteStartObject();
                w.WriteString("step", step.Id);
                w.WriteString("kind", step.Kind);
                w.WriteBoolean("selected", chosen?.Contains(step.Id) != false);
                var wave = waves.FindIndex(one => one.Any(edge => edge.Id == step.Id));
                if (wave < 0) w.WriteNull("wave");
                else w.WriteNumber("wave", wave + 1);
                HeadView.List(w, "after", step.Needs.Union(step.After));
                w.WriteBoolean("conditional", step.Condition is not null);
                w.WriteString("condition", step.ConditionText);
                if (estimates.Of(step.Id) is { } usual) w.WriteNumber("estimate_ms", Math.Round(usual.TotalMilliseconds));
                else w.WriteNull("estimate_ms");
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteNumber("runs_known", estimates.Runs);
            w.WriteNumber("sequential_ms", Math.Round(path.Sum.TotalMilliseconds));
            w.WriteNumber("critical_path_ms", Math.Round(path.Length.TotalMilliseconds));
            HeadView.List(w, "critical_path", path.Steps);
            w.WriteEndObject();
        });
        return ExitCode.Done;
    }

    static async Task<Estimates> EstimatesAsync(Cli cli, Workflow workflow)
    {
        if (cli.Store.Root is { } root && !Directory.Exists(root)) return Estimates.None;
        await using var client = await cli.Store.OpenAsync(cli.Caller);
        return await Estimates.ReadAsync(client, workflow.Name, cli.Stop);
    }

    static string Remarks(Step step)
    {
        var remarks = new List<string>();
        if (step.Kind != "shell") remarks.Add(step.Kind);
        if (step.Condition is not null) remarks.Add(step.ConditionText is { } text ? $"if {text}" : "if its condition holds");
        if (step.RunsAfterFailure) remarks.Add("also after a failure");
        if (step.Options.Retry.Attempts > 1) remarks.Add($"up to {step.Options.Retry.Attempts} attempts");
        if (step.Options.Timeout is { } limit) remarks.Add($"at most {Human.Duration(limit)} each");
        if (step.Options.ContinueOnError) remarks.Add("a failure is tolerated");
        return string.Join("; ", remarks);
    }

    /// <summary>As a run would be refused, in a store that goes with this call; what is missing, such as a secret, may be there when the run is made.</summary>
    static async Task CheckAsync(Workflow workflow, Dictionary<string, object?> parameters, StepSelection? select)
    {
        await using var draft = PawlClient.Open("memory:");
        try { await draft.EnqueueAsync(workflow, parameters, start: new StartOptions { Select = select }); }
        catch (InvalidDefinitionException wrong) when (wrong.Params.Count > 0 && !wrong.Params.Keys.Any(parameters.ContainsKey)) { }
    }
}
