using System.Text;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A run written by hand, record by record, as the engine would.</summary>
sealed class StoredRun(RunHead head, RunLease lease)
{
    static readonly DateTimeOffset s_start = new(2026, 1, 10, 12, 0, 0, TimeSpan.Zero);

    public RunHead Head { get; private set; } = head;
    public RunLease Lease { get; } = lease;

    public static RunOwner Owner(int pid = 1) => new(pid, "test", s_start);

    public static async Task<StoredRun> BeginAsync(ICheckpointStore store, string id, string? queue = null)
    {
        var data = $$"""{"format":1,"run_id":"{{id}}","workflow":"stored","steps":[]{{(queue is null ? "" : $",\"queue\":\"{queue}\"")}}}""";
        var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = s_start, Data = Encoding.UTF8.GetBytes(data) }, 1, false, "");
        var head = RunHead.After(null, created);
        var run = new StoredRun(head, (await store.CreateAsync(created, head, Owner(), TestContext.Current.CancellationToken)).Lease!);
        var commit = run.Commit(new Checkpoint { Kind = CheckpointKind.Resumed, At = s_start, Token = run.Lease.Token });
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(commit, TestContext.Current.CancellationToken));
        run.Accept(commit);
        return run;
    }

    public static async Task<StoredRun> ReadAsync(ICheckpointStore store, string id, RunLease lease) => new((await store.FindAsync(id, TestContext.Current.CancellationToken))!, lease);

    /// <summary>A commit of the next step.</summary>
    public Commit Next(string path, string? payload = null, bool gap = false)
    {
        var commit = Commit(new Checkpoint { Kind = CheckpointKind.Step, At = s_start.AddTicks(Head.Seq), Path = path, Status = StepStatus.Completed, Attempt = 1 }, gap ? 2 : 1);
        var bytes = Encoding.UTF8.GetBytes(payload ?? "");
        return payload is null ? commit : commit with { Payloads = [new Payload(new PayloadRef(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)), bytes.Length), bytes)] };
    }

    /// <summary>The end of a pass that waits for a message.</summary>
    public Commit Wait() =>
        Commit(new Checkpoint { Kind = CheckpointKind.Waiting, At = s_start, Data = """{"seen":0,"waits":[{"path":"w","signal":"go"}]}"""u8.ToArray() }) with { Release = true };

    Commit Commit(Checkpoint draft, int ahead = 1)
    {
        var record = CheckpointCodec.Encode(draft, Head.Seq + ahead, false, Head.Hash);
        return new Commit(Lease, [record], [], RunHead.After(Head, record));
    }

    public void Accept(Commit commit) => Head = commit.Head!;
}
