using System.Text.Json;
using Pawl.Diagnostics;
using Pawl.Engine;
using Pawl.Planning;
using Pawl.Storage;

namespace Pawl;

/// <summary>The one door: start, resume, look at and steer runs. Thread safe; one client serves any number of runs.</summary>
public sealed partial class PawlClient : IAsyncDisposable
{
    readonly CommitQueue _commits;
    readonly RunNames _names = new();

    internal LeaseKeeper Keeper { get; }

    internal StoreAbsence Absence { get; }

    /// <summary>Makes a client of a store.</summary>
    public PawlClient(ICheckpointStore store, PawlOptions? options = null)
    {
        (Store, Options) = (store, options ?? new PawlOptions());
        _commits = new CommitQueue(store, Options);
        Absence = new StoreAbsence(Options.Logging.CreateLogger("Pawl.Store"), Options.Time);
        Keeper = new LeaseKeeper(store, Options, Absence);
    }

    /// <summary>Where the runs live.</summary>
    public ICheckpointStore Store { get; }

    // One clock for all who share the store: the machines' own may differ.
    internal TimeProvider Time => Store.Info.Clock ?? Options.Time;

    /// <summary>The settings; not to be changed while runs execute.</summary>
    public PawlOptions Options { get; }

    /// <summary>Opens a client by the store's URI: <c>memory:</c> or <c>file:DIRECTORY</c>.</summary>
    /// <exception cref="ArgumentException">The kind of store is unknown.</exception>
    public static PawlClient Open(string storeUri, PawlOptions? options = null) => new(StoreUri.Open(storeUri, options?.Time), options);

    /// <summary>Starts a run and executes it to the end of its pass.</summary>
    /// <param name="workflow">The definition.</param>
    /// <param name="parameters">Values by name; null is none.</param>
    /// <param name="start">Run id, tags, events.</param>
    /// <param name="cancellationToken">Interrupts: running steps are stopped, the journal is closed, the run is paused and can be resumed.</param>
    /// <returns>How the pass ended. A failed step is a result, not an exception. A run in which everything waits for signals ends its pass as
    /// <see cref="RunStatus.Waiting"/>; resume it when they have come.</returns>
    /// <exception cref="InvalidDefinitionException">The params do not fit their declarations.</exception>
    /// <exception cref="RunExistsException">The run id is taken.</exception>
    public async Task<RunResult> RunAsync(Workflow workflow, IReadOnlyDictionary<string, object?>? parameters = null, StartOptions? start = null, CancellationToken cancellationToken = default)
    {
        start ??= new StartOptions();
        var result = await StartAsync(workflow, parameters, start, new ResumeOptions { OnEvent = start.OnEvent }, Parking.ForMessages, cancellationToken);
        return await FollowAsync(workflow, result, new ResumeOptions { OnEvent = start.OnEvent }, cancellationToken);
    }

    /// <summary>One pass: of a new run, or of the one that has the id.</summary>
    internal async Task<RunResult> StartAsync(Workflow workflow, IReadOnlyDictionary<string, object?>? parameters, StartOptions start, ResumeOptions join, Parking parking, CancellationToken cancellationToken)
    {
        var given = Encode(parameters);
        var bound = ParamBinder.Bind(workflow, given);
        start.Select?.In(workflow);
        if (!Options.Checkpointing || workflow.Options.Strategy == CheckpointStrategy.Off) return await RunWithoutStoreAsync(workflow, given, bound, start, cancellationToken);

        var journal = new Journal(Store, _commits, keep: true) { Strategy = workflow.Options.Strategy, Durability = workflow.Options.Durability };
        RunLease? lease = null;
        for (var taken = 0; lease is null; taken++)
        {
            var runId = RunIds.Check(start.RunId ?? _names.Next(workflow.Name, Time.GetUtcNow(), taken));
            // Durable from here: the run exists. A crash before the next record leaves it pending, and a resume begins it.
            var created = await Store.CreateAsync(journal.Begin(PassRecords.Created(runId, workflow, given, start, Time, start.Queue)), journal.Head, Owner(), cancellationToken);
            lease = created.Lease;
            if (created.Existing is not { } existing || start.RunId is null) continue;
            if (start.IfExists == ExistingRun.Refuse) throw new RunExistsException(runId);
            if (existing.Status == RunStatus.Completed) return await ResultOfAsync(existing, cancellationToken);
            return await GoOnAsync(workflow, runId, join, parking, cancellationToken);
        }
        return await PassAsync(workflow, journal, lease, bound, start.OnEvent, start.Select, PassRecords.Resumed(workflow, null, null, null, null, lease.Token, Time), [], [], parking, start.Cassette, cancellationToken);
    }

