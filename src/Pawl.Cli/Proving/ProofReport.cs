using System.Text.Json;
using Pawl.Cli.View;
using Pawl.Testing;

namespace Pawl.Cli.Proving;

/// <summary>What came of a proof, for people and for programs.</summary>
static class ProofReport
{
    const int MostDiffLines = 12;

    public static void Show(Cli cli, Proof proof, TimeSpan duration, string? kept)
    {
        var tried = proof.Points.Count(point => point.Reached);
        var missed = proof.Points.Count - tried;
        var failures = proof.Failures.ToList();
        cli.Say(failures.Count == 0
            ? cli.Ink.Good($"✓ {proof.Workflow} holds: killed at {Human.Count(tried, "point")}, resumed, and each time the same as unbroken ({Human.Duration(duration)})")
            : cli.Ink.Bad($"✗ {proof.Workflow} does not hold at {failures.Count} of {Human.Count(tried, "point")} ({Human.Duration(duration)})"));
        if (proof.Ending == RunStatus.Waiting) cli.Say("  The run waits for a person or a signal at the end; what comes after that was not proved.");
        if (missed > 0) cli.Say(cli.Ink.Faint($"  {Human.Count(missed, "point")} not reached: the run had other writes this time."));
        foreach (var group in Groups(proof))
        {
            var first = group.First();
            var difference = first.Difference!;
            cli.Say();
            cli.Say(cli.Ink.Strong(group.Key is { } step ? $"step '{step}' is not safe to run twice" : "what the run leaves depends on where it is killed"));
            cli.Say($"  killed   {Human.Line(first.Point.Where)}{(group.Count() > 1 ? $"  (and at {Human.Count(group.Count() - 1, "other point")})" : "")}");
            cli.Say($"  differs  {Human.Line(difference.What)}{(difference.Others > 0 ? $"  (and {Human.Count(difference.Others, "other fact")})" : "")}");
            foreach (var line in difference.Diff().Split('\n').Take(MostDiffLines))
                cli.Say($"    {Paint(cli, Human.Line(line, 160))}");
            cli.Say($"  mend     {difference.Remedy}");
            if (first.Evidence is { } folder) cli.Say(cli.Ink.Faint($"  see      {folder}"));
        }
        if (proof.Unstable.Count > 0)
        {
            cli.Say();
            cli.Say(cli.Ink.Careful($"{Human.Count(proof.Unstable.Count, "fact")} differ{(proof.Unstable.Count == 1 ? "s" : "")} between two unbroken runs, and {(proof.Unstable.Count == 1 ? "was" : "were")} not compared (a clock, chance, a process id):"));
            foreach (var fact in proof.Unstable)
                cli.Say($"  {(fact.Step is { } step ? $"step '{step}'" : "?")}  {Human.Line(fact.What)}: {Human.Line(fact.First, 40)} / {Human.Line(fact.Second, 40)}");
        }
        if (kept is not null) cli.Say(cli.Ink.Faint($"\nKept: {kept}"));
        cli.Json(w => Write(w, proof, duration, kept));
    }

    /// <summary>The failures by the step to blame, in the order of the points.</summary>
    public static IEnumerable<IGrouping<string?, PointVerdict>> Groups(Proof proof) => proof.Failures.GroupBy(point => point.Difference!.Step);

    static string Paint(Cli cli, string line) => line switch
    {
        ['-', ..] => cli.Ink.Bad(line),
        ['+', ..] => cli.Ink.Good(line),
        _ => line,
    };

    static void Write(Utf8JsonWriter w, Proof proof, TimeSpan duration, string? kept)
    {
        w.WriteStartObject();
        w.WriteString("workflow", proof.Workflow);
        w.WriteBoolean("holds", !proof.Failures.Any());
        w.WriteString("ending", Words.Of(proof.Ending));
        w.WriteNumber("duration_ms", Math.Round(duration.TotalMilliseconds));
        HeadView.List(w, "to_blame", Groups(proof).Select(group => group.Key));
        w.WriteStartArray("points");
        foreach (var point in proof.Points)
        {
            w.WriteStartObject();
            w.WriteNumber("point", point.Point.Number);
            w.WriteString("order", point.Point.Order());
            w.WriteString("killed", point.Point.Where);
            w.WriteString("by", point.Point.ByWorker ? "worker" : "run");
            w.WriteString("verdict", !point.Reached ? "not_reached" : point.Difference is null ? "holds" : "differs");
            if (point.Difference is { } difference)
            {
                w.WriteString("step", difference.Step);
                w.WriteString("what", difference.What);
                w.WriteString("expected", difference.Expected);
                w.WriteString("got", difference.Got);
                w.WriteNumber("others", difference.Others);
                w.WriteString("remedy", difference.Remedy);
                w.WriteString("evidence", point.Evidence);
            }
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteStartArray("unstable");
        foreach (var fact in proof.Unstable)
        {
            w.WriteStartObject();
            w.WriteString("step", fact.Step);
            w.WriteString("what", fact.What);
            w.WriteString("first", fact.First);
            w.WriteString("second", fact.Second);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteString("kept", kept);
        w.WriteEndObject();
    }
}
