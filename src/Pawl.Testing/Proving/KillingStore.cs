using System.Globalization;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>A store that kills its own process, for real, where it was ordered to, and tells of each write. Thread safe.</summary>
sealed class KillingStore : ICheckpointStore
{
    const int MostFiles = 64;

    readonly Lock _lock = new();
    readonly ICheckpointStore _inner;
    readonly CrashInstant? _order;
    readonly StreamWriter? _trace;
    readonly FileSystemWatcher? _watcher;
    readonly List<string> _changed = [];
    readonly long _began = TimeProvider.System.GetTimestamp();
    ITimer? _death;
    int _writes;
    bool _isArmed;

    public KillingStore(ICheckpointStore inner, CrashInstant? order, string? trace)
    {
        (_inner, _order, _trace) = (inner, order, trace is null ? null : new StreamWriter(trace) { AutoFlush = true });
        if (order is not { Files: > 0 } && (order is not null || trace is null)) return;
        _watcher = new FileSystemWatcher(Environment.CurrentDirectory) { IncludeSubdirectories = true, NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite };
        _watcher.Created += OnChange;
        _watcher.Changed += OnChange;
        _watcher.Deleted += OnChange;
        _watcher.Renamed += OnChange;
        _watcher.EnableRaisingEvents = true;
    }

    public StoreInfo Info => _inner.Info;

    public ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken) =>
        WriteAsync("the run's creation", () => _inner.CreateAsync(created, head, claimant, cancellationToken));

    public ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) =>
        WriteAsync("the claim of the run", () => _inner.ClaimAsync(runId, claimant, cancellationToken));

    // Mostly it finds nothing, and how often an idle worker looks is chance: not counted.
    public ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken) => _inner.TakeAsync(work, claimant, cancellationToken);

    public ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) => _inner.RenewAsync(leases, cancellationToken);

    public ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken) =>
        WriteAsync(TracedWrite.Describe(commits), () => _inner.CommitAsync(commits, cancellationToken));

    public IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) => _inner.ListAsync(query, cancellationToken);

    public IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => _inner.ReadAsync(runId, fromSeq, cancellationToken);

    public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) => _inner.ReadPayloadAsync(runId, payload, cancellationToken);

    public ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken) => _inner.PostAsync(runId, message, cancellationToken);

    public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => _inner.InboxAsync(runId, cancellationToken);

    public IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => _inner.WatchAsync(cancellationToken);

    public ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken) => _inner.DeleteAsync(runId, cancellationToken);

    async ValueTask<T> WriteAsync<T>(string what, Func<ValueTask<T>> write)
    {
        var number = Interlocked.Increment(ref _writes);
        // Also the one behind an order whose instant had not come.
        if (_order is { } before && (number == before.Write ? before.IsBefore : number > before.Write)) CrashOrder.Die();
        var began = Now;
        var changed = TakeChanged();
        var result = await write();
        if (_trace is not null)
            lock (_lock) _trace.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{number}\t{began:0.000}\t{Now:0.000}\t{string.Join('\t', [what, .. changed])}"));
        if (_order is not { } after || number != after.Write) return result;
        if (after.IsAtOnce) CrashOrder.Die();
        if (after.Delay > 0) _death = TimeProvider.System.CreateTimer(static _ => CrashOrder.Die(), null, TimeSpan.FromMilliseconds(after.Delay), Timeout.InfiniteTimeSpan);
        lock (_lock)
        {
            _changed.Clear();
            _isArmed = after.Files > 0;
        }
        return result;
    }

    double Now => TimeProvider.System.GetElapsedTime(_began).TotalMilliseconds;

    void OnChange(object sender, FileSystemEventArgs change)
    {
        lock (_lock)
        {
            if (change.Name is not { } name || _changed.Count == MostFiles || _changed.Contains(name) || name.AsSpan().ContainsAny('\t', '\n')) return;
            _changed.Add(name);
            if (_isArmed && _changed.Count >= _order!.Value.Files) CrashOrder.Die();
        }
    }

    string[] TakeChanged()
    {
        lock (_lock)
        {
            string[] changed = [.. _changed];
            _changed.Clear();
            return changed;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _watcher?.Dispose();
        if (_death is not null) await _death.DisposeAsync();
        if (_trace is not null) await _trace.DisposeAsync();
        await _inner.DisposeAsync();
    }
}
