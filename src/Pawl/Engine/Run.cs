using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Pawl.Engine;

/// <summary>Why a pass ends before its graph does, from weak to strong.</summary>
enum StopReason { None, Park, Pause, Drain, TimeLimit, Interrupt, Cancel, LeaseLost, WriteFailed }

#pragma warning disable CA1001 // Its token source has no timer, and whoever watches the run may ask it to stop at any time: there is nothing to dispose, and no moment for it.

/// <summary>One pass over one run: everything its steps share.</summary>
sealed class Run
{
    readonly Action<RunEvent>? _onEvent;
    readonly Lock _events = new();
    readonly Dictionary<string, StepAttempt> _claims = [];
    readonly CancellationTokenSource _kill = new();
    readonly List<StepReport> _reports = [];
    readonly HashSet<string> _told = [];
    int _stop;

    public Run(PawlClient client, Workflow workflow, Journal journal, RunParams parameters, bool isResumed, Action<RunEvent>? onEvent, StepSelection? select, Parking parking)
    {
        Client = client;
        Workflow = workflow;
        Journal = journal;
        Params = parameters;
        IsResumed = isResumed;
        _onEvent = onEvent;
        Select = select;
        Gate = new ConcurrencyGate(workflow.Options.Concurrency ?? int.MaxValue);
        Steps = new StepExecutor(this);
        Graph = new GraphScheduler(this);
        Waits = new Waits(this, parking);
        Parking = parking;
        Children = new ChildRuns(this);
        WarnUnpriced = Unpriced;
        WokenFrom = journal.Head.Waits;
        History = new RunHistory(client.Store, workflow.Name, Id);
        Log = client.Options.Logging.CreateLogger("Pawl.Run");
    }

    public PawlClient Client { get; }
    public PawlOptions Options => Client.Options;
    public JsonSerializerOptions Json => Client.Options.Json;
    public TimeProvider Time => Client.Time;
    public string Id => Journal.Head.RunId;
    public Workflow Workflow { get; }
    public Journal Journal { get; }
    public RunParams Params { get; }
    public bool IsResumed { get; }
    public StepSelection? Select { get; }
    public Cassette? Cassette { get; init; }
    public ConcurrencyGate Gate { get; }
    public StepExecutor Steps { get; }
    public GraphScheduler Graph { get; }
    public Waits Waits { get; }

    /// <summary>The right to execute it; null for a run that is kept nowhere.</summary>
    public Storage.RunLease? Lease { get; set; }
    public Parking Parking { get; }
    public ChildRuns Children { get; }
    public Action<string> WarnUnpriced { get; }

    /// <summary>What the pass before this one was parked with.</summary>
    public IReadOnlyList<Storage.Wait> WokenFrom { get; }

    /// <summary>How it was put into its queue; null when it is in none.</summary>
    public EnqueueOptions? Queued => Journal.Head is { Queue: { } queue } head ? new EnqueueOptions { Queue = queue, Priority = head.Priority } : null;
    public RunHistory History { get; }
    public ILogger Log { get; }
    public IReadOnlyDictionary<string, RawJson> State => Journal.State;

    /// <summary>A critical failure: nothing new starts anywhere in the run, but what runs because of failures.</summary>
    public bool IsHalted { get; set; }

    /// <summary>The limits of this pass, and which of them what the run took has exceeded.</summary>
    public Budget? Budget { get; set; }
    public (string What, string Mend)? OverBudget => Budget?.Exceeded(Journal.Spent, Id);

    /// <summary>Steps seen in this pass, by path, for compensation.</summary>
    public Dictionary<string, Step> Seen { get; } = [];

    public StopReason Stop => (StopReason)Volatile.Read(ref _stop);
    public Exception? StopCause { get; private set; }
    /// <summary>Who asked it to stop, when somebody did and said who.</summary>
    public string? StoppedBy { get; set; }
    public bool IsStopping => Stop != StopReason.None;
    public CancellationToken Kill => _kill.Token;
    public IReadOnlyList<StepReport> Reports { get { lock (_events) return [.. _reports]; } }

    /// <summary>Nothing new starts any more. All reasons but parking and a pause also stop what runs. The strongest reason stays.</summary>
    public void RequestStop(StopReason reason, Exception? cause = null)
    {
        lock (_events)
        {
            if ((int)reason > _stop) (_stop, StopCause) = ((int)reason, cause);
        }
        if (reason is not (StopReason.Park or StopReason.Pause)) TimeLimit.End(_kill, this);
    }

    /// <summary>Reserves a path for one sub-step of an attempt; another attempt of the same step may use it again.</summary>
    public void Claim(StepAttempt owner, string path)
    {
        lock (_claims)
        {
            if (_claims.TryGetValue(path, out var before) && (before == owner || before.Path != owner.Path))
            {
                var name = path[(owner.Path.Length + (path[owner.Path.Length] == '/' ? 1 : 0))..];
                throw new InvalidDefinitionException($"Step '{owner.Path}' used the sub-step name '{name}' twice. Names are how results are found again: in a loop make each unique, for example '{name}/1', '{name}/2'.");
            }
            _claims[path] = owner;
        }
    }

