namespace Pawl.Yaml;

/// <summary>Where an expression stands, and so what it may see.</summary>
internal enum ExpressionUse
{
    /// <summary><c>if</c> and <c>when</c>: the step itself has not begun.</summary>
    Condition,
    /// <summary>What makes the items of a fan-out: it becomes part of paths, so no secret may be in it.</summary>
    Items,
    /// <summary>The key of an item: as <see cref="Items"/>, and sees the item.</summary>
    Key,
    /// <summary>What the step does it with; may hold secrets.</summary>
    Work,
    /// <summary>As <see cref="Work"/>, but it is recorded or names files, so no secret may be in it.</summary>
    Setting,
    /// <summary>Runs when the step is undone: its own outputs are there.</summary>
    Undo,
}

/// <summary>An expression with its place in the file.</summary>
internal sealed record UsedExpression(Expression Expression, YamlScalar Node, ExpressionUse Use);

/// <summary>The name of another step with its place in the file.</summary>
internal sealed record StepName(string Id, YamlScalar Node);

/// <summary>A step as the file says it, checked in itself; <see cref="StepFactory"/> makes the executable step of it.</summary>
internal sealed record StepDefinition
{
    public required YamlMapping Node { get; init; }
    public required string Id { get; init; }
    public required Work Work { get; init; }
    public string? Title { get; init; }

    /// <summary>Explicit needs.</summary>
    public IReadOnlyList<StepName> Needs { get; init; } = [];

    /// <summary>Explicit <c>after</c>, or the step above when neither is given.</summary>
    public IReadOnlyList<StepName> After { get; init; } = [];

    public Expression? If { get; init; }
    public FanOut? FanOut { get; init; }
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;
    public TimeSpan? Timeout { get; init; }
    public bool ContinueOnError { get; init; }
    public bool Checkpoint { get; init; }
    public CommandDefinition? Compensate { get; init; }

    /// <summary>A hash of what the step does; titles, order, retries and limits are not part of it.</summary>
    public required string Hash { get; init; }

    /// <summary>Every expression of the step itself, not of steps inside it.</summary>
    public required IReadOnlyList<UsedExpression> Expressions { get; init; }

    public string Kind => FanOut switch { null => Work.Kind, { Matrix: not null } => "matrix", _ => "foreach" };

    /// <summary>The steps inside that are known beforehand.</summary>
    public IReadOnlyList<StepDefinition> Children => Work switch
    {
        Work.Group group => group.Steps,
        Work.Sequence sequence => sequence.Steps,
        _ => [],
    };
}

/// <summary>What a step does, or each item of its fan-out.</summary>
internal abstract record Work(string Kind)
{
    /// <summary>It works itself, and does more than run other steps.</summary>
    public bool IsOwn => this is Shell or Agents;

    public sealed record Shell(CommandDefinition Command, SkipRule? Skip, UnknownRule? OnUnknown) : Work("shell");

    public sealed record Group(IReadOnlyList<StepDefinition> Steps, int? MaxParallel) : Work("group");

    public sealed record Sequence(IReadOnlyList<StepDefinition> Steps) : Work("steps");

    public sealed record Child(Workflow Workflow, IReadOnlyList<(string Name, ValueTemplate Value)> With) : Work("workflow");

    public sealed record Sleep(Template Duration) : Work("sleep");

    public sealed record Approve(Template Message, TimeSpan? Timeout, TimeoutAction OnTimeout, string? Operation) : Work("approval");

    public sealed record Agents(AgentsDefinition Definition) : Work(Definition.Orchestrator is null ? "agent" : "agents");

    public sealed record WaitFor(Template Signal, TimeSpan? Timeout, bool GoesOn) : Work("wait_for");

    /// <summary>Errors were found in it; the step is kept so that others may name it.</summary>
    public sealed record Broken() : Work("");

    public sealed record Choose(IReadOnlyList<Case> Cases) : Work("choose");
}

/// <summary>A case of a choice; without a condition it is the last one.</summary>
internal sealed record Case(string Id, Expression? When, IReadOnlyList<StepDefinition> Steps)
{
    public const string Otherwise = "otherwise";
}

/// <summary>A shell text and everything about how it runs.</summary>
internal sealed record CommandDefinition(ShellScript Script, Template? WorkingDirectory, IReadOnlyList<(string Name, Template Value)> Env, int? OutputLimit);

/// <summary>When a step need not run.</summary>
/// <param name="Sources">File patterns; empty is none.</param>
/// <param name="Generates">File patterns of what the step makes.</param>
/// <param name="GitChanged">Git decides, not the content of the sources.</param>
/// <param name="Values">The expressions whose values decide, too.</param>
internal sealed record SkipRule(IReadOnlyList<Template> Sources, IReadOnlyList<Template> Generates, bool GitChanged, IReadOnlyList<Expression> Values);

/// <summary>What to do when nobody knows whether the step's work was done.</summary>
/// <param name="Policy">ask, skip, fail or probe.</param>
/// <param name="Probe">Exits with 0 when it was.</param>
internal sealed record UnknownRule(string Policy, CommandDefinition? Probe);

/// <summary>How a step is done once for each of several items.</summary>
internal sealed record FanOut(Matrix? Matrix, Expression? List, ValueTemplate? Items, Expression? Key, int MaxParallel)
{
    public const int DefaultParallel = 8;

    /// <summary>More items than this are a mistake, or deserve a workflow of their own.</summary>
    public const int MaxItems = 10_000;
}
