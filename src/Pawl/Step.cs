using System.Globalization;
using System.Text;

namespace Pawl;

/// <summary>The answer of a condition.</summary>
/// <param name="Run">Whether the step runs.</param>
/// <param name="Reason">The condition with its values, for <c>explain</c>.</param>
public readonly record struct Verdict(bool Run, string? Reason = null);

/// <summary>An output as another step names it.</summary>
/// <param name="Step">Whose.</param>
/// <param name="Output">The member of its output.</param>
public readonly record struct OutputUse(string Step, string Output)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Step}.{Output}";
}

/// <summary>A handle to a step's typed output.</summary>
/// <typeparam name="T">What the step returns.</typeparam>
/// <param name="Path">Its path.</param>
public readonly record struct StepRef<T>(string Path)
{
    /// <summary>So that a handle can stand where a step's id is asked for.</summary>
    public static implicit operator string(StepRef<T> step) => step.Path;

    /// <inheritdoc/>
    public override string ToString() => Path;
}

/// <summary>A unit of work whose result is kept. Immutable.</summary>
public sealed class Step
{
    /// <summary>Letters, digits and <c>. _ -</c>, at most 128; unique among its siblings.</summary>
    public required string Id { get; init; }

    /// <summary>What it is, for graphs and lists: <c>code</c>, <c>shell</c>, <c>group</c>, <c>foreach</c>, <c>choose</c>, <c>workflow</c>, <c>sleep</c>, …</summary>
    public string Kind { get; init; } = "code";

    /// <summary>Siblings that must have succeeded; when one failed or was skipped by its condition, this step is skipped.</summary>
    public IReadOnlyList<string> Needs { get; init; } = [];

    /// <summary>Siblings that must have ended; a failed one blocks, a skipped one does not.</summary>
    public IReadOnlyList<string> After { get; init; } = [];

    /// <summary>Asked when everything before it has ended; null is always true. An exception fails the step.</summary>
    public Func<StepContext, ValueTask<Verdict>>? Condition { get; init; }

    /// <summary>The condition as its author wrote it, for people; null when it is not told.</summary>
    public string? ConditionText { get; init; }

    /// <summary>The condition is asked, and the step may run, also when a step before it failed or was skipped (<c>always()</c>, <c>failure()</c>).</summary>
    public bool RunsAfterFailure { get; init; }

    /// <summary>The work.</summary>
    public required Func<StepContext, Task<StepResult>> Body { get; init; }

    /// <summary>Undoes the work when the run is compensated. One that returns a <see cref="StepResult"/> tells its log with it, and fails when that is a failure.</summary>
    public Func<StepContext, Task>? Compensate { get; init; }

    /// <summary>The body only runs other steps: it takes no place under <see cref="WorkflowOptions.Concurrency"/>.</summary>
    public bool IsCompound { get; init; }

    /// <summary>Steps known beforehand that the body runs, for graphs and validation.</summary>
    public IReadOnlyList<Step> Children { get; init; } = [];

    /// <summary>Of an approval: what kind of thing is to be done (<see cref="ApprovalRequest.Operation"/>).</summary>
    public string? Operation { get; init; }

    /// <summary>Outputs that it, or a step inside, reads by name from steps beside it: a resume refuses when a finished step left none of that name.</summary>
    public IReadOnlyList<OutputUse> Reads { get; init; } = [];

    /// <summary>The workflow that the body runs as a run of its own, where that is known beforehand.</summary>
    internal Workflow? ChildWorkflow { get; init; }

    /// <summary>Retry, time limit, fingerprint.</summary>
    public StepOptions Options { get; init; } = StepOptions.Default;

    internal void Describe(StringBuilder text, int depth)
    {
        text.Append(CultureInfo.InvariantCulture, $"{depth} {Kind} {Id} [{string.Join(',', Needs)}] [{string.Join(',', After)}] {Options.Fingerprint}\n");
        foreach (var child in Children) child.Describe(text, depth + 1);
    }
}
