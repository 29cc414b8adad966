using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Storage;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

/// <summary>What networks do to a model's answers, over real sockets.</summary>
public sealed class ChatOverHttpLaws
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Busy_servers_errors_broken_streams_and_slow_answers_are_repeated_and_only_whole_answers_are_recorded()
    {
        ModelReply[] replies = [
            new() { Status = 429 }, new() { Status = 500 }, new() { Text = "one two" },     // a call with retries
            new() { Text = "one two three", BreakAfter = 3 }, new() { Text = "one two three" },     // a stream, that the step repeats
            new() { Text = "too late", Delay = TimeSpan.FromSeconds(30) }, new() { Text = "in time" }]; // a call with a time limit
        await using var server = new ModelServer(call => replies[call.Number - 1]);
        using var http = new HttpChatClient(server.Url);
        var workflow = Workflow.Create("w").Also(builder =>
        {
            builder.Step("s", async ctx =>
        {
            var soon = new RetryPolicy { Attempts = 3, Delay = TimeSpan.FromMilliseconds(1) };
            var chat = http.WithCheckpoints(ctx, new CheckpointedChatOptions { Retry = soon });
            var first = (await chat.GetResponseAsync("a")).Text;
            var second = "";
            await foreach (var update in chat.GetStreamingResponseAsync("b")) second += update.Text;
            var third = (await http.WithCheckpoints(ctx, new CheckpointedChatOptions { Name = "slow", Retry = soon, Timeout = TimeSpan.FromSeconds(1) }).GetResponseAsync("c")).Text;
            return $"{first}|{second}|{third}";
        }, step => step.Retry(new RetryPolicy { Attempts = 2, Delay = TimeSpan.FromMilliseconds(1) }));
        }).Build();
        await using var store = new MemoryStore();
        await using var client = new PawlClient(store);
        var result = (await client.RunAsync(workflow, start: new StartOptions { RunId = "r" }, cancellationToken: Token)).EnsureCompleted();
        Assert.Equal("one two|one two three|in time", result.Output<string>("s"));
        var records = (await client.HistoryAsync("r", Token)).Where(record => record.Kind == CheckpointKind.Step && record.Path != "s").Select(record => $"{record.Path} {record.Status}");
        Assert.Equal(["s/chat/1 Failed", "s/chat/1 Failed", "s/chat/1 Completed", "s/chat/2 Failed", "s/chat/2 Completed", "s/slow/1 Failed", "s/slow/1 Completed"], records);
        var spent = (await client.CostsAsync("r", Token)).Spent;
        Assert.Equal((3, 330), (spent.Calls, spent.Tokens));
        Assert.Equal(7, server.Calls);
    }
}
