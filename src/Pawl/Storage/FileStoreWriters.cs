namespace Pawl.Storage;

/// <summary>Threads that flush for runs which commit at the same time. The file system joins flushes that wait together; the thread pool's few threads
/// would send them one by one, and be missing elsewhere meanwhile.</summary>
/// <remarks>A run whose commit was made here goes on here, and makes its next commit on the same thread: no hand-over between a step and its flush.</remarks>
sealed class FileStoreWriters
{
    const int MaxThreads = 64;
    static readonly TimeSpan s_idleLimit = TimeSpan.FromSeconds(5);

    [ThreadStatic] static bool s_isWriter;
    readonly Queue<Work> _queue = new();
    int _threads;
    int _idle;
    int _underWay;

    /// <summary>A lone commit is made on the caller's thread, without a hand-over; one that meets others goes to a thread of its own.</summary>
    public ValueTask<CommitResult> Commit(FileStoreRun run, in Commit commit)
    {
        if (s_isWriter) return new(run.Commit(commit));
        if (Interlocked.Increment(ref _underWay) == 1)
        {
            try { return new(run.Commit(commit)); }
            finally { Interlocked.Decrement(ref _underWay); }
        }
        var work = new Work(run, commit);
        lock (_queue)
        {
            _queue.Enqueue(work);
            if (_queue.Count > _idle && _threads < MaxThreads)
            {
                _threads++;
                new Thread(Loop) { IsBackground = true, Name = "Pawl file store" }.Start();
            }
            else Monitor.Pulse(_queue);
        }
        return new(work.Task);
    }

    void Loop()
    {
        s_isWriter = true;
        while (Take() is { } work)
        {
            var answer = work.Write();
            Interlocked.Decrement(ref _underWay);
            answer();
        }
    }

    Work? Take()
    {
        lock (_queue)
        {
            Work? work;
            while (!_queue.TryDequeue(out work))
            {
                _idle++;
                var came = Monitor.Wait(_queue, s_idleLimit);
                _idle--;
                if (came || _queue.Count > 0) continue;
                _threads--;
                return null;
            }
            return work;
        }
    }

    sealed class Work(FileStoreRun run, Commit commit) : TaskCompletionSource<CommitResult>
    {
        /// <summary>Makes the commit; the answer is given apart, because the run goes on inside it.</summary>
        public Action Write()
        {
            try
            {
                var result = run.Commit(commit);
                return () => SetResult(result);
            }
            catch (Exception error) { return () => SetException(error); }
        }
    }
}
