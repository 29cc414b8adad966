namespace Pawl.Yaml;

/// <summary>The item of the fan-outs around a step.</summary>
internal sealed record Items(ExpressionValue? Matrix, ExpressionValue? Item, int? Index)
{
    public static Items None { get; } = new(null, null, null);
}

/// <summary>What the expressions of one step see while it runs.</summary>
internal sealed class StepScope(StepContext context, FileContext file, Surroundings around, IReadOnlyList<(string Name, Template Value)> environment) : IExpressionScope
{
    static readonly string[] s_names = ["params", "steps", "env", "run", "git", "state", "partition"];

    SecretMasker? _masker;
    Dictionary<string, string>? _environment;

    /// <summary>While the step is undone: its own id, which then means this very item of it.</summary>
    public string? Undoing { get; init; }

    public StepContext Context => context;

    public IReadOnlyCollection<string> Names => [.. s_names, .. around.Items.Matrix is null ? Array.Empty<string>() : ["matrix"], .. around.Items.Item is null ? Array.Empty<string>() : ["item", "index"]];

    public bool Success => !context.AnyFailedBefore && !Cancelled;

    public bool Failure => context.AnyFailedBefore;

    public bool Cancelled => context.CancellationToken.IsCancellationRequested;

    public string BaseDirectory => file.Directory;

    public string Mask(string text) => Masker.Mask(text);

    public IReadOnlyList<string> Secrets => [.. file.Params.Where(param => param.Type == "secret").Select(param => context.Params.Get<string?>(param.Name, null)).OfType<string>()];

    public SecretMasker Masker => _masker ??= new SecretMasker(Secrets);

    public ExpressionValue? Find(string name) => name switch
    {
        "params" => ExpressionValue.Of(new Map(PlainParams, Param)),
        "steps" => ExpressionValue.Of(new Map(around.Ids, Step)),
        "matrix" => around.Items.Matrix,
        "item" => around.Items.Item,
        "index" => around.Items.Index is { } index ? ExpressionValue.Of(index) : null,
        "env" => ExpressionValue.Of(new Map([.. environment.Select(pair => pair.Name).Distinct()], EnvironmentValue, key => $"The environment variable '{key}' is not set.")),
        "run" => ExpressionValue.Of(new Map(NameRules.OfRun, Run)),
        "git" => ExpressionValue.Of(new Map(NameRules.OfGit, key => ExpressionValue.Of(Git.Describe(file.Directory, key)))),
        "state" => ExpressionValue.Of(context.State.All().ToDictionary(pair => pair.Key, pair => ExpressionValue.Of(pair.Value))),
        "partition" => ExpressionValue.Of(context.Partition.ToDictionary(pair => pair.Key, pair => ExpressionValue.Of(pair.Value))),
        _ => null,
    };

    /// <summary>Params as texts, for the environment of commands.</summary>
    public Dictionary<string, string> ParamTexts() =>
        file.Params.Where(param => context.Params.TryGet(param.Name, out _)).ToDictionary(param => param.Name, param => Param(param.Name)!.AsText());

    /// <summary>Params that may be shown and recorded.</summary>
    public IReadOnlyList<string> PlainParams => [.. file.Params.Where(param => param.Type != "secret").Select(param => param.Name)];

    /// <summary>The variables that the file and the step set; later ones can read earlier ones.</summary>
    public IReadOnlyDictionary<string, string> Variables()
    {
        if (_environment is not null) return _environment;
        _environment = [];
        foreach (var (name, value) in environment) _environment[name] = value.Evaluate(this).AsText();
        return _environment;
    }

    ExpressionValue? Param(string name) => context.Params.TryGet(name, out var raw) ? ExpressionValue.Of(raw.Value) : file.Params.Any(param => param.Name == name) ? ExpressionValue.Null : null;

    ExpressionValue? EnvironmentValue(string name) => ExpressionValue.Of(Variables().GetValueOrDefault(name) ?? Environment.GetEnvironmentVariable(name)) is { Kind: ValueKind.String } value ? value : null;

    ExpressionValue? Run(string key) => key switch
    {
        "id" => ExpressionValue.Of(context.RunId),
        "attempt" => ExpressionValue.Of(context.Attempt),
        "resumed" => ExpressionValue.Of(context.IsResumed),
        "workflow" => ExpressionValue.Of(context.WorkflowName),
        _ => null,
    };

    ExpressionValue? Step(string id)
    {
        var path = id == Undoing ? context.Path[(context.Path.LastIndexOf('/') + 1)..] : id;
        return ExpressionValue.Of(new Map(["outputs", "outcome", "error"], Member, key => $"Step '{id}' {How(context.StatusOf(path))} and has no {key}."));

        ExpressionValue? Member(string key) => key switch
        {
            "outputs" => context.TryOutput(path) is { } output ? ExpressionValue.Of(output) : null,
            "outcome" => ExpressionValue.Of(context.StatusOf(path) switch
            {
                StepStatus.Completed => "success",
                StepStatus.Failed => "failure",
                // Its earlier result holds, so it is as good as done.
                StepStatus.Skipped when context.TryOutput(path) is not null => "success",
                StepStatus.Skipped => "skipped",
                StepStatus.Canceled => "cancelled",
                _ => null,
            }),
            "error" => ExpressionValue.Of(context.ErrorOf(path)?.Message),
            _ => null,
        };
    }

    static string How(StepStatus? status) => status switch
    {
        null => "has not run",
        StepStatus.Skipped => "was skipped",
        StepStatus.Canceled => "was stopped",
        StepStatus.Failed => "failed",
        _ => "completed",
    };

    sealed class Map(IReadOnlyCollection<string> keys, Func<string, ExpressionValue?> find, Func<string, string>? why = null) : IExpressionMap
    {
        public IEnumerable<string> Keys => keys;

        public ExpressionValue? Find(string key) => find(key);

        public string? WhyMissing(string key) => why?.Invoke(key);
    }
}

/// <summary>Where a step stands: the items around it, the ids it can see, and whether it is inside of no other step.</summary>
internal sealed record Surroundings(Items Items, IReadOnlyList<string> Ids, bool IsTop = false)
{
    public static Surroundings Nothing { get; } = new(Items.None, []);
}
