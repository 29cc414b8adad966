using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Pawl.Dashboard;

/// <summary>Changes as server-sent events. An event says that there is news and its mark; who comes back with the last mark hears nothing until there is other news.
/// Whoever asks with <c>Pawl-Seen: MARK</c> says which change made it ask.</summary>
static class FeedEndpoints
{
    static readonly TimeSpan s_comeBack = TimeSpan.FromSeconds(1);

    public static void Map(RouteGroupBuilder api, Feed feed, CancellationToken stopping)
    {
        api.MapGet("/events", (HttpContext context) => Stream(context, feed.Runs, stopping));
        api.MapGet("/runs/{id}/events", async (HttpContext context, string id) =>
        {
            // Where there is none a browser gives up, instead of coming back each second.
            if (!RunIds.IsValid(id) || !await feed.Run(id, context.RequestAborted).AnyAsync(context.RequestAborted)) throw new RunNotFoundException(id);
            return Stream(context, stop => feed.Run(id, stop), stopping);
        });
    }

    static ServerSentEventsResult<string> Stream(HttpContext context, Func<CancellationToken, IAsyncEnumerable<string>> marks, CancellationToken stopping)
    {
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(EventsAsync(context.Request.Headers["Last-Event-ID"].ToString(), marks, context.RequestAborted, stopping));
    }

    /// <summary>All who ask this because of the same change are given one answer. It must not depend on who asks.</summary>
    public static RouteHandlerBuilder Shared(this RouteHandlerBuilder endpoint, Feed feed) => endpoint.AddEndpointFilter(async (call, next) =>
    {
        var context = call.HttpContext;
        if (context.Request.Headers["Pawl-Seen"] is not [{ Length: > 0 } seen]) return await next(call);
        var shared = feed.Share((string?)context.Request.RouteValues["id"], seen, context.Request.Path + context.Request.QueryString, async () => await next(call));
        if (shared is null) return await next(call);
        try
        {
            return await shared.WaitAsync(context.RequestAborted);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            // The one whose question it was has gone.
            return await next(call);
        }
    });

    static async IAsyncEnumerable<SseItem<string>> EventsAsync(string last, Func<CancellationToken, IAsyncEnumerable<string>> marks, CancellationToken gone, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(gone, stopping);
        await foreach (var mark in marks(either.Token))
        {
            if (mark != last) yield return new SseItem<string>(mark, "changed") { EventId = mark, ReconnectionInterval = s_comeBack };
            // It may come back to a mark later.
            last = "";
        }
    }
}
