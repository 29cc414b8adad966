using Pawl.Engine;
using Pawl.Planning;

namespace Pawl;

// What runs took, and how they differ.
public sealed partial class PawlClient
{
    /// <summary>What a run took, step by step and pass by pass, and what it did not have to do again.</summary>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<RunCosts> CostsAsync(string runId, CancellationToken cancellationToken = default)
    {
        var ledger = new CostLedger();
        var journal = await Journal.LoadAsync(Store, _commits, RunIds.Check(runId), cancellationToken, each: ledger.Add);
        journal.CreatedData!.Dispose();
        return ledger.Result(journal.Head);
    }
}
