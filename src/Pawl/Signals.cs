using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl;

/// <summary>What came of waiting for a signal.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Body">What was sent with it; null is nothing.</param>
/// <param name="By">Who sent it.</param>
/// <param name="At">When it was sent, or when the waiting ended.</param>
/// <param name="TimedOut">No signal came in time.</param>
public sealed record Signal(string Name, RawJson? Body, string? By, DateTimeOffset At, bool TimedOut)
{
    /// <summary>The body as a value; the default of <typeparamref name="T"/> without one.</summary>
    public T? Get<T>(JsonSerializerOptions? options = null) => Body is { } body ? PawlJson.Decode<T>(body.Utf8, options ?? PawlJson.Default) : default;
}

/// <summary>What a time-out of an approval means.</summary>
public enum TimeoutAction
{
    /// <summary>It counts as rejected. The default.</summary>
    Reject,
    /// <summary>The step fails.</summary>
    Fail,
    /// <summary>It counts as approved by nobody: the run goes on.</summary>
    Continue,
}

/// <summary>A question to a person.</summary>
/// <param name="Message">What is asked.</param>
public sealed record ApprovalRequest(string Message)
{
    /// <summary>Longest wait; null waits for ever.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Default <see cref="TimeoutAction.Reject"/>.</summary>
    public TimeoutAction OnTimeout { get; init; }

    /// <summary>What kind of thing is to be done, for <see cref="ApprovalRules"/>; null always asks.</summary>
    public string? Operation { get; init; }
}

/// <summary>How a person decided.</summary>
public enum Decision
{
    /// <summary>Go on, with <see cref="Approval.Changes"/> if there are any.</summary>
    Approved,
    /// <summary>Do not.</summary>
    Rejected,
}

/// <summary>A decision, as the journal keeps it.</summary>
/// <param name="Decision">Approved or rejected.</param>
/// <param name="By">Who decided; null when a rule or a time-out did.</param>
/// <param name="Reason">Why.</param>
/// <param name="Changes">What the person wants to be different: any JSON, or null.</param>
/// <param name="TimedOut">Nobody decided in time.</param>
public sealed record Approval(Decision Decision, string? By = null, string? Reason = null, RawJson? Changes = null, bool TimedOut = false)
{
    /// <summary>Approved.</summary>
    public bool IsApproved => Decision == Decision.Approved;

    /// <summary>The message that answers the request of a step. One that is asked again, because what was decided counts no more, has another: an earlier answer is none to it.</summary>
    internal static string SignalFor(string path, int earlier) =>
        $"pawl:approval:{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(earlier == 0 ? path : $"{path}\0{earlier}")).AsSpan(0, 16))}";

    /// <summary>What the record of a person's yes says: that it is one, and whether its step is nothing else.</summary>
    internal static RawJson Mark(bool isStep) => new(isStep ? StepMark : Within);

    internal static ReadOnlySpan<byte> StepFact => "\"decision\":\"step\""u8;
    internal static ReadOnlySpan<byte> WithinFact => "\"decision\":\"within\""u8;
    static readonly byte[] StepMark = [(byte)'{', .. StepFact, (byte)'}'], Within = [(byte)'{', .. WithinFact, (byte)'}'];

    internal static StepResult AfterTimeout(ApprovalRequest request) => request.OnTimeout switch
    {
        TimeoutAction.Fail => StepResult.Fail($"nobody decided within {request.Timeout}: {request.Message}", ErrorClass.Permanent, "approval_timeout"),
        TimeoutAction.Continue => StepResult.Ok(new Approval(Decision.Approved, Reason: "nobody decided in time, and the run was to go on", TimedOut: true)),
        _ => StepResult.Ok(new Approval(Decision.Rejected, Reason: "nobody decided in time", TimedOut: true)),
    };

    internal static Approval From(RunMessage message, JsonSerializerOptions json) =>
        PawlJson.Decode<Approval>(message.Body!.Value.Utf8, json) with { By = message.By };
}

/// <summary>Which operations need a person. What is trusted is never asked, whatever else is said; a request without an operation always asks.</summary>
public sealed record ApprovalRules
{
    /// <summary>False approves everything: for tests. Default true.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Operations that need a decision; null means all that are not trusted.</summary>
    public IReadOnlySet<string>? Required { get; init; }

    /// <summary>Operations that need none.</summary>
    public IReadOnlySet<string> Trusted { get; init; } = new HashSet<string>();

    /// <summary>The decision of the rules, or null when a person must decide. Pure.</summary>
    internal Approval? Decide(ApprovalRequest request)
    {
        if (!Enabled) return new Approval(Decision.Approved, Reason: "approvals are switched off");
        if (request.Operation is not { } operation) return null;
        if (Trusted.Contains(operation)) return new Approval(Decision.Approved, Reason: $"'{operation}' is trusted");
        return Required is { } required && !required.Contains(operation) ? new Approval(Decision.Approved, Reason: $"'{operation}' needs no approval") : null;
    }
}
