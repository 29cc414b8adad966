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
}

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

    /// <summary>What a person should know.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>What the results once took that are used again.</summary>
    public Cost Saves => Cost.Sum(Steps.Select(step => step.Saves));
}
