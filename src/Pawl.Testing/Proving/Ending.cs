using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>When a step ran, in the unbroken run.</summary>
sealed record Lap(string Path, DateTimeOffset From, DateTimeOffset To);

/// <summary>How a history ended: everything that is compared.</summary>
sealed record Ending(RunStatus Status, string? ErrorStep, string? Error, IReadOnlyList<Lap> Laps, IReadOnlyList<Fact> Facts)
{
    // A file's time comes from the kernel's clock tick, up to 10 ms behind.
    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    public static async Task<Ending> ReadAsync(ProofWorld world, CancellationToken cancellationToken)
    {
        var (head, snapshot, history, problems) = await world.LookAsync(async client => await client.FindAsync(world.RunId, cancellationToken) is { } found
            ? (found, await client.SnapshotAsync(world.RunId, null, cancellationToken), await client.HistoryAsync(world.RunId, cancellationToken), await client.VerifyAsync(world.RunId, cancellationToken))
            : (null, null, [], (IReadOnlyList<string>)["the run does not exist"]));
        var last = new Dictionary<string, Checkpoint>();
        foreach (var record in history)
            if (record is { Kind: CheckpointKind.Step, Path: { } path } && !IsBookkeeping(path)) last[path] = record;
        var leaves = last.Where(step => !last.Keys.Any(other => other.Length > step.Key.Length && other.StartsWith(step.Key, StringComparison.Ordinal) && other[step.Key.Length] is '/' or '['));
        List<Lap> laps = [.. leaves.Select(step => new Lap(step.Key, step.Value.At - step.Value.Duration, step.Value.At)).OrderBy(lap => lap.From)];

        var facts = new List<Fact> { new("status of the run", head is null ? "no run" : Word(head.Status), head?.ErrorStep) };
        facts.AddRange(problems.Select(problem => new Fact("journal", problem)));
        foreach (var (path, record) in last)
        {
            facts.Add(new Fact($"status of '{path}'", Word(record.Status!.Value), path));
            if (snapshot!.Outputs.TryGetValue(path, out var output)) AddValues(facts, $"output of '{path}'", output, path);
        }
        foreach (var (key, value) in snapshot?.State ?? new Dictionary<string, RawJson>()) facts.Add(new Fact($"state: {key}", value.ToString()));
        foreach (var seen in (await world.ObserveAsync(cancellationToken)).OrderBy(fact => fact.Name, StringComparer.Ordinal))
            facts.Add(new Fact(seen.Name, seen.Value, seen.ChangedAt is { } at ? Writer(laps, at) : null));
        return new Ending(head?.Status ?? RunStatus.Pending, head?.ErrorStep, head?.Error, laps, [.. facts.Select(fact => fact with { Name = world.Normalize(fact.Name), Value = world.Normalize(fact.Value) })]);

        static string Word<T>(T status) where T : struct, Enum => status.ToString().ToLowerInvariant();
    }

    /// <summary>The steps that may have been under way when a process died that left these records.</summary>
    /// <param name="left">The journal that it left.</param>
    /// <param name="justCommitted">It died right behind the last record: what only that made ready had not begun.</param>
    /// <param name="graph">The workflow's steps; none when they are not known, and the times of the unbroken run must do.</param>
    public IReadOnlyList<string> UnderWay(IReadOnlyList<Checkpoint> left, bool justCommitted, IReadOnlyList<Step> graph)
    {
        if (left.All(record => record.Kind != CheckpointKind.Resumed)) return [];
        List<string> records = [.. left.Where(record => record.Kind == CheckpointKind.Step).Select(record => record.Path!)];
        var done = records.ToHashSet();
        var open = Laps.Where(lap => !done.Contains(lap.Path)).ToList();
        if (graph.Count == 0)
        {
            var latest = Laps.Where(lap => done.Contains(lap.Path)).Select(lap => lap.To).DefaultIfEmpty(DateTimeOffset.MinValue).Max();
            return [.. open.Where(lap => MayHaveBegun(lap, open) && (!justCommitted || lap.From < latest)).Select(lap => lap.Path)];
        }
        var before = justCommitted ? records.SkipLast(1).ToHashSet() : done;
        var ready = graph.Where(step => !done.Contains(step.Id) && step.Needs.Concat(step.After).All(before.Contains)).Select(step => step.Id).ToHashSet();
        return [.. open.Where(lap => ready.Contains(Top(lap.Path)) && MayHaveBegun(lap, open.Where(other => Top(other.Path) == Top(lap.Path)))).Select(lap => lap.Path)];

        // What ended before it began, in the unbroken run, must be done.
        static bool MayHaveBegun(Lap lap, IEnumerable<Lap> open) => open.All(other => other.To > lap.From);

        static string Top(string path) => path.IndexOfAny(['/', '[']) is > 0 and var end ? path[..end] : path;
    }

    static string? Writer(List<Lap> laps, DateTimeOffset at) =>
        (laps.FirstOrDefault(lap => lap.From <= at && at <= lap.To) ?? laps.FirstOrDefault(lap => lap.From - Tick <= at && at <= lap.To + Tick))?.Path;

    /// <summary>Sub-steps that a step keeps for itself, such as the mark that it began.</summary>
    public static bool IsBookkeeping(string path) => path.Contains("/(", StringComparison.Ordinal);

    static void AddValues(List<Fact> facts, string name, RawJson json, string step)
    {
        var value = json.ToElement();
        if (value.ValueKind != JsonValueKind.Object) facts.Add(new Fact(name, value.ToString(), step));
        else foreach (var member in value.EnumerateObject()) facts.Add(new Fact($"{name}: {member.Name}", member.Value.ToString(), step));
    }
}
