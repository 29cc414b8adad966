using System.Text.Json;
using Pawl.Engine;

namespace Pawl;

/// <summary>Builds a <see cref="Workflow"/>. Not thread safe.</summary>
/// <remarks>A step without <see cref="StepBuilder.Needs"/> comes after the step above it. <c>Needs()</c> with no argument lets it begin at once.</remarks>
public sealed class WorkflowBuilder
{
    readonly string _name;
    readonly int _version;
    readonly List<WorkflowParam> _params = [];
    readonly StepListBuilder _steps = new("");
    readonly List<Migration> _migrations = [];
    WorkflowOptions _options = new();
    WorkflowSource? _source;
    string? _description;

    internal WorkflowBuilder(string name, int version)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentOutOfRangeException.ThrowIfLessThan(version, 1);
        _name = name;
        _version = version;
    }

    /// <summary>Declares a param; once one is declared, unknown params are refused.</summary>
    public WorkflowBuilder Param(WorkflowParam param) { _params.Add(param); return this; }

    /// <summary>Declares an optional param with its default.</summary>
    public WorkflowBuilder Param<T>(string name, T value) =>
        Param(new WorkflowParam(name, PawlJson.TypeName(typeof(T)), PawlJson.Encode(value, PawlJson.Default)));

    /// <summary>Sets what holds for all steps.</summary>
    public WorkflowBuilder Options(WorkflowOptions options) { _options = options; return this; }

    /// <summary>For people.</summary>
    public WorkflowBuilder Describe(string text) { _description = text; return this; }

    /// <summary>Keeps the text the workflow was made from.</summary>
    public WorkflowBuilder Source(WorkflowSource source) { _source = source; return this; }

    /// <summary>Says how a run that was begun under version <paramref name="from"/> goes on under version <paramref name="to"/>: outputs and state of
    /// finished steps change, steps get other names. Several make a chain.</summary>
    public WorkflowBuilder Migrate(int from, int to, Action<RunMigration> change) { _migrations.Add(new Migration(from, to, change)); return this; }

    /// <summary>Adds a step with a typed output.</summary>
    public StepRef<T> Step<T>(string id, Func<StepContext, Task<T>> body, Action<StepBuilder>? configure = null) => _steps.Step(id, body, configure);

    /// <summary>Adds a step with a typed output computed at once.</summary>
    public StepRef<T> Step<T>(string id, Func<StepContext, T> body, Action<StepBuilder>? configure = null) => _steps.Step(id, ctx => Task.FromResult(body(ctx)), configure);

    /// <summary>Adds a step without an output.</summary>
    public StepRef<JsonElement> Step(string id, Func<StepContext, Task> body, Action<StepBuilder>? configure = null) => _steps.Step(id, body, configure);

    /// <summary>Adds a step that says more than a value.</summary>
    public StepRef<JsonElement> Step(string id, Func<StepContext, Task<StepResult>> body, Action<StepBuilder>? configure = null) => _steps.Step(id, body, configure);

    /// <summary>Adds a finished step definition.</summary>
    public WorkflowBuilder Add(Step step) { _steps.Add(step); return this; }

    /// <summary>Adds steps that run side by side; the group ends when all have ended. Paths are <c>group/child</c>.</summary>
    public StepRef<JsonElement> Group(string id, Action<StepListBuilder> steps, Action<StepBuilder>? configure = null, int? maxParallel = null) =>
        _steps.Group(id, steps, configure, maxParallel);

    /// <summary>Adds a fan-out: one sub-step for each item, with the stable path <c>id[key]</c>. The output is the list of results in the items' order.</summary>
    public StepRef<IReadOnlyList<TResult>> ForEach<T, TResult>(string id, Func<StepContext, IEnumerable<T>> items, Func<T, string> key,
        Func<StepContext, T, Task<TResult>> body, Action<StepBuilder>? configure = null, int? maxParallel = null) =>
        _steps.ForEach(id, items, key, body, configure, maxParallel);

    /// <summary>Adds a choice: the steps of the first case whose condition holds run, those of the others do not.</summary>
    public StepRef<string> Choose(string id, Action<ChoiceBuilder> cases, Action<StepBuilder>? configure = null) => _steps.Choose(id, cases, configure);

    /// <summary>Adds a child run of another workflow; its id follows from this run's id and the path.</summary>
    public StepRef<JsonElement> Child(string id, Workflow workflow, Func<StepContext, IReadOnlyDictionary<string, object?>>? parameters = null, Action<StepBuilder>? configure = null) =>
        _steps.Child(id, workflow, parameters, configure);

    /// <summary>Adds a durable pause: its end is recorded before it begins, so a resume waits only for the rest.</summary>
    public StepRef<JsonElement> Sleep(string id, TimeSpan duration, Action<StepBuilder>? configure = null) => _steps.Sleep(id, duration, configure);

    /// <summary>Checks the definition and freezes it.</summary>
    /// <exception cref="InvalidDefinitionException">Double ids, unknown or cyclic needs; all problems are listed.</exception>
    public Workflow Build()
    {
        var steps = _steps.Build();
        var problems = GraphRules.Check(steps, _options).Select(problem => problem.Message).ToList();
        foreach (var twice in _params.GroupBy(param => param.Name).Where(group => group.Count() > 1))
            problems.Add($"The param '{twice.Key}' is declared twice.");
        foreach (var migration in _migrations)
        {
            if (migration.From < 1 || migration.To <= migration.From || migration.To > _version) problems.Add($"A migration leads from version {migration.From} to {migration.To}: it must lead forward, at most to the workflow's own version, {_version}.");
            if (_migrations.Count(other => other.From == migration.From) > 1) problems.Add($"Two migrations lead on from version {migration.From}.");
        }
        if (problems.Count > 0)
            throw new InvalidDefinitionException($"The workflow '{_name}' is not valid:\n  {string.Join("\n  ", problems)}", problems);
        return new Workflow(_name, _version, _description, [.. _params], steps, _options, _source, [.. _migrations]);
    }
}

