using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Group files that dead processes left: whole, torn, damaged, and made up.</summary>
public sealed class GroupFileTests : IDisposable
{
    readonly StoreDirectory _directory = new("/dev/shm");

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    string Group => _directory.Of(".group", "1");

    /// <summary>Two runs with three commits together, whose journals lost them; <paramref name="bytes"/> is the group file that is left.</summary>
    async Task<Dictionary<string, Chain>> Leave(Func<byte[], byte[]>? bytes = null)
    {
        Dictionary<string, Chain> chains = new() { ["etl_1"] = new("etl_1"), ["etl_2"] = new("etl_2") };
        Dictionary<string, byte[]> files = [];
        await using (var store = _directory.Open())
        {
            List<(Chain Chain, RunLease Lease)> runs = [];
            foreach (var chain in chains.Values) runs.Add((chain, await store.Begin(chain)));
            foreach (var (chain, _) in runs) files[_directory.Journal(chain.RunId)] = await File.ReadAllBytesAsync(_directory.Journal(chain.RunId), Token);
            for (var n = 0; n < 3; n++) Assert.All(await store.CommitAsync([.. runs.Select(run => run.Chain.Commit(run.Lease, Chain.Step($"load/{n}"), Chain.Step("clean")))], Token), result => Assert.Equal(CommitResult.Committed, result));
            // .NET would ask for the lock.
            using var group = Durable.Open(Group, Durable.Use.Read);
            // Without the zeros ahead.
            files[Group] = group.ReadAll().AsSpan().TrimEnd((byte)0).ToArray();
        }
        Assert.False(File.Exists(Group));
        if (bytes is not null) files[Group] = bytes(files[Group]);
        foreach (var (path, content) in files) await File.WriteAllBytesAsync(path, content, Token);
        return chains;
    }

    // Each group: its header, and two commits of two records.
    static int[] Starts(byte[] bytes) => [.. Enumerable.Range(0, bytes.Length).Where(at => bytes.AsSpan(at).StartsWith("pawl-group 1 "u8))];

    [Fact]
    public async Task What_the_journals_lost_is_read_and_is_in_them_when_a_run_is_claimed()
    {
        var chains = await Leave();
        await using var store = _directory.Open();
        foreach (var chain in chains.Values) StoreCalls.SameRecords(chain.Records, await store.Read(chain.RunId));
        Assert.All(await store.List(), head => Assert.Equal(8, head.Seq));
        Assert.True(File.Exists(Group), "reading wrote");
        Assert.NotNull((await store.Claim("etl_1")).Lease);
        Assert.False(File.Exists(Group));
        foreach (var chain in chains.Values) Assert.Equal(FileStoreJournal.Join(chain.Records), await File.ReadAllBytesAsync(_directory.Journal(chain.RunId), Token));
    }

    [Fact]
    public async Task The_zeros_that_a_group_file_grows_by_are_no_group()
    {
        var chains = await Leave(bytes => [.. bytes, .. new byte[16 << 10]]);
        await using var store = _directory.Open();
        foreach (var chain in chains.Values) StoreCalls.SameRecords(chain.Records, await store.Read(chain.RunId));
        Assert.NotNull((await store.Claim("etl_1")).Lease);
        Assert.False(File.Exists(Group));
    }

    [Fact]
    public async Task A_group_file_keeps_its_length_while_it_is_written()
    {
        await using var store = _directory.Open();
        List<(Chain Chain, RunLease Lease)> runs = [];
        foreach (var chain in new[] { new Chain("etl_1"), new Chain("etl_2") }) runs.Add((chain, await store.Begin(chain)));
        HashSet<long> lengths = [];
        for (var n = 0; n < 200; n++)
        {
            await store.CommitAsync([.. runs.Select(run => run.Chain.Commit(run.Lease, Chain.Step($"load/{n}")))], Token);
            lengths.Add(new FileInfo(Group).Length);
        }
        Assert.InRange(lengths.Count, 2, 6);
    }

    [Fact]
    public async Task Any_cut_end_of_a_group_file_is_what_a_crash_leaves()
    {
        var whole = Array.Empty<byte>();
        await Leave(bytes => whole = bytes);
        var starts = Starts(whole);
        Assert.Equal(3, starts.Length);
        for (var length = 0; length < whole.Length; length++)
        {
            await File.WriteAllBytesAsync(Group, [.. whole[..length], .. new byte[length % 3]], Token);
            await using var store = _directory.Open();
            Assert.Equal(2 + 2 * starts.Skip(1).Append(whole.Length).Count(end => end <= length), (await store.Read("etl_2")).Count);
        }
    }

    [Fact]
    public async Task No_flipped_bit_makes_a_record_up_or_passes_one_over_but_in_the_last_group()
    {
        var whole = Array.Empty<byte>();
        var chains = await Leave(bytes => whole = bytes);
        var last = Starts(whole)[^1];
        for (var at = 0; at < whole.Length; at++)
        {
            var bytes = (byte[])whole.Clone();
            bytes[at] ^= (byte)(1 << at % 8);
            await File.WriteAllBytesAsync(Group, bytes, Token);
            await using var store = _directory.Open();
            if (at < last) await Assert.ThrowsAsync<JournalCorruptException>(() => store.Read("etl_1"));
            // A flip in its header may make the last one look like one of a newer version.
            else if (await Record.ExceptionAsync(() => store.Read("etl_1")) is not JournalCorruptException) StoreCalls.SameRecords(chains["etl_1"].Records[..6], await store.Read("etl_1"));
        }
    }

