using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>What stands in queues, and who executes what.</summary>
static class QueueEndpoints
{
    // Each status is asked for alone: however much is in line, what runs and what waits is seen.
    const int MostOfStatus = 5000;

    // A run goes this way while it is looked for, so that it is seen once at least.
    static readonly RunStatus[] s_statuses = [RunStatus.Pending, RunStatus.Waiting, RunStatus.Running, RunStatus.Failed];

    public static void Map(RouteGroupBuilder api, PawlClient client, Feed feed) =>
        api.MapGet("/queues", async (HttpContext context, CancellationToken stop) => Json.Answer(context, await QueuesAsync(client, stop))).Shared(feed);

    static async Task<object> QueuesAsync(PawlClient client, CancellationToken stop)
    {
        var (found, cut) = (new Dictionary<string, RunHead>(), new List<RunStatus>());
        foreach (var status in s_statuses)
        {
            var some = await client.ListAsync(new RunQuery { Statuses = [status], Limit = MostOfStatus + 1 }, stop).ToListAsync(stop);
            if (some.Count > MostOfStatus) cut.Add(status);
            foreach (var head in some.Take(MostOfStatus)) found[head.RunId] = head;
        }
        var now = (client.Store.Info.Clock ?? client.Options.Time).GetUtcNow();
        var held = found.Values.Where(head => head.Owner is not null).ToList();
        return new
        {
            queues = found.Values.Where(head => head.Queue is not null).GroupBy(head => head.Queue!).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => new
            {
                name = group.Key,
                in_line = group.Count(IsInLine),
                later = group.Count(head => head is { Status: RunStatus.Pending, Owner: null } && !IsInLine(head) && !Schedule.IsAhead(head)),
                running = group.Count(head => head.Owner is not null),
                waiting = group.Count(head => head is { Status: RunStatus.Waiting, Owner: null } && !IsInLine(head)),
                dead = group.Count(head => head.DeadLetter),
                oldest = group.Where(IsInLine).Min(head => (DateTimeOffset?)(head.WakeAt ?? head.UpdatedAt)),
            }),
            owners = held.GroupBy(head => (head.Owner!.Host, head.Owner.Pid, head.Owner.Command)).Select(group => new
            {
                host = group.Key.Host, pid = group.Key.Pid, command = group.Key.Command, runs = group.Select(head => new { head.RunId, head.Workflow, since = head.Owner!.Since, head.Token }),
            }),
            dead_letters = found.Values.Where(head => head.DeadLetter),
            at_most = MostOfStatus, cut,
        };

        // What a worker takes next: also what was put back, slept long enough, or lost its process.
        bool IsInLine(RunHead head) => head.Owner is null && WorkQuery.IsDue(head, 0, now);
    }
}
