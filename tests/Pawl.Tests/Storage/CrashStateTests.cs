using System.Diagnostics;

namespace Pawl.Tests.Storage;

/// <summary>Every state in which a loss of power may leave the disk, opened by the real store.</summary>
/// <remarks>
/// A subject's calls are recorded once. Behind each of them every combination of unflushed names and bytes is a state; what was acknowledged
/// by then must be there, whole, and nothing may be half there. The same search with a flush taken out of the record must find the loss.
/// </remarks>
public sealed class CrashStateTests(ITestOutputHelper output) : IDisposable
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
            return s_ops = await Trace.Record("script", recorded.Root);
        }
        finally
        {
            s_recording.Release();
        }
    }

    [Fact]
    public async Task After_every_legal_loss_of_power_all_that_was_acknowledged_is_there_and_nothing_is_half_there()
    {
        var ops = await Record();
        Assert.Equal(14, ops.Count(op => op.Call == "ack"));
        var clock = Stopwatch.StartNew();
        var (combinations, distinct, violations) = await Search(ops, stopAtFirst: false);
        output.WriteLine($"{ops.Count} operations, {combinations} combinations, {distinct} distinct states in {clock.Elapsed.TotalSeconds:F1} s");
        Assert.Empty(violations);
        Assert.True(distinct > 1000, $"only {distinct} states: the search has become blind");
    }

    public static TheoryData<string, string> Flushes() => new()
    {
        { "the store's directory", "" },
        { "the root's names", ".checkpoints" },
        { "the first line before its name", ".checkpoints/etl_1/.journal.jsonl.tmp" },
        { "the run directory's names", ".checkpoints/etl_1" },
        { "a commit", ".checkpoints/etl_1/journal.jsonl" },
        { "a message before its name", ".checkpoints/etl_1/inbox/.00000001.approve.json.tmp" },
        { "a message's name", ".checkpoints/etl_1/inbox" },
        { "a payload before its name", $".checkpoints/etl_1/payloads/.{Subject.Script.Payload.Sha256}.tmp" },
        { "a payload's name", ".checkpoints/etl_1/payloads" },
    };

    [Theory]
    [MemberData(nameof(Flushes))]
    public async Task A_flush_that_is_left_out_is_found(string what, string path)
    {
        var ops = await Record();
        var planted = ops.Where(op => op.Call != "flush" || op.Path != path).ToList();
        Assert.True(planted.Count < ops.Count, $"the store never flushes {what}");
        var (_, distinct, violations) = await Search(planted, stopAtFirst: true);
        Assert.NotEmpty(violations);
        output.WriteLine($"{what}: found after {distinct} states: {violations[0]}");
    }

    [Fact]
    public async Task A_payload_written_behind_its_record_is_found()
    {
        var ops = (await Record()).ToList();
        var commit = ops.FindLastIndex(op => op.Path.EndsWith("journal.jsonl", StringComparison.Ordinal) && op.Call == "write" && op.Bytes!.AsSpan().IndexOf("output_ref"u8) >= 0);
        var (write, flush) = (ops[commit], ops[commit + 1]);
        ops.RemoveRange(commit, 2);
        ops.InsertRange(ops.FindIndex(op => op.Path.EndsWith($"{Subject.Script.Payload.Sha256}.tmp", StringComparison.Ordinal)), [write, flush]);
        Assert.NotEmpty((await Search(ops, stopAtFirst: true)).Violations);
    }

    [Fact]
    public async Task An_answer_before_the_flush_is_found()
    {
        var ops = (await Record()).ToList();
        var ack = ops.FindIndex(op => op is { Call: "ack", Path: "6" });
        (ops[ack], ops[ack - 1]) = (ops[ack - 1], ops[ack]);
        Assert.NotEmpty((await Search(ops, stopAtFirst: true)).Violations);
    }

    async Task<(long Combinations, int Distinct, List<string> Violations)> Search(List<DiskOp> ops, bool stopAtFirst)
    {
        var script = new Subject.Script(_states.Root);
        await script.Run(TextWriter.Null);
        Directory.Delete(_states.Root, recursive: true);
        var expected = script.Chain.Records;
        return await CrashSearch.Run(ops, new DiskModel(), _states, stopAtFirst, acknowledged => Promise.Broken(_states, acknowledged, expected, acknowledged.Contains("deleting")));
    }
}
