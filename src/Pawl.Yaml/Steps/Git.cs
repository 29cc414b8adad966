using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Pawl.Yaml;

/// <summary>Asks the git program, without a shell and without anything that a repository's own settings could start.</summary>
internal static class Git
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>What git printed, or why it did not.</summary>
    internal readonly record struct Answer(string? Output, string? Problem);

    /// <summary>The branch or commit of a folder, or null when there is none.</summary>
    public static string? Describe(string directory, string what)
    {
        string[] words = what == "branch" ? ["symbolic-ref", "--quiet", "--short", "HEAD"] : ["rev-parse", "--verify", "--quiet", "HEAD"];
        // Expressions are evaluated at once; on another thread this cannot wait for a scheduler that waits for it.
        var answer = Task.Run(() => AskAsync(directory, words, TimeProvider.System, CancellationToken.None)).GetAwaiter().GetResult();
        return answer.Output?.Trim() is { Length: > 0 } text ? text : null;
    }

    /// <param name="directory">Where.</param>
    /// <param name="words">The subcommand and its arguments, none of them from a user.</param>
    /// <param name="time">For the limit of a minute.</param>
    /// <param name="cancellationToken">Stops asking.</param>
    public static async Task<Answer> AskAsync(string directory, string[] words, TimeProvider time, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("git") { WorkingDirectory = directory, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 };
        foreach (var word in (string[])["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", .. words]) start.ArgumentList.Add(word);
        start.Environment["GIT_TERMINAL_PROMPT"] = "0";
        start.Environment["LC_ALL"] = "C";
        using var limit = new CancellationTokenSource(Patience, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception) { return new(null, "the program 'git' is not there"); }
        using (process)
        {
            try
            {
                process.StandardInput.Close();
                var errors = process.StandardError.ReadToEndAsync(linked.Token);
                var output = await process.StandardOutput.ReadToEndAsync(linked.Token);
                await process.WaitForExitAsync(linked.Token);
                if (process.ExitCode == 0) return new(output, null);
                var said = (await errors).Split('\n')[0].Replace("fatal: ", "", StringComparison.Ordinal).Trim();
                return new(null, said.Length == 0 ? $"'git {words[0]}' ended with {process.ExitCode}" : YamlReader.Printable(said));
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                cancellationToken.ThrowIfCancellationRequested();
                return new(null, $"'git {words[0]}' took longer than {Patience.TotalSeconds} s");
            }
        }
    }
}

/// <summary>Which files git shows as changed, of those that patterns name.</summary>
internal sealed class GitChanges
{
    readonly StepContext _context;
    readonly string _directory;
    readonly string _prefix;
    readonly List<Glob> _globs;
    readonly IReadOnlyList<string> _dirty;

    GitChanges(StepContext context, string directory, string prefix, List<Glob> globs, IReadOnlyList<string> dirty, GitState? state, string? problem)
    {
        (_context, _directory, _prefix, _globs, _dirty) = (context, directory, prefix, globs, dirty);
        (State, Problem) = (state, problem);
    }

    /// <summary>The commit now; null when <see cref="Problem"/> says why it is not known.</summary>
    public GitState? State { get; }

    public string? Problem { get; }

    public static async Task<GitChanges> LookAsync(StepContext context, string directory, IReadOnlyList<string> patterns)
    {
        var globs = patterns.Select(Glob.Parse).ToList();
        var place = await Ask("rev-parse", "--show-prefix");
        var head = place.Problem is null ? await Ask("rev-parse", "--verify", "HEAD") : place;
        var status = head.Problem is null ? await Ask("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--") : head;
        if (status.Problem is { } problem) return new(context, directory, "", globs, [], null, problem);
        var prefix = place.Output!.TrimEnd('\n');
        var dirty = Match(StatusPaths(status.Output!), prefix, globs);
        return new(context, directory, prefix, globs, dirty, new GitState(head.Output!.Trim(), dirty.Count == 0), null);

        Task<Git.Answer> Ask(params string[] words) => Git.AskAsync(directory, words, context.Time, context.CancellationToken);
    }

    /// <summary>What changed since a recorded state; empty when nothing did.</summary>
    public async Task<IReadOnlyList<string>> SinceAsync(GitState? before)
    {
        if (_dirty.Count > 0) return [.. _dirty.Select(path => $"{path} has uncommitted changes")];
        if (before is null) return ["its last success recorded no commit"];
        if (!before.Clean) return ["its last success had uncommitted changes"];
        if (before.Commit == State!.Commit) return [];
        // The record is data: only what is a commit's name goes near a command line.
        if (before.Commit.Length is not (40 or 64) || !before.Commit.All(char.IsAsciiHexDigitLower)) return ["its last success recorded no valid commit"];
        var answer = await Git.AskAsync(_directory, ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", before.Commit, State.Commit, "--"], _context.Time, _context.CancellationToken);
        if (answer.Problem is { } problem) return [$"git cannot compare with commit {before.Commit[..8]}: {problem}"];
        return [.. Match(answer.Output!.Split('\0', StringSplitOptions.RemoveEmptyEntries), _prefix, _globs).Select(path => $"{path} changed since commit {before.Commit[..8]}")];
    }

    // "1 XY … path", "u XY … path", "? path"; without renames every record has one path at its end.
    static IEnumerable<string> StatusPaths(string status)
    {
        foreach (var record in status.Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = record[0] switch { '1' => 8, 'u' => 10, '?' => 1, _ => 0 };
            var at = 0;
            for (var i = 0; i < fields; i++) at = record.IndexOf(' ', at) + 1;
            if (fields > 0) yield return record[at..].TrimEnd('/');
        }
    }

    /// <summary>Paths of the repository that lie in the folder and match; the last pattern that matches decides.</summary>
    static List<string> Match(IEnumerable<string> paths, string prefix, List<Glob> globs)
    {
        var found = new List<string>();
        foreach (var path in paths.Where(path => path.StartsWith(prefix, StringComparison.Ordinal)).Select(path => path[prefix.Length..]))
        {
            var names = path.Split('/');
            if (names.Contains(".checkpoints")) continue;
            for (var i = globs.Count - 1; i >= 0; i--)
            {
                if (!Accepts(globs[i], names)) continue;
                if (!globs[i].IsNegated) found.Add(path);
                break;
            }
        }
        return found;
    }

    static bool Accepts(Glob glob, string[] names)
    {
        var place = glob.Start;
        for (var i = 0; i < names.Length; i++)
        {
            if (i > 0) place = glob.Enter(place);
            place = glob.Read(place, names[i]);
        }
        return Glob.Accepts(place);
    }
}
