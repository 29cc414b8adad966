using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl prune</c>: removes old finished runs.</summary>
static class PruneCommand
{
    public static Command Create(Cli cli)
    {
        var olderThan = new Option<string?>("--older-than") { Description = "Finished longer ago than this; default: CHECKPOINT_RETENTION_DAYS, else 30d", HelpName = "30d" };
        var keepLast = new Option<string?>("--keep-last") { Description = "Of each workflow at least this many newest finished runs stay", HelpName = "N" };
        var workflow = new Option<string?>("--workflow") { Description = "Only runs of this workflow", HelpName = "NAME" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Show what would go; removes nothing" };
        return Verbs.On(new Command("prune", "Remove old finished runs; what can be resumed always stays") { olderThan, keepLast, workflow, dryRun }, async () =>
        {
            var policy = Retention.Of(null, cli);
            if (cli.Get(olderThan) is { } age) policy = policy with { MaxAge = Spans.Parse("--older-than", age) };
            // A count alone means the count: no age is added by the default.
            else if (cli.Has(keepLast)) policy = policy with { MaxAge = null };
            if (cli.Get(keepLast) is { } count) policy = policy with { KeepLast = int.TryParse(count, out var keep) && keep >= 0 ? keep : throw new UsageException($"--keep-last '{count}': write a whole number.") };
            if (policy is { MaxAge: null, KeepLast: 0 }) throw new UsageException("--keep-last 0 alone would remove every finished run: say so with --older-than 0s.");
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var removed = await client.PruneAsync(policy, cli.Get(workflow), cli.Get(dryRun), cli.Stop);
            foreach (var head in removed) cli.Say($"{head.RunId}  {Words.Of(head.Status)}, {Human.Ago(head.UpdatedAt, cli.Now)}");
            cli.Say(cli.Get(dryRun) ? $"{Human.Count(removed.Count, "run")} would be removed." : $"{Human.Count(removed.Count, "run")} removed.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteBoolean("dry_run", cli.Get(dryRun));
                HeadView.List(w, "removed", removed.Select(head => head.RunId));
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }
}
