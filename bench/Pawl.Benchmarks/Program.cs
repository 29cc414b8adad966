using Pawl.Benchmarks;

// One table, ratios measured in one run. `dotnet run -c Release --project bench/Pawl.Benchmarks [-- NAME…]`
var benchmarks = new (string Name, Func<Task> Run)[]
{
    ("engine", EngineOverhead.RunAsync),
    ("memory", LongRun.MemoryAsync),
    ("file-one", FileStoreRates.OneRunAsync),
    ("file-many", FileStoreRates.ManyRunsAsync),
    ("flat", LongRun.FlatCostAsync),
    ("sqlite-one", SqliteRates.OneRunAsync),
    ("sqlite-many", SqliteRates.ManyRunsAsync),
    ("sqlite-bytes", SqliteRates.BytesAsync),
    ("sqlite-queue", SqliteRates.QueueAsync),
    ("cli", CommandStart.RunAsync),
};
foreach (var name in args)
    if (!benchmarks.Any(benchmark => IsAsked(benchmark.Name, name))) { Console.Error.WriteLine($"There is no benchmark '{name}'. They are: {string.Join(", ", benchmarks.Select(one => one.Name))}"); return 2; }

Console.WriteLine($"{Environment.OSVersion}, {Environment.ProcessorCount} cores, .NET {Environment.Version}");
Console.WriteLine();
Report.Header();
foreach (var (name, run) in benchmarks)
    if (args.Length == 0 || args.Any(asked => IsAsked(name, asked))) await run();
return Report.Failed ? 1 : 0;

// 'file' is all that begin with it.
static bool IsAsked(string name, string asked) => name == asked || name.StartsWith(asked + "-", StringComparison.Ordinal);
