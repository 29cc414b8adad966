using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Pawl.Tests.Agents;

/// <summary>A call of a model, as it came over the wire.</summary>
sealed record ModelRequest(int Number, string Path, string? Authorization, JsonElement Body)
{
    public bool IsStreamed => Body.TryGetProperty("stream", out var stream) && stream.GetBoolean();

    public string Model => Body.GetProperty("model").GetString()!;

    /// <summary>Role and text of each message.</summary>
    public IReadOnlyList<(string Role, string Text)> Messages => [.. Body.GetProperty("messages").EnumerateArray().Select(message => (message.GetProperty("role").GetString()!, TextOf(message)))];

    /// <summary>All texts, for rules of the kind "contains".</summary>
    public string All => string.Join('\n', Messages.Select(message => message.Text));

    static string TextOf(JsonElement message) => !message.TryGetProperty("content", out var content) ? "" : content.ValueKind switch
    {
        JsonValueKind.String => content.GetString()!,
        JsonValueKind.Array => string.Concat(content.EnumerateArray().Select(part => part.TryGetProperty("text", out var text) ? text.GetString() : "")),
        _ => "",
    };
}

/// <summary>What the server answers.</summary>
sealed record ModelAnswer
{
    public string Text { get; init; } = "";
    public IReadOnlyList<(string Id, string Name, string Arguments)> Calls { get; init; } = [];
    public int InputTokens { get; init; } = 11;
    public int OutputTokens { get; init; } = 7;

    /// <summary>An HTTP status other than 200, with <see cref="Text"/> as the error's message.</summary>
    public int Status { get; init; } = 200;

    /// <summary>The connection ends in the middle of a streamed answer.</summary>
    public bool BreaksOff { get; init; }

    /// <summary>The stream ends politely, and without the end of the answer.</summary>
    public bool EndsEarly { get; init; }

    /// <summary>Answers when this is done.</summary>
    public Task? After { get; init; }

    public static ModelAnswer Says(string text) => new() { Text = text };

    public static ModelAnswer Uses(string tool, string arguments, string id = "call_a") => new() { Calls = [(id, tool, arguments)] };

    public static ModelAnswer Fails(int status, string message) => new() { Status = status, Text = message };
}

/// <summary>An OpenAI-compatible server on a port of the loopback: real sockets, streaming, tool calls, usage, errors. It counts calls.</summary>
sealed class ModelServer : IDisposable
{
    readonly HttpListener _listener = new();
    readonly Func<ModelRequest, ModelAnswer> _answer;
    readonly List<ModelRequest> _requests = [];

    public ModelServer(Func<ModelRequest, ModelAnswer> answer)
    {
        _answer = answer;
        for (var tries = 1; ; tries++)
        {
            var port = FreePort();
            _listener.Prefixes.Clear();
            _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
            try
            {
                _listener.Start();
                Endpoint = new Uri($"http://127.0.0.1:{port}/v1");
                break;
            }
            catch (HttpListenerException) when (tries < 20)
            {
                // Someone else took it in between.
            }
        }
        _ = ServeAsync();
    }

    /// <summary>What a client is given.</summary>
    public Uri Endpoint { get; }

    public IReadOnlyList<ModelRequest> Requests { get { lock (_requests) return [.. _requests]; } }

    public int Calls => Requests.Count;

    public void Dispose() => _listener.Close();

    async Task ServeAsync()
    {
        while (true)
        {
            HttpListenerContext call;
            try { call = await _listener.GetContextAsync(); }
            catch (Exception error) when (error is HttpListenerException or ObjectDisposedException) { return; }
            _ = Task.Run(() => AnswerAsync(call));
        }
    }

