using System.Data.Common;

namespace Pawl.Storage;

/// <summary>A store that lives in a database which steps write to as well: a step's rows and its checkpoint become durable together, or not at all.</summary>
public interface ITransactionalStore : ICheckpointStore
{
    /// <summary>Opens a transaction for a step of a run.</summary>
    /// <exception cref="IOException">The database cannot be reached.</exception>
    ValueTask<IStepTransaction> BeginAsync(RunLease lease, CancellationToken cancellationToken);

    /// <summary>Creates a run in a transaction of the user's, claimed by nobody: it exists, and wakes workers, when that commits, and never does when it is rolled back.
    /// Used as its connection is: by one at a time.</summary>
    /// <returns>The head of the run that has the id already, as the transaction sees it; null when it was created.</returns>
    /// <exception cref="ArgumentException">The transaction is over, or is not one of the store's own database. Nothing was written, and it can go on.</exception>
    /// <exception cref="DbException">The database refused, as it may refuse every statement of the transaction: roll it back.</exception>
    ValueTask<RunHead?> CreateAsync(DbTransaction transaction, Checkpoint created, RunHead head, CancellationToken cancellationToken);
}

/// <summary>A transaction that a step writes in, and that its checkpoint closes. Disposed without a commit it leaves nothing.</summary>
public interface IStepTransaction : IAsyncDisposable
{
    /// <summary>The transaction, with its connection, for the step's own commands. Not to be committed or rolled back by the step.</summary>
    DbTransaction Transaction { get; }

    /// <summary>Writes the checkpoint and commits all. With any other answer than <see cref="CommitResult.Committed"/> nothing was written.</summary>
    /// <exception cref="IOException">Nobody knows whether it was committed.</exception>
    /// <exception cref="DbException">It was not: another transaction was in the way.</exception>
    ValueTask<CommitResult> CommitAsync(Commit commit, CancellationToken cancellationToken);
}
