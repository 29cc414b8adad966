using System.Diagnostics;
using System.Globalization;
using System.Text;
using Npgsql;
using Pawl.Postgres;
using Pawl.Storage;
using Pawl.Stores;

namespace Pawl.Benchmarks;

/// <summary>The PostgreSQL store against single-row INSERT commits of one connection, on one private server that flushes each commit, in turns.</summary>
static class PostgresRates
{
    const int Steps = 2_000;
    const int Runs = 128;
    const int StepsPerRun = 300;
    const int Queued = 100_000;

    public static async Task RunAsync()
    {
        await using var server = await PostgresServer.StartAsync(Environment.GetEnvironmentVariable("PAWL_BENCH_DIR"));
        await using var store = await PostgresStore.OpenAsync(server.ConnectionString);
        await using var bare = NpgsqlDataSource.Create(server.ConnectionString);
        await EngineOverhead.WarmUpAsync();
        await RatesAsync(store, bare);
        await BytesAsync(bare);
        await ClaimsAsync(server, bare);
        await ListsAsync(server);
    }

    static async Task RatesAsync(PostgresStore store, NpgsqlDataSource bare)
    {
        await using (var create = bare.CreateCommand("create table bare (id bigint generated always as identity primary key, line text not null)")) await create.ExecuteNonQueryAsync();
        // Answered on the caller's thread, as the store's lone commits are: the fastest that the driver can do. A connection of its own, since one that was used otherwise is slower.
        using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(bare.ConnectionString) { Password = PostgresServer.Password, Pooling = false }.ConnectionString);
        connection.Open();
        await using var ask = bare.CreateCommand("select pg_backend_pid()");
        var server = ProcessorTime.ParentOf((int)(await ask.ExecuteScalarAsync())!);
        var (single, together, one, many, oneAlone, manyAlone) = (new Best(), new Best(), new Best(), new Best(), new Best(), new Best());
        for (var round = 0; round < 8; round++)
        {
            var (alone, ofMany) = (await StoreAlone.PrepareAsync(store, 1, Steps, $"alone{round}"), await StoreAlone.PrepareAsync(store, Runs, StepsPerRun, $"manyalone{round}"));
            single.Add(Steps, server, () => Inserts(connection));
            together.Add(Runs * StepsPerRun, server, () => GroupsOfInserts(connection));
            await oneAlone.AddAsync(Steps, server, alone.RunAsync);
            await one.AddAsync(Steps, server, () => StepsAsync(store, 1, Steps, $"one{round}"));
            await manyAlone.AddAsync(Runs * StepsPerRun, server, ofMany.RunAsync);
            await many.AddAsync(Runs * StepsPerRun, server, () => StepsAsync(store, Runs, StepsPerRun, $"many{round}"));
        }
        Report.Row("PostgreSQL, one run of 2,000 steps", Report.Number(one.Rate, "steps/s"), Report.Number(single.Rate, "one-row commits/s"), Report.Number(one.Rate / single.Rate * 100, "%"), "≥ 80 %", one.Rate / single.Rate >= 0.8);
        Report.Row("PostgreSQL, 128 runs of 300 steps at once", Report.Number(many.Rate, "steps/s"), Report.Number(single.Rate, "one-row commits/s"), Report.Number(many.Rate / single.Rate, "×", 1), "≥ 10 ×", many.Rate / single.Rate >= 10);
        Report.Row("PostgreSQL, the same commits of one run without the engine", Report.Number(oneAlone.Rate, "steps/s"), Report.Number(single.Rate, "one-row commits/s"), Report.Number(oneAlone.Rate / single.Rate * 100, "%"), "-", true);
        Report.Row("PostgreSQL, the same commits of 128 runs without the engine", Report.Number(manyAlone.Rate, "steps/s"), Report.Number(single.Rate, "one-row commits/s"), Report.Number(manyAlone.Rate / single.Rate, "×", 1), "-", true);
        Report.Row($"PostgreSQL, bare rows in groups of {Runs / 2}: insert … select unnest", Report.Number(together.Rate, "rows/s"), Report.Number(single.Rate, "one-row commits/s"), Report.Number(together.Rate / single.Rate, "×", 1), "-", true);
        Report.Row("PostgreSQL, processor time a step, one run: client + server", one.Processor, $"{single.Processor} a commit", "-", "-", true);
        Report.Row("PostgreSQL, processor time a step, 128 runs: client + server", many.Processor, $"{single.Processor} a commit", "-", "-", true);
        Report.Row("PostgreSQL, processor time of the same commits without the engine, and of bare rows in groups", manyAlone.Processor, together.Processor, "-", "-", true);
    }

    // As many bytes as a step's line has.
    static void Inserts(NpgsqlConnection connection)
    {
        using var insert = new NpgsqlCommand("insert into bare (line) values ($1)", connection) { Parameters = { new NpgsqlParameter<string> { TypedValue = new string('x', 190) } } };
        insert.Prepare();
        for (var i = 0; i < Steps; i++) insert.ExecuteNonQuery();
    }

    // The least that many rows in one commit can cost: no run, no token, no head.
    static void GroupsOfInserts(NpgsqlConnection connection)
    {
        const int group = Runs / 2;
        var (numbers, lines) = (new long[group], Enumerable.Repeat(Encoding.UTF8.GetBytes(new string('x', 190)), group).ToArray());
        using (var create = new NpgsqlCommand("create table if not exists bare_groups (run bigint not null, seq bigint not null, line bytea not null, primary key (run, seq)); truncate bare_groups", connection)) create.ExecuteNonQuery();
        var seqs = new NpgsqlParameter<long[]> { TypedValue = numbers };
        using var insert = new NpgsqlCommand("insert into bare_groups select * from unnest($1, $2, $3)", connection) { Parameters = { new NpgsqlParameter<long[]> { TypedValue = [.. Enumerable.Range(0, group).Select(run => (long)run)] }, seqs, new NpgsqlParameter<byte[][]> { TypedValue = lines } } };
        insert.Prepare();
        for (var i = 0; i < StepsPerRun * 2; i++)
        {
            Array.Fill(numbers, i);
            insert.ExecuteNonQuery();
        }
    }

    static async Task StepsAsync(PostgresStore store, int runs, int steps, string name)
    {
        // The store is not the client's to close.
        var client = new PawlClient(store);
        var workflow = EngineOverhead.Loop(steps);
        await Task.WhenAll(Enumerable.Range(0, runs).Select(async number => (await client.RunAsync(workflow, null, new StartOptions { RunId = $"{name}_20260110_120000_{number}" })).EnsureCompleted()));
    }

    /// <summary>The best of some rounds: the rate, and the processor time that others' work on the machine changes least.</summary>
    sealed class Best
    {
        double _client = double.MaxValue, _server = double.MaxValue;

        public double Rate { get; private set; }

        public string Processor => $"{Report.Number(_client, "", 0)}+ {Report.Number(_server, "µs", 0)}";

        public void Add(int steps, int server, Action work) => AddAsync(steps, server, () => { work(); return Task.CompletedTask; }).GetAwaiter().GetResult();

        public async Task AddAsync(int steps, int server, Func<Task> work)
        {
            var (clock, processor) = (Stopwatch.GetTimestamp(), new ProcessorTime(server));
            await work();
            Rate = Math.Max(Rate, steps / Stopwatch.GetElapsedTime(clock).TotalSeconds);
            var (client, ofServer) = processor.Each(steps);
            (_client, _server) = (Math.Min(_client, client), Math.Min(_server, ofServer));
        }
    }

    static async Task BytesAsync(NpgsqlDataSource bare)
    {
        await using (var vacuum = bare.CreateCommand("vacuum analyze")) await vacuum.ExecuteNonQueryAsync();
        await using var sizes = bare.CreateCommand("""
            select (select count(*) from core_workflow_journal where strpos(convert_from(line, 'UTF8'), '"kind":"step"') > 0),
                pg_total_relation_size('core_workflow_journal') + pg_total_relation_size('core_workflow_runs'), (select avg(octet_length(line)) from core_workflow_journal)
            """);
        await using var row = await sizes.ExecuteReaderAsync();
        await row.ReadAsync();
        var bytes = row.GetInt64(1) / (double)row.GetInt64(0);
        Report.Row("PostgreSQL, bytes a step in tables and indexes", Report.Number(bytes, "B"), Report.Number((double)row.GetDecimal(2), "B a line"), "-", "≤ 300 B + 1.5 × a payload of 4 B", bytes <= 306);
    }

    static async Task ClaimsAsync(PostgresServer server, NpgsqlDataSource bare)
    {
        foreach (var fair in new[] { null, "customer" })
        {
            var times = new List<double>();
            foreach (var queued in new[] { 1_000, Queued })
            {
                await using var store = await PostgresStore.OpenAsync(server.ConnectionString, new PostgresStoreOptions { Schema = $"queue{queued}{fair}" });
                await QueueAsync(bare, $"queue{queued}{fair}", queued);
                var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q") { FairBy = fair }, 10)], Workflows = [new WorkflowKey("bulk", 1)] };
                var took = new List<double>();
                for (var i = 0; i < 60; i++)
                {
                    var clock = Stopwatch.GetTimestamp();
                    var taken = await store.TakeAsync(work, new RunOwner(1, "bench", default), default);
                    took.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
                    if (taken.Count != 10) throw new InvalidOperationException($"{taken.Count} runs were taken");
                }
                times.Add(took.Order().ElementAt(took.Count / 2));
            }
            Report.Row($"PostgreSQL, claim of 10 runs of 100,000 queued{(fair is null ? "" : ", taking turns")}", Report.Number(times[1], "ms", 2), Report.Number(times[0], "ms of 1,000", 2), Report.Number(times[1] / times[0], "×", 1),
                "≤ 1.5 ×", times[1] <= times[0] * 1.5);
        }
    }

    // Made from one run that the store wrote itself.
    static async Task QueueAsync(NpgsqlDataSource bare, string schema, int count)
    {
        await using var store = await PostgresStore.OpenAsync(bare, new PostgresStoreOptions { Schema = schema });
        var data = Encoding.UTF8.GetBytes("""{"seq":1,"kind":"created","at":"2026-01-10T12:00:00Z","data":{"format":1,"run_id":"r0","workflow":"bulk","queue":"q","steps":[],"tags":{"team":"docs"},"partition":{"customer":"c1"}},"hash":"00000000000000000000000000000000"}""");
        var created = Checkpoint.FromLine(data);
        await store.CreateAsync(created, RunHead.After(null, created), null, default);
        await using var copy = bare.CreateCommand(string.Create(CultureInfo.InvariantCulture, $"""
            insert into {schema}.core_workflow_runs (run_id, created_at, labels, head, seq, updated, done, recoveries, token, due_at, version, priority, held, portable, workflow, status, queue, hash, part)
            select 'r' || i, created_at + i * interval '1 ms', array['"team":"t' || i % 1000 || '"'],
                replace(replace(head::text, '"r0"', '"r' || i || '"'), '"c1"', '"c' || i % 20 || '"')::json, seq, updated, done, recoveries, token, due_at, version, priority, held, portable, workflow, case when i % 500 = 499 then 'failed' else status end, queue, hash, json_build_object('customer', 'c' || i % 20)::text
            from {schema}.core_workflow_runs, generate_series(1, {count}) i where run_id = 'r0';
            analyze {schema}.core_workflow_runs
            """));
        await copy.ExecuteNonQueryAsync();
    }

    static async Task ListsAsync(PostgresServer server)
    {
        await using var store = await PostgresStore.OpenAsync(server.ConnectionString, new PostgresStoreOptions { Schema = $"queue{Queued}" });
        var slowest = 0.0;
        foreach (var query in new RunQuery[]
        {
            new() { Limit = 50 },
            new() { Workflow = "bulk", Limit = 50 },
            new() { Statuses = [RunStatus.Failed], Limit = 50 },
            new() { Statuses = [RunStatus.Failed, RunStatus.Canceled], Workflow = "bulk", Limit = 50 },
            new() { Statuses = [RunStatus.Completed], Limit = 50 },
            new() { Workflow = "other", Limit = 50 },
            new() { Where = new Dictionary<string, string> { ["team"] = "t7" }, Limit = 50 },
            new() { Statuses = [RunStatus.Failed], Since = new DateTimeOffset(2026, 1, 10, 12, 1, 30, TimeSpan.Zero), Limit = 50 },
        })
        {
            var took = new List<double>();
            for (var i = 0; i < 11; i++)
            {
                var clock = Stopwatch.GetTimestamp();
                await foreach (var _ in store.ListAsync(query, default)) { }
                took.Add(Stopwatch.GetElapsedTime(clock).TotalMilliseconds);
            }
            slowest = Math.Max(slowest, took.Order().ElementAt(took.Count / 2));
        }
        Report.Row("PostgreSQL, the slowest of 8 filtered lists over 100,000 runs", Report.Number(slowest, "ms", 1), "-", "-", "< 50 ms", slowest < 50);
    }
}
