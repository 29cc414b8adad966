using System.Text.Json;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl;

/// <summary>What a step's body sees. One for each attempt; its methods may be called from several threads.</summary>
public sealed class StepContext
{
    readonly Run _run;
    readonly StepAttempt _attempt;
    readonly IReadOnlyDictionary<string, RawJson> _before;
    StepState? _state;

    internal StepContext(Run run, StepAttempt attempt)
    {
        _run = run;
        _attempt = attempt;
        _before = run.State;
    }

    internal StepAttempt Attempted => _attempt;

    /// <summary>The run.</summary>
    public string RunId => _run.Id;

    /// <summary>The workflow's name.</summary>
    public string WorkflowName => _run.Workflow.Name;

    /// <summary>The step's path: <c>load</c>, <c>group/child</c>, <c>each[eu]</c>.</summary>
    public string Path => _attempt.Path;

    /// <summary>The attempt, from 1; counted over resumes.</summary>
    public int Attempt => _attempt.Number;

    /// <summary>The same for every attempt and every resume of this step: <c>run/path</c>. Hand it to services that can tell a repeated request.</summary>
    public string IdempotencyKey => $"{RunId}/{Path}";

    /// <summary>This pass goes on with a run that began earlier. The param <c>__resumed__</c> says the same.</summary>
    public bool IsResumed => _run.IsResumed;

    /// <summary>Cancelled when the run is canceled or interrupted, and at the step's time limit.</summary>
    public CancellationToken CancellationToken => _attempt.Cancellation;

    /// <summary>The run's params: the definition's defaults, then those of the start, then the overrides of resumes.</summary>
    public RunParams Params => _run.Params;

    /// <summary>What part of the data the run works on.</summary>
    public IReadOnlyDictionary<string, string> Partition => _run.Journal.Head.Partition;

    /// <summary>Shared state. Changes become visible to others, and durable, with this step's checkpoint, as a delta.</summary>
    public StepState State => _state ?? Interlocked.CompareExchange(ref _state, new StepState(_before, _run.Json), null) ?? _state;

    internal ReadOnlyMemory<byte> TakeStateDelta() => _state?.TakeDelta() ?? default;

    /// <summary>All time comes from here.</summary>
    public TimeProvider Time => _run.Time;

    /// <summary>The application's services.</summary>
    /// <exception cref="InvalidOperationException">None were given.</exception>
    public IServiceProvider Services => _run.Options.Services ?? throw new InvalidOperationException("This client was made without services: set PawlOptions.Services, or register Pawl with AddPawl().");

    /// <summary>The open transaction of a step with <see cref="StepOptions.Transactional"/>: what is written in it becomes durable with the step's checkpoint, or not at all.</summary>
    /// <exception cref="InvalidOperationException">The step is not transactional.</exception>
    public System.Data.Common.DbTransaction Transaction => _attempt.Transaction?.Transaction
        ?? throw new InvalidOperationException($"Step '{Path}' has no transaction: set StepOptions.Transactional.");

    /// <summary>Why this attempt is made.</summary>
    public string Reason => _attempt.Reason;

    /// <summary>The last progress that an earlier attempt told and a checkpoint kept, or null.</summary>
    public JsonElement? LastProgress => _run.Journal.LastProgress(Path);

    /// <summary>What earlier runs left, for steps that look back.</summary>
    public RunHistory History => _run.History;

    /// <summary>The output of a step.</summary>
    /// <exception cref="OutputMissingException">It did not succeed in this run.</exception>
    public T Output<T>(StepRef<T> step) => Output<T>(step.Path);

    /// <summary>The output of the step with this path. A path without <c>/</c> is looked up beside this step first, then outwards.</summary>
    /// <exception cref="OutputMissingException">It did not succeed in this run.</exception>
    public T Output<T>(string path) => PawlJson.Decode<T>(OutputBytes(path), _run.Json);

    /// <summary>The raw output of a step, or null when it has none.</summary>
    public RawJson? TryOutput(string path) => _run.Journal.Resolve(path, Path) is { HasOutput: true } entry ? new RawJson(_run.Journal.Output(entry)) : null;

    /// <summary>How the step with this path ended in this run, or null when it has not.</summary>
    public StepStatus? StatusOf(string path) => _run.Journal.Resolve(path, Path)?.Status;

    /// <summary>The last error of the step with this path, or null.</summary>
    public StepError? ErrorOf(string path) => _run.Journal.Resolve(path, Path)?.Error;

    /// <summary>Full paths of the steps below this one whose results are recorded and will be reused, oldest first. Computed anew at each call.</summary>
    public IReadOnlyList<string> SubSteps => [.. _run.Journal.Order.Select(entry => entry.Path).Where(path => path.Length > Path.Length && Journal.IsUnder(path, Path))];