    async Task AnswerAsync(HttpListenerContext call)
    {
        try
        {
            using var document = await JsonDocument.ParseAsync(call.Request.InputStream);
            ModelRequest request;
            lock (_requests)
            {
                request = new ModelRequest(_requests.Count + 1, call.Request.Url!.AbsolutePath, call.Request.Headers["Authorization"], document.RootElement.Clone());
                _requests.Add(request);
            }
            var answer = request.Path.EndsWith("/chat/completions", StringComparison.Ordinal) ? _answer(request) : ModelAnswer.Fails(404, "no such path");
            if (answer.After is { } after) await after;
            call.Response.StatusCode = answer.Status;
            if (answer.Status != 200) await WriteAsync(call, "application/json", JsonSerializer.Serialize(new { error = new { message = answer.Text, type = "error", code = answer.Status } }));
            else if (request.IsStreamed) await StreamAsync(call, request, answer);
            else await WriteAsync(call, "application/json", Whole(request, answer));
            call.Response.Close();
        }
        catch (Exception error) when (error is HttpListenerException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The caller was killed.
        }
    }

    static async Task StreamAsync(HttpListenerContext call, ModelRequest request, ModelAnswer answer)
    {
        call.Response.SendChunked = true;
        call.Response.ContentType = "text/event-stream";
        var parts = new List<string> { Part("""{"role":"assistant","content":""}""") };
        for (var at = 0; at < answer.Text.Length; at += 5) parts.Add(Part($$$"""{"content":{{{JsonSerializer.Serialize(answer.Text[at..Math.Min(at + 5, answer.Text.Length)])}}}}"""));
        // As the real one does it: the name first, then the arguments in pieces of which each names only its index.
        for (var index = 0; index < answer.Calls.Count; index++)
        {
            var (id, name, arguments) = answer.Calls[index];
            parts.Add(Part($$$"""{"tool_calls":[{"index":{{{index}}},"id":"{{{id}}}","type":"function","function":{"name":"{{{name}}}","arguments":""}}]}"""));
            for (var at = 0; at < arguments.Length; at += 4)
                parts.Add(Part($$$"""{"tool_calls":[{"index":{{{index}}},"function":{"arguments":{{{JsonSerializer.Serialize(arguments[at..Math.Min(at + 4, arguments.Length)])}}}}}]}"""));
        }
        if (answer.BreaksOff || answer.EndsEarly) parts.RemoveRange(parts.Count / 2, parts.Count - parts.Count / 2);
        else
        {
            parts.Add(Part("{}", Finish(answer)));
            parts.Add($$$"""{"id":"c{{{request.Number}}}","object":"chat.completion.chunk","created":1700000000,"model":"{{{request.Model}}}","choices":[],"usage":{{{Usage(answer)}}}}""");
            parts.Add("[DONE]");
        }
        foreach (var part in parts)
        {
            await call.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes($"data: {part}\n\n"));
            await call.Response.OutputStream.FlushAsync();
        }
        if (answer.BreaksOff) call.Response.Abort();

        string Part(string delta, string? finish = null) =>
            $$$"""{"id":"c{{{request.Number}}}","object":"chat.completion.chunk","created":1700000000,"model":"{{{request.Model}}}","choices":[{"index":0,"delta":{{{delta}}},"finish_reason":{{{(finish is null ? "null" : $"\"{finish}\"")}}}}]}""";
    }

    static string Whole(ModelRequest request, ModelAnswer answer) => $$$"""
        {"id":"c{{{request.Number}}}","object":"chat.completion","created":1700000000,"model":"{{{request.Model}}}","choices":[{"index":0,"message":{"role":"assistant","content":{{{JsonSerializer.Serialize(answer.Text)}}},
        "tool_calls":[{{{string.Join(',', answer.Calls.Select(Call))}}}]},
        "finish_reason":"{{{Finish(answer)}}}"}],"usage":{{{Usage(answer)}}}}
        """;

    static string Call((string Id, string Name, string Arguments) one) =>
        $$$"""{"id":"{{{one.Id}}}","type":"function","function":{"name":"{{{one.Name}}}","arguments":{{{JsonSerializer.Serialize(one.Arguments)}}}}}""";

    static string Finish(ModelAnswer answer) => answer.Calls.Count > 0 ? "tool_calls" : "stop";

    static string Usage(ModelAnswer answer) => $$$"""{"prompt_tokens":{{{answer.InputTokens}}},"completion_tokens":{{{answer.OutputTokens}}},"total_tokens":{{{answer.InputTokens + answer.OutputTokens}}}}""";

    static async Task WriteAsync(HttpListenerContext call, string type, string text)
    {
        call.Response.ContentType = type;
        await call.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(text));
    }

    static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
