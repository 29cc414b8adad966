using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Cli.View;

/// <summary>How two runs differ, for people and for programs.</summary>
static class DiffView
{
    const int MostValues = 20;
    const int Shortened = 100;

    public static void Show(Cli cli, RunDiff diff, bool all)
    {
        cli.Say(cli.Ink.Bad($"--- {Title(diff.Left)}"));
        cli.Say(cli.Ink.Good($"+++ {Title(diff.Right)}"));
        if (diff.First is { } first)
        {
            cli.Say();
            cli.Say($"{cli.Ink.Strong("They first diverge at")} {cli.Ink.Strong(first.Path)}: {string.Join(", ", first.What)}");
            foreach (var cause in first.Causes) cli.Say($"  because  {Human.Line(cause, 400)}");
        }
        // What a step has no output for is told by its status.
        var both = diff.Steps.Where(step => all || (step.Left?.Status == StepStatus.Completed && step.Right?.Status == StepStatus.Completed)).ToList();
        Values(cli, "params", diff.Params, all, "not given");
        Values(cli, "outputs", [.. both.SelectMany(step => Below("outputs", step.Path, step.Output))], all);
        Values(cli, "inputs", [.. both.SelectMany(step => Below("inputs", step.Path, step.Inputs))], all);
        Values(cli, "state", diff.State, all);
        Values(cli, "surroundings", diff.Environment, all);
        Steps(cli, diff, all);
        if (diff.Definition.Count > 0)
        {
            cli.Say();
            cli.Say(cli.Ink.Strong("definition"));
            foreach (var line in diff.Definition) cli.Say(Paint(cli, Human.Line(line)));
        }
        cli.Say();
        if (diff.IsEqual) cli.Say(cli.Ink.Good($"Equal in {Human.Count(diff.Steps.Count, "step")}, but for times."));
        cli.Say($"took {Human.Cost(diff.LeftCost)} → {Human.Cost(diff.RightCost)}");
        WriteJson(cli, diff, all);
    }

    static string Title(RunHead head) => $"{head.RunId}@{head.Seq}  {Words.Of(head.Status)}, {head.Done} of {head.Total} done";

    static void Values(Cli cli, string name, IReadOnlyList<ValueDiff> values, bool all, string none = "none")
    {
        if (values.Count == 0) return;
        cli.Say();
        cli.Say(cli.Ink.Strong(name));
        foreach (var value in all ? values : values.Take(MostValues))
            cli.Say($"  {Human.Line(value.Path)}: {cli.Ink.Bad(Text(value.Left))} → {cli.Ink.Good(Text(value.Right))}");
        if (!all && values.Count > MostValues) cli.Say(cli.Ink.Faint($"  and {values.Count - MostValues} more differences; --all shows them"));

        string Text(RawJson? value) => value is { } json ? Human.Line(json.ToString(), all ? int.MaxValue : Shortened) : none;
    }

    static IEnumerable<ValueDiff> Below(string name, string step, IEnumerable<ValueDiff> values) =>
        values.Select(value => value with { Path = $"{name}.{step}{(value.Path.Length == 0 || value.Path[0] == '[' ? "" : ".")}{value.Path}" });

    static void Steps(Cli cli, RunDiff diff, bool all)
    {
        var shown = diff.Steps.Where(step => all || step.What.Count > 0 || step.Left?.Attempt != step.Right?.Attempt).ToList();
        if (shown.Count == 0) return;
        cli.Say();
        var table = new Table("STEP", "DIFFERS IN", "FIRST", "SECOND", "TIME", "TRIES", "COST", "REASON");
        foreach (var step in shown)
        {
            table.Add(step.What.Count == 0 ? "" : "failed", step.Path, string.Join(", ", step.What), State(step.Left), State(step.Right),
                Both(step, record => Human.Duration(record.Duration), same: null), Both(step, record => $"{record.Attempt}", same: ""),
                Both(step, record => Human.Cost(Cost.Of(record) with { Duration = default }), same: ""), Both(step, record => record.Error?.Message ?? record.Reason ?? "", same: ""));
        }
        table.Write(cli);
    }

