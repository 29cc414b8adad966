using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Who did what. It is read out of the journals and messages of the runs themselves: there is no second book that could say something else.</summary>
static class AuditEndpoints
{
    // For one page: so many runs, and of their journals about so many records.
    const int MostRuns = 100;
    const long MostRecords = 50_000;

    internal sealed record Act(DateTimeOffset At, string? By, string What, string RunId, string Workflow, string? Detail, string? Reason, long? Seq);

    public static void Map(RouteGroupBuilder api, PawlClient client)
    {
        api.MapGet("/runs/{id}/audit", async (HttpContext context, string id, CancellationToken stop) =>
        {
            var head = await RunEndpoints.HeadAsync(client, id, stop);
            return Json.Answer(context, new { items = Of(head, await client.ActsAsync(id, stop), await RemovedAsync(client, head, stop)) });
        });
        api.MapGet("/audit", async (HttpContext context, CancellationToken stop) => Json.Answer(context, await PageAsync(client, context.Request.Query, stop)));
    }

    static async Task<object> PageAsync(PawlClient client, IQueryCollection asked, CancellationToken stop)
    {
        var (acts, looked, unreadable, records) = (new List<Act>(), new List<RunHead>(), new List<string>(), 0L);
        var more = false;
        await foreach (var head in ListEndpoints.SearchAsync(client, asked, stop))
        {
            if (looked.Count == MostRuns || (looked.Count > 0 && records + head.Seq > MostRecords))
            {
                more = true;
                break;
            }
            looked.Add(head);
            records += head.Seq;
            try { acts.AddRange(Of(head, await client.ActsAsync(head.RunId, stop), await RemovedAsync(client, head, stop))); }
            catch (JournalCorruptException) { unreadable.Add(head.RunId); }
            catch (RunNotFoundException)
            {
                // Removed while we look.
            }
        }
        var (who, what) = (asked["who"].ToString(), asked["what"].ToString());
        return new
        {
            items = acts.Where(act => (who.Length == 0 || act.By == who) && (what.Length == 0 || act.What == what)).OrderByDescending(act => act.At),
            runs = looked.Count, since = looked.Count == 0 ? (DateTimeOffset?)null : looked[^1].CreatedAt, unreadable, people = acts.Select(act => act.By).OfType<string>().Distinct().Order(StringComparer.Ordinal),
            next = more ? ListEndpoints.Place(looked[^1]) : null,
        };
    }

    static IEnumerable<Act> Of(RunHead head, IReadOnlyList<RunAct> acts, string? removed) => acts.Select(act =>
        removed is not null && act.What == "started" ? new Act(act.At, act.By, "removed", head.RunId, head.Workflow, removed, null, act.Seq) : Of(head, act));

    public static Act Of(RunHead head, RunAct act) => new(act.At, act.By, act.What, head.RunId, head.Workflow, act.Detail, act.Reason, act.Seq);

    /// <summary>What a removal was asked to remove.</summary>
    static async Task<string?> RemovedAsync(PawlClient client, RunHead head, CancellationToken stop)
    {
        const int named = 5;
        if (head.Workflow != Removals.WorkflowName || await client.Store.ReadAsync(head.RunId, 1, stop).FirstOrDefaultAsync(stop) is not { } created) return null;
        using var data = JsonDocument.Parse(created.Data);
        var runs = data.RootElement.GetProperty("params").GetProperty("runs").EnumerateArray().Select(run => run.GetString()).ToList();
        return runs.Count <= named ? string.Join(", ", runs) : $"{string.Join(", ", runs.Take(named))} and {runs.Count - named} more";
    }
}
