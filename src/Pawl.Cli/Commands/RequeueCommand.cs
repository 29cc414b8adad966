using System.CommandLine;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl requeue RUN</c>: puts a failed run or a dead letter back into its queue.</summary>
static class RequeueCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        return Verbs.On(new Command("requeue", "Put a failed run, or a dead letter, back into its queue; finished steps are reused") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var head = await client.RequeueAsync(RunArgument.Check(cli.Get(run)), CancelCommand.By(), cli.Stop);
            cli.Say($"{head.RunId} is back in the queue '{head.Queue}'.");
            cli.Json(w =>
            {
                w.WriteStartObject();
                HeadView.Write(w, head);
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }
}
