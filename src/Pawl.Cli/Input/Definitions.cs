using Pawl.Cli.Agents;
using Pawl.Yaml;

namespace Pawl.Cli.Input;

/// <summary>Workflows from files, and the one a run was made from.</summary>
static class Definitions
{
    public const string DefaultFile = "workflow.yaml";

    /// <param name="file">The file; null is the default one.</param>
    /// <param name="cli">The call.</param>
    /// <param name="folder">Where its steps run; null is where the command is called.</param>
    public static Workflow Load(string? file, Cli cli, string? folder = null)
    {
        var path = cli.Caller.FullPath(file ?? DefaultFile);
        if (!File.Exists(path)) throw new UsageException(file is null
            ? $"There is no {DefaultFile} here. Name a file, or make a first one with 'pawl init'."
            : $"There is no file '{file}'.");
        cli.WorkflowPath ??= path;
        return Parse(Files.Read("The workflow file", path, cli.Caller), path, cli, folder);
    }

    /// <summary>A text from a file, under the configuration beside it.</summary>
    public static Workflow Parse(string text, string? path, Cli cli, string? folder = null)
    {
        var loading = Loading(path, cli);
        var workflow = WorkflowFile.Parse(text, path, folder ?? cli.Caller.Directory, loading);
        return With(workflow, loading.Configuration.Over(workflow.Options));
    }

    // The assemblies of agents are loaded when a step of them begins, not before.
    public static Loading Loading(string? path, Cli cli) => new(cli.Configuration(path), call => AgentSteps.RunAsync(call, cli.AgentListener), cli.StreamsAgents);

    /// <summary>The file that is named; else the file the run was made from, which may have been mended since; else the text stored with the run. Its steps run where the run was started.</summary>
    public static async Task<Workflow> OfRunAsync(Cli cli, PawlClient client, string runId, string? file, bool stored = false, bool moved = false)
    {
        var source = await client.DefinitionAsync(runId, cli.Stop);
        var folder = FolderOf(cli, source, moved);
        if (file is not null) return Load(file, cli, folder);
        if (source is null) throw new UsageException($"Run '{runId}' was started by a program, not from a workflow file. Resume it there, or name its file with --file.");
        if (!stored && source.Path is { } path && File.Exists(path)) return Load(path, cli, folder);
        if (!stored && source.Path is not null) cli.Warn($"'{source.Path}' is gone: the definition stored with the run is used.");
        return Parse(source.Text, source.Path, cli, folder);
    }

    /// <summary>The folder the run was started in; the caller's when that one is not here, or when the project has moved.</summary>
    static string FolderOf(Cli cli, WorkflowSource? source, bool moved)
    {
        var here = cli.Caller.Directory;
        if (source?.Folder is not { } folder || (moved && ProjectFacts.TopOf(folder) != ProjectFacts.TopOf(here))) return here;
        if (Directory.Exists(folder)) return folder;
        cli.Warn($"The run was started in '{folder}', which is not here: its steps run in '{here}'.");
        return here;
    }

    /// <summary>The same workflow under other options. Steps, and so the fingerprint, stay.</summary>
    public static Workflow With(Workflow workflow, WorkflowOptions options)
    {
        if (options == workflow.Options) return workflow;
        var builder = Workflow.Create(workflow.Name, workflow.Version).Options(options);
        if (workflow.Description is { } description) builder.Describe(description);
        if (workflow.Source is { } source) builder.Source(source);
        foreach (var (from, to, change) in workflow.Migrations) builder.Migrate(from, to, change);
        foreach (var param in workflow.Params) builder.Param(param);
        foreach (var step in workflow.Steps) builder.Add(step);
        return builder.Build();
    }

    /// <summary>Steps with what they come after, for graphs.</summary>
    public static List<(string Id, IReadOnlyList<string> Before)> Edges(Workflow workflow) =>
        [.. workflow.Steps.Select(step => (step.Id, (IReadOnlyList<string>)[.. step.Needs.Union(step.After)]))];
}
