using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Pawl.Planning;
using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>A run's checkpoints: the index in memory, and the only way to write them. One lock; any thread.</summary>
/// <remarks>
/// Writes that arrive while one is under way share the next commit: parallel steps of a run cost one flush together.
/// An entry is in the index as soon as it is appended; <see cref="AppendAsync"/> returns when it is as durable as the run's mode promises.
/// </remarks>
sealed partial class Journal(ICheckpointStore store, CommitQueue commits, bool keep)
{
    // Outputs above this are read again from the store when they are needed: a long run must not live in memory.
    const int KeepInMemory = 4096;

    readonly Lock _lock = new();
    readonly Dictionary<string, JournalEntry> _entries = [];
    readonly List<JournalEntry> _order = [];
    readonly Dictionary<string, ReadOnlyMemory<byte>> _progress = [];
    readonly CostMeter _spent = new();
    List<(Checkpoint Draft, JournalEntry? Entry)> _pending = [];
    List<(Checkpoint Draft, JournalEntry? Entry)> _spare = [];
    List<Payload> _payloads = [];
    TaskCompletionSource? _next;
    bool _flushing;
    RunLease? _lease;
    PawlException? _broken;

    public RunHead Head { get; private set; } = null!;
    public CheckpointStrategy Strategy { get; set; } = CheckpointStrategy.EveryStep;
    public Durability Durability { get; set; } = Durability.Sync;
    public JsonDocument? CreatedData { get; private set; }
    public List<Checkpoint> Passes { get; } = [];

    /// <summary>The record that began a compensation which has not ended.</summary>
    public Checkpoint? Compensating { get; private set; }

    /// <summary>Done steps in the order of their records; newest last.</summary>
    public IReadOnlyList<JournalEntry> Order { get { lock (_lock) return [.. _order]; } }
    /// <summary>Shared state behind the newest record. Replaced, never changed: a step keeps the one it began with.</summary>
    public ImmutableDictionary<string, RawJson> State { get; private set; } = ImmutableDictionary<string, RawJson>.Empty;
    /// <summary>What the run's attempts took; those of the parent of a fork are not among them.</summary>
    public Cost Spent { get { lock (_lock) return _spent.Total; } }
    public IReadOnlyCollection<JournalEntry> Entries { get { lock (_lock) return [.. _entries.Values]; } }

    public void Attach(RunLease lease) => _lease = lease;

    /// <summary>Reads a run's journal, unless it was read already, and checks its chain.</summary>
    /// <exception cref="JournalCorruptException">A record does not fit.</exception>
    /// <exception cref="ResumeRefusedException">It was written by a newer version.</exception>
    public static async Task<Journal> LoadAsync(ICheckpointStore store, CommitQueue commits, string runId, CancellationToken cancellationToken, long throughSeq = long.MaxValue, Action<Journal, Checkpoint>? each = null, IEnumerable<Checkpoint>? read = null)
    {
        var journal = new Journal(store, commits, keep: true);
        RunHead? head = null;
        await foreach (var record in read?.ToAsyncEnumerable() ?? store.ReadAsync(runId, 1, cancellationToken))
        {
            if (record.Seq > throughSeq) break;
            if (record.Seq != (head?.Seq ?? 0) + 1) throw new JournalCorruptException(runId, (head?.Seq ?? 0) + 1, $"record {(head?.Seq ?? 0) + 1} is missing");
            if (record.Kind == CheckpointKind.Created) journal.ReadCreated(record);
            journal.Head = head = Transitions.Apply(head, record);
            journal.Index(record);
            each?.Invoke(journal, record);
        }
        return head is null ? throw new RunNotFoundException(runId) : journal;
    }

    void ReadCreated(Checkpoint record)
    {
        CreatedData = JsonDocument.Parse(record.Data);
        var format = CreatedData.RootElement.TryGetProperty("format", out var f) ? f.GetInt32() : 1;
        if (format > CheckpointCodec.Format)
            throw new ResumeRefusedException(new Refusal(RefusalReason.NewerFormat, $"The journal has format {format}; this version of Pawl knows format {CheckpointCodec.Format}.", "Use a newer Pawl."));
    }

