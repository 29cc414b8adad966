using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>One action for many runs: first what each would get, then the same, with a line of JSON for each run as it is done.</summary>
/// <remarks>What is done is what was shown: the runs are named, and each is looked at once more. Whoever goes away while it is done stops what has not begun.</remarks>
sealed class BulkEndpoints(PawlClient client, Definitions definitions, Passes passes, Removals removals, DashboardOptions options)
{
    const int MostRuns = 500;

    // Passes that one request lets execute here at the same time, and requests to processes that are under way.
    const int MostPasses = 16;
    const int MostAsked = 8;

    static readonly string[] s_actions = ["cancel", "pause", "resume", "requeue", "fork", "delete"];

    internal sealed record Bulk(string Action, List<string>? Runs = null, bool DryRun = true);
    sealed record Item(string RunId, string Workflow, RunStatus? Status, string? Does = null, string? Refused = null, string? NewRun = null);

    public void Map(RouteGroupBuilder api) => api.MapPost("/bulk", async (HttpContext context, CancellationToken stop) =>
    {
        var asked = await Json.ReadAsync<Bulk>(context);
        if (!s_actions.Contains(asked.Action)) throw new BadRequestException($"There is no action '{asked.Action}'. They are: {string.Join(", ", s_actions)}.");
        if (asked.DryRun)
        {
            var (heads, more) = await FittingAsync(context, asked, stop);
            var items = new List<Item>();
            foreach (var head in heads) items.Add(await LookAsync(asked.Action, head, stop));
            return Json.Answer(context, new { asked.Action, items, more, at_most = MostRuns });
        }
        if (asked.Runs is not { Count: > 0 and <= MostRuns } runs) throw new BadRequestException($"Name the runs, at most {MostRuns}: those that were shown.");
        var by = options.Actor(context);
        return Results.Stream(async output =>
        {
            await foreach (var item in DoAsync(asked.Action, runs, by, stop))
            {
                await output.WriteAsync(AnswerJson.Of(item), stop);
                await output.WriteAsync("\n"u8.ToArray(), stop);
                await output.FlushAsync(stop);
            }
        }, "application/x-ndjson");
    });

    /// <summary>The runs named, or those that the filter of the list finds.</summary>
    async Task<(List<RunHead> Heads, bool More)> FittingAsync(HttpContext context, Bulk asked, CancellationToken stop)
    {
        var heads = new List<RunHead>();
        if (asked.Runs is { } runs)
        {
            if (runs.Count > MostRuns) throw new BadRequestException($"At most {MostRuns} runs at a time.");
            foreach (var id in runs.Distinct())
                if (await FindAsync(id, stop) is { } head) heads.Add(head);
            return (heads, false);
        }
        await foreach (var head in ListEndpoints.SearchAsync(client, context.Request.Query, stop))
        {
            if (heads.Count == MostRuns) return (heads, true);
            heads.Add(head);
        }
        return (heads, false);
    }

    // One that is damaged can be removed like any other, and keeps nothing from being done to the others.
    async Task<RunHead?> FindAsync(string id, CancellationToken stop)
    {
        try { return RunIds.IsValid(id) ? await client.FindAsync(id, stop) : null; }
        catch (JournalCorruptException damage)
        {
            return new RunHead { RunId = id, Workflow = "", Status = RunStatus.Failed, Error = damage.Message };
        }
    }

    /// <summary>What a run gets; nothing is changed.</summary>
    async Task<Item> LookAsync(string action, RunHead head, CancellationToken stop)
    {
        var item = new Item(head.RunId, head.Workflow, head.Status);
        var isOver = head.Status is RunStatus.Completed or RunStatus.Canceled;
        try
        {
            return action switch
            {
                "cancel" when isOver => item with { Refused = $"It is {Word(head)} already." },
                "cancel" => item with { Does = head.Owner is { } owner ? $"is stopped in process {owner.Pid} on {owner.Host}, and ends" : "ends" },
                "pause" when head.Owner is null => item with { Refused = $"It is {(head.Status == RunStatus.Running ? "left by a process that died" : Word(head))}: nothing of it runs." },
                "pause" => item with { Does = "starts nothing new, and pauses" },
                "delete" when head.Owner is { } owner => item with { Refused = $"Process {owner.Pid} on {owner.Host} executes it. Cancel it first." },
                "delete" => item with { Does = isOver ? "is removed for good" : $"is removed for good; it is {Word(head)}, and could still go on" },
                "requeue" when head.Queue is null => item with { Refused = "It was never in a queue." },
                "requeue" when head.Owner is not null || isOver => item with { Refused = head.Owner is not null ? "It is executed now." : $"It is {Word(head)}." },
                "requeue" => item with { Does = $"goes back into the queue {head.Queue}" },
                "fork" when head.Status != RunStatus.Failed => item with { Refused = $"It has not failed; it is {Word(head)}." },
                "fork" when await definitions.FindAsync(head, stop) is null => item with { Refused = $"The workflow {head.Workflow} is not known here." },
                "fork" => item with { Does = $"a new run keeps the {head.Done} steps that are done, and goes on{(head.ErrorStep is { } step ? $" with {step}" : "")}" },
                _ => await LookAtResumeAsync(item, head, stop),
            };
        }
        catch (PawlException error)
        {
            return item with { Refused = error.Message };
        }
    }

