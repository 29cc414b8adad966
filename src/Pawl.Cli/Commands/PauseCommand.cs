using System.CommandLine;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl pause RUN</c>: running steps finish, nothing new starts.</summary>
static class PauseCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        return Verbs.On(new Command("pause", "Stop a run after the steps that are running; a resume goes on") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            return CancelCommand.Answer(cli, await client.PauseAsync(RunArgument.Check(cli.Get(run)), CancelCommand.By(), patience: null, cli.Stop), RunStatus.Paused);
        });
    }
}
