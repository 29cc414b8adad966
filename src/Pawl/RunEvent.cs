namespace Pawl;

/// <summary>Something that happened in a run, for displays and logs. Not durable: the journal is.</summary>
public abstract record RunEvent(DateTimeOffset At)
{
    /// <summary>The run began or went on.</summary>
    public sealed record Started(DateTimeOffset At, string RunId, bool Resumed, int Reused) : RunEvent(At);

    /// <summary>An attempt began.</summary>
    public sealed record StepStarted(DateTimeOffset At, string Path, int Attempt, string Reason) : RunEvent(At);

    /// <summary>A step ended, for good (<paramref name="RetryIn"/> null) or until its next attempt. Its checkpoint is durable as far as the run's durability promises.</summary>
    public sealed record StepEnded(DateTimeOffset At, StepReport Step, TimeSpan? RetryIn) : RunEvent(At);

    /// <summary>A step waits for a timer or a message.</summary>
    public sealed record StepWaiting(DateTimeOffset At, Storage.Wait Wait) : RunEvent(At);

    /// <summary>Captured output, secrets masked: whole lines without the line end.</summary>
    public sealed record Output(DateTimeOffset At, string Path, string Line, bool IsError) : RunEvent(At);

    /// <summary>A step told how far it is, 0..1.</summary>
    public sealed record Progress(DateTimeOffset At, string Path, double Fraction, string? Message) : RunEvent(At);

    /// <summary>Something a person should read.</summary>
    public sealed record Warning(DateTimeOffset At, string Message) : RunEvent(At);

    /// <summary>The run's pass ended.</summary>
    public sealed record Ended(DateTimeOffset At, RunStatus Status, string? Error) : RunEvent(At);
}
