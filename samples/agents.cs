#!/usr/bin/env dotnet
#:project ../src/Pawl.Agents/Pawl.Agents.csproj
#:property PublishAot=false

// A fleet of three agents on a scripted model: no network, no key. Its first process is killed (kill -9) in round 3; the next one goes on at the very call,
// and asks before it publishes.
//   dotnet run samples/agents.cs

using System.ComponentModel;
using System.Diagnostics;
using Microsoft.Extensions.AI;
using Pawl;
using Pawl.Agents;

var dies = args is ["--die", ..];
var folder = dies ? args[1] : Directory.CreateTempSubdirectory("pawl-agents-").FullName;
var model = ScriptedChatClient.FromJson(Script.Json);

// #region fleet
var search = AIFunctionFactory.Create(Tools.Search, "search", "Searches the press");
var publish = AIFunctionFactory.Create(Tools.Publish, "publish", "Publishes a text")
    .WithCheckpoints(new ToolOptions { Approval = new ApprovalRequest("This cannot be taken back."), OnUnknown = UnknownOutcome.Ask });

var fleet = AgentFleet.Create("report")
    .Orchestrator(model)
    .Agent(new Agent("researcher", model) { Description = "finds things out", Tools = [search] })
    .Agent(new Agent("analyst", dies ? new DyingModel(model) : model) { Description = "draws conclusions" })
    .Agent(new Agent("writer", model) { Description = "writes and publishes", Tools = [publish] })
    .Options(new FleetOptions { MaxRounds = 8 })
    .Build();
// #endregion

// #region run
var prices = new Dictionary<string, ModelPrice> { ["scripted-large"] = new(InputUsd: 3, OutputUsd: 15) };
var workflow = fleet.ToWorkflow(new WorkflowOptions { Prices = prices, Budget = new Budget { CostUsd = 1 } });
await using var client = PawlClient.Open($"file:{folder}");
var task = new Dictionary<string, object?> { ["task"] = "How is the weather for ducks? Tell everybody." };
// #endregion

if (dies)
{
    await client.RunAsync(workflow, task, new StartOptions { RunId = "report-1", OnEvent = Show });
    return;
}

// The first process is this program once more; it does not survive round 3.
var self = Environment.ProcessPath!;
string[] start = Path.GetFileNameWithoutExtension(self) == "dotnet" ? [Environment.GetCommandLineArgs()[0], "--die", folder] : ["--die", folder];
using (var first = Process.Start(new ProcessStartInfo(self, start))!)
{
    await first.WaitForExitAsync();
    Console.WriteLine($"The first process ended with {first.ExitCode}.");
}

// #region resume
var result = await client.ResumeAsync(workflow, "report-1", new ResumeOptions { OnEvent = Show });
while (result.Status == RunStatus.Waiting)
{
    Console.WriteLine($"It asks: {result.Waits[0].Message}");
    await client.ApproveAsync("report-1", result.Waits[0].Path, by: "ann");
    result = await client.ResumeAsync(workflow, "report-1", new ResumeOptions { OnEvent = Show });
}
Console.WriteLine(result.EnsureCompleted().Output<FleetAnswer>("report").Answer);
// #endregion

var costs = await client.CostsAsync("report-1");
Console.WriteLine(FormattableString.Invariant($"{costs.Spent.Calls} calls were paid, {costs.Spent.CostUsd:0.0000} USD. The first resume did not pay for {costs.Passes[1].Reused.Calls} of them again."));
foreach (var round in await client.FleetRoundsAsync("report-1")) Console.WriteLine($"round {round.CurrentRound} ({round.Metadata["status"]}): {round.LastResponse}");
Directory.Delete(folder, recursive: true);

static void Show(RunEvent happened)
{
    if (happened is RunEvent.StepEnded { Step: var step } && step.Path.Contains("/chat/", StringComparison.Ordinal)) Console.WriteLine($"  {(step.Restored ? "recorded" : "asked   ")}  {step.Path}");
}

static class Tools
{
    public static string Search([Description("What for")] string words) => $"3 articles about {words}: it rains.";

    public static string Publish(string text)
    {
        Console.WriteLine($"  PUBLISHED {text}");
        return "published";
    }
}

/// <summary>Its call is one too many: the process is gone while the call is in flight.</summary>
sealed class DyingModel(IChatClient inner) : DelegatingChatClient(inner)
{
    public override Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Console.Out.Flush();
        Process.GetCurrentProcess().Kill();
        return base.GetResponseAsync(messages, options, cancellationToken);
    }
}

static class Script
{
    static string Ledger(int round, string speaker, string work, bool satisfied = false) => $$"""
        { "agent": "ledger", "round": {{round}}, "text": "{ \"is_request_satisfied\": { \"answer\": {{(satisfied ? "true" : "false")}} }, \"is_in_loop\": { \"answer\": false }, \"is_progress_being_made\": { \"answer\": true }, \"next_speaker\": { \"answer\": \"{{speaker}}\" }, \"instruction_or_question\": { \"answer\": \"{{work}}\" } }" },
        """;

    public static string Json => $$"""
        { "model": "scripted-large", "answers": [
          { "agent": "facts", "text": "To look up: the weather." }, { "agent": "plan", "text": "Look it up, think, write, publish." },
          {{Ledger(1, "researcher", "find out about the rain")}}
          {{Ledger(2, "researcher", "find out about the ducks")}}
          {{Ledger(3, "analyst", "what follows from it?")}}
          {{Ledger(4, "writer", "publish it")}}
          {{Ledger(5, "writer", "", satisfied: true)}}
          { "agent": "researcher", "round": 1, "turn": 0, "tool": "search", "arguments": { "words": "rain" } },
          { "agent": "researcher", "round": 1, "text": "It rains." },
          { "agent": "researcher", "round": 2, "turn": 0, "tool": "search", "arguments": { "words": "ducks" } },
          { "agent": "researcher", "round": 2, "text": "Ducks like rain." },
          { "agent": "analyst", "text": "So the weather is fine for ducks." },
          { "agent": "writer", "turn": 0, "tool": "publish", "arguments": { "text": "Fine weather for ducks!" } },
          { "agent": "writer", "text": "Everybody knows." },
          { "agent": "final", "text": "Fine weather for ducks; everybody was told." } ] }
        """;
}
