using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Npgsql;
using NpgsqlTypes;
using Pawl.Storage;

namespace Pawl.Postgres;

// Lists, journals, messages; and how statements are sent.
public sealed partial class PostgresStore
{
    const int Attempts = 10;

    /// <inheritdoc/>
    public IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken)
    {
        var (conditions, values) = Conditions(query);
        // One status has an index in the list's order; of several the server would read all, or look for them among the newest.
        if (query.Statuses?.Distinct().ToList() is [var only]) Add(conditions, values, "r.status = {0}", Text(PostgresHead.Status(only)));
        else if (query.Statuses is { } statuses) Add(conditions, values, "r.status = any({0})", new NpgsqlParameter { Value = statuses.Select(PostgresHead.Status).ToArray() });
        var limit = "";
        if (query.Limit < int.MaxValue)
        {
            values.Add(Value((long)Math.Max(0, query.Limit)));
            limit = $"limit ${values.Count}";
        }
        return RowsAsync(_sql.List(conditions, limit), PostgresHead.Read, cancellationToken, values.ToArray());
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyDictionary<RunStatus, int>> CountAsync(RunQuery query, CancellationToken cancellationToken)
    {
        var counts = (query.Statuses ?? Enum.GetValues<RunStatus>()).Distinct().ToDictionary(status => status, _ => 0);
        var (conditions, values) = Conditions(query);
        values.Add(Value((long)Math.Max(0, query.Limit)));
        values.Add(new NpgsqlParameter { Value = counts.Keys.Select(PostgresHead.Status).ToArray() });
        foreach (var (status, count) in await QueryAsync(_sql.Count(conditions, $"${values.Count}", $"${values.Count - 1}"), row => (row.GetString(0), (int)row.GetInt64(1)), cancellationToken, [.. values]))
            counts[Enum.Parse<RunStatus>(status, ignoreCase: true)] = count;
        return counts;
    }

    /// <inheritdoc/>
    public async ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken) =>
        new StoreSize((await QueryAsync(_sql.Size, row => row.GetInt64(0), cancellationToken))[0], "the tables of runs with their indexes");

    /// <summary>What a query asks for, its statuses and limit aside.</summary>
    static (List<string> Conditions, List<NpgsqlParameter> Values) Conditions(RunQuery query)
    {
        List<string> conditions = [];
        List<NpgsqlParameter> values = [];
        if (query.RunId is { } id) Add(conditions, values, "r.run_id = {0}", Text(id));
        if (query.Workflow is { } workflow) Add(conditions, values, "r.workflow = {0}", Text(workflow));
        if (query.Since is { } since) Add(conditions, values, "r.created_at >= {0}", Value(since.UtcDateTime));
        if (query.Behind is { } place)
        {
            values.Add(Value(place.CreatedAt.UtcDateTime));
            values.Add(Text(place.RunId));
            conditions.Add($"(r.created_at, r.run_id) < (${values.Count - 1}, ${values.Count})");
        }
        if (query.Where is { Count: > 0 } words) Add(conditions, values, "r.labels is not null and r.labels @> {0}", new NpgsqlParameter { Value = words.Select(PostgresHead.Label).ToArray() });
        return (conditions, values);
    }

    static void Add(List<string> conditions, List<NpgsqlParameter> values, string condition, NpgsqlParameter value)
    {
        values.Add(value);
        conditions.Add(condition.Replace("{0}", $"${values.Count}", StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken)
    {
        var seq = Math.Max(1, fromSeq);
        // One statement sees one moment: never a part of a commit.
        return RowsAsync(_sql.Read, row =>
        {
            try { return Checkpoint.FromLine(row.GetFieldValue<byte[]>(0)); }
            catch (FormatException error) { throw new JournalCorruptException(runId, seq, error.Message); }
            finally { seq++; }
        }, cancellationToken, Text(runId), Value(fromSeq));
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken)
    {
        var found = await QueryAsync(_sql.Payload, row => row.GetFieldValue<byte[]>(0), cancellationToken, Text(runId), Text(payload.Sha256));
        if (found is not [var content]) throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is missing");
        return Convert.ToHexStringLower(SHA256.HashData(content)) == payload.Sha256 ? content : throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is damaged");
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) =>
        await OftenAsync(_sql.Inbox, row => new RunMessage(row.GetString(0), row.IsDBNull(1) ? null : new RawJson(row.GetFieldValue<byte[]>(1)),
            DateTimeOffset.Parse(row.GetString(2), System.Globalization.CultureInfo.InvariantCulture), row.IsDBNull(3) ? null : row.GetString(3)), cancellationToken, Text(runId));

    /// <summary>Sends one statement and reads all its rows.</summary>
    async ValueTask<List<T>> QueryAsync<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params NpgsqlParameter[] values)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await _clock.EnsureAsync(_source, cancellationToken);
                await using var command = _source.CreateCommand(sql);
                foreach (var value in values) command.Parameters.Add(value.Clone());
                await using var rows = await command.ExecuteReaderAsync(cancellationToken);
                List<T> list = [];
                while (await rows.ReadAsync(cancellationToken)) list.Add(read(rows));
                return list;
            }
            catch (NpgsqlException error)
            {
                if (!IsCollision(error) || attempt == Attempts) throw Failed(error);
            }
        }
    }

    /// <summary>The same for what every run needs: prepared, on a connection that is kept for the next.</summary>
    async ValueTask<List<T>> OftenAsync<T>(string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params NpgsqlParameter[] values)
    {
        for (var attempt = 1; ; attempt++)
        {
            NpgsqlConnection? connection = null;
            var isWell = false;
            try
            {
                if (!_often.TryTake(out connection)) connection = await _source.OpenConnectionAsync(cancellationToken);
                await using var command = new NpgsqlCommand(sql, connection);
                foreach (var value in values) command.Parameters.Add(value.Clone());
                await command.PrepareAsync(cancellationToken);
                await using var rows = await command.ExecuteReaderAsync(cancellationToken);
                List<T> list = [];
                while (await rows.ReadAsync(cancellationToken)) list.Add(read(rows));
                isWell = true;
                return list;
            }
            catch (NpgsqlException error)
            {
                if (!IsCollision(error) || attempt == Attempts) throw Failed(error);
            }
            finally
            {
                // Behind the reader's end.
                if (isWell && _often.Count < 2) _often.Add(connection!);
                else if (connection is not null) await connection.DisposeAsync();
            }
        }
    }

    /// <summary>The same, a row at a time.</summary>
    async IAsyncEnumerable<T> RowsAsync<T>(string sql, Func<NpgsqlDataReader, T> read, [EnumeratorCancellation] CancellationToken cancellationToken, params NpgsqlParameter[] values)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await using var command = _source.CreateCommand(sql);
        command.Parameters.AddRange(values);
        await using var rows = await Known(command.ExecuteReaderAsync(cancellationToken));
        while (await Known(rows.ReadAsync(cancellationToken))) yield return read(rows);
    }

    async Task<T> Known<T>(Task<T> work)
    {
        try { return await work; }
        catch (NpgsqlException error) { throw Failed(error); }
    }

    /// <summary>Two transactions met; one of them was undone whole, and may be sent again.</summary>
    static bool IsCollision(NpgsqlException error) => error is PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected };

    /// <summary>The journal has a record with this number: the same commit's, whose answer was lost, or another's.</summary>
    static bool IsTaken(NpgsqlException error) => error is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation, ConstraintName: "core_workflow_journal_pkey" };

    IOException Failed(NpgsqlException error)
    {
        if (error is PostgresException && !error.SqlState!.StartsWith("57P", StringComparison.Ordinal)) return Described(error);
        // One broken connection says that the others of its server are; and the next server may have less than this one acknowledged, and another time.
        _known = new PostgresKnown();
        while (_often.TryTake(out var kept)) kept.Dispose();
        _source.Clear();
        _clock.Doubt();
        return Described(error);
    }

    /// <summary>The driver's messages name host, user and database, never the password.</summary>
    static IOException Described(NpgsqlException error) => new($"PostgreSQL: {((error as PostgresException)?.MessageText ?? error.Message).TrimEnd('.')}.", error);

    static NpgsqlParameter Text(string? text) => new() { Value = (object?)text ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };
    static NpgsqlParameter Labels(string[]? labels) => new() { Value = (object?)labels ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
    static NpgsqlParameter Time(DateTime? time) => new() { Value = (object?)time ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz };
    static NpgsqlParameter Bytes(ReadOnlyMemory<byte>? bytes) => new() { Value = bytes is { } some ? some : DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea };
    static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };
}
