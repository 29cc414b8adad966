using Npgsql;

namespace Pawl.Stores;

public class PostgresServerTests(PostgresFixture postgres)
{
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
