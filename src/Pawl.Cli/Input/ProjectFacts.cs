namespace Pawl.Cli.Input;

/// <summary>Facts about the surroundings that are stored with a run and compared by a resume. Files are read; nothing is started but what the workflow names under <c>tools</c>.</summary>
sealed record ProjectFacts(string ProjectPath, IReadOnlyDictionary<string, string> Environment)
{
    public static ProjectFacts Gather(Caller caller, Workflow? workflow = null)
    {
        var facts = new Dictionary<string, string>();
        var git = FindGit(caller.Directory);
        if (git is { } found)
        {
            var head = ReadLine(Path.Combine(found.Folder, "HEAD"));
            const string reference = "ref: ";
            if (head?.StartsWith(reference, StringComparison.Ordinal) == true)
            {
                var name = head[reference.Length..];
                facts["git_branch"] = name.StartsWith("refs/heads/", StringComparison.Ordinal) ? name["refs/heads/".Length..] : name;
                if (Commit(found.Folder, name) is { } commit) facts["git_commit"] = commit;
            }
            else if (head is { Length: >= 40 }) facts["git_commit"] = head;
        }
        facts["git_available"] = InPath("git", caller) ? "true" : "false";
        if (caller.Variable("SHELL") is { Length: > 0 } shell) facts["shell"] = shell;
        if (caller.Variable("BASH_VERSION") is { Length: > 0 } bash) facts["bash_version"] = bash;
        facts["host"] = System.Environment.MachineName;
        facts["user"] = System.Environment.UserName;
        facts["pawl_version"] = Cli.Version;
        if (workflow is not null) ToolVersions.AddTo(facts, workflow, caller);
        return new ProjectFacts(git?.Top ?? caller.Directory, facts);
    }

    /// <summary>The folder of the project that a folder belongs to.</summary>
    public static string TopOf(string folder) => FindGit(folder)?.Top ?? folder;

    public static bool InPath(string program, Caller caller) => Find(program, caller) is not null;

    public static string? Find(string program, Caller caller)
    {
        foreach (var folder in (caller.Variable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            var path = Path.Combine(folder, program);
            if (File.Exists(path)) return path;
            if (OperatingSystem.IsWindows() && File.Exists(path + ".exe")) return path + ".exe";
        }
        return null;
    }

    static (string Top, string Folder)? FindGit(string directory)
    {
        for (var folder = new DirectoryInfo(directory); folder is not null; folder = folder.Parent)
        {
            var git = Path.Combine(folder.FullName, ".git");
            if (Directory.Exists(git)) return (folder.FullName, git);
            // A worktree or submodule: the file names the real folder.
            if (ReadLine(git) is { } line && line.StartsWith("gitdir: ", StringComparison.Ordinal)) return (folder.FullName, Path.GetFullPath(line["gitdir: ".Length..], folder.FullName));
        }
        return null;
    }

    static string? Commit(string folder, string name)
    {
        var common = ReadLine(Path.Combine(folder, "commondir")) is { } shared ? Path.GetFullPath(shared, folder) : folder;
        // The name comes from a file: it may not lead out of the repository.
        if (name.Contains("..", StringComparison.Ordinal) || Path.IsPathRooted(name)) return null;
        if ((ReadLine(Path.Combine(folder, name)) ?? ReadLine(Path.Combine(common, name))) is { } loose) return loose;
        try
        {
            var packed = Path.Combine(common, "packed-refs");
            if (!File.Exists(packed)) return null;
            foreach (var line in File.ReadLines(packed))
                if (line.Length > 41 && line.AsSpan(41).SequenceEqual(name)) return line[..40];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException) { }
        return null;
    }

    static string? ReadLine(string path)
    {
        try
        {
            if (!File.Exists(path)) return null;
            using var reader = File.OpenText(path);
            return reader.ReadLine()?.Trim();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
