using System.Globalization;
using System.Text.Json;
using Pawl.Agents;

namespace Pawl.Cli.Agents;

/// <summary>The rounds of a run's fleet, as JSON: <c>pawl show RUN --format fleet</c>.</summary>
static class FleetRounds
{
    static readonly JsonSerializerOptions s_indented = new(PawlJson.Default) { WriteIndented = true };

    public static async Task<int> ShowAsync(Cli cli, PawlClient client, string runId, string? which, IReadOnlyDictionary<string, string>? metadata)
    {
        var rounds = await client.FleetRoundsAsync(runId, metadata, cli.Stop);
        if (rounds.Count == 0) throw new UsageException($"No fleet of agents has begun a round in run '{runId}'.");
        // JSON with or without --json, which only takes the white space out of it.
        var options = cli.IsJson ? PawlJson.Default : s_indented;
        cli.Caller.Out.WriteLine(which is null ? JsonSerializer.Serialize(rounds, options) : JsonSerializer.Serialize(Find(runId, rounds, which), options));
        return ExitCode.Done;
    }

    static FleetCheckpoint Find(string runId, IReadOnlyList<FleetCheckpoint> rounds, string which) =>
        rounds.LastOrDefault(round => round.CheckpointId == $"{runId}@{which}" || $"round/{round.CurrentRound.ToString(CultureInfo.InvariantCulture)}" == which)
        ?? throw new UsageException($"Run '{runId}' has no round '{which}'. Its rounds are: {string.Join(", ", rounds.Select(round => $"round/{round.CurrentRound} ({round.CheckpointId})"))}.");
}
