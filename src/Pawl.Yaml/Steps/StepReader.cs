using System.Globalization;

namespace Pawl.Yaml;

/// <summary>What a step has from <c>defaults</c> or from the step around it.</summary>
internal sealed record Inherited(string? Shell, Template? WorkingDirectory, IReadOnlyList<(string Name, Template Value)> Env, TimeSpan? Timeout, RetryPolicy Retry, string Hash, IReadOnlyList<UsedExpression> Expressions)
{
    public static Inherited Nothing { get; } = new(null, null, [], null, RetryPolicy.None, "", []);
}

/// <summary>Nodes → step definitions. The shape of every node was checked before; what is of a wrong shape was reported and is passed over here.</summary>
internal sealed class StepReader(FileContext file)
{
    public static readonly string[] Works = ["run", "group", "steps", "workflow", "sleep", "choose", "approval", "wait_for", "agent", "agents"];
    static readonly string[] s_ofRun = ["retry", "sources", "generates", "git", "output_limit", "on_unknown"];

    static readonly string[] s_ofFanOut = ["max_parallel", "key"];

    /// <summary>Keys that do not change what a step does, and those whose steps have hashes of their own.</summary>
    static readonly string[] s_notHashed = ["steps", "group", "choose", "name", "needs", "after", "timeout", "retry", "continue_on_error", "checkpoint", "compensate", "output_limit", "max_parallel", "on_unknown"];

    ProblemList Problems => file.Problems;

    /// <summary>The steps of one level.</summary>
    public IReadOnlyList<StepDefinition> ReadLevel(YamlNode? level, Inherited inherited, bool sideBySide = false)
    {
        var steps = new List<StepDefinition>();
        foreach (var node in (level as YamlSequence)?.Items.OfType<YamlMapping>() ?? [])
        {
            if (Read(node, inherited, sideBySide ? null : steps.LastOrDefault()) is not { } step) continue;
            if (steps.Find(other => other.Id == step.Id) is { } first)
                Problems.Error(node.Find("id")!, $"Two steps have the id '{step.Id}'; the first is at {first.Node.Find("id")!.Line}:{first.Node.Find("id")!.Column}.", "Give each its own.");
            else steps.Add(step);
        }
        return steps;
    }

    StepDefinition? Read(YamlMapping node, Inherited outer, StepDefinition? above)
    {
        var id = ReadId(node);
        var used = new List<UsedExpression>();
        var inherited = ReadInherited(node, outer);
        var fanOut = ReadFanOut(node, used);
        var work = ReadWork(node, inherited, fanOut is not null, used);
        CheckPlaces(node, work, fanOut);
        var needs = ReadNames(node, "needs");
        var after = ReadNames(node, "after");
        var condition = node.FindScalar("if") is { } text ? ReadCondition(text, ExpressionUse.Condition, used) : null;
        var undo = node.FindScalar("compensate") is { } compensate ? ReadCommand(compensate, inherited, null, ExpressionUse.Undo, used) : null;
        if (id is null) return null;
        var isRun = work is Work.Shell;
        return new StepDefinition
        {
            Node = node, Id = id, Work = work ?? new Work.Broken(), Title = node.FindScalar("name")?.Value, FanOut = fanOut, If = condition, Compensate = undo,
            Needs = needs ?? [], After = after ?? (needs is null && above is not null ? [new StepName(above.Id, above.Node.FindScalar("id")!)] : []),
            Retry = isRun ? inherited.Retry : work is Work.Agents agents && file.Loading.Streams ? agents.Definition.Retry : RetryPolicy.None,
            Timeout = isRun ? inherited.Timeout : ReadDuration(node, "timeout"),
            ContinueOnError = node.FindScalar("continue_on_error")?.Flag ?? false,
            Checkpoint = node.FindScalar("checkpoint")?.Flag ?? false,
            Hash = node.Hash(s_notHashed, $"{inherited.Hash} {Inside(work)}"),
            Expressions = isRun || work is Work.Agents || undo is not null ? [.. used, .. inherited.Expressions] : used,
        };
    }

