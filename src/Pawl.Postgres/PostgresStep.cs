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
    readonly NpgsqlParameter<long> _run, _token, _seq;
    readonly NpgsqlParameter<int> _done, _recoveries;
    readonly NpgsqlParameter<ReadOnlyMemory<byte>> _line;

    public PostgresStep(NpgsqlDataSource source, PostgresSql sql)
    {
        _connection = source.OpenConnection();
        try
        {
            _command = new NpgsqlCommand(sql.OneStep, _connection);
            (_run, _token, _seq) = (Value<long>(NpgsqlDbType.Bigint), Value<long>(NpgsqlDbType.Bigint), Value<long>(NpgsqlDbType.Bigint));
            (_done, _recoveries, _line) = (Value<int>(NpgsqlDbType.Integer), Value<int>(NpgsqlDbType.Integer), Value<ReadOnlyMemory<byte>>(NpgsqlDbType.Bytea));
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

    /// <summary>One round trip. When it answers true the record is durable; a crash before the answer leaves it whole or not at all.</summary>
    /// <param name="commit">A step, whose record follows one that is durable.</param>
    /// <param name="run">The run's key.</param>
    /// <returns>False when it was not written: the token is not the run's, or its row has to change.</returns>
    public bool Execute(in Commit commit, long run)
    {
        var (record, head) = (commit.Records[0], commit.Head!);
        (_run.TypedValue, _token.TypedValue, _seq.TypedValue) = (run, commit.Lease.Token, record.Seq);
        (_done.TypedValue, _recoveries.TypedValue, _line.TypedValue) = (head.Done, head.Recoveries, record.Line);
        return _command.ExecuteNonQuery() == 1;
    }

    public void Dispose() => _connection.Dispose();
}
