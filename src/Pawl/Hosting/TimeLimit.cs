using Pawl.Engine;

namespace Pawl;

/// <summary>A token that is cancelled when a time is over.</summary>
sealed class TimeLimit : CancellationTokenSource
{
    readonly ITimer _timer;

    public TimeLimit(TimeSpan limit, Run run) => _timer = run.Time.CreateTimer(_ => End(this, run), null, limit, Timeout.InfiniteTimeSpan);

    /// <summary>Cancels what steps of the run listen to. What they registered may throw: that is told as a warning, and stops neither whoever asks, nor, from a timer, the process with all its runs.</summary>
    public static void End(CancellationTokenSource source, Run run)
    {
        try { source.Cancel(); }
        catch (AggregateException thrown) { run.Warn($"What was registered for the end of a step failed: {thrown.InnerException!.Message}"); }
        catch (ObjectDisposedException)
        {
            // It was over at the same moment.
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _timer.Dispose();
        base.Dispose(disposing);
    }
}
