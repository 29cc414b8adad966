using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A run is taken from a process that goes on committing, at any moment between two of its steps and within one.</summary>
public sealed class TakeoverTests(PostgresFixture postgres) : IDisposable
{
    const int Rounds = 15;

    readonly SqliteDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    static CancellationToken Ended => TestContext.Current.CancellationToken;

    // So short that the run may be taken at once, and all the time.
    static readonly TimeSpan s_lease = TimeSpan.FromMilliseconds(1);

    [Fact]
    public async Task Whoever_takes_a_run_over_in_postgres_sees_every_acknowledged_step_and_no_later_one_comes()
    {
        var schema = postgres.NewSchema();
        Task<PostgresStore> Open() => PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema, LeaseTime = s_lease }, Ended);
        await using var before = await Open();
        await using var behind = await Open();
        for (var round = 0; round < Rounds; round++) await RaceAsync(before, behind, $"r{round}", round, together: 1 + round % 3 * 4);
    }

    [Fact]
    public async Task Whoever_takes_a_run_over_in_sqlite_sees_every_acknowledged_step_and_no_later_one_comes()
    {
        await using var before = _directory.Open(new SqliteStoreOptions { LeaseTime = s_lease });
        await using var behind = _directory.Open(new SqliteStoreOptions { LeaseTime = s_lease });
        for (var round = 0; round < Rounds; round++) await RaceAsync(before, behind, $"r{round}", round, together: 1 + round % 3 * 4);
    }

    // Steps come to the one, alone or with those of other runs; in the other the first of the runs is claimed, after so many steps as the round says.
    static async Task RaceAsync(ICheckpointStore before, ICheckpointStore behind, string name, int round, int together)
    {
        var runs = await Task.WhenAll(Enumerable.Range(0, together).Select(number => StoredRun.BeginAsync(before, $"{name}_{number}")));
        var (run, others) = (runs[0], runs[1..]);
        var (isUnderWay, isTaken) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var writing = Task.Run(async () =>
        {
            while (true)
            {
                if (run.Head.Seq >= 2 + round) isUnderWay.TrySetResult();
                // SQLite lets whoever writes all the time do so: then the last step is one behind the claim.
                if (run.Head.Seq >= 30 + round) await isTaken.Task;
                var commits = runs.Select(one => one.Next($"s{one.Head.Seq}")).ToList();
                var results = await before.CommitAsync(commits, Ended);
                for (var i = 0; i < runs.Length; i++)
                    if (results[i] == CommitResult.Committed) runs[i].Accept(commits[i]);
                // The others go on whatever happens to the one.
                Assert.All(results.Skip(1), result => Assert.Equal(CommitResult.Committed, result));
                if (results[0] != CommitResult.Committed) return results[0];
            }
        }, Ended);
        await isUnderWay.Task.WaitAsync(Ended);
        ClaimResult claim;
        do claim = await behind.ClaimAsync(run.Head.RunId, StoredRun.Owner(2), Ended);
        while (claim.Lease is null);
        isTaken.SetResult();
        // What is read from here on is all there is: the new owner's first record follows it.
        var seen = await behind.ReadAsync(run.Head.RunId, 1, Ended).ToListAsync(Ended);
        var head = (await behind.FindAsync(run.Head.RunId, Ended))!;
        var mine = await StoredRun.ReadAsync(behind, run.Head.RunId, claim.Lease);
        Assert.Equal(CommitResult.LeaseLost, await writing);
        Assert.Equal(run.Head.Seq, seen.Count);
        var folded = seen.Aggregate((RunHead?)null, RunHead.After)!;
        Assert.Equal((folded.Seq, folded.Hash, folded.Done, folded.UpdatedAt), (head.Seq, head.Hash, head.Done, head.UpdatedAt));
        Assert.Equal(CommitResult.LeaseLost, await before.CommitAsync(run.Next("late"), Ended));
        Assert.Equal(CommitResult.Committed, await behind.CommitAsync(mine.Next("mine"), Ended));
        Assert.Equal(CommitResult.LeaseLost, await before.CommitAsync(run.Next("later"), Ended));
        Assert.Equal(seen.Count + 1, await behind.ReadAsync(run.Head.RunId, 1, Ended).CountAsync(Ended));
        foreach (var other in others) Assert.Equal(other.Head.Seq, (await behind.FindAsync(other.Head.RunId, Ended))!.Seq);
    }
}
