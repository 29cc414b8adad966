using Pawl.Storage;

namespace Pawl;

/// <summary>Stores by their URI.</summary>
static class StoreUri
{
    static readonly string[] s_kinds = ["memory", "file"];
    static readonly Dictionary<string, string> s_elsewhere = new()
    {
        ["sqlite"] = "SqliteStore.Open of Pawl.Sqlite", ["postgres"] = "PostgresStore.OpenAsync of Pawl.Postgres", ["postgresql"] = "PostgresStore.OpenAsync of Pawl.Postgres",
        ["redis"] = "RedisStore.OpenAsync of Pawl.Redis", ["rediss"] = "RedisStore.OpenAsync of Pawl.Redis"
    };

    public static ICheckpointStore Open(string uri, TimeProvider? time)
    {
        var colon = uri.IndexOf(':', StringComparison.Ordinal);
        var kind = colon < 0 ? uri : uri[..colon];
        var rest = colon < 0 ? "" : uri[(colon + 1)..];
        return kind switch
        {
            "memory" => new MemoryStore(time),
            "file" => FileStore.Open(rest.Length == 0 ? ".checkpoints" : rest.StartsWith("//", StringComparison.Ordinal) ? rest[2..] : rest, new FileStoreOptions { Time = time ?? TimeProvider.System }),
            _ when s_elsewhere.TryGetValue(kind, out var opener) => throw new ArgumentException($"A '{kind}' store is opened with {opener}; hand it to the client: new PawlClient(store)."),
            _ => throw new ArgumentException($"'{RunIds.Printable(kind)}' is not a kind of store.{Nearest.Hint(kind, s_kinds)} Use file:DIRECTORY, sqlite:FILE, postgres://…, redis://… or memory:"),
        };
    }
}