    static string Inside(Work? work)
    {
        return work switch
        {
            Work.Group group => Hashes(group.Steps),
            Work.Sequence sequence => Hashes(sequence.Steps),
            Work.Choose choose => string.Join('\n', choose.Cases.Select(one => $"{one.Id} {one.When?.Root} {Hashes(one.Steps)}")),
            Work.Child child => child.Workflow.Fingerprint,
            _ => "",
        };

        static string Hashes(IReadOnlyList<StepDefinition> steps) => string.Join(' ', steps.Select(step => $"{step.Id}:{step.Hash}"));
    }

    string? ReadId(YamlMapping node)
    {
        if (node.FindScalar("id") is not { } id) return null;
        if (!RunIds.IsValidStepId(id.Value))
            Problems.Error(id, $"'{YamlReader.Printable(id.Value)}' is not a step id: use letters, digits, '.', '_' and '-', beginning with a letter or digit.", "A title with other characters belongs into 'name'.");
        else if (id.Value == Case.Otherwise || (id.Value.StartsWith("case-", StringComparison.Ordinal) && int.TryParse(id.Value.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out _)))
            Problems.Error(id, $"'{id.Value}' is the name of a case of 'choose'.", "Give the step another id.");
        return id.Value;
    }

    static List<StepName>? ReadNames(YamlMapping node, string key) => node.Find(key) switch
    {
        YamlScalar one => [new StepName(one.Value, one)],
        YamlSequence list => [.. list.Items.OfType<YamlScalar>().Where(item => !item.IsNull).Select(item => new StepName(item.Value, item))],
        _ => null,
    };

    /// <summary>shell, working_directory, env, timeout and retry of a mapping, over those around it.</summary>
    public Inherited ReadInherited(YamlMapping node, Inherited outer)
    {
        var used = new List<UsedExpression>();
        var directory = node.FindScalar("working_directory") is { } text ? ReadTemplate(text, ExpressionUse.Setting, used) : null;
        if (directory is { IsPlain: true } && FileContext.WhyNoDirectory(directory.Text) is { } why) Problems.Error(node.Find("working_directory")!, why);
        var env = new List<(string, Template)>();
        foreach (var (name, value) in (node.Find("env") as YamlMapping)?.Entries ?? [])
        {
            if (FileContext.WhyNoVariable(name.Value) is { } problem) Problems.Error(name, problem);
            if (value is YamlScalar { IsNull: false } scalar && ReadTemplate(scalar, ExpressionUse.Work, used) is { } template) env.Add((name.Value, template));
        }
        var hash = new YamlSequence(0, 0);
        foreach (var key in new[] { "shell", "working_directory", "env" })
            if (node.Find(key) is { } part) hash.Items.Add(part);
        return new Inherited(
            node.FindScalar("shell")?.Value ?? outer.Shell,
            directory ?? outer.WorkingDirectory,
            env.Count == 0 ? outer.Env : [.. outer.Env, .. env],
            ReadDuration(node, "timeout") ?? outer.Timeout,
            ReadRetry(node) ?? outer.Retry,
            hash.Items.Count == 0 ? outer.Hash : hash.Hash(with: outer.Hash),
            [.. outer.Expressions, .. used]);
    }

    public static TimeSpan? ReadDuration(YamlMapping node, string key) => node.FindScalar(key) is { } text && Durations.TryParse(text.Value, out var duration) ? duration : null;

    static RetryPolicy? ReadRetry(YamlMapping node)
    {
        if (node.FindScalar("retry") is { IsNumber: true } number) return new RetryPolicy { Attempts = Whole(number) ?? 1 };
        if (node.Find("retry") is not YamlMapping map) return null;
        var standard = new RetryPolicy();
        return new RetryPolicy
        {
            Attempts = Whole(map.FindScalar("attempts")) ?? standard.Attempts,
            Delay = ReadDuration(map, "delay") ?? standard.Delay,
            Backoff = map.FindScalar("backoff") is { IsNumber: true } factor ? double.Parse(factor.Value, CultureInfo.InvariantCulture) : standard.Backoff,
            MaxDelay = ReadDuration(map, "max_delay") ?? standard.MaxDelay,
            Jitter = map.FindScalar("jitter")?.Flag ?? standard.Jitter,
        };
    }

