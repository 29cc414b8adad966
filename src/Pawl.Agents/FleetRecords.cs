using Microsoft.Extensions.AI;

namespace Pawl.Agents;

// What the fleet's own sub-steps keep. Texts of models stay where the model said them: here are only the places.

/// <summary>The output of <c>begin</c>.</summary>
/// <param name="Task">The request as it was first made.</param>
/// <param name="Agents">The team.</param>
/// <param name="Protocol">Ledger or text.</param>
sealed record FleetBeginning(string Task, IReadOnlyList<string> Agents, string Protocol);

/// <summary>The output of <c>message/N</c>.</summary>
/// <param name="Text">What a person said at a resume.</param>
/// <param name="Id">Tells it from another one of the same text.</param>
/// <param name="After">The round behind which it stands.</param>
sealed record FleetMessage(string Text, string? Id, int After);

/// <summary>The output of <c>plan/N</c>.</summary>
/// <param name="Facts">The call that wrote the facts, below the step.</param>
/// <param name="Plan">The call that wrote the plan, below the step.</param>
/// <param name="Edited">The plan as a person changed it; null is the model's.</param>
sealed record PlanRecord(string Facts, string Plan, string? Edited);

/// <summary>The output of <c>round/N</c>.</summary>
/// <param name="Round">From 1.</param>
/// <param name="Plan">The plan it belongs to, from 1.</param>
/// <param name="Stalls">Stalled rounds behind it.</param>
/// <param name="IsDone">What was said is the final answer.</param>
/// <param name="Speaker">Who worked; null when nobody did.</param>
/// <param name="Asked">The orchestrator's call, below the step.</param>
/// <param name="Said">The call with the answer, below the step; null when nobody worked.</param>
sealed record RoundRecord(int Round, int Plan, int Stalls, bool IsDone, string? Speaker, string Asked, string? Said);

/// <summary>What was said under the present plan, as each member sees it.</summary>
sealed class Transcript
{
    public const string Orchestrator = "orchestrator";
    readonly List<(string? Author, string Text)> _said = [];

    /// <summary>The newest answer of an agent, to know it again.</summary>
    public string? LastAnswer { get; private set; }

    public void Clear()
    {
        _said.Clear();
        LastAnswer = null;
    }

    /// <summary>A person's words.</summary>
    public void AddMessage(string text) => _said.Add((null, text));

    /// <summary>An answer that was final, until a person asked for more.</summary>
    public void AddAnswer(string text) => _said.Add((Orchestrator, text));

    public void AddRound(string speaker, string work, string answer)
    {
        _said.Add((Orchestrator, $"{speaker}, {work}"));
        _said.Add((speaker, answer));
        LastAnswer = answer;
    }

    /// <summary>A member's own words are the assistant's, all others' a user's, under their names.</summary>
    public List<ChatMessage> For(string member, string header, string? last = null)
    {
        List<ChatMessage> messages = [new(ChatRole.User, header)];
        foreach (var (author, text) in _said)
            messages.Add(author == member ? new ChatMessage(ChatRole.Assistant, text) : new ChatMessage(ChatRole.User, author is null ? text : $"{author}: {text}"));
        if (last is not null) messages.Add(new ChatMessage(ChatRole.User, last));
        return messages;
    }
}
