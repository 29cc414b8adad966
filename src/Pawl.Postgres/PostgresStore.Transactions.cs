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

    sealed class StepTransaction(NpgsqlConnection connection, NpgsqlTransaction transaction, PostgresSql sql) : IStepTransaction
    {
        bool _isEnded;

        public DbTransaction Transaction => transaction;

        public async ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken)
        {
            try
            {
                // The record stands in the step's transaction: the run's row is locked from here, and a younger token refuses it.
                var result = (await new PostgresCommit(connection, sql).ExecuteAsync([commit]))[0];
                // Durable behind this line: the step's rows and its checkpoint. A crash before leaves neither.
                if (result == CommitResult.Committed) await transaction.CommitAsync(CancellationToken.None);
                return result;
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
