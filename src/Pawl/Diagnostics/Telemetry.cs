using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Pawl.Diagnostics;

/// <summary>The activity source and the meter, both named <c>Pawl</c>.</summary>
static class Telemetry
{
    public static readonly ActivitySource Source = new("Pawl");
    static readonly Meter s_meter = new("Pawl");
    public static readonly Counter<long> CheckpointFailures = s_meter.CreateCounter<long>("pawl.checkpoint.failures", description: "Checkpoint writes that failed, each try counted");
    static readonly Histogram<double> s_steps = s_meter.CreateHistogram<double>("pawl.step.duration", "s", "How long attempts took");

    public static Activity? StepActivity(string runId, string path, int attempt)
    {
        var activity = Source.StartActivity("pawl.step");
        activity?.SetTag("pawl.run_id", runId).SetTag("pawl.step", path).SetTag("pawl.attempt", attempt);
        return activity;
    }

    public static void Step(StepStatus status, TimeSpan took)
    {
        if (s_steps.Enabled) s_steps.Record(took.TotalSeconds, new KeyValuePair<string, object?>("pawl.status", status.ToString().ToLowerInvariant()));
    }
}
