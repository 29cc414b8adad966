using System.Diagnostics;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Costs that must not grow. The limits are wide: they catch a change of kind, the benchmarks measure.</summary>
public sealed class FileStoreSpeedTests(ITestOutputHelper output) : IDisposable
{
    readonly StoreDirectory _directory = new("/dev/shm");

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_journal_of_a_hundred_thousand_records_is_claimed_and_read_at_once()
    {
        var chain = new Chain("etl_1");
        chain.Add(Chain.Resumed(1));
        for (var i = 0; i < 100_000; i++) chain.Add(Chain.Step($"load/{i}"));
        Directory.CreateDirectory(_directory.Of("etl_1"));
        await using (var file = File.Create(_directory.Journal("etl_1")))
        {
            foreach (var record in chain.Records)
            {
                await file.WriteAsync(record.Line, Token);
                file.WriteByte((byte)'\n');
            }
        }
        for (var round = 0; round < 3; round++)
        {
            await using var store = _directory.Open();
            var (clock, cpu) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
            var lease = (await store.Claim("etl_1")).Lease!;
            var claimed = clock.Elapsed.TotalMilliseconds;
            cpu = Environment.CpuUsage.TotalTime - cpu;
            clock.Restart();
            Assert.Equal(100_002, (await store.Read("etl_1")).Count);
            var read = clock.Elapsed.TotalMilliseconds;
            clock.Restart();
            Assert.Equal(100_002, Assert.Single(await store.Read("etl_1", 100_002)).Seq);
            var last = clock.Elapsed.TotalMilliseconds;
            clock.Restart();
            Assert.Equal(100_002, (await store.Find("etl_1"))!.Seq);
            output.WriteLine($"{new FileInfo(_directory.Journal("etl_1")).Length / 1e6:F1} MB, 100,002 records: claimed in {claimed:F0} ms ({cpu.TotalMilliseconds:F0} ms of processor), read behind the claim in {read:F0} ms, the last one alone in {last:F2} ms, head in {clock.Elapsed.TotalMilliseconds:F0} ms");
            Assert.InRange(claimed, 0, 3000);
            Assert.InRange(last, 0, 200);
            await store.ReleaseAsync(lease, Token);
        }
    }

    [Fact]
    public async Task A_thousand_runs_are_listed_at_once()
    {
        await using var store = _directory.Open();
        for (var run = 0; run < 1000; run++)
        {
            var chain = new Chain($"etl_{run}");
            var lease = await store.Begin(chain);
            await store.Commit(chain.Commit(lease, [.. Enumerable.Range(0, 18).Select(i => Chain.Step($"load/{i}"))]));
            await store.ReleaseAsync(lease, Token);
        }
        await using var again = _directory.Open();
        for (var round = 0; round < 3; round++)
        {
            var (clock, cpu) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
            Assert.Equal(1000, (await again.List()).Count);
            output.WriteLine($"1,000 runs of 20 records listed in {clock.Elapsed.TotalMilliseconds:F0} ms ({(Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds:F0} ms of processor)");
            Assert.InRange(clock.Elapsed.TotalMilliseconds, 0, 5000);
        }
    }

    [Fact]
    public async Task A_commit_costs_the_same_and_allocates_next_to_nothing_however_long_the_run_is()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open(new FileStoreOptions { Time = new Pawl.Testing.VirtualTime() });
        var lease = await store.Begin(chain);
        var commits = Enumerable.Range(0, 20_000).Select(i => chain.Commit(lease, Chain.Step($"load/{i}"))).ToList();
        List<double> bytes = [], micros = [];
        foreach (var batch in commits.Chunk(2000))
        {
            var (before, clock) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
            foreach (var commit in batch)
            {
                if (await store.CommitAsync(commit, Token) != CommitResult.Committed) Assert.Fail("not committed");
            }
            micros.Add(clock.Elapsed.TotalMicroseconds / batch.Length);
            bytes.Add((GC.GetAllocatedBytesForCurrentThread() - before) / (double)batch.Length);
        }
        output.WriteLine($"microseconds a commit in memory: {string.Join(' ', micros.Select(value => $"{value:F1}"))}; bytes allocated: {string.Join(' ', bytes.Select(value => $"{value:F0}"))}");
        Assert.InRange(bytes[^2..].Average(), 0, 400);
    }
}
