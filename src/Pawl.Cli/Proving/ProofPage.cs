using System.Net;
using System.Text;
using Pawl.Cli.View;
using Pawl.Testing;

namespace Pawl.Cli.Proving;

/// <summary>The report as one page that needs nothing else: no script, no font, no picture.</summary>
static class ProofPage
{
    const string Style = """
        :root { color-scheme: light dark; --ink: #1d1f21; --paper: #fff; --faint: #667; --line: #ddd; --good: #18794e; --bad: #c0262d; --box: #f6f6f4 }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e6e3; --paper: #17181a; --faint: #99a; --line: #34363a; --good: #4cc38a; --bad: #ff7b72; --box: #202225 } }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
        h1, h2 { line-height: 1.2 } .good { color: var(--good) } .bad { color: var(--bad) } .faint { color: var(--faint) }
        pre { background: var(--box); padding: .75rem; overflow-x: auto; border-radius: .3rem } pre .d { color: var(--bad) } pre .a { color: var(--good) }
        table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line) }
        """;

    public static void Write(string path, Proof proof, DateTimeOffset at)
    {
        try
        {
            using var file = File.CreateText(path);
            file.Write(Text(proof, at));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--html '{path}' cannot be written: {error.Message}");
        }
    }

    static string Text(Proof proof, DateTimeOffset at)
    {
        var failures = proof.Failures.Count();
        var page = new StringBuilder();
        page.Append($"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{Escape(proof.Workflow)}: {(failures == 0 ? "holds" : "does not hold")}</title>
            <style>{Style}</style></head><body>
            <h1>{Escape(proof.Workflow)} <span class="{(failures == 0 ? "good\">holds" : "bad\">does not hold")}</span></h1>
            <p>Killed at {proof.Points.Count(point => point.Reached)} points with SIGKILL, resumed, and compared with an unbroken run; {failures} differ. <span class="faint">{Human.Iso(at)}</span></p>

            """);
        foreach (var group in ProofReport.Groups(proof))
        {
            var first = group.First();
            page.Append($"""
                <h2>{(group.Key is { } step ? $"Step <code>{Escape(step)}</code> is not safe to run twice" : "What the run leaves depends on where it is killed")}</h2>
                <p>Killed {Escape(first.Point.Where)}{(group.Count() > 1 ? $", and at {Human.Count(group.Count() - 1, "other point")}" : "")}: <b>{Escape(first.Difference!.What)}</b> differs.</p>
                <pre>{string.Join('\n', first.Difference.Diff().Split('\n').Select(Line))}</pre>
                <p>{Escape(first.Difference.Remedy)}</p>

                """);
        }
        if (proof.Unstable.Count > 0)
        {
            page.Append("<h2>Differs between two unbroken runs</h2>\n<p>Not compared: a clock, chance, a process id.</p>\n<table><tr><th>step<th>what<th>first<th>second</tr>\n");
            foreach (var fact in proof.Unstable) Row(fact.Step ?? "", fact.What, Human.Line(fact.First, 200), Human.Line(fact.Second, 200));
            page.Append("</table>\n");
        }
        page.Append("<h2>All points</h2>\n<table><tr><th>point<th>killed<th>verdict<th>step</tr>\n");
        foreach (var point in proof.Points)
            Row(point.Point.Number.ToString(System.Globalization.CultureInfo.InvariantCulture), $"{point.Point.Where}{(point.Point.ByWorker ? " (a worker)" : "")}",
                !point.Reached ? "not reached" : point.Difference is { } difference ? $"differs: {difference.What}" : "holds", point.Difference?.Step ?? "");
        return page.Append("</table>\n</body></html>\n").ToString();

        void Row(params string[] cells) => page.Append("<tr>").AppendJoin("", cells.Select(cell => $"<td>{Escape(cell)}")).Append("</tr>\n");
    }

    static string Line(string line) => line switch
    {
        ['-', ..] => $"<span class=\"d\">{Escape(line)}</span>",
        ['+', ..] => $"<span class=\"a\">{Escape(line)}</span>",
        _ => Escape(line),
    };

    static string Escape(string text) => WebUtility.HtmlEncode(text);
}
