using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>One run: its steps, its checkpoints, what a resume would do, what it cost.</summary>
static class RunEndpoints
{
    const int MostRecords = 2000, MostOfRun = 50;

    public static void Map(RouteGroupBuilder api, PawlClient client, Definitions definitions, Stories stories, Feed feed)
    {
        api.MapGet("/runs/{id}", (HttpContext context, string id, string? since) => RunAsync(context, client, definitions, stories, id, since)).Shared(feed);
        api.MapGet("/runs/{id}/checkpoints", (HttpContext context, string id) => CheckpointsAsync(context, client, stories, id));
        api.MapGet("/runs/{id}/checkpoints/{seq:long}", (HttpContext context, string id, long seq) => CheckpointAsync(context, client, stories, id, seq));
        api.MapGet("/runs/{id}/checkpoints/{seq:long}/log", (HttpContext context, string id, long seq) => LogAsync(context, client, stories, id, seq));
        api.MapGet("/runs/{id}/snapshot", async (HttpContext context, string id) => Json.Answer(context, await client.SnapshotAsync(id, context.Request.Query.Number("seq"), context.RequestAborted)));
        api.MapGet("/runs/{id}/costs", async (HttpContext context, string id) => Json.Answer(context, await client.CostsAsync(id, context.RequestAborted))).Shared(feed);
        api.MapGet("/runs/{id}/diff", (HttpContext context, string id, string? other) => DiffAsync(context, client, id, other ?? id));
        api.MapGet("/runs/{id}/plan", (HttpContext context, string id) => PlanAsync(context, client, definitions, id, Linked(context.Request.Query))).Shared(feed);
        // Values may be secret, and long: they stand in no address. Nothing is changed.
        api.MapPost("/runs/{id}/plan", async (HttpContext context, string id) => await PlanAsync(context, client, definitions, id, await Json.ReadAsync<ActionEndpoints.Execution>(context)));
    }

    public static async Task<RunHead> HeadAsync(PawlClient client, string id, CancellationToken stop) =>
        (RunIds.IsValid(id) ? await client.FindAsync(id, stop) : null) ?? throw new RunNotFoundException(id);

    /// <summary>The run; when the page has it as it was at an answer before, only the steps that have changed.</summary>
    static async Task<IResult> RunAsync(HttpContext context, PawlClient client, Definitions definitions, Stories stories, string id, string? since)
    {
        var head = await HeadAsync(client, id, context.RequestAborted);
        // The head first: the journal may be ahead of it, never behind.
        var story = await stories.OfAsync(head, context.RequestAborted);
        var (forks, reruns) = (await OfRunAsync("forked_from"), await OfRunAsync("rerun_of"));
        // Of a run that is executed: what nothing holds back any more, and is not done.
        var ready = head.Owner is null ? [] : story.Ready.Where(step => step.Current is null).Select(step => step.Path).ToList();
        var (had, last) = (Had(story, since), story.Records[^1]);
        return Json.Answer(context, new
        {
            // Of one whose steps go on beside a question only the journal tells it.
            head = head.Status == RunStatus.Running ? head with { Waits = [.. story.Questions] } : head,
            at = $"{last.Seq}.{last.Hash}",
            whole = had == 0,
            can_resume = head.Owner is null && head.Status is not (RunStatus.Completed or RunStatus.Canceled),
            can_execute = definitions.Has(head, story),
            can_watch = head.Owner is { } owner && owner.Host == Environment.MachineName && client.Options.LiveFolder is not null,
            ready,
            story.Passes, by = By(story.Records[0]),
            forks, reruns, at_most = MostOfRun,
            children = Children(head, story, ready),
            steps = story.All.Where(step => had == 0 || step.Records is [.., var told] && told.Record.Seq > had).Select(step => new
            {
                step.Path, step.Kind, step.Title, needs = step.Before, step.IsDone, reused = step.ReusedIn,
                status = step.Current?.Status, cause = step.Current?.Cause, reason = step.Current?.Reason, error = step.Current?.Error, seq = step.Current?.Seq,
                attempts = step.Records.Select(told => new { told.Pass, told.Record.Seq, told.Record.Attempt, told.Record.Status, ended = told.Record.At, told.Record.Duration }),
            }),
        }, $"{ListEndpoints.Mark(head)}.{last.Seq}.{last.Hash}.{had}.{forks.Count}.{forks.FirstOrDefault()}.{reruns.Count}.{reruns.FirstOrDefault()}");

        ValueTask<List<string>> OfRunAsync(string tag) => client.ListAsync(new RunQuery { Where = new Dictionary<string, string> { [tag] = id }, Limit = MostOfRun }, context.RequestAborted).Select(run => run.RunId).ToListAsync(context.RequestAborted);
    }

    /// <summary>Runs that steps of a run started, as its definition and what it waits for name them.</summary>
    static IEnumerable<object> Children(RunHead head, RunStory story, List<string> ready) =>
        story.Defined.Where(step => step.Kind == "workflow" && (step.Current is { Status: not StepStatus.Skipped } || ready.Contains(step.Path))).Select(step => step.Path)
            .Concat(head.Waits.Where(wait => wait.IsChildRun).Select(wait => wait.Path)).Distinct().Select(path => new { step = path, run_id = RunIds.Child(head.RunId, path) });

