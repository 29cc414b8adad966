using Pawl.Cli.Commands;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Live;

/// <summary>One pass over a run as the caller meets it: the display, the result, and the way on.</summary>
sealed class Pass(Cli cli, PawlClient client, Workflow workflow)
{
    string? _runId;

    public bool Verbose { get; init; }

    /// <summary>What the run asks is asked here and now, and the run goes on with the answer.</summary>
    public bool MayAsk { get; init; }

    /// <summary>The part that was asked for; a run that did it all and waits for the rest is no failure.</summary>
    public StepSelection? Select { get; init; }

    bool Keeps => client.Options.Checkpointing && workflow.Options.Strategy != CheckpointStrategy.Off;

    public async Task<int> RunAsync(Func<Action<RunEvent>, Task<RunResult>> execute)
    {
        // A wrong setting is told before the run, not behind it.
        var retention = Retention.Of(workflow, cli);
        SayDurability();
        var display = cli switch
        {
            { IsStream: true } => new StreamDisplay(cli),
            { TextIsTerminal: true, IsJson: false } when !Verbose => await LiveAsync(),
            _ => (RunDisplay)new PlainDisplay(cli, Verbose),
        };
        RunResult result;
        await using var stopping = cli.Stop.Register(() => cli.Warn("Stopping: running steps are ended and the journal is closed. A second Ctrl+C ends at once."));
        try
        {
            var pass = execute(happened =>
            {
                if (happened is RunEvent.Started started) _runId = started.RunId;
                display.On(happened);
            });
            await display.WhileAsync(pass);
            result = await pass;
        }
        catch (Exception) when (_runId is not null && Keeps)
        {
            // The error itself is told at the top; here only what a person needs to go on.
            SayWayOn(_runId);
            throw;
        }
        var interrupted = cli.Stop.IsCancellationRequested && result.Status == RunStatus.Paused;
        Say(result, interrupted);
        if (MayAsk && Keeps && await Decisions.AskAsync(cli, client, result))
            return await RunAsync(onEvent => client.ResumeAsync(workflow, result.RunId, ResumeCommand.WithFacts(new ResumeOptions { OnEvent = onEvent }, cli.Caller, workflow), cli.Stop));
        WriteJson(result);
        if (Keeps && result.Status == RunStatus.Completed) await PruneAsync(retention);
        return Code(result, interrupted);
    }

    int Code(RunResult result, bool interrupted) => result switch
    {
        { CheckpointWriteFailed: true } => ExitCode.NotWritten,
        { Status: RunStatus.Completed } => ExitCode.Done,
        { Status: RunStatus.Failed or RunStatus.Canceled } => ExitCode.Failed,
        // Another process took it, and goes on with it.
        { Status: RunStatus.Running } => ExitCode.Refused,
        _ when interrupted => ExitCode.Interrupted,
        { Status: RunStatus.Paused } when DidItsPart(result) => ExitCode.Done,
        _ => ExitCode.Waiting,
    };

    bool DidItsPart(RunResult result) =>
        (Select?.Only ?? (Select?.Until is { } until ? [until] : null)) is { } asked
        && asked.All(id => result.Steps.Any(step => step.Path == id && step.Status is StepStatus.Completed or StepStatus.Skipped));

    // A private method of its own, so that a plain run never loads the assembly of the live display.
    async Task<RunDisplay> LiveAsync()
    {
        var estimates = Keeps ? await Estimates.ReadAsync(client, workflow.Name, cli.Stop) : Estimates.None;
        return new LiveDisplay(cli, workflow, estimates);
    }

    void SayDurability()
    {
        if (!Keeps) cli.Say(cli.Ink.Careful("Checkpoints are off: nothing is kept, and this run cannot be resumed."));
        else if (client.Store.Info is { Durability: < DurabilityClass.Power } info)
            cli.Say(cli.Ink.Careful($"Checkpoints in {cli.Store.Uri} survive {(info.Durability == DurabilityClass.Process ? "the end of this process, not a loss of power" : "nothing beyond this process")}{(info.Remark is { } remark ? $": {remark}" : "")}."));
    }

