using System.Text.Json;
using Microsoft.Extensions.AI;
using Pawl.Agents;

namespace Pawl.Tests.Agents;

/// <summary>Answers and fleets that tests are made of.</summary>
static class Fleets
{
    public static ScriptedAnswer Ledger(int? round, string speaker, string work, bool satisfied = false, bool loop = false, bool progress = true) => new()
    {
        Agent = "ledger", Round = round,
        Text = JsonSerializer.Serialize(new
        {
            is_request_satisfied = new { reason = "r", answer = satisfied }, is_in_loop = new { reason = "r", answer = loop }, is_progress_being_made = new { reason = "r", answer = progress },
            next_speaker = new { reason = "r", answer = speaker }, instruction_or_question = new { reason = "r", answer = work },
        }),
    };

    /// <summary>Rounds of work by turns, then the final answer.</summary>
    public static List<ScriptedAnswer> Answers(int rounds, params string[] agents)
    {
        List<ScriptedAnswer> answers = [new() { Agent = "facts", Text = "the facts" }, new() { Agent = "plan", Text = "the plan" }, new() { Agent = "final", Text = "forty-two" }];
        for (var round = 1; round < rounds; round++)
        {
            var agent = agents[(round - 1) % agents.Length];
            answers.Add(Ledger(round, agent, $"do part {round}"));
            answers.Add(new() { Agent = agent, Round = round, Text = $"part {round} is done" });
        }
        answers.Add(Ledger(rounds, agents[0], "", satisfied: true));
        return answers;
    }

    public static AgentFleet Of(IChatClient client, FleetOptions? options = null, params Agent[] agents) =>
        agents.Aggregate(AgentFleet.Create("fleet").Orchestrator(client), (builder, agent) => builder.Agent(agent)).Options(options ?? new()).Build();

    public static AgentFleet Pair(IChatClient client, FleetOptions? options = null) =>
        Of(client, options, new Agent("coder", client) { Description = "writes code" }, new Agent("analyst", client) { Description = "reads figures" });
}
