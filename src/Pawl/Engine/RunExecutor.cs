using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>One pass over one run: from its claim to the record that ends the pass.</summary>
static class RunExecutor
{
    public static async Task<RunResult> ExecuteAsync(Run run, RunLease? lease, CancellationToken cancellation)
    {
        var began = run.Time.GetTimestamp();
        using var asked = cancellation.Register(() => run.RequestStop(run.Parking.Executes is not null ? StopReason.Drain : StopReason.Interrupt));
        using var limit = run.Workflow.Options.Timeout is { } timeout ? new TimeLimit(timeout, run) : null;
        using var late = limit?.Token.Register(() => run.RequestStop(StopReason.TimeLimit));
        run.Lease = lease;
        if (lease is null) return await PassAsync(run, began);
        await run.Client.Keeper.AddAsync(run, lease);
        try { return await PassAsync(run, began); }
        finally { await run.Client.Keeper.RemoveAsync(run); }
    }

    static async Task<RunResult> PassAsync(Run run, long began)
    {
        var reused = run.Journal.Head.Done;
        run.Budget = Budget.InForce(run.Workflow.Options.Budget, run.Journal);
        Diagnostics.Log.Began(run.Log, run.Id, run.Workflow.Name, reused);
        run.Publish(new RunEvent.Started(run.Time.GetUtcNow(), run.Id, run.IsResumed, reused));
        var selected = run.Select?.In(run.Workflow, run.Journal);
        var graph = run.Journal.Compensating is null ? await run.Graph.RunAsync(run.Workflow.Steps, "", null, run.Kill, null, selected) : new GraphScheduler.Result([], Stopped: false);

        var (status, errorStep, error) = await EndAsync(run, graph);
        Diagnostics.Log.Ended(run.Log, run.Id, status);
        run.Publish(new RunEvent.Ended(run.Time.GetUtcNow(), status, error));
        var reports = run.Reports;
        return new RunResult
        {
            RunId = run.Id, Workflow = run.Workflow.Name, Status = status, Steps = reports, ErrorStep = errorStep, Error = error,
            CheckpointWriteFailed = run.Stop == StopReason.WriteFailed, Duration = run.Time.GetElapsedTime(began),
            Saved = Planning.CostLedger.Saved(run.Journal, reports),
            ResumesAt = status == RunStatus.Failed ? run.Journal.Head.WakeAt : null, Waits = status == RunStatus.Waiting ? run.Waits.Open : [], Json = run.Json, Outputs = path => run.Journal.Find(path) is { HasOutput: true } entry ? run.Journal.Output(entry) : null,
        };
    }

    static async Task<(RunStatus, string? Step, string? Error)> EndAsync(Run run, GraphScheduler.Result graph)
    {
        // A pause or an interruption that came when everything was done already has nothing left to stop.
        var allDone = graph.Failures.Count == 0 && run.Workflow.Steps.All(step => run.Journal.Find(step.Id) is { IsDone: true });
        if (run.IsStopping && !(allDone && run.Stop is StopReason.Park or StopReason.Pause or StopReason.Drain or StopReason.Interrupt or StopReason.TimeLimit)) return await StopAsync(run);
        if (run.Journal.Compensating is { } begun) return await CompensateAsync(run, begun.Path, begun.Error!);
        if (graph.Failures.Count > 0)
        {
            // The step's own record has the detail.
            var (path, error) = (graph.Failures[0].Path, graph.Failures[0].Error with { Detail = null });
            if (run.Workflow.Options.OnFailure == FailurePolicy.Compensate) return await CompensateAsync(run, path, error);
            return await RecordAsync(run, CheckpointKind.Failed, RunStatus.Failed, path, error, null);
        }
        var open = run.Workflow.Steps.Where(step => run.Journal.Find(step.Id) is not { IsDone: true }).Select(step => step.Id).ToList();
        List<string> behind = run.Select is { } part && part != part.Behind ? [.. open.Intersect(part.Behind.Chosen(run.Workflow))] : [];
        if (behind.Count > 0)
            return await RecordAsync(run, CheckpointKind.Paused, RunStatus.Paused, null, null, $"only a part was asked for; not yet run: {string.Join(", ", behind)}");
        return await RecordAsync(run, CheckpointKind.Completed, RunStatus.Completed, null, null, open.Count > 0 ? $"left out by request: {string.Join(", ", open)}" : null);
    }

    static async Task<(RunStatus, string? Step, string? Error)> StopAsync(Run run)
    {
        switch (run.Stop)
        {
            case StopReason.WriteFailed or StopReason.LeaseLost:
                return Unwritten(run, null);
            case StopReason.Park:
                return await WaitAsync(run, run.Waits.Record("waiting"));
            case StopReason.Drain:
                return await WaitAsync(run, run.Waits.Record("handed over by a worker that stops", atOnce: true));
            case StopReason.Cancel:
                return await RecordAsync(run, CheckpointKind.Canceled, RunStatus.Canceled, null, null, $"canceled {PassRecords.Asked(run.StoppedBy)}");
            case StopReason.Pause:
                return await RecordAsync(run, CheckpointKind.Paused, RunStatus.Paused, null, null, run.OverBudget is { } over ? $"over budget: {over.What}. {over.Mend}" : $"paused {PassRecords.Asked(run.StoppedBy)}");
            case StopReason.TimeLimit when run.Journal.Compensating is null:
                var limit = new StepError("timeout", $"the run's time limit of {run.Workflow.Options.Timeout} was exceeded", ErrorClass.Transient);
                return await RecordAsync(run, CheckpointKind.Failed, RunStatus.Failed, null, limit, null);
            default:
                return await RecordAsync(run, CheckpointKind.Paused, RunStatus.Paused, null, null, run.Journal.Compensating is null ? "interrupted" : "interrupted while compensating; a resume goes on with it");
        }
    }

