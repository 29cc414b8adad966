using System.Text.Json;
using Pawl.Engine;
using Pawl.Planning;
using Pawl.Storage;

namespace Pawl;

// Looking at runs, and steering them from outside.
public sealed partial class PawlClient
{
    /// <summary>The head of a run, or null.</summary>
    public ValueTask<RunHead?> FindAsync(string runId, CancellationToken cancellationToken = default) => Store.FindAsync(RunIds.Check(runId), cancellationToken);

    /// <summary>Heads, newest first.</summary>
    public IAsyncEnumerable<RunHead> ListAsync(RunQuery? query = null, CancellationToken cancellationToken = default) => Store.ListAsync(query ?? new RunQuery(), cancellationToken);

    /// <summary>The journal of a run.</summary>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<IReadOnlyList<Checkpoint>> HistoryAsync(string runId, CancellationToken cancellationToken = default)
    {
        var records = new List<Checkpoint>();
        await foreach (var record in Store.ReadAsync(RunIds.Check(runId), 1, cancellationToken)) records.Add(record);
        return records.Count > 0 ? records : throw new RunNotFoundException(runId);
    }

    /// <summary>The output of a checkpoint, also when it is kept beside the journal; null when it has none.</summary>
    public async Task<RawJson?> OutputAsync(string runId, Checkpoint checkpoint, CancellationToken cancellationToken = default) =>
        checkpoint.OutputRef is { } payload ? new RawJson(await Store.ReadPayloadAsync(runId, payload, cancellationToken))
        : checkpoint.Output.IsEmpty ? null : new RawJson(checkpoint.Output);

    /// <summary>The state of a run at a checkpoint.</summary>
    /// <param name="runId">The run.</param>
    /// <param name="seq">The checkpoint; null is the last.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<Snapshot> SnapshotAsync(string runId, long? seq = null, CancellationToken cancellationToken = default)
    {
        var journal = await Journal.LoadAsync(Store, _commits, RunIds.Check(runId), cancellationToken, seq ?? long.MaxValue);
        var metrics = new Dictionary<string, RawJson>();
        await foreach (var record in Store.ReadAsync(runId, 1, cancellationToken))
            if (record.Seq <= journal.Head.Seq && record is { Path: { } path, Metrics.IsEmpty: false }) metrics[path] = new RawJson(record.Metrics);
        return new Snapshot
        {
            Head = journal.Head,
            Params = ParamsOf(journal),
            State = journal.State,
            Metrics = metrics,
            Outputs = journal.Entries.Where(entry => entry is { IsDone: true, HasOutput: true }).ToDictionary(entry => entry.Path, entry => new RawJson(journal.Output(entry))),
        };
    }