    /// <summary>Somebody listens: only then events are worth making.</summary>
    public bool IsWatched => _onEvent is not null;

    public void Publish(RunEvent happened)
    {
        if (_onEvent is not { } listener) return;
        lock (_events)
        {
            // Whoever only watches cannot make a step that succeeded fail.
            try { listener(happened); }
            catch (Exception error) { Diagnostics.Log.Warning(Log, Id, $"OnEvent failed: {error.Message}"); }
        }
    }

    public void StepEnded(StepReport report, TimeSpan? retryIn = null)
    {
        if (retryIn is null) lock (_events) _reports.Add(report);
        if (IsWatched) Publish(new RunEvent.StepEnded(Time.GetUtcNow(), report, retryIn));
    }

    /// <summary>A figure of nothing that should be one of money would be believed.</summary>
    void Unpriced(string model) => WarnOnce($"The model '{model}' has no price in 'prices': its tokens are counted, and cost nothing.");

    public void WarnOnce(string message)
    {
        lock (_told) { if (!_told.Add(message)) return; }
        Warn(message);
    }

    public void Warn(string message)
    {
        Diagnostics.Log.Warning(Log, Id, message);
        Publish(new RunEvent.Warning(Time.GetUtcNow(), message));
    }

    public void ReportProgress(StepAttempt attempt, double fraction, string? message)
    {
        attempt.SetProgress(fraction, message, Json);
        Publish(new RunEvent.Progress(Time.GetUtcNow(), attempt.Path, fraction, message));
    }
}

/// <summary>One try of one step. It is its own lock: there is one for every step of a run.</summary>
sealed class StepAttempt(string path, int number, string reason, CancellationToken cancellation, bool failedBefore, StepAttempt? parent)
{
    byte[]? _progress;

    public string Path => path;
    public int Number => number;
    public string Reason => reason;
    public CancellationToken Cancellation => cancellation;
    public bool FailedBefore => failedBefore;
    public StepAttempt? Parent => parent;

    /// <summary>What the step writes in together with its checkpoint.</summary>
    public Storage.IStepTransaction? Transaction { get; set; }

    /// <summary>What runs that this step started took in all, by their ids, and how much of that no earlier attempt has counted.</summary>
    public Dictionary<string, (Cost All, Cost More)>? ChildRuns { get; private set; }

    public Cost ChildCost => ChildRuns is null ? default : Cost.Sum(ChildRuns.Values.Select(child => child.More));

    public void Count(string childId, Cost all, Cost more)
    {
        lock (this)
        {
            ChildRuns ??= [];
            ChildRuns[childId] = (all, ChildRuns.GetValueOrDefault(childId).More + more);
        }
    }

    /// <summary>Steps under way below this one. Guarded by <see cref="Waits"/>.</summary>
    public int Children { get; set; }

    /// <summary>A leaf of the graph, or below one: it holds a place under the run's concurrency already.</summary>
    public bool IsInPlace { get; init; } = parent?.IsInPlace ?? false;

    /// <summary>The leaf whose place this one shares; null when there is none.</summary>
    public StepAttempt? Place => !IsInPlace ? null : parent?.Place ?? this;

    /// <summary>Waits under way in that place. Guarded by <see cref="Waits"/>.</summary>
    public int Waiting { get; set; }

    /// <summary>A sub-step was refused because the run stops: whatever the body makes of it, this attempt is not a result.</summary>
    public bool Interrupted { get; private set; }

    public void Interrupt()
    {
        for (var attempt = this; attempt is not null; attempt = attempt.Parent) attempt.Interrupted = true;
    }

    public void SetProgress(double fraction, string? message, JsonSerializerOptions json)
    {
        var bytes = PawlJson.Encode(new Dictionary<string, object?> { ["fraction"] = Math.Round(fraction, 4), ["message"] = message }, json).Utf8.ToArray();
        lock (this) _progress = bytes;
    }

    public ReadOnlyMemory<byte> Progress { get { lock (this) return _progress; } }
}

/// <summary>A limit on how many run at once; who waits is served in order.</summary>
sealed class ConcurrencyGate(int places)
{
    readonly Lock _lock = new();
    readonly Queue<TaskCompletionSource> _waiting = new();
    int _free = places;

    public ValueTask EnterAsync()
    {
        lock (_lock)
        {
            if (_free > 0)
            {
                _free--;
                return default;
            }
            var turn = new TaskCompletionSource();
            _waiting.Enqueue(turn);
            return new ValueTask(turn.Task);
        }
    }

    public void Leave()
    {
        TaskCompletionSource? next;
        lock (_lock)
        {
            if (!_waiting.TryDequeue(out next)) _free++;
        }
        next?.SetResult();
    }
}
