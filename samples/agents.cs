#!/usr/bin/env dotnet
#:project ../src/Pawl.Agents/Pawl.Agents.csproj
#:property PublishAot=false

// A fleet of three agents on a scripted model: no network, no key. Its process is killed in round 3, and the next one goes on at the very call;
// then it asks a person before it publishes.
//   dotnet run samples/agents.cs -- --kill     (dies in round 3, as kill -9 does)
//   dotnet run samples/agents.cs               (goes on; waits for a decision)
//   dotnet run samples/agents.cs -- --approve  (decides, and goes on to the end)
using System.ComponentModel;
using Microsoft.Extensions.AI;
using Pawl;
using Pawl.Agents;

var kill = args.Contains("--kill");
var model = ScriptedChatClient.FromJson(Script.Json);

// #region fleet
var search = AIFunctionFactory.Create(Tools.Search, "search", "Searches the press");
var publish = AIFunctionFactory.Create(Tools.Publish, "publish", "Publishes a text")
    .WithCheckpoints(new ToolOptions { Approval = new ApprovalRequest("This cannot be taken back."), OnUnknown = UnknownOutcome.Ask });

var fleet = AgentFleet.Create("report")
    .Orchestrator(model)
    .Agent(new Agent("researcher", model) { Description = "finds things out", Tools = [search] })
    .Agent(new Agent("analyst", kill ? new DyingModel(model) : model) { Description = "draws conclusions" })
    .Agent(new Agent("writer", model) { Description = "writes and publishes", Tools = [publish] })
    .Options(new FleetOptions { MaxRounds = 8 })
    .Build();
// #endregion

// #region run
var prices = new Dictionary<string, ModelPrice> { ["scripted-large"] = new(InputUsd: 3, OutputUsd: 15) };
var workflow = fleet.ToWorkflow(new WorkflowOptions { Prices = prices, Budget = new Budget { CostUsd = 1 } });
await using var client = PawlClient.Open("file:.checkpoints");
var start = new StartOptions { RunId = "report-1", IfExists = ExistingRun.Join, OnEvent = Show };
var task = new Dictionary<string, object?> { ["task"] = "How is the weather for ducks, and tell everybody." };

if (args.Contains("--approve")) await client.ApproveAsync("report-1", "report", by: "ann");
var result = await client.RunAsync(workflow, task, start);
// #endregion

Console.WriteLine($"{result.RunId} is {result.Status}.");
foreach (var wait in result.Waits) Console.WriteLine($"It asks: {wait.Message}");
if (result.Status == RunStatus.Completed) Console.WriteLine($"The answer: {result.Output<FleetAnswer>("report").Answer}");
var costs = await client.CostsAsync(result.RunId);
Console.WriteLine(FormattableString.Invariant($"Calls paid: {costs.Spent.Calls}, {costs.Spent.CostUsd:0.000000} USD. Not paid again by this pass: {result.Saved.Calls} calls, {result.Saved.CostUsd:0.000000} USD."));
foreach (var round in await client.FleetRoundsAsync(result.RunId)) Console.WriteLine($"round {round.CurrentRound}: {round.Metadata["status"]}, {round.LastResponse}");

static void Show(RunEvent happened)
{
    if (happened is RunEvent.StepEnded { Step: var step } && step.Path.Contains("/chat/", StringComparison.Ordinal)) Console.WriteLine($"  {(step.Restored ? "recorded" : "asked   ")}  {step.Path}");
}

static class Tools
{
    public static string Search([Description("What for")] string words) => $"3 articles about {words}: it rains.";

    public static string Publish(string text)
    {
        File.AppendAllText("published.txt", text + "\n");
        return "published";
    }
}

/// <summary>Dies in its second call, as a process does that is killed: nothing is written, nobody is told.</summary>
sealed class DyingModel(IChatClient inner) : DelegatingChatClient(inner)
{
    public override Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Console.Out.Flush();
        System.Diagnostics.Process.GetCurrentProcess().Kill();
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
