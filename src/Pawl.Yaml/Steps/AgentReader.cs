using System.Text.RegularExpressions;

namespace Pawl.Yaml;

/// <summary>The nodes <c>agent</c> and <c>agents</c> → definitions. Of one step; what is of a wrong shape was reported before.</summary>
/// <param name="file">The file.</param>
/// <param name="inherited">What the step has from around it: shell, folder and variables of its tools.</param>
/// <param name="template">Reads a text, with the use of its expressions.</param>
/// <param name="command">Reads a command.</param>
internal sealed partial class AgentReader(FileContext file, Inherited inherited, Func<YamlScalar, ExpressionUse, Template?> template, Func<YamlScalar, Inherited, CommandDefinition?> command)
{
    static readonly string[] s_works = ["run", "http", "mcp"];

    ProblemList Problems => file.Problems;

    public AgentsDefinition? ReadOne(YamlMapping node, string name)
    {
        var tools = ReadTools(node);
        return Text(node, "prompt") is not { } prompt ? null : new AgentsDefinition
        {
            Task = prompt, Tools = tools, IsJson = IsJson(node), MaxTurns = StepReader.Whole(node.FindScalar("max_turns")),
            Agents = [new AgentDefinition(name, "", Text(node, "instructions"), Model(node, null), [.. tools.Select(tool => tool.Name)])],
        };
    }

    public AgentsDefinition? ReadFleet(YamlMapping node)
    {
        var tools = ReadTools(node);
        var standard = node.FindScalar("model");
        var orchestrator = node.Find("orchestrator") as YamlMapping ?? new YamlMapping(node.Line, node.Column);
        var members = (node.Find("agents") as YamlMapping)?.Entries.Where(entry => entry.Value is YamlMapping).Select(entry => ReadMember(entry.Key, (YamlMapping)entry.Value, standard, tools)).ToList() ?? [];
        if (node.Find("agents") is YamlMapping { Entries.Count: 0 }) Problems.Error(node.Find("agents")!, "There are no agents.");
        foreach (var tool in tools.Where(tool => members.TrueForAll(member => !member.Tools.Contains(tool.Name))))
            Problems.Error(((YamlMapping)node.Find("tools")!).KeyOf(tool.Name), $"No agent uses the tool '{tool.Name}'.", $"Name it: tools: [{tool.Name}]");
        return Text(node, "task") is not { } task ? null : new AgentsDefinition
        {
            Task = task, Tools = tools, Agents = members, IsJson = IsJson(node), Delegates = node.FindScalar("protocol")?.Value == "delegate",
            Orchestrator = new AgentDefinition("orchestrator", "", Text(orchestrator, "instructions"), Model(orchestrator, standard), []),
            MaxRounds = StepReader.Whole(node.FindScalar("max_rounds")), MaxStalls = StepReader.Whole(node.FindScalar("max_stalls")), MaxResets = StepReader.Whole(node.FindScalar("max_resets")),
            MaxTurns = StepReader.Whole(node.FindScalar("max_turns")),
            PlanReview = node.Find("plan_review") switch { YamlMapping rules => ReadAsk(rules), YamlScalar { Flag: true } => new AskDefinition(null, null, null, TimeoutAction.Reject), _ => null },
            Metadata = (node.Find("metadata") as YamlMapping)?.Entries.Where(entry => entry.Value is YamlScalar).ToDictionary(entry => entry.Key.Value, entry => ((YamlScalar)entry.Value).Value) ?? [],
        };
    }

    AgentDefinition ReadMember(YamlScalar name, YamlMapping node, YamlScalar? standard, List<ToolDefinition> tools)
    {
        CheckName(name, "an agent");
        if (name.Value is "orchestrator" or "ledger" or "facts" or "plan" or "final" or "user") Problems.Error(name, $"'{name.Value}' is not the name of an agent that works.", "Give it another one.");
        var used = Names(node, "tools");
        foreach (var tool in used.Where(tool => tools.TrueForAll(other => other.Name != tool.Value)))
            Problems.Error(tool, $"There is no tool '{YamlReader.Printable(tool.Value)}'.", tools.Count == 0 ? "Tools stand under 'tools' of the step." : Nearest.Hint(tool.Value, tools.Select(other => other.Name)));
        return new AgentDefinition(name.Value, node.FindScalar("description")?.Value ?? "", Text(node, "instructions"), Model(node, standard), [.. used.Select(tool => tool.Value).Distinct()]);
    }

