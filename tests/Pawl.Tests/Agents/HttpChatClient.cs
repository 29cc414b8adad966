using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Tests.Agents;

/// <summary>As much of a chat client for OpenAI's API as the tests need.</summary>
sealed class HttpChatClient(string url, string model = "small") : IChatClient
{
    static readonly HttpClient s_http = new();

    static object Body(IEnumerable<ChatMessage> messages, ChatOptions? options, string model, bool stream) => new
    {
        model, stream,
        tools = options?.Tools?.OfType<AIFunctionDeclaration>().Select(tool => new { type = "function", function = new { name = tool.Name, description = tool.Description, parameters = tool.JsonSchema } }),
        messages = messages.Prepend(new ChatMessage(ChatRole.System, options?.Instructions ?? "-")).SelectMany(message => message.Contents.OfType<FunctionResultContent>().Any()
            ? message.Contents.OfType<FunctionResultContent>().Select(result => (object)new { role = "tool", tool_call_id = result.CallId, content = result.Result?.ToString() })
            : [new { role = message.Role.Value, content = message.Text, tool_calls = Calls(message) }]),
    };

    static object[]? Calls(ChatMessage message) => message.Contents.OfType<FunctionCallContent>().Select(call => (object)new { id = call.CallId, type = "function", function = new { name = call.Name, arguments = JsonSerializer.Serialize(call.Arguments) } }).ToArray() is { Length: > 0 } calls ? calls : null;

    async Task<HttpResponseMessage> PostAsync(IEnumerable<ChatMessage> messages, ChatOptions? options, bool stream, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{url}/chat/completions") { Content = JsonContent.Create(Body(messages, options, model, stream)) };
        var response = await s_http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        return response.EnsureSuccessStatusCode();
    }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var response = await PostAsync(messages, options, stream: false, cancellationToken);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        var choice = body.GetProperty("choices")[0];
        var message = choice.GetProperty("message");
        List<AIContent> contents = message.GetProperty("content").GetString() is { } text ? [new TextContent(text)] : [];
        if (message.TryGetProperty("tool_calls", out var calls)) contents.AddRange(calls.EnumerateArray().Select(call => new FunctionCallContent(call.GetProperty("id").GetString()!, call.GetProperty("function").GetProperty("name").GetString()!,
            JsonSerializer.Deserialize<Dictionary<string, object?>>(call.GetProperty("function").GetProperty("arguments").GetString()!))));
        return new ChatResponse(new ChatMessage(ChatRole.Assistant, contents)) { ModelId = body.GetProperty("model").GetString(), FinishReason = new(choice.GetProperty("finish_reason").GetString()!), Usage = Usage(body) };
    }

    static UsageDetails Usage(JsonElement body) => new() { InputTokenCount = body.GetProperty("usage").GetProperty("prompt_tokens").GetInt64(), OutputTokenCount = body.GetProperty("usage").GetProperty("completion_tokens").GetInt64() };

    /// <summary>Text only.</summary>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var response = await PostAsync(messages, options, stream: true, cancellationToken);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (!line.StartsWith("data: {", StringComparison.Ordinal)) continue;
            var chunk = JsonSerializer.Deserialize<JsonElement>(line[6..]);
            if (chunk.TryGetProperty("usage", out _)) yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(Usage(chunk))]);
            else if (chunk.GetProperty("choices")[0] is var choice && choice.GetProperty("finish_reason").GetString() is { } finish) yield return new ChatResponseUpdate { FinishReason = new(finish) };
            else if (choice.GetProperty("delta").TryGetProperty("content", out var text)) yield return new ChatResponseUpdate(ChatRole.Assistant, text.GetString());
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("openai", new Uri(url), model) : null;

    public void Dispose() { }
}
