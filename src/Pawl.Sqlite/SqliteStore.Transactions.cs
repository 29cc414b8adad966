using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace Pawl.Storage;

// Steps that write to the file in which their journal is.
public sealed partial class SqliteStore : ITransactionalStore
{
    /// <inheritdoc/>
    /// <remarks>One writer at a time: while a step has its transaction, other runs' checkpoints wait. The step's commands run on
    /// <c>(SqliteConnection)ctx.Transaction.Connection</c>.</remarks>
    public ValueTask<IStepTransaction> BeginAsync(RunLease lease, CancellationToken cancellationToken)
    {
        var db = OpenDb();
        try
        {
            return new(new StepTransaction(db, db.Begin()));
        }
        catch
        {
            db.Dispose();
            throw;
        }
    }

    sealed class StepTransaction(SqliteDb db, SqliteTransaction transaction) : IStepTransaction
    {
        public DbTransaction Transaction => transaction;

        public ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken)
        {
            var result = Apply(db, commit);
            // Durable behind this line: the step's rows and its checkpoint. A crash before leaves neither.
            if (result == CommitResult.Committed) transaction.Commit();
            return new(result);
        }

        /// <summary>What was not committed is rolled back.</summary>
        public ValueTask DisposeAsync()
        {
            transaction.Dispose();
            db.Dispose();
            return default;
        }
    }
}
