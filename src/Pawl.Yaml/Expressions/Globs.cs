using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;

namespace Pawl.Yaml;

/// <summary>File patterns: <c>*</c> and <c>?</c> inside a name, <c>**</c> over folders, <c>{a,b}</c>, and <c>!pattern</c> takes out again what earlier
/// patterns put in. A pattern that names a folder means everything in it. Names are compared exactly; hidden files count like others.</summary>
/// <remarks>Symbolic links are not followed and not listed; <c>.git</c> and <c>.checkpoints</c> are never entered, because they change with every run.</remarks>
internal static class Globs
{
    static readonly EnumerationOptions s_everything = new() { AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false };

    /// <summary>The files below a folder that match, as relative paths with <c>/</c>, sorted by code unit.</summary>
    /// <exception cref="FormatException">A pattern is not valid or points out of the folder.</exception>
    /// <exception cref="IOException">A folder could not be read.</exception>
    public static IReadOnlyList<string> Match(string baseDirectory, IReadOnlyList<string> patterns)
    {
        var globs = patterns.Select(Glob.Parse).ToList();
        List<string> found = [];
        Walk(baseDirectory, "", globs, [.. globs.Select(glob => glob.Start)], found);
        found.Sort(string.CompareOrdinal);
        return found;
    }

    /// <summary>SHA-256 in lower-case hex over path and content of every match; empty when nothing matches.</summary>
    /// <exception cref="FormatException">A pattern is not valid or points out of the folder.</exception>
    /// <exception cref="IOException">A file or folder could not be read.</exception>
    public static string Hash(string baseDirectory, IReadOnlyList<string> patterns)
    {
        var files = Match(baseDirectory, patterns);
        if (files.Count == 0) return "";
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files)
        {
            // A zero byte cannot be part of a path, so no two lists of files give the same bytes.
            hash.AppendData(Encoding.UTF8.GetBytes(file + '\0'));
            hash.AppendData(HashFile(Path.Combine(baseDirectory, file)));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    static byte[] HashFile(string path)
    {
        using var stream = Posix.OpenRead(path);
        return SHA256.HashData(stream);
    }

    static void Walk(string directory, string prefix, List<Glob> globs, Glob.Place[] places, List<string> found)
    {
        var entries = new FileSystemEnumerable<(string Name, bool IsDirectory)>(directory, (ref FileSystemEntry entry) => (entry.FileName.ToString(), entry.IsDirectory), s_everything)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        foreach (var (name, isDirectory) in entries)
        {
            Glob.Place[] here = [.. globs.Select((glob, i) => glob.Read(places[i], name))];
            if (!isDirectory)
            {
                if (Includes(globs, here)) found.Add(prefix + name);
                continue;
            }
            if (name is ".git" or ".checkpoints") continue;
            Glob.Place[] inside = [.. globs.Select((glob, i) => glob.Enter(here[i]))];
            if (globs.Where((glob, i) => !glob.IsNegated && inside[i].CanMatch).Any())
                Walk(Path.Combine(directory, name), $"{prefix}{name}/", globs, inside, found);
        }
    }

    // The last pattern that matches decides.
    static bool Includes(List<Glob> globs, Glob.Place[] places)
    {
        for (var i = globs.Count - 1; i >= 0; i--)
        {
            if (Glob.Accepts(places[i])) return !globs[i].IsNegated;
        }
        return false;
    }
}
