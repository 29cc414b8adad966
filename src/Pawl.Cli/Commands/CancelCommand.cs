using System.CommandLine;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl cancel RUN</c>: ends a run for good.</summary>
static class CancelCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        return Verbs.On(new Command("cancel", "End a run for good; running steps are stopped") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            return Answer(cli, await client.CancelAsync(RunArgument.Check(cli.Get(run)), By(), patience: null, cli.Stop), RunStatus.Canceled);
        });
    }

    public static string By() => $"{Environment.UserName}@{Environment.MachineName}";

    public static int Answer(Cli cli, RunHead head, RunStatus wanted)
    {
        var reached = head.Status == wanted;
        cli.Say(reached
            ? $"{head.RunId} is {cli.Ink.Of(Words.Of(wanted), Words.Of(wanted))}."
            : $"{head.RunId} was asked, and is still {Words.Of(head.Status)}{(head.Owner is { } owner ? $" in {owner}" : "")}. It stops as soon as its steps allow; 'pawl status {head.RunId}' shows it.");
        if (wanted == RunStatus.Paused && reached) cli.Say($"Go on with:  {cli.CommandLine("resume", head.RunId)}");
        cli.Json(w =>
        {
            w.WriteStartObject();
            HeadView.Write(w, head);
            w.WriteBoolean("reached", reached);
            w.WriteEndObject();
        });
        return reached ? ExitCode.Done : ExitCode.Waiting;
    }
}
