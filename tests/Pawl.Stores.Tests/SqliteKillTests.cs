using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>What survives the death of the process, with real processes and SIGKILL.</summary>
public sealed class SqliteKillTests : IDisposable
{
    readonly SqliteDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_acknowledged_commit_survives_each_of_forty_kills_and_none_is_there_in_part()
    {
        var (acknowledged, chance) = (new Dictionary<string, (long Seq, string Hash)>(), new Random(7));
        for (var kill = 0; kill < 40; kill++)
        {
            using var process = SqliteSubject.Start("commit", _directory.File);
            var wanted = chance.Next(1, 120);
            while (await process.StandardOutput.ReadLineAsync(Token) is { } line)
            {
                Note(line);
                // Once only: what it still wrote before it died is read to the end.
                if (wanted-- == 0) process.Kill();
            }
            await process.WaitForExitAsync(Token);

            void Note(string line)
            {
                Assert.False(line.StartsWith("CRASH", StringComparison.Ordinal), line);
                // A line is whole or it was not told.
                if (line.Split(' ') is [var run, var seq, { Length: 32 } hash]) acknowledged[run] = (long.Parse(seq, System.Globalization.CultureInfo.InvariantCulture), hash);
            }
        }
        await using var store = _directory.Open();
        Assert.Equal("ok", Integrity());
        Assert.True(acknowledged.Count >= 40, $"{acknowledged.Count}");
        foreach (var (runId, (seq, hash)) in acknowledged)
        {
            var records = await store.ReadAsync(runId, 1, Token).ToListAsync(Token);
            Assert.True(records.Count >= seq, $"{runId} has {records.Count} of {seq} acknowledged records");
            Assert.Equal(hash, records[(int)seq - 1].Hash);
            // Two records, then groups of three.
            Assert.Equal(2, records.Count % 3);
            var folded = records.Aggregate((RunHead?)null, RunHead.After)!;
            var head = (await store.FindAsync(runId, Token))!;
            Assert.Equal((folded.Seq, folded.Hash, folded.Status, (RunOwner?)null), (head.Seq, head.Hash, head.Status, head.Owner));
            Assert.Empty(await new PawlClient(store).VerifyAsync(runId, Token));
        }
    }

    string Integrity()
    {
        using var db = new SqliteDb(_directory.File, TimeSpan.FromSeconds(5));
        return db.Pragma("integrity_check");
    }

    [Fact]
    public async Task A_run_whose_process_was_killed_is_taken_over_at_once_and_one_whose_process_lives_is_not()
    {
        await using var store = _directory.Open(new SqliteStoreOptions { LeaseTime = TimeSpan.FromHours(1) });
        var (created, head) = SqliteRun.Created("held", ",\"queue\":\"q\"");
        await store.CreateAsync(created, head, null, Token);
        using var process = SqliteSubject.Start("hold", _directory.File);
        Assert.Equal("HELD 1", await process.StandardOutput.ReadLineAsync(Token));
        var refused = await store.ClaimAsync("held", SqliteRun.Me, Token);
        Assert.Equal(process.Id, refused.HeldBy?.Pid);
        Assert.Equal(process.Id, (await store.FindAsync("held", Token))!.Owner?.Pid);

        process.Kill();
        await process.WaitForExitAsync(Token);
        Assert.Null((await store.FindAsync("held", Token))!.Owner);
        var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q") { Concurrency = 1 }, 3)], Workflows = [new WorkflowKey("etl", 1)] };
        Assert.Equal(2, Assert.Single(await store.TakeAsync(work, SqliteRun.Me, Token)).Lease.Token);
        Assert.Equal(Environment.ProcessId, (await store.ClaimAsync("held", SqliteRun.Me, Token)).HeldBy?.Pid);
    }

    [Fact]
    public async Task Each_of_many_runs_is_taken_by_exactly_one_of_three_processes()
    {
        var expected = new List<string>();
        await using (var store = _directory.Open())
            for (var i = 0; i < 60; i++)
            {
                var (created, head) = SqliteRun.Created($"run{i}", ",\"queue\":\"q\"");
                await store.CreateAsync(created, head, null, Token);
                expected.Add(head.RunId);
            }
        var taken = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => SqliteSubject.RunAsync("race", _directory.File)));
        Assert.Equal(expected.Order(), taken.SelectMany(lines => lines).Order());
        await using var after = _directory.Open();
        Assert.Equal(60, await after.ListAsync(new RunQuery { Statuses = [RunStatus.Completed] }, Token).CountAsync(Token));
    }
}
