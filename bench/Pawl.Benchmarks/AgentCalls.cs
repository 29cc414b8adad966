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
        var (memory, file, bytes) = (double.MaxValue, double.MaxValue, 0.0);
        for (var round = 0; round < 30; round++)
        {
            await using var client = new PawlClient(new MemoryStore());
            // Processor time: it means the same on a busy machine.
            var time = new ProcessorTime();
            await TimedAsync(client, "r", Calls);
            memory = Math.Min(memory, time.Each(Calls).Client);
        }
        var folder = Directory.CreateTempSubdirectory("pawl-bench-").FullName;
        try
        {
            for (var round = 0; round < 4; round++)
            {
                await using var client = new PawlClient(FileStore.Open(folder));
                file = Math.Min(file, await TimedAsync(client, $"r{round}", Calls));
                bytes = (new FileInfo(Path.Combine(folder, $"r{round}", "journal.jsonl")).Length / (double)Calls) - Answer;
            }
        }
        finally { Directory.Delete(folder, recursive: true); }
        Report.Row("keeping a model's answer, memory store, processor time", Report.Number(memory, "µs"), "-", "-", "≤ 1,000 µs", memory <= 1000);
        Report.Row("keeping a model's answer, file store, flushed", Report.Number(file, "µs"), "-", "-", "≤ 1,000 µs", file <= 1000);
        Report.Row("bytes of a model call beyond its answer", Report.Number(bytes, "B"), "-", "-", "≤ 10,240 B", bytes <= 10240);
    }

    static async Task<double> TimedAsync(PawlClient client, string run, int calls)
    {
        var clock = Stopwatch.GetTimestamp();
        (await client.RunAsync(Asking(calls), start: new StartOptions { RunId = run })).EnsureCompleted();
        return Stopwatch.GetElapsedTime(clock).TotalMicroseconds / calls;
    }
}
