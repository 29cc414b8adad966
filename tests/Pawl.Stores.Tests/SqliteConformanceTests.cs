using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Stores;

/// <summary>The SQLite store keeps every law, also on two instances of the same file.</summary>
public sealed class SqliteConformanceTests : IDisposable
{
    readonly SqliteDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    public static TheoryData<string> Laws => [.. StoreConformance.Laws.Select(law => law.Name)];

    [Theory]
    [MemberData(nameof(Laws))]
    public async Task The_sqlite_store_keeps_the_law(string name)
    {
        var law = StoreConformance.Laws.Single(one => one.Name == name);
        await law.Check(() => Task.FromResult<ICheckpointStore>(_directory.Open()), TestContext.Current.CancellationToken);
        await using var store = _directory.Open();
        Assert.Empty(await store.ListAsync(new RunQuery(), TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(LeaseLaws))]
    public Task The_sqlite_store_keeps_the_law_about_the_end_of_leases(string name) =>
        StoreConformance.Laws.Single(one => one.Name == name).Check(() => Task.FromResult<ICheckpointStore>(_directory.Open(new SqliteStoreOptions { LeaseTime = TimeSpan.FromSeconds(1) })), TestContext.Current.CancellationToken);

    [Fact]
    public Task The_sqlite_store_answers_as_the_memory_store_to_random_histories() =>
        StoreModel.CheckAsync(() => Task.FromResult<ICheckpointStore>(_directory.Open()), seed: 11, sequences: Sequences(300), cancellationToken: TestContext.Current.CancellationToken);

    static int Sequences(int quick) => int.TryParse(Environment.GetEnvironmentVariable("PAWL_MODEL_SEQUENCES"), out var asked) ? asked : quick;

    public static TheoryData<string> LeaseLaws => [.. Laws.Select(row => row.Data).Where(name => name.StartsWith("A lease that ", StringComparison.Ordinal))];
}
