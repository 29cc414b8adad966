using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>A tool that a workflow file defines: its schema, and the check of what a model gives it.</summary>
abstract class DefinedFunction(AgentCall call, ToolDefinition tool) : AIFunction
{
    protected AgentCall Call => call;

    protected ToolDefinition Tool => tool;

    public override string Name => tool.Name;

    public override string Description => tool.Description;

    public override JsonElement JsonSchema { get; } = Schema(tool);

    protected sealed override async ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken)
    {
        try
        {
            return call.Mask(await RunAsync(Check(arguments), arguments.Context?[typeof(StepContext)] as StepContext ?? call.Context, cancellationToken));
        }
        catch (StepException error) when (call.Mask(error.Message) != error.Message)
        {
            // What a server says about a request may repeat the request. Without the inner error, which says it once more.
            throw new StepException(call.Mask(error.Message), error.Class);
        }
    }

    /// <returns>What the model is told.</returns>
    /// <exception cref="StepException">It did not work; the model is told the message.</exception>
    protected abstract Task<string> RunAsync(IReadOnlyDictionary<string, JsonElement> arguments, StepContext context, CancellationToken cancellationToken);

    /// <summary>Only what the schema allows comes through.</summary>
    Dictionary<string, JsonElement> Check(AIFunctionArguments arguments)
    {
        var given = new Dictionary<string, JsonElement>();
        foreach (var (name, value) in arguments)
        {
            var parameter = tool.Parameters.FirstOrDefault(one => one.Name == name)
                ?? throw new StepException($"'{tool.Name}' has no parameter '{name}'. {(tool.Parameters.Count == 0 ? "It has none." : $"It has: {string.Join(", ", tool.Parameters.Select(one => one.Name))}.")}");
            var json = value is JsonElement element ? element : JsonSerializer.SerializeToElement(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object)));
            if (json.ValueKind == JsonValueKind.Null && !parameter.Required) continue;
            var fits = parameter.Type switch
            {
                "string" => json.ValueKind == JsonValueKind.String,
                "boolean" => json.ValueKind is JsonValueKind.True or JsonValueKind.False,
                "integer" => json.ValueKind == JsonValueKind.Number && decimal.TryParse(json.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && decimal.Truncate(number) == number,
                _ => json.ValueKind == JsonValueKind.Number,
            };
            if (!fits) throw new StepException($"'{name}' of '{tool.Name}' must be of type {parameter.Type}.");
            if (parameter.Allowed is { } allowed && !allowed.Contains(TextOf(json))) throw new StepException($"'{name}' of '{tool.Name}' must be one of {string.Join(", ", allowed)}.");
            given[name] = json;
        }
        if (tool.Parameters.FirstOrDefault(one => one.Required && !given.ContainsKey(one.Name)) is { } missing) throw new StepException($"'{missing.Name}' of '{tool.Name}' is missing.");
        return given;
    }

    protected static string TextOf(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();

    static JsonElement Schema(ToolDefinition tool)
    {
        var properties = new JsonObject();
        foreach (var parameter in tool.Parameters)
        {
            var one = new JsonObject { ["type"] = parameter.Type };
            if (parameter.Description is { } text) one["description"] = text;
            if (parameter.Allowed is { } allowed) one["enum"] = new JsonArray([.. allowed.Select(value => parameter.Type == "string" ? JsonValue.Create(value) : JsonNode.Parse(value))]);
            properties[parameter.Name] = one;
        }
        var schema = new JsonObject
        {
            ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false,
            ["required"] = new JsonArray([.. tool.Parameters.Where(parameter => parameter.Required).Select(parameter => JsonValue.Create(parameter.Name))]),
        };
        using var document = JsonDocument.Parse(schema.ToJsonString());
        return document.RootElement.Clone();
    }
}

/// <summary>A tool that is a shell command. What the model gives is in its environment, never in its text.</summary>
sealed class ShellFunction(AgentCall call, ToolDefinition tool, CommandDefinition command) : DefinedFunction(call, tool)
{
    // More would fill the model's memory with what a command happened to print.
    const int MostBytes = 64 * 1024;

    protected override async Task<string> RunAsync(IReadOnlyDictionary<string, JsonElement> arguments, StepContext context, CancellationToken cancellationToken)
    {
        var variables = Tool.Parameters.ToDictionary(parameter => parameter.Variable, parameter => arguments.TryGetValue(parameter.Name, out var value) ? TextOf(value) : "");
        if (variables.FirstOrDefault(pair => pair.Value.Contains('\0')) is { Key: { } wrong }) throw new StepException($"{wrong} holds a zero character, which no command can be given.");
        var outcome = await Call.RunAsync(context, command with { OutputLimit = MostBytes }, variables);
        cancellationToken.ThrowIfCancellationRequested();
        return outcome.ExitCode == 0 ? TextOf(outcome) : throw new StepException($"The command ended with exit code {outcome.ExitCode}. {TextOf(outcome)}", outcome.ExitCode is 126 or 127 ? ErrorClass.Permanent : ErrorClass.Transient);
    }

    public static string TextOf(ShellOutcome outcome) => Encoding.UTF8.GetString(outcome.Log.Span).TrimEnd('\n');
}
