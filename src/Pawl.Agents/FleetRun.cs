using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Pawl.Agents;

/// <summary>One attempt at a fleet's step: from the journal's rounds to the next one, until there is an answer or a limit.</summary>
sealed class FleetRun(AgentFleet fleet, StepContext context, FleetOptions options)
{
    readonly List<string> _requests = [];
    int _round;
    int _plan;
    int _stalls;

    public AgentFleet Fleet => fleet;
    public FleetOptions Options => options;
    public Transcript Transcript { get; } = new();
    public int Plan => _plan;
    public int Stalls => _stalls;

    /// <summary>The task, and what persons added, in order.</summary>
    public string Request => _requests.Count == 1 ? _requests[0] : $"{_requests[0]}\n\nLater this was added, in this order:\n\n{string.Join("\n\n", _requests.Skip(1))}";

    /// <summary>What stands before everything that was said under the present plan.</summary>
    public string Header { get; private set; } = "";

    public async Task<StepResult> RunAsync(FleetTask task)
    {
        var begun = await KeepAsync("begin", _ => Task.FromResult(new FleetBeginning(task.Text, [.. fleet.Agents.Select(agent => agent.Name)], Word(options.Protocol))));
        if (begun.Protocol != Word(options.Protocol))
            return StepResult.Fail($"This run began with the protocol '{begun.Protocol}', and the fleet now has '{Word(options.Protocol)}'. Put it back, or start a new run.", type: "protocol_changed");
        _requests.Add(begun.Task);
        var messages = await MessagesAsync(begun.Task, task);
        await PlanAsync(1);
        while (true)
        {
            foreach (var message in messages.Where(message => message.After == _round))
            {
                _requests.Add(message.Text);
                Transcript.AddMessage(message.Text);
                _stalls = 0;
            }
            var next = _round + 1;
            var recorded = Read<RoundRecord>($"round/{next}");
            if (recorded is null && Ends((messages.Count > 0 ? messages[^1].After : 0) + options.MaxRounds) is { } end) return end;
            if (recorded?.Plan > _plan || (recorded is null && _stalls >= options.MaxStalls)) await PlanAsync(_plan + 1);
            var record = await KeepAsync($"round/{next}", step => RoundAsync(step, next));
            Apply(record);
            // A message behind the answer asks for more: the answer is a part of what was said.
            if (record.IsDone && !messages.Exists(message => message.After >= next)) return StepResult.Ok(new FleetAnswer(Final(TextOf($"round/{next}/{record.Said}")), next, _plan - 1));
        }
    }

    /// <summary>A limit that is reached. It is asked before a new round only: a round that began is brought to its end.</summary>
    StepResult? Ends(int lastRound)
    {
        if (_round >= lastRound)
            return StepResult.Fail($"There is no answer after {_round} rounds, and {AgentFleet.MaxRoundsParam} is {options.MaxRounds}. {GoOn($"{AgentFleet.MaxRoundsParam}={options.MaxRounds * 2}")}", type: AgentFleet.MaxRoundsReached);
        if (_stalls >= options.MaxStalls && _plan > options.MaxResets)
            return StepResult.Fail($"There was no progress in {_stalls} rounds, and the plan was made anew {_plan - 1} times; {AgentFleet.MaxResetsParam} is {options.MaxResets}. {GoOn($"{AgentFleet.MaxResetsParam}={options.MaxResets + 2}")}", type: AgentFleet.Stalled);
        return null;
    }

    string GoOn(string param) => $"To go on behind round {_round}: 'pawl resume {context.RunId} --param {param}', or resume it with a message.";

    async Task<RoundRecord> RoundAsync(StepContext step, int round)
    {
        Tell(new FleetEvent.RoundBegan(round));
        return options.Protocol == FleetProtocol.Ledger ? await new LedgerRound(this, step, round).RunAsync() : await new TextRound(this, step, round).RunAsync();
    }

    void Apply(RoundRecord record)
    {
        (_round, _stalls) = (record.Round, record.Stalls);
        if (record is { IsDone: false, Speaker: { } speaker, Said: { } said })
        {
            var asked = TextOf($"round/{record.Round}/{record.Asked}");
            var work = options.Protocol == FleetProtocol.Ledger ? LedgerReader.Read(asked, null, out _)?.InstructionOrQuestion.Answer : TextReply.Read(asked).Work;
            Transcript.AddRound(speaker, work ?? "", TextOf($"round/{record.Round}/{said}"));
        }
        else if (record is { IsDone: true, Said: { } answer }) Transcript.AddAnswer(Final(TextOf($"round/{record.Round}/{answer}")));
        Tell(new FleetEvent.RoundEnded(record.Round, record.Speaker, record.Stalls));
    }

    /// <summary>Makes a plan, or takes the recorded one; what was said under the one before is put aside.</summary>
    async Task PlanAsync(int plan)
    {
        if (options.Protocol == FleetProtocol.Text) Header = plan == 1 ? Request : $"{Request}\n\n{Prompts.Again(Prompts.Team(fleet.Agents))}";
        else
        {
            var record = await KeepAsync($"plan/{plan}", step => new Planning(this, step, plan).RunAsync());
            var facts = TextOf($"plan/{plan}/{record.Facts}");
            var text = record.Edited ?? TextOf($"plan/{plan}/{record.Plan}");
            Header = Prompts.Ledger(Request, Prompts.Team(fleet.Agents), facts, text);
            Facts = facts;
            Tell(new FleetEvent.PlanMade(plan, facts, text));
        }
        Transcript.Clear();
        (_plan, _stalls) = (plan, 0);
    }

