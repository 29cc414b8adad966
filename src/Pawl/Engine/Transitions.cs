using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>(head, record) → next head. Pure: no clock, no I/O; every store and every reader folds the same way.</summary>
static class Transitions
{
    public static RunHead Apply(RunHead? head, Checkpoint record)
    {
        if (head is null)
        {
            if (record.Kind != CheckpointKind.Created) throw new InvalidOperationException("A journal begins with its created record.");
            return Created(record);
        }
        // Nearly all records of a long run are such: one copy of the head, not two.
        if (record.Kind == CheckpointKind.Step) return Running(head, "continued", Step(head, record));
        var next = head with { Seq = record.Seq, Hash = record.Hash, UpdatedAt = record.At };
        return record.Kind switch
        {
            CheckpointKind.Created => throw Illegal(head, "created again"),
            CheckpointKind.Resumed => Resumed(head, next, record),
            CheckpointKind.Paused => End(head, next, record, RunStatus.Paused, "paused"),
            CheckpointKind.Canceled => End(head, next, record, RunStatus.Canceled, "canceled"),
            CheckpointKind.Failed => Running(head, "marked failed", End(head, next, record, RunStatus.Failed, "failed") with { ErrorStep = record.Path, WakeAt = Time(record, "resume_at"), DeadLetter = record.Error?.Type == RunHead.DeadLetterType }),
            CheckpointKind.Completed => Running(head, "completed", End(head, next, record, RunStatus.Completed, "completed")),
            CheckpointKind.Waiting => Running(head, "made to wait", Waiting(next, record)),
            CheckpointKind.Compensated => Running(head, "compensated", IsTopLevel(record.Path) && record.Status == StepStatus.Completed ? next with { Done = Math.Max(0, head.Done - 1) } : next),
            CheckpointKind.Timer or CheckpointKind.Compensating => Running(head, "continued", next),
            _ => throw new ArgumentOutOfRangeException(nameof(record)),
        };
    }

    /// <summary>Whether a pass may begin in this status.</summary>
    public static bool CanResume(RunStatus status, bool force) => status != RunStatus.Completed && (status != RunStatus.Canceled || force);

    /// <summary>Whether the run is over unless someone resumes it.</summary>
    public static bool IsFinal(RunStatus status) => status is RunStatus.Completed or RunStatus.Canceled;

    static RunHead Created(Checkpoint record)
    {
        using var data = JsonDocument.Parse(record.Data);
        var root = data.RootElement;
        return new RunHead
        {
            RunId = root.GetProperty("run_id").GetString()!,
            Workflow = root.GetProperty("workflow").GetString()!,
            Version = root.TryGetProperty("version", out var version) ? version.GetInt32() : 1,
            Status = RunStatus.Pending,
            Seq = record.Seq,
            Hash = record.Hash,
            Token = record.Token,
            Total = root.TryGetProperty("steps", out var steps) ? steps.GetArrayLength() : 0,
            CreatedAt = record.At,
            UpdatedAt = record.At,
            ParentRunId = root.TryGetProperty("parent", out var parent) ? parent.GetString() : null,
            Queue = root.TryGetProperty("queue", out var queue) ? queue.GetString() : null,
            Priority = root.TryGetProperty("priority", out var priority) ? priority.GetInt32() : 0,
            WakeAt = root.TryGetProperty("not_before", out var notBefore) ? notBefore.GetDateTimeOffset() : root.TryGetProperty("queue", out _) ? record.At : null,
            Portable = root.TryGetProperty("definition", out _),
            Tags = Words(root, "tags"),
            Partition = Words(root, "partition"),
        };
    }

    static Dictionary<string, string> Words(JsonElement root, string name) =>
        root.TryGetProperty(name, out var words) ? words.EnumerateObject().ToDictionary(word => word.Name, word => word.Value.GetString() ?? "") : [];

    static RunHead Resumed(RunHead head, RunHead next, Checkpoint record)
    {
        var (done, total, forced, version) = (0, head.Total, false, head.Version);
        if (!record.Data.IsEmpty)
        {
            using var data = JsonDocument.Parse(record.Data);
            if (data.RootElement.TryGetProperty("done", out var d)) done = d.GetInt32();
            if (data.RootElement.TryGetProperty("steps", out var s)) total = s.GetArrayLength();
            if (data.RootElement.TryGetProperty("version", out var v)) version = v.GetInt32();
            forced = data.RootElement.TryGetProperty("forced", out var f) && f.GetBoolean();
        }
        if (!CanResume(head.Status, forced)) throw Illegal(head, "resumed");
        return next with
        {
            Status = RunStatus.Running,
            Token = Math.Max(head.Token, record.Token),
            Version = version,
            Done = done,
            Total = total,
            Error = null,
            ErrorStep = null,
            WakeAt = null,
            Waits = [],
            Seen = 0,
            DeadLetter = false,
            StartedAt = head.StartedAt ?? record.At,
            // The pass before this one never said how it ended.
            Recoveries = head.Status == RunStatus.Running ? head.Recoveries + 1 : 0,
        };
    }

    static RunHead Step(RunHead head, Checkpoint record) => head with
    {
        Seq = record.Seq,
        Hash = record.Hash,
        UpdatedAt = record.At,
        Done = CountsAsDone(record) ? head.Done + 1 : head.Done,
        Recoveries = record.Status == StepStatus.Completed ? 0 : head.Recoveries,
    };

    static RunHead Waiting(RunHead next, Checkpoint record)
    {
        using var data = JsonDocument.Parse(record.Data);
        var waits = data.RootElement.GetProperty("waits").EnumerateArray().Select(wait => PassRecords.WaitIn(wait)).ToList();
        return next with { Status = RunStatus.Waiting, Waits = waits, WakeAt = waits.Min(wait => wait.Due), Seen = data.RootElement.GetProperty("seen").GetInt32() };
    }

    static DateTimeOffset? Time(Checkpoint record, string name)
    {
        if (record.Data.IsEmpty) return null;
        using var data = JsonDocument.Parse(record.Data);
        return data.RootElement.TryGetProperty(name, out var time) ? time.GetDateTimeOffset() : null;
    }

    static RunHead End(RunHead head, RunHead next, Checkpoint record, RunStatus status, string what)
    {
        if (IsFinal(head.Status)) throw Illegal(head, what);
        return next with { Status = status, WakeAt = null, Waits = [], Error = record.Error?.Message ?? record.Reason };
    }

    static RunHead Running(RunHead head, string what, RunHead next) => head.Status == RunStatus.Running ? next : throw Illegal(head, what);

    static bool CountsAsDone(Checkpoint record) => IsTopLevel(record.Path) && record.Status switch
    {
        StepStatus.Completed => true,
        StepStatus.Failed => record.Tolerated,
        StepStatus.Skipped => record.Cause != SkipCause.Blocked,
        _ => false,
    };

    /// <summary>A step of the definition's first level: neither below another nor an item of a fan-out.</summary>
    public static bool IsTopLevel(string? path) => path is not null && path.AsSpan().IndexOfAny('/', '[') < 0;

    static IllegalTransitionException Illegal(RunHead head, string what) => new(head.RunId, head.Status, what);
}
