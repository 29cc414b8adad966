using System.Text.Json;
using Pawl.Cli.View;

namespace Pawl.Cli.Live;

/// <summary>One JSON object for each event, for programs (<c>--json=stream</c>).</summary>
sealed class StreamDisplay(Cli cli) : RunDisplay
{
    public override void On(RunEvent happened) => cli.Json(w =>
    {
        w.WriteStartObject();
        switch (happened)
        {
            case RunEvent.Started e:
                w.WriteString("event", "started");
                w.WriteString("run_id", e.RunId);
                w.WriteBoolean("resumed", e.Resumed);
                w.WriteNumber("reused", e.Reused);
                break;
            case RunEvent.StepStarted e:
                w.WriteString("event", "step_started");
                w.WriteString("step", e.Path);
                w.WriteNumber("attempt", e.Attempt);
                w.WriteString("reason", e.Reason);
                break;
            case RunEvent.StepEnded e:
                StepEnded(w, e);
                break;
            case RunEvent.StepWaiting e:
                w.WriteString("event", "step_waiting");
                HeadView.Write(w, e.Wait);
                break;
            case RunEvent.Output e:
                w.WriteString("event", "output");
                w.WriteString("step", e.Path);
                w.WriteString("line", e.Line);
                w.WriteBoolean("is_error", e.IsError);
                break;
            case RunEvent.Progress e:
                w.WriteString("event", "progress");
                w.WriteString("step", e.Path);
                w.WriteNumber("fraction", e.Fraction);
                w.WriteString("message", e.Message);
                break;
            case RunEvent.Warning e:
                w.WriteString("event", "warning");
                w.WriteString("message", e.Message);
                break;
            case RunEvent.Ended e:
                w.WriteString("event", "ended");
                w.WriteString("status", Words.Of(e.Status));
                w.WriteString("error", e.Error);
                break;
        }
        w.WriteString("at", Human.Iso(happened.At));
        w.WriteEndObject();
    });

    static void StepEnded(Utf8JsonWriter w, RunEvent.StepEnded e)
    {
        w.WriteString("event", "step_ended");
        w.WriteString("step", e.Step.Path);
        w.WriteString("status", Words.Of(e.Step.Status));
        w.WriteNumber("attempt", e.Step.Attempt);
        w.WriteNumber("duration_ms", Math.Round(e.Step.Duration.TotalMilliseconds, 3));
        w.WriteBoolean("restored", e.Step.Restored);
        w.WriteString("reason", e.Step.Reason);
        w.WriteString("error", e.Step.Error?.Message);
        if (e.RetryIn is { } pause) w.WriteNumber("retry_in_ms", Math.Round(pause.TotalMilliseconds));
    }
}
