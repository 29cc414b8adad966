using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Pawl.Tests.Agents;

/// <summary>What a model is asked over HTTP.</summary>
/// <param name="Number">The call, from 1, counted over all connections.</param>
/// <param name="Body">The request.</param>
sealed record ModelCall(int Number, JsonElement Body)
{
    public bool Streams => Body.TryGetProperty("stream", out var stream) && stream.GetBoolean();
    /// <summary>The path that was asked, and the key that was shown.</summary>
    public (string Path, string? Authorization) Head { get; init; }

    public string Model => Body.GetProperty("model").GetString()!;

    /// <summary>Role and text of each message.</summary>
    public IReadOnlyList<(string Role, string Text)> Said => [.. Messages.Select(message => (message.GetProperty("role").GetString()!, TextOf(message)))];

    public IReadOnlyList<JsonElement> Messages { get; } = Body.TryGetProperty("messages", out var messages) ? [.. messages.EnumerateArray()] : [];

    /// <summary>All that was said, one message behind the other.</summary>
    public string Text => string.Join('\n', Messages.Select(TextOf));
    public string Last => TextOf(Messages[^1]);
    public string LastRole => Messages[^1].GetProperty("role").GetString()!;

    static string TextOf(JsonElement message) => !message.TryGetProperty("content", out var content) ? ""
        : content.ValueKind == JsonValueKind.Array ? string.Concat(content.EnumerateArray().Select(part => part.TryGetProperty("text", out var text) ? text.GetString() : ""))
        : content.ValueKind == JsonValueKind.String ? content.GetString()! : "";
}

/// <summary>What the model answers.</summary>
sealed record ModelReply
{
    public string? Text { get; init; }
    public string? Tool { get; init; }
    public object? Arguments { get; init; }
    public long InputTokens { get; init; } = 100;
    public long OutputTokens { get; init; } = 10;

    /// <summary>Several tool calls, each with its arguments as they are written; instead of <see cref="Tool"/>.</summary>
    public IReadOnlyList<(string Id, string Name, string Arguments)> Calls { get; init; } = [];

    /// <summary>An error's status instead of an answer; 429 asks to wait a second. The text is its message.</summary>
    public int Status { get; init; } = 200;

    /// <summary>The stream ends politely behind this many chunks, without its end.</summary>
    public int? EndsAfter { get; init; }

    /// <summary>The connection breaks behind this many chunks of a stream, or before an answer that is none.</summary>
    public int? BreakAfter { get; init; }

    public TimeSpan Delay { get; init; }

    public static ModelReply Says(string text) => new() { Text = text };

    public static ModelReply Uses(string tool, string arguments) => new() { Calls = [("call_a", tool, arguments)] };

    public static ModelReply Fails(int status, string message) => new() { Status = status, Text = message };

    /// <summary>The connection is dropped without a word.</summary>
    public static ModelReply Nothing { get; } = new() { BreakAfter = 0 };
}

/// <summary>A server with OpenAI's chat completions over real sockets: answers whole and streamed, tool calls, usage, errors, broken streams, slow answers. Counts its calls.</summary>
sealed class ModelServer : IAsyncDisposable, IDisposable
{
    readonly List<ModelCall> _requests = [];
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Func<ModelCall, Task<ModelReply>> _answer;
    readonly Task _accepting;
    int _calls;
    int _answered;

    public ModelServer(Func<ModelCall, Task<ModelReply>> answer)
    {
        _answer = answer;
        _listener.Start();
        Url = $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";
        _accepting = AcceptAsync();
    }

    public ModelServer(Func<ModelCall, ModelReply> answer) : this(call => Task.FromResult(answer(call))) { }

    /// <summary>The base of the API: <c>http://127.0.0.1:PORT/v1</c>.</summary>
    public string Url { get; }

    public Uri Endpoint => new(Url);

    /// <summary>What was asked.</summary>
    public IReadOnlyList<ModelCall> Requests { get { lock (_requests) return [.. _requests]; } }

    /// <summary>Calls that came, whether they were answered or not.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Calls whose answer was sent whole.</summary>
    public int Answered => Volatile.Read(ref _answered);

