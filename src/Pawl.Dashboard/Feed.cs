using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Tells who watches that something changed, and gives all of them the same answer when they ask what. However many watch one thing, the store is read once for each look, and once for
/// each question that a change leads to.</summary>
sealed partial class Feed(PawlClient client, TimeSpan every)
{
    [LoggerMessage(1, LogLevel.Error, "What is watched could not be read; it is tried again.")]
    static partial void LookFailed(ILogger log, Exception error);

    readonly ILogger _log = client.Options.Logging.CreateLogger("Pawl.Dashboard");
    readonly Lock _lock = new();
    readonly Dictionary<string, Look> _looks = [];

    /// <summary>Marks of the runs list, each time it changed; the newest at once.</summary>
    public IAsyncEnumerable<string> Runs(CancellationToken stop) => WatchAsync("", RunsMarkAsync, stop);

    /// <summary>Marks of one run, each time it changed; the newest at once. Ends when the run is removed.</summary>
    public IAsyncEnumerable<string> Run(string runId, CancellationToken stop) => WatchAsync(runId, () => RunMarkAsync(runId), stop);

    async Task<string?> RunMarkAsync(string runId)
    {
        try { return await client.FindAsync(runId, CancellationToken.None) is { } head ? ListEndpoints.Mark(head) : null; }
        catch (JournalCorruptException)
        {
            // That is news: who asks because of it is answered with what is damaged.
            return $"{runId}@damaged";
        }
    }

    /// <summary>An answer that is at least as new as a change which the one who asks was told of.</summary>
    /// <param name="runId">The run that is watched; null is the list of runs.</param>
    /// <param name="seen">The mark of the change.</param>
    /// <param name="question">What is asked: the same for all who may share the answer.</param>
    /// <param name="make">Makes it. Called once for all who ask.</param>
    /// <returns>Null when this feed told no such mark of late: the one who asks must be answered alone.</returns>
    public Task<object?>? Share(string? runId, string seen, string question, Func<Task<object?>> make)
    {
        Look? look;
        lock (_lock) look = _looks.GetValueOrDefault(runId ?? "");
        return look?.Share(seen, question, make);
    }

    // What a list shows first, what is alive, and what waits behind: a run that ends changes one of them. However many are pending, those that go on are seen.
    async Task<string?> RunsMarkAsync()
    {
        const int newest = 100, alive = 500, behind = 100;
        var sum = 17UL;
        await foreach (var head in client.ListAsync(new RunQuery { Limit = newest }, CancellationToken.None)) Add(head);
        await foreach (var head in client.ListAsync(new RunQuery { Statuses = [RunStatus.Running, RunStatus.Waiting], Limit = alive }, CancellationToken.None)) Add(head);
        await foreach (var head in client.ListAsync(new RunQuery { Statuses = [RunStatus.Pending, RunStatus.Paused], Limit = behind }, CancellationToken.None)) Add(head);
        return $"{sum:x}";

        void Add(RunHead head) => sum = (sum * 31) ^ (ulong)string.GetHashCode(ListEndpoints.Mark(head), StringComparison.Ordinal);
    }

    async IAsyncEnumerable<string> WatchAsync(string key, Func<Task<string?>> read, [EnumeratorCancellation] CancellationToken stop)
    {
        Look look;
        lock (_lock)
        {
            if (!_looks.TryGetValue(key, out look!)) _looks[key] = look = new Look(read, every, _log);
            look.Watchers++;
        }
        try
        {
            for (var seen = 0L; ;)
            {
                var (number, mark) = await look.NextAsync(seen, stop);
                if (mark is null) yield break;
                seen = number;
                yield return mark;
            }
        }
        finally
        {
            lock (_lock)
            {
                if (--look.Watchers == 0)
                {
                    _looks.Remove(key);
                    look.Dispose();
                }
            }
        }
    }

    /// <summary>One thing that is looked at, and the mark that it had last.</summary>
    sealed class Look : IDisposable
    {
        readonly CancellationTokenSource _stop = new();
        readonly Lock _lock = new();
        // Marks that count as known, and answers of one mark that are kept.
        const int Late = 16, MostAnswers = 64;

        readonly Queue<string> _marks = [];
        readonly Dictionary<string, Task<object?>> _answers = [];
        TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        (long Number, string? Mark) _now;

        public Look(Func<Task<string?>> read, TimeSpan every, ILogger log) => _ = RunAsync(read, every, log);

        public int Watchers { get; set; }

        public async Task<(long, string?)> NextAsync(long seen, CancellationToken stop)
        {
            while (true)
            {
                Task changed;
                lock (_lock)
                {
                    if (_now.Number > seen) return _now;
                    changed = _changed.Task;
                }
                await changed.WaitAsync(stop);
            }
        }

        public Task<object?>? Share(string seen, string question, Func<Task<object?>> make)
        {
            lock (_lock)
            {
                // What is kept was asked for behind the newest mark, and so behind every one before.
                if (!_marks.Contains(seen)) return null;
                if (_answers.TryGetValue(question, out var answer)) return answer;
                return _answers.Count == MostAnswers ? null : _answers[question] = Task.Run(() => MakeAsync(question, make));
            }
        }

        async Task<object?> MakeAsync(string question, Func<Task<object?>> make)
        {
            try
            {
                return await make();
            }
            catch
            {
                // Whoever asks next tries again.
                lock (_lock) _answers.Remove(question);
                throw;
            }
        }

        async Task RunAsync(Func<Task<string?>> read, TimeSpan every, ILogger log)
        {
            string? told = null;
            using var timer = new PeriodicTimer(every);
            try
            {
                do
                {
                    try
                    {
                        Put(await read());
                        told = null;
                    }
                    catch (IOException)
                    {
                        // The store is away; the next look may find it.
                    }
                    catch (Exception error) when (error is not OperationCanceledException)
                    {
                        // Whoever watches hears of it when a look succeeds again; whoever keeps the server hears of it now, once.
                        if (error.Message != told) LookFailed(log, error);
                        told = error.Message;
                    }
                } while (await timer.WaitForNextTickAsync(_stop.Token));
            }
            catch (OperationCanceledException)
            {
                // Nobody watches any more.
            }
        }

        void Put(string? mark)
        {
            TaskCompletionSource changed;
            lock (_lock)
            {
                if (_now.Number > 0 && _now.Mark == mark) return;
                (_now, changed) = ((_now.Number + 1, mark), _changed);
                _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _answers.Clear();
                if (mark is not null) _marks.Enqueue(mark);
                if (_marks.Count > Late) _marks.Dequeue();
            }
            changed.SetResult();
        }

        public void Dispose()
        {
            _stop.Cancel();
            _stop.Dispose();
        }
    }
}
