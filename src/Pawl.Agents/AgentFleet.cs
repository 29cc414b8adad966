using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>How the orchestrator says what is to be done next.</summary>
public enum FleetProtocol
{
    /// <summary>Magentic-One: a task ledger (facts, plan) and, each round, a progress ledger in JSON. The default.</summary>
    Ledger,
    /// <summary>Lines <c>DELEGATE: agent - task</c> and <c>FINAL_ANSWER: text</c>: for small models.</summary>
    Text,
}

/// <summary>Limits and habits of a fleet.</summary>
public sealed record FleetOptions
{
    /// <summary>Default <see cref="FleetProtocol.Ledger"/>.</summary>
    public FleetProtocol Protocol { get; init; }

    /// <summary>Rounds since the task, or since the newest message of a resume. Default 10.</summary>
    public int MaxRounds { get; init; } = 10;

    /// <summary>Stalled rounds before the plan is made anew: no progress, a loop, or the answer before once more. Default 3.</summary>
    public int MaxStalls { get; init; } = 3;

    /// <summary>How often the plan is made anew before the fleet gives up. Default 2.</summary>
    public int MaxResets { get; init; } = 2;

    /// <summary>Longest time of one pass over the fleet; null is no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>A person looks at each plan before it is carried out: approves it, approves it with changes (<c>{ "plan": "…" }</c> or a text), or rejects it with a comment, by which it is revised.
    /// The message is put before the plan; the operation is <c>plan</c> unless it says another. Null asks nobody.</summary>
    public ApprovalRequest? PlanReview { get; init; }

    /// <summary>How failed calls of the orchestrator's model are repeated. Default: not at all.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>Answers are streamed to <see cref="OnEvent"/> as they come. Default true; false tells everything but <see cref="FleetEvent.Said"/>.</summary>
    public bool Streams { get; init; } = true;

    /// <summary>Called for what happens, in order, for displays: keep it short. An interrupted round tells its recorded beginning again. Not durable.</summary>
    public Action<FleetEvent>? OnEvent { get; init; }
}

/// <summary>What a fleet is asked.</summary>
/// <param name="Text">The task. A run keeps the one it began with: another one, given at a resume, comes behind it as a message.</param>
public sealed record FleetTask(string Text)
{
    /// <summary>What a person says at a resume: it stands behind everything that was said before.</summary>
    public string? Message { get; init; }

    /// <summary>Tells two messages of the same text apart.</summary>
    public string? MessageId { get; init; }
}

/// <summary>What a fleet came to; the output of its step.</summary>
/// <param name="Answer">The final answer.</param>
/// <param name="Rounds">Rounds it took.</param>
/// <param name="Resets">How often the plan was made anew.</param>
public sealed record FleetAnswer(string Answer, int Rounds, int Resets);

/// <summary>An orchestrator and its agents, that work on a task in rounds. Immutable; one serves any number of runs.</summary>
/// <remarks>
/// Each round is a step <c>round/N</c>; below it stand its model calls and tool results. A run that died goes on in the middle of the round, with every recorded answer.
/// What was said is stored once, in the calls that said it: the context is put together from there.
/// When the rounds are used up, or the resets, the step fails as <c>max_rounds_reached</c> or <c>stalled</c>: a resume with a raised limit, or with a message, goes on behind the last round.
/// </remarks>
public sealed class AgentFleet
{
    internal AgentFleet(string name, Agent orchestrator, IReadOnlyList<Agent> agents, FleetOptions options) =>
        (Name, Orchestrator, Agents, Options) = (name, orchestrator, agents, options);

    /// <summary>The type of the error when <see cref="FleetOptions.MaxRounds"/> were made without an answer.</summary>
    public const string MaxRoundsReached = "max_rounds_reached";

    /// <summary>The type of the error when the last plan stalled too.</summary>
    public const string Stalled = "stalled";

    /// <summary>Names of the params of <see cref="ToWorkflow"/>.</summary>
    public const string TaskParam = "task", MessageParam = "message", MessageIdParam = "message_id", MaxRoundsParam = "max_rounds", MaxStallsParam = "max_stalls", MaxResetsParam = "max_resets";

    /// <summary>The workflow's name and the step's id.</summary>
    public string Name { get; }

    /// <summary>Who decides.</summary>
    public Agent Orchestrator { get; }

    /// <summary>Who does the work.</summary>
    public IReadOnlyList<Agent> Agents { get; }

    /// <summary>Limits.</summary>
    public FleetOptions Options { get; }

    /// <summary>Begins a fleet.</summary>
    /// <param name="name">Letters, digits and <c>. _ -</c>, at most 128.</param>
    public static AgentFleetBuilder Create(string name) => new(name);

