using System.ClientModel;
using System.ClientModel.Primitives;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;
using OpenAI;
using Pawl.Yaml;
using Sdk = OpenAI.Chat;

namespace Pawl.Cli.Agents;

/// <summary>A model behind any OpenAI-compatible address: OpenAI, Azure, Ollama, llama.cpp, vLLM. Thread safe.</summary>
/// <remarks>It never repeats a request: the engine's retry does, and records each attempt. Every error is a <see cref="StepException"/> that says whether another
/// attempt may help, and in which the key is masked.</remarks>
sealed class OpenAiChatClient : IChatClient
{
    // Local servers ask for no key, and the SDK for a text.
    const string NoKey = "none";

    readonly ModelDefinition _model;
    readonly string? _key;
    readonly Sdk.ChatClient _client;
    readonly ChatClientMetadata _metadata;

    public OpenAiChatClient(ModelDefinition model, string? key)
    {
        _model = model;
        _key = string.IsNullOrWhiteSpace(key) ? null : key.Trim();
        var options = new OpenAIClientOptions { Endpoint = model.Endpoint, RetryPolicy = new ClientRetryPolicy(maxRetries: 0), NetworkTimeout = model.Timeout, UserAgentApplicationId = "pawl" };
        _client = new Sdk.ChatClient(model.Model, new ApiKeyCredential(_key ?? NoKey), options);
        _metadata = new ChatClientMetadata("openai", model.Endpoint, model.Model);
    }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        try
        {
            var answer = (await _client.CompleteChatAsync(OpenAiWords.Messages(messages, options), OpenAiWords.Options(options, _model), cancellationToken)).Value;
            return OpenAiWords.Response(answer);
        }
        catch (Exception error) when (Explain(error, cancellationToken) is { } told)
        {
            throw told;
        }
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var calls = new StreamedCalls();
        var (ended, id) = (false, (string?)null);
        var stream = _client.CompleteChatStreamingAsync(OpenAiWords.Messages(messages, options), OpenAiWords.Options(options, _model), cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (stream)
        {
            while (await NextAsync(stream, cancellationToken) is { } part)
            {
                id ??= part.CompletionId;
                var contents = new List<AIContent>();
                var text = string.Concat(part.ContentUpdate.Where(piece => piece.Kind == Sdk.ChatMessageContentPartKind.Text).Select(piece => piece.Text)) + part.RefusalUpdate;
                if (text.Length > 0) contents.Add(new TextContent(text));
                foreach (var piece in part.ToolCallUpdates) calls.Add(piece);
                if (part.Usage is { } usage) contents.Add(new UsageContent(OpenAiWords.Usage(usage)));
                if (part.FinishReason is not null)
                {
                    ended = true;
                    contents.AddRange(calls.Take());
                }
                yield return new ChatResponseUpdate(ChatRole.Assistant, contents)
                {
                    ResponseId = id, MessageId = id, ModelId = part.Model, CreatedAt = part.CreatedAt, FinishReason = OpenAiWords.Finish(part.FinishReason),
                };
            }
        }
        if (!ended) throw new StepException($"{Who} broke off in the middle of its answer.", ErrorClass.Transient);
    }

    async ValueTask<Sdk.StreamingChatCompletionUpdate?> NextAsync(IAsyncEnumerator<Sdk.StreamingChatCompletionUpdate> stream, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.MoveNextAsync() ? stream.Current : null;
        }
        catch (Exception error) when (Explain(error, cancellationToken) is { } told)
        {
            throw told;
        }
    }

    /// <summary>What went wrong, in words that a person can act on; null for what is the caller's own.</summary>
    StepException? Explain(Exception error, CancellationToken cancellationToken)
    {
        if (error is StepException || cancellationToken.IsCancellationRequested) return null;
        if (error is OperationCanceledException or TimeoutException) return new StepException($"{Who} gave no answer within {_model.Timeout.TotalSeconds:0} s. A longer 'timeout' of the model may help.", ErrorClass.Transient);
        if (error is not ClientResultException { Status: > 0 } answered)
            return error is ClientResultException or HttpRequestException or IOException or System.Text.Json.JsonException or InvalidOperationException or FormatException or ArgumentException
                ? new StepException($"{Who} cannot be talked to: {Masked((error.InnerException ?? error).Message)}", ErrorClass.Transient) : null;
        var said = Masked(Said(answered));
        return answered.Status switch
        {
            408 or 409 or 425 or 429 or >= 500 => new StepException($"{Who} answered {answered.Status}: {said}", ErrorClass.Transient),
            401 or 403 => new StepException($"{Who} answered {answered.Status}: {said} {(_model.KeyVariable is { } variable ? $"Is the key in the environment variable {variable} right{(_key is null ? "? It is not set" : "")}?" : "Name its key: key: { env: VARIABLE }.")}"),
            404 => new StepException($"{Who} answered 404: {said} Is the address right (most end with /v1), and is there a model '{_model.Model}'?"),
            _ => new StepException($"{Who} refused the request with {answered.Status}: {said}"),
        };
    }

    string Who => $"The model '{_model.Name}' ({_model.Model} at {_model.Endpoint!.GetLeftPart(UriPartial.Path)})";

    /// <summary>The server's own words, if it has any, short and in one line.</summary>
    static string Said(ClientResultException error)
    {
        const int most = 500;
        var body = error.GetRawResponse()?.Content?.ToString() ?? "";
        var text = new StringBuilder(OpenAiWords.ErrorIn(body) ?? (body.Length > 0 ? body : error.Message));
        for (var i = 0; i < text.Length; i++)
            if (char.IsControl(text[i])) text[i] = ' ';
        return text.Length > most ? text.ToString(0, most) + "…" : text.ToString();
    }

    string Masked(string text) => _key is null ? text : text.Replace(_key, "***", StringComparison.Ordinal);

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        // The SDK shares one pool of connections for the whole process.
    }

    /// <summary>Tool calls that arrive in pieces: the first has the name, each a part of the arguments.</summary>
    sealed class StreamedCalls
    {
        sealed record Call(string Id, StringBuilder Name, MemoryStream Arguments);

        readonly Dictionary<int, Call> _open = [];
        readonly List<Call> _all = [];

        public void Add(Sdk.StreamingChatToolCallUpdate piece)
        {
            // Some servers number nothing and send every call as number 0: a new id is a new call.
            var isNew = !_open.TryGetValue(piece.Index, out var call) || (!string.IsNullOrEmpty(piece.ToolCallId) && piece.ToolCallId != call.Id);
            if (isNew)
            {
                call = _open[piece.Index] = new Call(string.IsNullOrEmpty(piece.ToolCallId) ? $"call_{_all.Count + 1}" : piece.ToolCallId, new StringBuilder(), new MemoryStream());
                _all.Add(call);
            }
            call!.Name.Append(piece.FunctionName);
            if (piece.FunctionArgumentsUpdate is { } part) call.Arguments.Write(part.ToMemory().Span);
        }

        public List<FunctionCallContent> Take()
        {
            List<FunctionCallContent> calls = [.. _all.Select(call => OpenAiWords.Call(call.Id, call.Name.ToString(), Encoding.UTF8.GetString(call.Arguments.ToArray())))];
            _all.Clear();
            _open.Clear();
            return calls;
        }
    }
}
