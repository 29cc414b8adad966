using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>Thrown by a law that a store does not keep.</summary>
public sealed class LawBrokenException(string message) : Exception(message);

/// <summary>A run that a law writes by hand: lines are made here, from the published format, not by the engine.</summary>
sealed class LawRun
{
    // Real time is no part of what the laws look at.
    static readonly DateTimeOffset s_start = new(2026, 1, 10, 12, 0, 0, TimeSpan.Zero);
    ICheckpointStore _store;

    LawRun(ICheckpointStore store, string id, Checkpoint created)
    {
        _store = store;
        Id = id;
        Written.Add(created);
        Head = RunHead.After(null, created);
    }

    public string Id { get; }
    public RunHead Head { get; private set; }
    public RunLease? Lease { get; private set; }

    /// <summary>Every record that was committed.</summary>
    public List<Checkpoint> Written { get; } = [];

    public static RunOwner Owner(int pid = 1) => new(pid, "law", s_start, "laws");

    public static string NewId() => "law_" + RandomNumberGenerator.GetHexString(16, lowercase: true);

    public static string NewQueue() => "law-" + RandomNumberGenerator.GetHexString(16, lowercase: true);

    /// <summary>Creates a run that waits in a queue for a worker.</summary>
    public static Task<LawRun> EnqueueAsync(ICheckpointStore store, string queue, CancellationToken cancellation, string workflow = "law", string data = "", int second = 0) =>
        CreateAsync(store, null, cancellation, null, workflow, InQueue(queue) + data, second);

    /// <summary>Creates a run of a queue that is claimed and has begun.</summary>
    public static Task<LawRun> BeginInQueueAsync(ICheckpointStore store, string queue, CancellationToken cancellation, string data = "") =>
        BeginAsync(store, cancellation, data: InQueue(queue) + data);

    static string InQueue(string queue) => $",\"queue\":\"{queue}\"";

    /// <summary>The number of the second that a real time has among the laws' times.</summary>
    public static int SecondOf(DateTimeOffset time) => (int)(time - s_start).TotalSeconds;

    /// <summary>Creates a run that is claimed and has begun, so that steps may follow.</summary>
    public static async Task<LawRun> BeginAsync(ICheckpointStore store, CancellationToken cancellation, string? id = null, string workflow = "law", string data = "", int second = 0)
    {
        var run = await CreateAsync(store, Owner(), cancellation, id, workflow, data, second);
        await run.ResumeAsync(cancellation);
        return run;
    }

    public static async Task<LawRun> CreateAsync(ICheckpointStore store, RunOwner? claimant, CancellationToken cancellation, string? id = null, string workflow = "law", string data = "", int second = 0)
    {
        id ??= NewId();
        var run = new LawRun(store, id, Created(id, workflow, data, second));
        var result = await store.CreateAsync(run.Written[0], run.Head, claimant, cancellation);
        Expect.Holds(result.Existing is null, $"creating the new run {id} found an existing one");
        run.Lease = result.Lease;
        return run;
    }

    public static Checkpoint Created(string id, string workflow = "law", string data = "", int second = 0) =>
        Make(1, "created", s_start.AddSeconds(second), "", "\"data\":" + $$"""{"format":1,"run_id":"{{id}}","workflow":"{{workflow}}","fingerprint":"","steps":[]{{data}}}""");

    /// <summary>The line of the next record of a step.</summary>
    public Checkpoint Step(string path, string output = "1", string more = "") =>
        Line("step", $"\"path\":{Json(path)},\"status\":\"completed\",\"attempt\":1,\"output\":{output}{more}");

    public Checkpoint Line(string kind, string members) => Line(Head, kind, members);

    public static Checkpoint Line(RunHead behind, string kind, string members) => Make(behind.Seq + 1, kind, behind.CreatedAt.AddSeconds(behind.Seq), behind.Hash, members);

    /// <summary>A commit of these records behind the run's last one.</summary>
    public Commit Commit(params Checkpoint[] records) => new(Lease!, records, [], records.Aggregate(Head, RunHead.After));

    /// <summary>Several steps that follow each other.</summary>
    public Checkpoint[] Steps(int count, string prefix = "s")
    {
        var (head, records) = (Head, new Checkpoint[count]);
        for (var i = 0; i < count; i++)
        {
            var more = i < count - 1 ? ",\"more\":true" : "";
            records[i] = Line(head, "step", $"\"path\":\"{prefix}{head.Seq}\",\"status\":\"completed\",\"attempt\":1,\"output\":{i}{more}");
            head = RunHead.After(head, records[i]);
        }
        return records;
    }

    public async Task AppendAsync(CancellationToken cancellation, params Checkpoint[] records) => await AppendAsync(Commit(records), cancellation);

    public async Task AppendAsync(Commit commit, CancellationToken cancellation)
    {
        var result = await _store.CommitAsync(commit, cancellation);
        Expect.Holds(result == CommitResult.Committed, $"a commit behind record {Head.Seq} was answered with {result}");
        Accept(commit);
    }

