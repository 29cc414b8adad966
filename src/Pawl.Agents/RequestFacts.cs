using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>What is kept of a request: enough to know it again and to say what is different, and never its text.</summary>
/// <param name="Hash">Of all below.</param>
/// <param name="Model">The model that was asked for; null is the client's own.</param>
/// <param name="Messages">How many messages it had.</param>
/// <param name="Context">Hash of the messages and the instructions.</param>
/// <param name="Tools">Hash of the tools' names, descriptions and schemas.</param>
/// <param name="Settings">Hash of the other options.</param>
sealed record RequestFacts(string Hash, string? Model, int Messages, string Context, string Tools, string Settings)
{
    public static RequestFacts Of(IReadOnlyList<ChatMessage> messages, ChatOptions? options, string? defaultModel)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        var context = Hashed(buffer, writer => Write(writer, messages, options?.Instructions));
        var tools = Hashed(buffer, writer => Write(writer, options?.Tools ?? []));
        var settings = Hashed(buffer, writer => Write(writer, options));
        var model = options?.ModelId ?? defaultModel;
        return new RequestFacts(Short(Encoding.UTF8.GetBytes($"{model}\n{context}\n{tools}\n{settings}")), model, messages.Count, context, tools, settings);
    }

    /// <summary>What is different from a recorded request, for people.</summary>
    public string DifferenceFrom(RequestFacts recorded)
    {
        var found = new List<string>();
        if (Model != recorded.Model) found.Add($"the model is '{Model}' and was '{recorded.Model}'");
        if (Context != recorded.Context) found.Add(Messages == recorded.Messages ? "the messages or instructions are different" : $"it has {Messages} messages and had {recorded.Messages}");
        if (Tools != recorded.Tools) found.Add("the tools are different");
        if (Settings != recorded.Settings) found.Add("the options are different");
        return found.Count == 0 ? "the same was asked once more" : string.Join("; ", found);
    }

    /// <summary>16 hex digits of the SHA-256.</summary>
    public static string Short(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 8));

    static string Hashed(ArrayBufferWriter<byte> buffer, Action<Utf8JsonWriter> write)
    {
        buffer.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartArray();
            write(writer);
            writer.WriteEndArray();
        }
        return Short(buffer.WrittenSpan);
    }

    /// <summary>Only what the model reads: a streamed text is the same as a whole one, and ids and times do not count.</summary>
    static void Write(Utf8JsonWriter writer, IReadOnlyList<ChatMessage> messages, string? instructions)
    {
        writer.WriteStringValue(instructions);
        foreach (var message in messages)
        {
            writer.WriteStringValue(message.Role.Value);
            writer.WriteStringValue(message.AuthorName);
            var text = new StringBuilder();
            for (var i = 0; i < message.Contents.Count; i++)
            {
                switch (message.Contents[i])
                {
                    case UsageContent:
                        break;
                    case TextContent part:
                        text.Append(part.Text);
                        if (i + 1 < message.Contents.Count && message.Contents[i + 1] is TextContent or UsageContent) break;
                        if (text.Length > 0) writer.WriteStringValue(text.ToString());
                        text.Clear();
                        break;
                    case TextReasoningContent thought:
                        writer.WriteStringValue(thought.Text);
                        break;
                    case var content:
                        JsonSerializer.Serialize(writer, content, ChatRecord.Json.GetTypeInfo(typeof(AIContent)));
                        break;
                }
            }
            if (text.Length > 0) writer.WriteStringValue(text.ToString());
            writer.WriteNullValue();
        }
    }

    static void Write(Utf8JsonWriter writer, IEnumerable<AITool> tools)
    {
        foreach (var tool in tools)
        {
            writer.WriteStringValue(tool.Name);
            writer.WriteStringValue(tool.Description);
            if (tool is AIFunctionDeclaration function) function.JsonSchema.WriteTo(writer);
        }
    }

    static void Write(Utf8JsonWriter writer, ChatOptions? options)
    {
        if (options is null) return;
        var rest = options.Clone();
        (rest.ModelId, rest.Instructions, rest.Tools) = (null, null, null);
        if (rest.AdditionalProperties is { Count: 0 }) rest.AdditionalProperties = null;
        var json = JsonSerializer.SerializeToUtf8Bytes(rest, ChatRecord.Json.GetTypeInfo(typeof(ChatOptions)));
        // No options, and options that say nothing, are the same.
        if (json.Length > 2) writer.WriteRawValue(json);
    }
}
