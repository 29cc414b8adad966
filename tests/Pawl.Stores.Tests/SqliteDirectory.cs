using Microsoft.Data.Sqlite;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A directory for one test, with a database.</summary>
sealed class SqliteDirectory : IDisposable
{
    readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("pawl-sqlite-");

    public string Root => _directory.FullName;

    public string File => Path.Join(Root, "pawl.db");

    public SqliteStore Open(SqliteStoreOptions? options = null) => SqliteStore.Open(File, options);

    /// <summary>As another program would, on a connection of its own. Columns are parted by |.</summary>
    public List<string> Query(string sql)
    {
        SqliteLibrary.Ensure();
        using var connection = new SqliteConnection($"Data Source={File};Pooling=false");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read()) rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? "" : reader.GetString(i))));
        return rows;
    }

    public void Dispose() => _directory.Delete(recursive: true);
}
