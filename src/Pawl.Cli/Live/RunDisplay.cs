using Pawl.Cli.View;

namespace Pawl.Cli.Live;

/// <summary>Shows a pass while it runs. Called on the engine's thread, one event at a time.</summary>
abstract class RunDisplay
{
    const int TailLines = 20;

    readonly Dictionary<string, Queue<string>> _tails = [];

    public abstract void On(RunEvent happened);

    /// <summary>Ends when the pass has ended and everything is shown.</summary>
    public virtual Task WhileAsync(Task pass) => pass;

    /// <summary>Keeps the last lines of a step, for the case that it fails.</summary>
    protected void Keep(RunEvent.Output output)
    {
        if (!_tails.TryGetValue(output.Path, out var tail)) _tails[output.Path] = tail = new Queue<string>();
        if (tail.Count == TailLines) tail.Dequeue();
        tail.Enqueue(output.Line);
    }

    protected IEnumerable<string> TakeTail(string path) => _tails.Remove(path, out var tail) ? tail : [];

    protected string? LastLine(string path) => _tails.TryGetValue(path, out var tail) && tail.Count > 0 ? tail.Last() : null;

    public static string Sign(RunEvent.StepEnded end) => end switch
    {
        { Step.Restored: true } => "=",
        { RetryIn: not null } => "↻",
        { Step.Status: StepStatus.Completed } => "✓",
        { Step.Status: StepStatus.Failed } => "✗",
        { Step.Status: StepStatus.Skipped } => "↷",
        _ => "■",
    };

    public static string Describe(RunEvent.StepEnded end) => end switch
    {
        { Step.Restored: true } => end.Step.Reason ?? "reused",
        { RetryIn: { } pause } => $"attempt {end.Step.Attempt} failed: {Human.Line(end.Step.Error?.Message)}; again in {Human.Duration(pause)}",
        { Step.Status: StepStatus.Completed, Step.Attempt: > 1 } => $"{Human.Duration(end.Step.Duration)} (attempt {end.Step.Attempt})",
        { Step.Status: StepStatus.Completed } => Human.Duration(end.Step.Duration),
        { Step.Status: StepStatus.Failed } => $"{Human.Duration(end.Step.Duration)}  {Human.Line(end.Step.Error?.Message)}",
        { Step.Status: StepStatus.Skipped } => $"skipped: {Human.Line(end.Step.Reason)}",
        _ => "stopped",
    };
}
