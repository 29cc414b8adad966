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

    [LoggerMessage(4, LogLevel.Warning, "The store cannot be reached at the moment: {Message}")]
    public static partial void StoreAway(ILogger logger, string message);

    [LoggerMessage(8, LogLevel.Information, "The store answers again, after {Seconds} s")]
    public static partial void StoreBack(ILogger logger, long seconds);

    [LoggerMessage(5, LogLevel.Information, "Worker {Worker} serves {Queues}: {Places} runs at a time")]
    public static partial void WorkerBegan(ILogger logger, string worker, string queues, int places);

    [LoggerMessage(6, LogLevel.Information, "Worker {Worker} stopped; {Count} runs were handed over")]
    public static partial void WorkerEnded(ILogger logger, string worker, int count);

    [LoggerMessage(7, LogLevel.Error, "Run {RunId} cannot be executed by this worker: {Message}")]
    public static partial void NotExecuted(ILogger logger, string runId, string message);

    [LoggerMessage(9, LogLevel.Warning, "Old runs of '{Workflow}' could not be removed: {Message}")]
    public static partial void NotPruned(ILogger logger, string workflow, string message);
}