    /// <summary>Goes on with a run: finished steps are reused, the rest runs.</summary>
    /// <param name="workflow">The definition as it is now.</param>
    /// <param name="runId">The run; null is the newest that can be resumed.</param>
    /// <param name="resume">Overrides, where to begin, guards.</param>
    /// <param name="cancellationToken">Interrupts, as for <see cref="RunAsync"/>.</param>
    /// <exception cref="ResumeRefusedException">It cannot go on as asked; the refusal names the mend.</exception>
    public async Task<RunResult> ResumeAsync(Workflow workflow, string? runId = null, ResumeOptions? resume = null, CancellationToken cancellationToken = default)
    {
        runId ??= (await NewestResumableAsync(workflow.Name, cancellationToken)
            ?? throw new ResumeRefusedException(new Refusal(RefusalReason.NothingToResume, $"No run of '{workflow.Name}' in this store can be resumed.", "'pawl list' shows what is there."))).RunId;
        resume ??= new ResumeOptions();
        return await FollowAsync(workflow, await GoOnAsync(workflow, runId, resume, Parking.ForMessages, cancellationToken), resume, cancellationToken);
    }

    async Task<RunResult> GoOnAsync(Workflow workflow, string runId, ResumeOptions resume, Parking parking, CancellationToken cancellationToken)
    {
        var (lease, notice) = await ClaimAsync(runId, cancellationToken);
        return await GoOnAsync(workflow, lease, notice, resume, parking, cancellationToken);
    }

    /// <summary>A pass over a run that was claimed. Whatever happens, the lease is given back.</summary>
    internal async Task<RunResult> GoOnAsync(Workflow workflow, RunLease lease, string? notice, ResumeOptions resume, Parking parking, CancellationToken cancellationToken)
    {
        Journal? journal = null;
        var begun = false;
        try
        {
            journal = await Journal.LoadAsync(Store, _commits, lease.RunId, cancellationToken);
            var plan = ResumePlanner.Plan(workflow, journal, resume, Time.GetUtcNow());
            if (parking == Parking.ForMessages && plan.Refusals.Count == 0 && await StillWaitsAsync(journal.Head, cancellationToken) is { } waits) throw new ResumeRefusedException(waits);
            if (plan.Refusals.Count > 0) throw new ResumeRefusedException(plan.Refusals[0]);
            // A worker has done so already.
            if (parking.Executes is null && Open(journal) is { } occurrence) await HandOnAsync(occurrence, cancellationToken);
            var overrides = Encode(resume.Params);
            var bound = ParamBinder.Bind(workflow, Merge(ParamsOf(journal), overrides));
            bound["__resumed__"] = new RawJson("true"u8.ToArray());
            journal.Strategy = workflow.Options.Strategy;
            journal.Durability = StoredDurability(journal) ?? workflow.Options.Durability;
            var record = PassRecords.Resumed(workflow, plan, resume, overrides, Stored(journal, "fingerprint"), lease.Token, Time, resume.IsAutomatic ? AutoResume.Next(journal) : 0, NewFolder(workflow, journal, parking));
            var migrated = plan.Migrated?.Records(journal, plan.Map, Time.GetUtcNow()).ToList() ?? [];
            var jumped = plan.Steps.Where(step => step.Decision == StepDecision.Skip).Select(step => step.Path).ToList();
            foreach (var warning in notice is null ? plan.Warnings : [notice, .. plan.Warnings]) resume.OnEvent?.Invoke(new RunEvent.Warning(Time.GetUtcNow(), warning));
            begun = true;
            return await PassAsync(workflow, journal, lease, bound, resume.OnEvent, plan.Select, record, migrated, jumped, parking, null, cancellationToken);
        }
        finally
        {
            if (!begun)
            {
                journal?.CreatedData?.Dispose();
                await ReleaseAsync(lease);
            }
        }
    }

    /// <summary>What a resume would do. Reads only; nothing is claimed.</summary>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    /// <exception cref="InvalidDefinitionException">A param of <paramref name="resume"/> is unknown or has a wrong value, or the part that it selects cannot be run.</exception>
    public async Task<ResumePlan> PlanAsync(Workflow workflow, string runId, ResumeOptions? resume = null, CancellationToken cancellationToken = default)
    {
        var journal = await Journal.LoadAsync(Store, _commits, RunIds.Check(runId), cancellationToken);
        if (resume?.Params is { Count: > 0 } given) CheckParams(workflow, journal, Encode(given));
        var plan = ResumePlanner.Plan(workflow, journal, resume ?? new ResumeOptions(), Time.GetUtcNow());
        if (await Store.FindAsync(runId, cancellationToken) is { Owner: { } owner }) return plan with { Refusals = [.. plan.Refusals, Held(runId, owner)] };
        return await StillWaitsAsync(journal.Head, cancellationToken) is { } waits ? plan with { Refusals = [.. plan.Refusals, waits] } : plan;
    }