    /// <summary>Begins the journal of a new run.</summary>
    public Checkpoint Begin(Checkpoint created)
    {
        var record = CheckpointCodec.Encode(created, 1, more: false, "");
        CreatedData = JsonDocument.Parse(record.Data);
        Head = Transitions.Apply(null, record);
        return record;
    }

    void Index(Checkpoint record)
    {
        switch (record.Kind)
        {
            case CheckpointKind.Resumed:
                // A fork, and a migration, set state with the beginning of a pass.
                Apply(record.State);
                Passes.Add(record);
                if (CostMeter.IsFork(record)) _spent.Reset();
                BeginPass(record);
                break;
            case CheckpointKind.Step:
                Put(record);
                break;
            case CheckpointKind.Timer:
                var wait = PassRecords.WaitIn(record);
                _entries[wait.Path] = new JournalEntry(wait.Path, record) { Results = _entries.GetValueOrDefault(wait.Path)?.Results ?? 0, TimerDue = wait.Due };
                if (wait.Message is not null) Asked = [.. Asked.Where(other => other.Path != wait.Path), wait];
                break;
            case CheckpointKind.Compensating: Compensating = record; break;
            case CheckpointKind.Waiting: Asked = [.. Head.Waits.Where(wait => wait.Message is not null)]; break;
            case CheckpointKind.Compensated when record.Status == StepStatus.Completed:
                // Steps below it are no longer done either, but their own undoing is still to come.
                Forget([record.Path!]);
                _order.RemoveAll(entry => entry.Path == record.Path);
                break;
            case CheckpointKind.Failed:
                Compensating = null;
                _order.RemoveAll(entry => _entries.GetValueOrDefault(entry.Path) != entry);
                break;
        }
    }

    JournalEntry Put(Checkpoint record)
    {
        var before = _entries.GetValueOrDefault(record.Path!);
        var entry = new JournalEntry(record.Path!, record)
        {
            OutputBytes = record.Output.Length <= KeepInMemory ? record.Output : default, OutputInStore = record.Output.Length > KeepInMemory,
            // A sleep that was stopped still ends when it was to end.
            TimerDue = before?.TimerDue,
            Results = (before?.Results ?? 0) + (record.Status is StepStatus.Completed or StepStatus.Failed ? 1 : 0),
        };
        _entries[entry.Path] = entry;
        // A result that takes the place of another, as a migration's does.
        if (before?.IsDone == true) _order.Remove(before);
        // A result set by hand takes the place of one under its number: nothing was attempted.
        if (record.Attempt > (before?.Attempt ?? 0)) _spent.Add(record);
        if (entry.IsDone) _order.Add(entry);
        if (!record.Progress.IsEmpty)
        {
            // A sub-step's checkpoint carries the progress of the step above it.
            _progress[entry.Path] = record.Progress;
            if (entry.Path.LastIndexOf('/') is > 0 and var cut) _progress[entry.Path[..cut]] = record.Progress;
        }
        Apply(record.State);
        return entry;
    }

    void Apply(ReadOnlyMemory<byte> changes)
    {
        if (changes.IsEmpty) return;
        var state = State.ToBuilder();
        using var delta = JsonDocument.Parse(changes);
        foreach (var change in delta.RootElement.EnumerateObject())
        {
            if (change.Value.ValueKind == JsonValueKind.Null) state.Remove(change.Name);
            else state[change.Name] = new RawJson(System.Text.Encoding.UTF8.GetBytes(change.Value.GetRawText()));
        }
        State = state.ToImmutable();
    }

