using System.Text.Json;
using Pawl.Planning;
using Pawl.Scheduling;
using Pawl.Storage;

namespace Pawl;

/// <summary>Something that somebody did to a run, as its journal and its messages have it.</summary>
/// <param name="At">When.</param>
/// <param name="By">Who: the name that was given, else the user of the process; null when neither is recorded.</param>
/// <param name="What">In one word: <c>started</c>, <c>enqueued</c>, <c>forked</c>, <c>resumed</c>, <c>requeued</c>, <c>paused</c>, <c>canceled</c>, <c>asked_to_pause</c>, <c>asked_to_cancel</c>, <c>approved</c>,
/// <c>rejected</c>, <c>signaled</c>.</param>
/// <param name="Detail">To what: the step, the signal, what was changed; null when there is nothing more to say.</param>
/// <param name="Reason">Why, as it was given; null when it was not.</param>
/// <param name="Seq">The checkpoint that records it; null when a message does.</param>
public sealed record RunAct(DateTimeOffset At, string? By, string What, string? Detail = null, string? Reason = null, long? Seq = null)
{
    /// <summary>(journal, messages) → what somebody did, oldest first. What the engine did by itself is none: passes of workers, occurrences of schedules, child runs.</summary>
    internal static List<RunAct> Of(IReadOnlyList<Checkpoint> records, IReadOnlyList<RunMessage> messages, JsonSerializerOptions json)
    {
        var acts = new List<RunAct>();
        // A fork begins with what happened to its parent, and perhaps to that one's.
        var fork = records.LastOrDefault(record => record is { Kind: CheckpointKind.Resumed, Reason: ForkPlanner.Forked });
        foreach (var record in records)
        {
            if (record.Kind == CheckpointKind.Created)
            {
                using var created = JsonDocument.Parse(record.Data);
                if (Created(record, created.RootElement, fork, records) is { } made) acts.Add(made);
            }
            else if (record.Seq > (fork?.Seq ?? 0) && !record.Data.IsEmpty && record.Kind is CheckpointKind.Resumed or CheckpointKind.Paused or CheckpointKind.Canceled)
            {
                using var data = JsonDocument.Parse(record.Data);
                if (Text(data.RootElement, "by") is not { } by) continue;
                acts.Add(record.Kind switch
                {
                    CheckpointKind.Paused => new RunAct(record.At, by, "paused", Seq: record.Seq),
                    CheckpointKind.Canceled => new RunAct(record.At, by, "canceled", Seq: record.Seq),
                    _ when record.Reason == Occurrence.PutBack => new RunAct(record.At, by, "requeued", Seq: record.Seq),
                    _ => new RunAct(record.At, by, "resumed", Changes(data.RootElement, record), Seq: record.Seq),
                });
            }
        }
        foreach (var message in messages)
            if (Sent(message, records, acts, json) is { } act) acts.Add(act);
        // A message goes before the record that it may have caused, and nothing before the run.
        return [.. acts.OrderBy(act => act.At).ThenBy(act => act.Seq == 1 ? -1 : act.Seq ?? 0)];
    }

    static RunAct? Created(Checkpoint record, JsonElement data, Checkpoint? fork, IReadOnlyList<Checkpoint> records)
    {
        var by = Text(data, "by");
        if (data.TryGetProperty("forked_from", out var parent))
        {
            var changed = new List<string>();
            if (fork is not null)
            {
                using var changes = JsonDocument.Parse(fork.Data);
                if (Names(changes.RootElement, "params") is { } names) changed.Add($"params {names}");
                if (!fork.State.IsEmpty) changed.Add("state");
                var outputs = records.Where(one => one.Seq > fork.Seq && one.Reason == ForkPlanner.SetByFork).Select(one => one.Path!).ToList();
                if (outputs.Count > 0) changed.Add($"outputs of {string.Join(", ", outputs)}");
            }
            return new RunAct(record.At, by, "forked", $"from {parent.GetProperty("run_id").GetString()}@{parent.GetProperty("seq").GetInt64()}{(changed.Count > 0 ? $", with other {string.Join(", ", changed)}" : "")}", Seq: record.Seq);
        }
        // Their parent, or the calendar, started these.
        if (by is null && (data.TryGetProperty("parent", out _) || data.TryGetProperty("schedule", out _) || (data.TryGetProperty("tags", out var tags) && tags.TryGetProperty(Occurrence.Tag, out _)))) return null;
        by ??= data.TryGetProperty("host", out var host) ? $"{Text(host, "user")}@{Text(host, "hostname")}" : null;
        var given = Names(data, "params") is { } list ? $"with {list}" : null;
        return Text(data, "queue") is { } queue ? new RunAct(record.At, by, "enqueued", $"in {queue}{(given is null ? "" : $", {given}")}", Seq: record.Seq) : new RunAct(record.At, by, "started", given, Seq: record.Seq);
    }

    static string? Changes(JsonElement data, Checkpoint record)
    {
        var changes = new List<string>();
        if (Names(data, "params") is { } names) changes.Add($"other params {names}");
        if (data.TryGetProperty("rerun", out var rerun)) changes.Add($"again {string.Join(", ", rerun.EnumerateArray().Select(step => step.GetString()))}");
        if (data.TryGetProperty("jumped", out var jumped)) changes.Add($"without {string.Join(", ", jumped.EnumerateArray().Select(step => step.GetString()))}");
        if (data.TryGetProperty("definition", out _)) changes.Add("a changed definition");
        if (data.TryGetProperty("forced", out _)) changes.Add("forced");
        return changes.Count == 0 ? null : string.Join("; ", changes);
    }

    static RunAct? Sent(RunMessage message, IReadOnlyList<Checkpoint> records, List<RunAct> acts, JsonSerializerOptions json)
    {
        if (!message.Name.StartsWith("pawl:", StringComparison.Ordinal)) return new RunAct(message.At, message.By, "signaled", message.Name);
        var kind = message.Name.Split(':')[1];
        if (kind is "cancel" or "pause")
        {
            // Whoever was heard is in the journal.
            var heard = kind == "cancel" ? "canceled" : "paused";
            return acts.Exists(act => act.What == heard && act.By == message.By && act.At >= message.At) ? null : new RunAct(message.At, message.By, $"asked_to_{kind}");
        }
        if (kind != "approval") return null;
        var decision = Approval.From(message, json);
        // Each time that it was asked anew has a name of its own.
        var step = records.SelectMany(Asked).GroupBy(path => path).FirstOrDefault(asked => Enumerable.Range(0, asked.Count() + 1).Any(earlier => Approval.SignalFor(asked.Key, earlier) == message.Name))?.Key;
        return new RunAct(message.At, message.By, decision.IsApproved ? "approved" : "rejected", decision.Changes is null ? step : $"{step}, with changes", decision.Reason);
    }

    static IEnumerable<string> Asked(Checkpoint record)
    {
        if (record.Path is { } path) yield return path;
        if (record.Kind != CheckpointKind.Waiting) yield break;
        using var data = JsonDocument.Parse(record.Data);
        foreach (var wait in data.RootElement.GetProperty("waits").EnumerateArray()) yield return wait.GetProperty("path").GetString()!;
    }

    static string? Names(JsonElement data, string member) => data.TryGetProperty(member, out var values) && values.EnumerateObject().Any() ? string.Join(", ", values.EnumerateObject().Select(value => value.Name)) : null;

    static string? Text(JsonElement data, string name) => data.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;
}
