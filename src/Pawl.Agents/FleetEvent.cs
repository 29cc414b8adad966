using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>Something that happened in a fleet, for displays. Not durable: the journal is.</summary>
public abstract record FleetEvent
{
    FleetEvent() { }

    /// <summary>A plan was made.</summary>
    /// <param name="Plan">From 1; each reset makes another.</param>
    /// <param name="Facts">What is known.</param>
    /// <param name="Text">The plan.</param>
    public sealed record PlanMade(int Plan, string Facts, string Text) : FleetEvent;

    /// <summary>A round began.</summary>
    public sealed record RoundBegan(int Round) : FleetEvent;

    /// <summary>The orchestrator judged the progress.</summary>
    public sealed record Judged(int Round, ProgressLedger Ledger) : FleetEvent;

    /// <summary>An agent got work.</summary>
    public sealed record Delegated(int Round, string Agent, string Work) : FleetEvent;

    /// <summary>A part of an answer of an agent, or of the final answer (agent <c>orchestrator</c>).</summary>
    public sealed record Said(int Round, string Agent, ChatResponseUpdate Update) : FleetEvent;

    /// <summary>A round ended.</summary>
    /// <param name="Round">From 1.</param>
    /// <param name="Agent">Who worked; null when nobody did.</param>
    /// <param name="Stalls">Stalled rounds under the present plan, as they are counted now.</param>
    public sealed record RoundEnded(int Round, string? Agent, int Stalls) : FleetEvent;
}

/// <summary>The orchestrator's judgement of a round, as published for Magentic-One.</summary>
/// <param name="IsRequestSatisfied">The request is answered whole.</param>
/// <param name="IsInLoop">The same is done again and again.</param>
/// <param name="IsProgressBeingMade">It gets on.</param>
/// <param name="NextSpeaker">The agent that works next.</param>
/// <param name="InstructionOrQuestion">What it is told.</param>
public sealed record ProgressLedger(LedgerItem<bool> IsRequestSatisfied, LedgerItem<bool> IsInLoop, LedgerItem<bool> IsProgressBeingMade, LedgerItem<string> NextSpeaker, LedgerItem<string> InstructionOrQuestion);

/// <summary>One line of a ledger.</summary>
/// <param name="Answer">The answer.</param>
/// <param name="Reason">Why.</param>
public sealed record LedgerItem<T>(T Answer, string Reason);
