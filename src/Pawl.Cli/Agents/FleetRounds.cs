using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Pawl.Agents;

namespace Pawl.Cli.Agents;

/// <summary>The rounds of a run's fleet, as JSON: <c>pawl show RUN --format fleet</c>.</summary>
static class FleetRounds
{
    public static async Task<int> ShowAsync(Cli cli, PawlClient client, string runId, string? which, IReadOnlyDictionary<string, string>? metadata)
    {
        var rounds = await client.FleetRoundsAsync(runId, metadata, cli.Stop);
        if (rounds.Count == 0) throw new UsageException($"No fleet of agents has begun a round in run '{runId}'.");
        // JSON with or without --json, which only takes the white space out of it.
        var json = new FleetJson(new JsonSerializerOptions(PawlJson.Default) { WriteIndented = !cli.IsJson });
        cli.Caller.Out.WriteLine(which is null ? JsonSerializer.Serialize(rounds, json.IReadOnlyListFleetCheckpoint) : JsonSerializer.Serialize(Find(runId, rounds, which), json.FleetCheckpoint));
        return ExitCode.Done;
    }

    static FleetCheckpoint Find(string runId, IReadOnlyList<FleetCheckpoint> rounds, string which) =>
        rounds.LastOrDefault(round => round.CheckpointId == $"{runId}@{which}" || $"round/{round.CurrentRound.ToString(CultureInfo.InvariantCulture)}" == which)
        ?? throw new UsageException($"Run '{runId}' has no round '{which}'. Its rounds are: {string.Join(", ", rounds.Select(round => $"round/{round.CurrentRound} ({round.CheckpointId})"))}.");
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(IReadOnlyList<FleetCheckpoint>))]
sealed partial class FleetJson : JsonSerializerContext;