/// <summary>Sets a step's place in the graph and its options.</summary>
public sealed class StepBuilder
{
    internal IReadOnlyList<string>? NeedIds { get; private set; }
    internal IReadOnlyList<string> AfterIds { get; private set; } = [];
    internal Func<StepContext, ValueTask<Verdict>>? Condition { get; private set; }
    internal bool AfterFailure { get; private set; }
    internal Func<StepContext, Task>? Undo { get; private set; }
    internal StepOptions StepOptions { get; private set; } = StepOptions.Default;

    /// <summary>Begins when these have succeeded; with no argument, at once.</summary>
    public StepBuilder Needs(params string[] steps) { NeedIds = steps; return this; }

    /// <summary>Begins when these have ended without failure; unlike <see cref="Needs"/>, a skipped one does not skip this step.</summary>
    public StepBuilder After(params string[] steps) { AfterIds = steps; NeedIds ??= []; return this; }

    /// <summary>Runs only when the condition holds.</summary>
    public StepBuilder When(Func<StepContext, bool> condition, string? text = null)
    {
        Condition = ctx => condition(ctx) is var run && run ? new(new Verdict(true)) : new(new Verdict(false, text ?? "its condition is false"));
        return this;
    }

    /// <summary>May run also when a step before it failed or was skipped; combine with <see cref="When"/>.</summary>
    public StepBuilder EvenAfterFailure() { AfterFailure = true; return this; }

    /// <summary>Undoes the step when the run is compensated.</summary>
    public StepBuilder Compensate(Func<StepContext, Task> undo) { Undo = undo; return this; }

    /// <summary>Sets retry policy.</summary>
    public StepBuilder Retry(RetryPolicy policy) { StepOptions = StepOptions with { Retry = policy }; return this; }

    /// <summary>Retries transient errors up to <paramref name="attempts"/> attempts in all, with the default back-off.</summary>
    public StepBuilder Retry(int attempts) => Retry(new RetryPolicy { Attempts = attempts });

    /// <summary>Limits one attempt.</summary>
    public StepBuilder Timeout(TimeSpan limit) { StepOptions = StepOptions with { Timeout = limit }; return this; }

    /// <summary>Writes a checkpoint under <see cref="CheckpointStrategy.Marked"/>.</summary>
    public StepBuilder Checkpoint() { StepOptions = StepOptions with { Checkpoint = true }; return this; }

    /// <summary>Gives the step the store's open transaction: its rows and its checkpoint become durable together (<see cref="StepOptions.Transactional"/>).</summary>
    public StepBuilder Transactional() { StepOptions = StepOptions with { Transactional = true }; return this; }

    /// <summary>Says what becomes of the step when its process died in the middle of it (<see cref="StepOptions.OnUnknown"/>).</summary>
    public StepBuilder OnUnknown(UnknownOutcome outcome) { StepOptions = StepOptions with { OnUnknown = outcome }; return this; }

    /// <summary>Sets all options at once.</summary>
    public StepBuilder Options(StepOptions options) { StepOptions = options; return this; }
}
