using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl list</c>: the runs, newest first.</summary>
static class ListCommand
{
    const int DefaultLimit = 50;

    public static Command Create(Cli cli)
    {
        var status = new Option<string[]>("--status") { Description = "Only these statuses (completed,failed,…)", HelpName = "S,…" };
        var workflow = new Option<string?>("--workflow") { Description = "Only runs of this workflow", HelpName = "NAME" };
        var since = new Option<string?>("--since") { Description = "Only runs started since (2d, 12h, or a date)", HelpName = "TIME" };
        var where = new Option<string[]>("--where") { Description = "Only runs that fit: team=data (a tag or partition value), error~timeout, status!=completed and step=load; may be repeated", HelpName = "CONDITIONS" };
        var limit = new Option<string?>("--limit") { Description = $"At most this many; 0 is all; default {DefaultLimit}", HelpName = "N" };
        var dead = new Option<bool>("--dead") { Description = "Only dead letters: runs that ended their workers again and again" };
        var tree = new Option<bool>("--tree") { Description = "Forks and child runs below the runs they come from" };
        status.CompletionSources.Add(_ => Enum.GetValues<RunStatus>().Select(Words.Of));
        return Verbs.On(new Command("list", "The runs, newest first") { status, workflow, since, where, dead, tree, limit }, async () =>
        {
            var most = Limit(cli.Get(limit));
            var query = new RunQuery
            {
                Workflow = cli.Get(workflow),
                Statuses = cli.Get(dead) ? [RunStatus.Failed] : Statuses(cli.Get(status)),
                Since = cli.Get(since) is { } time ? Spans.ParseTime("--since", time, cli.Now) : null,
                Limit = most == int.MaxValue ? most : most + 1,
            };
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var filter = RunFilter.Parse(query, cli.Get(where));
            if (cli.Get(dead)) filter.Add(head => head.DeadLetter);
            var heads = await filter.ListAsync(client, cli.Stop);
            var truncated = heads.Count > most;
            if (truncated) heads.RemoveAt(most);
            Show(cli, cli.Get(tree) ? Tree(heads) : [.. heads.Select(head => (head, ""))], truncated);
            return ExitCode.Done;
        });
    }

    /// <summary>Each run below the one it comes from, as far as that is listed too.</summary>
    static List<(RunHead, string)> Tree(List<RunHead> heads)
    {
        var ids = heads.Select(head => head.RunId).ToHashSet();
        var below = heads.ToLookup(head => Origin(head) is { } origin && ids.Contains(origin) ? origin : "");
        var rows = new List<(RunHead, string)>();
        Add("", 0);
        return rows;

        void Add(string origin, int depth)
        {
            foreach (var head in below[origin])
            {
                rows.Add((head, depth == 0 ? "" : new string(' ', (depth - 1) * 2) + "└ "));
                Add(head.RunId, depth + 1);
            }
        }
    }

    static string? Origin(RunHead head) => head.ParentRunId ?? head.Tags.GetValueOrDefault("forked_from");

    static void Show(Cli cli, List<(RunHead Head, string Indent)> heads, bool truncated)
    {
        if (heads.Count == 0) cli.Say($"No such runs in {cli.Store.Uri}.");
        else
        {
            var table = new Table("RUN", "STATUS", "DONE", "STARTED", "LAST CHECKPOINT", "REMARKS");
            foreach (var (head, indent) in heads)
                table.Add(HeadView.State(head), indent + head.RunId, HeadView.State(head), $"{head.Done}/{head.Total}", Human.Date(head.CreatedAt, cli.Caller), Human.Ago(head.UpdatedAt, cli.Now), Remarks(head, cli));
            table.Write(cli);
            if (truncated) cli.Say(cli.Ink.Faint("There are more: --limit 0 shows all."));
        }
        cli.Json(w =>
        {
            w.WriteStartObject();
            w.WriteStartArray("runs");
            foreach (var (head, _) in heads)
            {
                w.WriteStartObject();
                HeadView.Write(w, head);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteBoolean("truncated", truncated);
            w.WriteEndObject();
        });
    }

    static string Remarks(RunHead head, Cli cli) => head switch
    {
        { Owner: { } owner } => owner.ToString(),
        { Status: RunStatus.Pending, WakeAt: { } due } when due > cli.Now => $"due {Human.Date(due, cli.Caller)}  {Labels(head)}",
        { Waits: [{ Path: "" } put] } => $"due {HeadView.Describe(put, cli)}  {Labels(head)}",
        { Waits: [var first, ..] waits } => $"{first.Path} waits for {HeadView.Describe(first, cli)}{(waits.Count > 1 ? $" (and {waits.Count - 1} more)" : "")}",
        { Status: RunStatus.Failed, WakeAt: { } again } => $"goes on by itself at {Human.Date(again, cli.Caller)}; {head.ErrorStep}: {head.Error}",
        { ErrorStep: { } step } => $"{step}: {head.Error}",
        { Status: not RunStatus.Completed, Error: { } error } => error,
        _ => Labels(head),
    };

    static string Labels(RunHead head) => string.Join(' ', head.Tags.Concat(head.Partition).Select(pair => $"{pair.Key}={pair.Value}"));

    static List<RunStatus>? Statuses(string[]? lists)
    {
        var words = (lists ?? []).SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToList();
        return words.Count == 0 ? null : [.. words.Select(word => Words.Parse<RunStatus>("status", word))];
    }

    static int Limit(string? text) => text switch
    {
        null => DefaultLimit,
        _ when int.TryParse(text, out var limit) && limit >= 0 => limit == 0 ? int.MaxValue : limit,
        _ => throw new UsageException($"--limit '{text}': write a whole number; 0 is all."),
    };
}
