using Pawl.Storage;

namespace Pawl;

/// <summary>What earlier runs of the same workflow in the same store left. Read once a pass, when first asked for.</summary>
public sealed class RunHistory
{
    // A step whose last success is further back than this many runs counts as never run: it runs.
    const int RunsBack = 20;

    readonly ICheckpointStore _store;
    readonly string _workflow;
    readonly string _thisRun;
    readonly Lock _lock = new();
    Task<Dictionary<string, PastStep>>? _loading;

    internal RunHistory(ICheckpointStore store, string workflow, string thisRun)
    {
        _store = store;
        _workflow = workflow;
        _thisRun = thisRun;
    }

    /// <summary>The last success of a step that recorded what it read (<see cref="StepResult.Inputs"/>), or null. A run whose journal cannot be read is passed over.</summary>
    public async Task<PastStep?> FindLastSuccessAsync(string path, CancellationToken cancellationToken)
    {
        Task<Dictionary<string, PastStep>> loading;
        lock (_lock) loading = _loading ??= LoadAsync(CancellationToken.None);
        return (await loading.WaitAsync(cancellationToken)).GetValueOrDefault(path);
    }

    async Task<Dictionary<string, PastStep>> LoadAsync(CancellationToken cancellationToken)
    {
        var steps = new Dictionary<string, PastStep>();
        await foreach (var head in _store.ListAsync(new RunQuery { Workflow = _workflow, Limit = RunsBack + 1 }, cancellationToken))
        {
            if (head.RunId == _thisRun) continue;
            var found = new Dictionary<string, PastStep>();
            try
            {
                await foreach (var record in _store.ReadAsync(head.RunId, 1, cancellationToken))
                {
                    if (record is { Kind: CheckpointKind.Step, Inputs.IsEmpty: false } and ({ Status: StepStatus.Completed } or { Status: StepStatus.Skipped, Cause: SkipCause.Unchanged }))
                        found[record.Path!] = new PastStep(head.RunId, record.At, await OutputAsync(head.RunId, record, cancellationToken), new RawJson(record.Inputs))
                        {
                            Cost = record.Status == StepStatus.Completed ? Cost.Of(record) : Planning.CostLedger.SavedBy(record),
                        };
                    else if (record is { Kind: CheckpointKind.Step, Status: StepStatus.Failed or StepStatus.Completed } or { Kind: CheckpointKind.Compensated })
                        found.Remove(record.Path!);
                }
            }
            catch (PawlException)
            {
                // A damaged neighbour must not stop this run; without its record the step simply runs.
            }
            foreach (var (path, step) in found) steps.TryAdd(path, step);
        }
        return steps;
    }

    async ValueTask<RawJson?> OutputAsync(string runId, Checkpoint record, CancellationToken cancellationToken)
    {
        if (record.OutputRef is { } payload) return new RawJson(await _store.ReadPayloadAsync(runId, payload, cancellationToken));
        return record.Output.IsEmpty ? null : new RawJson(record.Output);
    }
}

/// <summary>An earlier success of a step.</summary>
/// <param name="RunId">Its run.</param>
/// <param name="At">When.</param>
/// <param name="Output">Its output, or null.</param>
/// <param name="Inputs">What it read.</param>
public sealed record PastStep(string RunId, DateTimeOffset At, RawJson? Output, RawJson Inputs)
{
    /// <summary>What it took to make.</summary>
    public Cost Cost { get; init; }
}
