using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>When a waiting pass gives its run back: so that it holds no process while nothing can go on.</summary>
sealed class Parking
{
    Parking(Func<Workflow, bool>? executes) => Executes = executes;

    /// <summary>Never: whoever started it waits for its end.</summary>
    public static Parking Never { get; } = new(null);

    /// <summary>When all that is left waits for a message: a caller waits through a sleep, not for a person.</summary>
    public static Parking ForMessages { get; } = new(null);

    /// <summary>For timers too: a worker has other runs to execute.</summary>
    public static Parking InWorker(Func<Workflow, bool> executes) => new(executes);

    /// <summary>In a worker: which runs it could take from its queues.</summary>
    public Func<Workflow, bool>? Executes { get; }
}

/// <summary>What the steps of a run wait for, timers and messages, and when the run is parked: as soon as every step under way waits.</summary>
sealed class Waits(Run run, Parking parking)
{
    // A shorter sleep is not worth giving the run away and taking it again.
    static readonly TimeSpan s_held = TimeSpan.FromSeconds(1);
    // A body that is between two of its steps is not idle.
    static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(50);
    // Delays are capped by the timer's range, so a long one is waited for in parts.
    static readonly TimeSpan s_longest = TimeSpan.FromDays(20);

    readonly Lock _lock = new();
    readonly List<Pending> _pending = [];
    IReadOnlyList<RunMessage> _messages = [];
    int? _seen;
    int _busy;
    int _changes;
    bool _cameLate;

    /// <summary>What the run was parked with.</summary>
    public IReadOnlyList<Wait> Open { get; private set; } = [];

    /// <summary>How many messages were read; of a parked run, until it was parked: what came while it was is news to whoever takes it.</summary>
    public int Seen { get { lock (_lock) return _seen ?? _messages.Count; } }

    /// <summary>A step begins. One that has steps below it is not counted beside them.</summary>
    public void Enter(StepAttempt? parent)
    {
        lock (_lock)
        {
            if (parent is not null && parent.Children++ == 0) return;
            _changes++;
            _busy++;
        }
    }

    /// <summary>It ended.</summary>
    public void Leave(StepAttempt? parent)
    {
        lock (_lock)
        {
            // No change: the step above counts again. It may even have ended before, and the run may be idle by now.
            if (parent is not null && --parent.Children == 0) return;
            _changes++;
            _busy--;
            if (!IsIdle) return;
        }
        _ = ParkAsync();
    }

    /// <summary>Waits for a message, or until the time comes.</summary>
    /// <param name="attempt">Whose.</param>
    /// <param name="wait">For what.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="known">Only what came behind so many messages counts.</param>
    /// <returns>The message; null when the time came first.</returns>
    /// <exception cref="OperationCanceledException">The run stops, or is parked: then the attempt is no result.</exception>
    public async Task<RunMessage?> ForAsync(StepAttempt attempt, Wait wait, CancellationToken cancellation, int known = 0)
    {
        if (wait.Signal is not null)
        {
            if (Find(wait.Signal, known) is { } early) return early;
            await LookAsync(cancellation);
            if (Find(wait.Signal, known) is { } there) return there;
        }
        if (wait.Due is { } past && past <= run.Time.GetUtcNow()) return null;
        if (wait.Signal is null && (parking.Executes is null || wait.Due - run.Time.GetUtcNow() <= s_held))
        {
            await UntilAsync(wait.Due!.Value, cancellation);
            return null;
        }

        var pending = new Pending(wait, known);
        // Steps below one leaf share its place: it is given away once, and taken once.
        var (place, first, last) = (attempt.Place, false, false);
        lock (_lock)
        {
            _pending.Add(pending);
            _changes++;
            _busy--;
            first = place is not null && place.Waiting++ == 0;
        }
        if (first) run.Gate.Leave();
        try
        {
            if (Find(wait.Signal, known) is { } meanwhile) return meanwhile;
            run.Publish(new RunEvent.StepWaiting(run.Time.GetUtcNow(), wait));
            _ = ParkAsync();
            await using var timer = wait.Due is { } due ? pending.At(due, run.Time) : null;
            await using var stop = cancellation.Register(() => pending.TrySetResult(Came.Stop));
            return await pending.Task switch
            {
                Came.Message => Find(wait.Signal, known),
                Came.Time => null,
                Came.Parked => throw Interrupted(attempt),
                _ => throw new OperationCanceledException(cancellation),
            };
        }
        finally
        {
            lock (_lock) last = place is not null && --place.Waiting == 0;
            if (last) await run.Gate.EnterAsync();
            lock (_lock)
            {
                _changes++;
                _busy++;
                _pending.Remove(pending);
                _cameLate |= run.Stop == StopReason.Park && !Open.Contains(wait);
            }
        }
    }

