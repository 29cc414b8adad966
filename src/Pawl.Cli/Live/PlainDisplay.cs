using Pawl.Cli.View;

namespace Pawl.Cli.Live;

/// <summary>One line for each event: for logs, pipes and people who asked for it.</summary>
sealed class PlainDisplay(Cli cli, bool verbose) : RunDisplay
{
    public override void On(RunEvent happened)
    {
        switch (happened)
        {
            case RunEvent.Started started:
                Line(started, cli.Ink.Strong($"{started.RunId} {(started.Resumed ? $"resumed, {Human.Count(started.Reused, "step")} reused" : "started")}"));
                break;
            case RunEvent.StepStarted step:
                Line(step, $"{cli.Ink.Faint("▶")} {step.Path}{(step.Attempt > 1 ? $"  attempt {step.Attempt}: {Human.Line(step.Reason)}" : "")}");
                break;
            case RunEvent.StepEnded end:
                Line(end, $"{cli.Ink.Of(end.Step.Restored ? "" : Words.Of(end.Step.Status), Sign(end))} {end.Step.Path}  {Describe(end)}");
                var tail = TakeTail(end.Step.Path).ToList();
                if (end.Step.Status == StepStatus.Failed && !end.Step.Restored && !verbose) Tail(end.Step.Path, tail);
                break;
            case RunEvent.StepWaiting waiting:
                Line(waiting, $"{cli.Ink.Faint("‖")} {waiting.Wait.Path}  waits for {HeadView.Describe(waiting.Wait, cli)}");
                break;
            case RunEvent.Output output when verbose:
                cli.Say($"{cli.Ink.Faint($"{output.Path} |")} {Human.Line(output.Line)}");
                break;
            case RunEvent.Output output:
                Keep(output);
                break;
            case RunEvent.Progress progress when verbose:
                Line(progress, $"  {progress.Path}  {progress.Fraction * 100:0} % {Human.Line(progress.Message)}");
                break;
            case RunEvent.Warning warning:
                cli.Warn(warning.Message);
                break;
        }
    }

    void Line(RunEvent happened, string text) => cli.Say($"{cli.Ink.Faint(Human.Clock(happened.At, cli.Caller))} {text}");

    void Tail(string path, List<string> lines)
    {
        foreach (var line in lines) cli.Say($"{cli.Ink.Faint($"{path} |")} {Human.Line(line)}");
    }
}
