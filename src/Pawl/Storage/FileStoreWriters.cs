namespace Pawl.Storage;

/// <summary>Threads that make the commits of several runs together. A flush blocks its thread: the thread pool's few would be missing elsewhere.</summary>
sealed class FileStoreWriters
{
    static readonly TimeSpan s_idleLimit = TimeSpan.FromSeconds(5);

    readonly Queue<Group> _queue = new();
    int _idle;

    public Task<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<(FileStoreRun? Run, Commit Commit)> commits)
    {
        var group = new Group(commits);
        lock (_queue)
        {
            _queue.Enqueue(group);
            if (_queue.Count > _idle) new Thread(Loop) { IsBackground = true, Name = "Pawl file store" }.Start();
            else Monitor.Pulse(_queue);
        }
        return group.Task;
    }

    void Loop()
    {
        while (Take() is { } group) group.Commit();
    }

    Group? Take()
    {
        lock (_queue)
        {
            Group? group;
            while (!_queue.TryDequeue(out group))
            {
                _idle++;
                var came = Monitor.Wait(_queue, s_idleLimit);
                _idle--;
                if (!came && _queue.Count == 0) return null;
            }
            return group;
        }
    }

    sealed class Group(IReadOnlyList<(FileStoreRun? Run, Commit Commit)> commits) : TaskCompletionSource<IReadOnlyList<CommitResult>>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        /// <summary>Append all, then flush all: the file system makes one commit of its own journal for them.</summary>
        public void Commit()
        {
            var results = new CommitResult?[commits.Count];
            Exception? failure = null;
            // In one order everywhere, so that two groups never wait for each other's runs.
            var order = Enumerable.Range(0, commits.Count).OrderBy(i => commits[i].Commit.Lease.RunId, StringComparer.Ordinal).ToList();
            foreach (var i in order) Try(i, () => commits[i].Run is { } run ? run.Append(commits[i].Commit) : CommitResult.LeaseLost);
            foreach (var i in order) if (results[i] is null) commits[i].Run!.Hasten();
            foreach (var i in order) if (results[i] is null) Try(i, () => commits[i].Run!.Acknowledge(commits[i].Commit));
            if (failure is null) SetResult([.. results.Select(result => result!.Value)]);
            else SetException(failure);

            void Try(int i, Func<CommitResult?> half)
            {
                // One that failed answers nothing more; the others stand.
                try { results[i] = half(); }
                catch (Exception error) { (results[i], failure) = (CommitResult.Conflict, error); }
            }
        }
    }
}
