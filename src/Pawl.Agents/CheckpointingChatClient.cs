using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>How the calls of a model are recorded.</summary>
public sealed record CheckpointedChatOptions
{
    /// <summary>The sub-steps are <c>NAME/1</c>, <c>NAME/2</c>, … Default <c>chat</c>.</summary>
    public string Name { get; init; } = "chat";

    /// <summary>How often a failed call is made again. Default: not at all. A streamed call is never repeated by itself: its reader has seen a part of it.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>Longest time of one call; null is no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>A stream that ends without a finish reason counts as broken off. Default true; false for clients that never tell one.</summary>
    public bool StreamsTellTheirEnd { get; init; } = true;
}

/// <summary>A chat client whose answers are checkpoints of a step: what was paid for is never paid for again.</summary>
/// <remarks>
/// Each call is a sub-step that keeps the response (text, tool calls, usage) and a hash of the request, never the request. When the step runs again, in this process or
/// another, the same request gets the recorded response and costs nothing; a streamed one comes as updates. A request that nothing recorded fits is asked anew, and a warning says what is different.
/// A response is durable when the call returns, or its stream ends. A crash before that leaves nothing of it, and so does a stream that broke off: the call is made again.
/// Made for one attempt of one step; thread safe: calls side by side find their answers by their requests. Usage goes into the step's metrics (<c>calls</c>,
/// <c>input_tokens</c>, <c>output_tokens</c>, and the model's price), so budgets stop the run between calls.
/// </remarks>
public sealed class CheckpointingChatClient : DelegatingChatClient
{
    readonly StepContext _context;
    readonly CheckpointedChatOptions _options;
    readonly CallBook _book;
    readonly ChatClientMetadata? _metadata;

    /// <summary>Makes a client for one step.</summary>
    public CheckpointingChatClient(IChatClient inner, StepContext context, CheckpointedChatOptions? options = null) : base(inner)
    {
        ArgumentNullException.ThrowIfNull(context);
        _context = context;
        _options = options ?? new();
        _book = CallBook.Of(context, _options.Name);
        _metadata = inner.GetService<ChatClientMetadata>();
    }

    /// <summary>The sub-step of the newest call, relative to the step, and whether its answer was a recorded one.</summary>
    internal (string Name, bool IsReplayed) Last { get; private set; } = ("", false);

    /// <summary>The answer to a request: recorded or new.</summary>
    /// <exception cref="StepFailedException">The model failed for good.</exception>
    /// <inheritdoc/>
    public override async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var call = Begin(messages, options);
        using var span = GenAi.Chat(_metadata, call.Request.Model);
        return await RunAsync(call, span, async step =>
        {
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(step.CancellationToken, cancellationToken);
            return await InnerClient.GetResponseAsync(call.Messages, Placed(options, step), linked.Token);
        }, _options.Retry, cancellationToken);
    }

    /// <inheritdoc/>
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var call = Begin(messages, options);
        using var span = GenAi.Chat(_metadata, call.Request.Model);
        using var abandoned = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var updates = Channel.CreateUnbounded<ChatResponseUpdate>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });
        var asking = AskAsync();
        var streamed = false;
        try
        {
            await foreach (var update in updates.Reader.ReadAllAsync(CancellationToken.None))
            {
                streamed = true;
                yield return update;
            }
            var response = await asking;
            // Recorded: nothing was streamed.
            if (!streamed) foreach (var update in response.ToChatResponseUpdates()) yield return update;
        }
        finally
        {
            // Whoever stops reading stops the call: half an answer is none.
            await abandoned.CancelAsync();
            if (!asking.IsCompleted) await asking.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        async Task<ChatResponse> AskAsync()
        {
            try { return await RunAsync(call, span, StreamAsync, RetryPolicy.None, abandoned.Token); }
            finally { updates.Writer.TryComplete(); }
        }

        async Task<ChatResponse> StreamAsync(StepContext step)
        {
            using var linked = CancellationTokenSource.CreateLinkedTokenSource(step.CancellationToken, abandoned.Token);
            var all = new List<ChatResponseUpdate>();
            await foreach (var update in InnerClient.GetStreamingResponseAsync(call.Messages, Placed(options, step), linked.Token))
            {
                all.Add(update);
                updates.Writer.TryWrite(update);
            }
            linked.Token.ThrowIfCancellationRequested();
            if (_options.StreamsTellTheirEnd && !all.Exists(update => update.FinishReason is not null))
                throw new IOException($"The stream of the model ended after {all.Count} updates without a finish reason: it broke off. If this client never tells one, set CheckpointedChatOptions.StreamsTellTheirEnd to false.");
            return all.ToChatResponse();
        }
    }

#pragma warning disable CA2215 // The inner client serves other steps: it is not this one's to dispose.
    /// <summary>Disposes nothing: the inner client serves other steps.</summary>
    protected override void Dispose(bool disposing) { }
#pragma warning restore CA2215

    Call Begin(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var list = messages as IReadOnlyList<ChatMessage> ?? [.. messages];
        var request = RequestFacts.Of(list, options, _metadata?.DefaultModelId);
        var (name, isRecorded, difference) = _book.Take(request);
        if (difference is not null) _context.Warn($"'{_context.Path}/{name}' asks the model anew: {difference}");
        Last = (name, isRecorded);
        return new Call(name, isRecorded, list, request);
    }

    async Task<ChatResponse> RunAsync(Call call, GenAi.Span span, Func<StepContext, Task<ChatResponse>> ask, RetryPolicy retry, CancellationToken cancellationToken)
    {
        var answer = default(RawJson?);
        try
        {
            await _context.StepAsync(call.Name, async step =>
            {
                var began = step.Time.GetTimestamp();
                try
                {
                    var response = await ask(step);
                    var result = ChatRecord.Of(call.Request, response);
                    answer = (RawJson)result.Output!;
                    span.Answered(response, step.Time.GetElapsedTime(began));
                    return result;
                }
                catch (Exception error)
                {
                    span.Failed(error, step.Time.GetElapsedTime(began));
                    throw;
                }
            }, new StepOptions { Retry = retry, Timeout = _options.Timeout });
        }
        catch (StepFailedException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        // As it was recorded, the first time too: what is asked next must not depend on where the answer came from.
        var read = ChatRecord.Response((answer ?? _context.TryOutput($"{_context.Path}/{call.Name}"))!.Value);
        if (answer is null) span.Replayed(read);
        return read;
    }

    /// <summary>A script answers by where it is asked; a real model must not be told.</summary>
    ChatOptions? Placed(ChatOptions? options, StepContext step)
    {
        if (InnerClient.GetService<ScriptedChatClient>() is null) return options;
        var placed = options?.Clone() ?? new ChatOptions();
        placed.AdditionalProperties = new(placed.AdditionalProperties ?? []) { [ScriptedChatClient.StepProperty] = step.Path };
        return placed;
    }

    sealed record Call(string Name, bool IsRecorded, IReadOnlyList<ChatMessage> Messages, RequestFacts Request);
}

/// <summary>Checkpoints for chat clients.</summary>
public static class CheckpointedChat
{
    /// <summary>The client for one step: see <see cref="CheckpointingChatClient"/>.</summary>
    public static CheckpointingChatClient WithCheckpoints(this IChatClient client, StepContext context, CheckpointedChatOptions? options = null) => new(client, context, options);
}
