#!/usr/bin/env dotnet
#:project ../src/Pawl/Pawl.csproj
#:property PublishAot=false

// A queue and its worker in one process. The run sleeps, then waits for a word from outside; meanwhile it is nowhere but in the store.
//   dotnet run samples/queue.cs

using Pawl;

var folder = Directory.CreateTempSubdirectory("pawl-queue-").FullName;
await using var client = PawlClient.Open($"file:{folder}/checkpoints");

// #region queue
var greet = Workflow.Define("greet", async ctx =>
{
    await ctx.StepAsync("hello", () => Task.FromResult("hello"));
    await ctx.SleepAsync("a moment", TimeSpan.FromMilliseconds(200));
    var word = await ctx.WaitForSignalAsync("word", timeout: TimeSpan.FromDays(1));
    return word.Get<string>();
});

await client.EnqueueAsync(greet, start: new StartOptions { RunId = "greet-1" });
await client.SignalAsync("greet-1", "word", "goodbye", by: "ann");

using var stop = new CancellationTokenSource();
var worker = new PawlWorker(client, new WorkerOptions { Workflows = [greet] });
var working = worker.RunAsync(stop.Token);
// #endregion

while (await client.FindAsync("greet-1") is { Status: not RunStatus.Completed }) await Task.Delay(50);
await stop.CancelAsync();
await working;
var snapshot = await client.SnapshotAsync("greet-1");
Console.WriteLine($"greet-1 is {snapshot.Head.Status} and says {snapshot.Outputs["greet"]}.");

// #region schedule
var nightly = new Schedule("nightly", greet, "0 3 * * MON-FRI") { Zone = "Europe/Berlin", Missed = MissedRuns.Skip, Overlap = OverlapPolicy.Skip };

// A worker makes it when it starts …
var scheduling = new PawlWorker(client, new WorkerOptions { Schedules = [nightly] });
// … or anybody does. The same one twice is one; another of the same name replaces it.
var state = await client.ScheduleAsync(nightly);
await client.PauseScheduleAsync("nightly", by: "ann");
await client.TriggerAsync("nightly");
// #endregion
Console.WriteLine($"nightly runs next at {state.Next:u}: {scheduling.Health.Running.Count} of it run now.");
Directory.Delete(folder, recursive: true);
