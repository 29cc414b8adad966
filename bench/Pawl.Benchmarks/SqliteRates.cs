using System.Diagnostics;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Pawl.Storage;
using SQLitePCL;

namespace Pawl.Benchmarks;

/// <summary>The SQLite store against single-row commits by one connection: same library, same pragmas, same bytes, taken in turns in one run.</summary>
static class SqliteRates
{
    const int Steps = 2_000;
    const int ManyRuns = 128;
    const int ManySteps = 300;

    static readonly WorkQuery s_work = new() { Queues = [new QueueDemand(new QueueOptions("q"), 32)], Workflows = [new WorkflowKey("bench", 1)] };

    public static Task OneRunAsync() => RateAsync($"SQLite store, one run of {Steps:N0} steps", 1, Steps, 0.8, "%");

    public static Task ManyRunsAsync() => RateAsync($"SQLite store, {ManyRuns} runs of {ManySteps} steps at once", ManyRuns, ManySteps, 10, "×");

    /// <summary>The median of rounds, each with the bare loop before and behind it: a disk that others use changes from second to second.</summary>
    static async Task RateAsync(string what, int runs, int steps, double goal, string unit)
    {
        await EngineOverhead.WarmUpAsync();
        var rounds = new List<(double Ratio, double Rate, double Bare)>();
        var (alone, processor) = (new List<double>(), double.MaxValue);
        var (_, bytes, _) = await StepsAsync(runs, steps);
        for (var round = 0; round < 9; round++)
        {
            var before = Bare(Steps, bytes);
            var (rate, _, each) = await StepsAsync(runs, steps);
            var bare = 2 / (1 / before + 1 / Bare(Steps, bytes));
            rounds.Add((rate / bare, rate, bare));
            alone.Add(await AloneAsync(runs, steps) / bare);
            processor = Math.Min(processor, each);
        }
        var median = rounds.Order().ElementAt(rounds.Count / 2);
        Report.Row(what, Report.Number(median.Rate, "steps/s"), Report.Number(median.Bare, "single-row commits/s"), Times(median.Ratio), unit == "%" ? Report.Number(goal * 100, "%").Insert(0, "≥ ") : $"≥ {goal} ×", median.Ratio >= goal);
        Report.Row($"{what}: processor time a step; the same commits without the engine", Report.Number(processor, "µs", 1), "-", Times(alone.Order().ElementAt(alone.Count / 2)), "-", true);

        string Times(double ratio) => unit == "%" ? Report.Number(ratio * 100, unit) : Report.Number(ratio, unit, 1);
    }

    public static async Task BytesAsync()
    {
        foreach (var size in (int[])[2, 100, 1_000, 10_000, 100_000]) await BytesAsync(size);
    }

    static async Task<(double Rate, int LineBytes, double Processor)> StepsAsync(int runs, int steps)
    {
        using var folder = new TemporaryFolder();
        await using var store = SqliteStore.Open(Path.Combine(folder.Path, "pawl.db"));
        await using var client = new PawlClient(store);
        var workflow = EngineOverhead.Loop(steps);
        var (clock, processor) = (Stopwatch.GetTimestamp(), new ProcessorTime());
        await Task.WhenAll(Enumerable.Range(0, runs).Select(number => Task.Run(async () => (await client.RunAsync(workflow, null, new StartOptions { RunId = $"run{number}" })).EnsureCompleted())));
        var (took, each) = (Stopwatch.GetElapsedTime(clock).TotalSeconds, processor.Each(runs * steps).Client);
        var (count, bytes) = (0, 0L);
        await foreach (var record in store.ReadAsync("run0", 1, default)) (count, bytes) = (count + 1, bytes + record.Line.Length);
        return (runs * steps / took, (int)(bytes / count), each);
    }

    static async Task<double> AloneAsync(int runs, int steps)
    {
        using var folder = new TemporaryFolder();
        await using var store = SqliteStore.Open(Path.Combine(folder.Path, "pawl.db"));
        var commits = await StoreAlone.PrepareAsync(store, runs, steps, "alone");
        var clock = Stopwatch.GetTimestamp();
        await commits.RunAsync();
        return runs * steps / Stopwatch.GetElapsedTime(clock).TotalSeconds;
    }

    static double Bare(int rows, int bytes)
    {
        using var folder = new TemporaryFolder();
        using var connection = new SqliteConnection($"Data Source={Path.Combine(folder.Path, "bare.db")};Pooling=false");
        connection.Open();
        foreach (var sql in (string[])["PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE t (run_id TEXT NOT NULL, seq INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (run_id, seq))"])
        {
            using var command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }
        raw.sqlite3_prepare_v2(connection.Handle, "INSERT INTO t VALUES ('run0', ?, ?)", out var insert);
        var line = new byte[bytes];
        line.AsSpan().Fill((byte)'x');
        var clock = Stopwatch.GetTimestamp();
        for (var i = 0; i < rows; i++)
        {
            raw.sqlite3_bind_int64(insert, 1, i);
            raw.sqlite3_bind_text(insert, 2, (ReadOnlySpan<byte>)line);
            if (raw.sqlite3_step(insert) != raw.SQLITE_DONE) throw new IOException("the bare loop failed");
            raw.sqlite3_reset(insert);
        }
        var took = Stopwatch.GetElapsedTime(clock).TotalSeconds;
        insert.Dispose();
        return rows / took;
    }

