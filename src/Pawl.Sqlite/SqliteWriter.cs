namespace Pawl.Storage;

/// <summary>The one connection that writes. Whatever comes while a flush is under way goes together into the next transaction, and shares its flush.</summary>
sealed class SqliteWriter(SqliteDb db, SqliteLog log) : IDisposable
{
    readonly Lock _writing = new();
    readonly Queue<Work> _waiting = new();
    Thread? _thread;
    int _count;
    bool _ended;

    /// <summary>Runs a piece of work in a transaction; it is durable when the answer comes. The work may be run again when another in its transaction failed, and must not touch what lies outside.</summary>
    /// <param name="work">Throws for no reason but SQLite's: what it finds is its answer.</param>
    public ValueTask<T> RunAsync<T>(Func<SqliteDb, T> work)
    {
        if (Volatile.Read(ref _count) == 0 && _writing.TryEnter())
        {
            try
            {
                ObjectDisposedException.ThrowIf(_ended, typeof(SqliteStore));
                db.Run("BEGIN IMMEDIATE");
                var answer = work(db);
                log.Grow();
                // Durable behind this line. A crash before leaves nothing of it.
                db.Run("COMMIT");
                return new(answer);
            }
            catch
            {
                db.Rollback();
                throw;
            }
            finally
            {
                _writing.Exit();
            }
        }
        var waiting = new Work<T>(work);
        lock (_waiting)
        {
            ObjectDisposedException.ThrowIf(_ended, typeof(SqliteStore));
            _waiting.Enqueue(waiting);
            Interlocked.Increment(ref _count);
            if (_thread is null) (_thread = new Thread(Loop) { IsBackground = true, Name = "Pawl SQLite store" }).Start();
            else Monitor.Pulse(_waiting);
        }
        return new(waiting.Answer.Task);
    }

    void Loop()
    {
        var group = new List<Work>();
        while (true)
        {
            lock (_waiting)
            {
                while (_waiting.Count == 0)
                {
                    if (_ended) return;
                    Monitor.Wait(_waiting);
                }
            }
            // Those who came while another wrote go too.
            lock (_writing)
            {
                lock (_waiting)
                {
                    while (_waiting.TryDequeue(out var work)) group.Add(work);
                }
                Together(group);
                Interlocked.Add(ref _count, -group.Count);
            }
            foreach (var work in group) work.Tell();
            group.Clear();
        }
    }

    /// <summary>One transaction, one flush. Work that fails is taken out, and the rest begins anew.</summary>
    void Together(List<Work> group)
    {
        while (true)
        {
            Work? failing = null;
            try
            {
                db.Run("BEGIN IMMEDIATE");
                foreach (var work in group)
                {
                    if (work.Failure is not null) continue;
                    failing = work;
                    work.Do(db);
                }
                failing = null;
                log.Grow();
                // Durable behind this line: all of them. A crash before leaves nothing of any.
                db.Run("COMMIT");
                return;
            }
            catch (Exception error)
            {
                if (Undo(error) is { } worse) (failing, error) = (null, worse);
                if (failing is null)
                {
                    foreach (var work in group) work.Failure ??= error;
                    return;
                }
                failing.Failure = error;
            }
        }
    }

    AggregateException? Undo(Exception error)
    {
        try
        {
            db.Rollback();
            return null;
        }
        catch (Exception worse)
        {
            return new AggregateException(error, worse);
        }
    }

    /// <summary>What was begun is ended first.</summary>
    public void Dispose()
    {
        Thread? thread;
        lock (_waiting)
        {
            _ended = true;
            Monitor.Pulse(_waiting);
            thread = _thread;
        }
        thread?.Join();
        lock (_writing)
        {
            db.Dispose();
            log.Dispose();
        }
    }

    abstract class Work
    {
        public Exception? Failure { get; set; }
        public abstract void Do(SqliteDb db);
        public abstract void Tell();
    }

    sealed class Work<T>(Func<SqliteDb, T> work) : Work
    {
        T? _answer;

        public TaskCompletionSource<T> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public override void Do(SqliteDb db) => _answer = work(db);

        public override void Tell()
        {
            if (Failure is null) Answer.SetResult(_answer!);
            else Answer.SetException(Failure);
        }
    }
}
