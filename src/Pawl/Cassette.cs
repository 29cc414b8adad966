using System.Text.Json;
using Pawl.Storage;

namespace Pawl;

/// <summary>The recorded results of a run, to be played instead of its steps: for tests and demonstrations that cost nothing. Immutable; thread safe.</summary>
/// <remarks>Played are steps and sub-steps that have no steps below them, found again by their paths; groups, fan-outs and choices run, and find their parts.
/// A played step records the result anew, with the reason that names where it comes from; what the result once took is no cost of this run: the ledger
/// has it as saved. Waits are played too.</remarks>
public sealed class Cassette
{
    readonly PawlClient _client;
    readonly string _runId;
    readonly Dictionary<string, Checkpoint> _results;
    readonly HashSet<string> _known;
    readonly Func<string, bool> _plays;
    readonly bool _strict;

    Cassette(PawlClient client, string runId, Dictionary<string, Checkpoint> results, HashSet<string> known, Func<string, bool> plays, bool strict) =>
        (_client, _runId, _results, _known, _plays, _strict) = (client, runId, results, known, plays, strict);

    /// <summary>Reads a run. Its store must stay open while the cassette is played.</summary>
    /// <param name="client">Where the recorded run is.</param>
    /// <param name="runId">The recorded run, finished or not.</param>
    /// <param name="kinds">Only below top-level steps of these kinds (<c>shell</c>, <c>agent</c>, …) or with these ids; null is all.</param>
    /// <param name="strict">A step that should be played and was not recorded as completed fails; otherwise it runs.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <exception cref="RunNotFoundException">No such run.</exception>
    public static async Task<Cassette> OfAsync(PawlClient client, string runId, IReadOnlyCollection<string>? kinds = null, bool strict = false, CancellationToken cancellationToken = default)
    {
        var (results, known, kindOf) = (new Dictionary<string, Checkpoint>(), new HashSet<string>(), new Dictionary<string, string>());
        foreach (var record in await client.HistoryAsync(runId, cancellationToken))
        {
            if (record.Kind is CheckpointKind.Created or CheckpointKind.Resumed && !record.Data.IsEmpty) ReadKinds(record, kindOf);
            if (record is not { Kind: CheckpointKind.Step, Path: { } path } || UnknownOutcome.IsMark(path)) continue;
            for (var cut = path.LastIndexOfAny(['/', '[']); cut > 0; cut = path.LastIndexOfAny(['/', '['], cut - 1)) known.Add(path[..cut]);
            if (record.Status is StepStatus.Completed or StepStatus.Skipped && record.Cause != SkipCause.Blocked) results[path] = record;
        }
        foreach (var compound in known) results.Remove(compound);
        return new Cassette(client, runId, results, known, Plays, strict);

        bool Plays(string path)
        {
            var top = path.AsSpan().IndexOfAny('/', '[') is > 0 and var cut ? path[..cut] : path;
            return kinds is null || kinds.Contains(top) || (kindOf.TryGetValue(top, out var kind) && kinds.Contains(kind));
        }
    }

    static void ReadKinds(Checkpoint record, Dictionary<string, string> kindOf)
    {
        using var data = JsonDocument.Parse(record.Data);
        if (!data.RootElement.TryGetProperty("steps", out var steps)) return;
        foreach (var step in steps.EnumerateArray()) kindOf[step.GetProperty("id").GetString()!] = step.GetProperty("kind").GetString()!;
    }

    /// <summary>What to do instead of the step's body; null runs the body.</summary>
    internal Func<StepContext, Task<StepResult>>? Find(string path)
    {
        if (_known.Contains(path) || !_plays(path)) return null;
        if (_results.TryGetValue(path, out var record)) return context => PlayAsync(context, record);
        return _strict ? _ => Task.FromResult(StepResult.Fail($"Step '{path}' has no result in run '{_runId}', which is played strictly.", ErrorClass.Critical, "not_recorded")) : null;
    }

    async Task<StepResult> PlayAsync(StepContext context, Checkpoint record)
    {
        if (!record.State.IsEmpty)
        {
            using var changes = JsonDocument.Parse(record.State);
            foreach (var change in changes.RootElement.EnumerateObject())
            {
                if (change.Value.ValueKind == JsonValueKind.Null) context.State.Remove(change.Name);
                else context.State.Set(change.Name, RawJson.Parse(change.Value.GetRawText()));
            }
        }
        var reason = $"played from {_runId}@{record.Seq}";
        var output = await _client.OutputAsync(_runId, record, context.CancellationToken);
        return record.Status == StepStatus.Skipped
            ? StepResult.Skip($"{record.Reason} ({reason})", output, unchanged: record.Cause == SkipCause.Unchanged)
            : StepResult.Ok(output) with
            {
                Reason = reason,
                Info = new RawJson(Engine.PassRecords.Write(w =>
                {
                    w.WriteString("played_from", $"{_runId}@{record.Seq}");
                    w.WritePropertyName("saved");
                    Cost.Of(record).Write(w);
                })),
            };
    }
}
