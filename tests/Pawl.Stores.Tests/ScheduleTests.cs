using System.Collections.Concurrent;
using System.Diagnostics;
using Pawl.Engine;
using Pawl.Postgres;
using Pawl.Scheduling;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>Schedules in real stores with several workers. The first time is some minutes ago, so that there is much to make up for at once.</summary>
public sealed class ScheduleTests(PostgresFixture postgres) : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-schedule-").FullName;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    async Task<PawlClient> OpenAsync(string kind, string schema) => new(kind switch
    {
        "sqlite" => SqliteStore.Open(Path.Combine(_folder, "pawl.db")),
        "file" => FileStore.Open(Path.Combine(_folder, "runs")),
        _ => await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema }, Token),
    });

    /// <summary>As ScheduleAsync would have made it some minutes ago.</summary>
    static async Task<DateTimeOffset> ScheduleAsync(PawlClient client, Workflow workflow, int minutesAgo)
    {
        var schedule = new Schedule("every", workflow, "* * * * *") { Missed = MissedRuns.All };
        var start = new StartOptions { Tags = new Dictionary<string, string> { [Occurrence.Tag] = schedule.Name } };
        var now = TimeProvider.System.GetUtcNow();
        var first = Occurrence.First(schedule, PassRecords.Created("", workflow, new Dictionary<string, RawJson>(), start, TimeProvider.System, new EnqueueOptions()).Data, now.AddMinutes(-minutesAgo));
        var record = CheckpointCodec.Encode(first.Record(now), 1, more: false, "");
        await client.Store.CreateAsync(record, RunHead.After(null, record), null, Token);
        return first.Tick;
    }

    static async Task<List<RunHead>> RunsAsync(PawlClient client, params RunStatus[] statuses)
    {
        var heads = await client.ListAsync(new RunQuery { Where = new Dictionary<string, string> { ["schedule"] = "every" }, Statuses = statuses.Length > 0 ? statuses : null }, Token).ToListAsync(Token);
        return [.. heads.OrderBy(head => head.RunId, StringComparer.Ordinal)];
    }

    /// <summary>One run for each minute from the first on, all completed but the one that is to come.</summary>
    static async Task CheckAsync(PawlClient client, DateTimeOffset first, int least)
    {
        var clock = Stopwatch.StartNew();
        while ((await RunsAsync(client)).Count(head => head.Status == RunStatus.Completed) < least && clock.Elapsed < TimeSpan.FromSeconds(60)) await Task.Delay(50, Token);
        // The one of this minute, when it has just come.
        while ((await RunsAsync(client)).Any(head => head.Status != RunStatus.Completed && head.WakeAt is not { } due || head.WakeAt <= TimeProvider.System.GetUtcNow()) && clock.Elapsed < TimeSpan.FromSeconds(60)) await Task.Delay(50, Token);
        var runs = await RunsAsync(client);
        Assert.Equal(Enumerable.Range(0, runs.Count).Select(n => $"every-{first.AddMinutes(n).UtcDateTime:yyyyMMdd'T'HHmmss'Z'}"), runs.Select(head => head.RunId));
        Assert.All(runs[..^1], head => Assert.Equal(RunStatus.Completed, head.Status));
        Assert.Equal(RunStatus.Pending, runs[^1].Status);
        Assert.InRange(runs.Count - 1, least, least + 3);
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    [InlineData("file")]
    public async Task Each_time_has_one_run_however_many_workers_there_are(string kind)
    {
        var schema = postgres.NewSchema();
        var began = new ConcurrentQueue<string>();
        var workflow = Workflow.Define("w", async ctx =>
        {
            began.Enqueue(ctx.RunId);
            await Task.Delay(20, ctx.CancellationToken);
            return 1;
        });
        var clients = new List<PawlClient>();
        for (var i = 0; i < 4; i++) clients.Add(await OpenAsync(kind, schema));
        var first = await ScheduleAsync(clients[0], workflow, 30);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var workers = clients.Select(client => new PawlWorker(client, new WorkerOptions { Workflows = [workflow], Concurrency = 4, PollInterval = TimeSpan.FromMilliseconds(100) }).RunAsync(stop.Token)).ToList();
        await CheckAsync(clients[0], first, 30);
        Assert.Equal(began.Count, began.Distinct().Count());
        Assert.True(await clients[1].UnscheduleAsync("every", Token));
        Assert.Empty(await RunsAsync(clients[0], RunStatus.Pending));
        await stop.CancelAsync();
        await Task.WhenAll(workers);
        foreach (var client in clients) await client.DisposeAsync();
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    [InlineData("file")]
    public async Task A_schedule_is_changed_paused_resumed_triggered_and_removed(string kind)
    {
        var schema = postgres.NewSchema();
        await using var client = await OpenAsync(kind, schema);
        await using var other = await OpenAsync(kind, schema);
        var schedule = new Schedule("every", ScheduleSubject.Workflow, "0 0 1 1 *") { Zone = "America/New_York" };
        var made = await Task.WhenAll(client.ScheduleAsync(schedule, Token), other.ScheduleAsync(schedule, Token));
        Assert.Equal(made[0].NextRun.RunId, made[1].NextRun.RunId);
        Assert.Single(await RunsAsync(client));
        // The same time with other params: the run is taken back, and there is one other.
        var changed = schedule with { Params = new Dictionary<string, object?> { ["n"] = 2 } };
        await Task.WhenAll(client.ScheduleAsync(changed, Token), other.ScheduleAsync(changed, Token));
        Assert.Equal("2", (await other.ParamsAsync(Assert.Single(await RunsAsync(client, RunStatus.Pending)).RunId, Token))["n"].ToString());
        Assert.True((await other.PauseScheduleAsync("every", "ann", Token)).IsPaused);
        Assert.Equal(RunStatus.Paused, Assert.Single(await client.SchedulesAsync(Token)).NextRun.Status);
        Assert.Equal(made[0].Next, (await client.ResumeScheduleAsync("every", cancellationToken: Token)).Next);
        var run = await client.TriggerAsync("every", cancellationToken: Token);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var working = new PawlWorker(other, new WorkerOptions { Workflows = [ScheduleSubject.Workflow], PollInterval = TimeSpan.FromMilliseconds(50) }).RunAsync(stop.Token);
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(20) && (await client.FindAsync(run.RunId, Token))!.Status != RunStatus.Completed;) await Task.Delay(20, Token);
        await stop.CancelAsync();
        await working;
        Assert.Equal((run.RunId, RunStatus.Completed), Assert.Single(await client.SchedulesAsync(Token)).LastRun is { } last ? (last.RunId, last.Status) : default);
        Assert.True(await client.UnscheduleAsync("every", Token));
        Assert.Equal(run.RunId, Assert.Single(await RunsAsync(client), head => head.Status != RunStatus.Canceled).RunId);
        Assert.Equal(made[0].Next, (await other.ScheduleAsync(schedule, Token)).Next);
    }

    [Fact]
    public async Task Workers_that_are_killed_again_and_again_neither_break_the_chain_nor_double_it()
    {
        var file = Path.Combine(_folder, "pawl.db");
        await using var client = new PawlClient(SqliteStore.Open(file));
        var first = await ScheduleAsync(client, ScheduleSubject.Workflow, 60);
        var random = new Random(7);
        for (var life = 0; life < 12; life++)
        {
            using var one = ScheduleSubject.Start(file);
            using var two = ScheduleSubject.Start(file);
            Assert.Equal("BEGAN", await one.StandardOutput.ReadLineAsync(Token));
            await Task.Delay(random.Next(10, 150), Token);
            one.Kill();
            two.Kill();
            await one.WaitForExitAsync(Token);
            await two.WaitForExitAsync(Token);
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var working = new PawlWorker(client, new WorkerOptions { Workflows = [ScheduleSubject.Workflow], MaxRecoveries = 100 }).RunAsync(stop.Token);
        await CheckAsync(client, first, 60);
        foreach (var head in await RunsAsync(client)) Assert.Empty(await client.VerifyAsync(head.RunId, Token));
        await stop.CancelAsync();
        await working;
    }
}

/// <summary>This program, started again as a worker that is killed.</summary>
static class ScheduleSubject
{
    const string Variable = "PAWL_SCHEDULE_SUBJECT";

    public static Workflow Workflow { get; } = Workflow.Define("w", async ctx =>
    {
        await Task.Delay(5, ctx.CancellationToken);
        return 1;
    });

    public static Process Start(string file)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardInput = true };
        info.Environment[Variable] = file;
        return Process.Start(info)!;
    }

    public static async Task<bool> RunWhenAskedAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } file) return false;
        await using var client = new PawlClient(SqliteStore.Open(file));
        var work = new PawlWorker(client, new WorkerOptions { Workflows = [Workflow], MaxRecoveries = 100 }).RunAsync(CancellationToken.None);
        Console.WriteLine("BEGAN");
        await work;
        return true;
    }
}
