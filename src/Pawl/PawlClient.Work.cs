using Pawl.Engine;
using Pawl.Scheduling;
using Pawl.Storage;

namespace Pawl;

// Queues, signals and decisions.
public sealed partial class PawlClient
{
    /// <summary>Puts a run into a queue; a worker executes it (<see cref="PawlWorker"/>). Durable when this returns, or with <see cref="EnqueueOptions.Transaction"/>.</summary>
    /// <param name="workflow">The definition. One that carries its source can be executed by any worker, one in code by workers that have it, in this version.</param>
    /// <param name="parameters">Values by name; null is none.</param>
    /// <param name="enqueue">Queue, priority, delay, your transaction.</param>
    /// <param name="start">Run id, partition, tags. With a run id the same run is enqueued once, however often this is called.</param>
    /// <param name="cancellationToken">Stops before the run exists.</param>
    /// <returns>The head of the run: the new one, or the one that had the id already.</returns>
    /// <exception cref="InvalidDefinitionException">The params do not fit their declarations, or the part of the workflow that is asked for cannot be run.</exception>
    /// <exception cref="ArgumentException">The transaction is over, or of another database than the store's.</exception>
    public async Task<RunHead> EnqueueAsync(Workflow workflow, IReadOnlyDictionary<string, object?>? parameters = null, EnqueueOptions? enqueue = null, StartOptions? start = null, CancellationToken cancellationToken = default)
    {
        start ??= new StartOptions();
        enqueue ??= new EnqueueOptions();
        RunIds.Check(enqueue.Queue);
        var given = Encode(parameters);
        ParamBinder.Bind(workflow, given);
        start.Select?.In(workflow);
        for (var taken = 0; ; taken++)
        {
            var runId = RunIds.Check(start.RunId ?? _names.Next(workflow.Name, Time.GetUtcNow(), taken));
            var record = CheckpointCodec.Encode(PassRecords.Created(runId, workflow, given, start, Time, enqueue), 1, more: false, "");
            var head = Transitions.Apply(null, record);
            var existing = enqueue.Transaction is { } transaction
                ? await InDatabase().CreateAsync(transaction, record, head, cancellationToken)
                : (await Store.CreateAsync(record, head, null, cancellationToken)).Existing;
            if (existing is null) return head;
            if (start.RunId is not null) return existing;
        }
    }

    ITransactionalStore InDatabase() => Store as ITransactionalStore
        ?? throw new ArgumentException($"The store {Store.Info.Uri} is in no database, so that no transaction can create a run in it: use a SQLite or PostgreSQL store, or enqueue without a transaction.");

    /// <summary>Sends a signal to a run: it is kept, and wakes the run if it waits for it. The first one to a name counts.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="name">Letters, digits and <c>. _ -</c>, at most 128.</param>
    /// <param name="body">What the waiting step gets; null is nothing.</param>
    /// <param name="by">Who sends it, for the record.</param>
    /// <param name="cancellationToken">Stops before it is sent.</param>
    /// <returns>False when the run had a signal of this name already.</returns>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<bool> SignalAsync(string runId, string name, object? body = null, string? by = null, CancellationToken cancellationToken = default) =>
        await Store.PostAsync(RunIds.Check(runId), new RunMessage(RunMessage.CheckName(name), body is null ? null : PawlJson.Encode(body, Options.Json), Time.GetUtcNow(), by), cancellationToken);

    /// <summary>Approves what a step of a run asks, perhaps with changes.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="step">The step that asks, or one above it.</param>
    /// <param name="by">Who decides.</param>
    /// <param name="reason">Why.</param>
    /// <param name="changes">What should be different, for the step to take up.</param>
    /// <param name="cancellationToken">Stops before it is sent.</param>
    /// <returns>False when it was decided already: the first decision stays.</returns>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    /// <exception cref="ArgumentException">No single request of the run fits the step.</exception>
    public Task<bool> ApproveAsync(string runId, string step, string? by = null, string? reason = null, object? changes = null, CancellationToken cancellationToken = default) =>
        DecideAsync(runId, step, Decision.Approved, by, reason, changes, cancellationToken);

    /// <summary>Rejects what a step of a run asks.</summary>
    /// <returns>False when it was decided already: the first decision stays.</returns>
    /// <inheritdoc cref="ApproveAsync"/>
    public Task<bool> RejectAsync(string runId, string step, string? by = null, string? reason = null, CancellationToken cancellationToken = default) =>
        DecideAsync(runId, step, Decision.Rejected, by, reason, null, cancellationToken);

