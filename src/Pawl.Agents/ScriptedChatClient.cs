using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>One answer of a script, and when it is given. Conditions that are not set always hold.</summary>
public sealed record ScriptedAnswer
{
    /// <summary>Only to this agent; <c>orchestrator</c> is the fleet's own, and <c>facts</c>, <c>plan</c>, <c>ledger</c>, <c>final</c> are what it is asked for. Known where the call is a checkpoint.</summary>
    public string? Agent { get; init; }

    /// <summary>Only in this round of a fleet.</summary>
    public int? Round { get; init; }

    /// <summary>Only when the request's text holds this: its instructions or one of its messages, tool results included. Upper and lower case are the same.</summary>
    public string? Contains { get; init; }

    /// <summary>Only when this many answers of the model or results of tools stand behind the last thing that was said to it; 0 is the first call, and after one tool call and its result it is 2.</summary>
    public int? Turn { get; init; }

    /// <summary>The text of the answer.</summary>
    public string? Text { get; init; }

    /// <summary>A tool that is called.</summary>
    public string? Tool { get; init; }

    /// <summary>Its arguments: a JSON object.</summary>
    public JsonElement? Arguments { get; init; }

    /// <summary>An error instead of an answer; its text.</summary>
    public string? Error { get; init; }

    /// <summary>Null estimates it: a token for four characters.</summary>
    public long? InputTokens { get; init; }

    /// <summary>Null estimates it: a token for four characters.</summary>
    public long? OutputTokens { get; init; }

    internal bool HasCondition => Agent is not null || Round is not null || Contains is not null || Turn is not null;
}

/// <summary>A model that answers from a script, for tests and demonstrations that need no network. Thread safe.</summary>
/// <remarks>Answers with conditions come first, the first that fits; they depend on the request alone, so a resumed run gets the same. Answers without any are
/// given in order, once each, by this object.</remarks>
public sealed class ScriptedChatClient : IChatClient
{
    internal const string StepProperty = "pawl.step";
    static readonly AgentsJson s_json = new(new JsonSerializerOptions(PawlJson.Default) { UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow });

    readonly ScriptedAnswer[] _rules;
    readonly ScriptedAnswer[] _list;
    readonly string _model;
    int _next;
    int _calls;

    /// <summary>Makes a model of answers.</summary>
    public ScriptedChatClient(IEnumerable<ScriptedAnswer> answers, string model = "scripted")
    {
        var all = answers.ToList();
        (_rules, _list, _model) = ([.. all.Where(answer => answer.HasCondition)], [.. all.Where(answer => !answer.HasCondition)], model);
    }

    /// <summary>Makes a model that gives these texts in order.</summary>
    public static ScriptedChatClient Saying(params string[] texts) => new(texts.Select(text => new ScriptedAnswer { Text = text }));

