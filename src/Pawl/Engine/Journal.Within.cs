using System.Data.Common;
using Pawl.Storage;

namespace Pawl.Engine;

sealed partial class Journal
{
    /// <summary>What people were asked, when the run was parked the last time and since then; whoever asked for a decision that was made has a result.</summary>
    public IReadOnlyList<Wait> Asked { get; private set; } = [];

    /// <summary>Appends a step's record in the transaction that holds the step's own rows: both last, or neither.</summary>
    /// <returns>Null, or why nothing was written: the step can be tried again.</returns>
    /// <exception cref="LeaseLostException">Another process has the run.</exception>
    public async Task<string?> AppendWithinAsync(IStepTransaction transaction, Checkpoint draft, IReadOnlyList<Payload>? payloads)
    {
        for (Task? before = null; ; before = null)
        {
            lock (_lock)
            {
                if (_broken is { } broken) throw broken;
                // The writer's place: records that arrive meanwhile wait for the next write.
                if (_flushing) before = (_next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                else _flushing = true;
            }
            if (before is null) break;
            await before;
        }
        try
        {
            var record = CheckpointCodec.Encode(draft, Head.Seq + 1, more: false, Head.Hash);
            var head = Transitions.Apply(Head, record);
            if (await TryCommitAsync(transaction, new Commit(_lease!, [record], payloads ?? [], head)) is { } why) return why;
            lock (_lock)
            {
                Put(record);
                Head = head;
            }
            return null;
        }
        finally
        {
            await FlushAsync();
        }
    }

    async Task<string?> TryCommitAsync(IStepTransaction transaction, Commit commit)
    {
        try
        {
            return await transaction.CommitAsync(commit, CancellationToken.None) switch
            {
                CommitResult.Committed => null,
                CommitResult.LeaseLost => throw new LeaseLostException(commit.Lease.RunId),
                _ => throw new CheckpointWriteException($"Run '{commit.Lease.RunId}' was changed by another writer behind record {commit.Records[0].Seq - 1}; nothing was written."),
            };
        }
        catch (DbException conflict) { return conflict.Message; }
        catch (IOException lost)
        {
            // The answer is lost; the journal itself tells whether it was written.
            try { return (await store.FindAsync(commit.Lease.RunId, CancellationToken.None))?.Hash == commit.Head!.Hash ? null : lost.Message; }
            catch (IOException) { throw new CheckpointWriteException($"Nobody knows whether the transaction of step '{commit.Records[0].Path}' was committed: {lost.Message} The run stopped; a resume finds out.", lost); }
        }
    }
}