    static async Task<(RunStatus, string?, string?)> RecordAsync(Run run, CheckpointKind kind, RunStatus status, string? step, StepError? error, string? reason)
    {
        var goesOn = kind == CheckpointKind.Failed ? Planning.AutoResume.When(run) : null;
        // A child that goes on by itself has not ended.
        if (kind != CheckpointKind.Paused && goesOn is null && run.Lease is { } lease)
        {
            try { await ChildRuns.TellAsync(run.Client.Store, run.Journal.Head, lease.Token, run.Time.GetUtcNow()); }
            catch (IOException away)
            {
                run.RequestStop(StopReason.WriteFailed, new CheckpointWriteException($"The end of run '{run.Id}' could not be told to its parent '{run.Journal.Head.ParentRunId}': {away.Message}", away));
                return Unwritten(run, step);
            }
        }
        var data = goesOn is { } at ? Planning.AutoResume.Written(at) : PassRecords.By(kind is CheckpointKind.Canceled or CheckpointKind.Paused ? run.StoppedBy : null);
        var draft = new Checkpoint { Kind = kind, At = run.Time.GetUtcNow(), Path = step, Error = error, Reason = reason, Data = data };
        return await run.Steps.AppendAsync(draft, marked: true, null) ? (status, step, error?.Message ?? reason) : Unwritten(run, step);
    }

    static async Task<(RunStatus, string?, string?)> WaitAsync(Run run, Checkpoint draft) =>
        await run.Steps.AppendAsync(draft, marked: true, null) ? (RunStatus.Waiting, null, null) : Unwritten(run, null);

    static (RunStatus, string?, string?) Unwritten(Run run, string? step) =>
        // Who took the lease goes on with the run.
        run.Stop == StopReason.LeaseLost ? (RunStatus.Running, null, run.StopCause?.Message) : (RunStatus.Failed, step, $"checkpoint_write_failed: {run.StopCause?.Message}");

    /// <summary>Undoes finished steps, the last one first. Each undo is recorded, so a run that dies here goes on undoing.</summary>
    static async Task<(RunStatus, string?, string?)> CompensateAsync(Run run, string? failedStep, StepError error)
    {
        if (run.Journal.Compensating is null && !await run.Steps.AppendAsync(new Checkpoint { Kind = CheckpointKind.Compensating, At = run.Time.GetUtcNow(), Path = failedStep, Error = error }, marked: true, null))
            return Unwritten(run, failedStep);
        var problems = new List<string>();
        foreach (var entry in Planning.UndoOrder.Of(run.Workflow, run.Journal.Order))
        {
            if (run.IsStopping) break;
            if ((run.Workflow.Find(entry.Path) ?? run.Seen.GetValueOrDefault(entry.Path)) is not { Compensate: { } undo } step) continue;
            if (await UndoAsync(run, entry.Path, step, undo) is { } problem) problems.Add(problem);
        }
        if (run.IsStopping) return await StopAsync(run);
        var message = problems.Count == 0 ? $"{error.Message} (finished steps were compensated)" : $"{error.Message} (compensation failed: {string.Join("; ", problems)})";
        return await RecordAsync(run, CheckpointKind.Failed, RunStatus.Failed, failedStep, error with { Message = message }, null);
    }

    static async Task<string?> UndoAsync(Run run, string path, Step step, Func<StepContext, Task> undo)
    {
        for (var attempt = 1; ; attempt++)
        {
            var began = run.Time.GetTimestamp();
            var (failure, told) = (default(StepError), default(StepResult));
            run.Waits.Enter(null);
            try
            {
                var undone = undo(new StepContext(run, new StepAttempt(path, attempt, "compensation", run.Kill, failedBefore: true, null)));
                await undone;
                failure = (told = (undone as Task<StepResult>)?.Result)?.Error;
            }
            catch (Exception error)
            {
                failure = new StepError(error.GetType().Name, error.Message, (step.Options.Retry.Classifier ?? RetryPolicy.Classify)(error));
            }
            finally { run.Waits.Leave(null); }
            if (run.IsStopping && failure is not null) return null;
            if (failure is { Class: ErrorClass.Transient } && attempt < step.Options.Retry.Attempts)
            {
                await Task.Delay(step.Options.Retry.DelayAfter(attempt, 0), run.Time, CancellationToken.None);
                continue;
            }
            var status = failure is null ? StepStatus.Completed : StepStatus.Failed;
            await run.Steps.AppendAsync(new Checkpoint { Kind = CheckpointKind.Compensated, At = run.Time.GetUtcNow(), Path = path, Status = status, Attempt = attempt, Duration = run.Time.GetElapsedTime(began), Error = failure, Reason = "compensation", Data = told?.Info?.Utf8 ?? default }, marked: true, told?.Attachments?.Select(content => new Storage.Payload(StepExecutor.Address(content), content)).ToList());
            run.StepEnded(new StepReport(path, status, attempt, run.Time.GetElapsedTime(began), Restored: false, "compensation", failure));
            return failure is null ? null : $"'{path}': {failure.Message}";
        }
    }
}
