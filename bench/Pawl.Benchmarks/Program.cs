using System.Diagnostics;
using Pawl.Benchmarks;

// One table, ratios measured in one run. `dotnet run -c Release --project bench/Pawl.Benchmarks [-- NAME…]`
var benchmarks = new (string Name, Func<Task> Run)[]
{
    ("engine", EngineOverhead.RunAsync),
    ("memory", LongRun.MemoryAsync),
    ("file-one", FileStoreRates.OneRunAsync),
    ("file-many", FileStoreRates.ManyRunsAsync),
    ("flat", LongRun.FlatCostAsync),
    ("diff", Comparison.DiffAsync),
    ("travel", TimeTravel.RunAsync),
    ("postgres", PostgresRates.RunAsync),
    ("sqlite-one", SqliteRates.OneRunAsync),
    ("sqlite-many", SqliteRates.ManyRunsAsync),
    ("sqlite-bytes", SqliteRates.BytesAsync),
    ("sqlite-queue", SqliteRates.QueueAsync),
    ("agents", AgentCalls.RunAsync),
    ("cli", CommandStart.RunAsync),
    ("dashboard-sqlite", DashboardRates.SqliteAsync),
    ("dashboard-postgres", DashboardRates.PostgresAsync),
};
foreach (var name in args)
    if (!benchmarks.Any(benchmark => IsAsked(benchmark.Name, name))) { Console.Error.WriteLine($"There is no benchmark '{name}'. They are: {string.Join(", ", benchmarks.Select(one => one.Name))}"); return 2; }

Console.WriteLine($"{Environment.OSVersion}, {Environment.ProcessorCount} cores, .NET {Environment.Version}");
Console.WriteLine();
Report.Header();
var failed = false;
foreach (var (name, run) in benchmarks)
{
    if (args.Length > 0 && !args.Any(asked => IsAsked(name, asked))) continue;
    // The peak of a process's memory is that of all it did: this one gets a process of its own.
    if (name == "memory" && args.Length != 1) failed |= await AloneAsync(name);
    else await run();
}
return failed || Report.Failed ? 1 : 0;

static async Task<bool> AloneAsync(string name)
{
    using var process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [name]) { RedirectStandardOutput = true })!;
    var lines = (await process.StandardOutput.ReadToEndAsync()).TrimEnd().Split('\n');
    await process.WaitForExitAsync();
    // Behind its own header.
    Console.WriteLine(lines[^1]);
    return process.ExitCode != 0;
}

// 'file' is all that begin with it.
static bool IsAsked(string name, string asked) => name == asked || name.StartsWith(asked + "-", StringComparison.Ordinal);
