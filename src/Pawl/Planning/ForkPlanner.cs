using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl.Planning;

/// <summary>(journal of the parent, what is asked) → journal of the fork. Pure: no I/O, no clock of its own.</summary>
/// <remarks>The fork has the parent's records up to the checkpoint, and so needs the parent never again. Behind them stands a pass of its own,
/// with the params, outputs and state that were asked for, that ends at once as paused.</remarks>
static class ForkPlanner
{
    /// <summary>The reason of the pass that makes a fork: what stands before it is the parent's, and was paid there.</summary>
    public const string Forked = "forked";

    /// <summary>The reason of a result that a fork was given.</summary>
    public const string SetByFork = "set by the fork";

    /// <summary>The tags that tell where a fork came from.</summary>
    public const string FromTag = "forked_from", AtTag = "forked_at";

    /// <summary>The checkpoint up to which the fork keeps what happened.</summary>
    /// <exception cref="ArgumentException">There is no such checkpoint or step.</exception>
    public static long Seq(IReadOnlyList<Checkpoint> parent, ForkOptions fork)
    {
        if (fork.At is { } at)
            return at >= 1 && at <= parent.Count ? at : throw new ArgumentException($"The run has checkpoints 1 to {parent.Count}; there is no {at}.");
        if (fork.Before is not { } step) return parent.Count;
        var first = parent.FirstOrDefault(record => record.Path is { } path && Journal.IsUnder(path, step));
        if (first is not null) return first.Seq - 1;
        var paths = parent.Select(record => record.Path).OfType<string>().Distinct().ToList();
        throw new ArgumentException($"The run has no checkpoint of a step '{RunIds.Printable(step)}'.{Nearest.Hint(step, paths)}");
    }

    /// <summary>The records of the fork, the created one first: drafts, and those of the parent that stay as they are, with their lines.</summary>
    /// <param name="runId">The fork.</param>
    /// <param name="parent">The parent's records.</param>
    /// <param name="at">The parent and its state at the checkpoint.</param>
    /// <param name="fork">What is asked.</param>
    /// <param name="values">The values asked for, as JSON.</param>
    /// <param name="now">When.</param>
    public static List<Checkpoint> Plan(string runId, IReadOnlyList<Checkpoint> parent, Journal at, ForkOptions fork, ForkValues values, DateTimeOffset now)
    {
        var (parentId, seq) = (at.Head.RunId, at.Head.Seq);
        List<Checkpoint> drafts = [Created(runId, at.CreatedData!.RootElement, parentId, seq, parent[(int)seq - 1].Hash, fork, now), .. parent.Take((int)seq).Skip(1).Select(Copy)];
        // Cut within a pass: to the fork that pass was paused here.
        if (at.Head.Status == RunStatus.Running) drafts.Add(new Checkpoint { Kind = CheckpointKind.Paused, At = now, Reason = $"forked from {parentId}@{seq}" });
        foreach (var set in values.Outputs.Keys)
            if (at.Entries.Any(entry => entry.IsDecision && Journal.IsUnder(set, Decisions.SubjectOf(entry)))) throw new ArgumentException($"'{RunIds.Printable(set)}' is what a person decided: a fork does not set it, it asks.");
        var asked = Decisions.OfParent(parent, at);
        var done = at.Entries.Count(entry => entry is { IsDone: true, AfterFailure: false } && Transitions.IsTopLevel(entry.Path) && !values.Outputs.ContainsKey(entry.Path) && !asked.Contains(entry.Path));
        // The pass that makes a fork needs no secret: whoever resumes it gives it.
        var kept = ParamBinder.Without(PassRecords.Secrets(parent), values.Params);
        drafts.Add(new Checkpoint
        {
            Kind = CheckpointKind.Resumed, At = now, Reason = Forked, State = values.State, Data = PassRecords.Write(w =>
        {
            w.WriteNumber("done", done);
            PassRecords.List(w, "rerun", asked);
            if (kept.Count > 0) PassRecords.Values(w, "params", kept);
        })
        });
        foreach (var (path, output) in values.Outputs)
            drafts.Add(new Checkpoint { Kind = CheckpointKind.Step, At = now, Path = path, Status = StepStatus.Completed, Attempt = at.Find(path)?.Attempt ?? 0, Output = output.Utf8, Reason = SetByFork });
        drafts.Add(new Checkpoint { Kind = CheckpointKind.Paused, At = now, Reason = $"forked from {parentId}@{seq}" });
        return drafts;
    }

    /// <summary>Tokens are the parent's; and what ended it for good had only paused it, as far as its fork goes.</summary>
    static Checkpoint Copy(Checkpoint record) => record.Kind switch
    {
        CheckpointKind.Resumed => record with { Token = 0, Line = default },
        CheckpointKind.Canceled or CheckpointKind.Completed => record with { Kind = CheckpointKind.Paused, Line = default },
        _ => record,
    };

    static Checkpoint Created(string runId, JsonElement parent, string parentId, long seq, string hash, ForkOptions fork, DateTimeOffset now)
    {
        var tags = parent.TryGetProperty("tags", out var old) ? old.EnumerateObject().ToDictionary(tag => tag.Name, tag => tag.Value.GetString() ?? "") : [];
        tags.Remove(Scheduling.Occurrence.Tag);
        foreach (var (name, value) in fork.Tags ?? new Dictionary<string, string>()) tags[name] = value;
        (tags[FromTag], tags[AtTag]) = (parentId, seq.ToString(CultureInfo.InvariantCulture));
        return new Checkpoint
        {
            Kind = CheckpointKind.Created, At = now, Data = PassRecords.Write(w =>
        {
            foreach (var member in parent.EnumerateObject())
            {
                // A fork stands in no line and belongs to no other run, and to no schedule.
                if (member.Name is "queue" or "priority" or "not_before" or "parent" or "schedule" or "tags" or "forked_from" or "by") continue;
                if (member.Name == "run_id") w.WriteString("run_id", runId);
                else
                {
                    w.WritePropertyName(member.Name);
                    // The definition of a long workflow: as it stands.
                    w.WriteRawValue(JsonMarshal.GetRawUtf8Value(member.Value), skipInputValidation: true);
                }
            }
            if (fork.By is not null) w.WriteString("by", fork.By);
            PassRecords.Words(w, "tags", tags);
            w.WriteStartObject("forked_from");
            w.WriteString("run_id", parentId);
            w.WriteNumber("seq", seq);
            w.WriteString("hash", hash);
            w.WriteEndObject();
        })
        };
    }
}

/// <summary>What a fork sets.</summary>
/// <param name="Params">Over the parent's.</param>
/// <param name="Outputs">By step path.</param>
/// <param name="State">Changed keys as a JSON object, null removes; empty is none.</param>
sealed record ForkValues(IReadOnlyDictionary<string, RawJson> Params, IReadOnlyDictionary<string, RawJson> Outputs, ReadOnlyMemory<byte> State);
