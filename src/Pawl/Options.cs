using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Pawl;

/// <summary>How often and when a failed attempt is repeated. Every attempt is recorded.</summary>
public sealed record RetryPolicy
{
    /// <summary>One attempt, no retry.</summary>
    public static RetryPolicy None { get; } = new() { Attempts = 1 };

    /// <summary>Attempts in all, the first one included. Default 3, at least 1.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>Pause before the second attempt. Default 1 s.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Factor from each pause to the next. Default 2, at least 1.</summary>
    public double Backoff { get; init; } = 2;

    /// <summary>Longest pause. Default 60 s.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Shortens each pause by up to a half, so that many runs do not knock at once. Default true.
    /// The amount follows from run, step and attempt, so a simulation repeats exactly.</summary>
    public bool Jitter { get; init; } = true;

    /// <summary>Sorts an exception into a class; null uses <see cref="Classify"/>.</summary>
    public Func<Exception, ErrorClass>? Classifier { get; init; }

    /// <summary>The default classes: argument, format, cast, JSON and not-supported errors are permanent, a
    /// <see cref="StepException"/> says its own class, everything else is transient.</summary>
    public static ErrorClass Classify(Exception error) => error switch
    {
        StepException step => step.Class,
        StepFailedException inner => inner.Error.Class,
        ArgumentException or FormatException or InvalidCastException or NotSupportedException or NotImplementedException
            or NullReferenceException or JsonException or IndexOutOfRangeException or KeyNotFoundException
            or OutputMissingException or InvalidDefinitionException => ErrorClass.Permanent,
        _ => ErrorClass.Transient,
    };

    /// <summary>The pause after failed attempt <paramref name="attempt"/> (from 1). Pure.</summary>
    /// <param name="attempt">The attempt that failed, from 1.</param>
    /// <param name="seed">A number in 0..1 that places the jitter.</param>
    public TimeSpan DelayAfter(int attempt, double seed)
    {
        var factor = Math.Pow(Math.Max(1, Backoff), attempt - 1);
        var ticks = Math.Min(Delay.Ticks * factor, MaxDelay.Ticks);
        return TimeSpan.FromTicks((long)(Jitter ? ticks * (1 - Math.Clamp(seed, 0, 1) / 2) : ticks));
    }
}

/// <summary>What may be said about one step.</summary>
public sealed record StepOptions
{
    /// <summary>All defaults.</summary>
    public static StepOptions Default { get; } = new();

    /// <summary>Default: one attempt.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>Limit of one attempt; null is none. Where limits are nested the shortest wins.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Writes a checkpoint under <see cref="CheckpointStrategy.Marked"/>.</summary>
    public bool Checkpoint { get; init; }

    /// <summary>The step gets the store's open transaction (<see cref="StepContext.Transaction"/>): its rows and its checkpoint become durable together, exactly once.
    /// Needs a store in a database. Conflicts with other transactions are tried again by themselves.</summary>
    public bool Transactional { get; init; }

    /// <summary>What becomes of the step when its process died in the middle of it; null runs it again.</summary>
    public UnknownOutcome? OnUnknown { get; init; }

    /// <summary>Its record is durable when it returns, whatever the run's mode.</summary>
    internal bool IsDurable { get; init; }

    /// <summary>A failure is recorded, but counts as done for the run and for the steps that need this one.</summary>
    public bool ContinueOnError { get; init; }

    /// <summary>A text that changes when the body's meaning changes; a resume reports finished steps whose text changed. Null is "not told".</summary>
    public string? Fingerprint { get; init; }

    /// <summary>A title for people; null shows the id.</summary>
    public string? Title { get; init; }
}

/// <summary>What holds for all steps of a workflow.</summary>
public sealed record WorkflowOptions
{
    /// <summary>Default <see cref="FailurePolicy.Stop"/>.</summary>
    public FailurePolicy OnFailure { get; init; } = FailurePolicy.Stop;

    /// <summary>Steps that run at the same time; null is no limit. A group or a fan-out holds no place itself.</summary>
    public int? Concurrency { get; init; }

