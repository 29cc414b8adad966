[assembly: AssemblyFixture(typeof(Pawl.Stores.RedisFixture))]

namespace Pawl.Stores;

/// <summary>One server for all tests that leave it running; each has keys of its own.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    int _stores;

    public RedisServer Server { get; private set; } = null!;

    /// <summary>The address of a store that nobody else has.</summary>
    public string NewUri() => Server.Uri($"prefix=t{Interlocked.Increment(ref _stores)}");

    public async ValueTask InitializeAsync() => Server = await RedisServer.StartAsync();

    public ValueTask DisposeAsync() => Server?.DisposeAsync() ?? default;
}
