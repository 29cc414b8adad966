using System.CommandLine;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl status [RUN]</c>: where a run stands, and how to go on.</summary>
static class StatusCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        return Verbs.On(new Command("status", "Where a run stands, and how to go on") { run }, () => ShowAsync(cli, cli.Get(run)));
    }

    public static async Task<int> ShowAsync(Cli cli, string? runId, string? workflow = null)
    {
        await using var client = await cli.Store.OpenAsync(cli.Caller);
        var story = await Stories.ReadAsync(client, await RunArgument.OrNewestAsync(cli, client, runId, workflow), cli.Stop);
        var head = story.Head;
        var next = head.Status is RunStatus.Completed or RunStatus.Canceled ? [] : story.Ready.ToList();

        cli.Say($"{cli.Ink.Strong(head.RunId)}  {cli.Ink.Of(HeadView.State(head), State(head))}");
        cli.Say($"  workflow  {head.Workflow} (version {head.Version})");
        cli.Say($"  progress  {head.Done} of {head.Total} steps, {HeadView.Percent(head)} %");
        cli.Say($"  started   {Human.Date(head.CreatedAt, cli.Caller)}, last checkpoint {Human.Ago(head.UpdatedAt, cli.Now)} (number {head.Seq}, pass {story.Passes})");
        if (head.Owner is { } owner) cli.Say($"  held by   {owner}");
        if (next.Count > 0) cli.Say($"  {(head.Owner is null ? "next   " : "current")}   {string.Join(", ", next.Select(step => step.Path))}");
        foreach (var wait in Asked(story)) cli.Say($"  asks      {wait.Path}: {Human.Line(wait.Message)}");
        if (head.Error is { } error) cli.Say($"  {(head.Status == RunStatus.Failed ? "error " : "reason")}    {(head.ErrorStep is { } at ? $"step '{at}': " : "")}{Human.Line(error)}");
        if (head is { Status: RunStatus.Failed, WakeAt: { } again }) cli.Say($"  resumes   by itself at {Human.Date(again, cli.Caller)}");
        foreach (var step in story.Defined) cli.Say($"    {Mark(cli, head, step, next)}");
        if (HeadView.HowToGoOn(head, cli) is { } command) cli.Say($"Go on with:  {command}");
        Write(cli, story, next);
        return ExitCode.Done;
    }

    static IEnumerable<Wait> Asked(RunStory story) => story.Head.Status == RunStatus.Running ? story.Questions : story.Head.Waits.Where(wait => wait.Message is not null);

    static string State(RunHead head) => HeadView.Died(head) ? "running, but its process died" : Words.Of(head.Status);

    static string Mark(Cli cli, RunHead head, StepStory step, List<StepStory> next)
    {
        var title = step.Title is { } text ? $"{step.Path} ({text})" : step.Path;
        if (head.Owner is not null && next.Contains(step)) return $"{cli.Ink.Careful("▶")} {title}";
        var sign = step.State switch { "completed" => "✓", "failed" => "✗", "skipped" or "blocked" => "↷", "canceled" => "■", _ => "·" };
        var note = step.Current switch
        {
            { Status: StepStatus.Completed } done => Human.Duration(done.Duration),
            { Status: StepStatus.Failed } failed => $"attempt {failed.Attempt}: {Human.Line(failed.Error?.Message, 100)}",
            { } other => Human.Line(other.Reason, 100),
            null => "",
        };
        return $"{cli.Ink.Of(step.State, sign)} {title}  {cli.Ink.Faint(note)}".TrimEnd();
    }

    static void Write(Cli cli, RunStory story, List<StepStory> next) => cli.Json(w =>
    {
        w.WriteStartObject();
        HeadView.Write(w, story.Head.Status == RunStatus.Running ? story.Head with { Waits = [.. story.Questions] } : story.Head);
        w.WriteNumber("passes", story.Passes);
        HeadView.List(w, "next", next.Select(step => step.Path));
        w.WriteStartArray("steps");
        foreach (var step in story.All)
        {
            w.WriteStartObject();
            w.WriteString("step", step.Path);
            w.WriteString("state", step.State);
            w.WriteNumber("attempt", step.Current?.Attempt ?? 0);
            w.WriteNumber("duration_ms", Math.Round(step.Current?.Duration.TotalMilliseconds ?? 0, 3));
            w.WriteString("error", step.Current?.Error?.Message);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteString("resume", HeadView.HowToGoOn(story.Head, cli));
        w.WriteEndObject();
    });
}
