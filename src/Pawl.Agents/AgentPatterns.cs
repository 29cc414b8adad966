using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>Small compositions of agents within one step. Each model call and tool result is a sub-step: run again, a step pays for none of them twice.</summary>
public static class AgentPatterns
{
    const string HandoffTool = "handoff_to_";

    /// <summary>One after the other: each sees the prompt and what those before it answered.</summary>
    /// <returns>The last one's answer.</returns>
    public static async Task<ChatResponse> RunInSequenceAsync(this IReadOnlyList<Agent> agents, StepContext context, string prompt)
    {
        ArgumentOutOfRangeException.ThrowIfZero(agents.Count);
        List<ChatMessage> said = [new(ChatRole.User, prompt)];
        ChatResponse? answer = null;
        foreach (var agent in agents)
        {
            answer = await agent.RunAsync(context, said);
            said.Add(Said(agent, answer.Text));
        }
        return answer!;
    }

    /// <summary>Side by side, on the same prompt.</summary>
    /// <returns>The answers in the agents' order, when all have ended.</returns>
    public static async Task<IReadOnlyList<ChatResponse>> RunConcurrentlyAsync(this IReadOnlyList<Agent> agents, StepContext context, string prompt) =>
        await Task.WhenAll(agents.Select(agent => agent.RunAsync(context, prompt)).ToList());

    /// <summary>The first agent begins; whoever has the work may hand it over to another, by a tool that each gets, until one answers.</summary>
    /// <param name="agents">The first one begins.</param>
    /// <param name="context">The step.</param>
    /// <param name="prompt">What is asked.</param>
    /// <param name="maxHandoffs">How often at most. Default 10.</param>
    /// <returns>The answer, and who gave it.</returns>
    /// <exception cref="StepException">It was handed over once more than that.</exception>
    public static async Task<(Agent Agent, ChatResponse Answer)> RunWithHandoffsAsync(this IReadOnlyList<Agent> agents, StepContext context, string prompt, int maxHandoffs = 10)
    {
        ArgumentOutOfRangeException.ThrowIfZero(agents.Count);
        List<ChatMessage> said = [new(ChatRole.User, prompt)];
        var agent = agents[0];
        for (var handoffs = 0; ; handoffs++)
        {
            var present = agent;
            var others = agents.Where(other => other.Name != present.Name).Select(other => (AITool)AIFunctionFactory.CreateDeclaration(
                HandoffTool + other.Name, $"Hands the work over to {other.Name}: {other.Description}", s_handoff));
            var answer = await (agent with { Tools = [.. agent.Tools, .. others] }).RunAsync(context, said);
            var call = answer.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>().LastOrDefault(one => one.Name.StartsWith(HandoffTool, StringComparison.Ordinal));
            if (call is null || agents.FirstOrDefault(other => HandoffTool + other.Name == call.Name) is not { } next) return (agent, answer);
            if (handoffs == maxHandoffs) throw new StepException($"The work was handed over {maxHandoffs} times, and '{agent.Name}' hands it to '{next.Name}': nobody answers. Raise maxHandoffs, or give the agents clearer instructions.");
            var words = call.Arguments?.TryGetValue("task", out var task) == true ? task?.ToString() : null;
            said.Add(Said(agent, string.Join('\n', new[] { answer.Text, $"{next.Name}, please go on. {words}" }.Where(text => text.Length > 0))));
            agent = next;
        }
    }

    static readonly JsonElement s_handoff = JsonDocument.Parse("""{"type":"object","properties":{"task":{"type":"string","description":"What is to be done, with all that the other must know"}},"required":["task"]}""").RootElement;

    static ChatMessage Said(Agent agent, string text) => new(ChatRole.User, $"{agent.Name}: {text}");
}
