using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>A round of the ledger protocol: the progress ledger, then one agent's work, or the final answer.</summary>
sealed class LedgerRound(FleetRun fleet, StepContext step, int round)
{
    public async Task<RoundRecord> RunAsync()
    {
        var (ledger, asked) = await JudgeAsync();
        fleet.Tell(new FleetEvent.Judged(round, ledger));
        if (ledger.IsRequestSatisfied.Answer)
        {
            var (_, said, _) = await fleet.AskAsync(step, "final", fleet.Transcript.For(Transcript.Orchestrator, fleet.Header, Prompts.Final(fleet.Request)), null, fleet.Listener(round, Transcript.Orchestrator));
            return new RoundRecord(round, fleet.Plan, fleet.Stalls, IsDone: true, null, asked, said);
        }
        // As published: a good round takes one stall back.
        var stalls = ledger.IsInLoop.Answer || !ledger.IsProgressBeingMade.Answer ? fleet.Stalls + 1 : Math.Max(0, fleet.Stalls - 1);
        return stalls >= fleet.Options.MaxStalls
            ? new RoundRecord(round, fleet.Plan, stalls, IsDone: false, null, asked, null)
            : await fleet.DelegateAsync(step, round, ledger.NextSpeaker.Answer, ledger.InstructionOrQuestion.Answer, asked, stalls);
    }

    async Task<(ProgressLedger, string At)> JudgeAsync()
    {
        var messages = fleet.Transcript.For(Transcript.Orchestrator, fleet.Header, Prompts.Progress(fleet.Request, fleet.Fleet.Agents));
        return await Repeated.AskAsync(fleet, step, "ledger", messages, null, reply => (LedgerReader.Read(reply, fleet.Fleet.Agents, out var problem), problem));
    }
}

/// <summary>A round of the text protocol: the orchestrator delegates, or answers.</summary>
sealed class TextRound(FleetRun fleet, StepContext step, int round)
{
    public async Task<RoundRecord> RunAsync()
    {
        var messages = fleet.Transcript.For(Transcript.Orchestrator, fleet.Header);
        var (reply, asked) = await Repeated.AskAsync(fleet, step, "orchestrator", messages, Prompts.Text(Prompts.Team(fleet.Fleet.Agents)), Read);
        if (reply.Answer is not null) return new RoundRecord(round, fleet.Plan, fleet.Stalls, IsDone: true, null, asked, asked);
        return await fleet.DelegateAsync(step, round, reply.Agent!, reply.Work!, asked, stalls: 0);
    }

    (TextReply?, string) Read(string text)
    {
        var reply = TextReply.Read(text);
        if (reply.Answer is not null) return (reply, "");
        if (reply.Agent is null) return (null, "it has neither a line 'DELEGATE: agent - task' nor 'FINAL_ANSWER: text'");
        return fleet.Fleet.Agents.FirstOrDefault(agent => string.Equals(agent.Name, reply.Agent, StringComparison.OrdinalIgnoreCase)) is { } agent
            ? (reply with { Agent = agent.Name }, "") : (null, $"there is no agent '{reply.Agent}'; there are: {string.Join(", ", fleet.Fleet.Agents.Select(one => one.Name))}");
    }
}

/// <summary>What an orchestrator of the text protocol said. Pure.</summary>
sealed partial record TextReply(string? Agent, string? Work, string? Answer)
{
    [GeneratedRegex(@"^[ \t*`]*(DELEGATE|FINAL_ANSWER)[*`]*:[*`]*", RegexOptions.Multiline | RegexOptions.NonBacktracking)]
    private static partial Regex Mark { get; }