    static async Task BytesAsync(int payload)
    {
        using var folder = new TemporaryFolder();
        var (steps, runs, text) = (Math.Clamp(5_000_000 / payload, 100, 1_000), 8, new string('x', payload - 2));
        var file = Path.Combine(folder.Path, "pawl.db");
        await SqliteStore.Open(file).DisposeAsync();
        var empty = new FileInfo(file).Length;
        await using (var client = new PawlClient(SqliteStore.Open(file)))
        {
            var workflow = Workflow.Define("bench", async ctx =>
            {
                for (var i = 0; i < steps; i++) await ctx.StepAsync($"s{i}", () => Task.FromResult(text));
            });
            await Task.WhenAll(Enumerable.Range(0, runs).Select(number => client.RunAsync(workflow, null, new StartOptions { RunId = $"bench_20260110_120000_{number}" })));
        }
        var bytes = (new FileInfo(file).Length - empty) / (double)(runs * steps);
        var goal = 1.5 * payload + 300;
        Report.Row(string.Create(CultureInfo.InvariantCulture, $"SQLite file, bytes a step with {payload:N0} B of output"), Report.Number(bytes, "B"), "-", "-", $"≤ {Report.Number(goal, "B")}", bytes <= goal);
    }

    public static async Task QueueAsync()
    {
        using var folder = new TemporaryFolder();
        await using var store = SqliteStore.Open(Path.Combine(folder.Path, "pawl.db"));
        var owner = new RunOwner(Environment.ProcessId, "bench", DateTimeOffset.UnixEpoch);
        var claims = new Dictionary<int, double>();
        var made = 0;
        foreach (var count in (int[])[1_000, 100_000])
        {
            await Task.WhenAll(Enumerable.Range(made, count - made).Select(number => CreateAsync(store, number)));
            made = count;
            var times = new List<double>();
            for (var i = 0; i < 20; i++)
            {
                var clock = Stopwatch.GetTimestamp();
                var taken = await store.TakeAsync(s_work, owner, default);
                times.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
                if (taken.Count != 32) throw new InvalidOperationException($"{taken.Count} were taken");
                foreach (var run in taken) await store.ReleaseAsync(run.Lease, default);
            }
            claims[count] = times.Order().ElementAt(10);
        }
        Report.Row("SQLite store, a claim of 32 runs with 100,000 queued", Report.Number(claims[100_000], "ms", 2), Report.Number(claims[1_000], "ms with 1,000", 2), Report.Number(claims[100_000] / claims[1_000], "×", 2), "≤ 1.5 ×", claims[100_000] / claims[1_000] <= 1.5);
        foreach (var (what, query) in new (string, RunQuery)[]
        {
            ("status, 50 of many", new RunQuery { Statuses = [RunStatus.Pending], Limit = 50 }),
            ("status, none", new RunQuery { Statuses = [RunStatus.Failed, RunStatus.Canceled], Limit = 50 }),
            ("workflow and time", new RunQuery { Workflow = "bench", Since = DateTimeOffset.UnixEpoch.AddSeconds(99_950), Limit = 50 }),
            ("common tag", new RunQuery { Where = new Dictionary<string, string> { ["team"] = "docs" }, Limit = 50 }),
            ("rare tag", new RunQuery { Where = new Dictionary<string, string> { ["shard"] = "77" }, Limit = 50 }),
            ("two tags", new RunQuery { Where = new Dictionary<string, string> { ["team"] = "docs", ["shard"] = "77" }, Limit = 50 }),
            ("common tag and rare status", new RunQuery { Where = new Dictionary<string, string> { ["team"] = "docs" }, Statuses = [RunStatus.Failed], Limit = 50 }),
            ("workflow and rare status", new RunQuery { Workflow = "bench", Statuses = [RunStatus.Failed], Limit = 50 }),
        })
        {
            var best = double.MaxValue;
            for (var i = 0; i < 5; i++)
            {
                var clock = Stopwatch.GetTimestamp();
                await foreach (var _ in store.ListAsync(query, default)) { }
                best = Math.Min(best, Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
            }
            Report.Row($"SQLite store, list of 100,000 runs by {what}", Report.Number(best, "ms", 1), "-", "-", "< 50 ms", best < 50);
        }
    }

    static async Task CreateAsync(SqliteStore store, int number)
    {
        var at = DateTimeOffset.UnixEpoch.AddSeconds(number);
        var created = new Checkpoint
        {
            Kind = CheckpointKind.Created, At = at,
            Data = System.Text.Encoding.UTF8.GetBytes($$$"""{"format":1,"run_id":"run{{{number}}}","workflow":"bench","fingerprint":"","steps":[],"queue":"q","tags":{"team":"docs","shard":"{{{number % 1000}}}"}}"""),
        };
        created = CheckpointCodec.Encode(created, 1, more: false, "");
        await store.CreateAsync(created, RunHead.After(null, created), null, default);
    }
}
