using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Pawl.Storage;

namespace Pawl.Agents;

/// <summary>A round of a fleet, as people and scripts know it: computed from the journal, never stored. Its JSON (<see cref="PawlJson.Default"/>) has these eight keys in snake_case.</summary>
public sealed record FleetCheckpoint
{
    /// <summary>The run and the number of the record: <c>RUN@SEQ</c>.</summary>
    public required string CheckpointId { get; init; }

    /// <summary>The run.</summary>
    public required string WorkflowId { get; init; }

    /// <summary>When it was recorded.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>The round; 0 before the first.</summary>
    public required int CurrentRound { get; init; }

    /// <summary>Stalled rounds as they were counted then.</summary>
    public required int StallCount { get; init; }

    /// <summary>What the orchestrator said last: its instruction, or the final answer; empty when it has not.</summary>
    public required string LastResponse { get; init; }

    /// <summary>The surroundings of the round.</summary>
    public required FleetContext Context { get; init; }

    /// <summary>The run's tags, what the caller adds, and <c>status</c>: <c>in_progress</c>, <c>completed</c>, <c>stalled</c>, <c>max_rounds_reached</c> or <c>error</c>.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }
}

/// <summary>The surroundings of a round.</summary>
/// <param name="AvailableAgents">The team.</param>
/// <param name="UserQuery">The request as it was first made.</param>
/// <param name="LastDelegationResult">What the last agent answered; null when none has.</param>
public sealed record FleetContext(IReadOnlyList<string> AvailableAgents, string UserQuery, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? LastDelegationResult);

/// <summary>The rounds of a run's fleets.</summary>
public static partial class FleetView
{
    [GeneratedRegex(@"^(.+)/round/([0-9]+)(/.+)?\z", RegexOptions.NonBacktracking)]
    private static partial Regex Round { get; }

    /// <summary>Reads a run: one checkpoint for each round that ended, one for a round that is under way or was interrupted, and one for an end without an answer; oldest first.</summary>
    /// <param name="client">Where the run is.</param>
    /// <param name="runId">The run.</param>
    /// <param name="metadata">Goes over the run's tags.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <returns>Empty when no fleet has begun in the run.</returns>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public static async Task<IReadOnlyList<FleetCheckpoint>> FleetRoundsAsync(this PawlClient client, string runId, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        var found = new List<FleetCheckpoint>();
        var fleets = new Dictionary<string, Fleet>();
        var calls = new Dictionary<string, Checkpoint>();
        var shared = new Dictionary<string, string>((await client.FindAsync(runId, cancellationToken))?.Tags ?? new Dictionary<string, string>());
        foreach (var (name, value) in metadata ?? new Dictionary<string, string>()) shared[name] = value;
        foreach (var record in await client.HistoryAsync(runId, cancellationToken))
        {
            if (record is not { Kind: CheckpointKind.Step, Path: { } path }) continue;
            if (record.Status == StepStatus.Completed) calls[path] = record;
            if (path.EndsWith("/begin", StringComparison.Ordinal) && await ReadAsync<FleetBeginning>(record) is { Task: not null, Agents: not null } begun)
                fleets[path[..^"/begin".Length]] = new Fleet(begun);
            else if (fleets.TryGetValue(path, out var ended) && record.Status == StepStatus.Failed)
            {
                var status = record.Error!.Type is AgentFleet.Stalled or AgentFleet.MaxRoundsReached ? record.Error.Type : "error";
                found.Add(Make(ended, record, ended.Open is { } open ? open.Number : ended.Round, status));
                ended.Open = null;
            }
            else if (Round.Match(path) is { Success: true } match && fleets.TryGetValue(match.Groups[1].Value, out var fleet))
            {
                var number = int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture);
                if (match.Groups[3].Success) fleet.Open = (number, record);
                else if (record.Status == StepStatus.Completed && await ReadAsync<RoundRecord>(record) is { Asked: not null } round)
                {
                    fleet.Open = null;
                    (fleet.Round, fleet.Stalls) = (number, round.Stalls);
                    var (asked, said) = (await TextAsync($"{path}/{round.Asked}"), round.Said is null ? null : await TextAsync($"{path}/{round.Said}"));
                    if (round.Speaker is not null) fleet.Delegated = said;
                    fleet.Last = round.IsDone ? Final(fleet, said) : Instruction(fleet, asked);
                    found.Add(Make(fleet, record, number, round.IsDone ? "completed" : "in_progress"));
                }
            }
        }
        foreach (var fleet in fleets.Values)
            if (fleet.Open is { } open) found.Add(Make(fleet, open.Last, open.Number, "in_progress"));
        return found;

        FleetCheckpoint Make(Fleet fleet, Checkpoint record, int round, string status) => new()
        {
            CheckpointId = string.Create(CultureInfo.InvariantCulture, $"{runId}@{record.Seq}"), WorkflowId = runId, Timestamp = record.At, CurrentRound = round, StallCount = fleet.Stalls,
            LastResponse = fleet.Last, Context = new FleetContext(fleet.Begun.Agents, fleet.Begun.Task, fleet.Delegated), Metadata = new Dictionary<string, string>(shared) { ["status"] = status },
        };

        async Task<T?> ReadAsync<T>(Checkpoint record) where T : class
        {
            try { return await client.OutputAsync(runId, record, cancellationToken) is { } output ? output.ToElement().Deserialize(AgentsJson.Of<T>()) : null; }
            catch (JsonException)
            {
                // Another step of that name.
                return null;
            }
        }

        async Task<string?> TextAsync(string path) =>
            calls.TryGetValue(path, out var call) && await client.OutputAsync(runId, call, cancellationToken) is { } output ? ChatRecord.Response(output).Text : null;
    }

    static string Instruction(Fleet fleet, string? asked) => asked is null ? ""
        : fleet.IsText ? asked : LedgerReader.Read(asked, null, out _)?.InstructionOrQuestion.Answer ?? asked;

    static string Final(Fleet fleet, string? said) => said is null ? "" : fleet.IsText ? TextReply.Read(said).Answer ?? said : said;

    sealed class Fleet(FleetBeginning begun)
    {
        public FleetBeginning Begun => begun;
        public bool IsText => begun.Protocol == "text";
        public int Round { get; set; }
        public int Stalls { get; set; }
        public string Last { get; set; } = "";
        public string? Delegated { get; set; }

        /// <summary>A round that has records and no end, and its newest one.</summary>
        public (int Number, Checkpoint Last)? Open { get; set; }
    }
}
