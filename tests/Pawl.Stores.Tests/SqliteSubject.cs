using System.Diagnostics;
using System.Text;
using Microsoft.Data.Sqlite;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A run that a test writes by hand.</summary>
sealed class SqliteRun
{
    public static readonly DateTimeOffset Start = new(2026, 1, 10, 12, 0, 0, TimeSpan.Zero);

    public static RunOwner Me => new(Environment.ProcessId, "here", Start);

    public required RunHead Head { get; set; }
    public required RunLease Lease { get; init; }

    public static async Task<SqliteRun> BeginAsync(ICheckpointStore store, string id, string more = "")
    {
        var (created, head) = Created(id, more);
        var result = await store.CreateAsync(created, head, Me, default);
        var run = new SqliteRun { Head = head, Lease = result.Lease! };
        await run.CommitAsync(store, new Checkpoint { Kind = CheckpointKind.Resumed, At = Start, Token = run.Lease.Token });
        return run;
    }

    public static (Checkpoint Created, RunHead Head) Created(string id, string more = "")
    {
        var data = $$"""{"format":1,"run_id":"{{id}}","workflow":"etl","fingerprint":"","steps":[]{{more}}}""";
        var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = Start, Data = Encoding.UTF8.GetBytes(data) }, 1, more: false, "");
        return (created, RunHead.After(null, created));
    }

    public static Checkpoint Step(string path, string output = "1", string metrics = "") => new()
    {
        Kind = CheckpointKind.Step, At = Start, Path = path, Status = StepStatus.Completed, Attempt = 1, Output = Encoding.UTF8.GetBytes(output), Metrics = Encoding.UTF8.GetBytes(metrics),
    };

    public Commit Commit(params Checkpoint[] drafts)
    {
        var (head, records) = (Head, new List<Checkpoint>());
        foreach (var draft in drafts)
        {
            records.Add(CheckpointCodec.Encode(draft, head.Seq + 1, more: records.Count < drafts.Length - 1, head.Hash));
            head = RunHead.After(head, records[^1]);
        }
        return new Commit(Lease, records, [], head);
    }

    public async Task CommitAsync(ICheckpointStore store, params Checkpoint[] drafts)
    {
        var commit = Commit(drafts);
        Assert.Equal(CommitResult.Committed, await store.CommitAsync(commit, default(CancellationToken)));
        Head = commit.Head!;
    }
}

/// <summary>This test program, started again as a process of its own that uses a database, so that it can be killed.</summary>
static class SqliteSubject
{
    const string Variable = "PAWL_SQLITE_SUBJECT";

    /// <summary>Does what this process was started for; returns when that is nothing. Not in a module initialiser: other threads would wait for its end.</summary>
    public static void RunWhenAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } asked) return;
        var words = asked.Split('|');
        using var output = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true, NewLine = "\n" };
        try
        {
            Task run = words[0] switch
            {
                "commit" => CommitAsync(words[1], output),
                "hold" => HoldAsync(words[1], output),
                "race" => RaceAsync(words[1], output),
                "lock" => LockAsync(words[1], output),
                "open" => OpenAsync(words[1], output),
                _ => throw new ArgumentException(words[0]),
            };
            run.GetAwaiter().GetResult();
            Environment.Exit(0);
        }
        catch (Exception e)
        {
            output.WriteLine($"CRASH {e}");
            Environment.Exit(1);
        }
    }

    public static Process Start(string what, string file)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardInput = true };
        info.Environment[Variable] = $"{what}|{file}";
        return Process.Start(info)!;
    }

    /// <summary>Every line until the process ends.</summary>
    public static async Task<List<string>> RunAsync(string what, string file)
    {
        using var process = Start(what, file);
        var lines = (await process.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).ToList();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, string.Join('\n', lines));
        return lines;
    }

    /// <summary>Runs that go on for ever: one alone, on this thread, then three together, on the store's. Each acknowledged commit is told with its last number.</summary>
    static async Task CommitAsync(string file, StreamWriter output)
    {
        var store = SqliteStore.Open(file);
        var runs = new List<SqliteRun>();
        for (var i = 0; i < 4; i++) runs.Add(await SqliteRun.BeginAsync(store, $"run{i}_{Environment.ProcessId}"));
        var fill = $"\"{new string('x', 700)}\"";
        while (true)
        {
            foreach (var group in (SqliteRun[][])[[runs[0]], [.. runs.Skip(1)]])
            {
                var commits = group.Select(run => run.Commit(SqliteRun.Step($"a{run.Head.Seq}", fill), SqliteRun.Step($"b{run.Head.Seq}"), SqliteRun.Step($"c{run.Head.Seq}", fill))).ToList();
                // No other thread may run code of this module before its initialiser ends, so this one waits.
                var answers = store.CommitAsync(commits, default).AsTask().GetAwaiter().GetResult();
                foreach (var (run, commit, answer) in group.Zip(commits, answers))
                {
                    Assert.Equal(CommitResult.Committed, answer);
                    run.Head = commit.Head!;
                    output.WriteLine($"{run.Head.RunId} {run.Head.Seq} {run.Head.Hash}");
                }
            }
        }
    }

    static async Task HoldAsync(string file, StreamWriter output)
    {
        var store = SqliteStore.Open(file);
        var claim = await store.ClaimAsync("held", SqliteRun.Me, default);
        output.WriteLine(claim.Lease is null ? $"REFUSED {claim.HeldBy}" : $"HELD {claim.Lease.Token}");
        Console.In.ReadLine();
    }

    /// <summary>Takes what it can until nothing is left.</summary>
    static async Task RaceAsync(string file, StreamWriter output)
    {
        await using var store = SqliteStore.Open(file);
        var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q"), 3)], Workflows = [new WorkflowKey("etl", 1)] };
        while (await store.TakeAsync(work, SqliteRun.Me, default) is { Count: > 0 } taken)
            foreach (var run in taken)
            {
                output.WriteLine(run.Lease.RunId);
                var begun = new SqliteRun { Head = run.Head, Lease = run.Lease };
                await begun.CommitAsync(store, new Checkpoint { Kind = CheckpointKind.Resumed, At = SqliteRun.Start, Token = run.Lease.Token });
                var end = begun.Commit(new Checkpoint { Kind = CheckpointKind.Completed, At = SqliteRun.Start }) with { Release = true };
                Assert.Equal(CommitResult.Committed, await store.CommitAsync(end, default(CancellationToken)));
            }
    }

    static Task LockAsync(string file, StreamWriter output)
    {
        SqliteLibrary.Ensure();
        using var connection = new SqliteConnection($"Data Source={file};Pooling=false");
        connection.Open();
        using var transaction = connection.BeginTransaction();
        output.WriteLine("LOCKED");
        Console.In.ReadLine();
        return Task.CompletedTask;
    }

    static async Task OpenAsync(string file, StreamWriter output)
    {
        await using var store = SqliteStore.Open(file);
        output.WriteLine("OPEN");
    }
}
