using System.Diagnostics;
using System.Runtime.InteropServices;
using Npgsql;
using Pawl.Postgres;

namespace Pawl.Stores.Chaos;

/// <summary>This program, started again as a worker process that is killed, frozen and cut off.</summary>
sealed class ChaosWorker : IDisposable
{
    const string Variable = "PAWL_CHAOS_WORKER";
    public const int Steps = 10;
    public static readonly TimeSpan LeaseTime = TimeSpan.FromSeconds(3);

    readonly TcpProxy _wire;
    readonly Cable? _cable;
    Process _process;
    readonly string _connection;

    /// <param name="connection">To the database.</param>
    /// <param name="apart">In a network of its own.</param>
    public ChaosWorker(string connection, bool apart)
    {
        var target = new NpgsqlConnectionStringBuilder(connection);
        _cable = apart ? new Cable() : null;
        _wire = new TcpProxy(target.Port, _cable?.Here);
        // Little patience: a wire that is cut is noticed at once.
        (target.Host, target.Port) = (_cable?.Here.ToString() ?? target.Host, _wire.Port);
        (target.Timeout, target.CommandTimeout, target.MaxPoolSize) = (3, 10, 20);
        _connection = target.ConnectionString;
        _process = Start();
    }

    Process Start()
    {
        string[] command = _cable?.Command(Environment.ProcessPath!) ?? [Environment.ProcessPath!];
        var info = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment[Variable] = _connection;
        var process = Process.Start(info)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => { if (line.Data is { } text) Errors.Enqueue(text); };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    public System.Collections.Concurrent.ConcurrentQueue<string> Errors { get; } = [];

    public bool IsAlive => !_process.HasExited;

    public void KillAndReplace()
    {
        Resume();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _process = Start();
    }

    public void Freeze() => Check(kill(_process.Id, SigStop));
    public void Resume() => Check(kill(_process.Id, SigCont));
    public void Cut() => _wire.Cut();

    /// <summary>Nothing comes through, and neither side is told.</summary>
    public void Silence()
    {
        if (_cable is null) _wire.Silence();
        else _cable.Pull();
    }

    public void Mend()
    {
        _wire.Mend();
        _cable?.Plug();
    }

    static void Check(int result)
    {
        if (result != 0) throw new InvalidOperationException($"the signal was not sent: {Marshal.GetLastPInvokeError()}");
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _wire.Dispose();
        _cable?.Dispose();
    }

    /// <summary>Ten steps that each leave a witness; the ninth writes its row together with its checkpoint.</summary>
    public static Workflow Chaotic(NpgsqlDataSource witness)
    {
        var builder = Workflow.Create("chaos");
        for (var number = 1; number <= Steps; number++)
        {
            var id = $"s{number}";
            if (number == 9) builder.Step(id, async ctx =>
            {
                await using var row = new NpgsqlCommand("insert into ledger (run_id, attempt) values ($1, $2)", (NpgsqlConnection)ctx.Transaction.Connection!) { Parameters = { new() { Value = ctx.RunId }, new() { Value = ctx.Attempt } } };
                await row.ExecuteNonQueryAsync(ctx.CancellationToken);
                return id;
            }, step => step.Transactional());
            else builder.Step(id, async ctx =>
            {
                await using var row = witness.CreateCommand("insert into witness (run_id, step, attempt, pid) values ($1, $2, $3, $4)");
                foreach (var value in new object[] { ctx.RunId, ctx.Path, ctx.Attempt, Environment.ProcessId }) row.Parameters.Add(new NpgsqlParameter { Value = value });
                await row.ExecuteNonQueryAsync(ctx.CancellationToken);
                await Task.Delay(Random.Shared.Next(10, 80), ctx.CancellationToken);
                return id;
            }, step => step.Retry(new RetryPolicy { Attempts = 100, Delay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(1) }));
        }
        return builder.Build();
    }

    /// <summary>False unless a test started this process as a worker.</summary>
    public static async Task<bool> RunWhenAskedAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } connection) return false;
        await RunAsync(connection);
        return true;
    }

    static async Task RunAsync(string connection)
    {
        // It ends with the test that started it, however that ends.
        using var orphaned = new CancellationTokenSource();
        _ = Task.Run(() =>
        {
            while (Console.In.Read() >= 0) { }
            Environment.Exit(1);
        });
        await using var witness = NpgsqlDataSource.Create(connection);
        while (true)
        {
            try
            {
                await using var client = new PawlClient(await PostgresStore.OpenAsync(connection, new PostgresStoreOptions { LeaseTime = LeaseTime }));
                await new PawlWorker(client, new WorkerOptions { Workflows = [Chaotic(witness)], Concurrency = 24, MaxRecoveries = 1000 }).RunAsync(orphaned.Token);
                return;
            }
            catch (IOException error)
            {
                // The database is away at the moment of the start.
                Console.Error.WriteLine(error.Message);
                await Task.Delay(500);
            }
        }
    }

    const int SigCont = 18, SigStop = 19;
    [DllImport("libc", SetLastError = true)] static extern int kill(int pid, int signal);
}
