using Pawl.Engine;

namespace Pawl;

/// <summary>Runs started by a step of this run.</summary>
sealed class ChildRuns(Run run)
{
    public async Task<RunResult> RunAsync(StepAttempt parent, string name, Workflow workflow, IReadOnlyDictionary<string, object?>? parameters)
    {
        var path = name.Length == 0 ? parent.Path : $"{parent.Path}/{name}";
        run.Claim(parent, $"{parent.Path}/child run {name}");
        // The id follows from run and path: a parent that resumes finds its child, and goes on with it.
        var result = await run.Client.StartAsync(workflow, parameters, new StartOptions
        {
            RunId = RunIds.Child(run.Id, path), IfExists = ExistingRun.Join, ParentRunId = run.Id, Partition = run.Journal.Head.Partition,
            OnEvent = happened => Forward(path, happened),
        }, Parking.Never, parent.Cancellation);
        if (result.Status == RunStatus.Completed) return result;
        if (run.IsStopping || parent.Cancellation.IsCancellationRequested)
        {
            parent.Interrupt();
            throw new OperationCanceledException($"Run '{run.Id}' is stopping.");
        }
        throw new StepFailedException(path, new StepError("child_run", $"child run '{result.RunId}' {result.Status.ToString().ToLowerInvariant()}: {result.Error}", ErrorClass.Permanent));
    }

    void Forward(string path, RunEvent happened)
    {
        if (happened is RunEvent.Output output) run.Publish(output with { Path = $"{path}/{output.Path}" });
        else if (happened is RunEvent.Warning warning) run.Publish(warning);
    }
}