    async Task<Item> LookAtResumeAsync(Item item, RunHead head, CancellationToken stop)
    {
        if (await definitions.FindAsync(head, stop) is not { } workflow) return item with { Refused = $"The workflow {head.Workflow} is not known here." };
        var plan = await client.PlanAsync(workflow, head.RunId, cancellationToken: stop);
        if (plan.Refusals is [var refusal, ..]) return item with { Refused = $"{refusal.Message} {refusal.Hint}" };
        var reused = plan.Steps.Count(step => step.Decision == StepDecision.Reuse);
        return item with { Does = $"goes on here: reuses {reused} of {plan.Steps.Count} steps{(plan.Warnings.Count > 0 ? $". {plan.Warnings[0]}" : "")}" };
    }

    async IAsyncEnumerable<Item> DoAsync(string action, List<string> runs, string by, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        var open = new List<RunHead>();
        foreach (var id in runs.Distinct())
        {
            if (await FindAsync(id, stop) is not { } head)
            {
                yield return new Item(id, "", null, Refused: "There is no such run any more.");
                continue;
            }
            if (await LookAsync(action, head, stop) is { Refused: not null } refused) yield return refused;
            else open.Add(head);
        }
        if (action == "delete")
        {
            var done = await removals.RemoveAsync([.. open.Select(head => head.RunId)], by, stop);
            foreach (var head in open)
                yield return new Item(head.RunId, head.Workflow, head.Status, Does: done.Removed.Contains(head.RunId) ? "removed" : null, Refused: done.Refused.Find(one => one.RunId == head.RunId)?.Why);
            yield break;
        }
        var results = Channel.CreateUnbounded<Item>();
        var doing = Task.Run(async () =>
        {
            try { await (action is "resume" or "fork" ? ExecuteAsync(action, open, by, results.Writer, stop) : Parallel.ForEachAsync(open, new ParallelOptions { MaxDegreeOfParallelism = MostAsked, CancellationToken = stop }, async (head, stop) => await results.Writer.WriteAsync(await OneAsync(action, head, by, stop), stop))); }
            finally { results.Writer.Complete(); }
        }, stop);
        await foreach (var item in results.Reader.ReadAllAsync(stop)) yield return item;
        await doing;
    }

    async Task ExecuteAsync(string action, List<RunHead> heads, string by, ChannelWriter<Item> results, CancellationToken stop)
    {
        var running = new List<Task>();
        foreach (var head in heads)
        {
            stop.ThrowIfCancellationRequested();
            if (running.Count >= MostPasses) running.Remove(await Task.WhenAny(running).WaitAsync(stop));
            var item = new Item(head.RunId, head.Workflow, head.Status);
            try
            {
                var workflow = await definitions.OfAsync(head, stop);
                var child = action == "fork" ? await client.ForkAsync(head.RunId, new ForkOptions { By = by }, stop) : head;
                var (pass, _) = await passes.BeginAsync((onEvent, ended) => client.ResumeAsync(workflow, child.RunId, new ResumeOptions { By = by, OnEvent = onEvent }, ended), action == "fork" ? async () => await client.DeleteAsync(child.RunId, CancellationToken.None) : null);
                running.Add(pass);
                await results.WriteAsync(item with { Status = RunStatus.Running, Does = action == "fork" ? "forked, and the fork goes on" : "goes on", NewRun = action == "fork" ? child.RunId : null }, stop);
            }
            catch (Exception error) when (error is PawlException or IOException or BadRequestException)
            {
                await results.WriteAsync(item with { Refused = error.Message }, stop);
            }
        }
    }

    async Task<Item> OneAsync(string action, RunHead head, string by, CancellationToken stop)
    {
        var item = new Item(head.RunId, head.Workflow, head.Status);
        try
        {
            var after = action switch
            {
                "cancel" => await client.CancelAsync(head.RunId, by, TimeSpan.FromSeconds(2), stop),
                "pause" => await client.PauseAsync(head.RunId, by, TimeSpan.FromSeconds(2), stop),
                _ => await client.RequeueAsync(head.RunId, by, stop),
            };
            var isReached = action == "requeue" || after.Status == (action == "cancel" ? RunStatus.Canceled : RunStatus.Paused);
            return item with { Status = after.Status, Does = isReached ? action switch { "cancel" => "canceled", "pause" => "paused", _ => $"back in the queue {after.Queue}" } : "asked; it stops as soon as its steps allow" };
        }
        catch (Exception error) when (error is PawlException or IOException)
        {
            return item with { Refused = error.Message };
        }
    }

    static string Word(RunHead head) => head.Status.ToString().ToLowerInvariant();
}
