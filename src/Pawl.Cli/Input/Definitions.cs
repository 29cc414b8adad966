using Pawl.Yaml;

namespace Pawl.Cli.Input;

/// <summary>Workflows from files, and the one a run was made from.</summary>
static class Definitions
{
    public const string DefaultFile = "workflow.yaml";

    public static Workflow Load(string? file, Caller caller)
    {
        var path = caller.FullPath(file ?? DefaultFile);
        if (!File.Exists(path)) throw new UsageException(file is null
            ? $"There is no {DefaultFile} here. Name a file, or make a first one with 'pawl init'."
            : $"There is no file '{file}'.");
        return WorkflowFile.Parse(Files.Read("The workflow file", path, caller), path, caller.Directory);
    }

    /// <summary>The file that is named; else the file the run was made from, which may have been mended since; else the text stored with the run.</summary>
    public static async Task<Workflow> OfRunAsync(Cli cli, PawlClient client, string runId, string? file, bool stored = false)
    {
        if (file is not null) return Load(file, cli.Caller);
        var source = await client.DefinitionAsync(runId, cli.Stop)
            ?? throw new UsageException($"Run '{runId}' was started by a program, not from a workflow file. Resume it there, or name its file with --file.");
        if (!stored && source.Path is { } path && File.Exists(path)) return Load(path, cli.Caller);
        if (!stored && source.Path is not null) cli.Warn($"'{source.Path}' is gone: the definition stored with the run is used.");
        return WorkflowFile.Parse(source.Text, source.Path, cli.Caller.Directory);
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