    /// <summary>The facts of the present plan.</summary>
    public string Facts { get; private set; } = "";

    /// <summary>What persons said at resumes, each recorded with its place when it is first seen: it stays there, whatever a later resume says.</summary>
    async Task<List<FleetMessage>> MessagesAsync(string task, FleetTask given)
    {
        var messages = new List<FleetMessage>();
        while (Read<FleetMessage>($"message/{messages.Count + 1}") is { } known) messages.Add(known);
        foreach (var (text, id) in new[] { (given.Text, null), (given.Message, given.MessageId) })
        {
            if (string.IsNullOrWhiteSpace(text) || (text == task && id is null) || messages.Exists(known => known.Text == text && known.Id == id)) continue;
            var message = new FleetMessage(text, id, NextPlace());
            messages.Add(await KeepAsync($"message/{messages.Count + 1}", _ => Task.FromResult(message)));
        }
        return messages;
    }

    /// <summary>Behind the last round of which anything is recorded: a round that was interrupted is repeated from its recorded sub-steps, and must ask the same.</summary>
    int NextPlace()
    {
        var below = $"{context.Path}/round/";
        return context.SubSteps.Where(path => path.StartsWith(below, StringComparison.Ordinal))
            .Select(path => int.TryParse(path.AsSpan(below.Length).ToString().Split('/')[0], out var round) ? round : 0).DefaultIfEmpty(0).Max();
    }

    /// <summary>A sub-step of the fleet's own: its record looks the same whatever options for JSON an application has, for others read it too.</summary>
    async Task<T> KeepAsync<T>(string name, Func<StepContext, Task<T>> body) =>
        (await context.StepAsync(name, async step => new RawJson(JsonSerializer.SerializeToUtf8Bytes(await body(step), AgentsJson.Of<T>())))).ToElement().Deserialize(AgentsJson.Of<T>())!;

    T? Read<T>(string name) where T : class => context.TryOutput($"{context.Path}/{name}") is { } output ? output.ToElement().Deserialize(AgentsJson.Of<T>()) : null;

    string TextOf(string name) => ChatRecord.Response(context.TryOutput($"{context.Path}/{name}")
        ?? throw new OutputMissingException($"'{context.Path}/{name}' has no recorded answer, and a finished round refers to it.")).Text;

    string Final(string said) => options.Protocol == FleetProtocol.Ledger ? said : TextReply.Read(said).Answer ?? said;

    /// <summary>Asks the orchestrator. The sub-steps are <c>WHAT/chat/N</c>.</summary>
    public async Task<(string Text, string At, bool IsReplayed)> AskAsync(StepContext step, string what, List<ChatMessage> messages, string? instructions = null, Action<ChatResponseUpdate>? onUpdate = null)
    {
        var client = fleet.Orchestrator.Client.WithCheckpoints(step, new CheckpointedChatOptions { Name = $"{what}/chat", Retry = options.Retry });
        var asked = fleet.Orchestrator.Options?.Clone() ?? new ChatOptions();
        asked.Instructions = string.Join("\n\n", new[] { fleet.Orchestrator.Instructions ?? asked.Instructions, instructions }.OfType<string>()) is { Length: > 0 } text ? text : null;
        if (onUpdate is null) return ((await client.GetResponseAsync(messages, asked, step.CancellationToken)).Text, client.Last.Name, client.Last.IsReplayed);
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync(messages, asked, step.CancellationToken))
        {
            updates.Add(update);
            onUpdate(update);
        }
        return (updates.ToChatResponse().Text, client.Last.Name, client.Last.IsReplayed);
    }

    /// <summary>Gives work to an agent.</summary>
    public async Task<RoundRecord> DelegateAsync(StepContext step, int round, string speaker, string work, string asked, int stalls)
    {
        var agent = fleet.Agents.First(agent => agent.Name == speaker);
        Tell(new FleetEvent.Delegated(round, speaker, work));
        var (response, at) = await agent.AnswerAsync(step, Transcript.For(speaker, Header, $"{Transcript.Orchestrator}: {work}"), speaker, Listener(round, speaker));
        // The answer before once more is no progress, whatever the orchestrator thinks.
        var isSame = response.Text == Transcript.LastAnswer;
        return new RoundRecord(round, _plan, isSame ? _stalls + 1 : stalls, IsDone: false, speaker, asked, at);
    }

    public Action<ChatResponseUpdate>? Listener(int round, string agent) => options is { Streams: true, OnEvent: not null } ? update => Tell(new FleetEvent.Said(round, agent, update)) : null;

    public void Tell(FleetEvent happened)
    {
        // Whoever only watches cannot make a round fail.
        try { options.OnEvent?.Invoke(happened); }
        catch (Exception error) { context.Warn($"OnEvent of fleet '{fleet.Name}' failed: {error.Message}"); }
    }

    static string Word(FleetProtocol protocol) => protocol == FleetProtocol.Ledger ? "ledger" : "text";
}
