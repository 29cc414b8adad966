using System.Text.Json;
using Pawl.Engine;

namespace Pawl.Planning;

/// <summary>Whether, and when, a failed run goes on by itself. The time stands in the record of the failure, and the count in those of the passes: so it holds whoever
/// dies, and whoever goes on.</summary>
static class AutoResume
{
    const string Count = "auto_resumes", At = "resume_at";

    static readonly RetryPolicy s_backoff = new() { Delay = TimeSpan.FromSeconds(5), MaxDelay = TimeSpan.FromMinutes(5), Jitter = false };

    /// <summary>How many automatic resumes in a row the next pass makes, when nobody asked for it: a failure begins another, a parked or dead pass goes on within the same.</summary>
    public static int Next(Journal journal) => InForce(journal) + (journal.Head.Status == RunStatus.Failed ? 1 : 0);

    /// <summary>Into the record that begins a pass; a person's resume writes none, and so begins to count anew.</summary>
    public static void Write(Utf8JsonWriter w, int count)
    {
        if (count > 0) w.WriteNumber(Count, count);
    }

    /// <summary>When the run that fails now goes on; null is never: failures that cannot pass, and too many in a row.</summary>
    public static DateTimeOffset? When(Run run)
    {
        var made = InForce(run.Journal);
        if (run.Lease is null || made >= run.Workflow.Options.AutoResumeAttempts || run.Reports.Any(step => step.Error?.Class == ErrorClass.Critical)) return null;
        var pause = s_backoff.DelayAfter(made + 1, 0);
        run.Warn($"The run failed, and goes on by itself in {pause.TotalSeconds:0} s: automatic resume {made + 1} of {run.Workflow.Options.AutoResumeAttempts}.");
        return run.Time.GetUtcNow() + pause;
    }

    /// <summary>Into the record of the failure: from here on a worker of the run's queue resumes it at that time, whatever becomes of this process.</summary>
    public static byte[] Written(DateTimeOffset at) => PassRecords.Write(w => w.WriteString(At, at.UtcDateTime));

    static int InForce(Journal journal)
    {
        if (journal.Passes.Count == 0 || journal.Passes[^1].Data.IsEmpty) return 0;
        using var data = JsonDocument.Parse(journal.Passes[^1].Data);
        return data.RootElement.TryGetProperty(Count, out var count) ? count.GetInt32() : 0;
    }
}
