using System.Text.Json;
using Microsoft.Extensions.AI;
using Pawl.Cli.Agents;
using Pawl.Yaml;

namespace Pawl.Tests.Agents;

/// <summary>The client of OpenAI-compatible servers, against a real one over sockets.</summary>
public sealed class OpenAiLaws
{
    const string Key = "sk-do-not-tell-anyone";

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    static OpenAiChatClient Client(ModelServer server, string? key = Key, TimeSpan? timeout = null, float? temperature = null) =>
        new(new ModelDefinition("small") { Endpoint = server.Endpoint, Model = "m-1", KeyVariable = "MODEL_KEY", Temperature = temperature, Timeout = timeout ?? TimeSpan.FromSeconds(30) }, key);

    [Fact]
    public async Task An_answer_comes_with_its_usage_and_the_key_goes_in_its_header()
    {
        using var server = new ModelServer(_ => ModelReply.Says("four"));
        using var client = Client(server, temperature: 0.5f);
        var answer = await client.GetResponseAsync([new(ChatRole.System, "be short"), new(ChatRole.User, "2+2?")], new ChatOptions { Instructions = "count", MaxOutputTokens = 99 }, Stop);
        Assert.Equal("four", answer.Text);
        Assert.Equal((100, 10, "m-1-2026", ChatFinishReason.Stop), ((int)answer.Usage!.InputTokenCount!, (int)answer.Usage.OutputTokenCount!, answer.ModelId, answer.FinishReason));
        var request = server.Requests.Single();
        Assert.Equal(("/v1/chat/completions", $"Bearer {Key}"), request.Head);
        Assert.Equal([("system", "count"), ("system", "be short"), ("user", "2+2?")], request.Said);
        Assert.Equal((0.5, 99), (request.Body.GetProperty("temperature").GetDouble(), request.Body.GetProperty("max_completion_tokens").GetInt32()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tool_calls_are_whole_however_they_arrive_and_results_go_back(bool streamed)
    {
        using var server = new ModelServer(request => request.Number > 1 ? ModelReply.Says("done") : new ModelReply
        {
            Text = "I look.", Calls = [("call_1", "add", """{"a":2,"b":"zwei \" Ä"}"""), ("call_2", "add", """{"a":3}"""), ("call_3", "now", "")],
        });
        using var client = Client(server);
        var options = new ChatOptions { Tools = [AIFunctionFactory.Create((int a, string b) => a + b.Length, "add", "Adds.")], AllowMultipleToolCalls = true };
        var answer = await AskAsync(client, [new(ChatRole.User, "add")], options, streamed);
        var calls = answer.Messages.Single().Contents.OfType<FunctionCallContent>().ToList();
        Assert.Equal(["call_1", "call_2", "call_3"], calls.Select(call => call.CallId));
        Assert.Equal("""zwei " Ä""", calls[0].Arguments!["b"]!.ToString());
        Assert.Empty(calls[2].Arguments!);
        Assert.All(calls, call => Assert.Null(call.Exception));
        Assert.Equal(("I look.", 110L, ChatFinishReason.ToolCalls), (answer.Text, answer.Usage!.TotalTokenCount, answer.FinishReason));
        Assert.Equal("add", server.Requests[0].Body.GetProperty("tools")[0].GetProperty("function").GetProperty("name").GetString());

        var results = new ChatMessage(ChatRole.Tool, [new FunctionResultContent("call_1", 12), new FunctionResultContent("call_2", "three")]);
        await AskAsync(client, [new(ChatRole.User, "add"), .. answer.Messages, results], options, streamed);
        var sent = server.Requests[1].Body.GetProperty("messages");
        using var arguments = JsonDocument.Parse(sent[1].GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString()!);
        Assert.Equal((2, """zwei " Ä"""), (arguments.RootElement.GetProperty("a").GetInt32(), arguments.RootElement.GetProperty("b").GetString()));
        Assert.Equal([("tool", "12"), ("tool", "three")], server.Requests[1].Said.Skip(2));
        Assert.Equal("call_2", sent[3].GetProperty("tool_call_id").GetString());
    }

    [Fact]
    public async Task Arguments_that_are_no_json_are_an_error_of_the_call_and_not_of_the_answer()
    {
        using var server = new ModelServer(_ => ModelReply.Uses("add", "{\"a\": 2,"));
        using var client = Client(server);
        foreach (var streamed in (bool[])[false, true])
        {
            var call = (await AskAsync(client, [new(ChatRole.User, "add")], null, streamed)).Messages.Single().Contents.OfType<FunctionCallContent>().Single();
            Assert.NotNull(call.Exception);
            Assert.Equal("add", call.Name);
        }
    }

    [Theory]
    [InlineData(429, ErrorClass.Transient)]
    [InlineData(500, ErrorClass.Transient)]
    [InlineData(503, ErrorClass.Transient)]
    [InlineData(400, ErrorClass.Permanent)]
    [InlineData(401, ErrorClass.Permanent)]
    [InlineData(404, ErrorClass.Permanent)]
    public async Task An_error_is_told_once_with_its_class_and_never_with_the_key(int status, ErrorClass expected)
    {
        using var server = new ModelServer(_ => ModelReply.Fails(status, $"because of {Key}"));
        using var client = Client(server);
        foreach (var streamed in (bool[])[false, true])
        {
            var error = await Assert.ThrowsAsync<StepException>(() => AskAsync(client, [new(ChatRole.User, "x")], null, streamed));
            Assert.Equal(expected, error.Class);
            Assert.DoesNotContain(Key, error.ToString(), StringComparison.Ordinal);
            Assert.Contains($"'small' (m-1 at {server.Endpoint}", error.Message, StringComparison.Ordinal);
            Assert.Contains("because of ***", error.Message, StringComparison.Ordinal);
            Assert.Contains(status switch { 401 => "MODEL_KEY", 404 => "/v1", _ => $"{status}" }, error.Message, StringComparison.Ordinal);
        }
        // The SDK would have asked four times for each: the engine's retry is the only one.
        Assert.Equal(2, server.Calls);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_that_breaks_off_is_an_error_and_no_answer(bool politely)
    {
        using var server = new ModelServer(_ => new ModelReply { Text = "a long text that never comes to its end", EndsAfter = politely ? 3 : null, BreakAfter = politely ? null : 3 });
        using var client = Client(server);
        var error = await Assert.ThrowsAsync<StepException>(() => AskAsync(client, [new(ChatRole.User, "x")], null, streamed: true));
        Assert.Equal(ErrorClass.Transient, error.Class);
    }

    [Fact]
    public async Task A_server_that_is_not_there_or_slow_is_worth_another_attempt()
    {
        using var server = new ModelServer(_ => new ModelReply { Delay = TimeSpan.FromMinutes(5) });
        using var slow = Client(server, timeout: TimeSpan.FromMilliseconds(200));
        var late = await Assert.ThrowsAsync<StepException>(() => slow.GetResponseAsync([new(ChatRole.User, "x")], null, Stop));
        Assert.Equal(ErrorClass.Transient, late.Class);
        Assert.Contains("no answer within", late.Message, StringComparison.Ordinal);
        server.Dispose();
        using var gone = Client(server);
        var none = await Assert.ThrowsAsync<StepException>(() => gone.GetResponseAsync([new(ChatRole.User, "x")], null, Stop));
        Assert.Equal(ErrorClass.Transient, none.Class);
        Assert.Contains("cannot be talked to", none.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_is_a_stop_and_no_error_of_the_model()
    {
        using var server = new ModelServer(_ => new ModelReply { Delay = TimeSpan.FromMinutes(5) });
        using var client = Client(server);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var asked = client.GetResponseAsync([new(ChatRole.User, "x")], null, stopping.Token);
        await stopping.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    static async Task<ChatResponse> AskAsync(OpenAiChatClient client, IEnumerable<ChatMessage> messages, ChatOptions? options, bool streamed)
    {
        if (!streamed) return await client.GetResponseAsync(messages, options, Stop);
        return await client.GetStreamingResponseAsync(messages, options, Stop).ToChatResponseAsync(Stop);
    }
}
