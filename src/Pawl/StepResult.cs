using System.Text.Json;

namespace Pawl;

/// <summary>A recorded error.</summary>
/// <param name="Type">Short name of the error's kind, for example <c>TimeoutException</c> or <c>exit_code</c>.</param>
/// <param name="Message">What happened.</param>
/// <param name="Class">Its class.</param>
/// <param name="Detail">Stack trace or last output; may be null.</param>
public sealed record StepError(string Type, string Message, ErrorClass Class, string? Detail = null);

/// <summary>What a step's body returns when it wants to say more than a value.</summary>
public sealed record StepResult
{
    StepResult() { }

    /// <summary>Completed, failed or skipped.</summary>
    public StepStatus Status { get; private init; }

    /// <summary>The value that later steps see; serialised with <see cref="PawlOptions.Json"/>. A <see cref="JsonElement"/> or <see cref="RawJson"/> is stored as it is.</summary>
    public object? Output { get; private init; }

    /// <summary>The error of a failure.</summary>
    public StepError? Error { get; private init; }

    /// <summary>Why it was skipped, or a remark on why it ran.</summary>
    public string? Reason { get; init; }

    /// <summary>Why it was skipped, for the engine.</summary>
    public SkipCause Cause { get; private init; }

    /// <summary>Quality figures kept with the checkpoint (counts, rates).</summary>
    public IReadOnlyDictionary<string, double>? Metrics { get; init; }

    /// <summary>Forces a checkpoint under <see cref="CheckpointStrategy.Marked"/>.</summary>
    public bool Checkpoint { get; init; }

    /// <summary>What the step read, for <c>explain</c> and smart skip; any JSON.</summary>
    public RawJson? Inputs { get; init; }

    /// <summary>Facts about the execution (exit code, log reference), any JSON object.</summary>
    public RawJson? Info { get; init; }

    /// <summary>Bytes kept beside the record, content-addressed (captured output). The record names each of them.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>>? Attachments { get; init; }

    /// <summary>Success.</summary>
    public static StepResult Ok(object? output = null, IReadOnlyDictionary<string, double>? metrics = null, bool checkpoint = false) =>
        new() { Status = StepStatus.Completed, Output = output, Metrics = metrics, Checkpoint = checkpoint };

    /// <summary>Failure.</summary>
    public static StepResult Fail(string message, ErrorClass errorClass = ErrorClass.Permanent, string type = "failed", string? detail = null) =>
        new() { Status = StepStatus.Failed, Error = new StepError(type, message, errorClass, detail) };

    internal static StepResult Canceled() => new() { Status = StepStatus.Canceled };

    internal StepResult WithEncoded(RawJson output) => this with { Output = output };

    /// <summary>Not needed: steps that explicitly need this one are skipped too, unless <paramref name="unchanged"/>.</summary>
    /// <param name="reason">Shown by <c>explain</c>.</param>
    /// <param name="output">The stored output to use, when unchanged.</param>
    /// <param name="unchanged">The step's earlier result still holds: it counts as done.</param>
    public static StepResult Skip(string reason, object? output = null, bool unchanged = false) =>
        new() { Status = StepStatus.Skipped, Reason = reason, Output = output, Cause = unchanged ? SkipCause.Unchanged : SkipCause.Condition };
}

/// <summary>JSON kept as the bytes it came in: numbers are never rounded.</summary>
/// <param name="Utf8">One valid JSON value, UTF-8.</param>
public readonly record struct RawJson(ReadOnlyMemory<byte> Utf8)
{
    /// <summary>Checks that the text is one JSON value of at most 64 levels.</summary>
    /// <exception cref="JsonException">It is not.</exception>
    public static RawJson Parse(string json)
    {
        var utf8 = System.Text.Encoding.UTF8.GetBytes(json);
        using var document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = 64 });
        return new RawJson(utf8);
    }

    /// <summary>A view of the value; dispose-free.</summary>
    public JsonElement ToElement() => JsonDocument.Parse(Utf8).RootElement;

    /// <inheritdoc/>
    public override string ToString() => System.Text.Encoding.UTF8.GetString(Utf8.Span);
}