    static bool IsJson(YamlMapping node) => node.FindScalar("result")?.Value == "json";

    Template? Text(YamlMapping node, string key) => node.FindScalar(key) is { } text ? template(text, ExpressionUse.Setting) : null;

    string Model(YamlMapping node, YamlScalar? standard)
    {
        var named = node.FindScalar("model") ?? standard;
        YamlNode place = named is null ? node : named;
        var name = named?.Value ?? ModelDefinition.Default;
        if (file.Loading.Agents is not null && file.Loading.Configuration.FindModel(name) is null)
        {
            var known = file.Loading.Configuration.Models.Keys;
            Problems.Error(place, $"There is no model '{YamlReader.Printable(name)}'.", Nearest.Hint(name, known) is { Length: > 0 } near ? near
                : $"Name it in {file.Loading.Configuration.Path ?? "pawl.yaml beside this file"}: models: {{ {ModelDefinition.Default}: {{ endpoint: …, model: … }} }}, or set PAWL_MODEL_URL.");
        }
        return name;
    }

    static IReadOnlyList<YamlScalar> Names(YamlMapping node, string key) => node.Find(key) switch
    {
        YamlScalar one => [one],
        YamlSequence list => [.. list.Items.OfType<YamlScalar>()],
        _ => [],
    };

    void CheckName(YamlScalar name, string what)
    {
        if (!PlainName().IsMatch(name.Value)) Problems.Error(name, $"'{YamlReader.Printable(name.Value)}' is not the name of {what}: use letters, digits, '_' and '-', beginning with a letter, at most 64.");
    }

    List<ToolDefinition> ReadTools(YamlMapping node) =>
        [.. ((node.Find("tools") as YamlMapping)?.Entries ?? []).Where(entry => entry.Value is YamlMapping).Select(entry => ReadTool(entry.Key, (YamlMapping)entry.Value)).OfType<ToolDefinition>()];

    ToolDefinition? ReadTool(YamlScalar name, YamlMapping node)
    {
        CheckName(name, "a tool");
        string[] works = [.. s_works.Where(node.Has)];
        if (works.Length != 1)
        {
            Problems.Error(node, works.Length == 0 ? "The tool does nothing." : $"A tool does one thing, and this one has {string.Join(" and ", works.Select(work => $"'{work}'"))}.", "It needs one of run, http, mcp.");
            return null;
        }
        if (works[0] != "mcp" && !node.Has("description")) Problems.Error(node, "'description' is missing: the model chooses a tool by it.");
        foreach (var key in (string[])["shell", "working_directory", "env"])
            if (works[0] != "run" && node.Has(key)) Problems.Error(node.KeyOf(key), $"'{key}' works only together with 'run'.");
        if (works[0] == "mcp" && node.Has("parameters")) Problems.Error(node.KeyOf("parameters"), "The server says itself what its tools are given.");
        var parameters = ReadParameters(node.Find("parameters") as YamlMapping);
        ToolWork? work = works[0] switch
        {
            "run" => ReadShell(node),
            "http" => ReadHttp((YamlMapping)node.Find("http")!, parameters),
            _ => ReadMcp((YamlMapping)node.Find("mcp")!),
        };
        return work is null ? null : new ToolDefinition(name.Value)
        {
            Work = work, Parameters = parameters, Description = node.FindScalar("description")?.Value ?? "",
            Timeout = StepReader.ReadDuration(node, "timeout") ?? TimeSpan.FromMinutes(5),
            Approval = node.Find("approval") switch
            {
                YamlMapping rules => ReadAsk(rules),
                YamlScalar { Flag: { } flag } => flag ? new AskDefinition(null, null, null, TimeoutAction.Reject) : null,
                YamlScalar operation => new AskDefinition(null, operation.Value, null, TimeoutAction.Reject),
                _ => null,
            },
            OnUnknown = node.Find("on_unknown") switch
            {
                YamlScalar { Value: "ask" or "skip" or "fail" } policy => new UnknownRule(policy.Value, null),
                YamlMapping map when map.FindScalar("probe") is { } probe => new UnknownRule("probe", command(probe, inherited)),
                _ => null,
            },
        };
    }

