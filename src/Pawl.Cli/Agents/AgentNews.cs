namespace Pawl.Cli.Agents;

/// <summary>Something that a step of agents does, for displays.</summary>
abstract record AgentNews(string Step)
{
    public sealed record PlanMade(string Step, int Plan, string Text) : AgentNews(Step);

    public sealed record RoundBegan(string Step, int Round, int MaxRounds) : AgentNews(Step);

    /// <summary>An agent got work.</summary>
    public sealed record Delegated(string Step, string Agent, string Work) : AgentNews(Step);

    /// <summary>A part of an agent's answer.</summary>
    public sealed record Said(string Step, string Agent, string Text) : AgentNews(Step);

    public sealed record RoundEnded(string Step, int Round) : AgentNews(Step);

    /// <summary>What this pass has spent so far.</summary>
    public sealed record Spent(string Step, long Calls, long Tokens, decimal CostUsd) : AgentNews(Step);
}
