using System.Text.Json;
using Microsoft.Extensions.AI;
using Pawl.Yaml;
using Sdk = OpenAI.Chat;

namespace Pawl.Cli.Agents;

/// <summary>The words of Microsoft.Extensions.AI as those of the OpenAI package, and back.</summary>
static class OpenAiWords
{
    // White space costs tokens.
    static readonly JsonSerializerOptions s_json = new(AIJsonUtilities.DefaultOptions) { WriteIndented = false };

    public static List<Sdk.ChatMessage> Messages(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var made = new List<Sdk.ChatMessage>();
        if (options?.Instructions is { Length: > 0 } instructions) made.Add(new Sdk.SystemChatMessage(instructions));
        foreach (var message in messages)
        {
            if (message.Role == ChatRole.System) made.Add(new Sdk.SystemChatMessage(message.Text));
            else if (message.Role == ChatRole.Assistant) made.Add(Assistant(message));
            else if (message.Role == ChatRole.Tool) made.AddRange(message.Contents.OfType<FunctionResultContent>().Select(result => new Sdk.ToolChatMessage(result.CallId, ResultText(result))));
            else made.Add(new Sdk.UserChatMessage([.. message.Contents.Select(Part).OfType<Sdk.ChatMessageContentPart>()]) { ParticipantName = Name(message) });
        }
        return made;
    }

    static Sdk.AssistantChatMessage Assistant(ChatMessage message)
    {
        var calls = message.Contents.OfType<FunctionCallContent>().Select(call =>
            Sdk.ChatToolCall.CreateFunctionToolCall(call.CallId, call.Name, BinaryData.FromBytes(JsonSerializer.SerializeToUtf8Bytes(call.Arguments ?? new Dictionary<string, object?>(), s_json.GetTypeInfo(typeof(IDictionary<string, object?>)))))).ToList();
        if (calls.Count == 0) return new Sdk.AssistantChatMessage(message.Text) { ParticipantName = Name(message) };
        var made = new Sdk.AssistantChatMessage(calls) { ParticipantName = Name(message) };
        if (message.Text.Length > 0) made.Content.Add(Sdk.ChatMessageContentPart.CreateTextPart(message.Text));
        return made;
    }

    static Sdk.ChatMessageContentPart? Part(AIContent content) => content switch
    {
        TextContent text => Sdk.ChatMessageContentPart.CreateTextPart(text.Text),
        UriContent link when link.HasTopLevelMediaType("image") => Sdk.ChatMessageContentPart.CreateImagePart(link.Uri),
        DataContent data when data.HasTopLevelMediaType("image") => Sdk.ChatMessageContentPart.CreateImagePart(BinaryData.FromBytes(data.Data), data.MediaType),
        _ => null,
    };

    /// <summary>A server refuses names with other letters.</summary>
    static string? Name(ChatMessage message) => message.AuthorName is { Length: > 0 and <= 64 } name && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? name : null;

