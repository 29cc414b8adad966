using System.CommandLine;
using Pawl.Cli.Mcp;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl mcp</c>: a server of the Model Context Protocol, so that coding agents can look into runs.</summary>
static class McpCommand
{
    public static Command Create(Cli cli)
    {
        var writes = new Option<bool>("--allow-writes") { Description = "Also tools that start, resume, fork, decide, signal, cancel and prove; without it nothing can be changed" };
        return Verbs.On(new Command("mcp", "Serve runs to coding agents over the Model Context Protocol (standard input and output)") { writes }, async () =>
        {
            await McpSession.ServeAsync(cli, cli.Get(writes), (caller, words) => Cli.RunAsync(words, caller));
            return ExitCode.Done;
        });
    }
}
