using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

public sealed class ChatCheckpointLaws
{
    static readonly string[] s_words = ["one ", "two ", "three"];

    /// <summary>A step of some calls that fails behind them until it is told not to.</summary>
    static Workflow Of(Func<StepContext, Task<string>> calls, Func<bool> fails, WorkflowOptions? options = null)
    {
        var builder = Workflow.Create("w").Options(options ?? new());
        builder.Step("s", async ctx =>
        {
            var said = await calls(ctx);
            return fails() ? throw new IOException("behind the calls") : said;
        });
        return builder.Build();
    }

    static FakeChatClient Echo() => new(messages => $"re: {messages[^1].Text}");

    [Fact]
    public void A_recorded_answer_is_used_again_and_costs_nothing() => Lab.Do(async lab =>
    {
        var (client, fails) = (Echo(), true);
        var workflow = Of(async ctx =>
        {
            var chat = client.WithCheckpoints(ctx);
            return (await chat.GetResponseAsync("a")).Text + (await chat.GetResponseAsync("b")).Text;
        }, () => fails);
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        fails = false;
        var result = (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(("re: are: b", 2), (result.Output<string>("s"), client.Calls));
        Assert.Equal(["s/chat/1", "s/chat/2"], result.Restored);
        Assert.Equal((2, 220), (result.Saved.Calls, result.Saved.Tokens));
        Assert.Empty(lab.Warnings);
    });

    [Fact]
    public void The_record_has_the_answer_and_a_hash_of_the_request_and_never_the_request() => Lab.Do(async lab =>
    {
        var client = new FakeChatClient(_ => "the answer");
        await lab.Run(Of(async ctx => (await client.WithCheckpoints(ctx).GetResponseAsync("a secret question", new ChatOptions { Instructions = "hidden instructions" })).Text, () => false));
        var journal = Encoding.UTF8.GetString([.. (await lab.Journal()).SelectMany(record => record.Line.ToArray())]);
        Assert.Contains("the answer", journal, StringComparison.Ordinal);
        Assert.DoesNotContain("a secret question", journal, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden instructions", journal, StringComparison.Ordinal);
        Assert.InRange((await lab.Records("s/chat/1")).Single().Line.Length, 1, 1500);
    });

    [Fact]
    public void A_streamed_answer_is_recorded_whole_and_replayed_as_updates_and_serves_a_call_that_does_not_stream() => Lab.Do(async lab =>
    {
        var (client, fails, streams) = (Words(), true, true);
        var seen = new List<string>();
        var workflow = Of(async ctx =>
        {
            var chat = client.WithCheckpoints(ctx);
            if (!streams) return (await chat.GetResponseAsync("go")).Text;
            seen.Clear();
            await foreach (var update in chat.GetStreamingResponseAsync("go")) seen.Add(update.Text);
            return string.Concat(seen);
        }, () => fails);
        await lab.Run(workflow);
        Assert.Equal(s_words, seen.Where(text => text.Length > 0));
        await lab.Resume(workflow);
        Assert.Equal("one two three", string.Concat(seen));
        (fails, streams) = (false, false);
        Assert.Equal(("one two three", 1), ((await lab.Resume(workflow)).EnsureCompleted().Output<string>("s"), client.Calls));
    });

    static FakeChatClient Words() => new((_, _) => Task.FromResult(FakeChatClient.Says(string.Concat(s_words))), response => Stream());

    static IEnumerable<ChatResponseUpdate> Stream(int? breakAt = null, bool ends = true)
    {
        for (var i = 0; i < s_words.Length; i++)
        {
            if (i == breakAt) throw new IOException("connection reset");
            yield return new ChatResponseUpdate(ChatRole.Assistant, s_words[i]);
        }
        if (ends) yield return new ChatResponseUpdate { FinishReason = ChatFinishReason.Stop, Contents = [new UsageContent(new UsageDetails { InputTokenCount = 7, OutputTokenCount = 3 })] };
    }

    [Theory]
    [InlineData("breaks")]
    [InlineData("ends without a finish reason")]
    [InlineData("nobody reads on")]
    public void A_stream_that_broke_off_is_not_recorded_as_whole(string how) => Lab.Do(async lab =>
    {
        var broken = true;
        var client = new FakeChatClient((_, _) => Task.FromResult(FakeChatClient.Says("-")), _ => !broken ? Stream() : Stream(how == "breaks" ? 2 : null, ends: how == "nobody reads on"));
        var workflow = Of(async ctx =>
        {
            var text = "";
            await foreach (var update in client.WithCheckpoints(ctx).GetStreamingResponseAsync("go"))
            {
                text += update.Text;
                if (broken && how == "nobody reads on") throw new IOException("the reader went away");
            }
            return text;
        }, () => false);
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        if (how != "nobody reads on") Assert.All(await lab.Records("s/chat/1"), record => Assert.Equal(StepStatus.Failed, record.Status));
        broken = false;
        Assert.Equal("one two three", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("s"));
        Assert.Equal(10, (await lab.Client.CostsAsync("run", Lab.Token)).Spent.Tokens);
    });

    public static TheoryData<string, string> Changes => new()
    {
        { "message", "the messages or instructions are different" }, { "more", "it has 2 messages and had 1" }, { "model", "the model is 'other' and was 'fake-1'" },
        { "tools", "the tools are different" }, { "options", "the options are different" }, { "instructions", "the messages or instructions are different" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_changed_request_is_said_and_asked_anew(string change, string said) => Lab.Do(async lab =>
    {
        var (client, now) = (Echo(), false);
        var workflow = Of(async ctx =>
        {
            List<ChatMessage> messages = [new(ChatRole.User, now && change == "message" ? "b" : "a")];
            if (now && change == "more") messages.Add(new(ChatRole.User, "more"));
            var options = new ChatOptions { Temperature = now && change == "options" ? 1 : 0.5f };
            if (now && change == "model") options.ModelId = "other";
            if (now && change == "instructions") options.Instructions = "be brief";
            if (now && change == "tools") options.Tools = [AIFunctionFactory.Create(() => 1, "one")];
            return (await client.WithCheckpoints(ctx).GetResponseAsync(messages, options)).Text;
        }, () => !now);
        await lab.Run(workflow);
        now = true;
        (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(2, client.Calls);
        Assert.Contains(lab.Warnings, warning => warning.Contains("'s/chat/2' asks the model anew", StringComparison.Ordinal) && warning.Contains(said, StringComparison.Ordinal));
    });

    [Fact]
    public void Calls_side_by_side_find_their_answers_in_whatever_order_they_come() => Lab.Do(async lab =>
    {
        var fails = true;
        var client = new FakeChatClient(async (messages, _) =>
        {
            await lab.Delay(messages[^1].Text.Length);
            return FakeChatClient.Says($"re: {messages[^1].Text}");
        });
        var workflow = Of(async ctx =>
        {
            var chat = client.WithCheckpoints(ctx);
            string[] asked = fails ? ["a", "bb", "ccc"] : ["ccc", "a", "bb"];
            var answers = await Task.WhenAll(asked.Select(async one => (await chat.GetResponseAsync(one + one)).Text + (await chat.GetResponseAsync(one)).Text));
            return string.Join('|', answers.Order(StringComparer.Ordinal));
        }, () => fails);
        await lab.Run(workflow);
        fails = false;
        var result = (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Equal(("re: aare: a|re: bbbbre: bb|re: ccccccre: ccc", 6), (result.Output<string>("s"), client.Calls));
        Assert.Empty(lab.Warnings);
    });

    [Fact]
    public void The_same_question_asked_twice_is_two_calls_and_two_clients_of_a_step_share_their_places() => Lab.Do(async lab =>
    {
        var (n, fails) = (0, true);
        var client = new FakeChatClient(_ => $"answer {++n}");
        var workflow = Of(async ctx => (await client.WithCheckpoints(ctx).GetResponseAsync("again")).Text + ", " + (await client.WithCheckpoints(ctx).GetResponseAsync("again")).Text, () => fails);
        await lab.Run(workflow);
        fails = false;
        Assert.Equal("answer 1, answer 2", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("s"));
        Assert.Equal(2, client.Calls);
    });

    [Fact]
    public void What_a_call_used_is_in_the_ledger_with_the_price_of_its_model() => Lab.Do(async lab =>
    {
        var client = Echo();
        await lab.Run(Of(async ctx => (await client.WithCheckpoints(ctx).GetResponseAsync("a")).Text, () => false,
            new WorkflowOptions { Prices = new Dictionary<string, ModelPrice> { ["fake-1"] = new(InputUsd: 1000, OutputUsd: 10_000) } }));
        var spent = (await lab.Client.CostsAsync("run", Lab.Token)).Spent;
        Assert.Equal((1, 110, 0.2m), (spent.Calls, spent.Tokens, spent.CostUsd));
    });

    [Fact]
    public void A_budget_stops_the_run_between_two_calls_and_a_raised_one_goes_on_there() => Lab.Do(async lab =>
    {
        var client = Echo();
        var workflow = Of(async ctx =>
        {
            var chat = client.WithCheckpoints(ctx);
            for (var i = 0; i < 4; i++) await chat.GetResponseAsync($"question {i}");
            return "done";
        }, () => false, new WorkflowOptions { Budget = new Budget { Tokens = 200 } });
        Assert.Equal((RunStatus.Paused, 2), ((await lab.Run(workflow)).Status, client.Calls));
        (await lab.Resume(workflow, new ResumeOptions { Budget = new Budget { Tokens = 1000 } })).EnsureCompleted();
        Assert.Equal(4, client.Calls);
    });

    [Fact]
    public void A_failed_call_is_recorded_as_failed_repeated_as_asked_for_and_never_replayed() => Lab.Do(async lab =>
    {
        var calls = 0;
        var client = new FakeChatClient((_, _) => ++calls < 3 ? throw new HttpRequestException("429 Too Many Requests") : Task.FromResult(FakeChatClient.Says("at last")));
        var retry = new RetryPolicy { Attempts = 2, Delay = TimeSpan.FromSeconds(1) };
        var workflow = Of(async ctx => (await client.WithCheckpoints(ctx, new() { Retry = retry }).GetResponseAsync("a")).Text, () => false);
        Assert.Equal(RunStatus.Failed, (await lab.Run(workflow)).Status);
        Assert.Equal("at last", (await lab.Resume(workflow)).EnsureCompleted().Output<string>("s"));
        Assert.Equal([StepStatus.Failed, StepStatus.Failed, StepStatus.Completed], (await lab.Records("s/chat/1")).Select(record => record.Status!.Value));
    });

    [Fact]
    public void An_answer_comes_back_as_it_was_with_tool_calls_thoughts_and_images() => Lab.Do(async lab =>
    {
        var fails = true;
        ChatResponse? first = null, second = null;
        var client = new FakeChatClient((_, _) => Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant,
        [
            new TextReasoningContent("hm"), new TextContent("I call "), new FunctionCallContent("c1", "add", new Dictionary<string, object?> { ["a"] = 1, ["b"] = new[] { "x", "ü\n" } }),
            new DataContent(new byte[] { 1, 2, 3 }, "image/png"),
        ])
        { AuthorName = "ann" })
        { FinishReason = ChatFinishReason.ToolCalls, Usage = new UsageDetails { InputTokenCount = 1, CachedInputTokenCount = 4, AdditionalCounts = new() { ["x"] = 2 } }, AdditionalProperties = new() { ["odd"] = new Uri("http://x/") } }));
        var workflow = Of(async ctx =>
        {
            var answer = await client.WithCheckpoints(ctx).GetResponseAsync("a");
            (first, second) = fails ? (answer, null) : (first, answer);
            return "";
        }, () => fails);
        await lab.Run(workflow);
        fails = false;
        (await lab.Resume(workflow)).EnsureCompleted();
        static string Text(ChatResponse response) => System.Text.Json.JsonSerializer.Serialize(response, AIJsonUtilities.DefaultOptions);
        Assert.Equal(Text(first!), Text(second!));
        Assert.Equal("[\"x\",\"ü\\n\"]", System.Text.RegularExpressions.Regex.Unescape(second!.Messages[0].Contents.OfType<FunctionCallContent>().Single().Arguments!["b"]!.ToString()!).Replace("\n", "\\n", StringComparison.Ordinal));
        Assert.Equal(4, second.Usage!.CachedInputTokenCount);
    });

    [Fact]
    public void Calls_are_told_by_the_conventions_for_generative_AI_and_replayed_ones_are_marked_and_not_counted() => Lab.Do(async lab =>
    {
        var name = $"model-{Guid.NewGuid():N}";
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Pawl.Agents", Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity => { if (activity.DisplayName == $"chat {name}") spans.Add(activity); },
        };
        ActivitySource.AddActivityListener(listener);
        var tokens = new List<(long, string?)>();
        using var meter = new MeterListener();
        meter.InstrumentPublished = (instrument, own) => { if (instrument.Meter.Name == "Pawl.Agents") own.EnableMeasurementEvents(instrument); };
        meter.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            var all = tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value);
            if (Equals(all["gen_ai.request.model"], name) && instrument.Name == "gen_ai.client.token.usage") tokens.Add((value, (string?)all["gen_ai.token.type"]));
        });
        meter.Start();

        var (client, fails) = (Echo(), true);
        var workflow = Of(async ctx => (await client.WithCheckpoints(ctx).GetResponseAsync("a", new ChatOptions { ModelId = name })).Text, () => fails);
        await lab.Run(workflow);
        fails = false;
        await lab.Resume(workflow);
        Assert.Equal([null, true], spans.Select(span => span.GetTagItem("pawl.replayed")));
        Assert.All(spans, span => Assert.Equal(("chat", "fake", name, "fake-1", 100L, 10L), (span.GetTagItem("gen_ai.operation.name"), span.GetTagItem("gen_ai.provider.name"),
            span.GetTagItem("gen_ai.request.model"), span.GetTagItem("gen_ai.response.model"), span.GetTagItem("gen_ai.usage.input_tokens"), span.GetTagItem("gen_ai.usage.output_tokens"))));
        Assert.Equal([(100, "input"), (10, "output")], tokens);
    });
}
