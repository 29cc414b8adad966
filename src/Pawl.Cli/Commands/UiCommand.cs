using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Dashboard;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl ui</c>: the web page over a store, for the one who started it.</summary>
static class UiCommand
{
    public static Command Create(Cli cli)
    {
        var files = new Argument<string[]>("FILE") { Description = "Workflow files that can be started from the page; default: workflow.yaml, if it is here", Arity = ArgumentArity.ZeroOrMore };
        var port = new Option<int>("--port") { Description = "The port on the loopback; default: a free one", HelpName = "PORT" };
        var readOnly = new Option<bool>("--read-only") { Description = "Nothing can be changed from the page" };
        return Verbs.On(new Command("ui", "Open the web page: watch, understand and steer runs") { files, port, readOnly }, async () =>
        {
            if (cli.Get(port) is < 0 or > 65535) throw new UsageException($"--port {cli.Get(port)}: a port is a number from 1 to 65535.");
            var sources = Sources(cli, cli.Get(files) ?? []);
            await using var client = await cli.Store.OpenAsync(cli.Caller, live: true);
            var options = new DashboardOptions
            {
                Client = client, ReadOnly = cli.Get(readOnly), Actor = _ => CancelCommand.By(), Sources = sources,
                // As 'pawl resume' does: the file as it is now, for it may have been mended; else the text that the run carries.
                Definitions = source => Read(cli, source),
            };
            await using var server = await StartAsync(cli, options, cli.Get(port));
            cli.Say($"The page over {cli.Store.Uri}{(options.ReadOnly ? ", read-only" : "")}:");
            cli.Say($"  {server.Link}");
            cli.Say(cli.Ink.Faint("The link holds a token: it is for you alone. Ctrl+C ends the page, and pauses what runs in it."));
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("url", server.Link.ToString());
                w.WriteEndObject();
            });
            await server.WaitAsync(cli.Stop);
            return ExitCode.Done;
        });
    }

    static async Task<LocalDashboard> StartAsync(Cli cli, DashboardOptions options, int port)
    {
        try { return await LocalDashboard.StartAsync(options, port, cli.Stop); }
        catch (IOException taken) { throw new UsageException($"--port {port} cannot be had: {taken.Message} Name another one, or leave it out for a free one."); }
    }

    /// <summary>The files named, which must be right when the page opens; one that is broken later is told on it.</summary>
    static List<WorkflowSource> Sources(Cli cli, string[] files)
    {
        if (files.Length == 0 && File.Exists(cli.Caller.FullPath(Definitions.DefaultFile))) return [new WorkflowSource("yaml", cli.Caller.FullPath(Definitions.DefaultFile), "")];
        return [.. files.Select(file => Definitions.Load(file, cli).Source!)];
    }

    static Workflow Read(Cli cli, WorkflowSource source)
    {
        // A run goes on where it was started, if that is here.
        var folder = Directory.Exists(source.Folder) ? source.Folder : null;
        try { return source.Path is { } path && File.Exists(path) ? Definitions.Parse(Files.Read("The workflow file", path, cli.Caller), path, cli, folder) : Definitions.Parse(source.Text, source.Path, cli, folder); }
        catch (UsageException error) { throw new InvalidDefinitionException(error.Message); }
    }
}
