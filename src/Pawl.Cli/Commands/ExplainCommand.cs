using System.CommandLine;
using System.Text;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl explain RUN [STEP]</c>: why each step ran, was skipped or was reused.</summary>
static class ExplainCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        var step = new Argument<string?>("STEP") { Description = "Only this step", Arity = ArgumentArity.ZeroOrOne };
        step.CompletionSources.Add(context => RunArgument.StepsOf(cli, context, run));
        return Verbs.On(new Command("explain", "Why each step ran, was skipped or was reused") { run, step }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var story = await Stories.ReadAsync(client, await RunArgument.OrNewestAsync(cli, client, cli.Get(run)), cli.Stop);
            var steps = cli.Get(step) is { } path ? [story.Require(path), .. story.Below(path)] : story.All.ToList();
            foreach (var one in steps) Tell(cli, story, one);
            Write(cli, story, steps);
            return ExitCode.Done;
        });
    }

    static void Tell(Cli cli, RunStory story, StepStory step)
    {
        cli.Say($"{cli.Ink.Of(step.State, step.Path)}: {Verdict(story, step)}");
        foreach (var (pass, record) in step.Records)
            cli.Say($"  {cli.Ink.Faint($"checkpoint {record.Seq}, pass {pass}:")} {Happened(record)}");
        foreach (var used in step.ReusedIn.GroupBy(pass => Used(step, pass)))
            cli.Say($"  {cli.Ink.Faint($"pass {string.Join(", ", used)}:")} the result of checkpoint {used.Key} was used; it did not run");
        if (step.Current is { Inputs.IsEmpty: false } read) cli.Say($"  {cli.Ink.Faint("it read:")} {Human.Line(Encoding.UTF8.GetString(read.Inputs.Span), 2000)}");
    }

    /// <summary>The checkpoint whose result a later pass used.</summary>
    static long Used(StepStory step, int pass) => step.Records.Last(told => told.Pass < pass).Record.Seq;

    static string Verdict(RunStory story, StepStory step) => step.Current switch
    {
        { Status: StepStatus.Completed } => step.ReusedIn.Count > 0 ? "completed, and reused since" : "completed",
        { Status: StepStatus.Failed, Tolerated: true } => "failed, and the run goes on without it",
        { Status: StepStatus.Failed } => "failed; a resume runs it again",
        { Status: StepStatus.Skipped, Cause: SkipCause.Blocked } blocked => $"blocked; a resume decides anew: {Human.Line(blocked.Reason)}",
        { Status: StepStatus.Skipped } skipped => $"skipped: {Human.Line(skipped.Reason)}",
        { Status: StepStatus.Canceled } => "was stopped with its run; a resume runs it again",
        _ when step.Records.Count > 0 => "to be run again",
        _ when step.Before.Where(id => story.Find(id)?.IsDone == false).ToList() is { Count: > 0 } before => $"has not run yet: comes after {string.Join(", ", before)}",
        _ => "has not run yet",
    };

    static string Happened(Checkpoint record)
    {
        var why = record.Reason ?? (record.Attempt == 1 ? "first run" : null);
        var reason = why is null ? "" : $" ({Human.Line(why)})";
        return record switch
        {
            { Kind: CheckpointKind.Compensated } => $"was undone{reason}",
            { Status: StepStatus.Completed } => $"ran in {Human.Duration(record.Duration)}, attempt {record.Attempt}{reason}",
            { Status: StepStatus.Failed } => $"attempt {record.Attempt} failed after {Human.Duration(record.Duration)}: {Human.Line(record.Error?.Message)}{reason}",
            { Status: StepStatus.Skipped } => $"skipped{reason}",
            _ => $"stopped after {Human.Duration(record.Duration)}{reason}",
        };
    }

    static void Write(Cli cli, RunStory story, List<StepStory> steps) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("run_id", story.Head.RunId);
        w.WriteStartArray("steps");
        foreach (var step in steps)
        {
            w.WriteStartObject();
            w.WriteString("step", step.Path);
            w.WriteString("state", step.State);
            w.WriteString("verdict", Verdict(story, step));
            HeadView.List(w, "after", step.Before);
            w.WriteStartArray("reused_in_passes");
            foreach (var pass in step.ReusedIn) w.WriteNumberValue(pass);
            w.WriteEndArray();
            w.WriteStartArray("reused_from");
            foreach (var pass in step.ReusedIn) w.WriteNumberValue(Used(step, pass));
            w.WriteEndArray();
            w.WriteStartArray("records");
            foreach (var (pass, record) in step.Records)
            {
                w.WriteStartObject();
                w.WriteNumber("seq", record.Seq);
                w.WriteNumber("pass", pass);
                w.WriteString("status", Words.Of(record.Status ?? default));
                w.WriteNumber("attempt", record.Attempt);
                w.WriteNumber("duration_ms", Math.Round(record.Duration.TotalMilliseconds, 3));
                w.WriteString("reason", record.Reason);
                w.WriteString("cause", record.Cause == SkipCause.None ? null : Words.Of(record.Cause));
                w.WriteString("error", record.Error?.Message);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WritePropertyName("inputs");
            if (step.Current is { Inputs.IsEmpty: false } read) w.WriteRawValue(read.Inputs.Span);
            else w.WriteNullValue();
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteEndObject();
    });
}