    /// <summary>What is wrong with them the resume would refuse; what is missing, such as a secret, may be there when it is made.</summary>
    static void CheckParams(Workflow workflow, Journal journal, Dictionary<string, RawJson> given)
    {
        try { ParamBinder.Bind(workflow, Merge(ParamsOf(journal), given)); }
        catch (InvalidDefinitionException wrong) when (!wrong.Params.Keys.Any(given.ContainsKey)) { }
    }

    /// <summary>The newest run that can be resumed and that no live process executes, or null. A schedule's next run is none.</summary>
    public async Task<RunHead?> NewestResumableAsync(string? workflow = null, CancellationToken cancellationToken = default)
    {
        var query = new RunQuery { Workflow = workflow, Statuses = [RunStatus.Pending, RunStatus.Running, RunStatus.Waiting, RunStatus.Paused, RunStatus.Failed] };
        await foreach (var head in Store.ListAsync(query, cancellationToken))
            if (head.Owner is null && head.ParentRunId is null && !Schedule.IsAhead(head)) return head;
        return null;
    }

    async Task<RunResult> PassAsync(Workflow workflow, Journal journal, RunLease lease, Dictionary<string, RawJson> bound, Action<RunEvent>? onEvent, StepSelection? select,
        Checkpoint begin, IReadOnlyList<Checkpoint> migrated, List<string> jumped, Parking parking, Cassette? cassette, CancellationToken cancellationToken)
    {
        using var live = LiveOutput.Begin(this, lease);
        var run = new Run(this, workflow, journal, new RunParams(bound, Options.Json), isResumed: begin.Reason is not null, live is null ? onEvent : live.With(onEvent), select, parking) { Cassette = cassette };
        try
        {
            journal.Attach(lease);
            // The pass is durable before its first step: from here the run counts as running, under this token.
            if (!await run.Steps.AppendAsync(begin, marked: true, null, with: migrated)) run.Publish(new RunEvent.Warning(Time.GetUtcNow(), run.StopCause!.Message));
            foreach (var path in jumped) await run.Steps.RecordAsync(path, StepStatus.Skipped, SkipCause.Unchanged, "jumped over by request", failedBefore: false);
            return await RunExecutor.ExecuteAsync(run, lease, cancellationToken);
        }
        finally
        {
            journal.CreatedData?.Dispose();
            await ReleaseAsync(lease);
        }
    }

    async Task<RunResult> RunWithoutStoreAsync(Workflow workflow, Dictionary<string, RawJson> given, Dictionary<string, RawJson> bound, StartOptions start, CancellationToken cancellationToken)
    {
        if (start.Cassette is null && Asking(workflow, start.Select) is { } asks)
            throw new InvalidDefinitionException($"Step '{asks}' asks a person, and checkpoints are off: nobody could answer a run that is kept nowhere. Switch them on, or leave the step out.");
        var journal = new Journal(Store, _commits, keep: false);
        var runId = RunIds.Check(start.RunId ?? _names.Next(workflow.Name, Time.GetUtcNow(), taken: 0));
        journal.Begin(PassRecords.Created(runId, workflow, given, start, Time));
        var run = new Run(this, workflow, journal, new RunParams(bound, Options.Json), isResumed: false, start.OnEvent, start.Select, Parking.Never) { Cassette = start.Cassette };
        await journal.AppendAsync(PassRecords.Resumed(workflow, null, null, null, null, 1, Time));
        return await RunExecutor.ExecuteAsync(run, null, cancellationToken);
    }

    /// <summary>The first step that certainly asks a person; whether one behind a condition does is seen when it comes to it.</summary>
    string? Asking(Workflow workflow, StepSelection? select)
    {
        var selected = select?.In(workflow);
        return In([.. workflow.Steps.Where(step => selected?.Contains(step.Id) != false)], "");

        string? In(IReadOnlyList<Step> steps, string prefix)
        {
            var byId = steps.ToDictionary(step => step.Id);
            return steps.Where(step => step.Kind is "approval" or "group" && IsCertain(step)).Select(step => step.Kind == "group" ? In(step.Children, $"{prefix}{step.Id}/")
                : Options.Approvals.Decide(new ApprovalRequest("") { Operation = step.Operation }) is null ? prefix + step.Id : null).FirstOrDefault(found => found is not null);

            bool IsCertain(Step step) => step.Condition is null && ResumePlanner.Ancestors(steps, step.Id).All(id => !byId.TryGetValue(id, out var before) || before.Condition is null);
        }
    }

