using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>The workflow of a run: one of the application's own, or the one that the run carries.</summary>
sealed class Definitions(PawlClient client, DashboardOptions options)
{
    public async Task<Workflow> OfAsync(RunHead head, CancellationToken stop) => await FindAsync(head, stop)
        ?? throw new BadRequestException($"Run '{head.RunId}' was made by a program whose workflow '{head.Workflow}' is not known here. Add it to DashboardOptions.Workflows, or resume it in that program.");

    public async Task<Workflow?> FindAsync(RunHead head, CancellationToken stop)
    {
        if (options.Workflows.Where(workflow => workflow.Name == head.Workflow).MaxBy(workflow => workflow.Version == head.Version ? int.MaxValue : workflow.Version) is { } own) return own;
        return options.Definitions is { } parse && await client.DefinitionAsync(head.RunId, stop) is { } source ? parse(source) : null;
    }
}