    // A hyphen without a space before it belongs to the name.
    [GeneratedRegex(@"^[\s*`]*([A-Za-z0-9._-]+?)[*`]*(?:[ \t]+-|[ \t]*[–—:])\s*(.+)\z", RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Delegation { get; }

    /// <summary>The first of the two counts: what a model makes up behind it is not said.</summary>
    public static TextReply Read(string text)
    {
        if (Mark.Match(text) is not { Success: true } mark) return new(null, null, null);
        var rest = text[(mark.Index + mark.Length)..];
        if (mark.Groups[1].ValueSpan is "FINAL_ANSWER") return rest.Trim() is { Length: > 0 } answer ? new(null, null, answer) : new(null, null, null);
        if (Mark.Match(rest) is { Success: true } next) rest = rest[..next.Index];
        return Delegation.Match(rest.TrimEnd()) is { Success: true } delegated ? new(delegated.Groups[1].Value, delegated.Groups[2].Value, null) : new(null, null, null);
    }
}

/// <summary>Asks until the reply can be used.</summary>
static class Repeated
{
    // New replies a pass: recorded ones cost nothing, and a resume tries afresh behind them.
    const int MaxReplies = 3;

    public static async Task<(T, string At)> AskAsync<T>(FleetRun fleet, StepContext step, string what, List<ChatMessage> messages, string? instructions, Func<string, (T?, string Problem)> read) where T : class
    {
        for (var replies = 0; ;)
        {
            var (text, at, isReplayed) = await fleet.AskAsync(step, what, messages, instructions);
            var (value, problem) = read(text);
            if (value is not null) return (value, at);
            if (!isReplayed && ++replies == MaxReplies)
                throw new StepException($"The orchestrator's model gave {MaxReplies} replies that cannot be used; the last one: {problem}. They are recorded below '{step.Path}/{what}'. A resume asks again; a more able model, or the text protocol, may help.");
            messages.Add(new ChatMessage(ChatRole.Assistant, text));
            messages.Add(new ChatMessage(ChatRole.User, Prompts.Unusable(problem)));
        }
    }
}

/// <summary>The task ledger: facts, plan, and a person's review of it.</summary>
sealed class Planning(FleetRun fleet, StepContext step, int plan)
{
    public async Task<PlanRecord> RunAsync()
    {
        var team = Prompts.Team(fleet.Fleet.Agents);
        var messages = plan == 1 ? [new ChatMessage(ChatRole.User, Prompts.Facts(fleet.Request))]
            : fleet.Transcript.For(Transcript.Orchestrator, fleet.Header, Prompts.NewFacts(fleet.Request, fleet.Facts));
        var (facts, factsAt, _) = await fleet.AskAsync(step, "facts", messages);
        messages.Add(new ChatMessage(ChatRole.Assistant, facts));
        messages.Add(new ChatMessage(ChatRole.User, plan == 1 ? Prompts.Plan(team) : Prompts.NewPlan(team)));
        var (text, at, _) = await fleet.AskAsync(step, "plan", messages);
        for (var review = 1; fleet.Options.PlanReview is { } asked; review++)
        {
            var request = asked with { Message = $"{(asked.Message.Length > 0 ? asked.Message + "\n\n" : "")}The plan:\n\n{text}", Operation = asked.Operation ?? "plan" };
            // The decision belongs to this very text.
            var decision = await step.RequestApprovalAsync(request, $"review/{review}/{RequestFacts.Short(System.Text.Encoding.UTF8.GetBytes(text))}");
            if (decision.IsApproved) return new PlanRecord(factsAt, at, Edited(decision));
            if (decision.TimedOut) throw new StepException($"The plan was not approved: {decision.Reason}.");
            messages.Add(new ChatMessage(ChatRole.Assistant, text));
            messages.Add(new ChatMessage(ChatRole.User, Prompts.Revise(decision.Reason ?? "no reason was given")));
            (text, at, _) = await fleet.AskAsync(step, "plan", messages);
        }
        return new PlanRecord(factsAt, at, null);
    }

    static string? Edited(Approval decision)
    {
        if (decision.Changes?.ToElement() is not { } changes) return null;
        if (changes.ValueKind == System.Text.Json.JsonValueKind.String) return changes.GetString();
        if (changes.ValueKind == System.Text.Json.JsonValueKind.Object && changes.TryGetProperty("plan", out var plan) && plan.ValueKind == System.Text.Json.JsonValueKind.String) return plan.GetString();
        throw new StepException($"The approval changes the plan to {changes}. Changes are a text, or an object with 'plan': the new plan, whole.");
    }
}
