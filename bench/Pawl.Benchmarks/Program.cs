using Pawl.Benchmarks;

// One table, ratios measured in one run. `dotnet run -c Release --project bench/Pawl.Benchmarks [-- NAME…]`
var benchmarks = new (string Name, Func<Task> Run)[]
{
    ("engine", EngineOverhead.RunAsync),
    ("memory", LongRun.MemoryAsync),
    ("file-one", FileStoreRates.OneRunAsync),
    ("file-many", FileStoreRates.ManyRunsAsync),
    ("flat", LongRun.FlatCostAsync),
    ("postgres", PostgresRates.RunAsync),
    ("cli", CommandStart.RunAsync),
};
foreach (var name in args)
    if (benchmarks.All(benchmark => benchmark.Name != name)) { Console.Error.WriteLine($"There is no benchmark '{name}'. They are: {string.Join(", ", benchmarks.Select(one => one.Name))}"); return 2; }

Console.WriteLine($"{Environment.OSVersion}, {Environment.ProcessorCount} cores, .NET {Environment.Version}");
Console.WriteLine();
Report.Header();
foreach (var (name, run) in benchmarks)
    if (args.Length == 0 || args.Contains(name)) await run();
return Report.Failed ? 1 : 0;
