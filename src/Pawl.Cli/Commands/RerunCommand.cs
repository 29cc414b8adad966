using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.Live;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl rerun RUN</c>: a new run with the params of another.</summary>
static class RerunCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        var parameters = new Option<string[]>("--param", "-p") { Description = "A param, over that of the run; may be repeated", HelpName = "NAME=VALUE" };
        var paramsFile = new Option<string?>("--params-file") { Description = "A JSON object with params", HelpName = "FILE" };
        var runId = new Option<string?>("--run-id") { Description = "The new run's id", HelpName = "ID" };
        var file = new Option<string?>("--file", "-f") { Description = "The workflow file; default: the run's own", HelpName = "FILE" };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "Show the output of the steps" };
        return Verbs.On(new Command("rerun", "Start a new run with the params of another") { run, parameters, paramsFile, runId, file, verbose }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller, StoreChoice.IsEnabled(cli.Caller), live: true);
            var old = RunArgument.Check(cli.Get(run));
            var workflow = await Definitions.OfRunAsync(cli, client, old, cli.Get(file));
            var overrides = Params.Read(cli.Get(parameters), cli.Get(paramsFile), cli.Caller);
            var facts = ProjectFacts.Gather(workflow.Source is { Folder: { } folder } ? cli.Caller with { Directory = folder } : cli.Caller, workflow);
            var start = new StartOptions { RunId = cli.Get(runId) is { } id ? RunArgument.Check(id) : null, Environment = facts.Environment, ProjectPath = facts.ProjectPath };
            var head = await client.FindAsync(old, cli.Stop) ?? throw new RunNotFoundException(old);
            if (head.Workflow != workflow.Name) throw new ResumeRefusedException(new Refusal(RefusalReason.OtherWorkflow, $"Run '{old}' is of workflow '{head.Workflow}', and '{workflow.Source?.Path}' is '{workflow.Name}' now.", "Start that one with 'pawl run', or name the run's own file with --file."));
            // It is no run of the schedule that made the other one.
            start = start with { Tags = head.Tags.Where(tag => tag.Key is not ("schedule" or "rerun_of")).Append(new("rerun_of", old)).ToDictionary(), Partition = head.Partition };
            return await new Pass(cli, client, workflow) { Verbose = cli.Get(verbose), MayAsk = cli.Caller.CanAsk && !cli.IsJson }
                .RunAsync(onEvent => client.RerunAsync(workflow, old, overrides, start with { OnEvent = onEvent }, cli.Stop));
        });
    }
}
