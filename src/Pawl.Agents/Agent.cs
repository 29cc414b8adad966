using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>A model with a role: instructions, tools, and a bound on how often it may turn. Immutable; one serves any number of runs.</summary>
/// <param name="Name">Letters, digits and <c>. _ -</c>, at most 128: the sub-steps of its calls begin with it.</param>
/// <param name="Client">The model. It must not invoke functions itself: this agent does, so that each result is a checkpoint.</param>
public sealed record Agent(string Name, IChatClient Client)
{
    /// <summary>Its name.</summary>
    public string Name { get; init; } = RunIds.IsValidStepId(Name) ? Name : throw new ArgumentException($"'{Name}' is no agent's name: use letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit.", nameof(Name));

    /// <summary>What it is good at, for whoever chooses among agents.</summary>
    public string? Description { get; init; }

    /// <summary>The system prompt.</summary>
    public string? Instructions { get; init; }

    /// <summary>What it may call. <see cref="CheckpointedTools.WithCheckpoints"/> says more about one. A tool that is declared only ends the run of the agent: the caller answers.</summary>
    public IReadOnlyList<AITool> Tools { get; init; } = [];

    /// <summary>Temperature, model and so on; instructions and tools given here are replaced by the agent's own when it has any.</summary>
    public ChatOptions? Options { get; init; }

    /// <summary>How often the model is asked in one run of the agent; the last time it must answer without tools. Default 16, at least 1.</summary>
    public int MaxTurns { get; init; } = 16;

    /// <summary>How failed calls of the model are repeated. Default: not at all.</summary>
    public RetryPolicy Retry { get; init; } = RetryPolicy.None;

    /// <summary>Longest time of one call of the model; null is no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Answers a prompt within a step.</summary>
    /// <inheritdoc cref="RunAsync(StepContext, IEnumerable{ChatMessage}, string?, Action{ChatResponseUpdate}?)"/>
    public Task<ChatResponse> RunAsync(StepContext context, string prompt, string? name = null, Action<ChatResponseUpdate>? onUpdate = null) =>
        RunAsync(context, [new ChatMessage(ChatRole.User, prompt)], name, onUpdate);

    /// <summary>Answers messages within a step: asks the model, invokes the tools it calls, and asks again until it calls none.</summary>
    /// <param name="context">The step. Each call of the model is a sub-step <c>NAME/chat/N</c>, each tool result one <c>NAME/tool/TOOL/HASH-OF-ARGUMENTS</c>: run again, the step pays for none of them twice.</param>
    /// <param name="messages">What was said so far.</param>
    /// <param name="name">How its sub-steps begin, when the same agent runs several times side by side in one step. Default: its name; one after the other they are numbered.</param>
    /// <param name="onUpdate">Gets the answers as they are streamed; recorded ones too. Null does not stream.</param>
    /// <returns>The last answer's text, all messages that came of it (tool calls and results too), and the usage of all calls together, recorded ones included.</returns>
    /// <exception cref="StepFailedException">The model, or an approval, failed for good. A tool's failure is told to the model instead.</exception>
    /// <exception cref="StepException">It went on calling tools when it had to answer.</exception>
    public async Task<ChatResponse> RunAsync(StepContext context, IEnumerable<ChatMessage> messages, string? name = null, Action<ChatResponseUpdate>? onUpdate = null) =>
        (await AnswerAsync(context, messages, name, onUpdate)).Response;

    /// <returns>Also the sub-step of the last answer, relative to the step.</returns>
    internal async Task<(ChatResponse Response, string At)> AnswerAsync(StepContext context, IEnumerable<ChatMessage> messages, string? name, Action<ChatResponseUpdate>? onUpdate)
    {
        var prefix = name ?? CallBook.NextRun(context, Name);
        var client = Client.WithCheckpoints(context, new CheckpointedChatOptions { Name = $"{prefix}/chat", Retry = Retry, Timeout = Timeout });
        var tools = new ToolRunner(this, context, prefix);
        var options = Options?.Clone() ?? new ChatOptions();
        if (Instructions is not null) options.Instructions = Instructions;
        if (Tools.Count > 0) options.Tools = [.. Tools];
        using var span = GenAi.Agent(Name, Description);

        List<ChatMessage> history = [.. messages];
        var began = history.Count;
        var usage = new UsageDetails();
        for (var turn = 1; ; turn++)
        {
            if (turn == MaxTurns && Tools.Count > 0) options.ToolMode = ChatToolMode.None;
            var response = onUpdate is null ? await client.GetResponseAsync(history, options, context.CancellationToken) : await StreamAsync(client, history, options, onUpdate, context.CancellationToken);
            history.AddMessages(response);
            if (response.Usage is { } used) usage.Add(used);
            var calls = response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>().Where(call => !call.InformationalOnly).ToList();
            if (calls.Count == 0 || calls.Exists(tools.IsForCaller))
            {
                response.Usage = usage;
                response.Messages = history[began..];
                return (response, client.Last.Name);
            }
            if (turn >= MaxTurns)
                throw new StepException($"Agent '{Name}' called '{calls[0].Name}' in turn {turn} of {MaxTurns}, where it had to answer. Raise MaxTurns; a resume then goes on from here.");
            var results = new List<AIContent>();
            // One after the other, in the model's order: an approval may depend on what was done before.
            foreach (var call in calls) results.Add(new FunctionResultContent(call.CallId, await tools.RunAsync(call)));
            history.Add(new ChatMessage(ChatRole.Tool, results));
        }
    }

    static async Task<ChatResponse> StreamAsync(CheckpointingChatClient client, List<ChatMessage> history, ChatOptions options, Action<ChatResponseUpdate> onUpdate, CancellationToken cancellationToken)
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync(history, options, cancellationToken))
        {
            updates.Add(update);
            onUpdate(update);
        }
        return updates.ToChatResponse();
    }
}
