using System.Diagnostics;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Disks that are full, read-only, or lesser than a disk. Mounted for real, so these tests need root.</summary>
public sealed class FullDiskTests : IDisposable
{
    readonly string _mount = Path.Join(Path.GetTempPath(), $"pawl-disk-{Environment.ProcessId}-{Stopwatch.GetTimestamp()}");

    public FullDiskTests() => Directory.CreateDirectory(_mount);

    public void Dispose()
    {
        Sh($"mountpoint -q {_mount} && umount {_mount}; rmdir {_mount}; rm -rf {_mount}.d");
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    static string Sh(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return text;
    }

    void Mount(string options)
    {
        var said = Sh($"mount -t tmpfs -o {options} tmpfs {_mount}");
        Assert.True(said.Length == 0, $"these tests mount small disks and need root: {said}");
    }

    [Theory]
    [InlineData("size=64k")]
    [InlineData("size=1m")]
    public async Task A_disk_that_runs_full_stops_the_commits_and_they_go_on_when_there_is_space(string size)
    {
        Mount(size);
        var chain = new Chain("etl_1");
        await using var store = FileStore.Open(Path.Join(_mount, ".checkpoints"));
        var lease = await store.Begin(chain);
        var fill = $"\"{new string('x', 1500)}\"";
        Commit commit;
        IOException? full = null;
        do
        {
            commit = chain.Commit(lease, Chain.Step("load", fill), Chain.Step("clean", fill));
            try
            {
                await store.Commit(commit);
            }
            catch (IOException e)
            {
                full = e;
            }
        }
        while (full is null);
        Assert.Contains("The disk is full", full.Message, StringComparison.Ordinal);
        Assert.Contains("journal.jsonl", full.Message, StringComparison.Ordinal);
        Assert.Equal(28, full.HResult);
        await Assert.ThrowsAnyAsync<IOException>(() => store.Commit(commit));
        StoreCalls.SameRecords(chain.Records.SkipLast(2), await store.Read("etl_1"));

        Sh($"mount -o remount,size=4m {_mount}");
        Assert.Equal(CommitResult.Committed, await store.Commit(commit));
        await store.Commit(chain.Commit(lease, Chain.Step("save")));
        StoreCalls.SameRecords(chain.Records, await store.Read("etl_1"));
        await store.ReleaseAsync(lease, Token);
        Assert.Null((await store.Claim("etl_1")).Notice);
    }

    [Fact]
    public async Task A_run_cannot_be_created_on_a_full_disk_and_nothing_is_left_of_it()
    {
        Mount("size=64k");
        await using var store = FileStore.Open(Path.Join(_mount, ".checkpoints"));
        await store.Create(new Chain("etl_1"));
        Sh($"dd if=/dev/zero of={_mount}/fill bs=1k count=1000 2>/dev/null");
        Assert.Contains("The disk is full", (await Assert.ThrowsAnyAsync<IOException>(() => store.Create(new Chain("etl_2")))).Message, StringComparison.Ordinal);
        Assert.Equal(["etl_1"], (await store.List()).Select(head => head.RunId));
        File.Delete(Path.Join(_mount, "fill"));
        await store.Create(new Chain("etl_2"));
        Assert.Equal(2, (await store.List()).Count);
    }

    [Fact]
    public async Task No_inode_left_is_said_as_a_full_disk()
    {
        Mount("size=1m,nr_inodes=4");
        await using var store = FileStore.Open(Path.Join(_mount, ".checkpoints"));
        Assert.Contains("The disk is full", (await Assert.ThrowsAnyAsync<IOException>(() => store.Create(new Chain("etl_1")))).Message, StringComparison.Ordinal);
        Sh($"mount -o remount,nr_inodes=100 {_mount}");
        Assert.Equal(CommitResult.Committed, await store.Commit(Committed(await store.Create(new Chain("etl_1")))));

        static Commit Committed(RunLease lease) => new Chain("etl_1").Commit(lease, Chain.Resumed(lease.Token));
    }

    [Fact]
    public async Task A_read_only_disk_can_be_read_and_every_write_says_so()
    {
        Mount("size=1m");
        var chain = new Chain("etl_1");
        await using (var first = FileStore.Open(Path.Join(_mount, ".checkpoints"))) await first.ReleaseAsync(await first.Begin(chain), Token);
        Sh($"mount -o remount,ro {_mount}");
        await using var store = FileStore.Open(Path.Join(_mount, ".checkpoints"));
        StoreCalls.SameRecords(chain.Records, await store.Read("etl_1"));
        Assert.Equal("etl_1", Assert.Single(await store.List()).RunId);
        foreach (var write in new Func<Task>[]
        {
            () => store.Claim("etl_1"), () => store.Create(new Chain("etl_2")), async () => await store.DeleteAsync("etl_1", Token),
            async () => await store.PostAsync("etl_1", new RunMessage("go", null, Chain.Start), Token),
        }) Assert.Contains("read-only", (await Assert.ThrowsAnyAsync<IOException>(write)).Message, StringComparison.OrdinalIgnoreCase);
        Sh($"mount -o remount,rw {_mount}");
        Assert.NotNull((await store.Claim("etl_1")).Lease);
    }

    [Fact]
    public async Task A_limit_on_the_size_of_files_is_an_error_like_any_other()
    {
        // bash counts in KiB; the runtime maps its code pages through a file unless told not to.
        var info = Subject.StartInfo("endless", Path.Join($"{_mount}.d", ".checkpoints"), "/bin/bash", "-c", "ulimit -f 64; trap '' XFSZ; exec \"$0\"");
        info.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        using var process = Process.Start(info)!;
        var lines = (await process.StandardOutput.ReadToEndAsync(Token)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        await process.WaitForExitAsync(Token);
        var last = int.Parse(lines.Last(line => line.StartsWith("ACK", StringComparison.Ordinal)).AsSpan(4));
        Assert.Contains(lines, line => line.Contains("File too large", StringComparison.Ordinal) && line.Contains("journal.jsonl", StringComparison.Ordinal));
        await using var store = FileStore.Open(Path.Join($"{_mount}.d", ".checkpoints"));
        Assert.Equal(last, (await store.Read("etl_1")).Count);
    }

    [Fact]
    public void A_file_system_in_memory_is_named_as_less_than_durable()
    {
        Mount("size=1m");
        var info = FileStore.Open(Path.Join(_mount, ".checkpoints")).Info;
        Assert.Equal(($"file:{_mount}/.checkpoints", DurabilityClass.Process), (info.Uri, info.Durability));
        Assert.Contains("tmpfs", info.Remark!, StringComparison.Ordinal);
        var report = DurabilityProbe.Measure(_mount);
        Assert.Equal(("tmpfs", true, true, true, DurabilityClass.Process), (report.FileSystem, report.FileFlush, report.DirectoryFlush, report.Lock, report.Class));
        Assert.Empty(Directory.GetFileSystemEntries(_mount));
    }

    [Fact]
    public void A_disk_is_measured()
    {
        using var directory = new StoreDirectory();
        var report = DurabilityProbe.Measure(Path.GetDirectoryName(directory.Root)!);
        Assert.Equal((true, true, true, DurabilityClass.Power, null), (report.FileFlush, report.DirectoryFlush, report.Lock, report.Class, report.Remark));
        Assert.InRange(report.FlushMicroseconds, 1, 10_000_000);
        TestContext.Current.TestOutputHelper?.WriteLine($"{report}");
    }

    [Fact]
    public void An_overlay_is_named_as_less_than_durable()
    {
        var layers = $"{_mount}.d";
        Assert.Equal("", Sh($"mkdir -p {layers} && mount -t tmpfs tmpfs {_mount} && mkdir {_mount}/lower {_mount}/upper {_mount}/work {_mount}/merged && mount -t overlay overlay -o lowerdir={_mount}/lower,upperdir={_mount}/upper,workdir={_mount}/work {_mount}/merged"));
        try
        {
            Assert.Contains("overlay", FileStore.Open($"{_mount}/merged/.checkpoints").Info.Remark!, StringComparison.Ordinal);
        }
        finally
        {
            Sh($"umount {_mount}/merged");
        }
    }
}
