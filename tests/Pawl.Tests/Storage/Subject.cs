using System.Diagnostics;
using System.Security.Cryptography;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>This test program, started again as a process of its own that uses a store, so that it can be traced, starved and killed.</summary>
static class Subject
{
    const string Variable = "PAWL_SUBJECT";

    /// <summary>Time stands still: no view is written in the background, so that a trace is the same each time.</summary>
    sealed class StillTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new NoTimer();

        sealed class NoTimer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;
            public void Dispose() { }
            public ValueTask DisposeAsync() => default;
        }
    }

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
                "script" => new Script(words[1]).Run(output),
                "hold" => Hold(words[1], output),
                "race" => Race(words[1], output),
                "endless" => Endless(words[1], output),
                "together" => new GroupScript(words[1], new StillTime()).Run(output),
                "leave" => new GroupScript(words[1], new StillTime()).Begin(output),
                "takeover" => new GroupScript(words[1], new StillTime()).TakeOver(output),
                "fleet" => Agents.FleetProgram.RunAsync(words[1]),
                "proved" => Proving.ProvedProgram.RunAsync(words[1]),
                "proved-database" => Proving.ProvedProgram.RunInDatabaseAsync(words[1]),
                "endless-together" => EndlessTogether(words[1], output),
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

    public static ProcessStartInfo StartInfo(string what, string root, params string[] before)
    {
        string[] command = [.. before, Environment.ProcessPath!];
        var info = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true };
        info.Environment[Variable] = $"{what}|{root}";
        info.Environment["DOTNET_TieredPGO"] = "0";
        info.Environment["DOTNET_gcConcurrent"] = "0";
        return info;
    }

    /// <summary>Runs to the end and returns the lines that it wrote.</summary>
    public static async Task<List<string>> Run(string what, string root, params string[] before)
    {
        using var process = Process.Start(StartInfo(what, root, before))!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var lines = (await process.StandardOutput.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).ToList();
        await process.WaitForExitAsync();
        var error = await errors;
        Assert.True(process.ExitCode == 0 && !lines.Exists(line => line.StartsWith("CRASH", StringComparison.Ordinal)), $"The subject ended with {process.ExitCode}.\n{string.Join('\n', lines)}\n{error}");
        return lines;
    }

    static async Task Hold(string root, StreamWriter output)
    {
        var store = FileStore.Open(root);
        var claim = await store.ClaimAsync("etl_1", Chain.Me with { Pid = Environment.ProcessId }, default);
        output.WriteLine(claim.Lease is null ? $"REFUSED {claim.HeldBy}" : $"HELD {claim.Lease.Token}");
        Console.In.ReadLine();
    }

    static async Task Race(string root, StreamWriter output)
    {
        var store = FileStore.Open(root);
        await store.FindAsync("etl_1", default);
        output.WriteLine("READY");
        while (Console.In.ReadLine() is { } run)
        {
            var claim = await store.ClaimAsync(run, Chain.Me with { Pid = Environment.ProcessId }, default);
            output.WriteLine(claim.Lease is { } lease ? $"WON {lease.Token}" : $"LOST {claim.HeldBy?.Pid}");
        }
    }

    static async Task Endless(string root, StreamWriter output)
    {
        var store = FileStore.Open(root);
        var chain = new Chain("etl_1");
        var lease = (await store.CreateAsync(chain.Created, chain.Head, Chain.Me, default)).Lease!;
        await store.CommitAsync(chain.Commit(lease, Chain.Resumed(lease.Token)), default);
        output.WriteLine("ACK 2");
        while (true)
        {
            await store.CommitAsync(chain.Commit(lease, Chain.Step("load"), Chain.Step("clean")), default);
            output.WriteLine($"ACK {chain.Records.Count}");
        }
    }

    static async Task EndlessTogether(string root, StreamWriter output)
    {
        var store = FileStore.Open(root);
        var chains = Enumerable.Range(1, 3).Select(n => new Chain($"etl_{n}")).ToList();
        List<RunLease> leases = [];
        foreach (var chain in chains)
        {
            leases.Add((await store.CreateAsync(chain.Created, chain.Head, Chain.Me, default)).Lease!);
            await store.CommitAsync(chain.Commit(leases[^1], Chain.Resumed(1)), default);
        }
        output.WriteLine("ACK 2");
        while (true)
        {
            await store.CommitAsync([.. chains.Zip(leases, (chain, lease) => chain.Commit(lease, Chain.Step("load"), Chain.Step("clean")))], default);
            output.WriteLine($"ACK {chains[0].Records.Count}");
        }
    }

    /// <summary>What the traced subject does: each kind of change that a store knows. Every line <c>ACK</c> was written after the store had answered.</summary>
    public sealed class Script(string root)
    {
        public static readonly RunMessage Message = new("approve", RawJson.Parse("""{"ok":true}"""), Chain.Start, "ann");
        public static readonly byte[] Content = Chain.Json($"\"{new string('x', 9000)}\"");
        public static readonly PayloadRef Payload = new(Convert.ToHexStringLower(SHA256.HashData(Content)), Content.Length);

        public Chain Chain { get; } = new("etl_1");
        FileStore _store = null!;
        RunLease _lease = new("etl_1", 1);
        TextWriter _output = TextWriter.Null;

        public async Task Run(TextWriter output)
        {
            _output = output;
            await Try("opened", () =>
            {
                _store = FileStore.Open(root, new FileStoreOptions { Time = new StillTime() });
                return Task.CompletedTask;
            });
            await Try("created", async () => _lease = (await _store.CreateAsync(Chain.Created, RunHead.After(null, Chain.Created), Chain.Me, default)).Lease ?? throw new InvalidOperationException("it exists"));
            await Commit([], Chain.Resumed(1));
            await Commit([], Chain.Step("load"));
            await Commit([], Chain.Step("clean/1"), Chain.Step("clean/2"), Chain.Step("clean"));
            await Try("posted", async () => Assert.True(await _store.PostAsync("etl_1", Message, default) || (await _store.InboxAsync("etl_1", default)).Count == 1));
            await Commit([new Payload(Payload, Content)], Chain.Step("save", "") with { Output = default, OutputRef = Payload });
            await Try("released", async () => await _store.ReleaseAsync(_lease, default));
            await Try("claimed", async () => _lease = (await _store.ClaimAsync("etl_1", Chain.Me, default)).Lease ?? throw new InvalidOperationException("it is held"));
            await Commit([], Chain.Resumed(2));
            await Commit([], Chain.Step("load"), Chain.Step("clean"));
            var other = new Chain("etl_2");
            await Try("other", async () => _ = (await _store.CreateAsync(other.Created, other.Head, null, default)).Existing is null ? 0 : throw new InvalidOperationException("it exists"));
            await Try("deleted", async () => await _store.DeleteAsync("etl_2", default));
            await Try("closed", async () => await _store.DisposeAsync());
            _output.WriteLine("DONE");
        }

        async Task Commit(Payload[] payloads, params Checkpoint[] drafts)
        {
            var commit = Chain.Commit(_lease, payloads, drafts);
            await Try($"{Chain.Records.Count}", async () => Assert.Equal(CommitResult.Committed, await _store.CommitAsync(commit, default)));
        }

        /// <summary>Once more when the disk failed, as the engine does.</summary>
        async Task Try(string what, Func<Task> act)
        {
            for (var attempt = 1; attempt <= 2; attempt++)
            {
                try
                {
                    await act();
                    _output.WriteLine($"ACK {what}");
                    return;
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException or PawlException)
                {
                    _output.WriteLine($"ERR {what}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
                }
                catch (Xunit.Sdk.XunitException e)
                {
                    _output.WriteLine($"ERR {what}: not committed: {e.Message.ReplaceLineEndings(" ")}");
                }
            }
        }
    }
}
