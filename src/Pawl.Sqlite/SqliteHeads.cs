using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Pawl.Storage;

/// <summary>Rows of runs to heads and back.</summary>
static class SqliteHeads
{
    public const string Columns = """
        run_id, workflow_name, version, status, seq, hash, pass_token, done, total, created_at, started_at, updated_at, error_step, error, parent_run_id,
        queue, priority, wake_at, seen, waits, recoveries, portable, tags, partition, owner, holder, lease_until, messages, dead_letter, id
        """;

    const string Insert = """
        INSERT INTO core_workflow_runs (workflow_name, version, created_at, parent_run_id, queue, priority, portable, tags, partition, status, seq, hash, pass_token,
            done, total, started_at, updated_at, error_step, error, wake_at, seen, waits, recoveries, dead_letter, run_id)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING RETURNING id
        """;

    // Fencing token and place in the journal are checked in the transaction that writes, which no other is beside.
    public const string LastRecord = "(SELECT max(c.seq) FROM core_workflow_journal c WHERE c.run = core_workflow_runs.id)";
    const string Guard = $"WHERE run_id = ? AND token = ? AND owner IS NOT NULL AND {LastRecord} = ?";
    const string Plain = $"SELECT id FROM core_workflow_runs {Guard} AND recoveries = ?";
    const string Behind = "SELECT line, done FROM core_workflow_journal WHERE run = ? AND seq > ? ORDER BY seq DESC LIMIT 1";
    const string Step = $"UPDATE core_workflow_runs SET seq = ?, hash = ?, done = ?, recoveries = ?, updated_at = ? {Guard} RETURNING id";
    const string Whole = $"""
        UPDATE core_workflow_runs SET status = ?, version = ?, seq = ?, hash = ?, pass_token = ?, done = ?, total = ?, started_at = ?, updated_at = ?, error_step = ?, error = ?,
            wake_at = ?, seen = ?, waits = ?, recoveries = ?, dead_letter = ? {Guard} RETURNING id
        """;

    /// <returns>The key of its row; 0 when the id is taken.</returns>
    public static long Add(SqliteDb db, RunHead head)
    {
        var id = db.Key(Insert, head.Workflow, head.Version, (DateTimeOffset?)head.CreatedAt, head.ParentRunId, head.Queue, head.Priority, head.Portable, Write(head.Tags), Write(head.Partition),
            Name(head.Status), head.Seq, head.Hash, head.Token, head.Done, head.Total, head.StartedAt, (DateTimeOffset?)head.UpdatedAt, head.ErrorStep, head.Error,
            head.WakeAt, head.Seen, Write(head.Waits), head.Recoveries, head.DeadLetter, head.RunId);
        if (id == 0) return 0;
        foreach (var (name, value) in head.Tags.Concat(head.Partition))
            db.Run("INSERT OR IGNORE INTO core_workflow_labels (name, value, created_at, run_id) VALUES (?, ?, ?, ?)", name, value, (DateTimeOffset?)head.CreatedAt, head.RunId);
        return id;
    }

    /// <summary>Whether the commit may leave the run's row as it is: what a step changes of the head can be read from its record and the <c>done</c> beside it.
    /// Not a long record, since lists of running runs read it.</summary>
    public static bool IsPlain(in Commit commit) =>
        commit is { Records.Count: 1, Payloads.Count: 0, Release: false } && commit.Records[0] is { Kind: CheckpointKind.Step or CheckpointKind.Timer, Line.Length: <= 2000 };

    /// <returns>The key of the row that stays as it is; 0 when the run is not there, has another token, is nobody's, has another last record, or when its row has to change.</returns>
    public static long Find(SqliteDb db, in Commit commit) => db.Key(Plain, commit.Lease.RunId, commit.Lease.Token, commit.Records[0].Seq - 1, commit.Head!.Recoveries);

    /// <returns>The last record of a run whose token is the lease's, and whether it is held; null when the run is not there or has another token.</returns>
    public static (long Seq, byte[] Line, bool IsHeld)? Last(SqliteDb db, RunLease lease)
    {
        using var rows = db.Query($"SELECT j.seq, j.line, core_workflow_runs.owner FROM core_workflow_runs JOIN core_workflow_journal j ON j.run = core_workflow_runs.id AND j.seq = {LastRecord} WHERE run_id = ? AND token = ?", lease.RunId, lease.Token);
        return rows.Read() ? (rows.Number(0), rows.Bytes(1), !rows.IsNull(2)) : null;
    }

