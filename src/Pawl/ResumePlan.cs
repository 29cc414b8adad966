using Pawl.Storage;

namespace Pawl;

/// <summary>What a resume will do with one step.</summary>
public enum StepDecision
{
    /// <summary>The recorded result is used.</summary>
    Reuse,
    /// <summary>It has not succeeded yet: it runs.</summary>
    Run,
    /// <summary>It is finished, and runs again because it was asked to.</summary>
    Rerun,
    /// <summary>It is jumped over because it was asked to.</summary>
    Skip,
    /// <summary>It waits for a message or a time; when that has come it goes on.</summary>
    Wait,
    /// <summary>It is no part of what the run was asked to do: it does not run, and nothing is recorded about it.</summary>
    LeftOut,
}

/// <summary>A fact about the surroundings that is no longer what it was when the run began.</summary>
/// <param name="Fact">Its name, for example <c>git_commit</c>.</param>
/// <param name="Before">When the run began; null when it was not told.</param>
/// <param name="Now">Now; null when it is not told.</param>
public sealed record FactChange(string Fact, string? Before, string? Now);

/// <summary>The decision about one top-level step.</summary>
/// <param name="Path">The step.</param>
/// <param name="Decision">What will happen.</param>
/// <param name="Reason">Why.</param>
/// <param name="Saves">What the results once took that are used: its own with all below it, or those of its finished sub-steps.</param>
public sealed record StepPlan(string Path, StepDecision Decision, string Reason, Cost Saves);

/// <summary>What a resume will do, computed purely from definition, journal and surroundings before anything runs.</summary>
public sealed record ResumePlan
{
    /// <summary>The run.</summary>
    public required RunHead Head { get; init; }

    /// <summary>Each step of the definition, in its order.</summary>
    public required IReadOnlyList<StepPlan> Steps { get; init; }

    /// <summary>What stands in the way; empty when the resume may begin.</summary>
    public required IReadOnlyList<Refusal> Refusals { get; init; }

    /// <summary>What is different about the surroundings (branch, commit, host, program version, …) since the run began, as far as they were told.</summary>
    public IReadOnlyList<FactChange> Surroundings { get; init; } = [];

    /// <summary>How the text of the definition changed since the run's last pass: lines of a unified diff. Empty when it did not, or has no text.</summary>
    public IReadOnlyList<string> Definition { get; init; } = [];

    /// <summary>What a person should know.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>The part of the workflow that the run keeps to; null is all.</summary>
    public StepSelection? Select { get; init; }

    /// <summary>It is another part than before, which is recorded.</summary>
    internal bool IsNewPart { get; init; }

    /// <summary>Present step id → the id under which it finished: what was asked for, over what migrations say.</summary>
    internal IReadOnlyDictionary<string, string> Map { get; init; } = new Dictionary<string, string>();

    internal Planning.Migrated? Migrated { get; init; }

    /// <summary>What was decided within a step that is not done, and is asked again because the run was to start there.</summary>
    internal IReadOnlyList<string> AskedAgain { get; init; } = [];

    /// <summary>What the results once took that are used again.</summary>
    public Cost Saves => Cost.Sum(Steps.Select(step => step.Saves));
}
