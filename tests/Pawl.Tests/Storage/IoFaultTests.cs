using System.Text.RegularExpressions;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Every system call on the store's truth fails once, and from some point on: said clearly, nothing acknowledged lost, and the store goes on.</summary>
public sealed partial class IoFaultTests(ITestOutputHelper output) : FaultTests("script", s_paths)
{
    // Calls on views are left out: they may fail in silence (FileStoreViewsTests).
    static readonly string[] s_paths =
    [
        "", ".checkpoints", ".checkpoints/.gitignore", ".checkpoints/etl_1", ".checkpoints/etl_1/lock", ".checkpoints/etl_1/.journal.jsonl.tmp", ".checkpoints/etl_1/journal.jsonl",
        ".checkpoints/etl_1/inbox", ".checkpoints/etl_1/inbox/lock", ".checkpoints/etl_1/inbox/.00000001.approve.json.tmp", ".checkpoints/etl_1/inbox/00000001.approve.json",
        ".checkpoints/etl_1/payloads", $".checkpoints/etl_1/payloads/.{Subject.Script.Payload.Sha256}.tmp", $".checkpoints/etl_1/payloads/{Subject.Script.Payload.Sha256}",
        ".checkpoints/etl_2", ".checkpoints/etl_2/lock", ".checkpoints/etl_2/.journal.jsonl.tmp", ".checkpoints/etl_2/journal.jsonl", ".checkpoints/.trash-etl_2-1",
    ];

    // Every call that changes the disk; of those that look, which are many, every second: PAWL_ALL_FAULTS=1 tries all.
    static IEnumerable<int> Tried(string call, int calls) => Enumerable.Range(1, calls).Where(n => call is not ("openat" or "statx") || n % 2 == 0 || Environment.GetEnvironmentVariable("PAWL_ALL_FAULTS") is not null);

    [Theory]
    [InlineData("fdatasync", "EIO", "ENOSPC", "EDQUOT")]
    [InlineData("fsync", "EIO", "ENOSPC")]
    [InlineData("write", "EIO", "ENOSPC", "EDQUOT")]
    [InlineData("pwrite64", "EIO", "ENOSPC")]
    [InlineData("ftruncate", "EIO")]
    [InlineData("rename", "EIO", "ENOSPC")]
    [InlineData("mkdir", "EIO", "EDQUOT")]
    [InlineData("openat", "EIO", "EMFILE", "ENOSPC")]
    [InlineData("flock", "ENOLCK")]
    [InlineData("statx", "EIO")]
    public async Task Any_single_call_that_fails_is_said_and_the_next_try_succeeds(string call, params string[] errors)
    {
        var calls = await Count(call);
        Assert.True(calls > 0, $"the script makes no {call}");
        var silent = 0;
        // Three errors at each call would take long: they take turns, so that each call meets one and each error each kind of place.
        await Parallel.ForEachAsync(Tried(call, calls), new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token }, async (n, _) =>
        {
            var error = errors[(call is "openat" or "statx" ? n / 2 : n) % errors.Length];
            var (directory, lines, injected) = await Run(call, error, $"{n}");
            var where = $"{error} at {call} {n} ({injected}):\n{string.Join('\n', lines)}";
            Assert.NotNull(injected);
            var said = lines.Where(line => line.StartsWith("ERR ", StringComparison.Ordinal)).ToList();
            if (said.Count == 0) Interlocked.Increment(ref silent);
            Assert.All(said, line => Assert.True(Names().IsMatch(line), $"not clear: {line}\n{where}"));
            Assert.True(lines.Contains("DONE") && Acknowledged(lines).Count == 14, $"the second try failed: {where}");
            if (await Promise.Broken(directory, Acknowledged(lines), Expected(), deleting: true) is { } broken) Assert.Fail($"{broken}\n{where}");
        });
        output.WriteLine($"{call}: {calls} places, {silent} of them without consequence");
        // A failed flush of a commit, message, payload or name is never without consequence.
        if (call is "fdatasync" or "fsync" or "write" or "mkdir" or "rename") Assert.Equal(0, silent);
        // A lock that is not given up by word ends with its handle; one that cannot be taken is never passed over.
        if (call is "flock") Assert.InRange(silent, 0, calls / 2);
    }

    [Theory]
    [InlineData("fdatasync", "EIO")]
    [InlineData("fsync", "EIO")]
    [InlineData("write", "ENOSPC")]
    [InlineData("rename", "EROFS")]
    [InlineData("openat", "EACCES")]
    public async Task A_disk_that_fails_from_some_call_on_acknowledges_nothing_more_and_the_run_goes_on_when_it_is_well(string call, string error)
    {
        var calls = await Count(call);
        await Parallel.ForEachAsync(Tried(call, calls), new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token }, async (n, _) =>
        {
            var (directory, lines, injected) = await Run(call, error, $"{n}+");
            Assert.NotNull(injected);
            if (await Promise.Broken(directory, Acknowledged(lines), Expected(), deleting: true) is { } broken) Assert.Fail($"{broken}\n{error} from {call} {n} on:\n{string.Join('\n', lines)}");
            if (call == "fdatasync")
            {
                var first = lines.FindIndex(line => line.StartsWith("ERR", StringComparison.Ordinal));
                Assert.DoesNotContain(lines.Skip(first), line => line.StartsWith("ACK", StringComparison.Ordinal) && int.TryParse(line[4..], out var _));
            }
        });
        output.WriteLine($"{call}: {calls} places");
    }

    static List<string> Acknowledged(List<string> lines) => [.. lines.Where(line => line.StartsWith("ACK ", StringComparison.Ordinal)).Select(line => line[4..])];

    static List<Checkpoint> Expected()
    {
        using var directory = new StoreDirectory("/dev/shm");
        var script = new Subject.Script(directory.Root);
        script.Run(TextWriter.Null).GetAwaiter().GetResult();
        return script.Chain.Records;
    }

    [GeneratedRegex(@"(Input/output error|No space left|[Dd]isk quota|Too many open files|No locks available|Permission denied|Read-only).*|.*not committed.*|.*it exists.*")]
    private static partial Regex Names();
}
