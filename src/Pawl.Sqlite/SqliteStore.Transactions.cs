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

    /// <inheritdoc/>
    /// <remarks>As durable as your connection's <c>synchronous</c> makes your commit. Other runs' checkpoints wait until you commit.</remarks>
    public ValueTask<RunHead?> CreateAsync(DbTransaction transaction, Checkpoint created, RunHead head, CancellationToken cancellationToken)
    {
        if (transaction is not SqliteTransaction { Connection: { } connection })
            throw new ArgumentException(transaction is SqliteTransaction ? "The transaction is over: enqueue before its commit." : $"The store {Info.Uri} is in SQLite, and the transaction is not ({transaction.GetType().Name}).", nameof(transaction));
        using var db = new SqliteDb(connection, _path);
        if (Read(own => own.File) is var file && db.File != file)
            throw new ArgumentException($"The transaction is of '{db.File}', and the store is in '{file}': begin it on a connection to the store's file.", nameof(transaction));
        // In the user's hands behind this line: the run comes with the commit, and workers see it by their next look.
        return new(Create(db, created, head));
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
