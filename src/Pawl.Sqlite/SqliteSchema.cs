namespace Pawl.Storage;

/// <summary>The tables, as numbered steps that only go forward.</summary>
static class SqliteSchema
{
    const string Version = "SELECT coalesce(max(version), 0) FROM core_workflow_schema";

    /// <summary>Step n of the list makes version n. What was published is never changed.</summary>
    static readonly string[] s_migrations = [First, Turns, Done, Arrival];

    /// <summary>The version that this program makes and understands.</summary>
    public static int Newest => s_migrations.Length;

    /// <summary>Brings the tables to <see cref="Newest"/>. Each program that opens the file may try; one at a time does it, and the others find it done.</summary>
    /// <exception cref="NotSupportedException">A newer program made them.</exception>
    public static void Migrate(SqliteDb db, string path, TimeProvider time)
    {
        if (VersionOf(db, path) == Newest) return;
        db.Script("BEGIN EXCLUSIVE");
        try
        {
            for (var version = VersionOf(db, path) + 1; version <= Newest; version++)
            {
                db.Script(s_migrations[version - 1]);
                db.Run("INSERT INTO core_workflow_schema (version, applied_at) VALUES (?, ?)", version, time.GetUtcNow());
            }
            // Durable behind this line: every step. A crash before leaves none.
            db.Script("COMMIT");
        }
        catch
        {
            db.Rollback();
            throw;
        }
    }

    static int VersionOf(SqliteDb db, string path)
    {
        using (var tables = db.Query("SELECT 1 FROM sqlite_master WHERE name = 'core_workflow_schema'"))
            if (!tables.Read()) return 0;
        using var rows = db.Query(Version);
        rows.Read();
        var version = (int)rows.Number(0);
        return version <= Newest ? version
            : throw new NotSupportedException($"'{path}' was made by a newer Pawl: its tables have version {version}, this program knows up to {Newest}. Nothing was changed; use the newer program.");
    }

    // New runs of each partition in the order in which they are taken: for queues in which partitions take turns.
    const string Turns = "CREATE INDEX core_workflow_runs_turns ON core_workflow_runs (queue, coalesce(partition, ''), priority DESC, created_at, run_id, due_at) WHERE status = 'pending' AND queue IS NOT NULL";

    // Beside a step's record: how many steps are done behind it. While a run goes from step to step its row stays as it is, so that a step writes one page. A head is its
    // row and, while it is running, what the last record behind the row's tells; null where the row tells all.
    const string Done = "ALTER TABLE core_workflow_journal ADD COLUMN done INTEGER";

    // The journals of all runs in the order in which their records came: those of a group of commits stand on few pages, however many runs they are of.
    // run is the run's id, seq the record's number. An older program that has the file open finds no column 'id' any more. By way of a copy: to rename a table, SQLite reads all
    // views that there are, and refuses when one of yours rests on those that are gone just then.
    const string Arrival = """
        DROP VIEW core_workflow_snapshots;
        DROP VIEW core_workflow_checkpoints;
        CREATE TEMP TABLE core_workflow_before AS SELECT id, line, done FROM core_workflow_journal ORDER BY id;
        DROP TABLE core_workflow_journal;
        CREATE TABLE core_workflow_journal (place INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL, line TEXT NOT NULL, done INTEGER);
        INSERT INTO core_workflow_journal (run, seq, line, done) SELECT id >> 32, id & 0xffffffff, line, done FROM core_workflow_before ORDER BY id;
        CREATE UNIQUE INDEX core_workflow_journal_run ON core_workflow_journal (run, seq);
        DROP TABLE core_workflow_before;
        CREATE VIEW core_workflow_checkpoints AS
        SELECT r.run_id, c.seq, json_extract(c.line, '$.path') AS step_name, strftime('%Y-%m-%d %H:%M:%f', json_extract(c.line, '$.at')) AS created_at, json_extract(c.line, '$.kind') AS kind, c.line
        FROM core_workflow_runs r JOIN core_workflow_journal c ON c.run = r.id;
        """ + Snapshots;

