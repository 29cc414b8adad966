using Microsoft.AspNetCore.Http;

namespace Pawl.Dashboard;

/// <summary>Settings of a dashboard.</summary>
public sealed record DashboardOptions
{
    /// <summary>Whose runs are shown. Null: the <see cref="PawlClient"/> of the application's services.</summary>
    public PawlClient? Client { get; init; }

    /// <summary>Workflows defined in code, so that their runs can be planned, resumed, run again and forked from the page.</summary>
    public IReadOnlyList<Workflow> Workflows { get; init; } = [];

    /// <summary>Makes a workflow of the definition that a run carries (<c>Pawl.Yaml</c>: <c>source => WorkflowFile.Parse(source.Text, source.Path)</c>).
    /// Null: runs of workflow files can be looked at, canceled and answered, not resumed.</summary>
    public Func<WorkflowSource, Workflow>? Definitions { get; init; }

    /// <summary>Workflow files that can be started from the page. <see cref="Definitions"/> reads each whenever it is needed, so that it counts as it is now. Those of <see cref="Workflows"/> can be started too.</summary>
    public IReadOnlyList<WorkflowSource> Sources { get; init; } = [];

    /// <summary>Nothing can be changed from the page. Default false.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Who asks, for the records of what was done. Default: the name of the signed-in user, else <c>web</c>.</summary>
    public Func<HttpContext, string> Actor { get; init; } = context => context.User.Identity?.Name ?? "web";

    /// <summary>How often a change is looked for while somebody watches. One read serves all who watch. Default 500 ms.</summary>
    public TimeSpan RefreshEvery { get; init; } = TimeSpan.FromMilliseconds(500);
}
