using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>What people are asked, and what they need to know for an answer.</summary>
static class ApprovalEndpoints
{
    // The journals of running runs are read for it: half as many as are kept, so that those that somebody looks at stay.
    const int MostOnPage = 500, MostSearched = 5000, MostRunning = 50;

    // Enough to decide by; the page of the run has the rest.
    const int MostSteps = 20, MostText = 2000, MostRead = 1 << 20;

    public static void Map(RouteGroupBuilder api, PawlClient client, Stories stories, Feed feed)
    {
        api.MapGet("/approvals", async (HttpContext context, CancellationToken stop) => Json.Answer(context, await PageAsync(client, stories, context.Request.Query, stop))).Shared(feed);
        api.MapGet("/runs/{id}/context", async (HttpContext context, string id, CancellationToken stop) => Json.Answer(context, await ContextAsync(client, stories, id, context.Request.Query["step"].ToString(), stop)));
    }

    static async Task<object> PageAsync(PawlClient client, Stories stories, IQueryCollection query, CancellationToken stop)
    {
        var (items, searched, last, isCut, behind) = (new List<object>(), 0, default(RunHead), false, ListEndpoints.Behind(query));
        // Those whose other steps go on are few, and stand on the first page.
        if (behind is null)
            await foreach (var head in client.ListAsync(new RunQuery { Statuses = [RunStatus.Running], Limit = MostRunning }, stop)) items.AddRange(Asked(head, await QuestionsAsync(stories, head, stop)));
        await foreach (var head in client.ListAsync(new RunQuery { Statuses = [RunStatus.Waiting], Behind = behind, Limit = MostSearched + 1 }, stop))
        {
            isCut = searched++ == MostSearched || items.Count >= MostOnPage;
            if (isCut) break;
            last = head;
            items.AddRange(Asked(head, head.Waits));
        }
        return new { items, next = isCut ? ListEndpoints.Place(last!) : null };

        static IEnumerable<object> Asked(RunHead head, IEnumerable<Wait> waits) =>
            waits.Where(wait => wait.Message is not null).Select(wait => new { head.RunId, head.Workflow, step = wait.Path, wait.Message, wait.Due, since = head.UpdatedAt });
    }

    static async Task<IEnumerable<Wait>> QuestionsAsync(Stories stories, RunHead head, CancellationToken stop)
    {
        try { return (await stories.OfAsync(head, stop)).Questions; }
        catch (Exception error) when (error is JournalCorruptException or RunNotFoundException)
        {
            // Its own page says so; the others' questions are asked all the same.
            return [];
        }
    }

    /// <summary>The params of a run, of which secrets are none, and what the steps in front of a step have left; what is long is cut.</summary>
    static async Task<object> ContextAsync(PawlClient client, Stories stories, string id, string step, CancellationToken stop)
    {
        var head = await RunEndpoints.HeadAsync(client, id, stop);
        var story = await stories.OfAsync(head, stop);
        var asking = story.Find(step.Split('/', '[')[0]) ?? throw new BadRequestException($"Run '{id}' has no step '{step}'.");
        var steps = new List<object>();
        foreach (var path in asking.Before.Take(MostSteps))
        {
            if (story.Find(path)?.Current is not { } record) continue;
            var log = RunEndpoints.Log(record);
            steps.Add(new
            {
                path, record.Status,
                output = record.OutputRef is { Bytes: > MostRead } ? null : Beginning((await client.OutputAsync(id, record, stop))?.ToString()),
                said = log is null or { Bytes: > MostRead } ? null : End(Encoding.UTF8.GetString((await client.Store.ReadPayloadAsync(id, log, stop)).Span)),
            });
        }
        return new { @params = (await client.ParamsAsync(id, stop)).ToDictionary(param => param.Key, param => Beginning(param.Value.ToString())), steps, more = Math.Max(0, asking.Before.Count - MostSteps) };
    }

    static string? Beginning(string? text) => text is { Length: > MostText } ? $"{text[..MostText]} …" : text;

    // The last lines of what a shell said tell most.
    static string End(string text) => text.Length > MostText ? $"… {text[^MostText..]}" : text;
}
