namespace Pawl;

/// <summary>Where a run stands. <see cref="Completed"/> and <see cref="Canceled"/> are final.</summary>
public enum RunStatus
{
    /// <summary>Created, not yet begun.</summary>
    Pending,
    /// <summary>A process executes it, or died while executing it.</summary>
    Running,
    /// <summary>It waits for a timer, a signal or an approval and holds no process.</summary>
    Waiting,
    /// <summary>Stopped on request or by an interruption; a resume goes on.</summary>
    Paused,
    /// <summary>Every step is done.</summary>
    Completed,
    /// <summary>A step failed for good, or the run could not go on; a resume goes on from the first unfinished step.</summary>
    Failed,
    /// <summary>Ended by request; resumed only when forced.</summary>
    Canceled,
}

/// <summary>How a step, or one attempt of it, ended.</summary>
public enum StepStatus
{
    /// <summary>It succeeded, and its output is kept.</summary>
    Completed,
    /// <summary>The attempt failed; the checkpoint holds the error.</summary>
    Failed,
    /// <summary>It did not run; the checkpoint says why.</summary>
    Skipped,
    /// <summary>It was stopped with its run.</summary>
    Canceled,
}

/// <summary>Why a step was skipped; it decides whether a resume looks at the step again.</summary>
public enum SkipCause
{
    /// <summary>Not skipped.</summary>
    None,
    /// <summary>Its condition was false, or its body returned <see cref="StepResult.Skip"/>. A resume keeps the decision.</summary>
    Condition,
    /// <summary>Nothing it depends on changed since it last succeeded; the stored output is used. Counts as done.</summary>
    Unchanged,
    /// <summary>A step it needs failed or was skipped. A resume decides anew.</summary>
    Blocked,
}

/// <summary>What kind of failure an error is; it decides whether another attempt is made.</summary>
public enum ErrorClass
{
    /// <summary>May pass by itself (network, time-out, a busy service): retried as the policy says.</summary>
    Transient,
    /// <summary>The same attempt would fail again: not retried.</summary>
    Permanent,
    /// <summary>A person is needed: not retried, and nothing new starts in the run, whatever its failure policy.</summary>
    Critical,
}

/// <summary>What a run does when a step has failed for good.</summary>
public enum FailurePolicy
{
    /// <summary>Steps that are running finish; nothing new starts. The default.</summary>
    Stop,
    /// <summary>Only the steps that need the failed one are skipped; all others run.</summary>
    Continue,
    /// <summary>As <see cref="Stop"/>, and then finished steps are compensated in reverse order.</summary>
    Compensate,
}

/// <summary>Which finished steps write a checkpoint.</summary>
public enum CheckpointStrategy
{
    /// <summary>Every step. The default.</summary>
    EveryStep,
    /// <summary>Steps with <see cref="StepOptions.Checkpoint"/> or a result that forces one; results in between are carried with the next.</summary>
    Marked,
    /// <summary>None: the run leaves nothing in the store and cannot be resumed.</summary>
    Off,
}

/// <summary>When a checkpoint must be durable.</summary>
public enum Durability
{
    /// <summary>Before anything that depends on it begins. The default.</summary>
    Sync,
    /// <summary>Written while later steps run; a crash may repeat the steps since the last durable checkpoint, never lose their order.</summary>
    Async,
    /// <summary>At the end, on failure, cancel, pause and SIGTERM only; a kill repeats the whole pass.</summary>
    Exit,
}

/// <summary>What to do when a guard finds a difference.</summary>
public enum GuardPolicy
{
    /// <summary>Say it and go on. The default.</summary>
    Warn,
    /// <summary>Refuse to resume.</summary>
    Refuse,
    /// <summary>Do not look.</summary>
    Ignore,
}
