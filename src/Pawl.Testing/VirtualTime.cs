namespace Pawl.Testing;

/// <summary>A clock that moves only when it is told to, or, inside <see cref="Run{T}"/>, when all code waits for it: hours pass in milliseconds, and always in the same order.</summary>
/// <remarks>
/// <see cref="Run{T}"/> executes code on the calling thread alone. Ready continuations run in the order in which they became ready, or, with a
/// seed, in an order drawn from it: another seed is another legal schedule. Code that leaves the thread (<c>Task.Run</c>,
/// <c>ConfigureAwait(false)</c>, the system's clock) is not deterministic; a continuation that comes back from elsewhere is an error.
/// Timers may be created from any thread; everything else belongs to the thread that runs.
/// </remarks>
public sealed class VirtualTime : TimeProvider
{
    readonly Lock _lock = new();
    readonly PriorityQueue<Timer, (long Due, long Order)> _timers = new();
    readonly DateTimeOffset _start;
    readonly Random? _random;
    long _now;
    long _order;

    /// <summary>Starts the clock.</summary>
    /// <param name="start">Its first time. Default: 2026-01-01 00:00 UTC.</param>
    /// <param name="seed">Draws the order of ready continuations; null keeps the order in which they became ready.</param>
    public VirtualTime(DateTimeOffset? start = null, int? seed = null)
    {
        _start = start?.ToUniversalTime() ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        _random = seed is { } value ? new Random(value) : null;
    }

    /// <summary>Virtual time that one <see cref="Run{T}"/> may take before it counts as hanging. Default 7 days.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Time since the start.</summary>
    public TimeSpan Elapsed { get { lock (_lock) return TimeSpan.FromTicks(_now); } }

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long GetTimestamp() { lock (_lock) return _now; }

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _start + Elapsed;

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves the clock; timers that fall due on the way fire in their order, each at its own time.</summary>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        var until = GetTimestamp() + by.Ticks;
        while (FireNext(until)) { }
        lock (_lock) _now = until;
    }

    /// <summary>Runs code to its end on this thread; whenever everything waits, the clock moves to the next timer.</summary>
    /// <exception cref="InvalidOperationException">The code hangs: it waits for something that no timer brings, or takes longer than <see cref="Limit"/>.</exception>
    public T Run<T>(Func<Task<T>> code)
    {
        var outer = SynchronizationContext.Current;
        var pump = new Pump(_random);
        SynchronizationContext.SetSynchronizationContext(pump);
        try
        {
            var began = Elapsed;
            var task = code();
            while (true)
            {
                pump.Drain();
                if (task.IsCompleted) return task.GetAwaiter().GetResult();
                if (Elapsed - began > Limit) throw new InvalidOperationException($"The code did not end within {Limit} of virtual time: it waits for something that does not come.");
                if (!FireNext(long.MaxValue) && !pump.WaitForStray()) throw new InvalidOperationException($"Deadlock after {Elapsed - began} of virtual time: the code has not ended, nothing is ready to run, and no timer is set.");
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    /// <inheritdoc cref="Run{T}"/>
    public void Run(Func<Task> code) => Run(async () =>
    {
        await code();
        return true;
    });

    bool FireNext(long until)
    {
        Timer? timer;
        lock (_lock)
        {
            do
            {
                if (!_timers.TryPeek(out timer, out var key) || key.Due > until) return false;
                _timers.Dequeue();
                if (!timer.IsSetTo(key)) continue;
                _now = Math.Max(_now, key.Due);
                timer.Again(key.Due);
                break;
            }
            while (true);
        }
        timer.Fire();
        return true;
    }

    sealed class Timer(VirtualTime time, TimerCallback callback, object? state) : ITimer
    {
        (long Due, long Order)? _set;
        TimeSpan _period;

        public void Fire() => callback(state);

        public bool IsSetTo((long, long) key) => _set == key;

        public void Again(long due)
        {
            _set = null;
            if (_period > TimeSpan.Zero) Set(due + _period.Ticks);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._lock)
            {
                _set = null;
                _period = period;
                if (dueTime >= TimeSpan.Zero) Set(time._now + dueTime.Ticks);
                return true;
            }
        }

        void Set(long due)
        {
            var key = (due, time._order++);
            _set = key;
            time._timers.Enqueue(this, key);
        }

        public void Dispose() { lock (time._lock) _set = null; }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }

    sealed class Pump(Random? random) : SynchronizationContext
    {
        readonly List<(SendOrPostCallback Callback, object? State)> _ready = [];
        readonly int _thread = Environment.CurrentManagedThreadId;
        int _next;
        bool _strayed;

        public override void Post(SendOrPostCallback d, object? state)
        {
            lock (_ready)
            {
                _strayed |= Environment.CurrentManagedThreadId != _thread;
                _ready.Add((d, state));
                Monitor.Pulse(_ready);
            }
        }

        /// <summary>Tells code that hangs from code that went to another thread: the latter comes back in real time.</summary>
        public bool WaitForStray()
        {
            lock (_ready) return _next < _ready.Count || Monitor.Wait(_ready, TimeSpan.FromSeconds(1));
        }

        public override void Send(SendOrPostCallback d, object? state) => d(state);

        public override SynchronizationContext CreateCopy() => this;

        public void Drain()
        {
            while (TryTake(out var work)) work.Callback(work.State);
        }

        bool TryTake(out (SendOrPostCallback Callback, object? State) work)
        {
            lock (_ready)
            {
                if (_strayed) throw new InvalidOperationException("The code left its thread: a continuation came from another one, so its order is not deterministic.");
                work = default;
                if (_next == _ready.Count) return false;
                if (random is not null)
                {
                    var drawn = random.Next(_next, _ready.Count);
                    (_ready[_next], _ready[drawn]) = (_ready[drawn], _ready[_next]);
                }
                work = _ready[_next];
                _ready[_next++] = default;
                if (_next == _ready.Count)
                {
                    _ready.Clear();
                    _next = 0;
                }
                return true;
            }
        }
    }
}
