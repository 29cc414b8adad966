using System.CommandLine;
using Pawl.Yaml;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl schema</c>: the JSON Schema of workflow files, for editors.</summary>
static class SchemaCommand
{
    public static Command Create(Cli cli)
    {
        var configuration = new Option<bool>("--configuration") { Description = "That of the configuration file instead" };
        return Verbs.On(new Command("schema", "The JSON Schema of workflow files, for editors") { configuration }, () =>
        {
            // It is JSON whether or not --json is there.
            cli.Caller.Out.WriteLine(cli.Get(configuration) ? WorkflowSchema.ConfigurationJson() : WorkflowSchema.Json());
            return Task.FromResult(ExitCode.Done);
        });
    }
}
