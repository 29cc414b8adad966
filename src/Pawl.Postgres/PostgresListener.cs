using System.Threading.Channels;
using Npgsql;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>One listening connection for all who watch. It is there while somebody watches, and comes back by itself when it was lost.</summary>
sealed class PostgresListener(NpgsqlDataSource source, string channel, TimeProvider time, PostgresClock clock) : IAsyncDisposable
{
    // A connection that was cut off without a word is noticed by asking.
    static readonly TimeSpan s_silence = TimeSpan.FromSeconds(15);
    static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(5);

    readonly Lock _lock = new();
    readonly List<ChannelWriter<StoreHint>> _watchers = [];
    CancellationTokenSource? _stop;
    Task _listening = Task.CompletedTask;

    public async IAsyncEnumerable<StoreHint> WatchAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var hints = Channel.CreateUnbounded<StoreHint>();
        Add(hints.Writer);
        try
        {
            await foreach (var hint in hints.Reader.ReadAllAsync(cancellationToken)) yield return hint;
        }
        finally
        {
            Remove(hints.Writer);
        }
    }

    void Add(ChannelWriter<StoreHint> watcher)
    {
        lock (_lock)
        {
            _watchers.Add(watcher);
            if (_stop is not null) return;
            _stop = new CancellationTokenSource();
            _listening = ListenAsync(_stop.Token);
        }
    }

    void Remove(ChannelWriter<StoreHint> watcher)
    {
        lock (_lock)
        {
            _watchers.Remove(watcher);
            if (_watchers.Count > 0) return;
            _stop?.Cancel();
            _stop = null;
        }
    }

    async Task ListenAsync(CancellationToken stop)
    {
        var pause = TimeSpan.FromMilliseconds(50);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync(stop);
                connection.Notification += (_, news) => Tell(new StoreHint(news.Payload.Length > 0 ? news.Payload : null));
                await using (var listen = new NpgsqlCommand($"listen \"{channel}\"", connection)) await listen.ExecuteNonQueryAsync(stop);
                await clock.ReadAsync(connection, stop);
                // What was told while nobody listened is not known: everybody looks once.
                Tell(new StoreHint(null));
                pause = TimeSpan.FromMilliseconds(50);
                while (true)
                {
                    if (!await connection.WaitAsync(s_silence, stop)) await clock.ReadAsync(connection, stop);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is NpgsqlException or IOException or InvalidOperationException or TimeoutException)
            {
                // Hints may be missing; whoever waits also looks now and then.
            }
            await Task.Delay(pause, time, stop).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            if (pause < s_longestPause) pause *= 2;
        }
    }

    void Tell(StoreHint hint)
    {
        lock (_lock) _watchers.ForEach(watcher => watcher.TryWrite(hint));
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
        {
            _watchers.ForEach(watcher => watcher.TryComplete());
            _watchers.Clear();
            _stop?.Cancel();
            _stop = null;
        }
        await _listening;
    }
}
