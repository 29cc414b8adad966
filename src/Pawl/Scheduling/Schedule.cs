using Pawl.Scheduling;
using Pawl.Storage;

namespace Pawl;

/// <summary>What becomes of runs whose time came while no worker was there, or while the schedule was paused.</summary>
public enum MissedRuns
{
    /// <summary>One run makes up for all that were missed. The default.</summary>
    Once,
    /// <summary>They are left out: what is later than <see cref="Schedule.Grace"/> ends as canceled, with the reason.</summary>
    Skip,
    /// <summary>Each is made up for, in order; of more than <see cref="Schedule.MostMissed"/> the last ones.</summary>
    All,
}

/// <summary>What becomes of a run whose time comes while an earlier one of the schedule still runs or waits.</summary>
public enum OverlapPolicy
{
    /// <summary>It runs beside it. The default.</summary>
    Allow,
    /// <summary>It is left out: it ends as canceled, with the reason.</summary>
    Skip,
}

/// <summary>When a workflow runs by itself: once for each time, however many workers there are.</summary>
/// <param name="Name">Letters, digits and <c>. _ -</c>, first a letter or digit, at most 90. Its runs are named <c>NAME-20260131T030000Z</c> (with <c>-2</c> behind it where a
/// change took one of this time back) and bear the tag <c>schedule</c>.</param>
/// <param name="Workflow">The definition. One that carries its source can be executed by any worker, one in code by workers that have it, in this version.</param>
/// <param name="Cron">Minute, hour, day of month, month, day of week (<c>0 3 * * MON-FRI</c>), or <c>@hourly @daily @weekly @monthly @yearly</c>.</param>
public sealed record Schedule(string Name, Workflow Workflow, string Cron)
{
    /// <summary>At most so many missed runs are made up for by <see cref="MissedRuns.All"/>.</summary>
    public const int MostMissed = 100;

    /// <summary>The time zone whose clocks count: <c>Europe/Berlin</c>. Default <c>UTC</c>. A time that is jumped over when clocks are put forward comes at the jump; one
    /// that exists twice comes once.</summary>
    public string Zone { get; init; } = "UTC";

    /// <summary>Params of each run; null is none.</summary>
    public IReadOnlyDictionary<string, object?>? Params { get; init; }

    /// <summary>Default <see cref="MissedRuns.Once"/>.</summary>
    public MissedRuns Missed { get; init; }

    /// <summary>How late a run may begin under <see cref="MissedRuns.Skip"/>, by the second. Default 1 min.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Default <see cref="OverlapPolicy.Allow"/>.</summary>
    public OverlapPolicy Overlap { get; init; }

    /// <summary>The queue of its runs. Default <c>default</c>.</summary>
    public string Queue { get; init; } = QueueOptions.DefaultName;

    /// <summary>Of runs that are due the one with the greatest number goes first. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>Whether a run stands for a time of a schedule that has not come, so that it is not what was run last.</summary>
    public static bool IsAhead(RunHead head) => head.Tags.ContainsKey(Occurrence.Tag) && head.Status switch
    {
        RunStatus.Pending => true,
        RunStatus.Paused => head.StartedAt is null,
        RunStatus.Waiting => head is { Done: 0, Waits: [{ Path: "" }] },
        _ => false,
    };
}

/// <summary>How a schedule is.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Cron">When it runs.</param>
/// <param name="Zone">By the clocks of this zone.</param>
/// <param name="Missed">What becomes of missed runs.</param>
/// <param name="Overlap">What becomes of a run while an earlier one still runs.</param>
/// <param name="Next">When it runs next: past when it is paused over its time, or no worker came yet.</param>
/// <param name="IsPaused">It does not run until it is resumed.</param>
/// <param name="NextRun">The run that waits for its time.</param>
/// <param name="LastRun">The newest that began or was left out, or that was triggered; null when there is none (any more).</param>
public sealed record ScheduleState(string Name, string Cron, string Zone, MissedRuns Missed, OverlapPolicy Overlap, DateTimeOffset Next, bool IsPaused, RunHead NextRun, RunHead? LastRun);
