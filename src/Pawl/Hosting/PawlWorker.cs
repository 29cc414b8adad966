using Microsoft.Extensions.Logging;
using Pawl.Storage;

namespace Pawl;

/// <summary>Settings of a <see cref="PawlWorker"/>.</summary>
public sealed record WorkerOptions
{
    /// <summary>Runs at a time. Default: four for each processor.</summary>
    public int Concurrency { get; init; } = Environment.ProcessorCount * 4;

    /// <summary>The queues it serves, with their limits. Default: the queue <c>default</c> without limits.</summary>
    public IReadOnlyList<QueueOptions> Queues { get; init; } = [new QueueOptions(QueueOptions.DefaultName)];

    /// <summary>Workflows in code that it executes: runs of these names and versions, and of those that their steps of the kind <c>workflow</c> run. One that a body runs
    /// (<see cref="StepContext.RunChildAsync"/>) should be here, too: otherwise its runs are not parked, and hold their parent's pass to their end.</summary>
    public IReadOnlyList<Workflow> Workflows { get; init; } = [];

    /// <summary>Schedules that it makes, or changes to these, when it starts; those of other workers of the same name should be the same. Their workflows are among
    /// <see cref="Workflows"/> without being named there. One that is left out here goes on until <see cref="PawlClient.UnscheduleAsync"/>.</summary>
    public IReadOnlyList<Schedule> Schedules { get; init; } = [];

    /// <summary>Makes a workflow of a definition that travels with its run (<c>WorkflowFile</c> of Pawl.Yaml does); null takes no such runs.</summary>
    public Func<WorkflowSource, Workflow>? Definitions { get; init; }

    /// <summary>How long runs may go on after the worker was asked to stop; then they are handed over to others. Default 30 s.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an idle worker waits for a hint before it looks by itself. Default 1 s.</summary>
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A run whose process died more often than this, without a step finished in between, becomes a dead letter. Default 5.</summary>
    public int MaxRecoveries { get; init; } = 5;

    /// <summary>How long finished runs stay whose workflow does not say it (<see cref="WorkflowOptions.Retention"/>). Default 30 days. A worker looks for older ones when a run of the
    /// workflow has ended, at most once a minute.</summary>
    public RetentionPolicy Retention { get; init; } = new();

    /// <summary>Its name in logs. Default: machine and process.</summary>
    public string Name { get; init; } = $"{Environment.MachineName}-{Environment.ProcessId}";
}

/// <summary>How a worker is.</summary>
/// <param name="Running">Runs that it executes.</param>
/// <param name="LastContact">When the store last answered; null while it does not.</param>
/// <param name="Draining">It was asked to stop.</param>
public sealed record WorkerHealth(IReadOnlyCollection<string> Running, DateTimeOffset? LastContact, bool Draining);

/// <summary>Takes runs from queues and executes them, many at a time; when it dies, others take over what it left.</summary>
/// <remarks>Waiting runs are parked: they hold nothing here. Thread safe.</remarks>
public sealed class PawlWorker(PawlClient client, WorkerOptions options)
{
    static readonly TimeSpan s_pruneInterval = TimeSpan.FromMinutes(1);

    readonly Lock _lock = new();
    readonly Dictionary<string, (string Queue, Task Task)> _running = [];
    readonly Dictionary<string, DateTimeOffset> _pruneNext = [];
    readonly ILogger _log = client.Options.Logging.CreateLogger("Pawl.Worker");
    readonly Dictionary<WorkflowKey, Workflow> _workflows = WithChildren(options.Workflows.Union(options.Schedules.Select(schedule => schedule.Workflow)).ToList());
    readonly Queue<Schedule> _schedules = new(options.Schedules);
    TaskCompletionSource _news = new();
    DateTimeOffset? _lastContact;
    bool _draining;

    TimeProvider Time => client.Time;

    /// <summary>How it is now.</summary>
    public WorkerHealth Health { get { lock (_lock) return new([.. _running.Keys], _lastContact, _draining); } }

