using System.Text.Json;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

public sealed class PatternLaws
{
    static readonly JsonElement s_task = JsonDocument.Parse("""{"task":"look into it"}""").RootElement;

    static Workflow Of(Func<StepContext, Task<string>> body, Func<bool> fails) => Workflow.Define("w", async ctx =>
    {
        var text = await body(ctx);
        return fails() ? throw new IOException("behind it") : text;
    });

    static List<Agent> Agents(IChatClient client) => [new("first", client), new("second", client) { Description = "knows more" }, new("third", client)];

    static FakeChatClient Counting() => new(messages => $"{messages.Count} heard");

    [Fact]
    public void In_a_sequence_each_hears_those_before_it() => Lab.Do(async lab =>
    {
        var (client, fails) = (Counting(), true);
        var workflow = Of(async ctx => (await Agents(client).RunInSequenceAsync(ctx, "go")).Text, () => fails);
        await lab.Run(workflow);
        fails = false;
        Assert.Equal(("3 heard", 3), ((await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"), client.Calls));
    });

    [Fact]
    public void Side_by_side_all_answer_the_same_and_in_their_order() => Lab.Do(async lab =>
    {
        var fails = true;
        var client = new FakeChatClient(async (messages, options) =>
        {
            await lab.Delay(options!.Instructions == "slow" ? 10 : 1);
            return FakeChatClient.Says($"{options.Instructions}: {messages[0].Text}");
        });
        List<Agent> agents = [new("a", client) { Instructions = "slow" }, new("a", client) { Instructions = "quick" }];
        var workflow = Of(async ctx => string.Join(", ", (await agents.RunConcurrentlyAsync(ctx, "go")).Select(answer => answer.Text)), () => fails);
        await lab.Run(workflow);
        fails = false;
        var result = (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(("slow: go, quick: go", 2), (result.Output<string>("w"), client.Calls));
        Assert.Equal(["w/a/2/chat/1", "w/a/chat/1"], result.Restored.Order());
        Assert.Empty(lab.Warnings);
    });

    [Fact]
    public void Work_is_handed_over_until_somebody_answers_and_not_for_ever() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient([
            new() { Agent = "first", Tool = "handoff_to_second", Arguments = s_task }, new() { Agent = "second", Contains = "first: second, please go on. look into it", Text = "found" },
            new() { Agent = "third", Tool = "handoff_to_third", Arguments = s_task }]);
        var fails = true;
        var workflow = Of(async ctx => await Agents(client).RunWithHandoffsAsync(ctx, "go") is var (agent, answer) ? $"{agent.Name}: {answer.Text}" : "", () => fails);
        await lab.Run(workflow);
        fails = false;
        Assert.Equal(("second: found", 2), ((await lab.Resume(workflow)).EnsureCompleted().Output<string>("w"), client.Calls));

        var circle = new ScriptedChatClient([new() { Agent = "first", Tool = "handoff_to_second", Arguments = s_task }, new() { Agent = "second", Tool = "handoff_to_first", Arguments = s_task }]);
        var result = await lab.Run(Of(async ctx => (await Agents(circle).RunWithHandoffsAsync(ctx, "go", maxHandoffs: 4)).Answer.Text, () => false), start: new StartOptions { RunId = "circle" });
        Assert.Contains("The work was handed over 4 times, and 'first' hands it to 'second'", result.Error, StringComparison.Ordinal);
    });

    [Fact]
    public async Task A_scripted_call_of_a_tool_is_the_same_whichever_process_asks_for_it()
    {
        ScriptedChatClient Make() => new([new() { Turn = 0, Tool = "add" }]);
        var (before, after) = (Make(), Make());
        async Task<string> Id(ScriptedChatClient client, params ChatMessage[] said) =>
            (await client.GetResponseAsync(said, cancellationToken: TestContext.Current.CancellationToken)).Messages[0].Contents.OfType<FunctionCallContent>().Single().CallId;
        ChatMessage asked = new(ChatRole.User, "sum"), other = new(ChatRole.User, "and?");
        var first = await Id(before, asked);
        Assert.NotEqual(first, await Id(before, other));
        Assert.Equal(first, await Id(after, asked));
    }

    [Fact]
    public async Task A_script_is_read_from_JSON_and_an_unknown_key_is_an_error()
    {
        var client = ScriptedChatClient.FromJson("""
            { "model": "m", "answers": [
              { "contains": "sum", "turn": 0, "tool": "add", "arguments": { "a": 1 } },
              { "contains": "sum", "text": "three", "input_tokens": 5, "output_tokens": 1 },
              { "text": "first" }, { "text": "second word" }, { "error": "the network is away" } ] }
            """);
        var token = TestContext.Current.CancellationToken;
        Assert.Equal("add", (await client.GetResponseAsync("The SUM?", cancellationToken: token)).Messages[0].Contents.OfType<FunctionCallContent>().Single().Name);
        var answer = await client.GetResponseAsync([new(ChatRole.User, "sum"), new(ChatRole.Assistant, "-")], cancellationToken: token);
        Assert.Equal(("three", 5, "m"), (answer.Text, answer.Usage!.InputTokenCount, answer.ModelId));
        Assert.Equal("first", (await client.GetResponseAsync("x", cancellationToken: token)).Text);
        Assert.Equal(["second ", "word", ""], await client.GetStreamingResponseAsync("x", cancellationToken: token).Select(update => update.Text).Take(3).ToListAsync(token));
        Assert.Equal("the network is away", (await Assert.ThrowsAsync<IOException>(() => client.GetResponseAsync("x", cancellationToken: token))).Message);
        Assert.Contains("its list of 3 answers is used up. The last message was: y", (await Assert.ThrowsAsync<InvalidOperationException>(() => client.GetResponseAsync("y", cancellationToken: token))).Message, StringComparison.Ordinal);
        Assert.Throws<JsonException>(() => ScriptedChatClient.FromJson("""[{ "texxt": "x" }]"""));
        Assert.Throws<JsonException>(() => ScriptedChatClient.FromJson("""{ "modell": "x", "answers": [] }"""));
    }
}