    /// <summary>Limit of one pass over the run (from start or resume); null is none.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Default <see cref="CheckpointStrategy.EveryStep"/>.</summary>
    public CheckpointStrategy Strategy { get; init; } = CheckpointStrategy.EveryStep;

    /// <summary>Default <see cref="Durability.Sync"/>. The choice is stored in the run.</summary>
    public Durability Durability { get; init; } = Durability.Sync;

    /// <summary>How long finished runs stay; null keeps the store's own policy.</summary>
    public RetentionPolicy? Retention { get; init; }

    /// <summary>A failed run is resumed by itself, at most this many times in a row, behind pauses of 5 s, 10 s, 20 s and so on up to 5 minutes; not behind a critical error. A
    /// worker resumes a run of its queue, whichever worker lives when the time comes; <see cref="PawlClient.RunAsync"/> and <see cref="PawlClient.ResumeAsync"/> wait for their own run's. A
    /// resume by a person counts anew. Default 0: off.</summary>
    public int AutoResumeAttempts { get; init; }

    /// <summary>What a run may take; null is no limit.</summary>
    public Budget? Budget { get; init; }

    /// <summary>Prices by model, for steps that tell tokens but no money; null is none.</summary>
    public IReadOnlyDictionary<string, ModelPrice>? Prices { get; init; }
}

/// <summary>Which finished runs stay. What can still be resumed always stays.</summary>
public sealed record RetentionPolicy
{
    /// <summary>Finished runs older than this may go; null is no limit. Default 30 days.</summary>
    public TimeSpan? MaxAge { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Of each workflow at least this many newest finished runs stay. Default 0.</summary>
    public int KeepLast { get; init; }
}

/// <summary>Settings of a <see cref="PawlClient"/>.</summary>
public sealed class PawlOptions
{
    /// <summary>All time comes from here. Default: the system clock.</summary>
    public TimeProvider Time { get; set; } = TimeProvider.System;

    /// <summary>How outputs, params and state become JSON. Default: snake_case, null left out.
    /// Set a source-generated resolver for trimmed programs.</summary>
    public JsonSerializerOptions Json { get; set; } = PawlJson.Default;

    /// <summary>What step bodies see as <see cref="StepContext.Services"/>.</summary>
    public IServiceProvider? Services { get; set; }

    /// <summary>Where the engine logs. Default: nowhere.</summary>
    public ILoggerFactory Logging { get; set; } = NullLoggerFactory.Instance;

    /// <summary>Payloads above this many bytes are stored beside the record. Default 256 KiB.</summary>
    public int PayloadThreshold { get; set; } = 256 * 1024;

    /// <summary>Payloads above this many bytes bring a warning that a reference would serve better. Default 8 MiB.</summary>
    public int PayloadWarning { get; set; } = 8 * 1024 * 1024;

    /// <summary>How many times a failed checkpoint write is tried again before the run stops. Default 3, with pauses of 0.1, 0.4 and 1.6 s.</summary>
    public int WriteRetries { get; set; } = 3;

    /// <summary>Which approvals need a person. Default: all.</summary>
    public ApprovalRules Approvals { get; set; } = new();

    /// <summary>False makes every run behave as <see cref="CheckpointStrategy.Off"/>. Default true.</summary>
    public bool Checkpointing { get; set; } = true;

    /// <summary>A folder for what steps say while they run, so that other processes of this machine can look on (<see cref="PawlClient.LiveAsync"/>): at most 1 MiB for each pass, removed at
    /// its end. It must exist and be private to its user. Null: nobody can look on. Default null; the command uses the user's runtime folder.</summary>
    public string? LiveFolder { get; set; }
}

/// <summary>How a new run begins.</summary>
public sealed record StartOptions
{
    /// <summary>The run's id; null makes one from the workflow's name and the UTC time. Letters, digits and <c>. _ -</c>, at most 128.</summary>
    public string? RunId { get; init; }