    void Say(RunResult result, bool interrupted)
    {
        var steps = result.Steps.Where(step => !step.Path.Contains('/', StringComparison.Ordinal) && !step.Path.Contains('[', StringComparison.Ordinal)).ToList();
        var (ran, reused, skipped) = (steps.Count(step => step is { Restored: false, Status: StepStatus.Completed }), steps.Count(step => step.Restored), steps.Count(step => step is { Restored: false, Status: StepStatus.Skipped }));
        var counts = $"{Human.Count(ran, "step")} run{(reused > 0 ? $", {reused} reused" : "")}{(Human.Cost(result.Saved) is { Length: > 0 } saves ? $" (saves {saves})" : "")}{(skipped > 0 ? $", {skipped} skipped" : "")}";
        var (state, what) = result switch
        {
            { Status: RunStatus.Completed } => ("completed", $"✓ {result.RunId} completed in {Human.Duration(result.Duration)}: {counts}"),
            { CheckpointWriteFailed: true } => ("failed", $"✗ {result.RunId} stopped: {result.Error}"),
            { Status: RunStatus.Failed, ErrorStep: { } step } => ("failed", $"✗ {result.RunId} failed at '{step}': {Human.Line(result.Error)}"),
            { Status: RunStatus.Failed } => ("failed", $"✗ {result.RunId} failed: {Human.Line(result.Error)}"),
            { Status: RunStatus.Canceled } => ("canceled", $"■ {result.RunId} was canceled ({counts})"),
            { Waits.Count: > 0 } => ("waiting", $"‖ {result.RunId} waits: {string.Join("; ", result.Waits.Select(wait => $"'{wait.Path}' for {HeadView.Describe(wait, cli)}"))} ({counts})"),
            _ when interrupted => ("paused", $"■ {result.RunId} was interrupted ({counts}); {(Keeps ? "what is done is kept" : "nothing of it is kept")}"),
            _ => (Words.Of(result.Status), $"‖ {result.RunId} is {Words.Of(result.Status)}: {Human.Line(result.Error)} ({counts})"),
        };
        cli.Say(cli.Ink.Of(state, what));
        foreach (var wait in result.Waits)
        {
            if (wait.Message is not null) cli.Say($"Decide with:  {cli.CommandLine("approve", result.RunId, wait.Path)}   or reject");
            else if (wait.Signal is { } signal && !wait.IsChildRun) cli.Say($"Send it with:  {cli.CommandLine("signal", result.RunId, signal)}");
        }
        if (HasWayOn(result)) SayWayOn(result.RunId);
    }

    bool HasWayOn(RunResult result) => Keeps && result.Status is not (RunStatus.Completed or RunStatus.Canceled or RunStatus.Running);

    void SayWayOn(string runId) => cli.Say($"Go on with:  {cli.CommandLine("resume", runId)}");

    void WriteJson(RunResult result) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("run_id", result.RunId);
        w.WriteString("workflow", result.Workflow);
        w.WriteString("status", Words.Of(result.Status));
        w.WriteStartArray("steps");
        foreach (var step in result.Steps)
        {
            w.WriteStartObject();
            w.WriteString("step", step.Path);
            w.WriteString("status", Words.Of(step.Status));
            w.WriteNumber("attempt", step.Attempt);
            w.WriteNumber("duration_ms", Math.Round(step.Duration.TotalMilliseconds, 3));
            w.WriteBoolean("restored", step.Restored);
            w.WriteString("reason", step.Reason);
            w.WriteString("error", step.Error?.Message);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        HeadView.List(w, "restored", result.Restored);
        HeadView.List(w, "executed", result.Executed);
        w.WriteString("error_step", result.ErrorStep);
        w.WriteString("error", result.Error);
        w.WriteNumber("duration_ms", Math.Round(result.Duration.TotalMilliseconds, 3));
        HeadView.Write(w, "saved", result.Saved);
        w.WriteStartArray("waits");
        foreach (var wait in result.Waits)
        {
            w.WriteStartObject();
            HeadView.Write(w, wait);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteBoolean("checkpoint_write_failed", result.CheckpointWriteFailed);
        w.WriteString("store", Keeps ? cli.Store.Uri : null);
        w.WriteString("resume", HasWayOn(result) ? cli.CommandLine("resume", result.RunId) : null);
        w.WriteEndObject();
    });

    /// <summary>Old finished runs go when a run has completed; trouble with that is no trouble of this run.</summary>
    async Task PruneAsync(RetentionPolicy retention)
    {
        try
        {
            var removed = await client.PruneAsync(retention, workflow.Name, dryRun: false, cli.Stop);
            if (removed.Count > 0) cli.Say(cli.Ink.Faint($"{Human.Count(removed.Count, "old run")} removed by the retention policy."));
        }
        catch (OperationCanceledException) { }
        catch (Exception error) when (error is PawlException or IOException or UnauthorizedAccessException)
        {
            cli.Warn($"Old runs could not be removed: {error.Message}");
        }
    }
}
