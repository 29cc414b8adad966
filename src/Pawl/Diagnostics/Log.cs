using Microsoft.Extensions.Logging;

namespace Pawl.Diagnostics;

static partial class Log
{
    [LoggerMessage(1, LogLevel.Information, "Run {RunId} of {Workflow} began ({Reused} steps reused)")]
    public static partial void Began(ILogger logger, string runId, string workflow, int reused);

    [LoggerMessage(2, LogLevel.Information, "Run {RunId} ended: {Status}")]
    public static partial void Ended(ILogger logger, string runId, RunStatus status);

    [LoggerMessage(3, LogLevel.Warning, "Run {RunId}: {Message}")]
    public static partial void Warning(ILogger logger, string runId, string message);
}