    /// <summary>What a new pass decides anew: steps asked for by name, steps that ran because of a failure, and mapped names.</summary>
    void BeginPass(Checkpoint record)
    {
        if (Compensating is null) Forget([.. _entries.Values.Where(entry => entry.AfterFailure).Select(entry => entry.Path)]);
        if (record.Data.IsEmpty) return;
        using var data = JsonDocument.Parse(record.Data);
        // Names first: what runs again is named as it is now.
        if (data.RootElement.TryGetProperty("map", out var map)) foreach (var pair in map.EnumerateObject()) Rename(pair.Value.GetString()!, pair.Name);
        if (data.RootElement.TryGetProperty("rerun", out var rerun)) Forget([.. rerun.EnumerateArray().Select(path => path.GetString()!)]);
    }

    void Rename(string from, string to)
    {
        foreach (var old in _entries.Values.Where(entry => IsUnder(entry.Path, from)).ToList())
        {
            _entries.Remove(old.Path);
            var renamed = old.Rename(to + old.Path[from.Length..]);
            _entries[renamed.Path] = renamed;
            if (_order.IndexOf(old) is >= 0 and var at) _order[at] = renamed;
        }
    }

    void Forget(IReadOnlyList<string> paths)
    {
        foreach (var entry in _entries.Values.Where(entry => paths.Any(path => IsUnder(entry.Path, path))).ToList())
        {
            _entries[entry.Path] = entry.Forget();
            if (Compensating is null) _order.Remove(entry);
        }
    }

