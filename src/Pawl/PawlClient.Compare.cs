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

    /// <summary>How two runs differ, or two checkpoints of one: where they first went apart, and how.</summary>
    /// <param name="left">The first run.</param>
    /// <param name="right">The second run; may be the same.</param>
    /// <param name="leftSeq">The first run's checkpoint; null is the last.</param>
    /// <param name="rightSeq">The second run's checkpoint; null is the last.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<RunDiff> DiffAsync(string left, string right, long? leftSeq = null, long? rightSeq = null, CancellationToken cancellationToken = default) =>
        RunDiffer.Compare(await SideAsync(left, leftSeq, cancellationToken), await SideAsync(right, rightSeq, cancellationToken));

    async Task<RunSide> SideAsync(string runId, long? seq, CancellationToken cancellationToken)
    {
        var side = new RunSide();
        side.Journal = await Journal.LoadAsync(Store, _commits, RunIds.Check(runId), cancellationToken, seq ?? long.MaxValue, (_, record) => side.Add(record));
        side.Params = ParamsOf(side.Journal);
        side.Journal.CreatedData!.Dispose();
        return side;
    }
}