    /// <summary>What to do when the id exists. Default: <see cref="ExistingRun.Refuse"/>.</summary>
    public ExistingRun IfExists { get; init; } = ExistingRun.Refuse;

    /// <summary>What part of the data the run works on (for example date = 2026-01-10).</summary>
    public IReadOnlyDictionary<string, string>? Partition { get; init; }

    /// <summary>Words to find the run by.</summary>
    public IReadOnlyDictionary<string, string>? Tags { get; init; }

    /// <summary>Who asks for it, for the record; null is not told. The user of the process is recorded in any case.</summary>
    public string? By { get; init; }

    /// <summary>The run that started this one.</summary>
    public string? ParentRunId { get; init; }

    /// <summary>The queue whose workers go on with the run when its process does not; null is none.</summary>
    internal EnqueueOptions? Queue { get; init; }

    /// <summary>Facts about the surroundings, stored for people and for the resume guards (<c>git_branch</c>, <c>git_commit</c>, …).</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>How the run was asked for (<c>auto</c>, <c>parallel</c>, …), stored for people.</summary>
    public IReadOnlyDictionary<string, bool>? Mode { get; init; }

    /// <summary>The folder of the project the run works on; a resume from another one is refused. Null is not checked.</summary>
    public string? ProjectPath { get; init; }

    /// <summary>Runs only these steps and what they need; null runs all.</summary>
    public StepSelection? Select { get; init; }

    /// <summary>Limits over those of the workflow, for the whole run; null members leave the workflow's. A resume may set others.</summary>
    public Budget? Budget { get; init; }

    /// <summary>Recorded results that are played instead of steps. A resume of the run plays nothing.</summary>
    public Cassette? Cassette { get; init; }

    /// <summary>Called for each event, in order, on the engine's thread: keep it short.</summary>
    public Action<RunEvent>? OnEvent { get; init; }
}

/// <summary>How a run is put into a queue.</summary>
public sealed record EnqueueOptions
{
    /// <summary>The queue. Letters, digits and <c>. _ -</c>, at most 128. Default <c>default</c>.</summary>
    public string Queue { get; init; } = Storage.QueueOptions.DefaultName;

    /// <summary>The greatest number goes first. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>No worker takes it earlier. Default: at once.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Your own open transaction, of the PostgreSQL or SQLite database that the store is in: the run exists, and wakes workers, exactly if you commit it. Null: the
    /// run is durable by itself. A step can pass on <see cref="StepContext.Transaction"/>.</summary>
    public System.Data.Common.DbTransaction? Transaction { get; init; }
}

/// <summary>What a start does when its run id is taken.</summary>
public enum ExistingRun
{
    /// <summary>Throws <see cref="RunExistsException"/>.</summary>
    Refuse,
    /// <summary>Goes on with it, or returns its result when it is completed: an idempotent start.</summary>
    Join,
}

/// <summary>A part of the graph.</summary>
public sealed record StepSelection
{
    /// <summary>Starts at this step; steps before it are not run and their recorded outputs are used.</summary>
    public string? From { get; init; }

    /// <summary>Ends with this step.</summary>
    public string? Until { get; init; }

    /// <summary>Runs these steps only, as if what they need were done.</summary>
    public IReadOnlyList<string>? Only { get; init; }

    /// <summary>The ids of the steps that it runs.</summary>
    /// <exception cref="InvalidDefinitionException">It names a step that does not exist, or leaves out an approval before one that it runs.</exception>
    internal HashSet<string> In(Workflow workflow)
    {
        var chosen = Chosen(workflow);
        foreach (var id in chosen)
            if (workflow.Steps.FirstOrDefault(step => !chosen.Contains(step.Id) && Asks(step) && Planning.ResumePlanner.Ancestors(workflow.Steps, id).Contains(step.Id)) is { } asks)
                throw new InvalidDefinitionException($"To run '{id}' without '{asks.Id}' would go around an approval. Run '{asks.Id}' too.");
        return chosen;

        static bool Asks(Step step) => step.Kind == "approval" || step.Children.Any(Asks);
    }