    /// <summary>Whether a step that this one comes after failed (looking through skipped ones).</summary>
    public bool AnyFailedBefore => _attempt.FailedBefore;

    /// <summary>Runs a sub-step through the journal: a result recorded earlier is returned, otherwise the body runs and its result is recorded.</summary>
    /// <param name="name">Unique among this step's sub-steps; in a loop make it so (<c>round/3</c>).</param>
    /// <param name="body">The work.</param>
    /// <param name="options">Retry, time limit.</param>
    /// <exception cref="StepFailedException">It failed for good.</exception>
    public Task<T> StepAsync<T>(string name, Func<StepContext, Task<T>> body, StepOptions? options = null) => SubStepAsync<T>(name, Engine.Bodies.Typed(body), options);

    /// <inheritdoc cref="StepAsync{T}(string, Func{StepContext, Task{T}}, StepOptions?)"/>
    public Task<T> StepAsync<T>(string name, Func<Task<T>> body, StepOptions? options = null) => SubStepAsync<T>(name, Engine.Bodies.Typed(body), options);

    /// <summary>Runs a sub-step without a result.</summary>
    /// <exception cref="StepFailedException">It failed for good.</exception>
    public Task StepAsync(string name, Func<StepContext, Task> body, StepOptions? options = null) =>
        _run.Steps.RunSubStepAsync(_attempt, name, Engine.Bodies.Untyped(body), options ?? StepOptions.Default).AsTask();

    /// <summary>Runs a sub-step that says more than a value.</summary>
    /// <exception cref="StepFailedException">It failed for good.</exception>
    public Task StepAsync(string name, Func<StepContext, Task<StepResult>> body, StepOptions? options = null) =>
        _run.Steps.RunSubStepAsync(_attempt, name, body, options ?? StepOptions.Default).AsTask();

    /// <summary>Runs one sub-step for each item, with the path <c>name[key]</c>; results come in the items' order.</summary>
    /// <param name="name">Unique among this step's sub-steps.</param>
    /// <param name="items">The items.</param>
    /// <param name="key">A stable, unique key of an item.</param>
    /// <param name="body">The work for one item.</param>
    /// <param name="maxParallel">How many at the same time. Default 1.</param>
    /// <param name="options">For each item.</param>
    /// <exception cref="StepFailedException">An item failed for good; those under way end first.</exception>
    public async Task<IReadOnlyList<TResult>> MapAsync<T, TResult>(string name, IEnumerable<T> items, Func<T, string> key,
        Func<StepContext, T, Task<TResult>> body, int maxParallel = 1, StepOptions? options = null)
    {
        var all = items.ToList();
        var results = new TResult[all.Count];
        await FanOut.RunAsync(all.Count, maxParallel, stopOnError: true, async index =>
            results[index] = await StepAsync($"{name}[{RunIds.ToKey(key(all[index]))}]", ctx => body(ctx, all[index]), options));
        return results;
    }

    /// <summary>Runs a graph of steps below this one, with their needs, conditions and the run's failure policy.</summary>
    /// <returns>How it ended; the caller turns that into its own result.</returns>
    public Task<StepResult> RunStepsAsync(IReadOnlyList<Step> steps, int? maxParallel = null) => _run.Graph.RunNestedAsync(_attempt, steps, maxParallel);

    /// <summary>A durable pause: its end is recorded before it begins, so a resume waits only for the rest. In a worker a long one holds nothing.</summary>
    public Task SleepAsync(string name, TimeSpan duration) => _run.Steps.SleepAsync(_attempt, name, duration);

    /// <summary>Waits for a signal to this run (<see cref="PawlClient.SignalAsync"/>). One that was sent before is there at once; of several with one name the first counts.</summary>
    /// <param name="name">The signal: letters, digits and <c>. _ -</c>, at most 128. Also the name of the sub-step that keeps it.</param>
    /// <param name="timeout">Longest wait, counted from the first time that the run came here; null waits for ever.</param>
    /// <returns>The signal; <see cref="Signal.TimedOut"/> tells that none came.</returns>
    /// <remarks>When nothing else is left to do the run is parked: it holds no thread, no memory and no lease until the signal, or the time, comes.</remarks>
    /// <exception cref="InvalidDefinitionException">Checkpoints are off, and the wait would never end: nobody could send the signal.</exception>
    public async Task<Signal> WaitForSignalAsync(string name, TimeSpan? timeout = null)
    {
        if (timeout is null) MustBeKept(name, $"waits for the signal '{name}'");
        return Read<Signal>(await _run.Steps.WaitAsync(_attempt, name, RunMessage.CheckName(name), timeout, null, message => StepResult.Ok(message is null
            ? new Signal(name, null, null, _run.Time.GetUtcNow(), TimedOut: true)
            : new Signal(name, message.Body, message.By, message.At, TimedOut: false))));
    }

