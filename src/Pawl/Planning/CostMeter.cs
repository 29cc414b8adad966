using System.Runtime.InteropServices;
using Pawl.Storage;

namespace Pawl.Planning;

/// <summary>Adds up what attempts took, record by record. A step's time holds that of its sub-steps: it counts once.</summary>
sealed class CostMeter
{
    // By step: the time counted below it since its last record.
    readonly Dictionary<string, TimeSpan> _below = [];

    /// <summary>All records together.</summary>
    public Cost Total { get; private set; }

    /// <summary>A fork begins with what its parent did, and paid.</summary>
    public static bool IsFork(Checkpoint record) => record is { Kind: CheckpointKind.Resumed, Reason: ForkPlanner.Forked };

    /// <summary>Begins anew.</summary>
    public void Reset()
    {
        _below.Clear();
        Total = default;
    }

    /// <summary>Counts an attempt; of its time what is not counted below it.</summary>
    public void Add(Checkpoint record)
    {
        var path = record.Path!;
        var cost = Cost.Of(record);
        if (_below.Remove(path, out var counted)) cost = cost with { Duration = counted < cost.Duration ? cost.Duration - counted : TimeSpan.Zero };
        if (cost.Duration > TimeSpan.Zero)
        {
            var above = _below.GetAlternateLookup<ReadOnlySpan<char>>();
            for (var rest = path.AsSpan(); rest.LastIndexOfAny('/', '[') is > 0 and var cut;)
            {
                rest = rest[..cut];
                CollectionsMarshal.GetValueRefOrAddDefault(above, rest, out _) += cost.Duration;
            }
        }
        Total += cost;
    }
}