    /// <summary>What the steps of a run say while another process of this machine, or this one, executes it. Returns at once; look again for more.</summary>
    /// <param name="head">The run, as <see cref="FindAsync"/> told it just now.</param>
    /// <param name="behind">The <see cref="LiveNews.Place"/> of the look before; null begins with the oldest that is kept.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <returns>Nothing when the run is not executed, or is by a process that has another <see cref="PawlOptions.LiveFolder"/> or none.</returns>
    public Task<LiveNews> LiveAsync(RunHead head, string? behind = null, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled<LiveNews>(cancellationToken) : Task.FromResult(LiveOutput.Read(this, head, behind));

    /// <summary>Who did what to a run, and when: starts, resumes, decisions, signals and the rest, oldest first. All of it follows from the journal and the messages.</summary>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<IReadOnlyList<RunAct>> ActsAsync(string runId, CancellationToken cancellationToken = default) =>
        RunAct.Of(await HistoryAsync(runId, cancellationToken), await Store.InboxAsync(runId, cancellationToken), Options.Json);

    /// <summary>The definition stored with a run (the last one it ran with), or null when it was made in code.</summary>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<WorkflowSource?> DefinitionAsync(string runId, CancellationToken cancellationToken = default)
    {
        WorkflowSource? source = null;
        foreach (var record in await HistoryAsync(runId, cancellationToken))
        {
            if (record.Kind is not (CheckpointKind.Created or CheckpointKind.Resumed) || record.Data.IsEmpty) continue;
            using var data = JsonDocument.Parse(record.Data);
            source = RunStory.SourceIn(data.RootElement, source);
        }
        return source;
    }

    /// <summary>Params of a run with all overrides; what a rerun starts with. Secrets are not among them.</summary>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public async Task<IReadOnlyDictionary<string, RawJson>> ParamsAsync(string runId, CancellationToken cancellationToken = default)
    {
        var journal = await Journal.LoadAsync(Store, _commits, RunIds.Check(runId), cancellationToken);
        journal.CreatedData!.Dispose();
        return (await SnapshotAsync(runId, null, cancellationToken)).Params;
    }

    /// <summary>Starts a new run with the params of another.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="runId">The run whose params are used.</param>
    /// <param name="overrides">Merged over them.</param>
    /// <param name="start">For the new run.</param>
    /// <param name="cancellationToken">Interrupts.</param>
    public async Task<RunResult> RerunAsync(Workflow workflow, string runId, IReadOnlyDictionary<string, object?>? overrides = null, StartOptions? start = null, CancellationToken cancellationToken = default)
    {
        var parameters = (await ParamsAsync(runId, cancellationToken)).ToDictionary(pair => pair.Key, pair => (object?)pair.Value);
        foreach (var (name, value) in overrides ?? new Dictionary<string, object?>()) parameters[name] = value;
        return await RunAsync(workflow, parameters, start, cancellationToken);
    }

    /// <summary>Cancels a run: a live process is asked to stop, a run without one is ended at once. A canceled run stays canceled.</summary>
    /// <returns>The head afterwards; its status is not yet canceled when a live process did not answer within <paramref name="patience"/>.</returns>
    /// <exception cref="IllegalTransitionException">It is completed.</exception>
    public Task<RunHead> CancelAsync(string runId, string? by = null, TimeSpan? patience = null, CancellationToken cancellationToken = default) =>
        AskAsync(runId, RunMessage.Cancel, CheckpointKind.Canceled, "canceled", by, patience, cancellationToken);

    /// <summary>Pauses a run: running steps finish, nothing new starts.</summary>
    /// <returns>The head afterwards (see <see cref="CancelAsync"/>).</returns>
    /// <exception cref="IllegalTransitionException">It is completed or canceled.</exception>
    public Task<RunHead> PauseAsync(string runId, string? by = null, TimeSpan? patience = null, CancellationToken cancellationToken = default) =>
        AskAsync(runId, RunMessage.Pause, CheckpointKind.Paused, "paused", by, patience, cancellationToken);

    async Task<RunHead> AskAsync(string runId, Func<long, string> name, CheckpointKind kind, string what, string? by, TimeSpan? patience, CancellationToken cancellationToken)
    {
        var wanted = kind == CheckpointKind.Canceled ? RunStatus.Canceled : RunStatus.Paused;
        var began = Time.GetTimestamp();
        while (true)
        {
            var head = await Store.FindAsync(RunIds.Check(runId), cancellationToken) ?? throw new RunNotFoundException(runId);
            if (head.Status == wanted) return head;
            if (Transitions.IsFinal(head.Status)) throw new IllegalTransitionException(runId, head.Status, what);
            if (head.Owner is null && await EndAsync(head, kind, what, by, cancellationToken) is { } ended) return ended;
            // A process has it: the message is bound to its token, so it cannot reach a later pass.
            await Store.PostAsync(runId, new RunMessage(name(head.Token), null, Time.GetUtcNow(), by), cancellationToken);
            if (Time.GetElapsedTime(began) > (patience ?? TimeSpan.FromSeconds(15))) return head;
            await Task.Delay(TimeSpan.FromMilliseconds(50), Time, cancellationToken);
        }
    }

    async Task<RunHead?> EndAsync(RunHead head, CheckpointKind kind, string what, string? by, CancellationToken cancellationToken)
    {
        var claim = await Store.ClaimAsync(head.RunId, Owner(), cancellationToken);
        if (claim.Lease is not { } lease) return null;
        try
        {
            var journal = await Journal.LoadAsync(Store, _commits, head.RunId, cancellationToken);
            journal.Attach(lease);
            if (Transitions.IsFinal(journal.Head.Status)) throw new IllegalTransitionException(head.RunId, journal.Head.Status, what);
            // Without its next run a schedule goes on behind it.
            if (kind == CheckpointKind.Canceled && Open(journal) is { } occurrence) await HandOnAsync(occurrence, cancellationToken);
            await ChildRuns.EndAsync(journal.Head, kind == CheckpointKind.Canceled ? CancelAsync : PauseAsync);
            if (kind == CheckpointKind.Canceled) await ChildRuns.TellAsync(Store, journal.Head, lease.Token, Time.GetUtcNow());
            await journal.AppendAsync(new Checkpoint { Kind = kind, At = Time.GetUtcNow(), Reason = $"{what} {PassRecords.Asked(by)}", Data = PassRecords.By(by) });
            journal.CreatedData!.Dispose();
            return journal.Head;
        }
        finally
        {
            await ReleaseAsync(lease);
        }
    }

    /// <summary>Removes a run whole, whatever its status, unless a live process executes it. A schedule goes on without its next run: <see cref="UnscheduleAsync"/> ends it.</summary>
    /// <returns>False when there is no such run.</returns>
    public async ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken = default)
    {
        RunHead? head = null;
        try
        {
            head = await FindAsync(runId, cancellationToken);
            if (head is not null && await OpenAsync(head, cancellationToken) is { } occurrence) await HandOnAsync(occurrence, cancellationToken);
        }
        catch (JournalCorruptException)
        {
            // Nobody could go on with it either.
        }
        var deleted = await Store.DeleteAsync(runId, cancellationToken);
        if (deleted && head is not null) await ChildRuns.TellAsync(Store, head, head.Token + 1, Time.GetUtcNow());
        return deleted;
    }

