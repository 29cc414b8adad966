using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;

namespace Pawl.Tests.Agents;

/// <summary>A model made of two functions; counts what it is asked.</summary>
sealed class FakeChatClient(Func<IReadOnlyList<ChatMessage>, ChatOptions?, Task<ChatResponse>> answer, Func<ChatResponse, IEnumerable<ChatResponseUpdate>>? stream = null) : IChatClient
{
    int _calls;

    public FakeChatClient(Func<IReadOnlyList<ChatMessage>, string> answer) : this((messages, _) => Task.FromResult(Says(answer(messages)))) { }

    public int Calls => _calls;

    public static ChatResponse Says(string text, long input = 100, long output = 10) => new(new ChatMessage(ChatRole.Assistant, text))
    {
        ModelId = "fake-1", FinishReason = ChatFinishReason.Stop, Usage = new UsageDetails { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = input + output },
    };

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _calls);
        return await answer([.. messages], options);
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var response = await GetResponseAsync(messages, options, cancellationToken);
        foreach (var update in stream?.Invoke(response) ?? response.ToChatResponseUpdates())
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return update;
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("fake", null, "fake-1") : null;

    public void Dispose() { }
}
