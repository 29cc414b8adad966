using System.Security.Cryptography;
using System.Text;

namespace Pawl;

/// <summary>A declared parameter of a workflow.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">string, number, integer, boolean, list, object or secret.</param>
/// <param name="Default">Raw JSON of the default; null is none.</param>
/// <param name="Required">A run without it is refused.</param>
public sealed record WorkflowParam(string Name, string Type = "string", RawJson? Default = null, bool Required = false)
{
    /// <summary>The only values allowed, as text; null allows all.</summary>
    public IReadOnlyList<string>? Allowed { get; init; }

    /// <summary>For a secret: the environment variable it is read from. A secret's value is never stored.</summary>
    public string? EnvironmentVariable { get; init; }

    /// <summary>For people.</summary>
    public string? Description { get; init; }
}

/// <summary>The text a workflow was made from, stored with each run so that any process can go on with it.</summary>
/// <param name="Format">For example <c>yaml</c>.</param>
/// <param name="Path">Where it was read; null when it was not a file.</param>
/// <param name="Text">The text itself.</param>
public sealed record WorkflowSource(string Format, string? Path, string Text)
{
    /// <summary>The folder that its commands run in, whole: of a run's source the one the run was started in. Null is not told, and so it is for a run of a queue: a worker runs it in its own.</summary>
    public string? Folder { get; init; }
}

/// <summary>What an author defines: a name, params and a graph of steps. Immutable and thread safe; one definition serves any number of runs.</summary>
public sealed class Workflow
{
    internal Workflow(string name, int version, string? description, IReadOnlyList<WorkflowParam> parameters,
        IReadOnlyList<Step> steps, WorkflowOptions options, WorkflowSource? source, IReadOnlyList<Migration> migrations)
    {
        Name = name;
        Version = version;
        Description = description;
        Params = parameters;
        Steps = steps;
        Options = options;
        Source = source;
        Migrations = migrations;
        var text = new StringBuilder().Append(name).Append('\n').Append(version).Append('\n');
        foreach (var step in steps) step.Describe(text, 0);
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, 16));
    }

    /// <summary>Names the workflow in stores and run ids.</summary>
    public string Name { get; }

    /// <summary>The author's version, from 1.</summary>
    public int Version { get; }

    /// <summary>For people.</summary>
    public string? Description { get; }

    /// <summary>Declared params. A workflow that declares none accepts any.</summary>
    public IReadOnlyList<WorkflowParam> Params { get; }

    /// <summary>The steps in the order of their definition.</summary>
    public IReadOnlyList<Step> Steps { get; }

    /// <summary>What holds for all steps.</summary>
    public WorkflowOptions Options { get; }

    /// <summary>The text it was made from, or null for code.</summary>
    public WorkflowSource? Source { get; }

    /// <summary>How runs of earlier versions are brought to this one when they are resumed. Without any, versions are not compared.</summary>
    public IReadOnlyList<Migration> Migrations { get; }

    /// <summary>A hash of names, needs and step fingerprints; stored with each run.</summary>
    public string Fingerprint { get; }

    /// <summary>Begins a graph of steps.</summary>
    public static WorkflowBuilder Create(string name, int version = 1) => new(name, version);

    /// <summary>An imperative workflow: one body whose sub-steps (<see cref="StepContext.StepAsync{T}(string, Func{StepContext, Task{T}}, StepOptions?)"/>) are journalled.</summary>
    public static Workflow Define(string name, Func<StepContext, Task> body) =>
        Define<object?>(name, async ctx => { await body(ctx); return null; });

    /// <summary>An imperative workflow that returns a value: the output of its one step, which bears the workflow's name.</summary>
    public static Workflow Define<T>(string name, Func<StepContext, Task<T>> body)
    {
        var builder = Create(name);
        builder.Step(RunIds.ToStepId(name), body);
        return builder.Build();
    }

    /// <summary>The step with this path among the defined ones (<c>group/child</c>), or null.</summary>
    public Step? Find(string path)
    {
        var steps = Steps;
        Step? found = null;
        foreach (var part in path.Split('/'))
        {
            found = steps.FirstOrDefault(step => step.Id == part);
            if (found is null) return null;
            steps = found.Children;
        }
        return found;
    }
}