    HashSet<string> Chosen(Workflow workflow)
    {
        var all = workflow.Steps.Select(step => step.Id).ToHashSet();
        foreach (var name in (Only ?? []).Append(From).Append(Until).OfType<string>())
            if (!all.Contains(name)) throw new InvalidDefinitionException($"There is no step '{RunIds.Printable(name)}' in '{workflow.Name}'.{Nearest.Hint(name, all)}");
        if (Only is { } only) return [.. only];
        if (From is { } from) all.IntersectWith(Planning.ResumePlanner.Descendants(workflow, from));
        if (Until is { } until) all.IntersectWith([.. Planning.ResumePlanner.Ancestors(workflow.Steps, until), until]);
        return all;
    }
}

/// <summary>Where a fork begins, and what is different there.</summary>
public sealed record ForkOptions
{
    /// <summary>The fork's id; null makes one, as for a new run.</summary>
    public string? RunId { get; init; }

    /// <summary>The last checkpoint that the fork has; null is the newest, or what <see cref="Before"/> says.</summary>
    public long? At { get; init; }

    /// <summary>A step: the fork stands before its first checkpoint, so that it, and whatever ended behind it, runs again.</summary>
    public string? Before { get; init; }

    /// <summary>Merged over the parent's params.</summary>
    public IReadOnlyDictionary<string, object?>? Params { get; init; }

    /// <summary>Outputs by step path: the step counts as completed with this output.</summary>
    public IReadOnlyDictionary<string, object?>? Outputs { get; init; }

    /// <summary>Shared state; a null value removes the key.</summary>
    public IReadOnlyDictionary<string, object?>? State { get; init; }

    /// <summary>Who asks for it, for the record; null is not told.</summary>
    public string? By { get; init; }

    /// <summary>Merged over the parent's tags. The fork also has <c>forked_from</c> (a run id) and <c>forked_at</c> (a checkpoint's number).</summary>
    public IReadOnlyDictionary<string, string>? Tags { get; init; }
}

/// <summary>How a run goes on.</summary>
public sealed record ResumeOptions
{
    /// <summary>Merged over the saved params and recorded; the originals stay in the journal.</summary>
    public IReadOnlyDictionary<string, object?>? Params { get; init; }

    /// <summary>Runs from this step on, also when it or a later one is done; earlier recorded outputs are used, and a failed
    /// earlier step is jumped over because it was asked for by name.</summary>
    public string? From { get; init; }

    /// <summary>Who asks for it, for the record; null is not told.</summary>
    public string? By { get; init; }

    /// <summary>Resumes a canceled run, and one whose project folder differs.</summary>
    public bool Force { get; init; }

    /// <summary>Limits over the workflow's, recorded: they hold for later passes too. What it does not name stays.</summary>
    public Budget? Budget { get; init; }

    /// <summary>New step id → the finished step's old id.</summary>
    public IReadOnlyDictionary<string, string>? Map { get; init; }

    /// <summary>Runs finished steps again when their fingerprint changed.</summary>
    public bool RerunChanged { get; init; }

    /// <summary>Longest time since the last checkpoint before <see cref="AgeGuard"/> speaks. Default 24 h.</summary>
    public TimeSpan MaxAge { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Default <see cref="GuardPolicy.Warn"/>.</summary>
    public GuardPolicy AgeGuard { get; init; }

    /// <summary>Compares <see cref="Environment"/> with the stored one. Default <see cref="GuardPolicy.Warn"/>.</summary>
    public GuardPolicy EnvironmentGuard { get; init; }

    /// <summary>The surroundings now (see <see cref="StartOptions.Environment"/>).</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>The project folder now (see <see cref="StartOptions.ProjectPath"/>).</summary>
    public string? ProjectPath { get; init; }

    /// <summary>Called for each event, in order, on the engine's thread: keep it short.</summary>
    public Action<RunEvent>? OnEvent { get; init; }

    /// <summary>Nobody asked for it: a worker goes on, or a failed run by itself.</summary>
    internal bool IsAutomatic { get; init; }
}