    /// <summary>What a run asks of people now. Of one that waits its head tells; of one whose steps go on beside the question the journal does, which is read for it.</summary>
    /// <param name="head">The run, as <see cref="FindAsync"/> or a list told it just now.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="RunNotFoundException">It was removed meanwhile.</exception>
    public async Task<IReadOnlyList<Wait>> QuestionsAsync(RunHead head, CancellationToken cancellationToken = default) => head.Status == RunStatus.Running
        ? [.. new RunStory(head, await HistoryAsync(head.RunId, cancellationToken)).Questions]
        : [.. head.Waits.Where(wait => wait.Message is not null)];

    async Task<bool> DecideAsync(string runId, string step, Decision decision, string? by, string? reason, object? changes, CancellationToken cancellationToken)
    {
        var head = await FindAsync(runId, cancellationToken) ?? throw new RunNotFoundException(runId);
        var asked = await QuestionsAsync(head, cancellationToken);
        var fitting = asked.Where(wait => Journal.IsUnder(wait.Path, step)).ToList();
        if (fitting.Count != 1)
        {
            var open = asked.Count == 0 ? $"run '{runId}' ({head.Status.ToString().ToLowerInvariant()}) asks for no approval at the moment" : $"run '{runId}' asks in {string.Join(", ", asked.Select(wait => $"'{wait.Path}'"))}";
            throw new ArgumentException(fitting.Count == 0 ? $"Step '{RunIds.Printable(step)}' asks for no approval: {open}." : $"Several requests are below '{step}': {open}. Name one.");
        }
        var approval = new Approval(decision, by, reason, changes is null ? null : PawlJson.Encode(changes, Options.Json));
        return await Store.PostAsync(runId, new RunMessage(fitting[0].Signal!, PawlJson.Encode(approval, Options.Json), Time.GetUtcNow(), by), cancellationToken);
    }

    /// <summary>Puts a run that failed, was paused, or is a dead letter back into its queue; a worker goes on with it.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="by">Who asks, for the record.</param>
    /// <param name="cancellationToken">Stops before it is put back.</param>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    /// <exception cref="ResumeRefusedException">It is held, over, or was never in a queue.</exception>
    public async Task<RunHead> RequeueAsync(string runId, string? by = null, CancellationToken cancellationToken = default)
    {
        var (lease, _) = await ClaimAsync(runId, cancellationToken);
        try
        {
            var journal = await Journal.LoadAsync(Store, _commits, runId, cancellationToken);
            journal.CreatedData!.Dispose();
            journal.Attach(lease);
            if (journal.Head.Queue is null) throw new ResumeRefusedException(new Refusal(RefusalReason.NothingToResume, $"Run '{runId}' was never in a queue.", $"'pawl resume {runId}' goes on with it here."));
            if (!Transitions.CanResume(journal.Head.Status, force: false)) throw new ResumeRefusedException(new Refusal(journal.Head.Status == RunStatus.Completed ? RefusalReason.Completed : RefusalReason.Canceled, $"Run '{runId}' is {journal.Head.Status.ToString().ToLowerInvariant()}.", $"'pawl rerun {runId}' starts a new run."));
            var now = Time.GetUtcNow();
            await journal.AppendAsync(Begin(journal, lease, Occurrence.PutBack, now, by));
            await journal.AppendAsync(PassRecords.Waiting([new Wait("", null, now)], 0, Occurrence.PutBack, now));
            return journal.Head;
        }
        finally
        {
            await ReleaseAsync(lease);
        }
    }