    /// <returns>The key of its row; 0 when the run is not there, has another token, is nobody's, or has another last record.</returns>
    public static long Change(SqliteDb db, in Commit commit)
    {
        var (lease, head, before) = (commit.Lease, commit.Head!, commit.Records[0].Seq - 1);
        // Records of steps follow a running head and leave it running.
        foreach (var record in commit.Records)
            if (record.Kind is not (CheckpointKind.Step or CheckpointKind.Timer))
                return db.Key(Whole, Name(head.Status), head.Version, head.Seq, head.Hash, head.Token, head.Done, head.Total, head.StartedAt, (DateTimeOffset?)head.UpdatedAt, head.ErrorStep, head.Error,
                    head.WakeAt, head.Seen, Write(head.Waits), head.Recoveries, head.DeadLetter, lease.RunId, lease.Token, before);
        return db.Key(Step, head.Seq, head.Hash, head.Done, head.Recoveries, (DateTimeOffset?)head.UpdatedAt, lease.RunId, lease.Token, before);
    }

    /// <summary>A head out of a row of <see cref="Columns"/>, which is still open: what is looked up beside it is of the same moment.</summary>
    public static RunHead Read(SqliteDb db, SqlRows row, DateTimeOffset now)
    {
        var head = Row(row, now);
        if (head.Status != RunStatus.Running) return head;
        // Behind its row there may be steps that left it as it was.
        using var behind = db.Query(Behind, row.Number(29), head.Seq);
        if (!behind.Read()) return head;
        var last = Checkpoint.FromLine(behind.Bytes(0));
        return head with { Seq = last.Seq, Hash = last.Hash, UpdatedAt = last.At, Done = (int)behind.Number(1) };
    }

    /// <summary>What the row alone tells.</summary>
    public static RunHead Row(SqlRows row, DateTimeOffset now) => new()
    {
        RunId = row.Text(0)!, Workflow = row.Text(1)!, Version = (int)row.Number(2), Status = Enum.Parse<RunStatus>(row.Text(3)!, ignoreCase: true), Seq = row.Number(4), Hash = row.Text(5)!,
        Token = row.Number(6), Done = (int)row.Number(7), Total = (int)row.Number(8), CreatedAt = row.Time(9)!.Value, StartedAt = row.Time(10), UpdatedAt = row.Time(11)!.Value,
        ErrorStep = row.Text(12), Error = row.Text(13), ParentRunId = row.Text(14), Queue = row.Text(15), Priority = (int)row.Number(16), WakeAt = row.Time(17), Seen = (int)row.Number(18),
        Waits = row.Text(19) is { } waits ? JsonSerializer.Deserialize(waits, SqliteJson.Own.IReadOnlyListWait)! : [], Recoveries = (int)row.Number(20), Portable = row.Number(21) != 0, DeadLetter = row.Number(28) != 0,
        Tags = Words(row.Text(22)), Partition = Words(row.Text(23)), Owner = Owner(row, 24, now),
    };

    /// <summary>Who holds the run of a row with the columns owner, holder, lease_until; null when its lease ended or its process is dead.</summary>
    public static RunOwner? Owner(SqlRows row, int column, DateTimeOffset now) =>
        row.Text(column) is { } owner && row.Time(column + 2) > now && !SqliteHolder.IsDead(row.Text(column + 1)) ? JsonSerializer.Deserialize(owner, SqliteJson.Own.RunOwner) : null;

    public static string Write(RunOwner owner) => JsonSerializer.Serialize(owner, SqliteJson.Own.RunOwner);

    public static string Name(RunStatus status) => status.ToString().ToLowerInvariant();

    static string? Write(IReadOnlyDictionary<string, string> words) => words.Count == 0 ? null : JsonSerializer.Serialize(words, SqliteJson.Own.IReadOnlyDictionaryStringString);

    static string? Write(IReadOnlyList<Wait> waits) => waits.Count == 0 ? null : JsonSerializer.Serialize(waits, SqliteJson.Own.IReadOnlyListWait);

    static IReadOnlyDictionary<string, string> Words(string? text) => text is null ? s_none : JsonSerializer.Deserialize(text, SqliteJson.Own.IReadOnlyDictionaryStringString)!;

    static readonly IReadOnlyDictionary<string, string> s_none = new Dictionary<string, string>();
}

[JsonSerializable(typeof(RunOwner)), JsonSerializable(typeof(IEnumerable<string>)), JsonSerializable(typeof(IReadOnlyList<Wait>)), JsonSerializable(typeof(IReadOnlyDictionary<string, string>))]
sealed partial class SqliteJson : JsonSerializerContext
{
    public static SqliteJson Own { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });
}
