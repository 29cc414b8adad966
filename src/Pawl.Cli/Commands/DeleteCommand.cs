using System.CommandLine;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl delete RUN…</c>: removes runs whole.</summary>
static class DeleteCommand
{
    public static Command Create(Cli cli)
    {
        var runs = new Argument<string[]>("RUN") { HelpName = "RUN", Description = "The runs", Arity = ArgumentArity.OneOrMore };
        runs.CompletionSources.Add(context => RunArgument.RunIdsOf(cli, context));
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        return Verbs.On(new Command("delete", "Remove runs whole, whatever their status") { runs, yes }, async () =>
        {
            var ids = (cli.Get(runs) ?? []).Select(RunArgument.Check).Distinct().ToList();
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            foreach (var id in ids)
                if (!await ExistsAsync(client, id, cli.Stop)) throw new RunNotFoundException(id);
            if (!cli.Get(yes) && !Confirm(cli, ids)) return ExitCode.Refused;
            var deleted = new List<string>();
            foreach (var id in ids)
            {
                if (!await client.DeleteAsync(id, cli.Stop)) continue;
                deleted.Add(id);
                cli.Say($"{id} was deleted.");
            }
            cli.Json(w =>
            {
                w.WriteStartObject();
                HeadView.List(w, "deleted", deleted);
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }

    static async Task<bool> ExistsAsync(PawlClient client, string id, CancellationToken stop)
    {
        try { return await client.FindAsync(id, stop) is not null; }
        // One that nobody can read any more can still go.
        catch (JournalCorruptException) { return true; }
    }

    static bool Confirm(Cli cli, List<string> ids)
    {
        if (!cli.Caller.CanAsk || cli.IsJson) throw new UsageException("Nobody can be asked here: add --yes to delete.");
        cli.Caller.Out.Write($"Delete {Human.Count(ids.Count, "run")} ({string.Join(", ", ids)}) for good? [y/N] ");
        var answer = cli.Caller.In.ReadLine()?.Trim().ToLowerInvariant();
        if (answer is "y" or "yes") return true;
        cli.Say("Nothing was deleted.");
        return false;
    }
}