    // Neither CancelAsync nor a cancelled Task.Delay in Task.WhenAny: both go by the thread pool, and a worker stays on its caller's scheduler.

    /// <summary>Works until the token is cancelled. Then takes nothing more, lets runs finish or park for <see cref="WorkerOptions.DrainTime"/>, and hands the rest over.</summary>
    /// <param name="cancellationToken">Asks to stop.</param>
    /// <returns>When nothing of this worker runs any more.</returns>
    /// <exception cref="InvalidDefinitionException">A schedule is wrong.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var schedule in _schedules) client.NextOf(schedule);
        Diagnostics.Log.WorkerBegan(_log, options.Name, string.Join(", ", options.Queues.Select(queue => queue.Name)), options.Concurrency);
        using var handOver = new CancellationTokenSource();
        using var watched = new CancellationTokenSource();
        var watching = WatchAsync(watched.Token);
        while (!cancellationToken.IsCancellationRequested)
        {
            TaskCompletionSource news;
            lock (_lock) news = _news.Task.IsCompleted ? _news = new TaskCompletionSource() : _news;
            var taken = await TakeAsync(handOver.Token, cancellationToken);
            // A full hand means that there may be more; otherwise something must happen first.
            if (taken > 0) continue;
            await WaitAsync(news, cancellationToken);
        }
        lock (_lock) _draining = true;
        var left = await DrainAsync(handOver);
        watched.Cancel();
        await watching;
        Diagnostics.Log.WorkerEnded(_log, options.Name, left);
    }

    async Task<int> TakeAsync(CancellationToken handOver, CancellationToken cancellationToken)
    {
        var count = 0;
        try
        {
            // Again and again until the store has them: it may be away when the worker starts.
            for (; _schedules.TryPeek(out var schedule); _schedules.Dequeue()) await ScheduleAsync(schedule, cancellationToken);
            // One queue behind the other: what the first leaves free is the next one's.
            foreach (var queue in options.Queues)
            {
                if (Demand(queue) is not { } work) continue;
                var taken = await client.Store.TakeAsync(work, client.Owner(), cancellationToken);
                client.Absence.Over();
                count += taken.Count;
                lock (_lock)
                {
                    _lastContact = Time.GetUtcNow();
                    foreach (var run in taken) _running[run.Lease.RunId] = (run.Head.Queue!, ExecuteAsync(run, handOver));
                }
            }
        }
        catch (OperationCanceledException) { }
        catch (IOException error)
        {
            // The look comes again by itself.
            client.Absence.Met(error.Message);
            lock (_lock) _lastContact = null;
        }
        return count;
    }

    async Task ScheduleAsync(Schedule schedule, CancellationToken cancellationToken)
    {
        try { await client.ScheduleAsync(schedule, cancellationToken); }
        catch (PawlException error) when (error is ResumeRefusedException or LeaseLostException or CheckpointWriteException)
        {
            throw new IOException($"The schedule '{schedule.Name}' could not be made: {error.Message}", error);
        }
    }

    /// <summary>Null when no run of the queue has a place here.</summary>
    WorkQuery? Demand(QueueOptions queue)
    {
        lock (_lock)
        {
            var places = Math.Min(options.Concurrency - _running.Count, (queue.WorkerConcurrency ?? int.MaxValue) - _running.Values.Count(run => run.Queue == queue.Name));
            return places <= 0 ? null : new WorkQuery { Queues = [new QueueDemand(queue, places)], Workflows = _workflows.Keys, Portable = options.Definitions is not null };
        }
    }

    async Task ExecuteAsync(TakenRun taken, CancellationToken handOver)
    {
        await Task.Yield();
        var runId = taken.Lease.RunId;
        try
        {
            var ended = await client.ExecuteAsync(taken, _workflows.GetValueOrDefault(new WorkflowKey(taken.Head.Workflow, taken.Head.Version)), options, Executes, handOver);
            if (ended is not null) await PruneAsync(ended, handOver);
        }
        catch (OperationCanceledException)
        {
            // Handed over before it began.
        }
        catch (Exception error) when (error is PawlException or IOException)
        {
            Diagnostics.Log.NotExecuted(_log, runId, error.Message);
        }
        finally
        {
            lock (_lock) _running.Remove(runId);
            Tell();
        }
    }

    /// <summary>Old finished runs of a workflow go; trouble with that is no trouble of the run that has ended.</summary>
    async Task PruneAsync(Workflow workflow, CancellationToken handOver)
    {
        var began = Time.GetUtcNow();
        lock (_lock)
        {
            if (_draining || _pruneNext.GetValueOrDefault(workflow.Name) > began) return;
            _pruneNext[workflow.Name] = began + s_pruneInterval;
        }
        try
        {
            await client.PruneAsync(workflow.Options.Retention ?? options.Retention, workflow.Name, cancellationToken: handOver);
            // A look at very many runs takes its time, and must not be all that is done.
            lock (_lock) _pruneNext[workflow.Name] = began + s_pruneInterval + ((Time.GetUtcNow() - began) * 100);
        }
        catch (Exception error) when (error is PawlException or IOException or UnauthorizedAccessException)
        {
            Diagnostics.Log.NotPruned(_log, workflow.Name, error.Message);
        }
    }

    // Runs of the workflows that steps of a workflow run go on by themselves, like any other.
    static Dictionary<WorkflowKey, Workflow> WithChildren(List<Workflow> given)
    {
        var all = given.ToDictionary(workflow => new WorkflowKey(workflow.Name, workflow.Version));
        given.ForEach(workflow => Add(workflow.Steps));
        return all;

        void Add(IReadOnlyList<Step> steps)
        {
            foreach (var step in steps)
            {
                if (step.ChildWorkflow is { } child && all.TryAdd(new WorkflowKey(child.Name, child.Version), child)) Add(child.Steps);
                Add(step.Children);
            }
        }
    }

    /// <summary>Whether it would take a run of this very definition, too.</summary>
    bool Executes(Workflow workflow)
    {
        if (_workflows.TryGetValue(new WorkflowKey(workflow.Name, workflow.Version), out var known)) return known.Fingerprint == workflow.Fingerprint;
        if (workflow.Source is not { } source || options.Definitions is null) return false;
        try { return options.Definitions(source).Fingerprint == workflow.Fingerprint; }
        catch (Exception) { return false; }
    }

    /// <summary>For news, or for the poll interval.</summary>
    async Task WaitAsync(TaskCompletionSource news, CancellationToken cancellationToken)
    {
        await using var timer = Time.CreateTimer(_ => news.TrySetResult(), null, options.PollInterval, Timeout.InfiniteTimeSpan);
        await using var asked = cancellationToken.Register(() => news.TrySetResult());
        await news.Task;
    }

    async Task WatchAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                await foreach (var _ in client.Store.WatchAsync(stop)) Tell();
            }
            catch (OperationCanceledException) { return; }
            catch (IOException)
            {
                // Without hints there is still the poll, which also says what is wrong.
                try { await Task.Delay(options.PollInterval, Time, stop); }
                catch (OperationCanceledException) { return; }
            }
        }
    }

    void Tell()
    {
        TaskCompletionSource news;
        lock (_lock) news = _news;
        news.TrySetResult();
    }

    /// <summary>How many runs had to be handed over.</summary>
    async Task<int> DrainAsync(CancellationTokenSource handOver)
    {
        Task all;
        lock (_lock) all = Task.WhenAll(_running.Values.Select(run => run.Task));
        var enough = new TaskCompletionSource();
        await using (Time.CreateTimer(_ => enough.TrySetResult(), null, options.DrainTime, Timeout.InfiniteTimeSpan))
        {
            _ = TellWhenAsync(all, enough);
            await enough.Task;
        }
        int left;
        lock (_lock) left = _running.Count;
        handOver.Cancel();
        await all;
        return left;
    }

    static async Task TellWhenAsync(Task all, TaskCompletionSource enough)
    {
        await all;
        enough.TrySetResult();
    }
}
