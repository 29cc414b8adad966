#!/usr/bin/env dotnet
#:project ../src/Pawl/Pawl.csproj
#:property PublishAot=false

// The smallest workflow. Run it twice with the same run id and the second time nothing is done again:
//   dotnet run samples/hello.cs -- monday
//   dotnet run samples/hello.cs -- monday

// #region hello
using Pawl;

var workflow = Workflow.Define("hello", async ctx =>
{
    var name = await ctx.StepAsync("name", () => Task.FromResult(Environment.UserName));
    await ctx.StepAsync("greet", async _ => await Console.Out.WriteLineAsync($"Hello, {name}!"));
});
await using var client = PawlClient.Open("file:.checkpoints");
var result = await client.RunAsync(workflow, start: new StartOptions { RunId = args.FirstOrDefault(), IfExists = ExistingRun.Join });
// #endregion

Console.WriteLine($"{result.RunId} is {result.Status}: {result.Executed.Count()} steps done now, {result.Restored.Count()} restored.");