    /// <summary>A pass of a worker over a run that it took.</summary>
    /// <returns>The definition of a run that ended for good.</returns>
    internal async Task<Workflow?> ExecuteAsync(TakenRun taken, Workflow? workflow, WorkerOptions worker, Func<Workflow, bool> executes, CancellationToken handOver)
    {
        var (lease, head) = taken;
        if (head.Tags.ContainsKey(Occurrence.Tag) && await SettleAsync(lease, head)) return null;
        if (head.Status == RunStatus.Running && head.Recoveries >= worker.MaxRecoveries)
        {
            await FailAsync(lease, new StepError(RunHead.DeadLetterType, $"its process died {head.Recoveries + 1} times in a row without a step finished in between", ErrorClass.Critical));
            return null;
        }
        // No guard of a person's resume applies: age and surroundings differ between workers as a matter of course.
        var resume = new ResumeOptions { AgeGuard = GuardPolicy.Ignore, EnvironmentGuard = GuardPolicy.Ignore, IsAutomatic = true };
        try
        {
            workflow ??= Load(worker, await DefinitionAsync(lease.RunId, CancellationToken.None) ?? throw new JournalCorruptException(lease.RunId, 1, "it should hold its definition"));
            var result = await GoOnAsync(workflow, lease, null, resume, Parking.InWorker(executes), handOver);
            return Transitions.IsFinal(result.Status) ? workflow : null;
        }
        catch (Exception error) when (error is ResumeRefusedException or InvalidDefinitionException)
        {
            // Left as it is it would be taken again at once, here or elsewhere, with the same end.
            await ReleaseAsync(lease);
            if ((await Store.ClaimAsync(lease.RunId, Owner(), CancellationToken.None)).Lease is { } again)
                await FailAsync(again, new StepError("refused", error.Message, ErrorClass.Permanent));
            throw;
        }
        catch (JournalCorruptException)
        {
            // Nobody can go on with it, and it is due: it is kept for as long as a lease lasts, so that it is not taken again at once, and again.
            await ReleaseAsync(lease);
            if (Store.Info.LeaseTime is not null) await Store.ClaimAsync(lease.RunId, Owner(), CancellationToken.None);
            throw;
        }
    }

    static Workflow Load(WorkerOptions worker, WorkflowSource source)
    {
        try { return worker.Definitions!(source); }
        catch (Exception error) { throw new InvalidDefinitionException($"The definition that travels with the run cannot be used by this worker: {error.Message}"); }
    }

    /// <summary>Ends a run without a pass over it.</summary>
    async Task FailAsync(RunLease lease, StepError error)
    {
        try
        {
            var journal = await Journal.LoadAsync(Store, _commits, lease.RunId, CancellationToken.None);
            journal.CreatedData!.Dispose();
            journal.Attach(lease);
            var now = Time.GetUtcNow();
            if (journal.Head.Status != RunStatus.Running) await journal.AppendAsync(Begin(journal, lease, "taken by a worker", now));
            await ChildRuns.TellAsync(Store, journal.Head, lease.Token, now);
            await journal.AppendAsync(new Checkpoint { Kind = CheckpointKind.Failed, At = now, Error = error });
        }
        finally
        {
            await ReleaseAsync(lease);
        }
    }

    static Checkpoint Begin(Journal journal, RunLease lease, string reason, DateTimeOffset now, string? by = null) => new()
    {
        Kind = CheckpointKind.Resumed, At = now, Token = lease.Token, Reason = reason, Data = PassRecords.Write(w =>
        {
            w.WriteNumber("done", journal.Head.Done);
            if (by is not null) w.WriteString("by", by);
        }),
    };

    /// <summary>A run that waits goes on only when something came, or its time.</summary>
    internal async Task<Refusal?> StillWaitsAsync(RunHead head, CancellationToken cancellationToken)
    {
        if (head.Status != RunStatus.Waiting || head.WakeAt <= Time.GetUtcNow()) return null;
        if ((await Store.InboxAsync(head.RunId, cancellationToken)).Count > head.Seen) return null;
        foreach (var wait in head.Waits.Where(wait => wait.IsChildRun))
            if (await FindAsync(RunIds.Child(head.RunId, wait.Path), cancellationToken) is not { } child || (child.Owner is null && child.Status != RunStatus.Paused && await StillWaitsAsync(child, cancellationToken) is null)) return null;
        var first = head.Waits[0];
        if (first.IsChildRun)
        {
            var child = RunIds.Child(head.RunId, first.Path);
            return new Refusal(RefusalReason.Waiting, $"Run '{head.RunId}' waits in '{first.Path}' for the end of its child run '{child}'.", $"'pawl status {child}' shows what that one needs to go on.");
        }
        var what = first.Message is { } question ? $"a decision: {question}" : first.Signal is { } signal ? $"the signal '{signal}'" : $"{first.Due:yyyy-MM-dd HH:mm:ss}Z";
        var mend = first.Message is not null ? $"Decide with 'pawl approve {head.RunId} {first.Path}' or 'pawl reject …', then resume."
            : first.Signal is { } name ? $"Send it with 'pawl signal {head.RunId} {name}', then resume." : "Resume it then.";
        return new Refusal(RefusalReason.Waiting, $"Run '{head.RunId}' waits in '{first.Path}' for {what}.", mend);
    }
}
