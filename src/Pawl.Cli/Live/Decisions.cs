using Pawl.Cli.Commands;
using Pawl.Cli.View;

namespace Pawl.Cli.Live;

/// <summary>Asks the person at the terminal what a run that waits asks.</summary>
static class Decisions
{
    /// <returns>Whether something was decided, so that the run can go on.</returns>
    public static async Task<bool> AskAsync(Cli cli, PawlClient client, RunResult result)
    {
        var decided = false;
        foreach (var wait in result.Waits.Where(wait => wait.Message is not null))
        {
            cli.Say($"{cli.Ink.Strong(wait.Path)}: {Human.Line(wait.Message, 500)}");
            cli.Caller.Out.Write("[a]pprove, [e]dit, [r]eject, or Enter to decide later: ");
            var words = (cli.Caller.In.ReadLine() ?? "").Trim().Split(' ', 2, StringSplitOptions.TrimEntries);
            var reason = words.Length > 1 ? words[1] : null;
            switch (words[0])
            {
                case "a" or "approve":
                    await client.ApproveAsync(result.RunId, wait.Path, CancelCommand.By(), reason, cancellationToken: cli.Stop);
                    break;
                case "e" or "edit":
                    cli.Caller.Out.Write("What should be different (JSON, or a text): ");
                    if (cli.Caller.In.ReadLine()?.Trim() is not { Length: > 0 } changes) continue;
                    await client.ApproveAsync(result.RunId, wait.Path, CancelCommand.By(), reason, Changes(changes), cli.Stop);
                    break;
                case "r" or "reject":
                    await client.RejectAsync(result.RunId, wait.Path, CancelCommand.By(), reason, cli.Stop);
                    break;
                default:
                    continue;
            }
            decided = true;
        }
        return decided;
    }

    static object Changes(string text)
    {
        try { return RawJson.Parse(text); }
        catch (System.Text.Json.JsonException) { return text; }
    }
}
