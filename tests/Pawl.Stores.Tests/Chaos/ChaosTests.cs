using Npgsql;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores.Chaos;

/// <summary>Workers that are killed, frozen and cut off, and a database that is killed: every run ends as if nothing had happened.</summary>
/// <remarks>The long version: <c>PAWL_CHAOS_RUNS=20000 PAWL_CHAOS_SEED=7 .ci/run</c>. <c>PAWL_CHAOS_APART=1</c> puts each worker into a network namespace of its own, whose
/// cable is pulled; without it, a relay between worker and database resets the connections, or falls silent and delivers late.</remarks>
public sealed class ChaosTests
{
    static int Setting(string name, int standard) => int.TryParse(Environment.GetEnvironmentVariable(name), out var value) ? value : standard;

    [Fact]
    public async Task Whatever_happens_to_workers_and_database_every_run_ends_with_each_step_acknowledged_once()
    {
        var token = TestContext.Current.CancellationToken;
        var (count, seed) = (Setting("PAWL_CHAOS_RUNS", 2000), Setting("PAWL_CHAOS_SEED", Environment.TickCount));
        var random = new Random(seed);
        await using var server = await PostgresServer.StartAsync();
        await using var source = NpgsqlDataSource.Create(server.ConnectionString);
        await RunAsync(source, "create table witness (n bigserial primary key, run_id text, step text, attempt int, pid int); create table ledger (run_id text, attempt int)");
        await using var enqueuing = new PawlClient(await PostgresStore.OpenAsync(server.ConnectionString, new PostgresStoreOptions { LeaseTime = ChaosWorker.LeaseTime }, token));
        var workflow = ChaosWorker.Chaotic(source);
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = 16, CancellationToken = token }, async (i, cancellation) =>
            await enqueuing.EnqueueAsync(workflow, null, null, new StartOptions { RunId = $"c{i}" }, cancellation));

        var workers = Enumerable.Range(0, 5).Select(_ => new ChaosWorker(server.ConnectionString, apart: Setting("PAWL_CHAOS_APART", 0) == 1)).ToList();
        var deeds = new List<string>();
        try
        {
            var databaseKills = 2;
            var patience = TimeSpan.FromSeconds(120 + count / 10);
            var clock = System.Diagnostics.Stopwatch.StartNew();
            while (await LeftAsync(source, count) is > 0 and var left)
            {
                if (clock.Elapsed > patience) Assert.Fail($"{left} of {count} runs are not completed after {patience}; seed {seed}; {string.Join(", ", deeds)}; {string.Join("\n", workers.SelectMany(worker => worker.Errors).Take(20))}");
                // What happens to wire and database no worker may die of.
                Assert.All(workers, worker => Assert.True(worker.IsAlive, $"a worker died: {string.Join("\n", worker.Errors.TakeLast(40))}"));
                var worker = workers[random.Next(workers.Count)];
                // Towards the end they may work.
                var deed = clock.Elapsed > patience / 2 ? 9 : random.Next(8);
                switch (deed)
                {
                    case 0 or 1:
                        deeds.Add("killed");
                        worker.KillAndReplace();
                        break;
                    case 2 or 3:
                        deeds.Add("frozen");
                        worker.Freeze();
                        await Task.Delay(ChaosWorker.LeaseTime * 1.5, token);
                        worker.Resume();
                        break;
                    case 4 or 5:
                        deeds.Add(deed == 4 ? "cut off" : "cut off without a word");
                        if (deed == 4) worker.Cut();
                        else worker.Silence();
                        await Task.Delay(random.Next(500, 5000), token);
                        worker.Mend();
                        break;
                    case 6 when databaseKills-- > 0:
                        deeds.Add("database killed");
                        await server.KillAsync();
                        await Task.Delay(1000, token);
                        await server.StartAgainAsync();
                        NpgsqlConnection.ClearAllPools();
                        break;
                }
                await Task.Delay(500, token);
            }
        }
        finally
        {
            workers.ForEach(worker => worker.Dispose());
        }

        // With connections that no kill has touched.
        await using var client = new PawlClient(await PostgresStore.OpenAsync(server.ConnectionString, null, token));
        TestContext.Current.SendDiagnosticMessage($"{count} runs, seed {seed}: {string.Join(", ", deeds.GroupBy(deed => deed).Select(group => $"{group.Count()} x {group.Key}"))}; {await NumberAsync(source, "select count(*) from witness")} executions of {count * (ChaosWorker.Steps - 1)} steps");
        Assert.True(deeds.Count > 3, "nothing happened: the work was done too fast");
        Assert.Equal(count, await NumberAsync(source, "select count(*) from ledger"));
        Assert.Equal(count, await NumberAsync(source, "select count(distinct run_id) from ledger"));
        for (var i = 0; i < count; i++)
        {
            var history = await client.HistoryAsync($"c{i}", token);
            var done = history.Where(record => record is { Kind: CheckpointKind.Step, Status: StepStatus.Completed }).Select(record => record.Path).ToList();
            Assert.Equal(Enumerable.Range(1, ChaosWorker.Steps).Select(number => $"s{number}"), done);
            var tokens = history.Where(record => record.Kind == CheckpointKind.Resumed).Select(record => record.Token).ToList();
            Assert.Equal(tokens.Order().Distinct(), tokens);
            if (i % 20 == 0) Assert.Empty(await client.VerifyAsync($"c{i}", token));
        }
    }

    static async Task<long> LeftAsync(NpgsqlDataSource source, int count)
    {
        try { return count - await NumberAsync(source, "select count(*) from core_workflow_runs where status = 'completed'"); }
        catch (NpgsqlException) { return count; }
    }

    static async Task<long> NumberAsync(NpgsqlDataSource source, string query)
    {
        await using var command = source.CreateCommand(query);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    static async Task RunAsync(NpgsqlDataSource source, string text)
    {
        await using var command = source.CreateCommand(text);
        await command.ExecuteNonQueryAsync();
    }
}
