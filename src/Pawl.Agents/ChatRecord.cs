using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>The output of a model call's sub-step: facts about the request, and the response whole.</summary>
static class ChatRecord
{
    /// <summary>Says that a model's arguments could not be read; an exception is not kept by the types' own JSON.</summary>
    public const string CallError = "pawl.error";

    /// <summary>The types' own JSON on one line.</summary>
    public static JsonSerializerOptions Json { get; } = Compact();

    static JsonSerializerOptions Compact()
    {
        var options = new JsonSerializerOptions(AIJsonUtilities.DefaultOptions) { WriteIndented = false, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        options.MakeReadOnly();
        return options;
    }

    public static StepResult Of(RequestFacts request, ChatResponse response)
    {
        foreach (var call in response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>())
            if (call.Exception is { } error) (call.AdditionalProperties ??= [])[CallError] = error.Message;
        RawJson output;
        try { output = Encode(request, response); }
        catch (NotSupportedException)
        {
            // A provider's own objects that have no JSON: what the model said does not depend on them.
            response.AdditionalProperties = null;
            foreach (var message in response.Messages)
            {
                message.AdditionalProperties = null;
                foreach (var content in message.Contents) content.AdditionalProperties = null;
            }
            output = Encode(request, response);
        }
        var metrics = new Dictionary<string, double> { ["calls"] = 1 };
        if (response.Usage?.InputTokenCount is { } input) metrics["input_tokens"] = input;
        if (response.Usage?.OutputTokenCount is { } written) metrics["output_tokens"] = written;
        // The price table knows the model by the name it was asked for with.
        var model = request.Model ?? response.ModelId;
        return StepResult.Ok(output, metrics) with { Info = model is null ? null : new RawJson(Encoding.UTF8.GetBytes($"{{\"model\":{JsonSerializer.Serialize(model, Json.GetTypeInfo(typeof(string)))}}}")) };
    }

    static RawJson Encode(RequestFacts request, ChatResponse response)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = Json.Encoder }))
        {
            writer.WriteStartObject();
            writer.WriteStartObject("request");
            writer.WriteString("hash", request.Hash);
            if (request.Model is not null) writer.WriteString("model", request.Model);
            writer.WriteNumber("messages", request.Messages);
            writer.WriteString("context", request.Context);
            writer.WriteString("tools", request.Tools);
            writer.WriteString("settings", request.Settings);
            writer.WriteEndObject();
            writer.WritePropertyName("response");
            JsonSerializer.Serialize(writer, response, Json.GetTypeInfo(typeof(ChatResponse)));
            writer.WriteEndObject();
        }
        return new RawJson(buffer.WrittenMemory);
    }

    /// <summary>The recorded request, or null when the output is none of a model call.</summary>
    public static RequestFacts? Request(RawJson output)
    {
        using var document = JsonDocument.Parse(output.Utf8);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("request", out var request) || !request.TryGetProperty("hash", out var hash)) return null;
        return new RequestFacts(hash.GetString()!, request.TryGetProperty("model", out var model) ? model.GetString() : null, request.GetProperty("messages").GetInt32(),
            request.GetProperty("context").GetString()!, request.GetProperty("tools").GetString()!, request.GetProperty("settings").GetString()!);
    }

    /// <summary>The response; a text alone, or any other JSON, is an answer that a person set.</summary>
    public static ChatResponse Response(RawJson output)
    {
        using var document = JsonDocument.Parse(output.Utf8);
        if (document.RootElement.ValueKind == JsonValueKind.String) return new ChatResponse(new ChatMessage(ChatRole.Assistant, document.RootElement.GetString())) { FinishReason = ChatFinishReason.Stop };
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("response", out _)) return new ChatResponse(new ChatMessage(ChatRole.Assistant, output.ToString())) { FinishReason = ChatFinishReason.Stop };
        return (ChatResponse)document.RootElement.GetProperty("response").Deserialize(Json.GetTypeInfo(typeof(ChatResponse)))!;
    }
}
