using System.Text;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>What a store can do without the engine: commits of steps that were made beforehand, given to it as the engine gives them.</summary>
sealed class StoreAlone
{
    readonly ICheckpointStore _store;
    readonly List<List<Commit>> _groups = [];

    readonly int _lanes;

    StoreAlone(ICheckpointStore store, int lanes) => (_store, _lanes) = (store, lanes);

    /// <summary>Makes the runs, each with its steps yet to be committed. Half of the runs are a group.</summary>
    public static async Task<StoreAlone> PrepareAsync(ICheckpointStore store, int runs, int steps, string name)
    {
        var made = new StoreAlone(store, runs == 1 ? 1 : 2);
        var heads = new List<(RunHead Head, RunLease Lease)>();
        for (var number = 0; number < runs; number++)
        {
            var data = Encoding.UTF8.GetBytes($$"""{"format":1,"run_id":"{{name}}_20260110_120000_{{number}}","workflow":"bench","steps":[]}""");
            var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = DateTimeOffset.UnixEpoch, Data = data }, 1, false, "");
            var head = RunHead.After(null, created);
            var lease = (await store.CreateAsync(created, head, new RunOwner(1, "bench", DateTimeOffset.UnixEpoch), default)).Lease!;
            var resumed = Next(head, lease, new Checkpoint { Kind = CheckpointKind.Resumed, At = DateTimeOffset.UnixEpoch, Token = lease.Token });
            await store.CommitAsync(resumed, default(CancellationToken));
            heads.Add((resumed.Head!, lease));
        }
        for (var step = 0; step < steps; step++)
        {
            foreach (var half in Enumerable.Range(0, runs).Chunk((runs + 1) / 2))
            {
                made._groups.Add([]);
                foreach (var number in half)
                {
                    var (head, lease) = heads[number];
                    var commit = Next(head, lease, new Checkpoint { Kind = CheckpointKind.Step, At = DateTimeOffset.UnixEpoch.AddTicks(step + 1), Path = $"bench/s{step}", Status = StepStatus.Completed, Attempt = 1, Duration = TimeSpan.FromMilliseconds(0.123), Output = "1234"u8.ToArray() });
                    heads[number] = (commit.Head!, lease);
                    made._groups[^1].Add(commit);
                }
            }
        }
        return made;
    }

    static Commit Next(RunHead head, RunLease lease, Checkpoint draft)
    {
        var record = CheckpointCodec.Encode(draft, head.Seq + 1, false, head.Hash);
        return new Commit(lease, [record], [], RunHead.After(head, record));
    }

    /// <summary>Two groups under way, each of runs of its own; or one run's commits one behind the other.</summary>
    public Task RunAsync() => Task.WhenAll(Enumerable.Range(0, _lanes).Select(lane => Task.Run(() => LaneAsync(lane))));

    async Task LaneAsync(int first)
    {
        for (var i = first; i < _groups.Count; i += _lanes)
            foreach (var result in await _store.CommitAsync(_groups[i], default))
                if (result != CommitResult.Committed) throw new InvalidOperationException($"a commit was answered {result}");
    }
}
