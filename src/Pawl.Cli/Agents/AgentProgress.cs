using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Cli.View;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>Tells how far a step of agents is: the round, the speaker, and what this pass has spent. Thread safe.</summary>
sealed class AgentProgress(AgentCall call, int maxRounds, Action<AgentNews>? listener)
{
    readonly Lock _lock = new();
    string _step = call.Context.Path;
    int _round;
    string _speaker = "";
    long _calls;
    long _tokens;
    decimal _usd;

    /// <summary>An answer of a model that was paid for just now.</summary>
    public void Paid(ModelDefinition model, UsageDetails? usage)
    {
        lock (_lock)
        {
            _calls++;
            _tokens += (usage?.InputTokenCount ?? 0) + (usage?.OutputTokenCount ?? 0);
            if (model.Price is { } price) _usd += ((usage?.InputTokenCount ?? 0) * price.InputUsd + (usage?.OutputTokenCount ?? 0) * price.OutputUsd) / 1_000_000;
            listener?.Invoke(new AgentNews.Spent(_step, _calls, _tokens, _usd));
            Report();
        }
    }

    public void On(FleetEvent happened)
    {
        lock (_lock)
        {
            switch (happened)
            {
                case FleetEvent.PlanMade plan:
                    listener?.Invoke(new AgentNews.PlanMade(_step, plan.Plan, plan.Text));
                    call.Context.Write($"plan {plan.Plan}: {Human.Line(plan.Text, 500)}");
                    break;
                case FleetEvent.RoundBegan began:
                    (_round, _speaker) = (began.Round, "orchestrator");
                    listener?.Invoke(new AgentNews.RoundBegan(_step, began.Round, maxRounds));
                    Report();
                    break;
                case FleetEvent.Delegated work:
                    _speaker = work.Agent;
                    listener?.Invoke(new AgentNews.Delegated(_step, work.Agent, work.Work));
                    call.Context.Write($"round {work.Round}: {work.Agent}: {Human.Line(work.Work, 500)}");
                    Report();
                    break;
                case FleetEvent.Said said when said.Update.Text.Length > 0:
                    _speaker = said.Agent;
                    listener?.Invoke(new AgentNews.Said(_step, said.Agent, said.Update.Text));
                    break;
                case FleetEvent.RoundEnded ended:
                    listener?.Invoke(new AgentNews.RoundEnded(_step, ended.Round));
                    break;
            }
        }
    }

    /// <summary>A part of the answer of an agent that works alone.</summary>
    public void Said(string agent, string text)
    {
        if (text.Length > 0) listener?.Invoke(new AgentNews.Said(_step, agent, text));
    }

    void Report() => call.Context.ReportProgress(maxRounds > 0 ? Math.Clamp((_round - 1) / (double)maxRounds, 0, 1) : 0,
        string.Join(", ", new[] { _round > 0 ? $"round {_round} of {maxRounds}" : "", _speaker, _usd > 0 ? Human.Usd(_usd) : _tokens > 0 ? $"{Human.Number(_tokens)} tokens" : "" }.Where(part => part.Length > 0)));
}
