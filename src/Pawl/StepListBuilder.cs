using System.Text.Json;
using Pawl.Engine;

namespace Pawl;

/// <summary>Builds the steps of one level: of a workflow, a group or a case. Not thread safe.</summary>
public sealed class StepListBuilder
{
    readonly List<Step> _steps = [];
    readonly string _prefix;
    readonly bool _sideBySide;

    internal StepListBuilder(string prefix, bool sideBySide = false)
    {
        _prefix = prefix;
        _sideBySide = sideBySide;
    }

    /// <summary>Adds a step with a typed output.</summary>
    public StepRef<T> Step<T>(string id, Func<StepContext, Task<T>> body, Action<StepBuilder>? configure = null) => new(Put(id, "code", Bodies.Typed(body), configure));

    /// <summary>Adds a step without an output.</summary>
    public StepRef<JsonElement> Step(string id, Func<StepContext, Task> body, Action<StepBuilder>? configure = null) => new(Put(id, "code", Bodies.Untyped(body), configure));

    /// <summary>Adds a step that says more than a value.</summary>
    public StepRef<JsonElement> Step(string id, Func<StepContext, Task<StepResult>> body, Action<StepBuilder>? configure = null) => new(Put(id, "code", body, configure));

    /// <summary>Adds a finished step definition.</summary>
    public StepListBuilder Add(Step step) { _steps.Add(step); return this; }

    /// <inheritdoc cref="WorkflowBuilder.Group"/>
    public StepRef<JsonElement> Group(string id, Action<StepListBuilder> steps, Action<StepBuilder>? configure = null, int? maxParallel = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxParallel ?? 1, 1);
        var inner = new StepListBuilder(_prefix + id + "/", sideBySide: true);
        steps(inner);
        var children = inner.Build();
        return new(Put(id, "group", ctx => ctx.RunStepsAsync(children, maxParallel), configure, children, isCompound: true));
    }

    /// <inheritdoc cref="WorkflowBuilder.ForEach"/>
    public StepRef<IReadOnlyList<TResult>> ForEach<T, TResult>(string id, Func<StepContext, IEnumerable<T>> items, Func<T, string> key,
        Func<StepContext, T, Task<TResult>> body, Action<StepBuilder>? configure = null, int? maxParallel = null) =>
        new(Put(id, "foreach", async ctx =>
        {
            var steps = items(ctx).Select(item => new Step { Id = $"[{RunIds.ToKey(key(item))}]", Body = Bodies.Typed(item, body) }).ToList();
            var result = await ctx.RunStepsAsync(steps, maxParallel);
            return result.Status == StepStatus.Completed ? StepResult.Ok(steps.Select(step => ctx.TryOutput(ctx.Path + step.Id)).ToList()) : result;
        }, configure, isCompound: true));

    /// <inheritdoc cref="WorkflowBuilder.Choose"/>
    public StepRef<string> Choose(string id, Action<ChoiceBuilder> cases, Action<StepBuilder>? configure = null)
    {
        var choice = new ChoiceBuilder(_prefix + id + "/");
        cases(choice);
        return new(Put(id, "choose", choice.RunAsync, configure, choice.Branches, isCompound: true));
    }

    /// <inheritdoc cref="WorkflowBuilder.Child"/>
    public StepRef<JsonElement> Child(string id, Workflow workflow, Func<StepContext, IReadOnlyDictionary<string, object?>>? parameters = null, Action<StepBuilder>? configure = null) =>
        new(Put(id, "workflow", async ctx =>
        {
            var result = await ctx.RunChildAsync("", workflow, parameters?.Invoke(ctx));
            return StepResult.Ok(new Dictionary<string, object?> { ["run_id"] = result.RunId, ["status"] = "completed" });
        }, configure, isCompound: true, child: workflow));

    /// <inheritdoc cref="WorkflowBuilder.Sleep"/>
    public StepRef<JsonElement> Sleep(string id, TimeSpan duration, Action<StepBuilder>? configure = null) =>
        new(Put(id, "sleep", Bodies.Untyped(ctx => ctx.SleepAsync("timer", duration)), configure, isCompound: true));

    internal IReadOnlyList<Step> Build() => [.. _steps];

    string Put(string id, string kind, Func<StepContext, Task<StepResult>> body, Action<StepBuilder>? configure, IReadOnlyList<Step>? children = null, bool isCompound = false, Workflow? child = null)
    {
        var options = new StepBuilder();
        configure?.Invoke(options);
        // Without a word about it, a step comes after the one above it; in a group, side by side.
        var after = options.NeedIds is null && !_sideBySide && _steps.Count > 0 ? [_steps[^1].Id] : options.AfterIds;
        _steps.Add(new Step
        {
            Id = id, Kind = kind, Body = body, Needs = Local(options.NeedIds ?? []), After = Local(after), Condition = options.Condition, RunsAfterFailure = options.AfterFailure,
            Compensate = options.Undo, Options = options.StepOptions, Children = children ?? [], IsCompound = isCompound, ChildWorkflow = child,
        });
        return _prefix + id;
    }

    /// <summary>A handle bears the whole path; siblings are named by their last part.</summary>
    IReadOnlyList<string> Local(IReadOnlyList<string> ids) =>
        _prefix.Length == 0 ? ids : [.. ids.Select(id => id.StartsWith(_prefix, StringComparison.Ordinal) ? id[_prefix.Length..] : id)];
}

/// <summary>Builds the cases of a choice. Not thread safe.</summary>
public sealed class ChoiceBuilder
{
    readonly List<(string Id, Func<StepContext, bool>? Condition, IReadOnlyList<Step> Steps)> _cases = [];
    readonly string _prefix;

    internal ChoiceBuilder(string prefix) => _prefix = prefix;

    /// <summary>Adds a case; the first whose condition holds is taken.</summary>
    public ChoiceBuilder When(string id, Func<StepContext, bool> condition, Action<StepListBuilder> steps) => Put(id, condition, steps);

    /// <summary>Taken when no case before it holds.</summary>
    public ChoiceBuilder Otherwise(Action<StepListBuilder> steps, string id = "otherwise") => Put(id, null, steps);

    ChoiceBuilder Put(string id, Func<StepContext, bool>? condition, Action<StepListBuilder> steps)
    {
        var list = new StepListBuilder($"{_prefix}{id}/");
        steps(list);
        _cases.Add((id, condition, list.Build()));
        return this;
    }

    internal IReadOnlyList<Step> Branches => [.. _cases.Select(one => new Step { Id = one.Id, Kind = "case", Body = ctx => ctx.RunStepsAsync(one.Steps), Children = one.Steps, IsCompound = true })];

    internal async Task<StepResult> RunAsync(StepContext context)
    {
        // The choice itself is a sub-step: a resume keeps to the branch that was taken, and does not fall into another.
        var chosen = await context.StepAsync("choice", ctx => Task.FromResult(_cases.FirstOrDefault(one => one.Condition?.Invoke(ctx) ?? true).Id ?? ""));
        var branches = Branches.Select(branch => new Step
        {
            Id = branch.Id, Kind = branch.Kind, Body = branch.Body, Children = branch.Children, IsCompound = true,
            Condition = _ => new(new Verdict(branch.Id == chosen, chosen.Length == 0 ? "no case holds" : $"the case '{chosen}' was taken")),
        }).ToList();
        var result = await context.RunStepsAsync(branches);
        return result.Status == StepStatus.Completed ? StepResult.Ok(chosen) : result;
    }
}
