using Pawl.Storage;

namespace Pawl;

/// <summary>How two runs, or two checkpoints of one, differ. Computed from their journals; steps are aligned by path.</summary>
public sealed record RunDiff
{
    /// <summary>The head of the first at its checkpoint.</summary>
    public required RunHead Left { get; init; }

    /// <summary>The head of the second at its checkpoint.</summary>
    public required RunHead Right { get; init; }

    /// <summary>Where they first went apart: the earliest step, in the order of the first run's records, whose status, output, inputs, error or reason
    /// differs. Null when none does.</summary>
    public Divergence? First { get; init; }

    /// <summary>Every step of either run in the order of the records, equal ones too.</summary>
    public required IReadOnlyList<StepDiff> Steps { get; init; }

    /// <summary>Params that differ.</summary>
    public required IReadOnlyList<ValueDiff> Params { get; init; }

    /// <summary>Shared state that differs.</summary>
    public required IReadOnlyList<ValueDiff> State { get; init; }

    /// <summary>Facts of the surroundings that differ: branch, commit, host, version of Pawl.</summary>
    public required IReadOnlyList<ValueDiff> Environment { get; init; }

    /// <summary>What changed from the first definition to the second, as <c>diff -u</c> tells it; empty when nothing did or one was made in code.</summary>
    public required IReadOnlyList<string> Definition { get; init; }

    /// <summary>What the first took.</summary>
    public Cost LeftCost { get; init; }

    /// <summary>What the second took.</summary>
    public Cost RightCost { get; init; }

    /// <summary>Nothing but times, attempts and costs differs.</summary>
    public bool IsEqual => First is null && Left.Status == Right.Status && Params.Count + State.Count + Definition.Count == 0;
}

/// <summary>The first step that went another way.</summary>
/// <param name="Path">The step.</param>
/// <param name="What">What differs: <c>missing</c>, <c>status</c>, <c>output</c>, <c>inputs</c>, <c>error</c>, <c>reason</c>.</param>
/// <param name="Causes">Why, as far as the journals tell: its definition, params, what it read, the surroundings.</param>
public sealed record Divergence(string Path, IReadOnlyList<string> What, IReadOnlyList<string> Causes);

/// <summary>One step on both sides.</summary>
/// <param name="Path">The step.</param>
/// <param name="Left">Its decisive checkpoint in the first run; null when it has none.</param>
/// <param name="Right">That in the second.</param>
public sealed record StepDiff(string Path, Checkpoint? Left, Checkpoint? Right)
{
    /// <summary>As <see cref="Divergence.What"/>; empty when the step is equal but for time, attempts and cost.</summary>
    public IReadOnlyList<string> What { get; init; } = [];

    /// <summary>What differs in the output.</summary>
    public IReadOnlyList<ValueDiff> Output { get; init; } = [];

    /// <summary>What differs in what it read.</summary>
    public IReadOnlyList<ValueDiff> Inputs { get; init; } = [];
}

/// <summary>A value that differs.</summary>
/// <param name="Path">Where, for example <c>rows</c>, <c>regions[2].name</c>; empty is the whole value.</param>
/// <param name="Left">The first value, or null when it has none. Of an output that is kept beside the journal: its hash and size, as a text.</param>
/// <param name="Right">The second.</param>
public sealed record ValueDiff(string Path, RawJson? Left, RawJson? Right);
