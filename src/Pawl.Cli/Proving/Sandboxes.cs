using Pawl.Cli.View;
using Pawl.Yaml;

namespace Pawl.Cli.Proving;

/// <summary>A file or link of a folder, relative to it.</summary>
readonly record struct Entry(string Path, FileSystemInfo Info);

/// <summary>The copies of the caller's folder: one that is made first and never changes, and one of that for each run.</summary>
sealed class Sandboxes
{
    /// <summary>More than this is copied too often to be meant.</summary>
    const long MostBytes = 1L << 30;
    const int MostFiles = 100_000;

    /// <summary>The folder of all proofs of this user, in the temporary folder, which may itself be in the folder that is copied.</summary>
    public static string RootName { get; } = $"pawl-prove-{Posix.EffectiveUser}";

    static readonly EnumerationOptions s_everything = new() { AttributesToSkip = 0, ReturnSpecialDirectories = false };

    readonly string _origin;
    readonly string _directory;
    readonly HashSet<string> _excluded;
    readonly Lazy<Dictionary<string, (long Length, long Ticks)>> _index;

    /// <param name="directory">The caller's folder.</param>
    /// <param name="origin">Where the first copy is, or will be.</param>
    /// <param name="exclude">Patterns of what is not copied.</param>
    public Sandboxes(string directory, string origin, IReadOnlyList<string> exclude)
    {
        (_directory, _origin) = (directory, origin);
        _excluded = exclude.Count == 0 ? [] : [.. Globs.Match(directory, exclude)];
        _index = new(() => Walk(_origin, []).Where(entry => entry.Info is FileInfo).ToDictionary(entry => entry.Path, entry => (((FileInfo)entry.Info).Length, entry.Info.LastWriteTimeUtc.Ticks)));
    }

    /// <summary>What the folder holds now, in a few words for a hash; what is too large is refused.</summary>
    /// <exception cref="UsageException">The folder is too large.</exception>
    public IEnumerable<string> Describe()
    {
        var (bytes, files) = (0L, 0);
        foreach (var (path, info) in Walk(_directory, _excluded).OrderBy(entry => entry.Path, StringComparer.Ordinal))
        {
            if (info is FileInfo file)
            {
                bytes += file.LinkTarget is null ? file.Length : 0;
                if (++files > MostFiles || bytes > MostBytes)
                    throw new UsageException($"'{_directory}' is too large to be copied for each point: more than {(files > MostFiles ? $"{MostFiles} files" : Human.Bytes(MostBytes))} (at '{path}'). Run 'pawl prove' in a smaller folder, or leave out what the steps do not need with 'prove: {{ exclude: [ … ] }}'.");
            }
            yield return $"{path} {(info as FileInfo)?.Length} {(info is FileInfo ? info.LastWriteTimeUtc.Ticks : 0)}";
        }
    }

    /// <summary>Makes the first copy, whole or not at all.</summary>
    public void MakeOrigin()
    {
        if (Directory.Exists(_origin)) return;
        Copy(_directory, $"{_origin}.new", _excluded);
        Directory.Move($"{_origin}.new", _origin);
    }

    public void MakeCopy(string target) => Copy(_origin, target, []);

    /// <summary>Whether the file is as in the first copy.</summary>
    public bool IsUntouched(string path, FileInfo file) => _index.Value.TryGetValue(path, out var known) && known == (file.Length, file.LastWriteTimeUtc.Ticks);

    /// <summary>Files of the first copy that match.</summary>
    public IReadOnlyList<string> Match(IReadOnlyList<string> patterns) => Globs.Match(_origin, patterns);

    static void Copy(string source, string target, HashSet<string> without)
    {
        Directory.CreateDirectory(target);
        foreach (var (path, info) in Walk(source, without))
        {
            var to = Path.Combine(target, path);
            if (info.LinkTarget is { } link) CopyLink(info, link, source, to);
            else if (info is DirectoryInfo) Directory.CreateDirectory(to);
            // Content, mode and times; a clone where the file system can. A pipe or a socket is nothing that a copy could hold.
            else if (Posix.IsRegular(info.FullName)) File.Copy(info.FullName, to);
        }
    }

    /// <summary>A link inside the folder leads to the copy; one that leads out leads to the same place as before.</summary>
    static void CopyLink(FileSystemInfo info, string link, string source, string to)
    {
        var whole = Path.GetFullPath(link, Path.GetDirectoryName(info.FullName)!);
        var inside = Path.GetRelativePath(source, whole) is var relative && !Path.IsPathRooted(relative) && !relative.StartsWith("..", StringComparison.Ordinal);
        File.CreateSymbolicLink(to, !inside ? whole : Path.IsPathRooted(link) ? Path.GetRelativePath(Path.GetDirectoryName(info.FullName)!, whole) : link);
    }

    static IEnumerable<Entry> Walk(string root, HashSet<string> without)
    {
        var open = new Stack<string>([""]);
        while (open.TryPop(out var folder))
        {
            foreach (var info in new DirectoryInfo(Path.Combine(root, folder)).EnumerateFileSystemInfos("*", s_everything))
            {
                var path = Path.Combine(folder, info.Name);
                // A .git that is a file leads to the repository of a worktree: steps in a copy would change that.
                if (info.Name == ".checkpoints" || info.Name == RootName || (info.Name == ".git" && info is FileInfo) || without.Contains(path)) continue;
                yield return new Entry(path, info);
                if (info is DirectoryInfo && info.LinkTarget is null) open.Push(path);
            }
        }
    }
}
