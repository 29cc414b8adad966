using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Storage;

namespace Pawl.Benchmarks;

/// <summary>What it costs to keep a model's answer: the model itself takes no time here.</summary>
static class AgentCalls
{
    const int Calls = 1000, Answer = 2048;

    sealed class AtOnce : IChatClient
    {
        readonly string _text = new('a', Answer);

        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, _text)) { ModelId = "m", FinishReason = ChatFinishReason.Stop, Usage = new UsageDetails { InputTokenCount = 5000, OutputTokenCount = 500 } });

        public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            foreach (var update in (await GetResponseAsync(messages, options, cancellationToken)).ToChatResponseUpdates()) yield return update;
        }

        public object? GetService(Type serviceType, object? serviceKey = null) => null;
        public void Dispose() { }
    }

    /// <summary>Each call with a context of twenty messages of a kilobyte.</summary>
    static Workflow Asking(int calls) => Workflow.Define("asking", async ctx =>
    {
        using var model = new AtOnce();
        using var chat = model.WithCheckpoints(ctx);
        var context = Enumerable.Range(0, 20).Select(n => new ChatMessage(n % 2 == 0 ? ChatRole.User : ChatRole.Assistant, $"{n} {new string('m', 1024)}")).ToList();
        for (var i = 0; i < calls; i++) await chat.GetResponseAsync([.. context, new(ChatRole.User, $"question {i}")], cancellationToken: ctx.CancellationToken);
    });

    public static async Task RunAsync()
    {
        var folder = Directory.CreateTempSubdirectory("pawl-bench-").FullName;
        try
        {
            var (best, bytes) = (double.MaxValue, 0.0);
            for (var round = 0; round < 4; round++)
            {
                await using var client = new PawlClient(FileStore.Open(folder));
                var id = $"r{round}";
                var clock = Stopwatch.GetTimestamp();
                (await client.RunAsync(Asking(Calls), start: new StartOptions { RunId = id })).EnsureCompleted();
                best = Math.Min(best, Stopwatch.GetElapsedTime(clock).TotalMicroseconds / Calls);
                bytes = (new FileInfo(Path.Combine(folder, id, "journal.jsonl")).Length / (double)Calls) - Answer;
            }
            Report.Row("keeping a model's answer, file store, flushed", Report.Number(best, "µs"), "-", "-", "≤ 1,000 µs", best <= 1000);
            Report.Row("bytes of a model call beyond its answer", Report.Number(bytes, "B"), "-", "-", "≤ 10,240 B", bytes <= 10240);
        }
        finally { Directory.Delete(folder, recursive: true); }
    }
}
