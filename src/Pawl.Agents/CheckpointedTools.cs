using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>What may be said about one tool of an agent.</summary>
public sealed record ToolOptions
{
    /// <summary>What becomes of a call whose process died in the middle of it: the tool may or may not have had its effect. Null calls it again.</summary>
    public UnknownOutcome? OnUnknown { get; init; }

    /// <summary>A person decides about each call before it is made; null asks nobody, unless the tool is an <see cref="ApprovalRequiredAIFunction"/>. The message is put before the call;
    /// an operation is what <see cref="ApprovalRules"/> decide by, and null is the tool's name.</summary>
    public ApprovalRequest? Approval { get; init; }

    /// <summary>How a failed call is repeated before the model is told. Default: not at all.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>Longest time of one call; null is no limit. The model is told.</summary>
    public TimeSpan? Timeout { get; init; }
}

/// <summary>A tool with <see cref="ToolOptions"/>.</summary>
sealed class CheckpointedFunction(AIFunction inner, ToolOptions options) : DelegatingAIFunction(inner)
{
    public ToolOptions Options => options;
}

/// <summary>Options for the tools of an <see cref="Agent"/>.</summary>
public static class CheckpointedTools
{
    /// <summary>The same tool with an unknown-outcome policy, an approval, retries or a time limit, for an <see cref="Agent"/>. Elsewhere it is the tool as it was.</summary>
    /// <remarks>While an agent invokes it, <see cref="AIFunctionArguments.Context"/> holds the <see cref="StepContext"/> of the call under <c>typeof(StepContext)</c>: its
    /// <see cref="StepContext.IdempotencyKey"/> is the same for each attempt at the same call.</remarks>
    public static AIFunction WithCheckpoints(this AIFunction tool, ToolOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new CheckpointedFunction(tool, options);
    }
}
