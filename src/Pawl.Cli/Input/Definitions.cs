using Pawl.Cli.Agents;
using Pawl.Yaml;

namespace Pawl.Cli.Input;

/// <summary>Workflows from files, and the one a run was made from.</summary>
static class Definitions
{
    public const string DefaultFile = "workflow.yaml";

    public static Workflow Load(string? file, Cli cli)
    {
        var path = cli.Caller.FullPath(file ?? DefaultFile);
        if (!File.Exists(path)) throw new UsageException(file is null
            ? $"There is no {DefaultFile} here. Name a file, or make a first one with 'pawl init'."
            : $"There is no file '{file}'.");
        cli.WorkflowPath ??= path;
        return Parse(Files.Read("The workflow file", path, cli.Caller), path, cli);
    }

    /// <summary>A text from a file, under the configuration beside it.</summary>
    public static Workflow Parse(string text, string? path, Cli cli)
    {
        var loading = Loading(path, cli);
        var workflow = WorkflowFile.Parse(text, path, cli.Caller.Directory, loading);
        return With(workflow, loading.Configuration.Over(workflow.Options));
    }

    // The assemblies of agents are loaded when a step of them begins, not before.
    public static Loading Loading(string? path, Cli cli) => new(cli.Configuration(path), call => AgentSteps.RunAsync(call, cli.AgentListener), cli.StreamsAgents);

    /// <summary>The file that is named; else the file the run was made from, which may have been mended since; else the text stored with the run.</summary>
    public static async Task<Workflow> OfRunAsync(Cli cli, PawlClient client, string runId, string? file, bool stored = false)
    {
        if (file is not null) return Load(file, cli);
        var source = await client.DefinitionAsync(runId, cli.Stop)
            ?? throw new UsageException($"Run '{runId}' was started by a program, not from a workflow file. Resume it there, or name its file with --file.");
        if (!stored && source.Path is { } path && File.Exists(path)) return Load(path, cli);
        if (!stored && source.Path is not null) cli.Warn($"'{source.Path}' is gone: the definition stored with the run is used.");
        return Parse(source.Text, source.Path, cli);
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
