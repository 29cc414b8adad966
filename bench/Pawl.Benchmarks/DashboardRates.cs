using System.Globalization;
using System.Text.Json;
using Npgsql;
using Pawl.Dashboard;
using Pawl.Dashboard.Tests;
using Pawl.Postgres;
using Pawl.Storage;
using Pawl.Stores;

namespace Pawl.Benchmarks;

/// <summary>The page over 100,000 runs, one of them with 10,000 steps, while a worker executes others in the same process.</summary>
static class DashboardRates
{
    const int Rounds = 9;

    static readonly TimeSpan s_length = TimeSpan.FromSeconds(10);

    static readonly (string What, string[] Paths)[] s_lists =
    [
        ("newest", ["runs?limit=50"]),
        ("by status", ["runs?limit=50&status=completed", "runs?limit=50&status=failed", "runs?limit=50&status=waiting,paused"]),
        ("by workflow, tag and time", ["runs?limit=50&workflow=workflow03", "runs?limit=50&where=team%3Ddocs", "runs?limit=50&where=shard%3D77", "runs?limit=50&where=team%3Ddocs&status=failed", "runs?limit=50&workflow=workflow03&status=failed"]),
        ("counts by status", ["counts"]),
    ];

    public static async Task SqliteAsync()
    {
        using var folder = new TemporaryFolder();
        await using var store = SqliteStore.Open(Path.Combine(folder.Path, "runs.db"));
        await MeasureAsync("SQLite", store, () => Task.CompletedTask);
    }

    public static async Task PostgresAsync()
    {
        await using var server = await PostgresServer.StartAsync(Environment.GetEnvironmentVariable("PAWL_BENCH_DIR"));
        await using var store = await PostgresStore.OpenAsync(server.ConnectionString);
        await MeasureAsync("PostgreSQL", store, async () =>
        {
            // What the server does by itself within a minute or two.
            await using var bare = NpgsqlDataSource.Create(server.ConnectionString);
            await using var vacuum = bare.CreateCommand("vacuum analyze");
            vacuum.CommandTimeout = 600;
            await vacuum.ExecuteNonQueryAsync();
        });
    }

    static async Task MeasureAsync(string name, ICheckpointStore store, Func<Task> settle)
    {
        var now = DateTimeOffset.UtcNow;
        await DashboardSeed.FillAsync(store, now);
        await DashboardSeed.BigAsync(store, now);
        var live = await DashboardSeed.BigAsync(store, now, DashboardSeed.Live);
        await settle();
        var (counted, counter) = CountingStore.Around(store);
        var client = new PawlClient(counted);
        // As 'pawl ui' does: the definition that a run carries is looked for. These carry none.
        await using var server = await LocalDashboard.StartAsync(new DashboardOptions { Client = client, Definitions = _ => throw new NotSupportedException() });
        await StillAsync(name, server);
        await using var work = new Work(new PawlClient(store));
        await PagesAsync(name, server, store, live);
        await ListsAsync(name, server);
        await ViewersAsync(name, server, counter, store, live);
    }

    /// <summary>While nothing is executed, and behind the first pages that a process serves.</summary>
    static async Task StillAsync(string name, LocalDashboard server)
    {
        await using var page = await DashboardPage.OpenAsync();
        var (plain, runs) = (new List<double>(), new List<double>());
        for (var round = -2; round < Rounds; round++)
        {
            var (bare, whole) = (await page.LoadPlainAsync(), await page.LoadAsync(server, "runs"));
            if (round < 0) continue;
            plain.Add(bare);
            runs.Add(whole);
        }
        Opened(name, "100,000 runs, nothing is executed: the first page until a key is answered", runs, plain, 300);
    }

    static void Opened(string name, string what, List<double> times, List<double> plain, double goal) => Report.Row($"{name}, {what}", Report.Number(Median(times), "ms"), Report.Number(Median(plain), "ms for a still page of 50 rows"),
        $"{Report.Number(Median(times) - Median(plain), "ms")} more, the best {Report.Number(times.Min(), "ms")}", $"< {Report.Number(goal, "ms")}", Median(times) < goal);

    static async Task PagesAsync(string name, LocalDashboard server, ICheckpointStore store, DashboardSeed.RunWriter live)
    {
        await using var page = await DashboardPage.OpenAsync();
        // In turns: other work on the machine meets all three alike.
        var (plain, runs, big) = (new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < Rounds; round++)
        {
            plain.Add(await page.LoadPlainAsync());
            runs.Add(await page.LoadAsync(server, "runs"));
            big.Add(await page.LoadAsync(server, $"run/{DashboardSeed.Big}"));
        }
        Opened(name, "100,000 runs: the first page until a key is answered", runs, plain, 300);
        Opened(name, "a run of 10,000 steps until a key is answered", big, plain, 1000);
        (double Longest, double Frame, int Rows) still = default, moving = default;
        await page.LoadAsync(server, $"run/{DashboardSeed.Big}", async page => still = await DashboardPage.ScrollAsync(page));
        Row("scrolling its steps", still);
        await page.LoadAsync(server, $"run/{DashboardSeed.Live}", async page =>
        {
            using var stop = new CancellationTokenSource();
            var writing = AppendAsync(store, live, "seen", stop.Token);
            moving = await DashboardPage.ScrollAsync(page);
            await stop.CancelAsync();
            await writing;
        });
        Row("scrolling while 50 steps a second come", moving);

        void Row(string what, (double Longest, double Frame, int Rows) found) => Report.Row($"{name}, a run of 10,000 steps: {what}, longest task", Report.Number(found.Longest, "ms"),
            $"95 % of frames ≤ {Report.Number(found.Frame, "ms")}", $"{found.Rows} rows", "≤ 50 ms", found.Longest <= 50);
    }

