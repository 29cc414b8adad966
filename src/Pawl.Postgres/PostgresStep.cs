using Npgsql;
using NpgsqlTypes;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>The commit of one run's one step: a prepared statement on a connection of its own, sent and answered on the caller's thread. One caller at a time.</summary>
/// <remarks>Nothing but the round trip and the flush stands between two steps of a lone run: no other thread has to wake for it.</remarks>
sealed class PostgresStep : IDisposable
{
    readonly NpgsqlConnection _connection;
    readonly NpgsqlCommand _command;
    readonly NpgsqlParameter<string> _run, _hash;
    readonly NpgsqlParameter<long> _token, _seq, _updated;
    readonly NpgsqlParameter<int> _done, _recoveries;
    readonly NpgsqlParameter<ReadOnlyMemory<byte>> _line;

    public PostgresStep(NpgsqlDataSource source, PostgresSql sql)
    {
        _connection = source.OpenConnection();
        try
        {
            _command = new NpgsqlCommand(sql.OneStep, _connection);
            (_run, _token, _seq, _hash) = (Value<string>(NpgsqlDbType.Text), Value<long>(NpgsqlDbType.Bigint), Value<long>(NpgsqlDbType.Bigint), Value<string>(NpgsqlDbType.Text));
            (_updated, _done, _recoveries) = (Value<long>(NpgsqlDbType.Bigint), Value<int>(NpgsqlDbType.Integer), Value<int>(NpgsqlDbType.Integer));
            _line = Value<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea);
            PostgresCommit.Plan(_connection).ExecuteNonQuery();
            _command.Prepare();
        }
        catch
        {
            _connection.Dispose();
            throw;
        }
    }

    NpgsqlParameter<T> Value<T>(NpgsqlDbType type) => (NpgsqlParameter<T>)_command.Parameters.Add(new NpgsqlParameter<T> { NpgsqlDbType = type });

    /// <summary>One round trip. When it answers true the record is durable with its head; a crash before the answer leaves both or neither.</summary>
    /// <returns>False when it was not written: the token or the place in the journal is not the run's, or the same record is there already.</returns>
    public bool Execute(in Commit commit)
    {
        var (record, head) = (commit.Records[0], commit.Head!);
        (_run.TypedValue, _token.TypedValue, _seq.TypedValue, _hash.TypedValue) = (commit.Lease.RunId, commit.Lease.Token, record.Seq, record.Hash);
        (_updated.TypedValue, _done.TypedValue, _recoveries.TypedValue) = (head.UpdatedAt.UtcTicks, head.Done, head.Recoveries);
        _line.TypedValue = record.Line;
        return _command.ExecuteNonQuery() == 1;
    }

    public void Dispose() => _connection.Dispose();
}
