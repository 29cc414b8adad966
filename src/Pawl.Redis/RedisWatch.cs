using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary>Those who watch. The client has one subscription for all of them, and makes it anew when its connection was lost.</summary>
sealed class RedisWatch : IDisposable
{
    readonly Lock _lock = new();
    readonly List<ChannelWriter<StoreHint>> _watchers = [];
    readonly IConnectionMultiplexer _client;
    readonly RedisChannel _news;

    public RedisWatch(IConnectionMultiplexer client, RedisChannel news)
    {
        (_client, _news) = (client, news);
        _client.ConnectionRestored += OnRestored;
    }

    public async IAsyncEnumerable<StoreHint> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var hints = Channel.CreateUnbounded<StoreHint>(new UnboundedChannelOptions { SingleReader = true });
        lock (_lock) _watchers.Add(hints.Writer);
        void Heard(RedisChannel from, RedisValue news) => hints.Writer.TryWrite(new StoreHint(news.IsNullOrEmpty ? null : (string?)news));
        try
        {
            await RedisErrors.KnownAsync(SubscribeAsync(Heard)).WaitAsync(cancellationToken);
            // What was told while nobody listened is not known: everybody looks once.
            hints.Writer.TryWrite(default);
            await foreach (var hint in hints.Reader.ReadAllAsync(cancellationToken)) yield return hint;
        }
        finally
        {
            lock (_lock) _watchers.Remove(hints.Writer);
            try
            {
                // Not waited for: a server that is away must not keep the watcher.
                _client.GetSubscriber().Unsubscribe(_news, Heard, CommandFlags.FireAndForget);
            }
            catch (ObjectDisposedException)
            {
                // The store was closed, or its application's connection: nobody is told any more.
            }
        }
    }

    async Task<bool> SubscribeAsync(Action<RedisChannel, RedisValue> heard)
    {
        await _client.GetSubscriber().SubscribeAsync(_news, heard);
        return true;
    }

    void OnRestored(object? sender, ConnectionFailedEventArgs restored)
    {
        lock (_lock) _watchers.ForEach(watcher => watcher.TryWrite(default));
    }

    public void Dispose()
    {
        _client.ConnectionRestored -= OnRestored;
        lock (_lock) _watchers.ForEach(watcher => watcher.TryComplete());
    }
}