    /// <summary>A run that goes on by itself does so here, while this process lives. The time and the count are the journal's: see <see cref="AutoResume"/>.</summary>
    async Task<RunResult> FollowAsync(Workflow workflow, RunResult result, ResumeOptions asked, CancellationToken cancellationToken)
    {
        // The guards are those of the start or resume; what else was asked for is done, and recorded.
        var again = new ResumeOptions
        {
            IsAutomatic = true, OnEvent = asked.OnEvent, MaxAge = asked.MaxAge, AgeGuard = asked.AgeGuard, EnvironmentGuard = asked.EnvironmentGuard, Environment = asked.Environment, ProjectPath = asked.ProjectPath,
        };
        while (result.ResumesAt is { } at)
        {
            try
            {
                if (at - Time.GetUtcNow() is { Ticks: > 0 } rest) await Task.Delay(rest, Time, cancellationToken);
                result = await GoOnAsync(workflow, result.RunId, again, Parking.ForMessages, cancellationToken);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested) { break; }
            catch (ResumeRefusedException)
            {
                // Someone else has gone on with it, or canceled it.
                break;
            }
        }
        return result;
    }

    async Task<(RunLease Lease, string? Notice)> ClaimAsync(string runId, CancellationToken cancellationToken)
    {
        var claim = await Store.ClaimAsync(RunIds.Check(runId), Owner(), cancellationToken);
        if (claim.HeldBy is { } owner) throw new ResumeRefusedException(Held(runId, owner));
        return (claim.Lease ?? throw new RunNotFoundException(runId), claim.Notice);
    }

    /// <summary>What the pass recorded is durable whether or not its lease can be given back; a lease ends with its process.</summary>
    async ValueTask ReleaseAsync(RunLease lease)
    {
        try { await Store.ReleaseAsync(lease, CancellationToken.None); }
        catch (IOException error) { Diagnostics.Log.Warning(Options.Logging.CreateLogger("Pawl.Run"), lease.RunId, $"The lease could not be released: {error.Message}"); }
    }

    static Refusal Held(string runId, RunOwner owner) =>
        new(RefusalReason.Held, $"Run '{runId}' is executed by {owner}.", $"Wait for it, or stop it with 'pawl cancel {runId}' or 'pawl pause {runId}'.");

    internal RunOwner Owner() => new(Environment.ProcessId, Environment.MachineName, Time.GetUtcNow(), Environment.ProcessPath is { } path ? Path.GetFileName(path) : null);

    Dictionary<string, RawJson> Encode(IReadOnlyDictionary<string, object?>? values) =>
        values?.ToDictionary(pair => pair.Key, pair => pair.Value is JsonElement json ? RawJson.Parse(json.GetRawText()) : PawlJson.Encode(pair.Value, Options.Json)) ?? [];

    static Dictionary<string, RawJson> Merge(Dictionary<string, RawJson> under, Dictionary<string, RawJson> over)
    {
        foreach (var (name, value) in over) under[name] = value;
        return under;
    }

    static Dictionary<string, RawJson> ParamsOf(Journal journal)
    {
        var values = Read(journal.CreatedData!.RootElement);
        foreach (var pass in journal.Passes.Where(pass => !pass.Data.IsEmpty))
        {
            using var data = JsonDocument.Parse(pass.Data);
            Merge(values, Read(data.RootElement));
        }
        return values;

        static Dictionary<string, RawJson> Read(JsonElement data) => data.TryGetProperty("params", out var values)
            ? values.EnumerateObject().ToDictionary(value => value.Name, value => RawJson.Parse(value.Value.GetRawText())) : [];
    }

    /// <summary>The folder of this pass, when it is another one than the run's until now. A worker's is its own, and not the run's.</summary>
    static string? NewFolder(Workflow workflow, Journal journal, Parking parking) =>
        parking.Executes is null && workflow.Source?.Folder is { } folder && folder != Stored(journal, "folder") ? folder : null;

    /// <summary>What the last record tells of those that begin the run and its passes.</summary>
    static string? Stored(Journal journal, string fact)
    {
        var stored = journal.CreatedData!.RootElement.TryGetProperty(fact, out var first) ? first.GetString() : null;
        foreach (var pass in journal.Passes.Where(pass => !pass.Data.IsEmpty))
        {
            using var data = JsonDocument.Parse(pass.Data);
            if (data.RootElement.TryGetProperty(fact, out var later)) stored = later.GetString();
        }
        return stored;
    }

    static Durability? StoredDurability(Journal journal) =>
        journal.CreatedData!.RootElement.TryGetProperty("durability", out var stored) && Enum.TryParse<Durability>(stored.GetString(), ignoreCase: true, out var mode) ? mode : null;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => Store.DisposeAsync();
}
