namespace Pawl.Yaml;

/// <summary>An agent as the file says it.</summary>
/// <param name="Name">Its name; that of the step, when it is alone.</param>
/// <param name="Description">What it is good for.</param>
/// <param name="Instructions">Who it is and how it works.</param>
/// <param name="Model">The name of its model.</param>
/// <param name="Tools">Names of its tools.</param>
internal sealed record AgentDefinition(string Name, string Description, Template? Instructions, string Model, IReadOnlyList<string> Tools);

/// <summary>A step of one agent, or of a fleet of them. Plain data: whoever loads the file gives the code that executes it.</summary>
internal sealed record AgentsDefinition
{
    /// <summary>Params that every file with a fleet has, so that a start or a resume can raise a limit or add a message.</summary>
    public static IReadOnlyList<WorkflowParam> Params { get; } =
    [
        .. new[] { "max_rounds", "max_stalls", "max_resets" }.Select(name => new WorkflowParam(name, "integer", Required: false) { Description = "Over the limit of the file and of the configuration" }),
        new("message", Required: false) { Description = "What a person adds at a resume" },
        new("message_id", Required: false) { Description = "Tells two messages of the same text apart" },
    ];

    /// <summary>What is asked.</summary>
    public required Template Task { get; init; }

    /// <summary>One when it is alone.</summary>
    public required IReadOnlyList<AgentDefinition> Agents { get; init; }

    /// <summary>Who plans and gives out the work; null when one agent works alone.</summary>
    public AgentDefinition? Orchestrator { get; init; }

    public IReadOnlyList<ToolDefinition> Tools { get; init; } = [];

    /// <summary>The orchestrator speaks in plain lines, not with ledgers.</summary>
    public bool Delegates { get; init; }

    public int? MaxRounds { get; init; }
    public int? MaxStalls { get; init; }
    public int? MaxResets { get; init; }
    public int? MaxTurns { get; init; }
    public AskDefinition? PlanReview { get; init; }
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>For each call of a model.</summary>
    public RetryPolicy Retry { get; init; } = StandardRetry;

    public static RetryPolicy StandardRetry { get; } = new() { Attempts = 4 };

    /// <summary>The answer must be JSON.</summary>
    public bool IsJson { get; init; }
}

/// <summary>How a person is asked.</summary>
internal sealed record AskDefinition(Template? Message, string? Operation, TimeSpan? Timeout, TimeoutAction OnTimeout);

/// <summary>A tool as the file says it.</summary>
internal sealed record ToolDefinition(string Name)
{
    public string Description { get; init; } = "";
    public IReadOnlyList<ToolParameter> Parameters { get; init; } = [];

    /// <summary>What it does.</summary>
    public required ToolWork Work { get; init; }

    /// <summary>Limit of one call.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    public AskDefinition? Approval { get; init; }
    public UnknownRule? OnUnknown { get; init; }
}

/// <summary>What a tool does.</summary>
internal abstract record ToolWork
{
    public sealed record Shell(CommandDefinition Command) : ToolWork;

    /// <param name="Method">How it is asked.</param>
    /// <param name="Url">The address, with <c>{name}</c> for parameters.</param>
    /// <param name="Hosts">Hosts, or hosts with ports, that may be asked.</param>
    /// <param name="Headers">Headers of the request.</param>
    public sealed record Http(string Method, string Url, IReadOnlyList<string> Hosts, IReadOnlyList<(string Name, Template Value)> Headers) : ToolWork;

    public sealed record Mcp(string Command, IReadOnlyList<Template> Arguments, IReadOnlyList<(string Name, Template Value)> Env, IReadOnlyList<string> Only) : ToolWork;
}

/// <summary>What a model gives to a tool.</summary>
internal sealed record ToolParameter(string Name, string Type, string? Description, IReadOnlyList<string>? Allowed, bool Required)
{
    /// <summary>The environment variable that holds it in a command.</summary>
    public string Variable => "PAWL_ARG_" + string.Concat(Name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_'));
}
