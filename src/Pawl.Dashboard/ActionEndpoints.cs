using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Pawl.Dashboard;

/// <summary>What can be done to runs. Each says who asked; what executes here goes on when its page is closed.</summary>
static class ActionEndpoints
{
    internal sealed record Decision(string Step, bool Approve, string? Reason = null, JsonElement? Changes = null);
    internal sealed record SignalBody(string Name, JsonElement? Body = null);
    internal sealed record Execution(Dictionary<string, JsonElement>? Params = null, string? From = null, bool RerunChanged = false, bool Force = false);
    internal sealed record ForkBody(long? At = null, string? Before = null, Dictionary<string, JsonElement>? Params = null, Dictionary<string, JsonElement>? State = null,
        Dictionary<string, JsonElement>? Outputs = null, bool Run = true);
    internal sealed record Pruning(double? OlderThanDays = null, int KeepLast = 0, string? Workflow = null, bool DryRun = true);

    public static void Map(RouteGroupBuilder api, PawlClient client, Definitions definitions, DashboardOptions options, CancellationToken stopping)
    {
        var passes = new Passes(stopping);

        api.MapPost("/runs/{id}/decide", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<Decision>(context);
            var by = options.Actor(context);
            var isFirst = asked.Approve
                ? await client.ApproveAsync(id, asked.Step, by, asked.Reason, asked.Changes, context.RequestAborted)
                : await client.RejectAsync(id, asked.Step, by, asked.Reason, context.RequestAborted);
            if (isFirst) await GoOnAsync(context, id);
            return Json.Answer(context, new { is_first = isFirst });
        });
        api.MapPost("/runs/{id}/signal", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<SignalBody>(context);
            var isFirst = await client.SignalAsync(id, asked.Name, asked.Body, options.Actor(context), context.RequestAborted);
            if (isFirst) await GoOnAsync(context, id);
            return Json.Answer(context, new { is_first = isFirst });
        });
        api.MapPost("/runs/{id}/cancel", async (HttpContext context, string id) => Json.Answer(context, await client.CancelAsync(id, options.Actor(context), TimeSpan.FromSeconds(2), context.RequestAborted)));
        api.MapPost("/runs/{id}/pause", async (HttpContext context, string id) => Json.Answer(context, await client.PauseAsync(id, options.Actor(context), TimeSpan.FromSeconds(2), context.RequestAborted)));
        api.MapPost("/runs/{id}/resume", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<Execution>(context);
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            var workflow = await definitions.OfAsync(head, context.RequestAborted);
            var resume = new ResumeOptions { Params = Values(asked.Params), From = asked.From, RerunChanged = asked.RerunChanged, Force = asked.Force };
            await passes.BeginAsync((onEvent, stop) => client.ResumeAsync(workflow, id, resume with { OnEvent = onEvent }, stop));
            return Begun(id);
        });
        api.MapPost("/runs/{id}/rerun", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<Execution>(context);
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            var workflow = await definitions.OfAsync(head, context.RequestAborted);
            var runId = $"{id}-{Random.Shared.Next(0x1000000):x6}";
            var start = new StartOptions { RunId = runId, Tags = new Dictionary<string, string> { ["rerun_of"] = id, ["by"] = options.Actor(context) } };
            await passes.BeginAsync((onEvent, stop) => client.RerunAsync(workflow, id, Values(asked.Params), start with { OnEvent = onEvent }, stop));
            return Begun(runId);
        });
        api.MapPost("/runs/{id}/fork", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<ForkBody>(context);
            var parent = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            var workflow = asked.Run ? await definitions.OfAsync(parent, context.RequestAborted) : null;
            var child = await client.ForkAsync(id, new ForkOptions
            {
                At = asked.At, Before = asked.Before, Params = Values(asked.Params), State = Values(asked.State), Outputs = Values(asked.Outputs),
                Tags = new Dictionary<string, string> { ["by"] = options.Actor(context) },
            }, context.RequestAborted);
            if (workflow is not null) await passes.BeginAsync((onEvent, stop) => client.ResumeAsync(workflow, child.RunId, new ResumeOptions { OnEvent = onEvent }, stop));
            return Begun(child.RunId);
        });
        api.MapPost("/runs/{id}/requeue", async (HttpContext context, string id) => Json.Answer(context, await client.RequeueAsync(id, context.RequestAborted)));
        api.MapPost("/runs/{id}/delete", async (HttpContext context, string id) => Json.Answer(context, new { removed = await client.DeleteAsync(id, context.RequestAborted) }));
        api.MapPost("/prune", async (HttpContext context, CancellationToken stop) =>
        {
            var asked = await Json.ReadAsync<Pruning>(context);
            var policy = new RetentionPolicy { MaxAge = asked.OlderThanDays is { } days ? TimeSpan.FromDays(days) : null, KeepLast = asked.KeepLast };
            return Json.Answer(context, new { asked.DryRun, items = await client.PruneAsync(policy, asked.Workflow, asked.DryRun, stop) });
        });
        api.MapPost("/schedules/{name}/pause", async (HttpContext context, string name) => Json.Answer(context, await client.PauseScheduleAsync(name, options.Actor(context), context.RequestAborted)));
        api.MapPost("/schedules/{name}/resume", async (HttpContext context, string name) => Json.Answer(context, await client.ResumeScheduleAsync(name, context.RequestAborted)));
        api.MapPost("/schedules/{name}/trigger", async (HttpContext context, string name) => Json.Answer(context, await client.TriggerAsync(name, context.RequestAborted)));

        // A run in a queue is woken by its workers; another would sit there with its answer.
        async Task GoOnAsync(HttpContext context, string id)
        {
            if (await RunEndpoints.HeadAsync(client, id, context.RequestAborted) is not { Queue: null, Owner: null, ParentRunId: null } head) return;
            if (await definitions.FindAsync(head, context.RequestAborted) is not { } workflow) return;
            try { await passes.BeginAsync((onEvent, stop) => client.ResumeAsync(workflow, id, new ResumeOptions { OnEvent = onEvent }, stop)); }
            catch (ResumeRefusedException)
            {
                // What was said is kept; another process goes on with it, or it waits for more.
            }
        }
    }

    static IResult Begun(string runId) => Json.Result(new { run_id = runId }, StatusCodes.Status202Accepted);

    static Dictionary<string, object?> Values(Dictionary<string, JsonElement>? given) => given?.ToDictionary(pair => pair.Key, pair => (object?)pair.Value) ?? [];

    /// <summary>Passes that execute in this process. What ends one is in its journal, for whoever looks.</summary>
    sealed class Passes
    {
        static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

        readonly ConcurrentDictionary<Task, bool> _running = [];
        readonly CancellationToken _stop;

        public Passes(CancellationToken stopping)
        {
            var stop = new CancellationTokenSource();
            _stop = stop.Token;
            // Before the process ends each pass closes its journal.
            stopping.Register(() =>
            {
                stop.Cancel();
                Task.WhenAll(_running.Keys).ContinueWith(_ => { }, TaskScheduler.Default).Wait(s_patience);
            });
        }

        /// <summary>Returns when the pass has begun, durably; what keeps it from beginning is thrown.</summary>
        public async Task BeginAsync(Func<Action<RunEvent>, CancellationToken, Task> execute)
        {
            var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var pass = Task.Run(() => execute(happened => { if (happened is RunEvent.Started) begun.TrySetResult(); }, _stop), CancellationToken.None);
            _running[pass] = true;
            _ = pass.ContinueWith(done => { _ = done.Exception; _running.TryRemove(done, out _); }, TaskScheduler.Default);
            if (await Task.WhenAny(begun.Task, pass) == pass) await pass;
        }
    }
}
