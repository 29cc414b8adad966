using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>A store in a directory of its own that is removed at the end.</summary>
sealed class StoreDirectory : IDisposable
{
    static int s_count;

    public StoreDirectory(string? below = null) => Root = Path.Join(below ?? Path.GetTempPath(), $"pawl-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}", ".checkpoints");

    public string Root { get; }

    public FileStore Open(FileStoreOptions? options = null) => FileStore.Open(Root, options);

    public string Of(string runId, params string[] names) => Path.Join([Root, runId, .. names]);

    public string Journal(string runId) => Of(runId, "journal.jsonl");

    public void Dispose()
    {
        if (Directory.Exists(Path.GetDirectoryName(Root))) Directory.Delete(Path.GetDirectoryName(Root)!, recursive: true);
    }
}

static class StoreCalls
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<RunLease> Create(this ICheckpointStore store, Chain chain) =>
        (await store.CreateAsync(chain.Created, RunHead.After(null, chain.Created), Chain.Me, Token)).Lease ?? throw new InvalidOperationException("The run exists.");

    /// <summary>Creates the run and begins its first pass.</summary>
    public static async Task<RunLease> Begin(this ICheckpointStore store, Chain chain)
    {
        var lease = await store.Create(chain);
        Assert.Equal(CommitResult.Committed, await store.Commit(chain.Commit(lease, Chain.Resumed(lease.Token))));
        return lease;
    }

    public static async Task<CommitResult> Commit(this ICheckpointStore store, Commit commit) => await store.CommitAsync(commit, Token);

    public static async Task<ClaimResult> Claim(this ICheckpointStore store, string runId) => await store.ClaimAsync(runId, Chain.Me, Token);

    public static async Task<RunHead?> Find(this ICheckpointStore store, string runId) => await store.FindAsync(runId, Token);

    public static async Task<List<Checkpoint>> Read(this ICheckpointStore store, string runId, long fromSeq = 1) => await store.ReadAsync(runId, fromSeq, Token).ToListAsync(Token);

    public static async Task<List<RunHead>> List(this ICheckpointStore store, RunQuery? query = null) => await store.ListAsync(query ?? new RunQuery(), Token).ToListAsync(Token);

    public static void SameRecords(IEnumerable<Checkpoint> expected, IEnumerable<Checkpoint> actual) =>
        Assert.Equal(expected.Select(record => System.Text.Encoding.UTF8.GetString(record.Line.Span)), actual.Select(record => System.Text.Encoding.UTF8.GetString(record.Line.Span)));
}
