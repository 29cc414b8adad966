using System.Text;
using Pawl.Cli.Agents;
using Pawl.Cli.Live;
using Pawl.Cli.View;

namespace Pawl.Cli.Repl;

/// <summary>What a fleet does, as a conversation: rounds, who speaks, tools, and the running cost. Called from several threads.</summary>
sealed class ReplDisplay(Cli cli)
{
    readonly Lock _lock = new();
    string? _speaker;
    string _spent = "";

    public void On(AgentNews news)
    {
        lock (_lock)
        {
            switch (news)
            {
                case AgentNews.PlanMade plan:
                    Line(cli.Ink.Faint($"plan {plan.Plan}:"));
                    foreach (var line in plan.Text.Split('\n')) Line(cli.Ink.Faint($"  {Human.Line(line)}"));
                    break;
                case AgentNews.RoundBegan round:
                    Line(cli.Ink.Strong($"── round {round.Round} of {round.MaxRounds}"));
                    break;
                case AgentNews.Delegated work:
                    Line($"orchestrator → {cli.Ink.Strong(work.Agent)}: {Human.Line(work.Work)}");
                    break;
                case AgentNews.Said said:
                    Say(said);
                    break;
                case AgentNews.RoundEnded when _spent.Length > 0:
                    Line(cli.Ink.Faint($"  {_spent}"));
                    _spent = "";
                    break;
                case AgentNews.Spent spent:
                    _spent = $"{(spent.CostUsd > 0 ? $"{Human.Usd(spent.CostUsd)}, " : "")}{Human.Number(spent.Tokens)} tokens, {Human.Count((int)spent.Calls, "call")} so far";
                    break;
            }
        }
    }

    public void On(RunEvent happened)
    {
        lock (_lock)
        {
            switch (happened)
            {
                case RunEvent.Started started:
                    Line(cli.Ink.Faint($"{started.RunId} {(started.Resumed ? "goes on" : "begins")}; Ctrl+C stops it, and what is done is kept"));
                    break;
                case RunEvent.StepEnded { Step: { Restored: false } step } end when step.Path.Contains("/tool/", StringComparison.Ordinal) && !step.Path.EndsWith("/approval", StringComparison.Ordinal):
                    Line(cli.Ink.Faint($"  {RunDisplay.Sign(end)} {step.Path[(step.Path.IndexOf("/tool/", StringComparison.Ordinal) + 6)..].Split('/')[0]}  {RunDisplay.Describe(end)}"));
                    break;
                case RunEvent.StepEnded { Step: { Restored: false } step } end when !step.Path.Contains('/', StringComparison.Ordinal):
                    Line($"{cli.Ink.Of(Words.Of(step.Status), RunDisplay.Sign(end))} {step.Path}  {RunDisplay.Describe(end)}");
                    break;
                case RunEvent.StepEnded { RetryIn: not null } end:
                    Line(cli.Ink.Careful($"  {end.Step.Path}  {RunDisplay.Describe(end)}"));
                    break;
                case RunEvent.Warning warning:
                    Line(cli.Ink.Careful(Human.Line(warning.Message)));
                    break;
            }
        }
    }

    /// <summary>Ends a line that is still being spoken.</summary>
    public void Finish()
    {
        lock (_lock) EndSpeech();
    }

    void Say(AgentNews.Said said)
    {
        if (_speaker != said.Agent)
        {
            EndSpeech();
            cli.Caller.Out.Write($"{cli.Ink.Strong(said.Agent)}: ");
            _speaker = said.Agent;
        }
        cli.Caller.Out.Write(Plain(said.Text));
    }

    void Line(string text)
    {
        EndSpeech();
        cli.Say(text);
    }

    void EndSpeech()
    {
        if (_speaker is not null) cli.Say();
        _speaker = null;
    }

    /// <summary>A model must not steer the terminal.</summary>
    static string Plain(string text)
    {
        if (!text.Any(c => char.IsControl(c) && c is not '\n' and not '\t')) return text;
        var plain = new StringBuilder(text);
        for (var i = 0; i < plain.Length; i++)
            if (char.IsControl(plain[i]) && plain[i] is not '\n' and not '\t') plain[i] = ' ';
        return plain.ToString();
    }
}
