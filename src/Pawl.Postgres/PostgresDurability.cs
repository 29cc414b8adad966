using Npgsql;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>What the server promises of an acknowledged commit, as its settings say for this user and database.</summary>
static class PostgresDurability
{
    public static async Task<(DurabilityClass Class, string? Remark)> ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select current_setting('fsync'), current_setting('synchronous_commit'), current_setting('full_page_writes'), current_setting('server_encoding')", connection);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        if (row.GetString(3) != "UTF8") throw new InvalidOperationException($"The database is encoded in {row.GetString(3)}; names of steps need UTF8. Create a database with ENCODING 'UTF8'.");
        var (fsync, commit, pages) = (row.GetString(0), row.GetString(1), row.GetString(2));
        // Without a flush at commit the server itself may forget what it acknowledged when its processes die.
        if (commit == "off") return (DurabilityClass.None, "synchronous_commit = off acknowledges before anything is written");
        if (fsync != "on") return (DurabilityClass.Process, "fsync = off leaves acknowledged commits in memory");
        if (pages != "on") return (DurabilityClass.Process, "full_page_writes = off lets a power cut tear pages");
        return (DurabilityClass.Power, null);
    }
}
