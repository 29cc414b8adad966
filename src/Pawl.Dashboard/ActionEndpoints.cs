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
    internal sealed record Repetition(Dictionary<string, JsonElement>? Params = null);
    internal sealed record Execution(Dictionary<string, JsonElement>? Params = null, string? From = null, string? Until = null, List<string>? Only = null, bool All = false, bool RerunChanged = false, bool Force = false)
    {
        /// <summary>A plan and the resume that it shows are asked for alike.</summary>
        public ResumeOptions AsOptions() => new() { Params = Values(Params), From = From, Select = Part(), RerunChanged = RerunChanged, Force = Force };

        StepSelection? Part() => (All, Until, Only) switch
        {
            (false, null, null) => null,
            (true, null, null) => new StepSelection(),
            (false, _, null) or (false, null, _) => new StepSelection { Until = Until, Only = Only },
            _ => throw new BadRequestException("'all', 'until' and 'only' exclude one another: name one of them."),
        };
    }

    internal sealed record ForkBody(long? At = null, string? Before = null, Dictionary<string, JsonElement>? Params = null, Dictionary<string, JsonElement>? State = null,
        Dictionary<string, JsonElement>? Outputs = null, bool Run = true, bool DryRun = false);
    internal sealed record Pruning(double? OlderThanDays = null, int KeepLast = 0, string? Workflow = null, bool DryRun = true, List<string>? Runs = null);

    public static void Map(RouteGroupBuilder api, PawlClient client, Definitions definitions, Passes passes, Removals removals, DashboardOptions options)
    {
        api.MapPost("/runs/{id}/decide", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<Decision>(context);
            var by = options.Actor(context);
            var isFirst = asked.Approve
                ? await client.ApproveAsync(id, asked.Step, by, asked.Reason, asked.Changes, context.RequestAborted)
                : await client.RejectAsync(id, asked.Step, by, asked.Reason, context.RequestAborted);
            var first = isFirst ? null : await FirstAsync(context, id, act => act.What is "approved" or "rejected" && IsBelow(act.Detail, asked.Step));
            return Json.Answer(context, new { is_first = isFirst, first, problem = await GoOnAsync(context, id) });
        });
        api.MapPost("/runs/{id}/signal", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<SignalBody>(context);
            var isFirst = await client.SignalAsync(id, asked.Name, asked.Body, options.Actor(context), context.RequestAborted);
            var first = isFirst ? null : await FirstAsync(context, id, act => act.What == "signaled" && act.Detail == asked.Name);
            return Json.Answer(context, new { is_first = isFirst, first, problem = await GoOnAsync(context, id) });
        });
        api.MapPost("/runs/{id}/cancel", async (HttpContext context, string id) => Json.Answer(context, await client.CancelAsync(id, options.Actor(context), TimeSpan.FromSeconds(2), context.RequestAborted)));
        api.MapPost("/runs/{id}/pause", async (HttpContext context, string id) => Json.Answer(context, await client.PauseAsync(id, options.Actor(context), TimeSpan.FromSeconds(2), context.RequestAborted)));
        api.MapPost("/runs/{id}/resume", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<Execution>(context);
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            var workflow = await definitions.OfAsync(head, context.RequestAborted);
            var resume = asked.AsOptions() with { By = options.Actor(context) };
            await passes.BeginAsync((onEvent, stop) => client.ResumeAsync(workflow, id, resume with { OnEvent = onEvent }, stop));
            return Begun(id);
        });
        api.MapPost("/runs/{id}/rerun", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<Repetition>(context);
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            var workflow = await definitions.OfAsync(head, context.RequestAborted);
            var runId = $"{id}-{Random.Shared.Next(0x1000000):x6}";
            // As the command does it: what it was is kept, but it is no run of the schedule that made the other one.
            var tags = head.Tags.Where(tag => tag.Key is not ("schedule" or "rerun_of")).Append(new("rerun_of", id)).ToDictionary();
            var start = new StartOptions { RunId = runId, By = options.Actor(context), Tags = tags, Partition = head.Partition };
            await passes.BeginAsync((onEvent, stop) => client.RerunAsync(workflow, id, Values(asked.Params), start with { OnEvent = onEvent }, stop));
            return Begun(runId);
        });
        api.MapPost("/runs/{id}/fork", async (HttpContext context, string id) =>
        {
            var asked = await Json.ReadAsync<ForkBody>(context);
            var by = options.Actor(context);
            var parent = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            var workflow = asked.Run || asked.DryRun ? await definitions.OfAsync(parent, context.RequestAborted) : asked.Params is { Count: > 0 } ? await definitions.FindAsync(parent, context.RequestAborted) : null;
            // The resume gets them, since the fork keeps none; the journal of an older program does not say which they are.
            var secrets = Values(asked.Params).IntersectBy(workflow?.Params.Where(param => param.Type == "secret").Select(param => param.Name) ?? [], pair => pair.Key).ToDictionary();
            var fork = new ForkOptions { At = asked.At, Before = asked.Before, Params = Values(asked.Params).ExceptBy(secrets.Keys, pair => pair.Key).ToDictionary(), State = Values(asked.State), Outputs = Values(asked.Outputs), By = by };
            if (asked.DryRun) return Json.Answer(context, await client.PlanForkAsync(workflow!, id, fork, new ResumeOptions { Params = secrets }, context.RequestAborted));
            var child = await client.ForkAsync(id, fork, context.RequestAborted);
            if (asked.Run) await passes.BeginAsync((onEvent, stop) => client.ResumeAsync(workflow!, child.RunId, new ResumeOptions { Params = secrets, By = by, OnEvent = onEvent }, stop), async () => await client.DeleteAsync(child.RunId, CancellationToken.None));
            return Begun(child.RunId);
        });
        api.MapPost("/runs/{id}/requeue", async (HttpContext context, string id) => Json.Answer(context, await client.RequeueAsync(id, options.Actor(context), context.RequestAborted)));
        api.MapPost("/runs/{id}/delete", async (HttpContext context, string id) =>
        {
            try { await RunEndpoints.HeadAsync(client, id, context.RequestAborted); }
            catch (JournalCorruptException)
            {
                // It is there, and can be removed.
            }
            var done = await removals.RemoveAsync([id], options.Actor(context), context.RequestAborted);
            return done.Refused is [{ Why: var why }, ..] ? Problems.Of(StatusCodes.Status409Conflict, why, "Look at the run: a process may hold it.") : Json.Answer(context, new { removed = done.Removed.Count > 0, record = done.RunId });
        });
        api.MapPost("/prune", async (HttpContext context, CancellationToken stop) =>
        {
            var asked = await Json.ReadAsync<Pruning>(context);
            var policy = new RetentionPolicy { MaxAge = asked.OlderThanDays is { } days ? TimeSpan.FromDays(days) : null, KeepLast = asked.KeepLast };
            var fitting = await client.PruneAsync(policy, asked.Workflow, dryRun: true, stop);
            if (asked.DryRun) return Json.Answer(context, new { asked.DryRun, items = fitting });
            // What has come to fit since it was shown stays, and so does what no longer fits.
            var shown = asked.Runs?.ToHashSet() ?? throw new BadRequestException("Name the runs that go, in 'runs': those that were shown.");
            var done = await removals.RemoveAsync([.. fitting.Select(head => head.RunId).Where(shown.Contains)], options.Actor(context), stop);
            return Json.Answer(context, new { asked.DryRun, items = fitting.Where(head => done.Removed.Contains(head.RunId)), record = done.RunId });
        });
        api.MapPost("/schedules/{name}/pause", async (HttpContext context, string name) => Json.Answer(context, await client.PauseScheduleAsync(name, options.Actor(context), context.RequestAborted)));
        api.MapPost("/schedules/{name}/resume", async (HttpContext context, string name) => Json.Answer(context, await client.ResumeScheduleAsync(name, options.Actor(context), context.RequestAborted)));
        api.MapPost("/schedules/{name}/trigger", async (HttpContext context, string name) => Json.Answer(context, await client.TriggerAsync(name, options.Actor(context), context.RequestAborted)));

        // Who said first what counts. A step may have asked before: the newest answer is the one to what it asks now.
        async Task<AuditEndpoints.Act?> FirstAsync(HttpContext context, string id, Func<RunAct, bool> isIt)
        {
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            return (await client.ActsAsync(id, context.RequestAborted)).LastOrDefault(isIt) is { } act ? AuditEndpoints.Of(head, act) : null;
        }

        // A run in a queue is woken by its workers; another would sit there with its answer. What was said is kept, whatever happens here: the same said again tries again.
        async Task<string?> GoOnAsync(HttpContext context, string id)
        {
            try
            {
                var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
                // A child run goes on with the run that waits for it.
                while (head is { ParentRunId: { } parent, Owner: null } && await client.FindAsync(parent, context.RequestAborted) is { } above) head = above;
                if (head is { Queue: null, Owner: null, Status: RunStatus.Waiting or RunStatus.Running } && await definitions.FindAsync(head, context.RequestAborted) is { } workflow)
                    await passes.BeginAsync((onEvent, stop) => client.ResumeAsync(workflow, head.RunId, new ResumeOptions { OnEvent = onEvent }, stop));
                return null;
            }
            catch (ResumeRefusedException refused) when (refused.Refusal.Reason is RefusalReason.Held or RefusalReason.Waiting or RefusalReason.Completed or RefusalReason.Canceled)
            {
                // Another process goes on with it, or has ended it, or it waits for more.
                return null;
            }
            catch (Exception error) when (error is PawlException or IOException or BadRequestException)
            {
                return error.Message;
            }
        }
    }

    static bool IsBelow(string? path, string step) => path?.StartsWith(step, StringComparison.Ordinal) == true && (path.Length == step.Length || path[step.Length] is '/' or '[' or ',');

    public static IResult Begun(string runId) => Json.Result(new { run_id = runId }, StatusCodes.Status202Accepted);

    public static Dictionary<string, object?> Values(Dictionary<string, JsonElement>? given) => given?.ToDictionary(pair => pair.Key, pair => (object?)pair.Value) ?? [];
}