    public void Accept(Commit commit)
    {
        Written.AddRange(commit.Records);
        Head = commit.Head!;
    }

    /// <summary>Claims the run for a new process.</summary>
    public async Task<RunLease> ClaimAsync(CancellationToken cancellation, int pid = 2)
    {
        var claim = await _store.ClaimAsync(Id, Owner(pid), cancellation);
        Expect.Holds(claim.Lease is not null, "the run could not be claimed though nobody holds it");
        return Lease = claim.Lease!;
    }

    /// <summary>Goes on with a lease that this instance got.</summary>
    public void HeldBy(ICheckpointStore store, RunLease lease) => (_store, Lease) = (store, lease);

    /// <summary>The first record of a pass.</summary>
    public Task ResumeAsync(CancellationToken cancellation) => AppendAsync(cancellation, Line("resumed", "\"token\":" + Lease!.Token));

    /// <summary>The last record of a pass, with which the lease is given back.</summary>
    public Task EndAsync(string kind, CancellationToken cancellation, string members = "\"reason\":\"law\"") => AppendAsync(Commit(Line(kind, members)) with { Release = true }, cancellation);

    /// <summary>The pass ends because nothing can go on before a time or a message.</summary>
    public Task WaitAsync(CancellationToken cancellation, string due = "", int seen = 0) =>
        EndAsync("waiting", cancellation, "\"data\":" + $$"""{"waits":[{"path":"w","signal":"go"{{(due.Length > 0 ? $",\"due\":\"{due}\"" : "")}}}],"seen":{{seen}}}""");

    public async Task ReleaseAsync(CancellationToken cancellation) => await _store.ReleaseAsync(Lease!, cancellation);

    /// <summary>The store holds exactly what was committed, byte for byte, and the head is its fold.</summary>
    public async Task IsWholeAsync(ICheckpointStore store, CancellationToken cancellation)
    {
        var records = await Expect.ListAsync(store.ReadAsync(Id, 1, cancellation));
        Expect.Holds(records.Count == Written.Count, $"the journal holds {records.Count} records instead of {Written.Count}");
        for (var i = 0; i < records.Count; i++)
        {
            Expect.Holds(records[i].Line.Span.SequenceEqual(Written[i].Line.Span), $"record {i + 1} came back as {Text(records[i])} instead of {Text(Written[i])}");
            Expect.Holds(records[i].Seq == i + 1 && records[i].Hash == Written[i].Hash, $"record {i + 1} came back with sequence number {records[i].Seq} and hash {records[i].Hash}");
        }
        var head = await store.FindAsync(Id, cancellation);
        Expect.Holds(head is not null, "the run has no head");
        var (found, folded) = (Expect.Describe(head!), Expect.Describe(records.Aggregate((RunHead?)null, RunHead.After)!));
        Expect.Holds(found == folded, $"the head is\n{found}\ninstead of the fold of the journal\n{folded}");
    }

    static Checkpoint Make(long seq, string kind, DateTimeOffset at, string prevHash, string members)
    {
        var content = $$"""{"seq":{{seq}},"kind":"{{kind}}","at":"{{at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}}",{{members}}""";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(prevHash + content)).AsSpan(0, 16));
        return Checkpoint.FromLine(Encoding.UTF8.GetBytes($$"""{{content}},"hash":"{{hash}}"}"""));
    }

    static string Json(string text) => "\"" + JsonEncodedText.Encode(text) + "\"";

    static string Text(Checkpoint record) => record.Line.Length > 200 ? $"{record.Line.Length} bytes" : Encoding.UTF8.GetString(record.Line.Span);
}

/// <summary>What laws are made of.</summary>
static class Expect
{
    public static void Holds(bool kept, string broken)
    {
        if (!kept) throw new LawBrokenException(broken);
    }

    public static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> items)
    {
        var list = new List<T>();
        await foreach (var item in items) list.Add(item);
        return list;
    }

    public static async Task<TException> ThrowsAsync<TException>(Func<Task> code, string broken) where TException : Exception
    {
        try { await code(); }
        catch (TException error) { return error; }
        throw new LawBrokenException(broken);
    }

    /// <summary>A head as text, without its owner, which is no part of the fold.</summary>
    public static string Describe(RunHead head) =>
        $"{head.RunId} {head.Workflow} v{head.Version} {head.Status} seq {head.Seq} {head.Hash} token {head.Token} {head.Done}/{head.Total} {head.CreatedAt:O} {head.UpdatedAt:O} "
        + $"[{head.ErrorStep}] [{head.Error}] [{head.ParentRunId}] {Words(head.Tags)} {Words(head.Partition)} "
        + $"[{head.Queue}] {head.Priority} {head.Portable} {head.StartedAt:O} wakes {head.WakeAt:O} seen {head.Seen} {string.Join(',', head.Waits)} recovered {head.Recoveries}";

    static string Words(IReadOnlyDictionary<string, string> words) => string.Join(',', words.OrderBy(word => word.Key, StringComparer.Ordinal).Select(word => $"{word.Key}={word.Value}"));
}