    /// <summary>Removes finished runs that the policy no longer keeps. What can still be resumed always stays, and so do the child runs of that.</summary>
    /// <returns>The heads of the runs that were removed, or would be.</returns>
    public async Task<IReadOnlyList<RunHead>> PruneAsync(RetentionPolicy policy, string? workflow = null, bool dryRun = false, CancellationToken cancellationToken = default)
    {
        var kept = new Dictionary<string, int>();
        var removed = new List<RunHead>();
        var heads = new List<RunHead>();
        await foreach (var head in Store.ListAsync(new RunQuery { Workflow = workflow, Statuses = [RunStatus.Completed, RunStatus.Canceled] }, cancellationToken)) heads.Add(head);
        foreach (var head in heads)
        {
            var newer = kept.GetValueOrDefault(head.Workflow);
            var old = policy.MaxAge is not { } age || Time.GetUtcNow() - head.UpdatedAt > age;
            if (newer < policy.KeepLast || !old || head.Owner is not null || (policy.MaxAge is null && policy.KeepLast == 0))
            {
                kept[head.Workflow] = newer + 1;
                continue;
            }
            if (await IsNeededAsync(head, cancellationToken)) continue;
            if (dryRun || await Store.DeleteAsync(head.RunId, cancellationToken)) removed.Add(head);
        }
        return removed;
    }

    /// <summary>A child run holds its result for its parent, which asks for it again whenever it goes on: without it, it would be executed a second time.</summary>
    async ValueTask<bool> IsNeededAsync(RunHead head, CancellationToken cancellationToken)
    {
        if (head.ParentRunId is not { } parent) return false;
        try { return await FindAsync(parent, cancellationToken) is { Status: not (RunStatus.Completed or RunStatus.Canceled) }; }
        catch (JournalCorruptException) { return true; }
    }

    /// <summary>Checks a run's journal from end to end, with every payload it refers to, and its messages.</summary>
    /// <returns>What is wrong; empty when all is well.</returns>
    public async Task<IReadOnlyList<string>> VerifyAsync(string runId, CancellationToken cancellationToken = default)
    {
        var problems = new List<string>();
        try
        {
            var (hash, seq, head) = ("", 0L, (RunHead?)null);
            await foreach (var record in Store.ReadAsync(RunIds.Check(runId), 1, cancellationToken))
            {
                seq++;
                if (record.Seq != seq) throw new JournalCorruptException(runId, seq, $"record {seq} is missing");
                if (!CheckpointCodec.TryDecode(record.Line, hash, out _, out var error)) throw new JournalCorruptException(runId, seq, error);
                hash = record.Hash;
                head = Transitions.Apply(head, record);
                foreach (var payload in PassRecords.Named(record))
                {
                    try { await Store.ReadPayloadAsync(runId, payload, cancellationToken); }
                    catch (JournalCorruptException corrupt) { problems.Add($"line {seq}: {corrupt.Reason}"); }
                }
            }
            if (seq == 0) throw new RunNotFoundException(runId);
        }
        catch (JournalCorruptException corrupt)
        {
            problems.Add($"line {corrupt.Line}: {corrupt.Reason}");
        }
        catch (IllegalTransitionException illegal)
        {
            problems.Add(illegal.Message);
        }
        problems.AddRange((await Store.InboxAsync(runId, cancellationToken)).Select(message => message.Damage).OfType<string>());
        return problems;
    }

    internal async Task<RunResult> ResultOfAsync(RunHead head, CancellationToken cancellationToken)
    {
        var journal = await Journal.LoadAsync(Store, _commits, head.RunId, cancellationToken);
        var steps = journal.Order.Select(entry => new StepReport(entry.Path, entry.Status!.Value, entry.Attempt, entry.Duration, true, entry.Reason, entry.Error)).ToList();
        return new RunResult
        {
            RunId = head.RunId, Workflow = head.Workflow, Status = head.Status, ErrorStep = head.ErrorStep, Error = head.Error, Steps = steps, Json = Options.Json, Saved = CostLedger.Saved(journal, steps),
            Outputs = path => journal.Find(path) is { HasOutput: true } entry ? journal.Output(entry) : null,
        };
    }
}
