using System.Globalization;
using Npgsql;

namespace Pawl.Postgres;

/// <summary>Tables, and how they came to be: numbered steps forward, each applied once.</summary>
static class PostgresSchema
{
    // A step that was published is never edited: what changes is a new step at the end.
    static readonly string[] s_steps =
    [
        """
        -- One row a run: the right to execute it, its place in its queue, and its head, which is the fold of its journal.
        -- A step changes five narrow columns, none of them indexed, so that it touches the row alone (HOT) and its log is short; half of each page is left free for that.
        create table {schema}.core_workflow_runs (
            run         bigint      generated always as identity unique,   -- what the journal knows it by
            token       bigint      not null,                -- the fencing token: raised by each claim
            seq         bigint      not null,                -- the last record
            updated     bigint      not null,                -- its time, in units of 100 ns, which timestamptz does not hold
            done        int         not null,                -- steps of the first level
            recoveries  int         not null,                -- deaths in a row
            version     int         not null,
            priority    int         not null,
            messages    int         not null default 0,      -- in its inbox
            held        boolean     not null,                -- claimed and not given back; good until lease_until
            portable    boolean     not null,                -- its journal holds its definition
            created_at  timestamptz not null,
            due_at      timestamptz,                         -- when a worker takes it unless it is held; -infinity: it stands in line; null: never by itself
            began_at    timestamptz,                         -- when its first pass began
            lease_until timestamptz,                         -- only this database's clock is compared with it
            seen        int,                                 -- messages read when it began to wait; null while it does not
            run_id      text        collate "C" primary key,
            hash        text        collate "C" not null,    -- of the last record
            workflow    text        collate "C" not null,
            status      text        collate "C" not null,
            queue       text        collate "C",             -- null: no worker takes it by itself
            part        text        collate "C" not null,    -- the partition, as JSON
            labels      text[]      collate "C",             -- tags and partition as "key":"value"
            owner       json,
            head        json        not null                 -- all of the head that no step changes
        ) with (fillfactor = 50);
        create index core_workflow_runs_newest   on {schema}.core_workflow_runs (created_at desc, run_id desc);
        create index core_workflow_runs_workflow on {schema}.core_workflow_runs (workflow, created_at desc, run_id desc);
        create index core_workflow_runs_status   on {schema}.core_workflow_runs (status, created_at desc, run_id desc);
        create index core_workflow_runs_labels   on {schema}.core_workflow_runs using gin (labels) where labels is not null;
        create index core_workflow_runs_line     on {schema}.core_workflow_runs (queue, status, priority desc, created_at, run_id) where due_at = '-infinity' and not held;
        create index core_workflow_runs_turns    on {schema}.core_workflow_runs (queue, part, status, priority desc, created_at, run_id) where due_at = '-infinity' and not held;
        create index core_workflow_runs_timed    on {schema}.core_workflow_runs (due_at) where due_at > '-infinity';
        create index core_workflow_runs_held     on {schema}.core_workflow_runs (queue) where held;
        create index core_workflow_runs_began    on {schema}.core_workflow_runs (queue, began_at) where queue is not null and began_at is not null;

        -- The journals: each record is its line, whatever else is known of it can be read from that. A short key for the run, since it stands twice in each record.
        create table {schema}.core_workflow_journal (
            run  bigint not null,
            seq  bigint not null,
            line bytea  not null,
            primary key (run, seq)
        );

        create table {schema}.core_workflow_payloads (
            run_id  text  collate "C" not null,
            sha256  text  collate "C" not null,
            content bytea not null,
            primary key (run_id, sha256)
        );

        create table {schema}.core_workflow_messages (
            n       int  not null,                           -- the order of arrival
            run_id  text collate "C" not null,
            name    text collate "C" not null,
            sent_at text not null,
            sent_by text,
            body    bytea,
            primary key (run_id, n),
            unique (run_id, name)
        );

        -- A line as JSON. What jsonb cannot hold (a zero character, half a surrogate pair) makes it null here, and here only.
        create function {schema}.core_workflow_json(line bytea) returns jsonb language plpgsql immutable parallel safe as $$
        begin
            return convert_from(line, 'UTF8')::jsonb;
        exception when others then
            return null;
        end $$;

        -- The journals as people and queries want them. The line is parsed once for all columns.
        create view {schema}.core_workflow_checkpoints as
        select r.run_id, c.seq, parsed.record ->> 'path' as step_name, (parsed.record ->> 'at')::timestamptz as created_at, parsed.record ->> 'kind' as kind, parsed.record, c.line
        from {schema}.core_workflow_journal c join {schema}.core_workflow_runs r using (run), lateral (select {schema}.core_workflow_json(c.line) as record offset 0) parsed;

        -- The context behind each finished step: computed, so that what is stored grows with the steps, not with their square.
        create view {schema}.core_workflow_snapshots as
        select distinct on (step.run_id, step.step_name)
            step.run_id, step.step_name,
            jsonb_build_object('params', coalesce(given.params, '{}'), 'outputs', coalesce(done.outputs, '{}'),
                'quality_metrics', coalesce(done.metrics, '{}'), 'partition', coalesce(given.partition, '{}')) as context_snapshot,
            step.created_at
        from {schema}.core_workflow_checkpoints step
        cross join lateral (
            select jsonb_object_agg(param.key, param.value order by earlier.seq) filter (where param.key is not null) as params,
                (array_agg(earlier.record -> 'data' -> 'partition' order by earlier.seq))[1] as partition
            from {schema}.core_workflow_checkpoints earlier left join lateral jsonb_each(earlier.record -> 'data' -> 'params') param on true
            where earlier.run_id = step.run_id and earlier.seq <= step.seq and earlier.kind in ('created', 'resumed')) given
        cross join lateral (
            select jsonb_object_agg(earlier.step_name, coalesce(earlier.record -> 'output', earlier.record -> 'output_ref') order by earlier.seq)
                    filter (where earlier.record ?| array['output', 'output_ref']) as outputs,
                jsonb_object_agg(earlier.step_name, earlier.record -> 'metrics' order by earlier.seq) filter (where earlier.record ? 'metrics') as metrics
            from {schema}.core_workflow_checkpoints earlier
            where earlier.run_id = step.run_id and earlier.seq <= step.seq and earlier.kind = 'step' and earlier.record ->> 'status' = 'completed') done
        where step.kind = 'step' and step.record ->> 'status' = 'completed'
        order by step.run_id, step.step_name, step.seq desc;
        """,
        // Beside a step's record: how many steps are done behind it. From here on a run's row stays as it is while the run goes from step to step: a step writes one row. A head is its
        // row and, while it is running, what the last record behind the row's tells; null where the row tells all.
        "alter table {schema}.core_workflow_journal add column done int;",
    ];

