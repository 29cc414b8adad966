namespace Pawl.Storage;

/// <summary>Which runs to list. All conditions must hold.</summary>
public sealed record RunQuery
{
    /// <summary>Only this run.</summary>
    public string? RunId { get; init; }

    /// <summary>Only this workflow.</summary>
    public string? Workflow { get; init; }

    /// <summary>Only these statuses.</summary>
    public IReadOnlyCollection<RunStatus>? Statuses { get; init; }

    /// <summary>Only runs created at or after this time.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Tags or partition values that must be there.</summary>
    public IReadOnlyDictionary<string, string>? Where { get; init; }

    /// <summary>Only runs that a list has behind this place: the next page.</summary>
    public RunPlace? Behind { get; init; }

    /// <summary>At most this many. Default: all.</summary>
    public int Limit { get; init; } = int.MaxValue;

    /// <summary>Whether a head meets the conditions (the limit aside).</summary>
    public bool Matches(RunHead head) =>
        (RunId is null || head.RunId == RunId)
        && (Workflow is null || head.Workflow == Workflow)
        && (Statuses is null || Statuses.Contains(head.Status))
        && (Since is null || head.CreatedAt >= Since)
        && (Behind is not { } place || head.CreatedAt < place.CreatedAt || (head.CreatedAt == place.CreatedAt && string.CompareOrdinal(head.RunId, place.RunId) < 0))
        && (Where is null || Where.All(pair =>
            (head.Tags.TryGetValue(pair.Key, out var tag) && tag == pair.Value)
            || (head.Partition.TryGetValue(pair.Key, out var part) && part == pair.Value)));
}

/// <summary>A place in a list of runs, which is ordered by the time of creation and then by id, newest first.</summary>
/// <param name="CreatedAt">When the run was created.</param>
/// <param name="RunId">The run; it need not exist any more.</param>
public readonly record struct RunPlace(DateTimeOffset CreatedAt, string RunId);

/// <summary>Which runs a worker takes. A run must be in one of the queues, and the worker must be able to execute it.</summary>
public sealed record WorkQuery
{
    /// <summary>The queues that the worker serves, each with the places it has free.</summary>
    public required IReadOnlyList<QueueDemand> Queues { get; init; }

    /// <summary>Workflows, with version, that the worker has in code.</summary>
    public IReadOnlyCollection<WorkflowKey> Workflows { get; init; } = [];

    /// <summary>The worker can also execute runs that carry their definition.</summary>
    public bool Portable { get; init; }

    /// <summary>Whether a worker with these definitions can execute the run.</summary>
    public bool CanExecute(RunHead head) => (Portable && head.Portable) || Workflows.Contains(new WorkflowKey(head.Workflow, head.Version));

    /// <summary>Whether a worker should take a run that nobody holds: it is due, a message came, or its worker died. Pure.</summary>
    /// <param name="head">The run.</param>
    /// <param name="messages">How many messages it has.</param>
    /// <param name="now">The store's clock.</param>
    public static bool IsDue(RunHead head, int messages, DateTimeOffset now) => head.Queue is not null && head.Status switch
    {
        RunStatus.Running => true,
        RunStatus.Waiting => head.WakeAt <= now || messages > head.Seen,
        RunStatus.Pending or RunStatus.Failed => head.WakeAt <= now,
        _ => false,
    };
}

/// <summary>What runs of one queue share. Every worker of a queue should be given the same limits.</summary>
/// <param name="Name">Letters, digits and <c>. _ -</c>, at most 128.</param>
public sealed record QueueOptions(string Name)
{
    /// <summary>The queue of runs that were put into none by name.</summary>
    public const string DefaultName = "default";

    /// <summary>Runs that execute at the same time, over all workers; null is no limit.</summary>
    public int? Concurrency { get; init; }

    /// <summary>Runs that execute at the same time in one worker; null is the worker's own limit.</summary>
    public int? WorkerConcurrency { get; init; }

    /// <summary>Runs that begin within <see cref="Per"/>, over all workers; null is no limit.</summary>
    public int? Rate { get; init; }

    /// <summary>The window of <see cref="Rate"/>. Default 1 s.</summary>
    public TimeSpan Per { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A partition key (<see cref="StartOptions.Partition"/>): its values take turns, so that one that enqueues much does not keep the others waiting. Null: no turns.</summary>
    public string? FairBy { get; init; }
}

/// <summary>A workflow by name and version.</summary>
public readonly record struct WorkflowKey(string Name, int Version);

/// <summary>How many runs of a queue a worker can take.</summary>
/// <param name="Queue">Its limits.</param>
/// <param name="Places">Places that the worker has free for it.</param>
public readonly record struct QueueDemand(QueueOptions Queue, int Places);

/// <summary>A run that was taken.</summary>
/// <param name="Lease">The right to execute it.</param>
/// <param name="Head">Its head before.</param>
public readonly record struct TakenRun(RunLease Lease, RunHead Head);

/// <summary>Something happened in the store.</summary>
/// <param name="RunId">A message was left for this run; null when there may be runs to take.</param>
public readonly record struct StoreHint(string? RunId);

/// <summary>The choice of runs for a worker, as a pure function: the meaning of <see cref="ICheckpointStore.TakeAsync"/>.</summary>
public static class WorkChoice
{
    /// <summary>The runs to claim, in order.</summary>
    /// <param name="work">What the worker can do.</param>
    /// <param name="runs">Every run, with the owner that holds it, and how many messages it has.</param>
    /// <param name="now">The store's clock.</param>
    public static List<RunHead> Of(WorkQuery work, IReadOnlyCollection<(RunHead Head, int Messages)> runs, DateTimeOffset now)
    {
        var chosen = new List<RunHead>();
        foreach (var (queue, places) in work.Queues)
        {
            var inQueue = runs.Where(run => run.Head.Queue == queue.Name).ToList();
            var held = inQueue.Where(run => run.Head.Owner is not null).ToList();
            var free = Math.Min(places, (queue.Concurrency ?? int.MaxValue) - held.Count);
            var starts = queue.Rate is { } rate ? rate - inQueue.Count(run => run.Head.StartedAt is { } began ? began > now - queue.Per : run.Head.Owner is not null) : int.MaxValue;
            var turns = held.GroupBy(run => Turn(run.Head)).ToDictionary(group => group.Key, group => group.Count());
            var due = inQueue.Where(run => run.Head.Owner is null && work.CanExecute(run.Head) && WorkQuery.IsDue(run.Head, run.Messages, now))
                .OrderByDescending(run => run.Head.Priority).ThenBy(run => run.Head.CreatedAt).ThenBy(run => run.Head.RunId, StringComparer.Ordinal)
                .Select(run => (run.Head, Turn: turns[Turn(run.Head)] = turns.GetValueOrDefault(Turn(run.Head)) + 1)).ToList();
            if (queue.FairBy is not null) due = [.. due.OrderBy(run => run.Turn)];
            foreach (var (head, _) in due)
            {
                if (free <= 0) break;
                if (head.Status == RunStatus.Pending && starts-- <= 0) continue;
                free--;
                chosen.Add(head);
            }

            string Turn(RunHead head) => queue.FairBy is { } key ? head.Partition.GetValueOrDefault(key, "") : "";
        }
        return chosen;
    }
}
