using System.CommandLine;
using System.Globalization;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl diff RUN[@SEQ] RUN[@SEQ]</c>: where two runs first diverge, and how.</summary>
static class DiffCommand
{
    public static Command Create(Cli cli)
    {
        var left = Side(cli, "FIRST", "A run, or RUN@SEQ for one of its checkpoints");
        var right = Side(cli, "SECOND", "The other one; may be the same run at another checkpoint");
        var all = new Option<bool>("--all") { Description = "Equal steps and all differences of every value, too" };
        return Verbs.On(new Command("diff", "Where two runs first diverge, and how") { left, right, all }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var (a, b) = (Parse(cli.Get(left)!), Parse(cli.Get(right)!));
            var diff = await client.DiffAsync(a.RunId, b.RunId, a.Seq, b.Seq, cli.Stop);
            Check(a, diff.Left.Seq);
            Check(b, diff.Right.Seq);
            DiffView.Show(cli, diff, cli.Get(all));
            return ExitCode.Done;
        });
    }

    static Argument<string?> Side(Cli cli, string name, string description)
    {
        var argument = new Argument<string?>(name) { HelpName = name, Description = description, Arity = ArgumentArity.ExactlyOne };
        argument.CompletionSources.Add(context => RunArgument.RunIdsOf(cli, context));
        return argument;
    }

    static (string RunId, long? Seq) Parse(string text)
    {
        if (text.LastIndexOf('@') is not (> 0 and var at)) return (RunArgument.Check(text), null);
        return long.TryParse(text[(at + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && seq > 0
            ? (RunArgument.Check(text[..at]), seq)
            : throw new UsageException($"'{Human.Line(text, 80)}': behind '@' stands the number of a checkpoint; 'pawl checkpoints {text[..at]}' lists them.");
    }

    static void Check((string RunId, long? Seq) asked, long last)
    {
        if (asked.Seq > last) throw new UsageException($"Run '{asked.RunId}' has checkpoints 1 to {last}; there is no {asked.Seq}.");
    }
}
