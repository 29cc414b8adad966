using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Pawl.Storage;

// Reads take no lock and wait for none. What can be long is read in pages, each a transaction of its own, so that a slow consumer does not keep the log from being emptied.
public sealed partial class SqliteStore
{
    const int HeadsPage = 500, RecordsPage = 200;

    /// <summary>A connection of its own for as long as the function runs.</summary>
    T Read<T>(Func<SqliteDb, T> read)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_readers.TryTake(out var db)) db = OpenDb();
        try
        {
            var answer = read(db);
            _readers.Add(db);
            return answer;
        }
        catch
        {
            db.Dispose();
            throw;
        }
    }

    RunHead? Find(SqliteDb db, string runId)
    {
        using var rows = db.Query($"SELECT {SqliteHeads.Columns} FROM core_workflow_runs WHERE run_id = ?", runId);
        return rows.Read() ? SqliteHeads.Read(db, rows, Now) : null;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<RunHead> ListAsync(RunQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        var last = query.Behind;
        for (var left = query.Limit; left > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var wanted = Math.Min(left, HeadsPage);
            var page = query.RunId is { } id
                ? Read(db => Find(db, id) is { } head && query.Matches(head) ? [head] : (List<RunHead>)[])
                : Read(db => Page(db, query, last, wanted));
            foreach (var head in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return head;
            }
            if (page.Count < wanted) break;
            (last, left) = (new RunPlace(page[^1].CreatedAt, page[^1].RunId), left - page.Count);
        }
    }

    List<RunHead> Page(SqliteDb db, RunQuery query, RunPlace? behind, int count)
    {
        var heads = new List<RunHead>();
        if (new SqliteLists(db, query).Heads(behind, count) is not { } page) return heads;
        using var rows = db.Query(page.Sql, page.Values);
        while (rows.Read()) heads.Add(SqliteHeads.Read(db, rows, Now));
        return heads;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<RunStatus, int>> CountAsync(RunQuery query, CancellationToken cancellationToken) => new(Read<IReadOnlyDictionary<RunStatus, int>>(db =>
    {
        var counts = new Dictionary<RunStatus, int>();
        foreach (var status in (query.Statuses ?? Enum.GetValues<RunStatus>()).Distinct())
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (sql, values) = new SqliteLists(db, query).Count(status);
            using var rows = db.Query(sql, values);
            rows.Read();
            counts[status] = (int)rows.Number(0);
        }
        return counts;
    }));

    /// <inheritdoc/>
    public ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken) =>
        new(new StoreSize(new[] { _path, $"{_path}-wal" }.Select(path => new FileInfo(path)).Where(file => file.Exists).Sum(file => file.Length), "the database file and its log"));

    /// <inheritdoc/>
    public async IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        var next = Math.Max(1, fromSeq);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (lines, end) = Read(db => Lines(db, runId, next));
            foreach (var line in lines)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Checkpoint record;
                try { record = Checkpoint.FromLine(line); }
                catch (FormatException e) { throw new JournalCorruptException(runId, next, e.Message); }
                if (record.Seq != next) throw new JournalCorruptException(runId, next, $"the record in its place has the number {record.Seq}");
                next++;
                yield return record;
            }
            if (next > end) yield break;
        }
    }

    /// <summary>A page of lines without a gap, and the number of the run's last record.</summary>
    static (List<byte[]> Lines, long End) Lines(SqliteDb db, string runId, long from)
    {
        var (lines, end) = (new List<byte[]>(), 0L);
        try
        {
            using var rows = db.Query($"""
                SELECT j.seq, j.line, max(core_workflow_runs.seq, {SqliteHeads.LastRecord}) FROM core_workflow_runs
                LEFT JOIN core_workflow_journal j ON j.run = core_workflow_runs.id AND j.seq >= ? WHERE run_id = ? ORDER BY j.seq LIMIT ?
                """, from, runId, RecordsPage);
            while (rows.Read())
            {
                end = rows.Number(2);
                if (rows.Number(0) == from + lines.Count) lines.Add(rows.Bytes(1));
                else if (from <= end) throw new JournalCorruptException(runId, from + lines.Count, "the record is missing");
            }
        }
        catch (SqliteCallException e) when (e.IsDamage)
        {
            throw new JournalCorruptException(runId, from + lines.Count, e.Message);
        }
        return (lines, end);
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) => new(Read<ReadOnlyMemory<byte>>(db =>
    {
        using var rows = db.Query("SELECT content FROM core_workflow_payloads WHERE run_id = ? AND sha256 = ?", runId, payload.Sha256);
        if (!rows.Read()) throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is missing");
        var content = rows.Bytes(0);
        return Convert.ToHexStringLower(SHA256.HashData(content)) == payload.Sha256 ? content : throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is damaged");
    }));

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => new(Read<IReadOnlyList<RunMessage>>(db =>
    {
        var messages = new List<RunMessage>();
        using var rows = db.Query("SELECT name, body, sent_at, sent_by FROM core_workflow_messages WHERE run_id = ? ORDER BY id", runId);
        while (rows.Read()) messages.Add(new RunMessage(rows.Text(0)!, rows.Text(1) is { } body ? RawJson.Parse(body) : null, rows.Time(2)!.Value, rows.Text(3)));
        return messages;
    }));
}
