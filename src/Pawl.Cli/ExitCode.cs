using Pawl.Yaml;

namespace Pawl.Cli;

/// <summary>What the command's exit codes mean.</summary>
static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int Refused = 3;
    public const int Waiting = 4;
    public const int NotWritten = 5;
    public const int Interrupted = 130;

    public static int Of(Exception error) => error switch
    {
        UsageException or InvalidDefinitionException or WorkflowFileException or RunNotFoundException or ScheduleNotFoundException => Usage,
        ResumeRefusedException { Refusal.Reason: RefusalReason.UnknownStep } => Usage,
        ResumeRefusedException { Refusal.Reason: RefusalReason.Waiting } => Waiting,
        ResumeRefusedException or RunExistsException or JournalCorruptException or IllegalTransitionException or LeaseLostException => Refused,
        OutputException => Failed,
        // Whatever a command reads itself it reads through Files: what is left is the store's.
        CheckpointWriteException or IOException or UnauthorizedAccessException => NotWritten,
        OperationCanceledException => Interrupted,
        _ => Failed,
    };

    /// <summary>One word for scripts.</summary>
    public static string Word(Exception error) => error switch
    {
        ResumeRefusedException refused => Words.Of(refused.Refusal.Reason),
        JournalCorruptException => "corrupt",
        RunNotFoundException or ScheduleNotFoundException => "not_found",
        RunExistsException => "exists",
        _ => Of(error) switch
        {
            Usage => "usage",
            Refused => "refused",
            NotWritten => "not_written",
            Interrupted => "interrupted",
            _ => "failed",
        },
    };
}

/// <summary>The command was called wrongly; the message says how to call it.</summary>
sealed class UsageException(string message) : Exception(message);
