namespace Pawl;

/// <summary>A token that is cancelled when a time is over.</summary>
/// <remarks>What a step registered with it may throw. From a timer that would end the process, and every run in it; whoever waits for the end learns of it all the same.</remarks>
sealed class TimeLimit : CancellationTokenSource
{
    readonly ITimer _timer;

    public TimeLimit(TimeSpan limit, TimeProvider time) => _timer = time.CreateTimer(End, this, limit, Timeout.InfiniteTimeSpan);

    static void End(object? state)
    {
        try { ((TimeLimit)state!).Cancel(); }
        catch (Exception error) when (error is AggregateException or ObjectDisposedException)
        {
            // Theirs, or over at the same moment.
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _timer.Dispose();
        base.Dispose(disposing);
    }
}
