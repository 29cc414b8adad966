using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Workflows that can be executed here: the application's own, those of files, and the one that a run carries.</summary>
sealed class Definitions(PawlClient client, DashboardOptions options, Workflow removal)
{
    /// <summary>One that can be started, or what keeps its file from it.</summary>
    public sealed record Known(Workflow? Workflow, string? Path, string? Problem);

    public async Task<Workflow> OfAsync(RunHead head, CancellationToken stop) => await FindAsync(head, stop)
        ?? throw new BadRequestException($"Run '{head.RunId}' was made by a program whose workflow '{head.Workflow}' is not known here. Add it to DashboardOptions.Workflows, or resume it in that program.");

    public async Task<Workflow?> FindAsync(RunHead head, CancellationToken stop) =>
        Own(head) ?? (options.Definitions is { } parse && await client.DefinitionAsync(head.RunId, stop) is { } source ? parse(source) : null);

    /// <summary>Whether a run can be executed here; its definition may still turn out to be wrong.</summary>
    public bool Has(RunHead head, RunStory story) => Own(head) is not null || (options.Definitions is not null && story.Source is not null);

    Workflow? Own(RunHead head) =>
        options.Workflows.Append(removal).Where(workflow => workflow.Name == head.Workflow).MaxBy(workflow => workflow.Version == head.Version ? int.MaxValue : workflow.Version);

    /// <summary>What can be started without a run before it. A file is read anew each time: it counts as it is now.</summary>
    public IEnumerable<Known> Startable() => options.Workflows.Select(workflow => new Known(workflow, workflow.Source?.Path, null)).Concat(options.Sources.Select(Read));

    public Workflow Named(string name)
    {
        var known = Startable().ToList();
        return known.Select(one => one.Workflow).OfType<Workflow>().Where(workflow => workflow.Name == name).MaxBy(workflow => workflow.Version)
            ?? throw new BadRequestException(known.Find(one => one.Problem is not null && one.Path is { } path && Path.GetFileNameWithoutExtension(path) == name)?.Problem
                ?? $"No workflow '{name}' is known here. Name its file to 'pawl ui', or add it to DashboardOptions.Workflows.");
    }

    Known Read(WorkflowSource source)
    {
        try { return new Known((options.Definitions ?? throw new BadRequestException("DashboardOptions.Sources needs DashboardOptions.Definitions, which makes workflows of them."))(source), source.Path, null); }
        catch (Exception error) when (error is PawlException or IOException or BadRequestException)
        {
            return new Known(null, source.Path, error.Message);
        }
    }
}