    // Times are ISO 8601 in UTC with seven decimals, so that they sort as text. owner, holder and lease_until are the claim; messages counts the inbox; the rest
    // of a run's row is the fold of its journal. What a step changes (seq, hash, done, recoveries, updated_at) is in no index, and the journal has none besides its key.
    const string First = """
        CREATE TABLE core_workflow_schema (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL);

        CREATE TABLE core_workflow_runs (
            id INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, workflow_name TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
            seq INTEGER NOT NULL, hash TEXT NOT NULL, pass_token INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
            created_at TEXT NOT NULL, started_at TEXT, updated_at TEXT NOT NULL, error_step TEXT, error TEXT, parent_run_id TEXT,
            queue TEXT, priority INTEGER NOT NULL, wake_at TEXT, seen INTEGER NOT NULL, waits TEXT, recoveries INTEGER NOT NULL, dead_letter INTEGER NOT NULL, portable INTEGER NOT NULL,
            tags TEXT, partition TEXT, messages INTEGER NOT NULL DEFAULT 0,
            token INTEGER NOT NULL DEFAULT 0, owner TEXT, holder TEXT, lease_until TEXT,
            -- From when a worker may take it: as WorkQuery.IsDue says, and not before a lease ends. Null: not by itself.
            due_at TEXT AS (max(CASE WHEN owner IS NULL THEN '' ELSE lease_until END,
                CASE WHEN queue IS NULL THEN NULL WHEN status = 'running' OR (status = 'waiting' AND messages > seen) THEN ''
                WHEN status IN ('pending', 'waiting', 'failed') THEN wake_at END)) VIRTUAL
        );
        CREATE INDEX core_workflow_runs_newest ON core_workflow_runs (created_at, run_id);
        CREATE INDEX core_workflow_runs_status ON core_workflow_runs (status, created_at, run_id);
        CREATE INDEX core_workflow_runs_workflow ON core_workflow_runs (workflow_name, created_at, run_id);
        -- New runs in the order in which they are taken; those that began once, by their time; those that are held; those that began of late.
        CREATE INDEX core_workflow_runs_fresh ON core_workflow_runs (queue, priority DESC, created_at, run_id, due_at) WHERE status = 'pending' AND queue IS NOT NULL;
        CREATE INDEX core_workflow_runs_again ON core_workflow_runs (queue, due_at) WHERE status <> 'pending' AND due_at IS NOT NULL;
        CREATE INDEX core_workflow_runs_held ON core_workflow_runs (holder, queue) WHERE owner IS NOT NULL;
        CREATE INDEX core_workflow_runs_begun ON core_workflow_runs (queue, started_at) WHERE queue IS NOT NULL AND started_at IS NOT NULL;

        -- Tags and partition values, each with the time of its run: a list by one of them reads no other run.
        CREATE TABLE core_workflow_labels (
            name TEXT NOT NULL, value TEXT NOT NULL, created_at TEXT NOT NULL, run_id TEXT NOT NULL REFERENCES core_workflow_runs (run_id) ON DELETE CASCADE,
            PRIMARY KEY (name, value, created_at, run_id)
        ) WITHOUT ROWID;
        CREATE INDEX core_workflow_labels_run ON core_workflow_labels (run_id);

        -- The journals: line is the record, byte for byte, and whatever else is known of it can be read from that. id is the run's id and the record's number: run << 32 | seq.
        CREATE TABLE core_workflow_journal (id INTEGER PRIMARY KEY, line TEXT NOT NULL);
        CREATE VIEW core_workflow_checkpoints AS
        SELECT r.run_id, c.id & 0xffffffff AS seq, json_extract(c.line, '$.path') AS step_name, strftime('%Y-%m-%d %H:%M:%f', json_extract(c.line, '$.at')) AS created_at,
            json_extract(c.line, '$.kind') AS kind, c.line
        FROM core_workflow_runs r JOIN core_workflow_journal c ON c.id BETWEEN r.id << 32 AND (r.id << 32) + 0xffffffff;

        CREATE TABLE core_workflow_payloads (
            run_id TEXT NOT NULL REFERENCES core_workflow_runs (run_id) ON DELETE CASCADE, sha256 TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (run_id, sha256)
        );
        CREATE TABLE core_workflow_messages (
            id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL REFERENCES core_workflow_runs (run_id) ON DELETE CASCADE, name TEXT NOT NULL, body TEXT, sent_at TEXT NOT NULL, sent_by TEXT,
            UNIQUE (run_id, name)
        );
        """ + Snapshots;

    const string Snapshots = """
        -- What was known behind each finished step. json_extract of two paths gives '[value,null]': the value as it was written, true and 1.10 too.
        CREATE VIEW core_workflow_snapshots AS
        SELECT c.run_id, r.workflow_name, c.step_name, c.seq, c.created_at, json_object(
            'params', json((SELECT json_group_object(name, json(text)) FROM (
                SELECT j.key AS name, substr(json_extract(p.line, j.fullkey, '$.none'), 2, length(json_extract(p.line, j.fullkey, '$.none')) - 7) AS text, max(p.seq)
                FROM core_workflow_checkpoints p, json_each(p.line, '$.data.params') j WHERE p.run_id = c.run_id AND p.seq <= c.seq AND json_extract(p.line, '$.kind') IN ('created', 'resumed') GROUP BY j.key))),
            'outputs', json((SELECT json_group_object(name, json(substr(pair, 2, length(pair) - 7))) FROM (
                SELECT o.step_name AS name, json_extract(o.line, '$.kind') AS kind, json_extract(o.line, '$.status') AS status, json_extract(o.line, CASE WHEN json_type(o.line, '$.output') IS NULL THEN '$.output_ref' ELSE '$.output' END, '$.none') AS pair, max(o.seq)
                FROM core_workflow_checkpoints o WHERE o.run_id = c.run_id AND o.seq <= c.seq AND json_extract(o.line, '$.kind') IN ('step', 'compensated') GROUP BY o.step_name) WHERE kind = 'step' AND status = 'completed')),
            'quality_metrics', json((SELECT json_group_object(name, json(text)) FROM (
                SELECT m.step_name AS name, json_extract(m.line, '$.metrics') AS text, max(m.seq)
                FROM core_workflow_checkpoints m WHERE m.run_id = c.run_id AND m.seq <= c.seq AND json_extract(m.line, '$.kind') = 'step' GROUP BY m.step_name) WHERE text IS NOT NULL)),
            'partition', json(coalesce(r.partition, '{}'))) AS context_snapshot
        FROM core_workflow_checkpoints c JOIN core_workflow_runs r ON r.run_id = c.run_id WHERE json_extract(c.line, '$.kind') = 'step' AND json_extract(c.line, '$.status') = 'completed';
        """;
}
