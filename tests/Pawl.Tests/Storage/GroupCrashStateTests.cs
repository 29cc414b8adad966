using System.Diagnostics;

namespace Pawl.Tests.Storage;

/// <summary>As <see cref="CrashStateTests"/>, for runs that commit together, and for those who take over from a dead process.</summary>
public sealed class GroupCrashStateTests(ITestOutputHelper output) : IDisposable
{
    static readonly SemaphoreSlim s_recording = new(1);
    static List<DiskOp>? s_ops;

    readonly StoreDirectory _states = new("/dev/shm");

    public void Dispose() => _states.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    static async Task<List<DiskOp>> Record()
    {
        await s_recording.WaitAsync(Token);
        try
        {
            if (s_ops is not null) return s_ops;
            using var recorded = new StoreDirectory();
            Directory.CreateDirectory(Path.GetDirectoryName(recorded.Root)!);
            return s_ops = await Trace.Record("together", recorded.Root);
        }
        finally
        {
            s_recording.Release();
        }
    }

    static async Task<Dictionary<string, Chain>> Expected(bool takeOver = false)
    {
        using var directory = new StoreDirectory("/dev/shm");
        var script = new GroupScript(directory.Root, TimeProvider.System);
        if (!takeOver)
        {
            await script.Run(TextWriter.Null);
            return script.Chains;
        }
        await script.Begin(TextWriter.Null);
        foreach (var run in new[] { "etl_1", "etl_2" })
        {
            script.Chains[run].Add(Chain.Resumed(2));
            script.Chains[run].Add(Chain.Step("load"));
        }
        return script.Chains;
    }

    async Task<List<string>> Search(List<DiskOp> ops, DiskModel disk, Dictionary<string, Chain> expected, bool stopAtFirst = false)
    {
        var clock = Stopwatch.StartNew();
        var (combinations, distinct, violations) = await CrashSearch.Run(ops, disk, _states, stopAtFirst, acknowledged => GroupScript.Broken(_states, acknowledged, expected), most: 24);
        output.WriteLine($"{ops.Count} operations, {combinations} combinations, {distinct} distinct states in {clock.Elapsed.TotalSeconds:F1} s{(violations.Count > 0 ? $": {violations[0]}" : "")}");
        return violations;
    }

    [Fact]
    public async Task After_every_legal_loss_of_power_what_several_runs_were_told_together_is_there_for_each()
    {
        var ops = await Record();
        Assert.Equal(20, ops.Count(op => op.Call == "ack"));
        Assert.Equal(5, ops.Count(op => op is { Call: "flush", Path: ".checkpoints/.group/1" or ".checkpoints/.group/2" }));
        Assert.Empty(await Search(ops, new DiskModel(), await Expected()));
    }

    [Theory]
    [InlineData("a group", ".checkpoints/.group/1")]
    [InlineData("the names of group files", ".checkpoints/.group")]
    [InlineData("a journal", ".checkpoints/etl_1/journal.jsonl")]
    public async Task A_flush_of_a_group_that_is_left_out_is_found(string what, string path)
    {
        var ops = await Record();
        var planted = ops.Where(op => op.Call != "flush" || op.Path != path).ToList();
        Assert.True(planted.Count < ops.Count, $"the store never flushes {what}");
        Assert.NotEmpty(await Search(planted, new DiskModel(), await Expected(), stopAtFirst: true));
    }

    [Fact]
    public async Task A_group_file_that_goes_before_the_journals_are_flushed_is_found()
    {
        var ops = (await Record()).ToList();
        var gone = ops.Find(op => op.Call == "unlink" && op.Path.EndsWith(".group/2", StringComparison.Ordinal))!;
        var group = ops.FindLastIndex(op => op is { Call: "flush", Path: ".checkpoints/.group/2" });
        ops.Remove(gone);
        ops.InsertRange(group + 2, [gone, new DiskOp("flush", ".checkpoints/.group")]);
        Assert.NotEmpty(await Search(ops, new DiskModel(), await Expected(), stopAtFirst: true));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whoever_takes_over_from_a_dead_process_loses_nothing_to_a_loss_of_power(bool journalsAreLost)
    {
        using var recorded = new StoreDirectory();
        Directory.CreateDirectory(Path.GetDirectoryName(recorded.Root)!);
        var told = (await Subject.Run("leave", recorded.Root)).Where(line => line.StartsWith("ACK ", StringComparison.Ordinal)).Select(line => new DiskOp("ack", line[4..])).ToList();
        var disk = new DiskModel();
        foreach (var path in Directory.EnumerateFileSystemEntries(recorded.Root, "*", SearchOption.AllDirectories).Append(recorded.Root).Order(StringComparer.Ordinal))
        {
            var name = Path.GetRelativePath(Path.GetDirectoryName(recorded.Root)!, path);
            disk.Apply(new DiskOp(Directory.Exists(path) ? "mkdir" : "create", name));
            if (!File.Exists(path)) continue;
            var content = await File.ReadAllBytesAsync(path, Token);
            var durable = path.EndsWith("journal.jsonl", StringComparison.Ordinal) ? FlushedLength(content) : content.Length;
            disk.Apply(new DiskOp("write", name, Bytes: content[..durable], Offset: 0));
            disk.Apply(new DiskOp("flush", name));
            if (durable == content.Length) continue;
            if (journalsAreLost) await File.WriteAllBytesAsync(path, [.. content[..durable], .. new byte[content.Length - durable - 20]], Token);
            disk.Apply(new DiskOp("write", name, Bytes: journalsAreLost ? new byte[content.Length - durable - 20] : content[durable..], Offset: durable));
        }
        foreach (var directory in disk.Directories()) disk.Apply(new DiskOp("flush", directory));
        var ops = told.Concat(await Trace.Record("takeover", recorded.Root)).ToList();
        Assert.Contains(ops, op => op is { Call: "unlink", Path: ".checkpoints/.group/1" });
        Assert.Empty(await Search(ops, disk, await Expected(takeOver: true)));
    }

    // Only the first two records were flushed in the journal itself.
    static int FlushedLength(byte[] journal) => Array.IndexOf(journal, (byte)'\n', Array.IndexOf(journal, (byte)'\n') + 1) + 1;
}
