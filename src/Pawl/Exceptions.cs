namespace Pawl;

/// <summary>The root of everything Pawl throws. Each subclass answers a question that a caller asks.</summary>
public abstract class PawlException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The definition cannot be used: a cycle, an unknown step, a double id.</summary>
public sealed class InvalidDefinitionException(string message, IReadOnlyList<string>? problems = null) : PawlException(message)
{
    /// <summary>Every problem found.</summary>
    public IReadOnlyList<string> Problems { get; } = problems ?? [message];

    /// <summary>Of params that do not fit: what is wrong with each, by its name. Empty when the problems are others.</summary>
    public IReadOnlyDictionary<string, string> Params { get; init; } = new Dictionary<string, string>();
}

/// <summary>No such run in the store.</summary>
public sealed class RunNotFoundException(string runId) : PawlException($"There is no run '{runId}' in this store.")
{
    /// <summary>The id that was asked for.</summary>
    public string RunId { get; } = runId;
}

/// <summary>No such schedule in the store.</summary>
public sealed class ScheduleNotFoundException(string name, IEnumerable<string> known) : PawlException($"There is no schedule '{RunIds.Printable(name)}' in this store.{Nearest.Hint(name, known)} 'pawl schedule list' shows what is there.")
{
    /// <summary>The name that was asked for.</summary>
    public string Name { get; } = name;
}

/// <summary>A run with this id exists.</summary>
public sealed class RunExistsException(string runId) : PawlException($"A run '{runId}' exists already. Resume it, or choose another id.")
{
    /// <summary>The id that is taken.</summary>
    public string RunId { get; } = runId;
}

/// <summary>The run cannot go on as asked; <see cref="Refusal"/> names the reason and the mend.</summary>
public sealed class ResumeRefusedException(Refusal refusal) : PawlException(refusal.ToString())
{
    /// <summary>Why, and what to do.</summary>
    public Refusal Refusal { get; } = refusal;
}

/// <summary>The journal is damaged at a place that no crash explains.</summary>
public sealed class JournalCorruptException(string runId, long line, string reason)
    : PawlException($"The journal of run '{runId}' is corrupt at line {line}: {reason}. 'pawl verify {runId}' shows more; 'pawl repair {runId}' quarantines the damaged part.")
{
    /// <summary>The damaged run.</summary>
    public string RunId { get; } = runId;

    /// <summary>Line of the journal, from 1.</summary>
    public long Line { get; } = line;

    /// <summary>What is wrong with it.</summary>
    public string Reason { get; } = reason;
}

/// <summary>A checkpoint could not be written. The run stopped; nothing that was acknowledged is lost.</summary>
public sealed class CheckpointWriteException(string message, Exception? inner = null) : PawlException(message, inner);

/// <summary>Another process took the run over; nothing more may be written by this one.</summary>
public sealed class LeaseLostException(string runId)
    : PawlException($"Run '{runId}' was taken over by another process; this one stopped and wrote nothing more.")
{
    /// <summary>The run.</summary>
    public string RunId { get; } = runId;
}

/// <summary>The run's status does not allow this.</summary>
public sealed class IllegalTransitionException(string runId, RunStatus from, string what)
    : PawlException($"Run '{runId}' is {from.ToString().ToLowerInvariant()}: it cannot be {what}.")
{
    /// <summary>The run.</summary>
    public string RunId { get; } = runId;

    /// <summary>The status it has.</summary>
    public RunStatus From { get; } = from;
}

/// <summary>A sub-step failed for good. Thrown into the body that called it.</summary>
public sealed class StepFailedException(string path, StepError error, Exception? inner = null)
    : PawlException($"Step '{path}' failed: {error.Message}", inner)
{
    /// <summary>The step.</summary>
    public string Path { get; } = path;

    /// <summary>Its last error.</summary>
    public StepError Error { get; } = error;
}

/// <summary>Thrown by a step's body to say what kind of failure it met.</summary>
public sealed class StepException(string message, ErrorClass errorClass = ErrorClass.Permanent, Exception? inner = null)
    : PawlException(message, inner)
{
    /// <summary>Decides about a retry.</summary>
    public ErrorClass Class { get; } = errorClass;
}

/// <summary>An output, param or state value was asked for that is not there.</summary>
public sealed class OutputMissingException(string message) : PawlException(message);