    AskDefinition ReadAsk(YamlMapping node) => new(Text(node, "message"), node.FindScalar("operation")?.Value, StepReader.ReadDuration(node, "timeout"),
        node.FindScalar("on_timeout")?.Value switch { "fail" => TimeoutAction.Fail, "continue" => TimeoutAction.Continue, _ => TimeoutAction.Reject });

    List<ToolParameter> ReadParameters(YamlMapping? node)
    {
        var found = new List<ToolParameter>();
        foreach (var (name, value) in node?.Entries ?? [])
        {
            CheckName(name, "a parameter");
            var map = value as YamlMapping;
            var parameter = new ToolParameter(name.Value, map?.FindScalar("type")?.Value ?? (value as YamlScalar)?.Value ?? "string", map?.FindScalar("description")?.Value,
                (map?.Find("enum") as YamlSequence)?.Items.OfType<YamlScalar>().Select(item => item.Value).ToList(), map?.FindScalar("required")?.Flag ?? true);
            if (found.Find(other => other.Variable == parameter.Variable) is { } same) Problems.Error(name, $"The parameters '{same.Name}' and '{name.Value}' would be the same environment variable {same.Variable}.");
            found.Add(parameter);
        }
        return found;
    }

    ToolWork.Shell? ReadShell(YamlMapping node) => node.FindScalar("run") is { } run && command(run, new StepReader(file).ReadInherited(WithoutRules(node), inherited)) is { } made ? new ToolWork.Shell(made) : null;

    /// <summary>The keys of a tool that a step has, too, and that are inherited in the same way.</summary>
    static YamlMapping WithoutRules(YamlMapping node)
    {
        var part = new YamlMapping(node.Line, node.Column);
        foreach (var (key, value) in node.Entries.Where(entry => entry.Key.Value is "shell" or "working_directory" or "env")) part.Add(key, value);
        return part;
    }

    ToolWork.Http? ReadHttp(YamlMapping node, List<ToolParameter> parameters)
    {
        var url = node.FindScalar("url")!;
        foreach (Match slot in Slots().Matches(url.Value))
            if (parameters.Find(parameter => parameter.Name == slot.Groups[1].Value) is not { Required: true })
                Problems.Error(url, $"'{{{slot.Groups[1].Value}}}' is not a required parameter of the tool.", Nearest.Hint(slot.Groups[1].Value, parameters.Select(parameter => parameter.Name)));
        var hosts = Names(node, "hosts").Select(host => host.Value.ToLowerInvariant()).ToList();
        if (!Uri.TryCreate(Slots().Replace(url.Value, "x"), UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            Problems.Error(url, $"'{YamlReader.Printable(url.Value)}' is not an address.", "It begins with http:// or https://.");
            return null;
        }
        if (hosts.Count == 0 && Slots().IsMatch(url.Value.Split('/').ElementAtOrDefault(2) ?? "")) Problems.Error(url, "The model would choose the host.", "Name those that it may in 'hosts'.");
        if (hosts.Count == 0) hosts.Add(address.Authority.ToLowerInvariant());
        return new ToolWork.Http(node.FindScalar("method")?.Value ?? "GET", url.Value, hosts, Pairs(node, "headers"));
    }

    ToolWork.Mcp ReadMcp(YamlMapping node)
    {
        var arguments = Names(node, "args").Select(argument => template(argument, ExpressionUse.Work)).OfType<Template>().ToList();
        return new ToolWork.Mcp(node.FindScalar("command")!.Value, arguments, Pairs(node, "env"), [.. Names(node, "tools").Select(name => name.Value)]);
    }

    List<(string, Template)> Pairs(YamlMapping node, string key)
    {
        var pairs = new List<(string, Template)>();
        foreach (var (name, value) in (node.Find(key) as YamlMapping)?.Entries ?? [])
        {
            if (key == "env" && FileContext.WhyNoVariable(name.Value) is { } problem) Problems.Error(name, problem);
            if (value is YamlScalar text && template(text, ExpressionUse.Work) is { } made) pairs.Add((name.Value, made));
        }
        return pairs;
    }

    /// <summary>The parameters in an address.</summary>
    [GeneratedRegex(@"\{([A-Za-z][A-Za-z0-9_-]*)\}", RegexOptions.NonBacktracking)]
    internal static partial Regex Slots();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_-]{0,63}\z")]
    private static partial Regex PlainName();
}
