using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>The workflow of a run: one of the application's own, or the one that the run carries.</summary>
sealed class Definitions(PawlClient client, DashboardOptions options)
{
    public async Task<Workflow> OfAsync(RunHead head, CancellationToken stop) => await FindAsync(head, stop)
        ?? throw new BadRequestException($"Run '{head.RunId}' was made by a program whose workflow '{head.Workflow}' is not known here. Add it to DashboardOptions.Workflows, or resume it in that program.");

    public async Task<Workflow?> FindAsync(RunHead head, CancellationToken stop) =>
        Own(head) ?? (options.Definitions is { } parse && await client.DefinitionAsync(head.RunId, stop) is { } source ? parse(source) : null);

    /// <summary>Whether a run can be executed here; its definition may still turn out to be wrong.</summary>
    public bool Has(RunHead head, RunStory story) => Own(head) is not null || (options.Definitions is not null && story.Source is not null);

    Workflow? Own(RunHead head) =>
        options.Workflows.Where(workflow => workflow.Name == head.Workflow).MaxBy(workflow => workflow.Version == head.Version ? int.MaxValue : workflow.Version);
}
