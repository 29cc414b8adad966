using Pawl.Postgres;
using Pawl.Redis;
using Pawl.Stores;

[assembly: AssemblyFixture(typeof(Pawl.Dashboard.Tests.Servers))]

namespace Pawl.Dashboard.Tests;

/// <summary>Database servers, one of each for all tests: each starts when the first test needs it, and one that cannot start fails that test.</summary>
public sealed class Servers : IAsyncDisposable
{
    readonly Lazy<Task<PostgresServer>> _postgres = new(() => PostgresServer.StartAsync());
    readonly Lazy<Task<RedisServer>> _redis = new(() => RedisServer.StartAsync());
    int _stores;

    /// <summary>A lab over a store that nobody else has.</summary>
    internal async Task<Lab> LabAsync(string kind)
    {
        var name = $"t{Interlocked.Increment(ref _stores)}";
        return kind switch
        {
            "postgres" => await Lab.OverAsync(await PostgresStore.OpenAsync((await _postgres.Value).ConnectionString, new PostgresStoreOptions { Schema = name }, Lab.Stop)),
            "redis" => await Lab.OverAsync(await RedisStore.OpenAsync((await _redis.Value).Uri($"prefix={name}"), cancellationToken: Lab.Stop)),
            _ => await Lab.StartAsync(kind),
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_postgres.IsValueCreated) await (await _postgres.Value).DisposeAsync();
        if (_redis.IsValueCreated) await (await _redis.Value).DisposeAsync();
    }
}
