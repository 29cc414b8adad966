namespace Pawl.Yaml;

/// <summary>Workflow files. Thread safe.</summary>
/// <remarks>A file is at most 1 MiB of UTF-8, nested at most 64 levels, without anchors, aliases, tags and double keys. Nothing in it is executed while it is read.</remarks>
public static class WorkflowFile
{
    /// <summary>Reads a workflow from a file.</summary>
    /// <param name="path">The file; a relative path begins at <paramref name="directory"/>.</param>
    /// <param name="directory">The folder in which commands run and where file patterns begin; null is the process's current one.</param>
    /// <exception cref="WorkflowFileException">The file cannot be read or has errors; all are listed with line and column.</exception>
    public static Workflow Load(string path, string? directory = null) => Parse(FileContext.ReadText(path, Full(directory)), path, directory);

    /// <summary>Reads a workflow from a text.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">Where it is from: for messages, and to find child workflows. The file is not read; it need not exist.</param>
    /// <param name="directory">As for <see cref="Load"/>.</param>
    /// <exception cref="WorkflowFileException">The text has errors; all are listed with line and column.</exception>
    public static Workflow Parse(string text, string? path = null, string? directory = null) => Parse(text, path, directory, Loading.Plain);

    /// <inheritdoc cref="Parse(string, string?, string?)"/>
    internal static Workflow Parse(string text, string? path, string? directory, Loading loading)
    {
        var file = FileContext.ForRoot(WithoutMark(text), path, Full(directory), loading);
        return WorkflowReader.Read(file) ?? throw new WorkflowFileException(file.Problems.Items);
    }

    /// <summary>Every problem of a text, errors and warnings, in the order of the file; empty when it is good.</summary>
    /// <param name="text">The text.</param>
    /// <param name="path">As for <see cref="Parse(string, string?, string?)"/>.</param>
    /// <param name="strict">Also warns about what is valid but suspicious: params that nothing uses, ids that hide others, outputs that no command seems to write.</param>
    /// <param name="directory">As for <see cref="Load"/>.</param>
    public static IReadOnlyList<WorkflowProblem> Check(string text, string? path = null, bool strict = false, string? directory = null) => Check(text, path, strict, directory, Loading.Plain);

    /// <inheritdoc cref="Check(string, string?, bool, string?)"/>
    internal static IReadOnlyList<WorkflowProblem> Check(string text, string? path, bool strict, string? directory, Loading loading)
    {
        var file = FileContext.ForRoot(WithoutMark(text), path, Full(directory), loading);
        _ = WorkflowReader.Read(file, strict);
        return file.Problems.Items;
    }

    /// <summary>As <see cref="Check(string, string?, bool, string?)"/>, for a file; one that cannot be read is a problem, too.</summary>
    public static IReadOnlyList<WorkflowProblem> CheckFile(string path, bool strict = false, string? directory = null)
    {
        try
        {
            return Check(FileContext.ReadText(path, Full(directory)), path, strict, directory);
        }
        catch (WorkflowFileException error)
        {
            return error.Problems;
        }
    }

    static string Full(string? directory) => Path.GetFullPath(directory ?? Directory.GetCurrentDirectory());

    static string WithoutMark(string text) => text.StartsWith('\uFEFF') ? text[1..] : text;
}
