using System.Globalization;
using System.Text.Json;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl;

/// <summary>Runs started by a step of this run. It executes them itself; one that is parked goes on without it, and tells it at its end.</summary>
sealed class ChildRuns(Run run)
{
    // A message comes right before the end that it tells of.
    static readonly TimeSpan s_soon = TimeSpan.FromMilliseconds(20);
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    public async Task<RunResult> RunAsync(StepAttempt parent, string name, Workflow workflow, IReadOnlyDictionary<string, object?>? parameters)
    {
        var path = name.Length == 0 ? parent.Path : $"{parent.Path}/{name}";
        run.Claim(parent, $"{parent.Path}/child run {name}");
        // The id follows from run and path: a parent that resumes finds its child, and goes on with it.
        var childId = RunIds.Child(run.Id, path);
        RunResult result;
        try { result = await EndOfAsync(parent, path, childId, workflow, parameters); }
        catch (OperationCanceledException) when (run.IsStopping || parent.Cancellation.IsCancellationRequested)
        {
            parent.Interrupt();
            if (run.Stop == StopReason.Cancel) await EndAsync(run.Client.CancelAsync, childId);
            // Handed over, taken from us or parked, the run goes on, and so does its child.
            else if (run.Stop is StopReason.None or StopReason.Pause or StopReason.TimeLimit or StopReason.Interrupt) await EndAsync(run.Client.PauseAsync, childId);
            throw;
        }
        catch (IOException away)
        {
            // As with a checkpoint that cannot be written: the store is away, and the step has not failed.
            run.RequestStop(StopReason.WriteFailed, new CheckpointWriteException($"The child run '{childId}' could not be started or looked at: {away.Message}", away));
            parent.Interrupt();
            throw;
        }
        await CountAsync(parent, childId);
        if (result.Status == RunStatus.Completed) return result;
        throw new StepFailedException(path, new StepError("child_run", $"child run '{result.RunId}' {result.Status.ToString().ToLowerInvariant()}: {result.Error}", ErrorClass.Permanent));
    }

    async Task<RunResult> EndOfAsync(StepAttempt parent, string path, string childId, Workflow workflow, IReadOnlyDictionary<string, object?>? parameters)
    {
        var (client, stop) = (run.Client, parent.Cancellation);
        var wait = new Wait(path, Wait.ForChild(childId), null);
        // A child that failed while this run waited for it has ended; one that failed before is to go on.
        var waited = run.WokenFrom.Contains(wait);
        while (true)
        {
            stop.ThrowIfCancellationRequested();
            // Read before the child's head: the message of an end behind it is a later one, and not missed.
            var messages = await run.Waits.LookAsync(stop);
            var head = await client.FindAsync(childId, stop);
            if (head is { Status: RunStatus.Completed } || (waited && head is { Status: RunStatus.Failed or RunStatus.Canceled, WakeAt: null })) return await client.ResultOfAsync(head, stop);
            if (head is { Owner: not null } && messages.Any(message => message.Answers(From(head)) && TokenOf(message) >= head.Token))
            {
                await Task.Delay(s_soon, run.Time, stop);
                continue;
            }
            if (head is { Owner: not null } || (waited && head is { Status: RunStatus.Paused }) || (head is not null && await client.StillWaitsAsync(head, stop) is not null))
            {
                await run.Waits.ForAsync(parent, wait, stop, messages.Count);
                waited = true;
                continue;
            }
            // One that failed and goes on by itself has not ended: its time is waited for, and whoever is first goes on with it.
            var goesOn = head is { Status: RunStatus.Failed, WakeAt: not null } && (waited || run.Parking.Executes is not null);
            if (goesOn && head!.WakeAt - run.Time.GetUtcNow() is { Ticks: > 0 } rest)
            {
                await Task.Delay(rest, run.Time, stop);
                continue;
            }
            var parking = ParkingOf(head, workflow, parameters);
            try
            {
                var result = await client.StartAsync(workflow, parameters, new StartOptions
                {
                    RunId = childId, IfExists = ExistingRun.Join, ParentRunId = run.Id, Partition = run.Journal.Head.Partition, Queue = parking.Executes is null ? null : run.Queued,
                    OnEvent = happened => Forward(path, happened),
                }, new ResumeOptions { OnEvent = happened => Forward(path, happened), IsAutomatic = goesOn }, parking, stop);
                if (run.Lease is null || result.Status == RunStatus.Completed) return result;
                if (result.CheckpointWriteFailed) throw new IOException(result.Error);
                waited = true;
            }
            catch (ResumeRefusedException refused) when (refused.Refusal.Reason is RefusalReason.Held or RefusalReason.Waiting)
            {
                // Another one was quicker.
            }
        }
    }

