using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>What steps say while they run, as server-sent events. The id of an event is the place behind it: who comes back with it hears what is new.</summary>
static class LiveEndpoints
{
    static readonly TimeSpan s_every = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan s_comeBack = TimeSpan.FromSeconds(1);

    public static void Map(RouteGroupBuilder api, PawlClient client, Feed feed, CancellationToken stopping) =>
        api.MapGet("/runs/{id}/live", async (HttpContext context, string id) =>
        {
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            context.Response.Headers.CacheControl = "no-store";
            context.Response.Headers["X-Accel-Buffering"] = "no";
            return TypedResults.ServerSentEvents(SaidAsync(client, feed, head, context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } last] ? last : null, context.RequestAborted, stopping));
        });

    static async IAsyncEnumerable<SseItem<string>> SaidAsync(PawlClient client, Feed feed, RunHead head, string? place, CancellationToken gone, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(gone, stopping);
        var stop = either.Token;
        // The store is asked when the run changed, by one look for all who watch it; in between only the file of this machine.
        await using var changes = feed.Run(head.RunId, stop).GetAsyncEnumerator(stop);
        var changed = changes.MoveNextAsync().AsTask();
        using var timer = new PeriodicTimer(s_every);
        try
        {
            do
            {
                if (changed.IsCompleted)
                {
                    if (!await changed || await client.FindAsync(head.RunId, stop) is not { } now) yield break;
                    head = now;
                    changed = changes.MoveNextAsync().AsTask();
                }
                var news = await client.LiveAsync(head, place, stop);
                if (news.Lines.Count > 0)
                    yield return new SseItem<string>(Encoding.UTF8.GetString(AnswerJson.Of(new { news.HasGap, news.Lines })), "said") { EventId = news.Place, ReconnectionInterval = s_comeBack };
                place = news.Place ?? place;
            } while (await timer.WaitForNextTickAsync(stop));
        }
        finally
        {
            // An enumerator that is still asked cannot be disposed.
            await either.CancelAsync();
            await changed.ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }
}