    [Fact]
    public async Task A_damaged_group_file_is_said_and_a_repair_keeps_what_can_be_read()
    {
        var chains = await Leave(bytes =>
        {
            bytes[Starts(bytes)[2] - 10] ^= 1;
            return bytes;
        });
        await using var store = _directory.Open();
        Assert.Contains("group file", (await Assert.ThrowsAsync<JournalCorruptException>(() => store.Claim("etl_1"))).Reason, StringComparison.Ordinal);
        Assert.All(await store.List(), head => Assert.Contains("group file", head.Error!, StringComparison.Ordinal));
        var report = (await store.RepairAsync("etl_1", Token))!;
        Assert.Equal((5L, 4L, $"{Group}.damaged-1"), (report.Line, report.Left!.Seq, report.Quarantined));
        Assert.True(File.Exists(report.Quarantined));
        foreach (var chain in chains.Values)
        {
            Assert.NotNull((await store.Claim(chain.RunId)).Lease);
            StoreCalls.SameRecords(chain.Records[..4], await store.Read(chain.RunId));
        }
    }

    [Fact]
    public async Task A_group_file_of_a_newer_version_is_refused_and_not_removed()
    {
        await Leave(bytes => [.. Encoding.ASCII.GetBytes(Encoding.UTF8.GetString(bytes).Replace("pawl-group 1 ", "pawl-group 2 ", StringComparison.Ordinal))]);
        await using var store = _directory.Open();
        await Assert.ThrowsAsync<JournalCorruptException>(() => store.Claim("etl_1"));
        Assert.True(File.Exists(Group));
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("..")]
    [InlineData("/etc/passwd")]
    [InlineData(".group")]
    [InlineData("etl_1/../etl_2")]
    public async Task Names_in_a_group_file_never_become_paths(string name)
    {
        await Leave(_ => Made(name, 3, 100, new string('0', 32), "{}\n"));
        var outside = Path.Join(Path.GetDirectoryName(_directory.Root)!, "outside");
        Directory.CreateDirectory(outside);
        await File.WriteAllTextAsync(Path.Join(outside, "journal.jsonl"), "mine", Token);
        await using var store = _directory.Open();
        Assert.Equal(2, (await store.Read("etl_1")).Count);
        Assert.NotNull((await store.Claim("etl_1")).Lease);
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Join(outside, "journal.jsonl"), Token));
        Assert.Equal(["journal.jsonl"], Directory.EnumerateFileSystemEntries(outside).Select(path => Path.GetFileName(path)));
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(3, 17)]
    [InlineData(1, 0)]
    [InlineData(long.MaxValue, long.MaxValue)]
    public async Task Records_whose_chain_does_not_fit_are_nobodys(long seq, long offset)
    {
        var chains = await Leave(bytes => bytes);
        var hash = chains["etl_1"].Records[1].Hash;
        await File.WriteAllBytesAsync(Group, Made("etl_1", seq, offset, hash, "{\"seq\":3,\"kind\":\"completed\",\"hash\":\"" + new string('0', 32) + "\"}\n"), Token);
        await using var store = _directory.Open();
        Assert.Equal(2, (await store.Read("etl_1")).Count);
        Assert.NotNull((await store.Claim("etl_1")).Lease);
        Assert.Equal(2, (await store.Read("etl_1")).Count);
    }

    static byte[] Made(string run, long seq, long offset, string hash, string lines)
    {
        var commits = Encoding.ASCII.GetBytes($"{run} {seq} {offset} {hash} {lines.Length}\n{lines}");
        var bytes = new byte[FileStoreGroup.HeaderLength + commits.Length];
        commits.CopyTo(bytes, FileStoreGroup.HeaderLength);
        FileStoreGroup.WriteHeader(bytes, commits);
        return bytes;
    }

    [Fact]
    public async Task A_run_that_was_deleted_or_made_anew_gets_nothing_of_the_old_one()
    {
        var chains = await Leave();
        await using var store = _directory.Open();
        var left = await File.ReadAllBytesAsync(Group, Token);
        Assert.True(await store.DeleteAsync("etl_1", Token));
        Assert.True(await store.DeleteAsync("etl_2", Token));
        var anew = new Chain("etl_1", more: ",\"params\":{\"n\":2}");
        var lease = await store.Begin(anew);
        await store.ReleaseAsync(lease, Token);
        await File.WriteAllBytesAsync(Group, left, Token);
        await using var later = _directory.Open();
        StoreCalls.SameRecords(anew.Records, await later.Read("etl_1"));
        Assert.NotNull((await later.Claim("etl_1")).Lease);
        StoreCalls.SameRecords(anew.Records, await later.Read("etl_1"));
        Assert.Null(await later.Find("etl_2"));
        Assert.False(File.Exists(Group));
        Assert.Equal(8, chains["etl_1"].Records.Count);
    }

    [Fact]
    public async Task The_group_file_of_a_living_instance_is_left_alone_by_others()
    {
        await using var store = _directory.Open();
        List<(Chain Chain, RunLease Lease)> runs = [];
        foreach (var chain in new[] { new Chain("etl_1"), new Chain("etl_2"), new Chain("etl_3") }) runs.Add((chain, await store.Begin(chain)));
        async Task Go() => Assert.All(await store.CommitAsync([.. runs.Select(run => run.Chain.Commit(run.Lease, Chain.Step("load")))], Token), result => Assert.Equal(CommitResult.Committed, result));
        await Go();
        await using var other = _directory.Open();
        foreach (var (chain, _) in runs) StoreCalls.SameRecords(chain.Records, await other.Read(chain.RunId));
        await store.ReleaseAsync(runs[2].Lease, Token);
        Assert.NotNull((await other.Claim("etl_3")).Lease);
        runs.RemoveAt(2);
        Assert.True(File.Exists(Group));
        await Go();
        Assert.Equal(4, (await other.Read("etl_1")).Count);
    }
}
