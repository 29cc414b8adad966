namespace Pawl.Yaml;

/// <summary>A workflow file while it is read, and where its steps run.</summary>
internal sealed class FileContext
{
    // A chain of files longer than this is a mistake even without a circle.
    const int MaxChain = 16;

    readonly IReadOnlyList<string> _chain;
    readonly string? _root;

    FileContext(string text, string? path, string directory, Loading loading, IReadOnlyList<string> chain, string? root)
    {
        Loading = loading;
        Text = text;
        Path = path;
        Directory = directory;
        Problems = new ProblemList(path, text);
        var full = path is null ? null : System.IO.Path.GetFullPath(path, directory);
        Folder = System.IO.Path.GetDirectoryName(full);
        _chain = full is null ? chain : [.. chain, full];
        _root = root ?? Folder;
    }

    public static FileContext ForRoot(string text, string? path, string directory, Loading loading) => new(text, path, directory, loading, [], null);

    public Loading Loading { get; }

    public string Text { get; }

    public string? Path { get; }

    /// <summary>The folder the run was started in: commands and file patterns begin here.</summary>
    public string Directory { get; }

    /// <summary>The folder of the file.</summary>
    public string? Folder { get; }

    public ProblemList Problems { get; }

    public IReadOnlyList<WorkflowParam> Params { get; set; } = [];

    /// <summary>A step of it is a fleet of agents.</summary>
    public bool HasFleet { get; set; }

    /// <summary>The workflow that a <c>workflow:</c> step names, or null when it cannot be had.</summary>
    public Workflow? LoadChild(YamlScalar name)
    {
        if (FindChild(name) is not { } path) return null;
        try
        {
            var child = new FileContext(ReadText(path, Directory), Shorten(path), Directory, Loading, _chain, _root);
            if (WorkflowReader.Read(child) is { } workflow) return workflow;
            Problems.Error(name, $"The workflow file '{name.Value}' has errors.", "They are listed below.");
            Problems.AddFrom(child.Problems.Items);
        }
        catch (WorkflowFileException error)
        {
            Problems.Error(name, $"The workflow file '{name.Value}' cannot be used: {error.Problems[0].Message}", error.Problems[0].Hint);
        }
        return null;
    }

    string? FindChild(YamlScalar name)
    {
        if (Folder is null || _root is null) return Refuse("A child workflow is found relative to its parent's file, and this text is not from a file.");
        if (name.Value.Contains("${{", StringComparison.Ordinal)) return Refuse("The file of a child workflow cannot be computed.", "Name each file, and let 'if' or 'choose' decide.");
        if (name.Value.Contains('\0') || System.IO.Path.IsPathRooted(name.Value)) return Refuse("The file of a child workflow is named relative to this file.");
        var path = System.IO.Path.GetFullPath(System.IO.Path.Combine(Folder, name.Value));
        var inside = System.IO.Path.GetRelativePath(_root, path);
        if (inside.Split('/', '\\')[0] == ".." || System.IO.Path.IsPathRooted(inside)) return Refuse($"'{name.Value}' is outside of the project's folder '{_root}'.", "A child workflow lives in the folder of the workflow that is started, or below it.");
        if (_chain.Contains(path)) return Refuse($"Workflow files call each other in a circle: {string.Join(" -> ", _chain.SkipWhile(one => one != path).Append(path).Select(System.IO.Path.GetFileName))}.");
        if (_chain.Count > MaxChain) return Refuse($"Workflow files call each other more than {MaxChain} deep.");
        for (var part = path; part.Length > _root.Length; part = System.IO.Path.GetDirectoryName(part)!)
            if (new FileInfo(part).LinkTarget is not null) return Refuse($"'{System.IO.Path.GetRelativePath(_root, part)}' is a symbolic link, which could lead out of the project's folder.");
        if (!File.Exists(path)) return Refuse($"There is no workflow file '{name.Value}' beside this one.");
        return path;

        string? Refuse(string message, string? hint = null)
        {
            Problems.Error(name, message, hint);
            return null;
        }
    }

    /// <summary>A child is shown as its parent is: relative when the parent's path is.</summary>
    string Shorten(string path) => System.IO.Path.IsPathRooted(Path!) ? path : System.IO.Path.GetRelativePath(Directory, path);

    /// <summary>The text of a file, at most one byte more than is allowed.</summary>
    /// <exception cref="WorkflowFileException">It cannot be read, or is not text in UTF-8.</exception>
    public static string ReadText(string path, string directory)
    {
        try
        {
            using var stream = Posix.OpenRead(System.IO.Path.GetFullPath(path, directory));
            var bytes = new byte[YamlReader.MaxBytes + 4];
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return YamlReader.Decode(bytes.AsSpan(0, length), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new WorkflowFileException([new WorkflowProblem(path, 0, 0, $"The workflow file cannot be read: {error.Message}", "'pawl init' writes a first one.")]);
        }
    }

    public static ShellKind ShellOf(string? name) => name switch { "sh" => ShellKind.Sh, "pwsh" => ShellKind.Pwsh, _ => ShellKind.Bash };

    /// <summary>Why a working directory cannot be used, or null.</summary>
    public static string? WhyNoDirectory(string directory)
    {
        if (directory.Contains('\0') || System.IO.Path.IsPathRooted(directory)) return "'working_directory' is relative to the folder the run was started in.";
        var depth = 0;
        foreach (var part in directory.Split('/', '\\'))
        {
            if (part is "" or ".") continue;
            depth += part == ".." ? -1 : 1;
            if (depth < 0) return "'working_directory' leads out of the folder the run was started in.";
        }
        return null;
    }

    /// <summary>Why an environment variable cannot be set, or null.</summary>
    public static string? WhyNoVariable(string name)
    {
        if (!name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_') || name.Length == 0 || char.IsAsciiDigit(name[0]))
            return $"'{YamlReader.Printable(name)}' is not the name of an environment variable: use letters, digits and '_'.";
        return name.StartsWith("PAWL_", StringComparison.OrdinalIgnoreCase) ? $"'{name}' is reserved: variables that begin with PAWL_ are set by pawl." : null;
    }
}