    public static int? Whole(YamlScalar? scalar) =>
        scalar is { IsNumber: true } && int.TryParse(scalar.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    Work? ReadWork(YamlMapping node, Inherited inherited, bool isFanOut, List<UsedExpression> used)
    {
        var given = Works.Where(node.Has).ToList();
        if (given.Count == 0)
        {
            // A key that is unknown or of a wrong shape was reported already; it may be the one that is meant.
            if (node.Entries.All(entry => Vocabulary.Find("step").Keys.Any(key => key.Name == entry.Key.Value && !Works.Contains(key.Name))))
                Problems.Error(node, "The step does nothing.", "It needs one of run, group, foreach or matrix (with run or steps), choose, workflow, sleep, approval, wait_for, agent, agents.");
            return null;
        }
        if (given.Count > 1)
        {
            Problems.Error(node.KeyOf(given[1]), $"A step does one thing, and this one has {string.Join(" and ", given.Select(key => $"'{key}'"))}.", "Make a step of each; 'needs' puts them in order.");
            return null;
        }
        switch (node.Find(given[0]))
        {
            case YamlScalar run when given[0] == "run":
                return ReadShell(node, run, inherited, used);
            case YamlSequence steps when given[0] == "group":
                return new Work.Group(ReadLevel(steps, inherited, sideBySide: true), null);
            case YamlMapping group when given[0] == "group":
                return new Work.Group(ReadLevel(group.Find("steps"), inherited, sideBySide: true), Whole(group.FindScalar("max_parallel")));
            case YamlSequence steps when given[0] == "steps":
                if (!isFanOut) Problems.Error(node.KeyOf("steps"), "'steps' inside a step belongs to 'foreach' or 'matrix'.", "Use 'group' for steps that run side by side, or put them one level up.");
                return new Work.Sequence(ReadLevel(steps, inherited));
            case YamlScalar path when given[0] == "workflow":
                return file.LoadChild(path) is { } child ? new Work.Child(child, ReadWith(node, child, used)) : null;
            case YamlScalar duration when given[0] == "sleep":
                return ReadTemplate(duration, ExpressionUse.Setting, used) is { } template ? new Work.Sleep(template) : null;
            case YamlSequence cases when given[0] == "choose":
                return new Work.Choose(ReadCases(cases, inherited, used));
            case YamlNode asked when given[0] == "approval":
                var rules = asked as YamlMapping;
                return (asked as YamlScalar ?? rules?.FindScalar("message")) is { } question && ReadTemplate(question, ExpressionUse.Setting, used) is { } message
                    ? new Work.Approve(message, rules is null ? null : ReadDuration(rules, "timeout"), rules?.FindScalar("on_timeout")?.Value switch { "fail" => TimeoutAction.Fail, "continue" => TimeoutAction.Continue, _ => TimeoutAction.Reject }, rules?.FindScalar("operation")?.Value)
                    : null;
            case YamlNode awaited when given[0] == "wait_for":
                var limits = awaited as YamlMapping;
                return (awaited as YamlScalar ?? limits?.FindScalar("signal")) is { } name && ReadTemplate(name, ExpressionUse.Setting, used) is { } signal
                    ? new Work.WaitFor(signal, limits is null ? null : ReadDuration(limits, "timeout"), limits?.FindScalar("on_timeout")?.Value == "continue")
                    : null;
            case YamlMapping asked when given[0] is "agent" or "agents":
                return ReadAgents(node, asked, inherited, given[0] == "agents", used);
            default:
                return null;
        }
    }

    Work.Agents? ReadAgents(YamlMapping node, YamlMapping asked, Inherited inherited, bool isFleet, List<UsedExpression> used)
    {
        if (file.Loading.Agents is null) Problems.Error(node.KeyOf(isFleet ? "agents" : "agent"), "This program loads workflow files without agents.", "Run it with the pawl command, or write the agents in C# with Pawl.Agents.");
        file.HasFleet |= isFleet;
        var reader = new AgentReader(file, inherited, (text, use) => ReadTemplate(text, use, used), (text, around) => ReadCommand(text, around, null, ExpressionUse.Work, used));
        var definition = isFleet ? reader.ReadFleet(asked) : reader.ReadOne(asked, node.FindScalar("id")?.Value ?? "agent");
        return definition is null ? null : new Work.Agents(definition with { Retry = inherited.Retry == RetryPolicy.None ? AgentsDefinition.StandardRetry : inherited.Retry });
    }

    Work.Shell? ReadShell(YamlMapping node, YamlScalar run, Inherited inherited, List<UsedExpression> used)
    {
        var limit = ReadOutputLimit(node);
        if (ReadCommand(run, inherited, limit, ExpressionUse.Work, used) is not { } command) return null;
        var values = used.Concat(inherited.Expressions).Where(one => one.Use is ExpressionUse.Work or ExpressionUse.Setting).Select(one => one.Expression).ToList();
        var sources = ReadPatterns(node, "sources", used);
        var generates = ReadPatterns(node, "generates", used);
        var git = node.Has("git");
        if (generates.Count > 0 && sources.Count == 0 && !git) Problems.Error(node.KeyOf("generates"), "'generates' alone does not say when the step is needed.", "Name the files it reads in 'sources'.");
        var skip = sources.Count > 0 || git ? new SkipRule(sources, generates, git, values) : null;
        UnknownRule? unknown = node.Find("on_unknown") switch
        {
            YamlScalar { Value: "ask" or "skip" or "fail" } policy => new UnknownRule(policy.Value, null),
            YamlMapping map when map.FindScalar("probe") is { } probe => new UnknownRule("probe", ReadCommand(probe, inherited, null, ExpressionUse.Work, used)),
            _ => null,
        };
        return new Work.Shell(command, skip, unknown);
    }

    CommandDefinition? ReadCommand(YamlScalar text, Inherited inherited, int? outputLimit, ExpressionUse use, List<UsedExpression> used)
    {
        if (string.IsNullOrWhiteSpace(text.Value)) Problems.Error(text, "The command is empty.");
        if (ReadTemplate(text, use, used) is not { } template) return null;
        try
        {
            return new CommandDefinition(ShellScript.Compile(template, FileContext.ShellOf(inherited.Shell)), inherited.WorkingDirectory, inherited.Env, outputLimit);
        }
        catch (ExpressionException error)
        {
            Problems.Error(text, error.Offset, error.Problem);
            return null;
        }
    }

    List<Template> ReadPatterns(YamlMapping node, string key, List<UsedExpression> used)
    {
        var patterns = new List<Template>();
        foreach (var name in ReadNames(node, key) ?? [])
        {
            if (ReadTemplate(name.Node, ExpressionUse.Setting, used) is not { } template) continue;
            patterns.Add(template);
            if (!template.IsPlain) continue;
            try
            {
                _ = Glob.Parse(template.Text);
            }
            catch (FormatException error) { Problems.Error(name.Node, error.Message); }
        }
        return patterns;
    }

    int? ReadOutputLimit(YamlMapping node)
    {
        if (node.FindScalar("output_limit") is not { } limit) return null;
        if (Whole(limit) is { } bytes) return bytes;
        var factor = limit.Value.EndsWith("MiB", StringComparison.Ordinal) ? 1024 * 1024 : limit.Value.EndsWith("KiB", StringComparison.Ordinal) ? 1024 : 0;
        if (factor > 0 && int.TryParse(limit.Value.AsSpan()[..^3], NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0 && (long)count * factor <= 1_000_000_000) return count * factor;
        Problems.Error(limit, $"'output_limit' must be a number of bytes, or such as 64KiB or 10MiB, not '{YamlReader.Printable(limit.Value)}'.");
        return null;
    }

    List<(string, ValueTemplate)> ReadWith(YamlMapping node, Workflow child, List<UsedExpression> used)
    {
        var values = new List<(string, ValueTemplate)>();
        var secrets = child.Params.Where(param => param.Type == "secret").Select(param => param.Name).ToHashSet();
        foreach (var (name, value) in (node.Find("with") as YamlMapping)?.Entries ?? [])
        {
            if (child.Params.All(param => param.Name != name.Value))
                Problems.Error(name, $"The workflow '{child.Name}' has no param '{YamlReader.Printable(name.Value)}'.", Nearest.Hint(name.Value, child.Params.Select(param => param.Name)));
            else values.Add((name.Value, ReadValue(value, secrets.Contains(name.Value) ? ExpressionUse.Work : ExpressionUse.Setting, used)));
        }
        foreach (var param in child.Params.Where(param => param is { Required: true, Default: null, EnvironmentVariable: null } && values.All(value => value.Item1 != param.Name)))
            Problems.Error(node.KeyOf("workflow"), $"The workflow '{child.Name}' requires the param '{param.Name}'.", $"Give it under 'with'.");
        return values;
    }

    List<Case> ReadCases(YamlSequence node, Inherited inherited, List<UsedExpression> used)
    {
        var cases = new List<Case>();
        foreach (var one in node.Items.OfType<YamlMapping>())
        {
            var isLast = one == node.Items[^1];
            if (one.Has("otherwise") && (one.Has("when") || one.Has("steps"))) Problems.Error(one, "A case has 'when' and 'steps', or 'otherwise' alone.");
            else if (one.Has("otherwise"))
            {
                if (!isLast) Problems.Error(one, "'otherwise' must be the last case: those after it could never be taken.");
                cases.Add(new Case(Case.Otherwise, null, ReadLevel(one.Find("otherwise"), inherited)));
            }
            else if (one.FindScalar("when") is not { } when || !one.Has("steps")) Problems.Error(one, "A case needs 'when' and 'steps', or 'otherwise'.");
            else cases.Add(new Case($"case-{cases.Count + 1}", ReadCondition(when, ExpressionUse.Condition, used), ReadLevel(one.Find("steps"), inherited)));
        }
        return cases;
    }

    FanOut? ReadFanOut(YamlMapping node, List<UsedExpression> used)
    {
        if (node.Has("matrix") && node.Has("foreach")) Problems.Error(node.KeyOf("foreach"), "A step has 'matrix' or 'foreach', not both.", "A dimension of the matrix can be a list from an expression.");
        var key = node.FindScalar("key") is { } text ? ReadCondition(text, ExpressionUse.Key, used) : null;
        var parallel = Whole(node.FindScalar("max_parallel")) ?? FanOut.DefaultParallel;
        if (node.Find("matrix") is YamlMapping matrix) return new FanOut(ReadMatrix(matrix, used), null, null, null, parallel);
        return node.Find("foreach") switch
        {
            YamlScalar list => new FanOut(null, ReadCondition(list, ExpressionUse.Items, used), null, key, parallel),
            YamlSequence items => new FanOut(null, null, ReadValue(items, ExpressionUse.Items, used), key, parallel),
            _ => null,
        };
    }

    Matrix ReadMatrix(YamlMapping node, List<UsedExpression> used)
    {
        var dimensions = new List<(string, ValueTemplate)>();
        var names = new HashSet<string>();
        foreach (var (name, value) in node.Entries)
        {
            var isEdit = name.Value is "include" or "exclude";
            if (value is YamlScalar scalar && (scalar.IsNull || !scalar.Value.Contains("${{", StringComparison.Ordinal))) Problems.Error(value, $"'{YamlReader.Printable(name.Value)}' of a matrix must be a list, or an expression that gives one.");
            else if (isEdit && value is YamlSequence list && list.Items.Find(item => item is not YamlMapping) is { } wrong) Problems.Error(wrong, $"'{name.Value}' must be a list of mappings.");
            else if (!isEdit && value is YamlSequence { Items.Count: 0 }) Problems.Error(value, $"The matrix dimension '{YamlReader.Printable(name.Value)}' is empty.");
            if (!ExpressionLexer.IsName(name.Value)) Problems.Error(name, $"'{YamlReader.Printable(name.Value)}' is not a name: use letters, digits, '_' and '-', beginning with a letter.");
            if (!isEdit)
            {
                names.Add(name.Value);
                dimensions.Add((name.Value, ReadValue(value, ExpressionUse.Items, used)));
            }
        }
        foreach (var entry in (node.Find("include") as YamlSequence)?.Items.OfType<YamlMapping>() ?? []) names.UnionWith(entry.Entries.Select(pair => pair.Key.Value));
        if (names.Count == 0) Problems.Error(node, "The matrix has no dimensions.");
        var size = dimensions.Select(dimension => (node.Find(dimension.Item1) as YamlSequence)?.Items.Count ?? 1).Aggregate(1L, (product, count) => Math.Min(product * count, int.MaxValue));
        if (size > FanOut.MaxItems) Problems.Error(node, $"The matrix has {size} combinations; at most {FanOut.MaxItems} are allowed.");
        return new Matrix(dimensions, Edit("include"), Edit("exclude")) { Names = node.FindScalar("include") is null ? names : new HashSet<string>() };

        ValueTemplate? Edit(string key) => node.Find(key) is { } value ? ReadValue(value, ExpressionUse.Items, used) : null;
    }

    void CheckPlaces(YamlMapping node, Work? work, FanOut? fanOut)
    {
        if (work is not null and not Work.Shell)
        {
            foreach (var key in s_ofRun.Where(key => node.Has(key) && !(key == "retry" && work is Work.Agents)))
                Problems.Error(node.KeyOf(key), $"'{key}' works only together with 'run'.", "Put it on the steps inside.");
        }
        if (work is Work.Group or Work.Sleep or Work.Choose && fanOut is not null)
            Problems.Error(node, $"'{(fanOut.Matrix is null ? "foreach" : "matrix")}' goes together with run, steps or workflow.", $"Put '{work.Kind}' into a list of 'steps'.");
        if (fanOut is null)
        {
            foreach (var key in s_ofFanOut.Where(node.Has))
                Problems.Error(node.KeyOf(key), $"'{key}' belongs to {(key == "key" ? "'foreach'" : "'foreach' or 'matrix' (and inside 'group: {{ max_parallel, steps }}')")}.");
        }
        else if (fanOut.Matrix is not null && node.Has("key")) Problems.Error(node.KeyOf("key"), "'key' belongs to 'foreach'; the key of a matrix item is its values.");
        if (node.Has("with") && !node.Has("workflow")) Problems.Error(node.KeyOf("with"), "'with' gives params to a child workflow, and there is no 'workflow' here.");
    }

    ValueTemplate ReadValue(YamlNode node, ExpressionUse use, List<UsedExpression> used) => ValueTemplate.Read(node, scalar => ReadTemplate(scalar, use, used));

    Template? ReadTemplate(YamlScalar text, ExpressionUse use, List<UsedExpression> used) => Try(text, () =>
    {
        var template = Template.Parse(text.Value);
        used.AddRange(template.Expressions.Select(expression => new UsedExpression(expression, text, use)));
        return template;
    });

    Expression? ReadCondition(YamlScalar text, ExpressionUse use, List<UsedExpression> used) => Try(text, () =>
    {
        var expression = Expression.ParseCondition(text.Value);
        used.Add(new UsedExpression(expression, text, use));
        return expression;
    });

    T? Try<T>(YamlScalar text, Func<T> parse) where T : class
    {
        try
        {
            return parse();
        }
        catch (ExpressionException error)
        {
            Problems.Error(text, error.Offset, error.Problem);
            return null;
        }
    }
}
