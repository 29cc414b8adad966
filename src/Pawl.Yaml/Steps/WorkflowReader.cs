using System.Globalization;

namespace Pawl.Yaml;

/// <summary>A file → a workflow. All problems go to the file's list.</summary>
internal static class WorkflowReader
{
    static readonly string[] s_types = ["string", "number", "integer", "boolean", "list", "object", "secret"];

    /// <summary>The workflow, or null when there are errors.</summary>
    public static Workflow? Read(FileContext file, bool strict = false)
    {
        var problems = file.Problems;
        if (YamlReader.Read(file.Text, problems) is not { } root) return null;
        if (root is not YamlMapping node)
        {
            problems.Error(root, $"A workflow file is a mapping of keys and values, and this is {root.Kind}.", "It begins with 'name:'; 'pawl init' writes one that runs.");
            return null;
        }
        Vocabulary.Find("workflow").Check(node, problems);
        file.Params = ReadParams(node.Find("params") as YamlMapping, problems);
        _ = ProveSettings.Read(node, problems);
        _ = ToolSettings.Read(node, problems);
        var reader = new StepReader(file);
        var inherited = reader.ReadInherited(OnlyEnv(node), Inherited.Nothing);
        if (node.Find("defaults") is YamlMapping defaults) inherited = reader.ReadInherited(defaults, inherited);
        var steps = reader.ReadLevel(node.Find("steps"), inherited);
        if (file.HasFleet) file.Params = [.. file.Params, .. AgentsDefinition.Params.Where(param => file.Params.All(own => own.Name != param.Name))];
        NameRules.Check(steps, file, strict);
        if (strict) NameRules.WarnAboutParams(node.Find("params") as YamlMapping, steps, file);
        var name = ReadName(node, file);
        var migrations = MigrationReader.Read(node, file);
        if (problems.HasErrors) return null;

        var factory = new StepFactory(file);
        var builder = Workflow.Create(name, StepReader.Whole(node.FindScalar("version")) ?? 1)
            .Options(ReadOptions(node))
            .Source(new WorkflowSource("yaml", file.Path, file.Text) { Folder = Path.GetFullPath(file.Directory) });
        if (node.FindScalar("description") is { } description) builder.Describe(description.Value);
        foreach (var (from, to, change) in migrations) builder.Migrate(from, to, change);
        foreach (var param in file.Params) builder.Param(param);
        foreach (var step in factory.MakeLevel(steps, Surroundings.Nothing)) builder.Add(step);
        return builder.Build();
    }

    /// <summary>At the top of a file stands env alone; the other inherited keys there mean the run.</summary>
    static YamlMapping OnlyEnv(YamlMapping node)
    {
        var only = new YamlMapping(node.Line, node.Column);
        if (node.Has("env")) only.Add(node.KeyOf("env"), node.Find("env")!);
        return only;
    }

    static string ReadName(YamlMapping node, FileContext file)
    {
        var name = node.FindScalar("name") is { } given ? given.Value.Trim() : Path.GetFileNameWithoutExtension(file.Path) ?? "";
        if (name.Length is 0 or > 200 || name.Any(char.IsControl))
            file.Problems.Error(node.Find("name") ?? node, name.Length == 0 ? "The workflow has no name." : "A workflow's name has at most 200 characters in one line.", "Write 'name: …' at the top of the file.");
        return name;
    }

    static WorkflowOptions ReadOptions(YamlMapping node)
    {
        var checkpointing = node.Find("checkpointing") as YamlMapping;
        var retention = checkpointing?.Find("retention") as YamlMapping;
        var standard = new RetentionPolicy();
        var auto = checkpointing?.FindScalar("auto_resume_on_failure");
        return new WorkflowOptions
        {
            OnFailure = Enum.Parse<FailurePolicy>(node.FindScalar("on_failure")?.Value ?? "stop", ignoreCase: true),
            Concurrency = StepReader.Whole(node.FindScalar("concurrency")),
            Timeout = StepReader.ReadDuration(node, "timeout"),
            Strategy = checkpointing?.FindScalar("enabled")?.Flag == false ? CheckpointStrategy.Off : checkpointing?.FindScalar("strategy")?.Value switch
            {
                "marked" => CheckpointStrategy.Marked,
                "off" => CheckpointStrategy.Off,
                _ => CheckpointStrategy.EveryStep,
            },
            Durability = Enum.Parse<Durability>(checkpointing?.FindScalar("durability")?.Value ?? "sync", ignoreCase: true),
            Retention = retention is null ? null : new RetentionPolicy
            {
                MaxAge = StepReader.Whole(retention.FindScalar("days")) is { } days ? TimeSpan.FromDays(days) : standard.MaxAge,
                KeepLast = StepReader.Whole(retention.FindScalar("keep_last")) ?? standard.KeepLast,
            },
            AutoResumeAttempts = auto?.Flag == true ? 3 : StepReader.Whole(auto) ?? 0,
            Budget = node.Find("budget") is YamlMapping budget ? new Budget { CostUsd = Usd(budget, "cost_usd"), Tokens = StepReader.Whole(budget.FindScalar("tokens")), Duration = StepReader.ReadDuration(budget, "duration") } : null,
            Prices = (node.Find("prices") as YamlMapping)?.Entries.Where(entry => entry.Value is YamlMapping)
                .ToDictionary(entry => entry.Key.Value, entry => new ModelPrice(Usd((YamlMapping)entry.Value, "input") ?? 0, Usd((YamlMapping)entry.Value, "output") ?? 0)),
        };
    }

