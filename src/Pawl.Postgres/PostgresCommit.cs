using System.Collections;
using Npgsql;
using NpgsqlTypes;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>The commit: one prepared statement on one connection, for any number of runs. One caller at a time.</summary>
/// <remarks>It begins and ends no transaction: on a connection with one open, the records become durable with that transaction, or not at all.</remarks>
sealed class PostgresCommit : IAsyncDisposable
{
    readonly NpgsqlConnection _connection;
    readonly NpgsqlCommand _write;
    readonly NpgsqlCommand _look;
    readonly List<IList> _lists = [];

    // One element a commit.
    readonly List<string> _runIds = [];
    readonly List<long> _tokens = [];
    readonly List<long?> _firsts = [], _lasts = [];
    readonly List<string?> _hashes = [], _statuses = [], _heads = [];
    readonly List<DateTime?> _dues = [];
    readonly List<int?> _seens = [];
    readonly List<bool> _releases = [];
    // One element a record.
    readonly List<int> _owners = [];
    readonly List<long> _seqs = [];
    readonly List<DateTime> _times = [];
    readonly List<string> _kinds = [];
    readonly List<string?> _steps = [];
    readonly List<ReadOnlyMemory<byte>> _lines = [];
    // One element a payload.
    readonly List<int> _payloadOwners = [];
    readonly List<string> _hexes = [];
    readonly List<ReadOnlyMemory<byte>> _contents = [];

    public PostgresCommit(NpgsqlConnection connection, PostgresSql sql)
    {
        _connection = connection;
        _write = new NpgsqlCommand(sql.Commit, connection);
        Add(_runIds, NpgsqlDbType.Text);
        Add(_tokens, NpgsqlDbType.Bigint);
        Add(_firsts, NpgsqlDbType.Bigint);
        Add(_lasts, NpgsqlDbType.Bigint);
        Add(_hashes, NpgsqlDbType.Text);
        Add(_statuses, NpgsqlDbType.Text);
        Add(_heads, NpgsqlDbType.Text);
        Add(_dues, NpgsqlDbType.TimestampTz);
        Add(_seens, NpgsqlDbType.Integer);
        Add(_releases, NpgsqlDbType.Boolean);
        Add(_owners, NpgsqlDbType.Integer);
        Add(_seqs, NpgsqlDbType.Bigint);
        Add(_times, NpgsqlDbType.TimestampTz);
        Add(_kinds, NpgsqlDbType.Text);
        Add(_steps, NpgsqlDbType.Text);
        Add(_lines, NpgsqlDbType.Bytea);
        Add(_payloadOwners, NpgsqlDbType.Integer);
        Add(_hexes, NpgsqlDbType.Text);
        Add(_contents, NpgsqlDbType.Bytea);
        _look = new NpgsqlCommand(sql.Look, connection);
        _look.Parameters.Add(new NpgsqlParameter { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text });

        void Add<T>(List<T> values, NpgsqlDbType type)
        {
            _write.Parameters.Add(new NpgsqlParameter<List<T>> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | type });
            _lists.Add(values);
        }
    }

    /// <summary>On a connection of its own, with the statement prepared.</summary>
    public static async ValueTask<PostgresCommit> OpenAsync(NpgsqlDataSource source, PostgresSql sql)
    {
        var connection = await source.OpenConnectionAsync();
        try
        {
            // The plan does not depend on the values; to make it anew each time costs more than to execute it.
            await using (var plan = new NpgsqlCommand("set plan_cache_mode = force_generic_plan", connection)) await plan.ExecuteNonQueryAsync();
            var commit = new PostgresCommit(connection, sql);
            await commit._write.PrepareAsync();
            return commit;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async ValueTask<CommitResult[]> ExecuteAsync(IReadOnlyList<Commit> commits)
    {
        Fill(commits);
        var results = new CommitResult[commits.Count];
        var missing = commits.Count;
        Array.Fill(results, CommitResult.Conflict);
        // One round trip. When it is answered, every commit it names is durable with its records, payloads and head, or whoever holds the transaction
        // decides it. A crash before leaves none of them; one after, without the answer read here, leaves what a second sending finds by itself.
        await using (var written = await _write.ExecuteReaderAsync())
        {
            for (; await written.ReadAsync(); missing--) results[written.GetInt32(0)] = CommitResult.Committed;
        }
        if (missing > 0) await ExplainAsync(commits, results);
        return results;
    }

    void Fill(IReadOnlyList<Commit> commits)
    {
        foreach (var list in _lists) list.Clear();
        for (var i = 0; i < commits.Count; i++)
        {
            var (lease, records, payloads, head, release) = commits[i];
            var empty = records.Count == 0;
            _runIds.Add(lease.RunId);
            _tokens.Add(lease.Token);
            _releases.Add(release);
            _firsts.Add(empty ? null : records[0].Seq);
            _lasts.Add(empty ? null : records[^1].Seq);
            _hashes.Add(empty ? null : records[^1].Hash);
            _statuses.Add(empty ? null : PostgresHead.Status(head!.Status));
            _heads.Add(empty ? null : PostgresHead.Write(head!));
            _dues.Add(empty ? null : PostgresHead.Due(head!));
            _seens.Add(empty ? null : PostgresHead.Seen(head!));
            for (var n = 0; n < records.Count; n++)
            {
                var record = records[n];
                _owners.Add(i + 1);
                _seqs.Add(record.Seq);
                _times.Add(record.At.UtcDateTime);
                _kinds.Add(PostgresHead.Kind(record.Kind));
                _steps.Add(PostgresHead.Readable(record.Path));
                _lines.Add(record.Line);
            }
            foreach (var payload in payloads)
            {
                _payloadOwners.Add(i + 1);
                _hexes.Add(payload.Ref.Sha256);
                _contents.Add(payload.Content);
            }
        }
    }

    /// <summary>Why something was not written. Rare: a second round trip.</summary>
    async ValueTask ExplainAsync(IReadOnlyList<Commit> commits, CommitResult[] results)
    {
        _look.Parameters[0].Value = commits.Where((_, i) => results[i] != CommitResult.Committed).Select(commit => commit.Lease.RunId).ToArray();
        var rows = new Dictionary<string, (long Token, bool Held, long Seq, string Hash)>();
        await using (var found = await _look.ExecuteReaderAsync())
        {
            while (await found.ReadAsync()) rows[found.GetString(0)] = (found.GetInt64(1), found.GetBoolean(2), found.GetInt64(3), found.GetString(4));
        }
        List<Commit> late = [];
        for (var i = 0; i < results.Length; i++)
        {
            if (results[i] == CommitResult.Committed) continue;
            var (lease, records, _, _, release) = commits[i];
            if (!rows.TryGetValue(lease.RunId, out var row) || row.Token != lease.Token)
            {
                results[i] = CommitResult.LeaseLost;
                continue;
            }
            // The same commit sent again: its answer was lost, its records are here.
            var isThere = records.Count > 0 && row.Seq == records[^1].Seq && row.Hash == records[^1].Hash;
            results[i] = isThere ? CommitResult.Committed : row.Held ? CommitResult.Conflict : CommitResult.LeaseLost;
            if (isThere && release && row.Held) late.Add(new Commit(lease, [], [], null, Release: true));
        }
        if (late.Count > 0) await ExecuteAsync(late);
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();
}
