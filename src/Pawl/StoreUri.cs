using Pawl.Storage;

namespace Pawl;

/// <summary>Stores by their URI.</summary>
static class StoreUri
{
    static readonly string[] s_kinds = ["memory", "file"];

    public static ICheckpointStore Open(string uri, TimeProvider? time)
    {
        var colon = uri.IndexOf(':', StringComparison.Ordinal);
        var kind = colon < 0 ? uri : uri[..colon];
        var rest = colon < 0 ? "" : uri[(colon + 1)..];
        return kind switch
        {
            "memory" => new MemoryStore(),
            "file" => FileStore.Open(rest.Length == 0 ? ".checkpoints" : rest.StartsWith("//", StringComparison.Ordinal) ? rest[2..] : rest, new FileStoreOptions { Time = time ?? TimeProvider.System }),
            _ => throw new ArgumentException($"'{RunIds.Printable(kind)}' is not a kind of store.{Nearest.Hint(kind, s_kinds)} Use file:DIRECTORY or memory:"),
        };
    }
}
