using Pawl.Engine;

namespace Pawl;

/// <summary>What becomes of a step that began and has no result, because its process died, it was stopped, or its time ran out:
/// it may or may not have had its effect.</summary>
/// <remarks>
/// Without one a step simply runs again (semantics: <c>rerun</c>), and nothing is written when it begins. With one each attempt first makes its
/// beginning durable, whatever the run's durability, as a sub-step: one more flush a step.
/// A crash between that flush and the body's first act counts as unknown too, for nobody can tell the two apart.
/// Not for transactional steps: their rows and their checkpoint stand or fall together, and nothing is ever unknown.
/// </remarks>
public sealed class UnknownOutcome
{
    readonly Func<StepContext, string, Task<StepResult?>> _decide;

    UnknownOutcome(string policy, Func<StepContext, string, Task<StepResult?>> decide) => (Policy, _decide) = (policy, decide);

    /// <summary><c>ask</c>, <c>skip</c>, <c>fail</c> or <c>probe</c>.</summary>
    public string Policy { get; }

    /// <summary>Asks a person, as an approval does: approved, the work counts as done, and the changes given with the approval are its output; rejected, it is done again.</summary>
    public static UnknownOutcome Ask { get; } = new("ask", AskAsync);

    /// <summary>The work counts as done, without an output.</summary>
    public static UnknownOutcome Skip { get; } = new("skip", (_, _) =>
        Task.FromResult<StepResult?>(StepResult.Skip("an earlier attempt was cut off, and on_unknown says skip: it counts as done", unchanged: true)));

    /// <summary>The step fails, critically: nothing new starts until a person has found out.</summary>
    public static UnknownOutcome Fail { get; } = new("fail", (_, _) => Task.FromResult<StepResult?>(StepResult.Fail(
        "An earlier attempt was cut off, and nobody knows whether its work was done. Find out; then resume with --from and the step after this one, or with this one to do it again.",
        ErrorClass.Critical, "unknown_outcome")));

    /// <summary>The author's own check finds out.</summary>
    /// <param name="look">The result, when the work was done; null when it was not, and the step runs. It looks and changes nothing: it may be asked more than once. An exception fails the attempt.</param>
    public static UnknownOutcome Probe(Func<StepContext, Task<StepResult?>> look)
    {
        ArgumentNullException.ThrowIfNull(look);
        return new("probe", async (context, _) => await look(context) is { } found
            ? found with { Reason = "an earlier attempt was cut off, and the probe says that its work was done" } : null);
    }

    static async Task<StepResult?> AskAsync(StepContext context, string which)
    {
        var question = new ApprovalRequest($"Step '{context.Path}' was cut off, and nobody knows whether its work was done. Was it? Approve: it counts as done. Reject: it is done again.");
        var answer = await context.RequestApprovalAsync(question, $"{Question}/{which}");
        var who = answer.By is { } by ? $"{by} says" : "it was decided";
        return answer.IsApproved ? StepResult.Ok(answer.Changes) with { Reason = $"an earlier attempt was cut off, and {who} that its work was done" } : null;
    }

    const string Beginning = "(begun)", Question = "(unknown)";

    /// <summary>A sub-step that only keeps the books about the step above it.</summary>
    internal static bool IsMark(string path) => path.Contains($"/{Beginning}/", StringComparison.Ordinal) || path.Contains($"/{Question}/", StringComparison.Ordinal);

    /// <summary>The sub-step that says that an attempt began; one that was cut off and is made once more begins again.</summary>
    internal static string Begun(int attempt, int time = 1) => $"{Beginning}/{attempt}.{time}";

    /// <summary>The body, asked only when it may run.</summary>
    internal Func<StepContext, Task<StepResult>> Guard(Func<StepContext, Task<StepResult>> body) => async context =>
    {
        var begun = 0;
        while (context.StatusOf($"{context.Path}/{Begun(context.Attempt, begun + 1)}") is not null) begun++;
        var isUnknown = begun > 0 || context.StatusOf(context.Path) == StepStatus.Canceled || context.ErrorOf(context.Path)?.Type == StepExecutor.TimeoutType;
        if (isUnknown && await _decide(context, $"{context.Attempt}.{begun}") is { } decided) return decided;
        // Durable at this line: from here a death leaves the outcome unknown.
        await context.StepAsync(Begun(context.Attempt, begun + 1), _ => Task.FromResult(true), new StepOptions { IsDurable = true });
        return await body(context);
    };
}
