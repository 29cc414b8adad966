using System.Collections;
using Npgsql;
using NpgsqlTypes;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>The commit: a prepared statement on one connection, for any number of runs. One caller at a time.</summary>
/// <remarks>It begins and ends no transaction: on a connection with one open, the records become durable with that transaction, or not at all.</remarks>
sealed class PostgresCommit : IAsyncDisposable
{
    readonly NpgsqlConnection _connection;
    readonly NpgsqlCommand _look;
    readonly Steps _steps;
    readonly Anything _anything;

    public PostgresCommit(NpgsqlConnection connection, PostgresSql sql)
    {
        _connection = connection;
        _steps = new Steps(sql.Steps, connection);
        _anything = new Anything(sql.Commit, connection);
        _look = new NpgsqlCommand(sql.Look, connection) { Parameters = { new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text } } };
    }

    /// <summary>On a connection of its own, with the statements prepared.</summary>
    public static async ValueTask<PostgresCommit> OpenAsync(NpgsqlDataSource source, PostgresSql sql)
    {
        var connection = await source.OpenConnectionAsync();
        try
        {
            await using (var plan = Plan(connection)) await plan.ExecuteNonQueryAsync();
            var commit = new PostgresCommit(connection, sql);
            await commit._steps.Command.PrepareAsync();
            await commit._anything.Command.PrepareAsync();
            return commit;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>One plan for all values, since planning costs more than the work; each run by its key, in the order in which the commits stand.</summary>
    public static NpgsqlCommand Plan(NpgsqlConnection connection) =>
        new("set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off", connection);

    /// <param name="commits">Of different runs.</param>
    /// <param name="known">Asked which are steps behind a durable record, and told what was written; null in a transaction, which may be undone.</param>
    public async ValueTask<CommitResult[]> ExecuteAsync(IReadOnlyList<Commit> commits, PostgresKnown? known)
    {
        // Rows are locked in one order by all who lock several.
        var order = new int[commits.Count];
        for (var i = 0; i < order.Length; i++) order[i] = i;
        Array.Sort(order, (one, other) => string.CompareOrdinal(commits[one].Lease.RunId, commits[other].Lease.RunId));
        var results = new CommitResult[commits.Count];
        Array.Fill(results, CommitResult.Conflict);
        // Two transactions where a group is mixed: each locks in that order, and steps stay cheap.
        var rest = order.Length;
        if (known is not null) rest = await StepsAsync(commits, order, results, known);
        if (rest > 0 && await AnythingAsync(commits, order.AsMemory(0, rest), results, known) > 0) await ExplainAsync(commits, results, known);
        return results;
    }

    /// <summary>Writes the steps that follow a known record.</summary>
    /// <returns>How many are left; they stand in front of the order.</returns>
    async ValueTask<int> StepsAsync(IReadOnlyList<Commit> commits, int[] order, CommitResult[] results, PostgresKnown known)
    {
        try
        {
            var runs = new Dictionary<long, int>();
            foreach (var i in order)
                if (known.Follows(commits[i], out var run) && runs.TryAdd(run, i)) _steps.Add(commits[i], run);
            if (runs.Count > 0)
            {
                // One round trip. When it is answered, the record of every run it names is durable. A crash before the answer leaves each record whole or not at all, and the
                // same commits sent again find out.
                await using var written = await _steps.Command.ExecuteReaderAsync();
                while (await written.ReadAsync())
                {
                    var run = written.GetInt64(0);
                    results[runs[run]] = CommitResult.Committed;
                    known.Written(commits[runs[run]], run);
                }
            }
        }
        finally
        {
            _steps.Clear();
        }
        var left = 0;
        foreach (var i in order)
            if (results[i] != CommitResult.Committed) order[left++] = i;
        return left;
    }

    /// <returns>How many were not written.</returns>
    async ValueTask<int> AnythingAsync(IReadOnlyList<Commit> commits, ReadOnlyMemory<int> order, CommitResult[] results, PostgresKnown? known)
    {
        foreach (var i in order.Span) _anything.Add(commits[i]);
        var missing = order.Length;
        try
        {
            // One round trip. When it is answered, every commit it names is durable with its records, payloads and head; or, inside another's transaction,
            // will be with that. A crash before the answer leaves each commit whole or not at all, and the same commits sent again find out.
            await using var written = await _anything.Command.ExecuteReaderAsync();
            for (; await written.ReadAsync(); missing--)
            {
                var i = order.Span[(int)written.GetInt64(0) - 1];
                results[i] = CommitResult.Committed;
                known?.Written(commits[i], written.GetInt64(1));
            }
        }
        finally
        {
            _anything.Clear();
        }
        return missing;
    }

    /// <summary>Why something was not written. Rare: another round trip.</summary>
    async ValueTask ExplainAsync(IReadOnlyList<Commit> commits, CommitResult[] results, PostgresKnown? known)
    {
        _look.Parameters[0].Value = commits.Where((_, i) => results[i] != CommitResult.Committed).Select(commit => commit.Lease.RunId).ToArray();
        var rows = new Dictionary<string, (long Token, bool Held, long Seq, byte[] Line)>();
        await using (var found = await _look.ExecuteReaderAsync())
        {
            while (await found.ReadAsync()) rows[found.GetString(0)] = (found.GetInt64(1), found.GetBoolean(2), found.GetInt64(3), found.GetFieldValue<byte[]>(4));
        }
        List<Commit> unreleased = [];
        for (var i = 0; i < results.Length; i++)
        {
            if (results[i] == CommitResult.Committed) continue;
            var (lease, records, _, _, release) = commits[i];
            known?.Forget(lease.RunId);
            if (!rows.TryGetValue(lease.RunId, out var row) || row.Token != lease.Token)
            {
                results[i] = CommitResult.LeaseLost;
                continue;
            }
            // The same commit sent again: its answer was lost, its records are here.
            var isThere = records.Count > 0 && row.Seq == records[^1].Seq && records[^1].Line.Span.SequenceEqual(row.Line);
            results[i] = isThere ? CommitResult.Committed : row.Held ? CommitResult.Conflict : CommitResult.LeaseLost;
            if (isThere && release && row.Held) unreleased.Add(new Commit(lease, [], [], null, Release: true));
        }
        if (unreleased.Count > 0) await ExecuteAsync(unreleased, known);
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>A statement whose parameters are arrays, kept from one commit to the next.</summary>
    abstract class Columns(string sql, NpgsqlConnection connection)
    {
        readonly List<IList> _all = [];

        public NpgsqlCommand Command { get; } = new(sql, connection);

        public void Clear() => _all.ForEach(list => list.Clear());

        protected List<T> Column<T>(NpgsqlDbType type)
        {
            var values = new List<T>();
            Command.Parameters.Add(new NpgsqlParameter<List<T>> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | type });
            _all.Add(values);
            return values;
        }

        protected List<string> Texts() => Column<string>(NpgsqlDbType.Text);
        protected List<string?> NullableTexts() => Column<string?>(NpgsqlDbType.Text);
        protected List<long> Numbers() => Column<long>(NpgsqlDbType.Bigint);
    }

    /// <summary>One record each, behind which the run goes on.</summary>
    sealed class Steps : Columns
    {
        readonly List<long> _runs, _tokens, _seqs;
        readonly List<int> _done, _recoveries;
        readonly List<ReadOnlyMemory<byte>> _lines;

        public Steps(string sql, NpgsqlConnection connection) : base(sql, connection)
        {
            (_runs, _tokens, _seqs) = (Numbers(), Numbers(), Numbers());
            (_done, _recoveries, _lines) = (Column<int>(NpgsqlDbType.Integer), Column<int>(NpgsqlDbType.Integer), Column<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea));
        }

        public void Add(in Commit commit, long run)
        {
            var (record, head) = (commit.Records[0], commit.Head!);
            _runs.Add(run);
            _tokens.Add(commit.Lease.Token);
            _seqs.Add(record.Seq);
            _done.Add(head.Done);
            _recoveries.Add(head.Recoveries);
            _lines.Add(record.Line);
        }
    }

    /// <summary>Whatever else: several records, none, payloads, another status, the end of a lease.</summary>
    sealed class Anything : Columns
    {
        readonly List<string> _runIds;
        readonly List<long> _tokens;
        readonly List<long?> _firsts, _lasts, _updated;
        readonly List<string?> _hashes, _statuses, _heads;
        readonly List<DateTime?> _dues, _begans;
        readonly List<int?> _done, _recoveries, _seens;
        readonly List<bool> _releases;
        // Where the commit's records end in the columns of records, its payloads in those of payloads.
        readonly List<int> _recordEnds, _payloadEnds;
        readonly List<long> _seqs;
        readonly List<string> _hexes;
        readonly List<ReadOnlyMemory<byte>> _lines, _contents;

        public Anything(string sql, NpgsqlConnection connection) : base(sql, connection)
        {
            (_runIds, _tokens, _firsts, _lasts) = (Texts(), Numbers(), Column<long?>(NpgsqlDbType.Bigint), Column<long?>(NpgsqlDbType.Bigint));
            (_hashes, _updated, _done) = (NullableTexts(), Column<long?>(NpgsqlDbType.Bigint), Column<int?>(NpgsqlDbType.Integer));
            (_recoveries, _statuses, _heads) = (Column<int?>(NpgsqlDbType.Integer), NullableTexts(), NullableTexts());
            (_dues, _begans, _seens) = (Column<DateTime?>(NpgsqlDbType.TimestampTz), Column<DateTime?>(NpgsqlDbType.TimestampTz), Column<int?>(NpgsqlDbType.Integer));
            (_releases, _recordEnds, _payloadEnds) = (Column<bool>(NpgsqlDbType.Boolean), Column<int>(NpgsqlDbType.Integer), Column<int>(NpgsqlDbType.Integer));
            (_seqs, _lines) = (Numbers(), Column<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea));
            (_hexes, _contents) = (Texts(), Column<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea));
        }

        public void Add(in Commit commit)
        {
            var (lease, records, payloads, head, release) = commit;
            if (records.Count == 0) head = null;
            _runIds.Add(lease.RunId);
            _tokens.Add(lease.Token);
            _firsts.Add(head is null ? null : records[0].Seq);
            _lasts.Add(head is null ? null : records[^1].Seq);
            _hashes.Add(head is null ? null : records[^1].Hash);
            _updated.Add(head?.UpdatedAt.UtcTicks);
            _done.Add(head?.Done);
            _recoveries.Add(head?.Recoveries);
            _statuses.Add(head is null ? null : PostgresHead.Status(head.Status));
            _heads.Add(head is null || records.All(PostgresHead.IsStep) ? null : PostgresHead.Write(head));
            _dues.Add(head is null ? null : PostgresHead.Due(head));
            _begans.Add(head?.StartedAt?.UtcDateTime);
            _seens.Add(head is null ? null : PostgresHead.Seen(head));
            _releases.Add(release);
            foreach (var record in records)
            {
                _seqs.Add(record.Seq);
                _lines.Add(record.Line);
            }
            foreach (var payload in payloads)
            {
                _hexes.Add(payload.Ref.Sha256);
                _contents.Add(payload.Content);
            }
            _recordEnds.Add(_seqs.Count);
            _payloadEnds.Add(_hexes.Count);
        }
    }
}
