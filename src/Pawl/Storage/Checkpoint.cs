namespace Pawl.Storage;

/// <summary>What a checkpoint records.</summary>
public enum CheckpointKind
{
    /// <summary>The run was created: <see cref="Checkpoint.Data"/> holds workflow, params, definition, environment.</summary>
    Created,
    /// <summary>A process began or went on to execute the run.</summary>
    Resumed,
    /// <summary>A step's attempt ended.</summary>
    Step,
    /// <summary>A durable timer was set: <see cref="Checkpoint.Data"/> holds <c>due</c>.</summary>
    Timer,
    /// <summary>A finished step was undone; its success no longer counts.</summary>
    Compensated,
    /// <summary>Compensation of the run began.</summary>
    Compensating,
    /// <summary>Nothing can go on before a timer or a message: the pass ended, and nobody holds the run. <see cref="Checkpoint.Data"/> holds <c>waits</c>.</summary>
    Waiting,
    /// <summary>The run was paused or interrupted.</summary>
    Paused,
    /// <summary>The run was canceled.</summary>
    Canceled,
    /// <summary>The run failed.</summary>
    Failed,
    /// <summary>The run completed.</summary>
    Completed,
}

/// <summary>The immutable record of one finished attempt, or of one thing that happened to the run: a line of the journal.</summary>
/// <remarks>
/// The line is one JSON object in UTF-8 without line breaks. Its last member is <c>hash</c>: the first 16 bytes, in lower-case hex, of the SHA-256 of
/// the previous line's hash (as text; empty for the first) followed by this line's bytes up to the comma before <c>"hash"</c>.
/// The same bytes are kept by every store, so a run can move between stores and still verify.
/// </remarks>
public sealed record Checkpoint
{
    /// <summary>Position in the journal, from 1 without gaps.</summary>
    public long Seq { get; internal set; }

    /// <summary>What it records.</summary>
    public CheckpointKind Kind { get; init; }

    /// <summary>When, by the engine's clock.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>The step's path, for records about a step.</summary>
    public string? Path { get; init; }

    /// <summary>How the attempt ended.</summary>
    public StepStatus? Status { get; init; }

    /// <summary>The attempt, from 1; 0 when nothing was attempted.</summary>
    public int Attempt { get; init; }

    /// <summary>How long the attempt took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Why the step ran, was skipped, or why the run ended.</summary>
    public string? Reason { get; init; }

    /// <summary>Why it was skipped.</summary>
    public SkipCause Cause { get; init; }

    /// <summary>The output: raw JSON. Empty when there is none or when it is in <see cref="OutputRef"/>.</summary>
    public ReadOnlyMemory<byte> Output { get; init; }

    /// <summary>Where a large output is.</summary>
    public PayloadRef? OutputRef { get; init; }

    /// <summary>Changed state keys: a raw JSON object, null values remove. Empty when nothing changed.</summary>
    public ReadOnlyMemory<byte> State { get; init; }

    /// <summary>Quality figures: a raw JSON object.</summary>
    public ReadOnlyMemory<byte> Metrics { get; init; }

    /// <summary>What the step read: raw JSON.</summary>
    public ReadOnlyMemory<byte> Inputs { get; init; }

    /// <summary>Facts about the record by its kind: a raw JSON object.</summary>
    public ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>The last progress the step told.</summary>
    public ReadOnlyMemory<byte> Progress { get; init; }

    /// <summary>The error of a failed attempt or run.</summary>
    public StepError? Error { get; init; }

    /// <summary>The run goes on with this record's step although it failed (<see cref="StepOptions.ContinueOnError"/>).</summary>
    public bool Tolerated { get; init; }

    /// <summary>The fencing token, in records that begin a pass.</summary>
    public long Token { get; init; }

    /// <summary>The next record belongs to the same commit: both are restored, or neither.</summary>
    public bool More { get; internal set; }

    /// <summary>This line's hash.</summary>
    public string Hash { get; internal set; } = "";

    /// <summary>The exact bytes, without the line end.</summary>
    public ReadOnlyMemory<byte> Line { get; internal set; }

    /// <summary>The hash before this line, when it was computed here: then a store need not hash again.</summary>
    internal string? ChainedTo { get; set; }

    /// <summary>Reads a line as a store kept it. The chain is checked by whoever reads the journal in order.</summary>
    /// <exception cref="FormatException">The bytes are not a checkpoint.</exception>
    public static Checkpoint FromLine(ReadOnlyMemory<byte> line) =>
        CheckpointCodec.TryRead(line, out var record, out var error) ? record : throw new FormatException(error);
}