    static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);

    static async Task ListsAsync(string name, LocalDashboard server)
    {
        using var http = await DashboardLoad.OpenAsync(server);
        await DashboardLoad.RunAsync(http, [.. s_lists.SelectMany(list => list.Paths)], TimeSpan.FromSeconds(2), withTags: false);
        foreach (var (what, paths) in s_lists) await RowAsync(what, paths, withTags: false);
        await RowAsync("newest, with ETags", s_lists[0].Paths, withTags: true);

        async Task RowAsync(string what, string[] paths, bool withTags)
        {
            // An answer for which nothing is read, in the same seconds: what is beyond it is the list's.
            var bare = DashboardLoad.RunAsync(http, ["info"], s_length, withTags: false);
            var times = await DashboardLoad.RunAsync(http, paths, s_length, withTags);
            var (last, peer) = (DashboardLoad.At(times, 0.99), DashboardLoad.At(await bare, 0.99));
            Report.Row($"{name}, 100,000 runs: the API's list, {what}, p99 at 50 requests/s", Report.Number(last, "ms", 1), Report.Number(peer, "ms where nothing is read", 1),
                $"p50 {Report.Number(DashboardLoad.At(times, 0.5), "ms", 1)}", "< 50 ms", last < 50);
        }
    }

    static async Task ViewersAsync(string name, LocalDashboard server, CountingStore counter, ICheckpointStore store, DashboardSeed.RunWriter live)
    {
        using var http = await DashboardLoad.OpenAsync(server);
        // As a page has it.
        using var had = JsonDocument.Parse(await http.GetStringAsync($"runs/{DashboardSeed.Live}"));
        foreach (var (what, feed, path) in new[] { ("the list of runs", "events", "runs?limit=50"), ("a run of 10,000 steps", $"runs/{DashboardSeed.Live}/events", $"runs/{DashboardSeed.Live}?since={had.RootElement.GetProperty("at")}") })
        {
            var one = await ReadsAsync(1);
            var many = await ReadsAsync(200);
            Report.Row($"{name}, 200 viewers of {what}, reads a change", Report.Number(many, "", 2).TrimEnd(), $"{Report.Number(one, "", 2)}by one", Report.Number(many / one, "×", 2), "≤ 1.5 ×", many <= one * 1.5);

            async Task<double> ReadsAsync(int viewers)
            {
                using var stop = new CancellationTokenSource();
                var watching = Enumerable.Range(0, viewers).Select(_ => DashboardLoad.WatchAsync(http, feed, path, stop.Token)).ToList();
                await Task.Delay(1500);
                using var written = new CancellationTokenSource();
                var writing = AppendAsync(store, live, $"by{viewers}", written.Token);
                var (before, clock) = (counter.Reads, Environment.TickCount64);
                await Task.Delay(5000);
                var reads = counter.Reads - before;
                await written.CancelAsync();
                await writing;
                await stop.CancelAsync();
                var told = await Task.WhenAll(watching);
                return reads / Math.Max(1.0, told.Max(one => one.Changes) * 5000 / 6500.0);
            }
        }
    }

    static async Task AppendAsync(ICheckpointStore store, DashboardSeed.RunWriter live, string prefix, CancellationToken stop)
    {
        for (var number = 0; !stop.IsCancellationRequested; number++)
        {
            await DashboardSeed.AppendAsync(store, live, string.Create(CultureInfo.InvariantCulture, $"train/{prefix}/{number}"));
            await Task.Delay(20, CancellationToken.None);
        }
    }

    /// <summary>A worker, and who gives it runs: as many as it takes at 20 a second.</summary>
    sealed class Work : IAsyncDisposable
    {
        readonly CancellationTokenSource _stop = new();
        readonly Task _working;

        public Work(PawlClient client)
        {
            var workflow = EngineOverhead.Loop(20);
            _working = Task.WhenAll(new PawlWorker(client, new WorkerOptions { Workflows = [workflow], Concurrency = 4 }).RunAsync(_stop.Token), EnqueueAsync());

            async Task EnqueueAsync()
            {
                for (var number = 0; !_stop.IsCancellationRequested; number++)
                {
                    await client.EnqueueAsync(workflow);
                    await Task.Delay(50, CancellationToken.None);
                }
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _working;
            _stop.Dispose();
        }
    }
}