    /// <summary>Reads a script: <c>{ "model": "m", "answers": [ { "agent": "coder", "contains": "tests", "text": "…" }, … ] }</c>, or the list alone. Keys are those of
    /// <see cref="ScriptedAnswer"/> in snake_case.</summary>
    /// <exception cref="JsonException">It is not a script; an unknown key is an error.</exception>
    public static ScriptedChatClient FromJson(string json)
    {
        using var document = JsonDocument.Parse(json);
        var (root, model) = (document.RootElement, "scripted");
        if (root.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in root.EnumerateObject())
                if (member.Name is not ("model" or "answers")) throw new JsonException($"A script has 'model' and 'answers'; '{member.Name}' is unknown.");
            if (root.TryGetProperty("model", out var name)) model = name.GetString() ?? model;
            if (!root.TryGetProperty("answers", out root)) throw new JsonException("The script has no 'answers'.");
        }
        return new ScriptedChatClient(root.Deserialize(s_json.ScriptedAnswerArray) ?? [], model);
    }

    /// <summary>How many calls it was asked, by this object.</summary>
    public int Calls => Volatile.Read(ref _calls);

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Interlocked.Increment(ref _calls);
        var said = messages.ToList();
        var asked = string.Join('\n', said.Select(Text).Prepend(options?.Instructions ?? ""));
        var answer = Choose(said, asked, Place(options));
        if (answer.Error is { } error) throw new IOException(error);
        var contents = new List<AIContent>();
        if (answer.Text is { } text) contents.Add(new TextContent(text));
        if (answer.Tool is { } tool)
        {
            var arguments = answer.Arguments is { ValueKind: JsonValueKind.Object } given ? given.EnumerateObject().ToDictionary(one => one.Name, one => (object?)one.Value.Clone()) : [];
            // Of what was asked alone: another process gives the same call the same id.
            contents.Add(new FunctionCallContent($"call_{said.Count}_{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(asked)).AsSpan(0, 4))}", tool, arguments));
        }
        var (input, output) = (answer.InputTokens ?? (asked.Length + 3) / 4, answer.OutputTokens ?? ((answer.Text?.Length ?? 0) + (answer.Arguments?.ToString().Length ?? 0) + 3) / 4);
        return Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, contents))
        {
            ModelId = options?.ModelId ?? _model, FinishReason = answer.Tool is null ? ChatFinishReason.Stop : ChatFinishReason.ToolCalls,
            Usage = new UsageDetails { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = input + output },
        });
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var response = await GetResponseAsync(messages, options, cancellationToken);
        foreach (var update in response.ToChatResponseUpdates())
        {
            // Word by word, as models do.
            if (update.Contents is [TextContent { Text: var text }, ..] && text.Contains(' ', StringComparison.Ordinal))
            {
                for (var (at, end) = (0, 0); at < text.Length; at = end)
                {
                    end = text.IndexOf(' ', at) is >= 0 and var space ? space + 1 : text.Length;
                    var part = update.Clone();
                    part.Contents = [new TextContent(text[at..end])];
                    part.FinishReason = null;
                    yield return part;
                }
                var rest = update.Clone();
                rest.Contents = [.. update.Contents.Skip(1)];
                yield return rest;
            }
            else yield return update;
        }
    }

    ScriptedAnswer Choose(List<ChatMessage> said, string asked, (string? Agent, int? Round) place)
    {
        var turn = said.Count - 1 - said.FindLastIndex(message => message.Role == ChatRole.User);
        foreach (var rule in _rules)
        {
            if (rule.Agent is { } agent && agent != place.Agent && !(agent == "orchestrator" && place.Agent is "facts" or "plan" or "ledger" or "final")) continue;
            if (rule.Round is { } round && round != place.Round) continue;
            if (rule.Turn is { } when && when != turn) continue;
            if (rule.Contains is { } part && !asked.Contains(part, StringComparison.OrdinalIgnoreCase)) continue;
            return rule;
        }
        var next = Interlocked.Increment(ref _next) - 1;
        if (next < _list.Length) return _list[next];
        var tail = said.Count == 0 ? "" : Text(said[^1]);
        throw new InvalidOperationException($"The script has no answer for {(place.Agent is null ? "this call" : $"agent '{place.Agent}'{(place.Round is { } n ? $" in round {n}" : "")}")}, turn {turn}: "
            + $"no condition fits, and its list of {_list.Length} answers is used up. The last message was: {(tail.Length > 200 ? tail[..200] + "…" : tail)}");
    }

    /// <summary>The agent and the round, from the step's path.</summary>
    static (string? Agent, int? Round) Place(ChatOptions? options)
    {
        if (options?.AdditionalProperties?.TryGetValue(StepProperty, out var step) != true || step is not string path) return default;
        var parts = path.Split('/');
        var (chat, round) = (Array.LastIndexOf(parts, "chat"), Array.LastIndexOf(parts, "round"));
        var agent = chat > 0 ? parts[chat - 1] : null;
        // A second run of an agent in the same step is numbered.
        if (chat > 1 && int.TryParse(agent, out _) && chat - 1 != round + 1) agent = parts[chat - 2];
        return (agent, round >= 0 && round + 1 < parts.Length && int.TryParse(parts[round + 1], out var number) ? number : null);
    }

    static string Text(ChatMessage message) => string.Concat(message.Contents.Select(content => content switch
    {
        TextContent text => text.Text,
        FunctionResultContent result => result.Result?.ToString() ?? "",
        _ => "",
    }));

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? new ChatClientMetadata("scripted", null, _model) : serviceType.IsInstanceOfType(this) ? this : null;

    /// <summary>Nothing is held.</summary>
    public void Dispose() { }
}
