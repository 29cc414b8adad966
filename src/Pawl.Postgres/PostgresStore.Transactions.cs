using System.Data.Common;
using Npgsql;
using Pawl.Storage;

namespace Pawl.Postgres;

// Steps that write to the database in which their journal is.
public sealed partial class PostgresStore : ITransactionalStore
{
    /// <inheritdoc/>
    /// <remarks>At the server's isolation level; a step that wants another says <c>set transaction isolation level …</c> first. The step's commands run on
    /// <c>(NpgsqlConnection)ctx.Transaction.Connection</c>.</remarks>
    public async ValueTask<IStepTransaction> BeginAsync(RunLease lease, CancellationToken cancellationToken)
    {
        NpgsqlConnection? connection = null;
        try
        {
            connection = await _source.OpenConnectionAsync(cancellationToken);
            return new StepTransaction(connection, await connection.BeginTransactionAsync(cancellationToken), _sql);
        }
        catch (NpgsqlException error)
        {
            if (connection is not null) await connection.DisposeAsync();
            throw Failed(error);
        }
    }

    volatile string? _place;

    /// <inheritdoc/>
    /// <remarks>A run whose id another open transaction has just created is waited for, as with every unique key.</remarks>
    public async ValueTask<RunHead?> CreateAsync(DbTransaction transaction, Checkpoint created, RunHead head, CancellationToken cancellationToken)
    {
        if (transaction is not NpgsqlTransaction within) throw new ArgumentException($"The store {Info.Uri} is in PostgreSQL, and the transaction is not ({transaction.GetType().Name}).", nameof(transaction));
        string place;
        try { place = (await QueryAsync(within, _sql.Place, row => row.GetString(0), cancellationToken))[0]; }
        catch (InvalidOperationException error) { throw new ArgumentException($"The transaction is over: enqueue before its commit. ({error.Message})", nameof(transaction), error); }
        // A server that was started again has another place: then the store's own may be as new.
        if (place != _place && place != (_place = (await QueryAsync(_sql.Place, row => row.GetString(0), cancellationToken))[0]))
            throw new ArgumentException($"The transaction is of another database than the store {Info.Uri}: begin it on a connection to the store's.", nameof(transaction));
        // In the user's hands behind this line: the run and the news of it come with the commit.
        return (await CreateAsync(created, head, null, within, cancellationToken)).Existing;
    }

    /// <summary>The same within a user's transaction, whose errors are for the user: what failed once is over.</summary>
    async ValueTask<List<T>> QueryAsync<T>(NpgsqlTransaction? within, string sql, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken, params NpgsqlParameter[] values)
    {
        if (within is null) return await QueryAsync(sql, read, cancellationToken, values);
        await using var command = new NpgsqlCommand(sql, within.Connection, within);
        command.Parameters.AddRange(values);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        List<T> list = [];
        while (await rows.ReadAsync(cancellationToken)) list.Add(read(rows));
        return list;
    }

    sealed class StepTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction, PostgresSql sql) : IStepTransaction
    {
        bool _isEnded;

        public DbTransaction Transaction => transaction;

        public async ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken)
        {
            try
            {
                // The record stands in the step's transaction: the run's row is locked from here, and a younger token refuses it.
                var result = (await new PostgresCommit(connection, sql).ExecuteAsync([commit], null))[0];
                // Durable behind this line: the step's rows and its checkpoint. A crash before leaves neither.
                if (result == CommitResult.Committed) await transaction.CommitAsync(CancellationToken.None);
                return result;
            }
            catch (NpgsqlException error) when (IsTaken(error))
            {
                return CommitResult.Conflict;
            }
            catch (NpgsqlException error) when (!IsCollision(error))
            {
                throw Described(error);
            }
        }

        /// <summary>What was not committed is rolled back with the connection.</summary>
        public async ValueTask DisposeAsync()
        {
            // Once only: the driver uses its transaction objects again, and a second time would end that of whoever has the connection now.
            if (_isEnded) return;
            _isEnded = true;
            try { await transaction.DisposeAsync(); }
            catch (NpgsqlException)
            {
                // A connection that is gone rolled back by itself.
            }
            await connection.DisposeAsync();
        }
    }
}
