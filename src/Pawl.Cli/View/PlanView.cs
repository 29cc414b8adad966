namespace Pawl.Cli.View;

/// <summary>What a resume will do, for people and for programs.</summary>
static class PlanView
{
    const int MostNamed = 12;

    public static int Show(Cli cli, ResumePlan plan, string? wayOn)
    {
        Summarize(cli, plan);
        var table = new Table("DECISION", "STEP", "SAVES", "REASON");
        foreach (var step in plan.Steps) table.Add(null, Words.Of(step.Decision), step.Path, Human.Cost(step.Saves), step.Reason);
        table.Write(cli);
        foreach (var (fact, before, now) in plan.Surroundings) cli.Say($"{cli.Ink.Faint("changed:")} {fact.Replace('_', ' ')} {Told(before)} → {Told(now)}");
        if (plan.Definition.Count > 0)
        {
            cli.Say(cli.Ink.Faint("The definition since the last pass:"));
            foreach (var line in plan.Definition) cli.Say($"  {(line is ['+', ..] ? cli.Ink.Good(line) : line is ['-', ..] ? cli.Ink.Bad(line) : line)}");
        }
        foreach (var warning in plan.Warnings) cli.Say($"{cli.Ink.Careful("warning:")} {warning}");
        foreach (var refusal in plan.Refusals) cli.Say($"{cli.Ink.Bad("refused:")} {refusal}");
        if (plan.Refusals.Count == 0 && wayOn is not null) cli.Say($"Go on with:  {wayOn}");
        WriteJson(cli, plan);
        // As the resume itself would end.
        return plan.Refusals.Count == 0 ? ExitCode.Done : ExitCode.Of(new ResumeRefusedException(plan.Refusals[0]));
    }

    static string Told(string? fact) => fact is null ? "(not told)" : Human.Line(fact, 60);

    /// <summary>One to three lines: what is reused, what runs.</summary>
    public static void Summarize(Cli cli, ResumePlan plan)
    {
        var (reused, jumped, left) = (Named(plan, StepDecision.Reuse), Named(plan, StepDecision.Skip), Named(plan, StepDecision.LeftOut));
        List<string> run = [.. plan.Steps.Where(step => step.Decision is StepDecision.Run or StepDecision.Rerun).Select(step => step.Decision == StepDecision.Rerun ? $"{step.Path} (again)" : step.Path)];
        cli.Say($"{plan.Head.RunId} ({HeadView.State(plan.Head)}, {plan.Head.Done} of {plan.Head.Total} done)");
        if (reused.Count > 0) cli.Say($"  reused: {List(reused)}{(Human.Cost(plan.Saves) is { Length: > 0 } saves ? $"  (saves {saves})" : "")}");
        cli.Say($"  runs:   {(run.Count == 0 ? "nothing" : List(run))}{(jumped.Count > 0 ? $"; jumps over {List(jumped)}" : "")}{(left.Count > 0 ? $"; leaves out {List(left)}" : "")}");
    }

    static List<string> Named(ResumePlan plan, StepDecision decision) => [.. plan.Steps.Where(step => step.Decision == decision).Select(step => step.Path)];

    static string List(List<string> names) => names.Count <= MostNamed ? string.Join(", ", names) : $"{string.Join(", ", names.Take(MostNamed))} and {names.Count - MostNamed} more";

    static void WriteJson(Cli cli, ResumePlan plan) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("run_id", plan.Head.RunId);
        w.WriteString("workflow", plan.Head.Workflow);
        w.WriteString("status", Words.Of(plan.Head.Status));
        w.WriteBoolean("refused", plan.Refusals.Count > 0);
        w.WriteStartArray("steps");
        foreach (var step in plan.Steps)
        {
            w.WriteStartObject();
            w.WriteString("step", step.Path);
            w.WriteString("decision", Words.Of(step.Decision));
            w.WriteString("reason", step.Reason);
            HeadView.Write(w, "saves", step.Saves);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        HeadView.Write(w, "saves", plan.Saves);
        w.WriteStartArray("surroundings");
        foreach (var (fact, before, now) in plan.Surroundings)
        {
            w.WriteStartObject();
            w.WriteString("fact", fact);
            w.WriteString("before", before);
            w.WriteString("now", now);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        HeadView.List(w, "definition_diff", plan.Definition);
        HeadView.List(w, "warnings", plan.Warnings);
        w.WriteStartArray("refusals");
        foreach (var refusal in plan.Refusals)
        {
            w.WriteStartObject();
            w.WriteString("reason", Words.Of(refusal.Reason));
            w.WriteString("message", refusal.Message);
            w.WriteString("hint", refusal.Hint);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteEndObject();
    });
}
