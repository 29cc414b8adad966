using System.Text.Json;

namespace Pawl.Engine;

/// <summary>Params by precedence (defaults, start, overrides), checked against their declarations. Pure but for secrets, which are read when a pass begins.</summary>
static class ParamBinder
{
    /// <summary>Merges and checks. Secrets are resolved but never part of what is stored.</summary>
    /// <exception cref="InvalidDefinitionException">Missing, unknown or wrongly typed params; all problems are listed.</exception>
    public static Dictionary<string, RawJson> Bind(Workflow workflow, IReadOnlyDictionary<string, RawJson> given)
    {
        var problems = new Dictionary<string, string>();
        var bound = new Dictionary<string, RawJson>();
        var declared = workflow.Params.ToDictionary(param => param.Name);
        foreach (var param in workflow.Params) if (param.Default is { } value) bound[param.Name] = value;
        foreach (var (name, value) in given)
        {
            if (declared.Count > 0 && !declared.ContainsKey(name) && !name.StartsWith("__", StringComparison.Ordinal))
                problems[name] = $"There is no param '{RunIds.Printable(name)}'.{Nearest.Hint(name, declared.Keys)}";
            else bound[name] = declared.TryGetValue(name, out var param) ? Fit(param, value, problems) : value;
        }
        foreach (var param in workflow.Params)
        {
            if (!bound.ContainsKey(param.Name) && param.EnvironmentVariable is { } variable && Environment.GetEnvironmentVariable(variable) is { Length: > 0 } secret)
                bound[param.Name] = PawlJson.Encode(secret, PawlJson.Default);
            if (param.Required && !bound.ContainsKey(param.Name))
                problems[param.Name] = $"The param '{param.Name}' is required.{(param.EnvironmentVariable is { } name ? $" Set the environment variable {name}." : $" Give it with --param {param.Name}=…")}";
        }
        if (problems.Count > 0) throw new InvalidDefinitionException($"The params of '{workflow.Name}' are not right:\n  {string.Join("\n  ", problems.Values)}", [.. problems.Values]) { Params = problems };
        return bound;
    }

    /// <summary>What may be stored: everything but secrets.</summary>
    public static Dictionary<string, RawJson> Without(IEnumerable<string> secrets, IReadOnlyDictionary<string, RawJson> given) => given.ExceptBy(secrets, pair => pair.Key).ToDictionary();

    static RawJson Fit(WorkflowParam param, RawJson value, Dictionary<string, string> problems)
    {
        var json = value.ToElement();
        // A command line gives text only: "3" fits a number, "true" a boolean, "[1]" a list.
        if (json.ValueKind == JsonValueKind.String && param.Type is not ("string" or "secret"))
        {
            try
            {
                value = RawJson.Parse(json.GetString()!);
                json = value.ToElement();
            }
            catch (JsonException) { }
        }
        var fits = param.Type switch
        {
            "string" or "secret" => json.ValueKind == JsonValueKind.String,
            "boolean" => json.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "number" => json.ValueKind == JsonValueKind.Number,
            "integer" => json.ValueKind == JsonValueKind.Number && decimal.TryParse(json.GetRawText(), System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out var number) && number == decimal.Truncate(number),
            "list" => json.ValueKind == JsonValueKind.Array,
            "object" => json.ValueKind == JsonValueKind.Object,
            _ => true,
        };
        var shown = param.Type == "secret" ? "the value given" : StepExecutor.Shorten(value.ToString());
        if (!fits) problems[param.Name] = $"The param '{param.Name}' must be of type {param.Type}; {shown} is not.";
        else if (param.Allowed is { } allowed && !allowed.Contains(json.ValueKind == JsonValueKind.String ? json.GetString()! : json.GetRawText()))
            problems[param.Name] = $"The param '{param.Name}' must be one of {string.Join(", ", allowed)}; {shown} is not.";
        return value;
    }
}