    static string ResultText(FunctionResultContent result) => result.Result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.GetString()!,
        var other => JsonSerializer.Serialize(other, s_json.GetTypeInfo(typeof(object))),
    };

    public static Sdk.ChatCompletionOptions Options(ChatOptions? options, ModelDefinition model)
    {
        var made = new Sdk.ChatCompletionOptions
        {
            Temperature = options?.Temperature ?? model.Temperature, TopP = options?.TopP ?? model.TopP, MaxOutputTokenCount = options?.MaxOutputTokens ?? model.MaxTokens,
            FrequencyPenalty = options?.FrequencyPenalty, PresencePenalty = options?.PresencePenalty,
            ResponseFormat = options?.ResponseFormat switch
            {
                ChatResponseFormatJson { Schema: { } schema } json => Sdk.ChatResponseFormat.CreateJsonSchemaFormat(json.SchemaName ?? "answer", BinaryData.FromString(schema.GetRawText()), json.SchemaDescription),
                ChatResponseFormatJson => Sdk.ChatResponseFormat.CreateJsonObjectFormat(),
                _ => null,
            },
        };
        foreach (var stop in options?.StopSequences ?? []) made.StopSequences.Add(stop);
        foreach (var tool in (options?.Tools ?? []).OfType<AIFunctionDeclaration>())
            made.Tools.Add(Sdk.ChatTool.CreateFunctionTool(tool.Name, tool.Description, BinaryData.FromString(tool.JsonSchema.GetRawText())));
        if (made.Tools.Count == 0) return made;
        made.AllowParallelToolCalls = options!.AllowMultipleToolCalls;
        made.ToolChoice = options.ToolMode switch
        {
            NoneChatToolMode => Sdk.ChatToolChoice.CreateNoneChoice(),
            RequiredChatToolMode { RequiredFunctionName: { } name } => Sdk.ChatToolChoice.CreateFunctionChoice(name),
            RequiredChatToolMode => Sdk.ChatToolChoice.CreateRequiredChoice(),
            _ => null,
        };
        return made;
    }

    public static ChatResponse Response(Sdk.ChatCompletion answer)
    {
        var message = new ChatMessage(ChatRole.Assistant, (IList<AIContent>)[]) { MessageId = answer.Id };
        var text = string.Concat(answer.Content.Where(part => part.Kind == Sdk.ChatMessageContentPartKind.Text).Select(part => part.Text)) + answer.Refusal;
        if (text.Length > 0) message.Contents.Add(new TextContent(text));
        foreach (var (call, index) in answer.ToolCalls.Select((call, index) => (call, index)))
            message.Contents.Add(Call(string.IsNullOrEmpty(call.Id) ? $"call_{index + 1}" : call.Id, call.FunctionName, call.FunctionArguments.ToString()));
        return new ChatResponse(message)
        {
            ResponseId = answer.Id, ModelId = answer.Model, CreatedAt = answer.CreatedAt, FinishReason = Finish(answer.FinishReason), Usage = answer.Usage is { } usage ? Usage(usage) : null,
        };
    }

    /// <summary>Arguments that are no JSON object stay with the call as its error: the model is told, and asked again.</summary>
    public static FunctionCallContent Call(string id, string name, string arguments) =>
        FunctionCallContent.CreateFromParsedArguments(arguments.Length == 0 ? "{}" : arguments, id, name,
            static text => (IDictionary<string, object?>?)JsonSerializer.Deserialize(text, s_json.GetTypeInfo(typeof(IDictionary<string, object?>))));

    public static UsageDetails Usage(Sdk.ChatTokenUsage usage) => new()
    {
        InputTokenCount = usage.InputTokenCount, OutputTokenCount = usage.OutputTokenCount, TotalTokenCount = usage.TotalTokenCount,
        CachedInputTokenCount = usage.InputTokenDetails?.CachedTokenCount, ReasoningTokenCount = usage.OutputTokenDetails?.ReasoningTokenCount,
    };

    public static ChatFinishReason? Finish(Sdk.ChatFinishReason? reason) => reason switch
    {
        null => null,
        Sdk.ChatFinishReason.Length => ChatFinishReason.Length,
        Sdk.ChatFinishReason.ContentFilter => ChatFinishReason.ContentFilter,
        Sdk.ChatFinishReason.ToolCalls or Sdk.ChatFinishReason.FunctionCall => ChatFinishReason.ToolCalls,
        _ => ChatFinishReason.Stop,
    };

    /// <summary>The message in <c>{"error":{"message":…}}</c> or <c>{"error":"…"}</c>, or null.</summary>
    public static string? ErrorIn(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("error", out var error)) return null;
            if (error.ValueKind == JsonValueKind.String) return error.GetString();
            return error.ValueKind == JsonValueKind.Object && error.TryGetProperty("message", out var message) && message.ValueKind == JsonValueKind.String ? message.GetString() : null;
        }
        catch (JsonException) { return null; }
    }
}