    public static decimal? Usd(YamlMapping node, string key) =>
        node.FindScalar(key) is { } text && decimal.TryParse(text.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var usd) ? usd : null;

    static List<WorkflowParam> ReadParams(YamlMapping? node, ProblemList problems)
    {
        var found = new List<WorkflowParam>();
        var variables = new Dictionary<string, string>();
        foreach (var (name, value) in node?.Entries ?? [])
        {
            if (!ExpressionLexer.IsName(name.Value)) problems.Error(name, $"'{YamlReader.Printable(name.Value)}' is not a param's name: use letters, digits, '_' and '-', beginning with a letter.");
            else if (!variables.TryAdd(ShellFacts.ParamVariable(name.Value), name.Value)) problems.Error(name, $"The params '{variables[ShellFacts.ParamVariable(name.Value)]}' and '{name.Value}' would be the same environment variable {ShellFacts.ParamVariable(name.Value)}.");
            found.Add(value is YamlMapping full ? ReadParam(name, full, problems) : new WorkflowParam(name.Value, TypeOf(value), IsNothing(value) ? null : value.ToJson(), Required: IsNothing(value)));
        }
        return found;
    }

    static WorkflowParam ReadParam(YamlScalar name, YamlMapping node, ProblemList problems)
    {
        var value = node.Find("default");
        var type = node.FindScalar("type")?.Value is { } given && s_types.Contains(given) ? given : value is null ? "string" : TypeOf(value);
        var allowed = (node.Find("enum") as YamlSequence)?.Items.OfType<YamlScalar>().Select(item => item.Value).ToList();
        var variable = node.FindScalar("env");
        if (value is not null && type == "secret") problems.Error(value, $"The secret '{name.Value}' stands in the file.", "Remove the default, and name an environment variable with 'env'.");
        // Digits of a default for a text are meant as they stand there: version: { type: string, default: 1.10 }.
        else if (value is YamlScalar { IsNull: false } scalar && type == "string" && !scalar.IsText) value = new YamlScalar(scalar.Value, YamlStyle.Quoted, scalar.Line, scalar.Column);
        else if (value is not null && TypeOf(value) != type && !(type == "number" && TypeOf(value) == "integer")) problems.Error(value, $"The default of '{name.Value}' must be of type {type}, and it is {value.Kind}.");
        if (allowed is not null && value is YamlScalar one && !allowed.Contains(one.Value)) problems.Error(value, $"The default '{YamlReader.Printable(one.Value)}' of '{name.Value}' is not among the values of 'enum'.", Nearest.Hint(one.Value, allowed));
        if (variable is not null && type is not ("string" or "secret")) problems.Error(variable, $"'env' works for params of type string and secret; '{name.Value}' is of type {type}.");
        return new WorkflowParam(name.Value, type, value?.ToJson(), node.FindScalar("required")?.Flag ?? value is null)
        {
            Allowed = allowed, EnvironmentVariable = variable?.Value, Description = node.FindScalar("description")?.Value,
        };
    }

    static bool IsNothing(YamlNode node) => node is YamlScalar { IsNull: true };

    static string TypeOf(YamlNode node) => node switch
    {
        YamlSequence => "list",
        YamlMapping => "object",
        YamlScalar { Flag: not null } => "boolean",
        YamlScalar { IsNumber: true } number => number.Value.AsSpan().ContainsAny('.', 'e', 'E') ? "number" : "integer",
        _ => "string",
    };
}
