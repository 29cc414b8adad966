namespace Pawl.Storage;

/// <summary>The thread that makes the commits of several runs together, with one flush: a flush blocks its thread, and the thread pool's few would be missing elsewhere.</summary>
/// <remarks>
/// The lines go to each run's journal, not flushed, and once more, all together, to this process's group file, which is. A journal is flushed before its run is
/// given back, and all are before a new group file begins; until then the group file stays.
/// </remarks>
sealed class FileStoreWriter(FileStoreGroups groups, IEnumerable<KeyValuePair<string, FileStoreRun>> live)
{
    const int Limit = 16 << 20, KeepBuffer = 1 << 20, MostAhead = 1 << 20;
    static readonly byte[] s_zeros = new byte[16 << 10];
    static readonly TimeSpan s_idleLimit = TimeSpan.FromSeconds(5);

    readonly Queue<Group> _queue = new();
    readonly Lock _writing = new();
    readonly List<int> _joined = [];
    byte[] _buffer = new byte[64 * 1024];
    DurableFile? _file;
    long _size, _length;
    bool _hasThread, _keep;

    public Task<IReadOnlyList<CommitResult>> CommitAsync((FileStoreRun? Run, Commit Commit)[] commits)
    {
        var group = new Group(commits);
        lock (_queue)
        {
            _queue.Enqueue(group);
            if (_hasThread) Monitor.Pulse(_queue);
            else new Thread(Loop) { IsBackground = true, Name = "Pawl file store" }.Start();
            _hasThread = true;
        }
        return group.Task;
    }

    void Loop()
    {
        while (Take() is { } group) Commit(group);
    }

    Group? Take()
    {
        lock (_queue)
        {
            Group? group;
            while (!_queue.TryDequeue(out group))
            {
                if (Monitor.Wait(_queue, s_idleLimit) || _queue.Count > 0) continue;
                _hasThread = false;
                return null;
            }
            return group;
        }
    }

    /// <summary>The protocol of commits that are made together.</summary>
    void Commit(Group group)
    {
        var (commits, results) = (group.Commits, new CommitResult[group.Commits.Length]);
        Exception? failure = null;
        lock (_writing)
        {
            if (_size > Limit) Close();
            _joined.Clear();
            for (var i = 0; i < commits.Length; i++)
            {
                var (run, commit) = commits[i];
                try
                {
                    // The lines stand in the run's journal, and this thread holds the run. Nothing is durable: the death of the process takes nothing, a loss of power leaves a torn tail.
                    if (run is null) results[i] = CommitResult.LeaseLost;
                    else if (run.Append(commit) is { } answer) results[i] = answer;
                    else if (run.StandsAlone) results[i] = run.FlushAndAcknowledge(commit);
                    else _joined.Add(i);
                }
                catch (Exception error) { failure = error; }
            }
            try
            {
                if (_joined.Count > 0)
                {
                    var length = Join(commits);
                    _file ??= groups.Create();
                    Lengthen(_file, length);
                    // A crash during the write leaves a torn group, which is not read.
                    _file.Write(_buffer.AsSpan(0, length), _size);
                    // A crash here leaves the group or not: it was not acknowledged, so both are right.
                    _file.Flush();
                    _size += length;
                }
                // Durable: the whole group. What a loss of power takes from the journals is read from here.
                foreach (var i in _joined) results[i] = commits[i].Run!.Acknowledge(commits[i].Commit);
            }
            catch (Exception error)
            {
                failure = error;
                // Nothing of the group is acknowledged, and its file is never used again. If it holds the group all the same nobody asks for it:
                // each run's next commit stands alone, in its own journal.
                foreach (var i in _joined) commits[i].Run!.GiveUp();
                Close();
            }
        }
        // One that failed answers nothing; the others stand, and say so when they are sent again.
        if (failure is null) group.SetResult(results);
        else group.SetException(failure);
    }

    /// <summary>The file grows ahead of what is written, by zeros, which are no group: a flush that has no new length to keep costs half as much.</summary>
    void Lengthen(DurableFile file, int more)
    {
        if (_size + more <= _length) return;
        for (var end = Math.Max(_size + more, _length + Math.Min(_length, MostAhead)); _length < end; _length += s_zeros.Length) file.Write(s_zeros, _length);
    }

    int Join((FileStoreRun? Run, Commit Commit)[] commits)
    {
        var at = FileStoreGroup.HeaderLength;
        if (_buffer.Length > KeepBuffer) _buffer = new byte[64 * 1024];
        foreach (var i in _joined)
        {
            int written;
            while ((written = commits[i].Run!.CopyTo(_buffer.AsSpan(at))) == 0) Array.Resize(ref _buffer, checked(_buffer.Length * 2));
            at += written;
        }
        FileStoreGroup.WriteHeader(_buffer, _buffer.AsSpan(FileStoreGroup.HeaderLength, at - FileStoreGroup.HeaderLength));
        return at;
    }

    /// <summary>Ends with this group file. It is removed when every journal has what it holds; else it stays, an orphan.</summary>
    void Close()
    {
        if (_file is not { } file) return;
        foreach (var (_, run) in live) _keep |= !run.TryFlush();
        try
        {
            // Durable: every record in its journal.
            if (!_keep) groups.Remove(file.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It stays, and is removed by whoever comes next.
        }
        file.Dispose();
        (_file, _size, _length, _keep) = (null, 0, 0, false);
    }

    /// <summary>A run was given back whose journal could not be flushed: what the group file holds is needed.</summary>
    public void Keep()
    {
        lock (_writing) _keep = true;
    }

    /// <summary>Ends. All runs have been given back.</summary>
    public void End()
    {
        lock (_writing) Close();
    }

    // The answer goes on here: the engine only hands it to the runs, and sends the next group without waiting for a thread of the pool.
    sealed class Group((FileStoreRun? Run, Commit Commit)[] commits) : TaskCompletionSource<IReadOnlyList<CommitResult>>
    {
        public (FileStoreRun? Run, Commit Commit)[] Commits => commits;
    }
}