    void MustBeKept(string name, string what)
    {
        if (_run.Lease is null && _run.Cassette?.Find($"{Path}/{name}") is null)
            throw new InvalidDefinitionException($"Step '{Path}' {what}, and checkpoints are off: nobody could answer a run that is kept nowhere. Switch them on, or leave the step out.");
    }

    /// <summary>Asks a person (<see cref="PawlClient.ApproveAsync"/>, <see cref="PawlClient.RejectAsync"/>), and waits as <see cref="WaitForSignalAsync"/> does.</summary>
    /// <param name="request">What is asked, and what a time-out means.</param>
    /// <param name="name">The name of the sub-step that keeps the decision. Default <c>approval</c>.</param>
    /// <exception cref="StepFailedException">The time ran out and <see cref="ApprovalRequest.OnTimeout"/> is <see cref="TimeoutAction.Fail"/>.</exception>
    /// <exception cref="InvalidDefinitionException">Checkpoints are off: nobody could decide.</exception>
    public async Task<Approval> RequestApprovalAsync(ApprovalRequest request, string name = "approval")
    {
        var path = $"{Path}/{name}";
        if (_run.Options.Approvals.Decide(request) is { } rule)
            return Read<Approval>(await _run.Steps.RunSubStepAsync(_attempt, name, _ => Task.FromResult(StepResult.Ok(rule)), StepOptions.Default));
        MustBeKept(name, "asks a person");
        var earlier = _run.Journal.Find(path);
        if (earlier is { IsDone: true, Reason: Planning.ForkPlanner.SetByFork })
            throw new InvalidDefinitionException($"The decision '{path}' was set by a fork. A person decides: fork again without it.");
        var isStep = (_run.Workflow.Find(Path) ?? _run.Seen.GetValueOrDefault(Path))?.Kind == "approval";
        return Read<Approval>(await _run.Steps.WaitAsync(_attempt, name, Approval.SignalFor(path, earlier?.Results ?? 0), request.Timeout, request.Message, message =>
        {
            if (message is null) return Approval.AfterTimeout(request);
            var decided = Approval.From(message, _run.Json);
            return decided.IsApproved ? StepResult.Ok(decided) with { Info = Approval.Mark(isStep) } : StepResult.Ok(decided);
        }));
    }

    /// <summary>Runs another workflow as a run of its own; its id follows from this run and the path, so a resume goes on with it.</summary>
    /// <returns>The output of its last step.</returns>
    /// <exception cref="StepFailedException">It did not complete.</exception>
    public Task<RunResult> RunChildAsync(string name, Workflow workflow, IReadOnlyDictionary<string, object?>? parameters = null) =>
        _run.Children.RunAsync(_attempt, name, workflow, parameters);

    /// <summary>Tells how far this step is. Shown at once; kept with the next checkpoint of this step or of one of its sub-steps.</summary>
    /// <param name="fraction">0..1.</param>
    /// <param name="message">For people.</param>
    public void ReportProgress(double fraction, string? message = null) => _run.ReportProgress(_attempt, fraction, message);

    /// <summary>Shows a line of output to whoever watches. Not kept.</summary>
    public void Write(string line, bool isError = false) => _run.Publish(new RunEvent.Output(Time.GetUtcNow(), Path, line, isError));

    /// <summary>Shows a warning to whoever watches, and logs it.</summary>
    public void Warn(string message) => _run.Warn(message);

    internal System.Text.Json.JsonSerializerOptions Json => _run.Json;

    async Task<T> SubStepAsync<T>(string name, Func<StepContext, Task<StepResult>> body, StepOptions? options) =>
        Read<T>(await _run.Steps.RunSubStepAsync(_attempt, name, body, options ?? StepOptions.Default));

    T Read<T>(StepOutcome outcome) => outcome.HasOutput ? PawlJson.Decode<T>(outcome.Output, _run.Json) : default!;

    ReadOnlyMemory<byte> OutputBytes(string path)
    {
        var entry = _run.Journal.Resolve(path, Path);
        return entry switch
        {
            null => throw new OutputMissingException($"Step '{path}' has not run in this run, so it has no output. Does '{Path}' need it?"),
            { HasOutput: true } => _run.Journal.Output(entry),
            _ => throw new OutputMissingException($"Step '{path}' {entry.Status?.ToString().ToLowerInvariant()} and has no output."),
        };
    }
}
