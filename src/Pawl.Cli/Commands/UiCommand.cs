using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Dashboard;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl ui</c>: the web page over a store, for the one who started it.</summary>
static class UiCommand
{
    public static Command Create(Cli cli)
    {
        var port = new Option<int>("--port") { Description = "The port on the loopback; default: a free one", HelpName = "PORT" };
        var readOnly = new Option<bool>("--read-only") { Description = "Nothing can be changed from the page" };
        return Verbs.On(new Command("ui", "Open the web page: watch, understand and steer runs") { port, readOnly }, async () =>
        {
            if (cli.Get(port) is < 0 or > 65535) throw new UsageException($"--port {cli.Get(port)}: a port is a number from 1 to 65535.");
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var options = new DashboardOptions
            {
                Client = client, ReadOnly = cli.Get(readOnly), Actor = _ => Environment.UserName,
                // As 'pawl resume' does: the file as it is now, for it may have been mended; else the text that the run carries.
                Definitions = source => source.Path is { } path && File.Exists(path) ? Definitions.Parse(Files.Read("The workflow file", path, cli.Caller), path, cli) : Definitions.Parse(source.Text, source.Path, cli),
            };
            await using var server = await LocalDashboard.StartAsync(options, cli.Get(port), cli.Stop);
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
}
