using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Cli.View;

/// <summary>A run's head for people and for programs.</summary>
static class HeadView
{
    /// <summary>Running by its journal, but nobody executes it any more.</summary>
    public static bool Died(RunHead head) => head.Status == RunStatus.Running && head.Owner is null;

    public static bool CanResume(RunHead head) => head.Owner is null && head.Status is not (RunStatus.Completed or RunStatus.Canceled);

    public static string State(RunHead head) => Died(head) ? "died" : Words.Of(head.Status);

    public static int Percent(RunHead head) => head.Status == RunStatus.Completed ? 100 : head.Total == 0 ? 0 : Math.Min(100, head.Done * 100 / head.Total);

    /// <summary>The way on, as a command; null when there is none to take.</summary>
    public static string? HowToGoOn(RunHead head, Cli cli) =>
        CanResume(head) ? cli.CommandLine("resume", head.RunId) : head.Status == RunStatus.Canceled ? cli.CommandLine("resume", head.RunId, "--force") : null;

    /// <summary>The members of a head, into an object that is open.</summary>
    public static void Write(Utf8JsonWriter w, RunHead head)
    {
        w.WriteString("run_id", head.RunId);
        w.WriteString("workflow", head.Workflow);
        w.WriteNumber("version", head.Version);
        w.WriteString("status", Words.Of(head.Status));
        w.WriteBoolean("process_died", Died(head));
        w.WriteBoolean("resumable", CanResume(head));
        w.WriteNumber("done", head.Done);
        w.WriteNumber("total", head.Total);
        w.WriteNumber("percent", Percent(head));
        w.WriteNumber("seq", head.Seq);
        w.WriteString("created_at", Human.Iso(head.CreatedAt));
        w.WriteString("updated_at", Human.Iso(head.UpdatedAt));
        w.WriteString("error_step", head.ErrorStep);
        w.WriteString("error", head.Error);
        w.WriteString("parent_run_id", head.ParentRunId);
        w.WriteString("queue", head.Queue);
        w.WriteNumber("priority", head.Priority);
        w.WriteBoolean("dead_letter", head.DeadLetter);
        w.WriteString("wake_at", head.WakeAt is { } wake ? Human.Iso(wake) : null);
        w.WriteStartArray("waits");
        foreach (var wait in head.Waits)
        {
            w.WriteStartObject();
            Write(w, wait);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        Map(w, "tags", head.Tags);
        Map(w, "partition", head.Partition);
        if (head.Owner is not { } owner)
        {
            w.WriteNull("owner");
            return;
        }
        w.WriteStartObject("owner");
        w.WriteNumber("pid", owner.Pid);
        w.WriteString("host", owner.Host);
        w.WriteString("since", Human.Iso(owner.Since));
        w.WriteString("command", owner.Command);
        w.WriteEndObject();
    }

    /// <summary>What a run waits for, for people.</summary>
    public static string Describe(Wait wait, Cli cli)
    {
        var what = wait.Message is { } message ? $"a decision: {Human.Line(message)}" : wait.IsChildRun ? "the end of its child run" : wait.Signal is { } signal ? $"the signal '{signal}'" : null;
        var until = wait.Due is { } due ? Human.Date(due, cli.Caller) : null;
        return (what, until) switch { (null, _) => until ?? "a worker", (_, null) => what, _ => $"{what} (until {until})" };
    }

    /// <summary>The members of a wait, into an object that is open.</summary>
    public static void Write(Utf8JsonWriter w, Wait wait)
    {
        w.WriteString("step", wait.Path);
        w.WriteString("signal", wait.Message is null ? wait.Signal : null);
        w.WriteString("message", wait.Message);
        w.WriteString("due", wait.Due is { } due ? Human.Iso(due) : null);
    }

    public static void Write(Utf8JsonWriter w, string name, Cost cost)
    {
        w.WritePropertyName(name);
        cost.Write(w);
    }

    public static void Map(Utf8JsonWriter w, string name, IEnumerable<KeyValuePair<string, string>> values)
    {
        w.WriteStartObject(name);
        foreach (var (key, value) in values) w.WriteString(key, value);
        w.WriteEndObject();
    }

    public static void List(Utf8JsonWriter w, string name, IEnumerable<string?> values)
    {
        w.WriteStartArray(name);
        foreach (var value in values) w.WriteStringValue(value);
        w.WriteEndArray();
    }
}