    public static bool IsUnder(string path, string root) =>
        path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] is '/' or '[');

    public JournalEntry? Find(string path)
    {
        lock (_lock) return _entries.GetValueOrDefault(path);
    }

    /// <summary>Looks a path up beside a step first, then outwards.</summary>
    public JournalEntry? Resolve(string path, string from)
    {
        lock (_lock)
        {
            for (var scope = from; ;)
            {
                var cut = scope.LastIndexOf('/');
                if (cut < 0) break;
                scope = scope[..cut];
                if (_entries.TryGetValue($"{scope}/{path}", out var near) && near.Status is not null) return near;
            }
            return _entries.TryGetValue(path, out var entry) && entry.Status is not null ? entry : null;
        }
    }

    public JsonElement? LastProgress(string path)
    {
        lock (_lock) return _progress.TryGetValue(path, out var progress) ? new RawJson(progress).ToElement() : null;
    }

    public ReadOnlyMemory<byte> Output(JournalEntry entry)
    {
        if (!entry.OutputBytes.IsEmpty) return entry.OutputBytes;
        return entry.OutputRef is { } payload
            ? Wait(store.ReadPayloadAsync(Head.RunId, payload, CancellationToken.None))
            : Wait(ReadOutputAsync(entry.Seq));
        // Outputs are asked for inside synchronous expressions; the embedded stores answer from a local file without suspending.
        static ReadOnlyMemory<byte> Wait(ValueTask<ReadOnlyMemory<byte>> read) => read.IsCompletedSuccessfully ? read.Result : read.AsTask().GetAwaiter().GetResult();
    }

    async ValueTask<ReadOnlyMemory<byte>> ReadOutputAsync(long seq)
    {
        await foreach (var record in store.ReadAsync(Head.RunId, seq, CancellationToken.None)) return record.Output;
        throw new JournalCorruptException(Head.RunId, seq, "the record is gone");
    }

    /// <summary>Appends one record. Returns when it is durable as the mode promises.</summary>
    /// <param name="draft">All but seq, hash and line.</param>
    /// <param name="marked">Under <see cref="CheckpointStrategy.Marked"/>: this step writes. Ends of passes always write.</param>
    /// <param name="payloads">Content the draft refers to.</param>
    /// <param name="durable">It is durable when this returns, whatever the mode.</param>
    /// <param name="with">Steps' records that belong to it: one commit, all of them or none.</param>
    /// <exception cref="CheckpointWriteException">It could not be made durable; nothing more can be written.</exception>
    /// <exception cref="LeaseLostException">Another process has the run.</exception>
    public ValueTask AppendAsync(Checkpoint draft, bool marked = false, IReadOnlyList<Payload>? payloads = null, bool durable = false, IEnumerable<Checkpoint>? with = null)
    {
        var isStep = draft.Kind is CheckpointKind.Step;
        // The beginning of a pass names its token: without it a request from outside would not find the pass.
        var mustBeDurable = durable || draft.Kind is CheckpointKind.Resumed or CheckpointKind.Waiting or CheckpointKind.Paused or CheckpointKind.Canceled or CheckpointKind.Failed or CheckpointKind.Completed;
        TaskCompletionSource? joined = null;
        lock (_lock)
        {
            if (_broken is { } broken) throw broken;
            JournalEntry? entry = null;
            if (isStep)
            {
                entry = Put(draft);
                // Until it is written the index holds the whole output.
                entry.OutputBytes = draft.OutputRef is null ? draft.Output : payloads![0].Content;
                entry.OutputInStore = false;
            }
            else Index(draft);
            if (!keep) { Head = Transitions.Apply(Head, draft with { Seq = Head.Seq + 1 }); return default; }
            _pending.Add((draft, entry));
            if (payloads is not null) _payloads.AddRange(payloads);
            if (with is not null) foreach (var one in with) _pending.Add((one, Put(one)));
            var writes = mustBeDurable || draft.Kind is CheckpointKind.Compensating
                || (Durability != Durability.Exit && (!isStep || Strategy == CheckpointStrategy.EveryStep || marked));
            if (!writes) return default;
            if (_flushing) joined = _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            else _flushing = true;
        }
        if (Durability == Durability.Sync || mustBeDurable) return joined is null ? FlushAsync() : new(joined.Task);
        _ = FlushBehindAsync(joined);
        return default;
    }

    /// <summary>A failed write under <see cref="Durability.Async"/> is met by the next append, at latest by the end of the pass.</summary>
    async Task FlushBehindAsync(TaskCompletionSource? joined)
    {
        try
        {
            await Task.Yield();
            await (joined is null ? FlushAsync() : new(joined.Task));
        }
        catch (PawlException)
        {
            // Kept in _broken.
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask FlushAsync()
    {
        List<(Checkpoint Draft, JournalEntry? Entry)> batch;
        List<Payload> payloads;
        lock (_lock)
        {
            (batch, _pending) = (_pending, _spare);
            (payloads, _payloads) = (_payloads, _payloads.Count > 0 ? [] : _payloads);
        }
        TaskCompletionSource? next;
        try
        {
            // Whoever joined an asynchronous write before it began was written with it.
            if (batch.Count > 0) await CommitAsync(batch, payloads);
            batch.Clear();
            lock (_lock)
            {
                _spare = batch;
                (next, _next) = (_next, null);
                if (next is null) _flushing = false;
            }
        }
        catch (Exception error)
        {
            lock (_lock)
            {
                _broken = error as PawlException ?? new CheckpointWriteException(error.Message, error);
                (next, _next) = (_next, null);
            }
            next?.TrySetException(_broken);
            throw;
        }
        // Others' records wait: they must not keep this caller, whose own are durable, from going on.
        if (next is not null) _ = FlushForAsync(next);
    }

    async Task FlushForAsync(TaskCompletionSource waiters)
    {
        try
        {
            await FlushAsync();
            waiters.TrySetResult();
        }
        catch (Exception error) { waiters.TrySetException(error); }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask CommitAsync(List<(Checkpoint Draft, JournalEntry? Entry)> batch, List<Payload> payloads)
    {
        var records = new Checkpoint[batch.Count];
        var head = Head;
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = CheckpointCodec.Encode(batch[i].Draft, head.Seq + 1, more: i < records.Length - 1, head.Hash);
            head = Transitions.Apply(head, records[i]);
        }
        await commits.CommitAsync(new Commit(_lease!, records, payloads, head));
        lock (_lock)
        {
            Head = head;
            for (var i = 0; i < records.Length; i++)
            {
                if (batch[i].Entry is not { } entry || entry.OutputBytes.Length <= KeepInMemory) continue;
                entry.OutputInStore = entry.OutputRef is null;
                entry.OutputBytes = default;
            }
        }
    }
}
