using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>One workflow: its versions, how long its runs take, how they end.</summary>
static class WorkflowEndpoints
{
    // Figures are those of the newest runs: what was years ago tells little of how it is now.
    const int MostRuns = 1000;
    const int MostShown = 200;

    public static void Map(RouteGroupBuilder api, PawlClient client) =>
        api.MapGet("/workflows/{name}", async (HttpContext context, string name, CancellationToken stop) =>
        {
            var heads = await client.ListAsync(new RunQuery { Workflow = name, Limit = MostRuns + 1 }, stop).ToListAsync(stop);
            var counted = heads.Take(MostRuns).ToList();
            return Json.Answer(context, new
            {
                name, all = Figures(counted), is_cut = heads.Count > MostRuns,
                versions = counted.GroupBy(head => head.Version).OrderByDescending(group => group.Key).Select(group => new
                {
                    version = group.Key, figures = Figures([.. group]), first = group.Min(head => head.CreatedAt), last = group.Max(head => head.CreatedAt),
                    // Whose definition stands for the version: the newest that has one.
                    run_id = (group.FirstOrDefault(head => head.Portable) ?? group.First()).RunId, has_definition = group.Any(head => head.Portable),
                }),
                failures = counted.Where(head => head.ErrorStep is not null).GroupBy(head => head.ErrorStep).OrderByDescending(group => group.Count()).Take(10).Select(group => new { step = group.Key, runs = group.Count(), last = group.First().RunId, group.First().Error }),
                recent = counted.Take(MostShown).Reverse().Select(head => new { head.RunId, head.Status, head.Version, head.CreatedAt, took = Took(head) }),
            }, $"{heads.Count}.{heads.Aggregate(17UL, (sum, head) => (sum * 31) ^ (ulong)string.GetHashCode(ListEndpoints.Mark(head), StringComparison.Ordinal))}");
        });

    static object Figures(List<RunHead> heads)
    {
        var ended = heads.Where(head => head.Status is RunStatus.Completed or RunStatus.Failed).ToList();
        var times = heads.Where(head => head.Status == RunStatus.Completed).Select(Took).OfType<TimeSpan>().Order().ToList();
        return new
        {
            runs = heads.Count, statuses = heads.GroupBy(head => head.Status).ToDictionary(status => status.Key.ToString().ToLowerInvariant(), status => status.Count()),
            success = ended.Count == 0 ? (double?)null : Math.Round((double)ended.Count(head => head.Status == RunStatus.Completed) / ended.Count, 3),
            p50 = At(0.5), p90 = At(0.9), p95 = At(0.95), p99 = At(0.99), longest = times.Count == 0 ? (TimeSpan?)null : times[^1],
        };

        TimeSpan? At(double part) => times.Count == 0 ? null : times[(int)Math.Min(times.Count - 1, Math.Ceiling(times.Count * part) - 1)];
    }

    static TimeSpan? Took(RunHead head) => head.StartedAt is { } began && head.Owner is null && head.Status is RunStatus.Completed or RunStatus.Failed or RunStatus.Canceled ? head.UpdatedAt - head.StartedAt : null;
}