    static string? By(Checkpoint created)
    {
        using var data = JsonDocument.Parse(created.Data);
        return data.RootElement.TryGetProperty("by", out var by) ? by.GetString() : data.RootElement.TryGetProperty("host", out var host) && host.TryGetProperty("user", out var user) ? $"{user}@{host.GetProperty("hostname")}" : null;
    }

    /// <summary>The last record that the page has; 0 when it must have everything anew: it has another run of this name, or something has happened that changes more steps than those it names.</summary>
    static long Had(RunStory story, string? since) =>
        since?.Split('.') is [var number, var hash] && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && seq >= 1 && seq <= story.Records.Count
        && story.Records[seq - 1].Hash == hash && !story.Records.Skip(seq).Any(record => record.Kind is CheckpointKind.Resumed or CheckpointKind.Compensated) ? seq : 0;

    static async Task<IResult> CheckpointsAsync(HttpContext context, PawlClient client, Stories stories, string id)
    {
        var asked = context.Request.Query;
        var (from, limit, brief) = (Math.Max(1, asked.Number("from") ?? 1), (int)Math.Clamp(asked.Number("limit") ?? 500, 1, MostRecords), asked.IsOn("brief"));
        var head = await HeadAsync(client, id, context.RequestAborted);
        var records = await stories.RecordsAsync(head, from, limit, context.RequestAborted);
        var next = records.Count == limit ? records[^1].Seq + 1 : (long?)null;
        return brief
            ? Json.Answer(context, new { items = records.Select(record => new { record.Seq, record.Kind, record.Path, record.Status, record.Attempt, record.At, record.Duration, error = record.Error?.Message ?? record.Reason }), next }, records is [.., var last] ? last.Hash : null)
            : Json.Answer(context, new { items = records, next });
    }

    static async Task<Checkpoint> RecordAsync(PawlClient client, Stories stories, string id, long seq, CancellationToken stop) =>
        await stories.RecordsAsync(await HeadAsync(client, id, stop), Math.Max(1, seq), 1, stop) is [var record] && record.Seq == seq ? record : throw new BadRequestException($"Run '{id}' has no checkpoint {seq}.");

    static async Task<IResult> CheckpointAsync(HttpContext context, PawlClient client, Stories stories, string id, long seq)
    {
        var record = await RecordAsync(client, stories, id, seq, context.RequestAborted);
        return Json.Answer(context, new { checkpoint = record, output = await client.OutputAsync(id, record, context.RequestAborted), has_log = Log(record) is not null }, record.Hash);
    }

    /// <summary>As text, never as anything that a browser would run.</summary>
    static async Task<IResult> LogAsync(HttpContext context, PawlClient client, Stories stories, string id, long seq)
    {
        var record = await RecordAsync(client, stories, id, seq, context.RequestAborted);
        return Log(record) is { } log ? Results.Bytes(await client.Store.ReadPayloadAsync(id, log, context.RequestAborted), "text/plain; charset=utf-8")
            : Problems.Of(StatusCodes.Status404NotFound, $"Checkpoint {seq} of run '{id}' kept no output of a shell.", "The checkpoint itself has what its step left.");
    }

    public static PayloadRef? Log(Checkpoint record)
    {
        if (record.Data.IsEmpty) return null;
        using var data = JsonDocument.Parse(record.Data);
        return data.RootElement.TryGetProperty("log", out var log) ? new PayloadRef(log.GetProperty("sha256").GetString()!, log.GetProperty("bytes").GetInt64()) : null;
    }

    static async Task<IResult> DiffAsync(HttpContext context, PawlClient client, string id, string other)
    {
        var asked = context.Request.Query;
        var diff = await client.DiffAsync(id, other, asked.Number("seq"), asked.Number("otherSeq"), context.RequestAborted);
        return Json.Answer(context, new { diff.IsEqual, diff.First, diff.Params, diff.State, diff.Environment, diff.Definition, diff.LeftCost, diff.RightCost, steps = diff.Steps.Where(step => step.What.Count > 0) });
    }

    static ActionEndpoints.Execution Linked(IQueryCollection asked) => asked.ContainsKey("params") ? throw new BadRequestException("Params stand in no address: send them with POST, as to 'resume'.")
        : new(From: asked["from"] is [{ Length: > 0 } from] ? from : null, Until: asked["until"] is [{ Length: > 0 } until] ? until : null, Only: asked["only"] is { Count: > 0 } only ? [.. only.OfType<string>()] : null, All: asked.IsOn("all"), RerunChanged: asked.IsOn("rerun_changed"), Force: asked.IsOn("force"));

    static async Task<IResult> PlanAsync(HttpContext context, PawlClient client, Definitions definitions, string id, ActionEndpoints.Execution asked)
    {
        var head = await HeadAsync(client, id, context.RequestAborted);
        return Json.Answer(context, await client.PlanAsync(await definitions.OfAsync(head, context.RequestAborted), id, asked.AsOptions(), context.RequestAborted));
    }
}
