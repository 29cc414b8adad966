[assembly: AssemblyFixture(typeof(Pawl.Stores.PostgresFixture))]

namespace Pawl.Stores;

/// <summary>One server for all tests that leave it running; each has a schema of its own.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    int _schemas;

    public PostgresServer Server { get; private set; } = null!;

    public string NewSchema() => $"t{Interlocked.Increment(ref _schemas)}";

    public async ValueTask InitializeAsync() => Server = await PostgresServer.StartAsync();

    public ValueTask DisposeAsync() => Server?.DisposeAsync() ?? default;
}
