#!/usr/bin/env dotnet
#:project ../src/Pawl/Pawl.csproj
#:property PublishAot=false

// A nightly price load. With --fail, the service that takes the prices is slower than the time limit allows: the third
// step fails, the limit is raised, and the same run goes on from there.
//   dotnet run samples/prices.cs
//   dotnet run samples/prices.cs -- --fail

using System.Globalization;
using Pawl;

var folder = Directory.CreateTempSubdirectory("pawl-prices-").FullName;
var feed = Path.Combine(folder, "feed.csv");
File.WriteAllLines(feed, Enumerable.Range(1, 1000).Select(n => string.Create(CultureInfo.InvariantCulture, $"2026-01-{n % 31 + 1:00},ITEM-{n},{n * 0.25m}")));
var warehouse = new Warehouse(Path.Combine(folder, "warehouse"), answersAfter: TimeSpan.FromMilliseconds(args.Contains("--fail") ? 500 : 5));

// #region prices
var load = Workflow.Create("prices")
    .Param("price_date", "2026-01-10")      // an input, not "today": a resume tomorrow loads the same day
    .Param("limit_ms", 100);

var fetched = load.Step("fetch", async ctx =>
{
    var date = ctx.Params.Get<string>("price_date");
    var lines = await File.ReadAllLinesAsync(feed, ctx.CancellationToken);
    return lines.Where(line => line.StartsWith(date, StringComparison.Ordinal)).ToList();
});

var checkedPrices = load.Step("check", ctx =>
{
    var prices = ctx.Output(fetched).Select(line => line.Split(',')).ToDictionary(cell => cell[1], cell => decimal.Parse(cell[2], CultureInfo.InvariantCulture));
    return prices.Values.All(price => price > 0) ? prices : throw new StepException("A price is not positive.");
});

var loaded = load.Step("load", ctx =>
    // The key is the same in every attempt and every resume: the warehouse can tell a repetition.
    warehouse.PutAsync(ctx.IdempotencyKey, ctx.Output(checkedPrices), TimeSpan.FromMilliseconds(ctx.Params.Get<int>("limit_ms"))));

load.Step("notify", ctx => $"{ctx.Output(loaded)} prices loaded{(ctx.IsResumed ? " after a resume" : "")}");
// #endregion

var workflow = load.Build();
await using var client = PawlClient.Open($"file:{Path.Combine(folder, "checkpoints")}");

var first = await client.RunAsync(workflow);
Report("first pass", first);

if (first.Status == RunStatus.Failed)
{
    // #region resume
    var second = await client.ResumeAsync(workflow, first.RunId, new ResumeOptions { Params = new Dictionary<string, object?> { ["limit_ms"] = 5000 } });
    // #endregion
    Report("resumed with limit_ms=5000", second);
    first = second;
}

Console.WriteLine(first.Output<string>("notify"));
Console.WriteLine($"The warehouse was written {warehouse.Writes} time(s). Journal: {Path.Combine(folder, "checkpoints", first.RunId)}");
return first.Status == RunStatus.Completed ? 0 : 1;

static void Report(string title, RunResult result)
{
    Console.WriteLine($"{title}: {result.Status}{(result.Error is { } error ? $" in {result.ErrorStep}: {error}" : "")}");
    Console.WriteLine($"  restored: {string.Join(", ", result.Restored)}");
    Console.WriteLine($"  executed: {string.Join(", ", result.Executed)}");
}

/// <summary>A service that keeps what it was sent in files, one for each key, and is slow.</summary>
sealed class Warehouse(string folder, TimeSpan answersAfter)
{
    public int Writes { get; private set; }

    public async Task<int> PutAsync(string key, Dictionary<string, decimal> prices, TimeSpan limit)
    {
        if (answersAfter > limit)
        {
            await Task.Delay(limit);
            throw new TimeoutException($"The warehouse did not answer within {limit.TotalMilliseconds} ms.");
        }
        await Task.Delay(answersAfter);
        var file = Path.Combine(folder, Uri.EscapeDataString(key));
        if (!File.Exists(file))
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllLinesAsync(file, prices.Select(price => $"{price.Key}={price.Value.ToString(CultureInfo.InvariantCulture)}"));
            Writes++;
        }
        return prices.Count;
    }
}
