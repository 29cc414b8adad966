namespace Pawl.Tests.Storage;

/// <summary>As <see cref="IoFaultTests"/>, for runs that commit together.</summary>
public sealed class GroupFaultTests(ITestOutputHelper output) : FaultTests("together", s_paths)
{
    static readonly string[] s_paths =
    [
        ".checkpoints", ".checkpoints/.group", ".checkpoints/.group/1", ".checkpoints/.group/2", ".checkpoints/.group/3", ".checkpoints/.group/lock",
        ".checkpoints/etl_1/journal.jsonl", ".checkpoints/etl_2/journal.jsonl", ".checkpoints/etl_3/journal.jsonl",
    ];

    // Each call fails in IoFaultTests; here, where many runs and threads multiply them, every fourth: PAWL_ALL_FAULTS=1 tries all.
    static readonly int s_stride = Environment.GetEnvironmentVariable("PAWL_ALL_FAULTS") is null ? 4 : 1;

    [Theory]
    [InlineData("fdatasync", "EIO", "ENOSPC")]
    [InlineData("fsync", "EIO")]
    [InlineData("write", "EIO", "ENOSPC", "EDQUOT")]
    [InlineData("mkdir", "EDQUOT")]
    [InlineData("openat", "EIO", "EMFILE", "ENOSPC")]
    [InlineData("unlink", "EIO")]
    [InlineData("flock", "ENOLCK")]
    [InlineData("statx", "EIO")]
    public async Task Any_single_call_that_fails_loses_nothing_that_any_of_them_was_told(string call, params string[] errors)
    {
        var (calls, places) = (await Count(call), 0);
        await Parallel.ForEachAsync(Tried(calls), new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token }, async (n, _) =>
        {
            var error = errors[n / s_stride % errors.Length];
            var (directory, lines, injected) = await Run(call, error, $"{n}");
            var where = $"{error} at {call} {n} ({injected}):\n{string.Join('\n', lines)}";
            // Each thread counts its own calls: the caller's and the writer's may both fail here, and high numbers none.
            if (injected is null) return;
            Interlocked.Increment(ref places);
            Assert.Contains("DONE", lines);
            if (await GroupScript.Broken(directory, Acknowledged(lines), await Expected()) is { } broken) Assert.Fail($"{broken}\n{where}");
        });
        output.WriteLine($"{call}: {calls} calls, {places} places");
        Assert.True(places > 0);
    }

    [Theory]
    [InlineData("fdatasync", "EIO")]
    [InlineData("write", "ENOSPC")]
    [InlineData("openat", "EACCES")]
    public async Task A_disk_that_fails_from_some_call_on_loses_nothing_that_any_of_them_was_told(string call, string error)
    {
        await Parallel.ForEachAsync(Tried(await Count(call)), new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token }, async (n, _) =>
        {
            var (directory, lines, injected) = await Run(call, error, $"{n}+");
            if (injected is null) return;
            if (await GroupScript.Broken(directory, Acknowledged(lines), await Expected()) is { } broken) Assert.Fail($"{broken}\n{error} from {call} {n} on:\n{string.Join('\n', lines)}");
        });
    }

    static IEnumerable<int> Tried(int calls) => Enumerable.Range(1, calls).Where(n => calls <= 6 || n % s_stride == 0);

    static List<string> Acknowledged(List<string> lines) => [.. lines.Where(line => line.StartsWith("ACK ", StringComparison.Ordinal)).Select(line => line[4..] == "deleted" ? "deleting" : line[4..]), "deleting"];

    static async Task<Dictionary<string, Chain>> Expected()
    {
        using var directory = new StoreDirectory("/dev/shm");
        var script = new GroupScript(directory.Root, TimeProvider.System);
        await script.Run(TextWriter.Null);
        return script.Chains;
    }
}
