namespace Pawl;

/// <summary>Why a run is not resumed. Each reason has its mend.</summary>
public enum RefusalReason
{
    /// <summary>The journal is damaged.</summary>
    Corrupt,
    /// <summary>The journal was written by a newer version of this program.</summary>
    NewerFormat,
    /// <summary>The run is completed.</summary>
    Completed,
    /// <summary>The run is canceled.</summary>
    Canceled,
    /// <summary>Another process executes the run.</summary>
    Held,
    /// <summary>The run works on another project folder.</summary>
    ProjectDiffers,
    /// <summary>The definition no longer fits what is finished.</summary>
    Incompatible,
    /// <summary>The last checkpoint is too old.</summary>
    TooOld,
    /// <summary>Branch, commit or another fact of the surroundings differs.</summary>
    EnvironmentDiffers,
    /// <summary>The definition given is of another workflow.</summary>
    OtherWorkflow,
    /// <summary>A step named in the request does not exist.</summary>
    UnknownStep,
    /// <summary>There is nothing that could be resumed.</summary>
    NothingToResume,
    /// <summary>The run waits for a message or a time that has not come.</summary>
    Waiting,
    /// <summary>The run took more than its budget.</summary>
    OverBudget,
}

/// <summary>A refusal: what stands in the way, and what to do about it.</summary>
/// <param name="Reason">The named reason.</param>
/// <param name="Message">What was found.</param>
/// <param name="Hint">What to do.</param>
public sealed record Refusal(RefusalReason Reason, string Message, string Hint)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Message} {Hint}";
}
