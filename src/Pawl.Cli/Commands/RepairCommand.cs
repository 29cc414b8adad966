using System.CommandLine;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl repair RUN</c>: sets the damaged part of a journal aside.</summary>
static class RepairCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        return Verbs.On(new Command("repair", "Set the damaged part of a run's journal aside; what is left can be resumed") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var runId = RunArgument.Check(cli.Get(run));
            if (client.Store is not FileStore store) throw new UsageException($"Only runs in a file store are repaired; this is {cli.Store.Uri}.");
            var report = await store.RepairAsync(runId, cli.Stop) ?? throw new RunNotFoundException(runId);
            var problems = report.Left is null ? [] : await client.VerifyAsync(runId, cli.Stop);
            Say(cli, report, problems);
            WriteJson(cli, report, problems);
            return report.Left is not null && problems.Count == 0 ? ExitCode.Done : ExitCode.Failed;
        });
    }

    static void Say(Cli cli, RepairReport report, IReadOnlyList<string> problems)
    {
        if (report.Left is not { } left)
        {
            cli.Say($"{cli.Ink.Bad("✗")} {report.RunId} is damaged from its first record on ({report.Reason}): nothing can be saved, and nothing was changed.");
            cli.Say($"Start anew, and remove it with:  {cli.CommandLine("delete", report.RunId)}");
            return;
        }
        foreach (var message in report.Messages)
            cli.Say($"{cli.Ink.Good("✓")} {report.RunId}: message file '{message}' was damaged, and is kept beside the others as '{message}.damaged'. What it said is lost: send it again.");
        cli.Say(report.Quarantined is { } file
            ? $"{cli.Ink.Good("✓")} {report.RunId}: line {report.Line} was damaged ({report.Reason}). The journal was cut back to checkpoint {left.Seq}; the damaged one is kept beside it as {file}."
            : $"The journal of {report.RunId} is whole{(report.Messages.Count > 0 ? "" : "; nothing was changed")}.");
        foreach (var problem in problems) cli.Say($"{cli.Ink.Bad("✗")} {Human.Line(problem)}");
        if (problems.Count > 0) cli.Say($"What is missing cannot be made up. For an output run its step again:  {cli.CommandLine("resume", report.RunId, "--from", "STEP")}");
        else if (HeadView.HowToGoOn(left, cli) is { } command) cli.Say($"{left.Done} of {left.Total} steps are done. Go on with:  {command}");
    }

    static void WriteJson(Cli cli, RepairReport report, IReadOnlyList<string> problems) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("run_id", report.RunId);
        w.WriteBoolean("damaged", report.Line > 0 || report.Messages.Count > 0);
        w.WriteNumber("line", report.Line);
        w.WriteString("reason", report.Reason);
        w.WriteString("quarantined", report.Quarantined);
        HeadView.List(w, "messages", report.Messages);
        w.WriteBoolean("saved", report.Left is not null);
        HeadView.List(w, "problems_left", problems);
        w.WriteString("resume", report.Left is { } left ? HeadView.HowToGoOn(left, cli) : null);
        w.WriteEndObject();
    });
}
