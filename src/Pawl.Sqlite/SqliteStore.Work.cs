using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Pawl.Storage;

// Workers on one machine that share the file.
public sealed partial class SqliteStore
{
    // How soon another process's message or new run is seen.
    static readonly TimeSpan s_lookInterval = TimeSpan.FromMilliseconds(50);

    // What the worker can execute, and what is due; then the order in which runs are taken.
    const string Takeable = "queue = ?1 AND due_at <= ?2 AND ((portable AND ?3) OR workflow_name || '/' || version IN (SELECT value FROM json_each(?4)))";
    const string Order = "priority DESC, created_at, run_id";
    const string Fresh = $"core_workflow_runs INDEXED BY core_workflow_runs_fresh WHERE status = 'pending' AND {Takeable}";
    const string Again = $"core_workflow_runs INDEXED BY core_workflow_runs_again WHERE status <> 'pending' AND {Takeable}";

    // With turns, the first of each partition may be anywhere in that order. From partition to partition in one look each, and of each the first few.
    const string OfPending = "core_workflow_runs r INDEXED BY core_workflow_runs_turns WHERE r.status = 'pending' AND r.queue = ?1";
    const string Partition = "coalesce(r.partition, '')";
    internal const string FreshInTurns = $"""
        (WITH RECURSIVE part (value) AS (
            SELECT (SELECT {Partition} FROM {OfPending} ORDER BY {Partition} LIMIT 1)
            UNION ALL
            SELECT (SELECT {Partition} FROM {OfPending} AND {Partition} > part.value ORDER BY {Partition} LIMIT 1) FROM part WHERE part.value IS NOT NULL)
        SELECT c.* FROM part CROSS JOIN core_workflow_runs c ON c.id IN (
            SELECT r.id FROM {OfPending} AND {Partition} = part.value AND {Takeable} ORDER BY {Order} LIMIT ?5))
        """;

    volatile TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <inheritdoc/>
    /// <remarks>What is read does not grow with the runs that wait for their first pass; in queues with <see cref="QueueOptions.FairBy"/> it grows with their partitions.</remarks>
    public ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken) => _writer.RunAsync<IReadOnlyList<TakenRun>>(db =>
    {
        var now = Now;
        ExpireDead(db, now);
        var workflows = JsonSerializer.Serialize(work.Workflows.Select(key => $"{key.Name}/{key.Version}"), SqliteJson.Own.IEnumerableString);
        // Of every run only those that can change the choice: see WorkChoice.
        var runs = new Dictionary<string, (RunHead Head, int Messages)>();
        foreach (var (queue, places) in work.Queues)
        {
            if (queue.Concurrency is not null || queue.Rate is not null || queue.FairBy is not null)
                Add("core_workflow_runs INDEXED BY core_workflow_runs_held WHERE owner IS NOT NULL AND queue = ?", queue.Name);
            if (queue.Rate is { } rate)
                Add("core_workflow_runs INDEXED BY core_workflow_runs_begun WHERE queue = ? AND started_at > ? LIMIT ?", queue.Name, (DateTimeOffset?)(now - queue.Per), rate);
            // Of those that began once, and wait no more, there are few: they are ranked.
            string[] sources = queue.FairBy is null ? [$"{Fresh} ORDER BY {Order} LIMIT ?5", $"{Again} ORDER BY {Order} LIMIT ?5"]
                : [FreshInTurns, $"(SELECT *, row_number() OVER (PARTITION BY partition ORDER BY {Order}) AS turn FROM {Again}) WHERE turn <= ?5"];
            foreach (var source in sources) Add(source, queue.Name, (DateTimeOffset?)now, work.Portable, workflows, places);
        }
        return [.. WorkChoice.Of(work, runs.Values, now).Select(head =>
        {
            // Of a run whose process died the row may not tell all.
            if (head.Status == RunStatus.Running) head = Find(db, head.RunId)!;
            return new TakenRun(Claim(db, head.RunId, claimant), head);
        })];

        void Add(string from, params ReadOnlySpan<SqlValue> values)
        {
            using var rows = db.Query($"SELECT {SqliteHeads.Columns} FROM {from}", values);
            while (rows.Read()) runs[rows.Text(0)!] = (SqliteHeads.Row(rows, now), (int)rows.Number(27));
        }
    });

    /// <summary>Ends the leases of processes of this machine that are dead.</summary>
    static void ExpireDead(SqliteDb db, DateTimeOffset? now)
    {
        var dead = new List<string>();
        using (var rows = db.Query("SELECT DISTINCT holder FROM core_workflow_runs INDEXED BY core_workflow_runs_held WHERE owner IS NOT NULL"))
            while (rows.Read())
                if (rows.Text(0) is var holder && SqliteHolder.IsDead(holder)) dead.Add(holder!);
        foreach (var holder in dead) db.Run("UPDATE core_workflow_runs SET lease_until = ?1 WHERE holder = ?2 AND owner IS NOT NULL AND lease_until > ?1", now, holder);
    }

    /// <inheritdoc/>
    /// <remarks>Looks every 50 ms, and at once after a message or a new run of this process.</remarks>
    public async IAsyncEnumerable<StoreHint> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // Its own connection: the version of the data that it sees changes with every commit of another.
        using var db = OpenDb();
        var news = _news.Task;
        var (version, message, run) = (Version(), Last("core_workflow_messages"), Last("core_workflow_runs"));
        while (true)
        {
            await Task.WhenAny(news, Task.Delay(s_lookInterval, _options.Time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            news = _news.Task;
            if (Version() is var now && now == version) continue;
            version = now;
            foreach (var (id, runId) in MessagesBehind(message))
            {
                message = id;
                yield return new StoreHint(runId);
            }
            var newest = Last("core_workflow_runs");
            var isNews = newest > run && IsQueued(run);
            run = newest;
            if (isNews) yield return new StoreHint(null);
        }

        long Version()
        {
            using var rows = db.Query("PRAGMA data_version");
            rows.Read();
            return rows.Number(0);
        }

        long Last(string table)
        {
            using var rows = db.Query($"SELECT coalesce(max(id), 0) FROM {table}");
            rows.Read();
            return rows.Number(0);
        }

        bool IsQueued(long behind)
        {
            using var rows = db.Query("SELECT 1 FROM core_workflow_runs WHERE id > ? AND queue IS NOT NULL LIMIT 1", behind);
            return rows.Read();
        }

        List<(long, string)> MessagesBehind(long id)
        {
            var found = new List<(long, string)>();
            using var rows = db.Query("SELECT id, run_id FROM core_workflow_messages WHERE id > ? ORDER BY id", id);
            while (rows.Read()) found.Add((rows.Number(0), rows.Text(1)!));
            return found;
        }
    }

    void TellWatchers() => Interlocked.Exchange(ref _news, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
}