    static string State(Checkpoint? record) => record switch
    {
        null => "-",
        { Status: StepStatus.Skipped } => $"skipped ({Words.Of(record.Cause)})",
        _ => Words.Of(record.Status ?? default),
    };

    /// <summary>The texts of both sides; for equal ones <paramref name="same"/>, or when that is null the text.</summary>
    static string Both(StepDiff step, Func<Checkpoint, string> text, string? same)
    {
        if (step.Left is null || step.Right is null) return text((step.Left ?? step.Right)!);
        var (left, right) = (text(step.Left), text(step.Right));
        return left == right ? same ?? left : $"{(left.Length == 0 ? "none" : left)} → {(right.Length == 0 ? "none" : right)}";
    }

    static string Paint(Cli cli, string line) => line.Length == 0 ? "" : line[0] switch
    {
        '-' => cli.Ink.Bad(line),
        '+' => cli.Ink.Good(line),
        '@' => cli.Ink.Faint(line),
        _ => line,
    };

    static void WriteJson(Cli cli, RunDiff diff, bool all) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteBoolean("equal", diff.IsEqual);
        Head(w, "first", diff.Left, diff.LeftCost);
        Head(w, "second", diff.Right, diff.RightCost);
        w.WritePropertyName("diverge_at");
        if (diff.First is { } first)
        {
            w.WriteStartObject();
            w.WriteString("step", first.Path);
            HeadView.List(w, "what", first.What);
            HeadView.List(w, "because", first.Causes);
            w.WriteEndObject();
        }
        else w.WriteNullValue();
        Values(w, "params", diff.Params);
        Values(w, "state", diff.State);
        Values(w, "environment", diff.Environment);
        w.WriteStartArray("steps");
        foreach (var step in diff.Steps.Where(step => all || step.What.Count > 0 || step.Left?.Attempt != step.Right?.Attempt))
        {
            w.WriteStartObject();
            w.WriteString("step", step.Path);
            HeadView.List(w, "what", step.What);
            Side(w, "first", step.Left);
            Side(w, "second", step.Right);
            Values(w, "output", step.Output);
            Values(w, "inputs", step.Inputs);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        HeadView.List(w, "definition", diff.Definition);
        w.WriteEndObject();
    });

    static void Head(Utf8JsonWriter w, string name, RunHead head, Cost cost)
    {
        w.WriteStartObject(name);
        w.WriteString("run_id", head.RunId);
        w.WriteNumber("seq", head.Seq);
        w.WriteString("workflow", head.Workflow);
        w.WriteString("status", Words.Of(head.Status));
        HeadView.Write(w, "cost", cost);
        w.WriteEndObject();
    }

    static void Side(Utf8JsonWriter w, string name, Checkpoint? record)
    {
        if (record is null)
        {
            w.WriteNull(name);
            return;
        }
        w.WriteStartObject(name);
        w.WriteNumber("seq", record.Seq);
        w.WriteString("status", Words.Of(record.Status ?? default));
        w.WriteNumber("attempt", record.Attempt);
        w.WriteString("reason", record.Reason);
        w.WriteString("error", record.Error?.Message);
        w.WritePropertyName("cost");
        Cost.Of(record).Write(w);
        w.WriteEndObject();
    }

    static void Values(Utf8JsonWriter w, string name, IReadOnlyList<ValueDiff> values)
    {
        w.WriteStartArray(name);
        foreach (var value in values)
        {
            w.WriteStartObject();
            w.WriteString("path", value.Path);
            foreach (var (side, json) in ((string, RawJson?)[])[("first", value.Left), ("second", value.Right)])
            {
                w.WritePropertyName(side);
                if (json is { } raw) w.WriteRawValue(raw.Utf8.Span);
                else w.WriteNullValue();
            }
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }
}
