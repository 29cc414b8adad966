using System.Text.Json;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>Executes the steps <c>agent</c> and <c>agents</c> of workflow files.</summary>
static class AgentSteps
{
    const int MostTurns = 20;

    /// <summary>Answers that should be JSON and are not are asked for once more, this often.</summary>
    const int MostRepeats = 2;

    /// <param name="call">The step.</param>
    /// <param name="listener">Gets what happens, and answers as they are streamed; null streams nothing.</param>
    public static async Task<StepResult> RunAsync(AgentCall call, Action<AgentNews>? listener)
    {
        var (definition, settings) = (call.Definition, call.Configuration);
        call.Keys = ModelClients.Keys(settings);
        var limits = new FleetOptions();
        limits = limits with
        {
            MaxRounds = call.Given<int?>(AgentFleet.MaxRoundsParam) ?? settings.MaxRounds ?? definition.MaxRounds ?? limits.MaxRounds,
            MaxStalls = call.Given<int?>(AgentFleet.MaxStallsParam) ?? settings.MaxStalls ?? definition.MaxStalls ?? limits.MaxStalls,
            MaxResets = call.Given<int?>(AgentFleet.MaxResetsParam) ?? settings.MaxResets ?? definition.MaxResets ?? limits.MaxResets,
        };
        var progress = new AgentProgress(call, definition.Orchestrator is null ? 0 : limits.MaxRounds, listener);
        using var models = new ModelClients(settings, progress);
        await using var tools = await ToolSet.OpenAsync(call);
        return definition.Orchestrator is { } orchestrator
            ? await RunFleetAsync(call, orchestrator, models, tools, progress, limits with { Streams = listener is not null })
            : await RunOneAsync(call, Make(call, definition.Agents[0], models, tools, listener is not null), progress, listener is not null);
    }

    static Agent Make(AgentCall call, AgentDefinition agent, ModelClients models, ToolSet tools, bool streams) => new(agent.Name, models.Of(agent.Model))
    {
        Description = agent.Description, Instructions = agent.Instructions is { } text ? call.Text(text) : null, Tools = tools.Of(agent.Tools),
        MaxTurns = call.Definition.MaxTurns ?? MostTurns, Retry = RetryOf(call, streams),
    };

    /// <summary>Where answers are streamed the step is repeated instead.</summary>
    static RetryPolicy RetryOf(AgentCall call, bool streams) => streams ? RetryPolicy.None : call.Definition.Retry;

    static async Task<StepResult> RunOneAsync(AgentCall call, Agent agent, AgentProgress progress, bool streams)
    {
        if (call.Definition.IsJson) agent = agent with { Options = new ChatOptions { ResponseFormat = ChatResponseFormat.Json } };
        List<ChatMessage> messages = [new(ChatRole.User, call.Text(call.Definition.Task))];
        for (var repeats = 0; ; repeats++)
        {
            var answer = await agent.RunAsync(call.Context, messages, null, streams ? update => progress.Said(agent.Name, update.Text) : null);
            // Of an agent with tools the last message answers; those before say what it is about to do.
            var text = answer.Messages.Count > 0 ? answer.Messages[^1].Text : "";
            if (!call.Definition.IsJson || JsonIn(text) is not null) return Result(call, text, 1);
            if (repeats == MostRepeats) return NoJson(text);
            messages.AddRange(answer.Messages);
            messages.Add(new ChatMessage(ChatRole.User, "That is not JSON. Answer with the JSON alone."));
        }
    }

    static async Task<StepResult> RunFleetAsync(AgentCall call, AgentDefinition orchestrator, ModelClients models, ToolSet tools, AgentProgress progress, FleetOptions limits)
    {
        var definition = call.Definition;
        var builder = AgentFleet.Create(call.Context.Path[(call.Context.Path.LastIndexOfAny(['/', '[']) + 1)..].TrimEnd(']'))
            .Orchestrator(models.Of(orchestrator.Model), orchestrator.Instructions is { } text ? call.Text(text) : null)
            .Options(limits with
            {
                Protocol = definition.Delegates ? FleetProtocol.Text : FleetProtocol.Ledger,
                Retry = RetryOf(call, limits.Streams),
                OnEvent = progress.On,
                PlanReview = definition.PlanReview is { } review ? ToolSet.Ask(call, review, "plan") : null,
            });
        foreach (var agent in definition.Agents) builder.Agent(Make(call, agent, models, tools, limits.Streams));
        var ended = await builder.Build().RunAsync(call.Context, new FleetTask(call.Text(definition.Task)) { Message = call.Given<string>(AgentFleet.MessageParam), MessageId = call.Given<string>(AgentFleet.MessageIdParam) });
        return ended.Status != StepStatus.Completed || ended.Output is not FleetAnswer answer ? ended
            : definition.IsJson && JsonIn(answer.Answer) is null ? NoJson(answer.Answer) : Result(call, answer.Answer, answer.Rounds);
    }

    static StepResult Result(AgentCall call, string text, int rounds)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("text", call.Mask(text));
            writer.WriteString("status", "completed");
            writer.WriteNumber("rounds", rounds);
            if (call.Definition.IsJson)
            {
                writer.WritePropertyName("result");
                JsonIn(call.Mask(text))!.Value.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        return StepResult.Ok(new RawJson(stream.ToArray()));
    }

    static StepResult NoJson(string text) => StepResult.Fail($"The answer is not JSON, and 'result: json' asks for it. It begins: {View.Human.Line(text, 200)}", ErrorClass.Permanent, "not_json");

    /// <summary>The JSON that a text is, with or without the fence that models like to put around it.</summary>
    static JsonElement? JsonIn(string text)
    {
        text = text.Trim();
        if (text.StartsWith("```", StringComparison.Ordinal) && text.EndsWith("```", StringComparison.Ordinal) && text.IndexOf('\n', StringComparison.Ordinal) is > 0 and var line) text = text[line..^3];
        try
        {
            return JsonSerializer.Deserialize(text, PawlJson.Default.GetTypeInfo(typeof(JsonElement))) is JsonElement { ValueKind: not JsonValueKind.Undefined } json ? json : null;
        }
        catch (JsonException) { return null; }
    }
}
