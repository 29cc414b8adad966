using System.Runtime.CompilerServices;
using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>Group commit: runs that have something to commit at the same time share one write of the store. One for each store; any thread.</summary>
/// <remarks>A commit that finds the store free goes at once, by itself: nobody waits for company. While the places are taken others gather, and go together.</remarks>
sealed class CommitQueue(ICheckpointStore store, PawlOptions options)
{
    // One group is written while the runs of the other go on to their next step.
    const int Places = 2;
    const int MaxGroup = 1024;

    readonly Lock _lock = new();
    List<Waiting> _waiting = [];
    int _underWay;
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
        lock (_lock)
        {
            if (_underWay == Places)
            {
                var waiting = new Waiting(commit);
                _waiting.Add(waiting);
                return new(waiting.Task);
            }
            _underWay++;
        }
        return AloneAsync(commit);
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
            Next();
        }
    }

    /// <summary>A place is free: who gathered meanwhile goes, as one group.</summary>
    void Next()
    {
        List<Waiting> group;
        lock (_lock)
        {
            if (_waiting.Count == 0)
            {
                _underWay--;
                return;
            }
            var rest = _waiting.Count > MaxGroup ? _waiting[MaxGroup..] : [];
            group = _waiting.Count > MaxGroup ? _waiting[..MaxGroup] : _waiting;
            _waiting = rest;
        }
        _ = TogetherAsync(group);
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
        // The next group is on its way before the runs of this one go on.
        Next();
        for (var i = 0; i < group.Count; i++)
        {
            if (failure is null) group[i].Result = results[i];
            else if (group.Count == 1) group[i].Error = failure;
            // One of them may be what fails. Sent again each stands alone: those that were written meanwhile are told so.
            else await AgainAsync(group[i]);
        }
        new Answer(group).Give();
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
    sealed class Answer(List<Waiting> group) : IThreadPoolWorkItem
    {
        int _next;
        int _asked;

        public void Give()
        {
            foreach (var one in group)
                if (!one.IsFree) one.Tell();
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        public void Execute()
        {
            Volatile.Write(ref _asked, 0);
            while (Interlocked.Increment(ref _next) - 1 is var i && i < group.Count)
            {
                // A step that computes, or blocks, holds up its own run alone: another thread goes on with the rest as soon as there is one.
                if (i + 1 < group.Count && Interlocked.Exchange(ref _asked, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                if (group[i].IsFree) group[i].Tell();
            }
        }
    }
}
