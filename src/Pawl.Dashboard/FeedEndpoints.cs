using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Pawl.Dashboard;

/// <summary>Changes as server-sent events. An event says that there is news and its mark; who comes back with the last mark hears nothing until there is other news.</summary>
static class FeedEndpoints
{
    static readonly TimeSpan s_comeBack = TimeSpan.FromSeconds(1);

    public static void Map(RouteGroupBuilder api, Feed feed, CancellationToken stopping)
    {
        api.MapGet("/events", (HttpContext context) => Stream(context, feed.Runs, stopping));
        api.MapGet("/runs/{id}/events", (HttpContext context, string id) => RunIds.IsValid(id)
            ? Stream(context, stop => feed.Run(id, stop), stopping) : throw new RunNotFoundException(id));
    }

    static ServerSentEventsResult<string> Stream(HttpContext context, Func<CancellationToken, IAsyncEnumerable<string>> marks, CancellationToken stopping)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(EventsAsync(context.Request.Headers["Last-Event-ID"].ToString(), marks, context.RequestAborted, stopping));
    }

    static async IAsyncEnumerable<SseItem<string>> EventsAsync(string last, Func<CancellationToken, IAsyncEnumerable<string>> marks, CancellationToken gone, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(gone, stopping);
        await foreach (var mark in marks(either.Token))
            if (mark != last) yield return new SseItem<string>(mark, "changed") { EventId = mark, ReconnectionInterval = s_comeBack };
    }
}
