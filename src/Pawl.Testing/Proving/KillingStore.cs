using System.Data.Common;
using System.Globalization;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>A store that kills its own process, for real, where it was ordered to, and tells of each write. Thread safe.</summary>
class KillingStore : ICheckpointStore
{
    public const string Claim = "the claim of the run";
    const int MostFiles = 64;

    readonly Lock _lock = new();
    readonly ICheckpointStore _inner;
    readonly CrashInstant? _order;
    readonly StreamWriter? _trace;
    readonly FileSystemWatcher? _watcher;
    readonly List<string> _changed = [];
    readonly long _began = TimeProvider.System.GetTimestamp();
    readonly double _before;
    ITimer? _death;
    int _writes;
    bool _isArmed;

    public KillingStore(ICheckpointStore inner, CrashInstant? order, string? trace)
    {
        (_inner, _order) = (inner, order);
        if (trace is not null)
        {
            // The next process of a history counts on.
            if (TracedWrite.Read(trace) is [.., var last]) (_writes, _before) = (last.Number, last.Ended);
            _trace = new StreamWriter(trace, append: true) { AutoFlush = true };
        }
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
        WriteAsync(Claim, () => _inner.ClaimAsync(runId, claimant, cancellationToken));

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

    protected async ValueTask<T> WriteAsync<T>(string what, Func<ValueTask<T>> write)
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

    double Now => _before + TimeProvider.System.GetElapsedTime(_began).TotalMilliseconds;

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
        GC.SuppressFinalize(this);
        _watcher?.Dispose();
        if (_death is not null) await _death.DisposeAsync();
        if (_trace is not null) await _trace.DisposeAsync();
        await _inner.DisposeAsync();
    }
}

/// <summary>One whose steps write in the store's own transactions: those commits are counted, too.</summary>
sealed class KillingDatabase(ITransactionalStore inner, CrashInstant? order, string? trace) : KillingStore(inner, order, trace), ITransactionalStore
{
    public async ValueTask<IStepTransaction> BeginAsync(RunLease lease, CancellationToken cancellationToken) => new StepTransaction(this, await inner.BeginAsync(lease, cancellationToken));

    // Durable by the user's own commit, which is no write of the store's.
    public ValueTask<RunHead?> CreateAsync(DbTransaction transaction, Checkpoint created, RunHead head, CancellationToken cancellationToken) => inner.CreateAsync(transaction, created, head, cancellationToken);

    sealed class StepTransaction(KillingDatabase store, IStepTransaction inner) : IStepTransaction
    {
        public DbTransaction Transaction => inner.Transaction;

        public ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken) => store.WriteAsync(TracedWrite.Describe([commit]), () => inner.CommitAsync(commit, cancellationToken));

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
