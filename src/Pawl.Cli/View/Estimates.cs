using Pawl.Storage;

namespace Pawl.Cli.View;

/// <summary>How long steps take, by the newest completed runs of a workflow: the median of each step.</summary>
sealed class Estimates
{
    const int RunsBack = 7;

    readonly Dictionary<string, TimeSpan> _medians;

    Estimates(Dictionary<string, TimeSpan> medians, int runs) => (_medians, Runs) = (medians, runs);

    public static Estimates None { get; } = new([], 0);

    /// <summary>How many runs they rest on.</summary>
    public int Runs { get; }

    public TimeSpan? Of(string path) => _medians.TryGetValue(path, out var median) ? median : null;

    public Estimates With(IEnumerable<(string Path, TimeSpan Duration)> known)
    {
        var medians = new Dictionary<string, TimeSpan>(_medians);
        foreach (var (path, duration) in known) medians[path] = duration;
        return new Estimates(medians, Runs);
    }

    public static async Task<Estimates> ReadAsync(PawlClient client, string workflow, CancellationToken stop)
    {
        var found = new Dictionary<string, List<TimeSpan>>();
        var runs = 0;
        await foreach (var head in client.ListAsync(new RunQuery { Workflow = workflow, Statuses = [RunStatus.Completed], Limit = RunsBack }, stop))
        {
            try
            {
                foreach (var record in await client.HistoryAsync(head.RunId, stop))
                {
                    if (record is not { Kind: CheckpointKind.Step, Status: StepStatus.Completed, Path: { } path }) continue;
                    if (!found.TryGetValue(path, out var durations)) found[path] = durations = [];
                    durations.Add(record.Duration);
                }
                runs++;
            }
            catch (PawlException)
            {
                // An estimate is no reason to stop: a damaged neighbour gives none.
            }
        }
        return new Estimates(found.ToDictionary(pair => pair.Key, pair => Median(pair.Value)), runs);
    }

    static TimeSpan Median(List<TimeSpan> durations)
    {
        durations.Sort();
        var middle = durations.Count / 2;
        return durations.Count % 2 == 1 ? durations[middle] : (durations[middle - 1] + durations[middle]) / 2;
    }
}