    async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
        catch (Exception error) when (error is OperationCanceledException or SocketException or ObjectDisposedException) { }
    }

    async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                var (path, key, body) = await ReadAsync(stream);
                using var document = JsonDocument.Parse(body.Length > 0 ? body : "{}"u8.ToArray());
                var call = new ModelCall(Interlocked.Increment(ref _calls), document.RootElement.Clone()) { Head = (path, key) };
                lock (_requests) _requests.Add(call);
                var reply = await _answer(call);
                if (reply.Delay > TimeSpan.Zero) await Task.Delay(reply.Delay, _stop.Token);
                if (reply.Status != 200) await WriteAsync(stream, reply.Status, "application/json", $$$"""{"error":{"message":{{{JsonSerializer.Serialize(reply.Text ?? $"status {reply.Status}")}}},"type":"server_error","code":null}}""", reply.Status == 429 ? "Retry-After: 1\r\n" : "");
                else if (reply.BreakAfter == 0 || (reply.BreakAfter is not null && !call.Streams)) client.Client.Close(0);
                else if (call.Streams) await StreamAsync(stream, client, call, reply);
                else
                {
                    await WriteAsync(stream, 200, "application/json", Whole(call, reply).ToJsonString());
                    Interlocked.Increment(ref _answered);
                }
            }
            catch (Exception error) when (error is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The other side is gone: tests kill it.
            }
        }
    }

    async Task StreamAsync(NetworkStream stream, TcpClient client, ModelCall call, ModelReply reply)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
        var sent = 0;
        foreach (var chunk in Chunks(call, reply))
        {
            if (sent++ == reply.BreakAfter)
            {
                client.Client.Close(0);
                return;
            }
            if (sent > reply.EndsAfter) break;
            var data = Encoding.UTF8.GetBytes($"data: {chunk}\n\n");
            await stream.WriteAsync(Encoding.ASCII.GetBytes(data.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"));
            await stream.WriteAsync(data);
            await stream.WriteAsync("\r\n"u8.ToArray());
            await stream.FlushAsync();
        }
        await stream.WriteAsync("0\r\n\r\n"u8.ToArray());
        Interlocked.Increment(ref _answered);
    }

    static IEnumerable<string> Chunks(ModelCall call, ModelReply reply)
    {
        yield return Chunk(new JsonObject { ["role"] = "assistant", ["content"] = "" }, null);
        foreach (var word in (reply.Text ?? "").Split(' ').Select((word, i) => i == 0 ? word : " " + word).Where(word => word.Length > 0)) yield return Chunk(new JsonObject { ["content"] = word }, null);
        foreach (var (index, tool) in ToolCalls(call, reply).Index())
        {
            // The name first, then the arguments in parts that know only their number.
            var arguments = (string)tool["function"]!["arguments"]!;
            tool["index"] = index;
            tool["function"]!["arguments"] = "";
            yield return Chunk(new JsonObject { ["tool_calls"] = new JsonArray(tool) }, null);
            for (var at = 0; at < arguments.Length; at += 7)
                yield return Chunk(new JsonObject { ["tool_calls"] = new JsonArray(new JsonObject { ["index"] = index, ["function"] = new JsonObject { ["arguments"] = arguments[at..Math.Min(at + 7, arguments.Length)] } }) }, null);
        }
        yield return Chunk([], Finish(reply));
        yield return Frame(call, "chat.completion.chunk", []).Also(frame => frame["usage"] = Usage(reply)).ToJsonString();
        yield return "[DONE]";

        string Chunk(JsonObject delta, string? finish) => Frame(call, "chat.completion.chunk", new JsonArray(new JsonObject { ["index"] = 0, ["delta"] = delta, ["finish_reason"] = finish })).ToJsonString();
    }

    static JsonObject Whole(ModelCall call, ModelReply reply)
    {
        var message = new JsonObject { ["role"] = "assistant", ["content"] = reply.Text };
        if (ToolCalls(call, reply) is { Count: > 0 } tools) message["tool_calls"] = new JsonArray([.. tools]);
        return Frame(call, "chat.completion", new JsonArray(new JsonObject { ["index"] = 0, ["message"] = message, ["finish_reason"] = Finish(reply) })).Also(frame => frame["usage"] = Usage(reply));
    }

    static JsonObject Frame(ModelCall call, string kind, JsonArray choices) => new()
    {
        ["id"] = $"chatcmpl-{call.Number}", ["object"] = kind, ["created"] = 1_700_000_000, ["model"] = call.Body.GetProperty("model").GetString() + "-2026", ["choices"] = choices,
    };

    static JsonObject Usage(ModelReply reply) => new() { ["prompt_tokens"] = reply.InputTokens, ["completion_tokens"] = reply.OutputTokens, ["total_tokens"] = reply.InputTokens + reply.OutputTokens };

    static string Finish(ModelReply reply) => reply.Tool is null && reply.Calls.Count == 0 ? "stop" : "tool_calls";

    static List<JsonObject> ToolCalls(ModelCall call, ModelReply reply)
    {
        var calls = reply.Tool is null ? reply.Calls : [($"call_{call.Number}", reply.Tool, JsonSerializer.Serialize(reply.Arguments ?? new { }))];
        return [.. calls.Select(one => new JsonObject { ["id"] = one.Id, ["type"] = "function", ["function"] = new JsonObject { ["name"] = one.Name, ["arguments"] = one.Arguments } })];
    }

    static async Task<(string Path, string? Key, byte[] Body)> ReadAsync(NetworkStream stream)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (head.Count < 65536 && !(head.Count >= 4 && head[^4] == '\r' && head[^3] == '\n' && head[^2] == '\r' && head[^1] == '\n'))
        {
            await stream.ReadExactlyAsync(one);
            head.Add(one[0]);
        }
        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n");
        string? Header(string name) => lines.FirstOrDefault(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))?[(name.Length + 1)..].Trim();
        if (string.Equals(Header("Expect"), "100-continue", StringComparison.OrdinalIgnoreCase)) await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
        byte[] body;
        if (Header("Content-Length") is { } length) await stream.ReadExactlyAsync(body = new byte[int.Parse(length, CultureInfo.InvariantCulture)]);
        else if (Header("Transfer-Encoding") is not null) body = await ReadChunksAsync(stream, one);
        else body = [];
        return (lines[0].Split(' ')[1], Header("Authorization"), body);
    }

    static async Task<byte[]> ReadChunksAsync(NetworkStream stream, byte[] one)
    {
        var body = new List<byte>();
        while (true)
        {
            var line = "";
            while (!line.EndsWith("\r\n", StringComparison.Ordinal))
            {
                await stream.ReadExactlyAsync(one);
                line += (char)one[0];
            }
            var chunk = new byte[int.Parse(line.Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) + 2];
            await stream.ReadExactlyAsync(chunk);
            if (chunk.Length == 2) return [.. body];
            body.AddRange(chunk[..^2]);
        }
    }

    static async Task WriteAsync(NetworkStream stream, int status, string type, string content, string headers = "")
    {
        var body = Encoding.UTF8.GetBytes(content);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} X\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n{headers}Connection: close\r\n\r\n"));
        await stream.WriteAsync(body);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _listener.Dispose();
    }
}

static class JsonObjects
{
    public static JsonObject Also(this JsonObject json, Action<JsonObject> change)
    {
        change(json);
        return json;
    }
}
