namespace Pawl.Tests.Docs;

/// <summary>The work tree that the tests were built from.</summary>
static class Repository
{
    static readonly string[] s_notOurs = [".git", "artifacts", "build", "bin", "obj", "node_modules", ".checkpoints"];

    public static string Root { get; } = FindRoot();

    /// <summary>Files below the root, relative to it with '/', without build output.</summary>
    public static IEnumerable<string> Files(string pattern) => Directory
        .EnumerateFiles(Root, pattern, new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
        .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
        .Where(path => !path.Split('/').Any(s_notOurs.Contains))
        .Order(StringComparer.Ordinal);

    static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Pawl.slnx"))) return folder.FullName;
        throw new InvalidOperationException($"No folder above '{AppContext.BaseDirectory}' holds Pawl.slnx.");
    }
}
