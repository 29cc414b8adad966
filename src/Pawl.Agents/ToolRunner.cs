using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>Invokes tools for one run of an agent: each call is a sub-step, named by tool and arguments, behind the approval for exactly these arguments.</summary>
sealed class ToolRunner(Agent agent, StepContext context, string prefix)
{
    // A question is read by a person; the journal has the arguments whole.
    const int MostShown = 4000;

    readonly Dictionary<string, int> _times = [];

    /// <summary>Declared and not to be invoked here.</summary>
    public bool IsForCaller(FunctionCallContent call) => agent.Tools.OfType<AIFunctionDeclaration>().Any(tool => tool.Name == call.Name && tool is not AIFunction);

    /// <summary>The result for the model: the tool's own, or what went wrong.</summary>
    public async Task<object?> RunAsync(FunctionCallContent call)
    {
        if (call.AdditionalProperties?.TryGetValue(ChatRecord.CallError, out var unread) == true) return $"Error: the arguments of '{call.Name}' could not be read: {unread}. Call it again with one JSON object.";
        if (agent.Tools.OfType<AIFunction>().FirstOrDefault(tool => tool.Name == call.Name) is not { } tool)
            return $"Error: there is no tool '{call.Name}'. The tools are: {string.Join(", ", agent.Tools.Select(one => one.Name))}.";

        var arguments = new Dictionary<string, object?>(call.Arguments ?? new Dictionary<string, object?>());
        var json = JsonSerializer.SerializeToUtf8Bytes(arguments, ChatRecord.Json.GetTypeInfo(typeof(IDictionary<string, object?>)));
        var path = $"{prefix}/tool/{Printable(call.Name)}/{RequestFacts.Short([.. Encoding.UTF8.GetBytes(call.Name), 0, .. json])}";
        // The same call once more is another one.
        if ((_times[path] = _times.GetValueOrDefault(path) + 1) is > 1 and var time) path = $"{path}.{time}";

        var options = tool.GetService<CheckpointedFunction>()?.Options ?? new ToolOptions();
        var edited = default(RawJson?);
        if ((options.Approval ?? (tool.GetService<ApprovalRequiredAIFunction>() is null ? null : new ApprovalRequest(""))) is { } asked)
        {
            var approval = await context.RequestApprovalAsync(asked with { Message = Question(asked.Message, call.Name, json), Operation = asked.Operation ?? call.Name }, $"{path}/approval");
            if (!approval.IsApproved) return $"Rejected{(approval.By is { } by ? $" by {by}" : "")}: {approval.Reason ?? "no reason was given"}. The tool was not called; do not call it with these arguments again.";
            if (approval.Changes is { } changes)
            {
                if (!Merge(arguments, changes)) throw new StepException($"The approval of '{call.Name}' changes its arguments to {Shown(changes.Utf8.ToArray())}, which is no JSON object. Changes are an object with the arguments that are to be different.");
                edited = new RawJson(JsonSerializer.SerializeToUtf8Bytes(arguments, ChatRecord.Json.GetTypeInfo(typeof(IDictionary<string, object?>))));
            }
        }
        using var span = GenAi.Tool(call.Name, call.CallId);
        var result = await InvokeAsync(tool, path, arguments, options, span);
        return edited is null ? result : $"A person changed the arguments to {edited}. The result: {Text(result)}";
    }

    async Task<object?> InvokeAsync(AIFunction tool, string path, Dictionary<string, object?> arguments, ToolOptions options, System.Diagnostics.Activity? span)
    {
        var isNew = false;
        // A failure is a result too: the model was told of it, and a resume must tell it the same.
        await context.StepAsync(path, async step =>
        {
            isNew = true;
            var given = new AIFunctionArguments(arguments) { Services = Services(), Context = new Dictionary<object, object?> { [typeof(StepContext)] = step } };
            return StepResult.Ok(Encode(await tool.InvokeAsync(given, step.CancellationToken)));
        }, new StepOptions { Retry = options.Retry, Timeout = options.Timeout, OnUnknown = options.OnUnknown, ContinueOnError = true });
        if (!isNew) span?.SetTag("pawl.replayed", true);
        var full = $"{context.Path}/{path}";
        if (context.StatusOf(full) == StepStatus.Failed)
        {
            var error = context.ErrorOf(full)!;
            span?.SetStatus(System.Diagnostics.ActivityStatusCode.Error, error.Message).SetTag("error.type", error.Type);
            return $"Error: {error.Message}";
        }
        return context.TryOutput(full) is { } output ? Decode(output) : null;
    }

    IServiceProvider? Services()
    {
        try { return context.Services; }
        catch (InvalidOperationException)
        {
            // A client without services: tools then have none.
            return null;
        }
    }

    string Question(string said, string name, byte[] arguments) =>
        $"{(said.Length > 0 ? said + " " : "")}Agent '{agent.Name}' wants to call {name}({Shown(arguments)}). Approve it, approve it with other arguments (changes), or reject it with a reason that the agent is told.";

    static string Shown(byte[] json)
    {
        var text = Encoding.UTF8.GetString(json);
        return text.Length <= MostShown ? text : $"{text[..MostShown]}… ({text.Length} characters, whole in the journal)";
    }

    static bool Merge(Dictionary<string, object?> arguments, RawJson changes)
    {
        var root = changes.ToElement();
        if (root.ValueKind != JsonValueKind.Object) return false;
        foreach (var change in root.EnumerateObject()) arguments[change.Name] = change.Value;
        return true;
    }

    static object? Encode(object? result) => result switch
    {
        null => null,
        JsonElement or RawJson => result,
        AIContent content => JsonSerializer.SerializeToElement(content, ChatRecord.Json.GetTypeInfo(typeof(AIContent))),
        IEnumerable<AIContent> contents => JsonSerializer.SerializeToElement(contents, ChatRecord.Json.GetTypeInfo(typeof(IEnumerable<AIContent>))),
        _ => JsonSerializer.SerializeToElement(result, ChatRecord.Json.GetTypeInfo(result.GetType())),
    };

    static object? Decode(RawJson output)
    {
        var value = output.ToElement();
        return value.ValueKind switch { JsonValueKind.String => value.GetString(), JsonValueKind.Null => null, _ => value };
    }

    static string Text(object? result) => result switch { null => "null", string text => text, _ => result.ToString()! };

    /// <summary>A model may call a tool anything; a path has signs of its own.</summary>
    static string Printable(string name) => new([.. name.Take(64).Select(c => c is '/' or '[' or ']' || char.IsControl(c) ? '-' : c)]);
}
