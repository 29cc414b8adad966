using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Storage;

namespace Pawl.Tests.Agents;

/// <summary>A program with a fleet of four agents with tools, whose model is a server elsewhere: it is killed for real, and started again.</summary>
static class FleetProgram
{
    public const string RunId = "fleet-1", UrlVariable = "PAWL_TEST_MODEL", AsksVariable = "PAWL_TEST_ASKS";
    static readonly string[] s_names = ["researcher", "coder", "analyst", "writer"];

    public static async Task RunAsync(string root)
    {
        await using var client = new PawlClient(FileStore.Open(root));
        var start = new StartOptions { RunId = RunId, IfExists = ExistingRun.Join };
        var result = await client.RunAsync(Define(root).ToWorkflow(), new Dictionary<string, object?> { ["task"] = "Do it in parts." }, start);
        Console.Out.WriteLine($"END {result.Status} {(result.Status == RunStatus.Completed ? result.Output<FleetAnswer>("fleet").ToString() : result.Waits.Count > 0 ? result.Waits[0].Path : result.Error)}");
    }

    static AgentFleet Define(string root)
    {
        var chat = new HttpChatClient(Environment.GetEnvironmentVariable(UrlVariable)!);
        var work = AIFunctionFactory.Create((int part) =>
        {
            File.AppendAllText(Path.Combine(root, "..", "work.txt"), $"{part}\n");
            return $"part {part} worked";
        }, "work", "Does a part");
        var asks = Environment.GetEnvironmentVariable(AsksVariable) is { Length: > 0 };
        var fleet = AgentFleet.Create("fleet").Orchestrator(chat);
        foreach (var name in s_names) fleet.Agent(new Agent(name, chat) { Instructions = $"You are {name}.", Tools = [asks && name == "writer" ? new ApprovalRequiredAIFunction(work) : work] });
        return fleet.Build();
    }

    /// <summary>The model: it knows from the request alone how far the work is. Eight rounds: seven parts, then the answer.</summary>
    public static ModelReply Answer(ModelCall call)
    {
        const int parts = 7;
        if (call.Text.Contains("under these four headings", StringComparison.Ordinal) && call.Messages.Count == 2) return new() { Text = "no facts" };
        if (call.Last.Contains("Make a short plan", StringComparison.Ordinal)) return new() { Text = "part by part" };
        var done = Regex.Count(call.Text, @"(?:researcher|coder|analyst|writer): part (\d+) is done");
        if (call.Last.Contains("Reply with one JSON object", StringComparison.Ordinal))
            return new()
            {
                Text = JsonSerializer.Serialize(new
                {
                    is_request_satisfied = new { answer = done == parts }, is_in_loop = new { answer = false }, is_progress_being_made = new { answer = true },
                    next_speaker = new { answer = s_names[done % s_names.Length] }, instruction_or_question = new { answer = $"do part {done + 1}" },
                })
            };
        if (call.Last.Contains("Write the final answer", StringComparison.Ordinal)) return new() { Text = $"{done} parts are done" };
        var part = int.Parse(Regex.Match(call.Text, @"orchestrator: do part (\d+)", RegexOptions.RightToLeft).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        return call.LastRole == "tool" ? new() { Text = $"part {part} is done" } : new() { Tool = "work", Arguments = new { part } };
    }
}
