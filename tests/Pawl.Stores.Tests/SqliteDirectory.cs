using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A directory for one test, with a database.</summary>
sealed class SqliteDirectory : IDisposable
{
    readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("pawl-sqlite-");

    public string Root => _directory.FullName;

    public string File => Path.Join(Root, "pawl.db");

    public SqliteStore Open(SqliteStoreOptions? options = null) => SqliteStore.Open(File, options);

    public void Dispose() => _directory.Delete(recursive: true);
}