    public static int Newest => s_steps.Length;

    /// <summary>Brings the tables to what this program knows. Any number of programs may do it at the same time.</summary>
    /// <exception cref="ResumeRefusedException">They were made by a newer program.</exception>
    public static async Task MigrateAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        // Nothing to do is the common case: it needs no lock, and no right to create.
        if (await VersionAsync(connection, schema, cancellationToken) == Newest) return;
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, $"select pg_advisory_xact_lock(hashtextextended('pawl:{schema}', 0))", cancellationToken);
        // Whoever waited for the lock sees what was done meanwhile.
        var version = await VersionAsync(connection, schema, cancellationToken);
        if (version == 0)
        {
            await ExecuteAsync(connection, $"""
                create schema if not exists "{schema}";
                create table if not exists "{schema}".core_workflow_schema (version int primary key, applied_at timestamptz not null default now());
                """, cancellationToken);
        }
        for (var step = version; step < Newest; step++)
        {
            await ExecuteAsync(connection, s_steps[step].Replace("{schema}", $"\"{schema}\"", StringComparison.Ordinal), cancellationToken);
            await ExecuteAsync(connection, $"""insert into "{schema}".core_workflow_schema (version) values ({step + 1})""", cancellationToken);
        }
        // Durable together at this line: a crash before it leaves the tables as they were.
        await transaction.CommitAsync(cancellationToken);
    }

    static async Task<int> VersionAsync(NpgsqlConnection connection, string schema, CancellationToken cancellationToken)
    {
        // The catalog's own tables: to_regclass may still answer from before the wait for the lock.
        await using var exists = new NpgsqlCommand($"select exists (select from pg_tables where schemaname = '{schema}' and tablename = 'core_workflow_schema')", connection);
        if (await exists.ExecuteScalarAsync(cancellationToken) is not true) return 0;
        await using var command = new NpgsqlCommand($"""select coalesce(max(version), 0) from "{schema}".core_workflow_schema""", connection);
        var version = Convert.ToInt32(await command.ExecuteScalarAsync(cancellationToken), CultureInfo.InvariantCulture);
        return version <= Newest ? version : throw new ResumeRefusedException(new Refusal(RefusalReason.NewerFormat,
            $"The tables in schema '{schema}' have version {version}; this version of Pawl knows version {Newest}.", "Use a newer Pawl."));
    }

    static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