    /// <summary>A child may be parked when whoever wakes this run can go on with the child, too.</summary>
    Parking ParkingOf(RunHead? child, Workflow workflow, IReadOnlyDictionary<string, object?>? parameters)
    {
        // What a secret is given is stored nowhere: nobody else could give it.
        var secret = workflow.Params.Any(param => param.Type == "secret" && parameters?.ContainsKey(param.Name) == true);
        var queue = child is null ? run.Queued?.Queue : child.Queue;
        return secret || queue is null != (run.Parking.Executes is null) || run.Parking.Executes?.Invoke(workflow) == false ? Parking.Never : run.Parking;
    }

    /// <summary>What the child took is a cost of the step, once: what an earlier attempt counted of it is left out.</summary>
    async Task CountAsync(StepAttempt parent, string childId)
    {
        if (run.Lease is null) return;
        var spent = (await run.Client.CostsAsync(childId)).Spent with { Duration = TimeSpan.Zero };
        var counted = default(Cost);
        if (parent.Number > 1)
            foreach (var record in await run.Client.HistoryAsync(run.Id))
                if (record.Path == parent.Path && record.Data.Span.IndexOf(CountedName) >= 0) counted = Counted(record, childId) ?? counted;
        if (spent != default) parent.Count(childId, spent, spent.Since(counted));
    }

    static ReadOnlySpan<byte> CountedName => "child_runs"u8;

    static Cost? Counted(Checkpoint record, string childId)
    {
        using var data = JsonDocument.Parse(record.Data);
        return data.RootElement.TryGetProperty(CountedName, out var runs) && runs.TryGetProperty(childId, out var spent) ? Cost.Read(spent) : null;
    }

    /// <summary>For the record of the step that counts them.</summary>
    public static byte[] Written(IReadOnlyDictionary<string, (Cost All, Cost More)> runs) => PassRecords.Write(w =>
    {
        w.WriteStartObject(CountedName);
        foreach (var (id, (cost, _)) in runs)
        {
            w.WritePropertyName(id);
            cost.Write(w);
        }
        w.WriteEndObject();
    });

    // One that was deleted and made anew counts its tokens anew.
    static string From(RunHead child) => $"{Wait.ForChild(child.RunId)}:{child.CreatedAt.UtcTicks}";

    static long TokenOf(RunMessage message) => long.Parse(message.Name.AsSpan(message.Name.LastIndexOf(':') + 1), CultureInfo.InvariantCulture);

    /// <summary>Tells a run's parent that the pass with this token ends it. Sent before the end is written: so a process that dies in between leaves a child that will
    /// be taken over and tell again, not one whose end nobody hears of.</summary>
    public static async Task TellAsync(ICheckpointStore store, RunHead child, long token, DateTimeOffset now)
    {
        if (child.ParentRunId is null) return;
        try { await store.PostAsync(child.ParentRunId, new RunMessage($"{From(child)}:{token}", null, now), CancellationToken.None); }
        catch (RunNotFoundException)
        {
            // It was deleted, or is kept nowhere.
        }
    }

    /// <summary>Ends what a parked run waits for with it.</summary>
    public static async Task EndAsync(RunHead parent, Func<string, string?, TimeSpan?, CancellationToken, Task<RunHead>> end)
    {
        foreach (var wait in parent.Waits.Where(wait => wait.IsChildRun)) await EndAsync(end, RunIds.Child(parent.RunId, wait.Path));
    }

    static async Task EndAsync(Func<string, string?, TimeSpan?, CancellationToken, Task<RunHead>> end, string childId)
    {
        try { await end(childId, null, s_patience, CancellationToken.None); }
        catch (Exception over) when (over is RunNotFoundException or IllegalTransitionException)
        {
            // Nothing is left to end.
        }
    }

    void Forward(string path, RunEvent happened)
    {
        if (happened is RunEvent.Output output) run.Publish(output with { Path = $"{path}/{output.Path}" });
        else if (happened is RunEvent.Warning warning) run.Publish(warning);
    }
}
