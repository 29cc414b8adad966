using Npgsql;
using Pawl.Postgres;
using Pawl.Testing;

namespace Pawl.Stores;

/// <summary>The PostgreSQL store keeps every law, over a server that flushes what it acknowledges.</summary>
public class PostgresConformanceTests(PostgresFixture postgres)
{
    public static TheoryData<string> Laws => [.. StoreConformance.Laws.Select(law => law.Name)];

    [Theory]
    [MemberData(nameof(Laws))]
    public async Task The_postgres_store_keeps_the_law(string name)
    {
        var law = StoreConformance.Laws.Single(one => one.Name == name);
        var schema = postgres.NewSchema();
        // Each instance has connections of its own, as another process would.
        await law.Check(async () => await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema }), TestContext.Current.CancellationToken);
    }

    [Fact]
    public Task The_postgres_store_answers_as_the_memory_store_to_random_histories()
    {
        var schema = postgres.NewSchema();
        var sequences = int.TryParse(Environment.GetEnvironmentVariable("PAWL_MODEL_SEQUENCES"), out var asked) ? asked : 100;
        return StoreModel.CheckAsync(async () => await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema }), seed: 12, sequences, cancellationToken: TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task The_server_under_test_flushes_what_it_acknowledges()
    {
        await using var source = NpgsqlDataSource.Create(postgres.Server.ConnectionString);
        foreach (var setting in new[] { "fsync", "synchronous_commit", "full_page_writes" })
        {
            await using var show = source.CreateCommand($"show {setting}");
            Assert.Equal("on", await show.ExecuteScalarAsync(TestContext.Current.CancellationToken));
        }
    }
}
