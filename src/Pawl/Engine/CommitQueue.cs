using System.Runtime.CompilerServices;
using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>Group commit: runs that have something to commit at the same time share one write of the store. One for each store; any thread.</summary>
/// <remarks>
/// A commit that finds the store free goes at once, by itself: nobody waits for company. Whoever comes while one is written goes with the next. The runs of a group
/// come back from their next steps one behind the other; they are waited for while they are told, so that they stay a group.
/// </remarks>
sealed class CommitQueue(ICheckpointStore store, PawlOptions options)
{
    const int MaxGroup = 1024;
    // Longer than that a step takes that only computes a little: those that are done do not wait for it.
    static readonly TimeSpan s_gathering = TimeSpan.FromMilliseconds(1);

    readonly Lock _lock = new();
    List<Waiting> _waiting = [];
    bool _writing;
    Answer? _telling;
    long _tellingSince;
    Commit[]? _single;

    /// <summary>Returns when the commit is durable. A write that fails is tried again <see cref="PawlOptions.WriteRetries"/> times.</summary>
    /// <exception cref="CheckpointWriteException">It could not be made durable.</exception>
    /// <exception cref="LeaseLostException">Another process has the run.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask CommitAsync(Commit commit)
    {
        for (var failures = 0; ; failures++)
        {
            try
            {
                switch (await OnceAsync(commit))
                {
                    case CommitResult.Committed: return;
                    case CommitResult.LeaseLost: throw new LeaseLostException(commit.Lease.RunId);
                    default: throw new CheckpointWriteException($"Run '{commit.Lease.RunId}' was changed by another writer behind record {commit.Records[0].Seq - 1}; nothing was written.");
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or TimeoutException)
            {
                Diagnostics.Telemetry.CheckpointFailures.Add(1);
                if (failures >= options.WriteRetries)
                    throw new CheckpointWriteException($"The checkpoint of {Describe(commit)} could not be written: {error.Message} The run stopped; what was acknowledged before is safe. Mend the cause, then resume.", error);
                await Task.Delay(TimeSpan.FromMilliseconds(100 * Math.Pow(4, failures)), options.Time, CancellationToken.None);
            }
        }
    }

    ValueTask<CommitResult> OnceAsync(in Commit commit)
    {
        Waiting? waiting = null;
        List<Waiting>? group = null;
        lock (_lock)
        {
            var gathers = _writing || (_telling is not null && options.Time.GetElapsedTime(_tellingSince) < s_gathering);
            if (gathers || _waiting.Count > 0) _waiting.Add(waiting = new Waiting(commit));
            if (gathers) return new(waiting!.Task);
            if (waiting is not null) group = Take();
            else (_writing, _telling) = (true, null);
        }
        if (waiting is null) return AloneAsync(commit);
        _ = TogetherAsync(group!);
        return new(waiting.Task);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<CommitResult> AloneAsync(Commit commit)
    {
        // Stores keep nothing of the list behind their answer, so one serves all.
        var list = Interlocked.Exchange(ref _single, null) ?? new Commit[1];
        list[0] = commit;
        try { return (await store.CommitAsync(list, CancellationToken.None))[0]; }
        finally
        {
            list[0] = default;
            _single = list;
            Next(null);
        }
    }

    /// <summary>The store is free, and <paramref name="told"/> have all been told: who gathered meanwhile goes, as one group.</summary>
    void Next(Answer? told)
    {
        List<Waiting> group;
        lock (_lock)
        {
            // Some did not wait for the rest: a later write is under way.
            if (_telling != told) return;
            (_writing, _telling) = (false, null);
            if (_waiting.Count == 0) return;
            group = Take();
        }
        // The one that was written alone is told before the next write begins: a store may write on the thread that asks it.
        if (told is null && SynchronizationContext.Current is null) ThreadPool.UnsafeQueueUserWorkItem(work => _ = TogetherAsync(work), group, preferLocal: false);
        else _ = TogetherAsync(group);
    }

    List<Waiting> Take()
    {
        var group = _waiting.Count > MaxGroup ? _waiting[..MaxGroup] : _waiting;
        _waiting = _waiting.Count > MaxGroup ? _waiting[MaxGroup..] : [];
        (_writing, _telling) = (true, null);
        return group;
    }

    async Task TogetherAsync(List<Waiting> group)
    {
        IReadOnlyList<CommitResult> results = [];
        Exception? failure = null;
        try
        {
            var commits = new Commit[group.Count];
            for (var i = 0; i < commits.Length; i++) commits[i] = group[i].Commit;
            results = await store.CommitAsync(commits, CancellationToken.None);
        }
        catch (Exception error) { failure = error; }
        for (var i = 0; i < group.Count; i++)
        {
            if (failure is null) group[i].Result = results[i];
            else if (group.Count == 1) group[i].Error = failure;
            // One of them may be what fails. Sent again each stands alone: those that were written meanwhile are told so.
            else await AgainAsync(group[i]);
        }
        var answer = new Answer(this, group);
        lock (_lock) (_writing, _telling, _tellingSince) = (false, answer, options.Time.GetTimestamp());
        answer.Give();
    }

    async Task AgainAsync(Waiting one)
    {
        try { one.Result = (await store.CommitAsync([one.Commit], CancellationToken.None))[0]; }
        catch (Exception error) { one.Error = error; }
    }

    static string Describe(Commit commit) => commit.Records.LastOrDefault(record => record.Path is not null)?.Path is { } path ? $"step '{path}'" : $"run '{commit.Lease.RunId}'";

    // Where a context decides what runs when, as in a simulation, a run goes on by way of it, and else on the thread that tells it.
    sealed class Waiting(Commit commit) : TaskCompletionSource<CommitResult>(SynchronizationContext.Current is null ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public Commit Commit => commit;
        public CommitResult Result { get; set; }
        public Exception? Error { get; set; }
        public bool IsFree => Task.CreationOptions == TaskCreationOptions.None;

        public void Tell()
        {
            if (Error is null) SetResult(Result);
            else SetException(Error);
        }
    }

    /// <summary>A group's runs go on one behind the other, on as many threads as the pool has free: to wake one for each costs more than most steps.</summary>
    sealed class Answer(CommitQueue queue, List<Waiting> group) : IThreadPoolWorkItem
    {
        int _next;
        int _asked;

        public void Give()
        {
            foreach (var one in group)
                if (!one.IsFree) one.Tell();
            if (group.TrueForAll(one => !one.IsFree)) queue.Next(this);
            else ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        public void Execute()
        {
            Volatile.Write(ref _asked, 0);
            while (Interlocked.Increment(ref _next) - 1 is var i && i < group.Count)
            {
                // A step that computes, or blocks, holds up its own run alone: another thread goes on with the rest as soon as there is one.
                if (Interlocked.Exchange(ref _asked, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                if (group[i].IsFree) group[i].Tell();
            }
            queue.Next(this);
        }
    }
}