    /// <summary>Reads the inbox, and hands out what came.</summary>
    public async Task<IReadOnlyList<RunMessage>> LookAsync(CancellationToken cancellation)
    {
        var messages = await run.Client.Store.InboxAsync(run.Id, cancellation);
        List<Pending> all;
        lock (_lock)
        {
            if (messages.Count > _messages.Count) _messages = messages;
            all = [.. _pending];
        }
        foreach (var pending in all)
            if (Find(pending.Wait.Signal, pending.Known) is not null) pending.TrySetResult(Came.Message);
        return messages;
    }

    /// <summary>The record of a parked pass: what it waits for, and how many messages it has seen.</summary>
    public Checkpoint Record(string reason, bool atOnce = false)
    {
        var now = run.Time.GetUtcNow();
        // A wait that ended while the run was being parked: whatever comes next can go on at once.
        IReadOnlyList<Wait> waits = atOnce || _cameLate ? [.. Open, new Wait("", null, now)] : Open;
        return PassRecords.Waiting(waits, Seen, reason, now);
    }

    RunMessage? Find(string? signal, int known)
    {
        lock (_lock) return signal is null ? null : _messages.Skip(known).FirstOrDefault(message => message.Answers(signal));
    }

    async Task UntilAsync(DateTimeOffset due, CancellationToken cancellation)
    {
        while (due - run.Time.GetUtcNow() is { Ticks: > 0 } rest) await Task.Delay(rest < s_longest ? rest : s_longest, run.Time, cancellation);
    }

    // One that was answered already goes on by itself, also when it has not been told yet.
    bool IsIdle => _busy == 0 && _pending.Count > 0 && parking != Parking.Never && (run.Stop is StopReason.None or StopReason.Pause)
        && !_pending.Any(pending => pending.Task.IsCompleted || Find(pending.Wait.Signal, pending.Known) is not null);

    async Task ParkAsync()
    {
        int before;
        lock (_lock)
        {
            if (!IsIdle) return;
            before = _changes;
        }
        await Task.Delay(s_grace, run.Time, CancellationToken.None);
        List<Pending> all;
        lock (_lock)
        {
            if (!IsIdle || _changes != before) return;
            all = [.. _pending];
            _seen = _messages.Count;
            // Decisions first, for they need a person; the rest by name, whoever came first.
            Open = [.. all.Select(pending => pending.Wait).OrderBy(wait => wait.Message is null).ThenBy(wait => wait.Path, StringComparer.Ordinal)];
        }
        run.RequestStop(StopReason.Park);
        foreach (var pending in all) pending.TrySetResult(Came.Parked);
    }

    OperationCanceledException Interrupted(StepAttempt attempt)
    {
        attempt.Interrupt();
        return new OperationCanceledException($"Run '{run.Id}' waits.");
    }

    enum Came { Message, Time, Parked, Stop }

    // Set outside the lock, on the caller's scheduler.
    sealed class Pending(Wait wait, int known) : TaskCompletionSource<Came>
    {
        ITimer? _timer;

        public Wait Wait => wait;
        public int Known => known;

        public ITimer At(DateTimeOffset due, TimeProvider time)
        {
            _timer = time.CreateTimer(_ => Check(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            Check();
            return _timer;

            void Check()
            {
                if (due - time.GetUtcNow() is { Ticks: > 0 } rest) _timer!.Change(rest < s_longest ? rest : s_longest, Timeout.InfiniteTimeSpan);
                else TrySetResult(Came.Time);
            }
        }
    }
}
