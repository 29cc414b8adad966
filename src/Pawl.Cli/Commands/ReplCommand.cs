using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.Repl;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl repl [FILE]</c>: gives a workflow of agents one task after the other, at a prompt.</summary>
static class ReplCommand
{
    public static Command Create(Cli cli)
    {
        var file = new Argument<string?>("FILE") { Description = $"The workflow file, with a param 'task'; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
        return Verbs.On(new Command("repl", "Talk to a workflow of agents: tasks, checkpoints, resumes, at a prompt") { file }, async () =>
        {
            if (cli.IsJson) throw new UsageException("'pawl repl' is a conversation: it has no --json. 'pawl run FILE --param task=… --json' answers programs.");
            var name = cli.Get(file) ?? Definitions.DefaultFile;
            cli.WorkflowPath = name;
            cli.StreamsAgents = true;
            await using var client = await cli.Store.OpenAsync(cli.Caller, StoreChoice.IsEnabled(cli.Caller), live: true);
            return await new ReplSession(cli, client, name, (caller, words) => Cli.RunAsync(words, caller)).RunAsync();
        });
    }
}