    /// <summary>A workflow of one step, with the params <c>task</c> (required), <c>message</c>, <c>message_id</c>, <c>max_rounds</c>, <c>max_stalls</c> and <c>max_resets</c>: a resume may give any of them.
    /// The output is a <see cref="FleetAnswer"/>.</summary>
    public Workflow ToWorkflow(WorkflowOptions? options = null)
    {
        var builder = Workflow.Create(Name).Options(options ?? new WorkflowOptions())
            .Param(new WorkflowParam(TaskParam, Required: true) { Description = "What is to be done" })
            .Param(new WorkflowParam(MessageParam) { Description = "What a person adds at a resume" })
            .Param(new WorkflowParam(MessageIdParam) { Description = "Tells two messages of the same text apart" })
            .Param(MaxRoundsParam, Options.MaxRounds).Param(MaxStallsParam, Options.MaxStalls).Param(MaxResetsParam, Options.MaxResets);
        builder.Add(new Step { Id = Name, Kind = "agents", Body = BodyAsync, Options = new StepOptions { Timeout = Options.Timeout } });
        return builder.Build();
    }

    Task<StepResult> BodyAsync(StepContext context) => RunAsync(context,
        new FleetTask(context.Params.Get<string>(TaskParam)) { Message = context.Params.Get<string?>(MessageParam, null), MessageId = context.Params.Get<string?>(MessageIdParam, null) },
        Options with { MaxRounds = context.Params.Get<int>(MaxRoundsParam), MaxStalls = context.Params.Get<int>(MaxStallsParam), MaxResets = context.Params.Get<int>(MaxResetsParam) });

    /// <summary>Works on a task within a step, which is the fleet's own: it runs one fleet, once.</summary>
    /// <param name="context">The step.</param>
    /// <param name="task">The task, and what a resume adds.</param>
    /// <param name="options">Instead of <see cref="Options"/>; null is those. The time limit is the step's own.</param>
    /// <returns>Completed with a <see cref="FleetAnswer"/>, or failed as <see cref="MaxRoundsReached"/> or <see cref="Stalled"/>: the step's result.</returns>
    public Task<StepResult> RunAsync(StepContext context, FleetTask task, FleetOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        ArgumentNullException.ThrowIfNull(task);
        return new FleetRun(this, context, options ?? Options).RunAsync(task);
    }

    /// <summary>Params of a resume that adds a message.</summary>
    /// <param name="head">The run as it stands: two messages to the same run are told apart by it, even when they say the same.</param>
    /// <param name="message">What is said.</param>
    public static IReadOnlyDictionary<string, object?> Say(Storage.RunHead head, string message) =>
        new Dictionary<string, object?> { [MessageParam] = message, [MessageIdParam] = head.Seq.ToString(System.Globalization.CultureInfo.InvariantCulture) };
}

/// <summary>Builds an <see cref="AgentFleet"/>. Not thread safe.</summary>
public sealed class AgentFleetBuilder
{
    readonly string _name;
    readonly List<Agent> _agents = [];
    Agent? _orchestrator;
    FleetOptions _options = new();

    internal AgentFleetBuilder(string name) =>
        _name = RunIds.IsValidStepId(name) ? name : throw new ArgumentException($"'{name}' is no fleet's name: use letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit.", nameof(name));

    /// <summary>The model that decides.</summary>
    /// <param name="client">The model.</param>
    /// <param name="instructions">A system prompt before the protocol's own.</param>
    /// <param name="options">Temperature and so on.</param>
    public AgentFleetBuilder Orchestrator(IChatClient client, string? instructions = null, ChatOptions? options = null)
    {
        _orchestrator = new Agent("orchestrator", client) { Instructions = instructions, Options = options };
        return this;
    }

    /// <summary>Adds an agent.</summary>
    public AgentFleetBuilder Agent(Agent agent) { _agents.Add(agent); return this; }

    /// <summary>Sets limits and habits.</summary>
    public AgentFleetBuilder Options(FleetOptions options) { _options = options; return this; }

    /// <summary>Checks the fleet and freezes it.</summary>
    /// <exception cref="InvalidDefinitionException">No orchestrator, no agents, a double or reserved name, or a limit out of range; all problems are listed.</exception>
    public AgentFleet Build()
    {
        var problems = new List<string>();
        if (_orchestrator is null) problems.Add("It has no orchestrator: call Orchestrator(client).");
        if (_agents.Count == 0) problems.Add("It has no agents: call Agent(agent).");
        foreach (var twice in _agents.GroupBy(agent => agent.Name, StringComparer.OrdinalIgnoreCase).Where(group => group.Count() > 1)) problems.Add($"The agent '{twice.Key}' is there twice.");
        foreach (var agent in _agents.Where(agent => agent.Name is "orchestrator" or "ledger" or "final")) problems.Add($"'{agent.Name}' names a part of the fleet itself: choose another name for the agent.");
        if (_options.MaxRounds < 1) problems.Add($"max_rounds is {_options.MaxRounds}: at least 1.");
        if (_options.MaxStalls < 1) problems.Add($"max_stalls is {_options.MaxStalls}: at least 1.");
        if (_options.MaxResets < 0) problems.Add($"max_resets is {_options.MaxResets}: at least 0.");
        if (problems.Count > 0) throw new InvalidDefinitionException($"The fleet '{_name}' is not valid:\n  {string.Join("\n  ", problems)}", problems);
        return new AgentFleet(_name, _orchestrator!, [.. _agents], _options);
    }
}
