using System.Collections.Concurrent;
using System.Diagnostics;

namespace Pawl.Tests.Storage;

/// <summary>A script of a <see cref="Subject"/> in which single system calls are made to fail.</summary>
/// <param name="script">What the subject does.</param>
/// <param name="paths">The files whose calls count, from the folder of the store's root.</param>
public abstract class FaultTests(string script, string[] paths) : IDisposable
{
    readonly ConcurrentBag<StoreDirectory> _directories = [];

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        foreach (var directory in _directories) directory.Dispose();
    }

    /// <summary>How often the script makes a call on the paths that matter.</summary>
    protected async Task<int> Count(string call)
    {
        var file = Path.Join(Path.GetTempPath(), $"pawl-count-{Environment.ProcessId}-{Stopwatch.GetTimestamp()}");
        var directory = New();
        try
        {
            await Subject.Run(script, directory.Root, ["/usr/bin/strace", "-f", "-qq", "-y", .. Paths(directory).SelectMany(path => new[] { "-P", path }), "-e", $"trace={call}", "-e", "signal=none", "-o", file]);
            return (await File.ReadAllLinesAsync(file, Token)).Count(line => line.Contains($" {call}(", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>The script once, with the calls that <paramref name="when"/> names failing.</summary>
    private protected async Task<(StoreDirectory Directory, List<string> Lines, string? Injected)> Run(string call, string error, string when)
    {
        var directory = New();
        var (lines, injected) = await Trace.Inject(script, directory.Root, call, error, when, Paths(directory));
        return (directory, lines, injected);
    }

    StoreDirectory New()
    {
        var directory = new StoreDirectory();
        Directory.CreateDirectory(Path.GetDirectoryName(directory.Root)!);
        _directories.Add(directory);
        return directory;
    }

    IEnumerable<string> Paths(StoreDirectory directory) => paths.Select(path => Path.TrimEndingDirectorySeparator(Path.Join(Path.GetDirectoryName(directory.Root), path)));
}
