using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Whatever happens to a journal's bytes, it is never misread.</summary>
public sealed class JournalDamageTests : IDisposable
{
    // In memory: a hundred thousand files are written.
    readonly StoreDirectory _directory = new("/dev/shm");

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    sealed record Written(Chain Chain, byte[] Bytes, IReadOnlyList<(int Begin, int End, int Records)> Commits);

    /// <summary>A journal with single records and groups, as the store wrote it.</summary>
    async Task<Written> Write(string runId, params int[] groups)
    {
        var chain = new Chain(runId);
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        for (var g = 0; g < groups.Length; g++)
            await store.Commit(chain.Commit(lease, [.. Enumerable.Range(0, groups[g]).Select(i => Chain.Step($"load/{g}-{i}", """{"more":true,"hash":"0123","n":1}"""))]));
        await store.ReleaseAsync(lease, Token);
        var commits = new List<(int, int, int)>();
        var (begin, at, count) = (0, 0, 0);
        foreach (var record in chain.Records)
        {
            at += record.Line.Length + 1;
            count++;
            if (record.More) continue;
            commits.Add((begin, at, count));
            begin = at;
        }
        var bytes = await File.ReadAllBytesAsync(_directory.Journal(runId), Token);
        Assert.Equal(at, bytes.Length);
        return new Written(chain, bytes, commits);
    }

    /// <summary>The number of records read from these bytes; null: reported as corrupt. Fails when what was read is not what was written.</summary>
    async Task<int?> Look(FileStore store, Written written, byte[] bytes)
    {
        await File.WriteAllBytesAsync(_directory.Journal(written.Chain.RunId), bytes, Token);
        try
        {
            var read = await store.Read(written.Chain.RunId);
            for (var i = 0; i < read.Count; i++) Assert.True(read[i].Line.Span.SequenceEqual(written.Chain.Records[i].Line.Span), $"record {i + 1} was misread");
            return read.Count;
        }
        catch (JournalCorruptException)
        {
            Assert.Equal(RunStatus.Failed, Assert.Single(await store.List(new RunQuery { Limit = 1 })).Status);
            return null;
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 2, 3)]
    [InlineData(3, 1, 2)]
    public async Task Every_flipped_bit_is_reported_or_lies_in_the_last_commit_which_is_set_aside(params int[] groups)
    {
        var written = await Write("etl_1", groups);
        await using var store = _directory.Open();
        var last = written.Commits[^1];
        var (flips, torn) = (0, 0);
        for (var at = 0; at < written.Bytes.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++, flips++)
            {
                var bytes = (byte[])written.Bytes.Clone();
                bytes[at] ^= (byte)(1 << bit);
                var read = await Look(store, written, bytes);
                if (read is null) continue;
                torn++;
                Assert.True(at >= last.Begin, $"bit {bit} of byte {at} is behind the last commit's begin {last.Begin}, yet {read} records were read");
                Assert.Equal(written.Commits[^2].Records, read);
            }
        }
        Assert.True(torn > 0 && torn < flips);
        TestContext.Current.TestOutputHelper?.WriteLine($"{flips} flips: {flips - torn} reported, {torn} in the last commit set aside");
    }

    [Fact]
    public async Task Every_truncation_leaves_the_whole_commits_before_it()
    {
        var written = await Write("etl_1", 1, 2, 3, 1);
        await using var store = _directory.Open();
        for (var length = 0; length < written.Bytes.Length; length++)
        {
            var whole = written.Commits.LastOrDefault(commit => commit.End <= length).Records;
            // The first line is flushed before the journal has its name: no crash cuts it.
            Assert.Equal(whole == 0 ? null : whole, await Look(store, written, written.Bytes[..length]));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(64)]
    [InlineData(512)]
    public async Task Every_block_of_zeros_is_reported_when_a_commit_behind_it_shows_that_it_was_durable(int size)
    {
        var written = await Write("etl_1", 1, 2, 1, 3);
        await using var store = _directory.Open();
        for (var at = 0; at < written.Bytes.Length; at++)
        {
            var end = Math.Min(at + size, written.Bytes.Length);
            var bytes = (byte[])written.Bytes.Clone();
            bytes.AsSpan(at..end).Clear();
            var read = await Look(store, written, bytes);
            var before = written.Commits.LastOrDefault(commit => commit.End <= at).Records;
            // A commit that ends unhurt behind the block, with another behind it, proves that the block was durable once.
            var proof = written.Commits.SkipLast(1).Any(commit => commit.End - 60 >= end);
            if (proof || before == 0) Assert.Null(read);
            else if (read is not null) Assert.Equal(before, read);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(200)]
    public async Task Every_dropped_or_doubled_block_is_reported_unless_it_lies_in_the_last_commit(int size)
    {
        var written = await Write("etl_1", 1, 2, 1, 3);
        await using var store = _directory.Open();
        var last = written.Commits[^1];
        for (var at = 0; at + size <= written.Bytes.Length; at++)
        {
            foreach (var bytes in new byte[][] { [.. written.Bytes[..at], .. written.Bytes[(at + size)..]], [.. written.Bytes[..(at + size)], .. written.Bytes[at..]] })
            {
                var read = await Look(store, written, bytes);
                if (read is null) continue;
                Assert.True(at + size > last.Begin, $"{size} bytes at {at}");
                Assert.True(read == written.Commits[^2].Records || read == last.Records || read == written.Commits.LastOrDefault(commit => commit.End <= at).Records);
            }
        }
    }

    [Fact]
    public async Task A_removed_doubled_or_exchanged_line_is_reported()
    {
        var written = await Write("etl_1", 1, 1, 1, 1);
        await using var store = _directory.Open();
        var lines = written.Chain.Records.Select(record => (byte[])[.. record.Line.Span, (byte)'\n']).ToList();
        for (var i = 0; i < lines.Count - 1; i++)
        {
            // Of the last line alone nothing tells that it was there, or that the one before it is not torn.
            if (i < lines.Count - 2) Assert.Null(await Look(store, written, [.. lines.Where((_, n) => n != i).SelectMany(line => line)]));
            if (i < lines.Count - 2) Assert.Null(await Look(store, written, [.. lines.SelectMany((line, n) => n == i ? line.Concat(line) : line)]));
            Assert.Null(await Look(store, written, [.. lines.SelectMany((_, n) => lines[n == i ? n + 1 : n == i + 1 ? n - 1 : n])]));
        }
    }

    [Fact]
    public async Task A_torn_tail_is_saved_beside_the_journal_and_the_run_goes_on()
    {
        var written = await Write("etl_1", 1, 3);
        var before = written.Commits[^2];
        var torn = written.Bytes[..(written.Commits[^1].End - 10)];
        await File.WriteAllBytesAsync(_directory.Journal("etl_1"), torn, Token);
        await using var store = _directory.Open();
        var claim = await store.Claim("etl_1");
        Assert.Contains($"journal.torn-{before.Records + 1}", claim.Notice!, StringComparison.Ordinal);
        Assert.Equal(torn[before.End..], await File.ReadAllBytesAsync(_directory.Of("etl_1", $"journal.torn-{before.Records + 1}"), Token));
        Assert.Equal(written.Bytes[..before.End], await File.ReadAllBytesAsync(_directory.Journal("etl_1"), Token));

        var chain = new Chain("etl_1");
        foreach (var record in written.Chain.Records.Skip(1).Take(before.Records - 1)) chain.Add(record);
        Assert.Equal(CommitResult.Committed, await store.Commit(chain.Commit(claim.Lease!, Chain.Resumed(claim.Lease!.Token))));
        StoreCalls.SameRecords(chain.Records, await store.Read("etl_1"));
        StoreCalls.SameRecords(chain.Records.Skip(2), await store.Read("etl_1", 3));
        await store.ReleaseAsync(claim.Lease, Token);
        Assert.Null((await store.Claim("etl_1")).Notice);
    }

    [Fact]
    public async Task A_damaged_journal_is_not_claimed_and_a_repair_keeps_what_is_before_the_damage()
    {
        var written = await Write("etl_1", 1, 2, 1, 1);
        var bytes = (byte[])written.Bytes.Clone();
        bytes[written.Commits[3].Begin + 20] ^= 1;
        await File.WriteAllBytesAsync(_directory.Journal("etl_1"), bytes, Token);
        await using var store = _directory.Open();
        var damage = await Assert.ThrowsAsync<JournalCorruptException>(() => store.Claim("etl_1"));
        Assert.Equal(written.Commits[2].Records + 1, damage.Line);
        await Assert.ThrowsAsync<JournalCorruptException>(() => store.Find("etl_1"));
        var listed = Assert.Single(await store.List());
        Assert.Equal($"journal corrupt at line {damage.Line}: {damage.Reason}", listed.Error);
        Assert.Equal(("etl", (long)written.Commits[2].Records), (listed.Workflow, listed.Seq));

        var report = (await store.RepairAsync("etl_1", Token))!;
        Assert.Equal((damage.Line, damage.Reason, "journal.corrupt-1", (long)written.Commits[2].Records), (report.Line, report.Reason, report.Quarantined, report.Left!.Seq));
        Assert.Equal(bytes, await File.ReadAllBytesAsync(_directory.Of("etl_1", "journal.corrupt-1"), Token));
        StoreCalls.SameRecords(written.Chain.Records.Take(written.Commits[2].Records), await store.Read("etl_1"));
        Assert.NotNull((await store.Claim("etl_1")).Lease);
        await Assert.ThrowsAsync<ResumeRefusedException>(async () => await store.RepairAsync("etl_1", Token));
        Assert.Null(await store.RepairAsync("nobody", Token));
    }

    [Fact]
    public async Task A_sound_journal_is_left_alone_by_a_repair_and_one_without_a_first_line_too()
    {
        var written = await Write("etl_1", 1, 2);
        await using var store = _directory.Open();
        var report = (await store.RepairAsync("etl_1", Token))!;
        Assert.Equal((0, null, null, 5L), (report.Line, report.Reason, report.Quarantined, report.Left!.Seq));
        Assert.Equal(written.Bytes, await File.ReadAllBytesAsync(_directory.Journal("etl_1"), Token));
        await File.WriteAllTextAsync(_directory.Journal("etl_1"), "{}\n", Token);
        report = (await store.RepairAsync("etl_1", Token))!;
        Assert.Equal((1, null, null), (report.Line, report.Quarantined, report.Left));
        Assert.Equal("{}\n", await File.ReadAllTextAsync(_directory.Journal("etl_1"), Token));
    }

    [Fact]
    public async Task An_intact_record_that_this_version_cannot_read_is_never_cut_off()
    {
        var written = await Write("etl_1", 1);
        var line = Encoding.UTF8.GetBytes("""{"seq":4,"kind":"teleported","at":"2025-12-18T12:15:30Z" """.TrimEnd());
        var hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData([.. Encoding.ASCII.GetBytes(written.Chain.Head.Hash), .. line]).AsSpan(0, 16));
        await File.WriteAllBytesAsync(_directory.Journal("etl_1"), [.. written.Bytes, .. line, .. Encoding.ASCII.GetBytes($",\"hash\":\"{hash}\"}}\n")], Token);
        await using var store = _directory.Open();
        Assert.Contains("teleported", (await Assert.ThrowsAsync<JournalCorruptException>(() => store.Claim("etl_1"))).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_journal_copied_from_another_run_is_reported()
    {
        await Write("etl_1", 1);
        var other = await Write("etl_2", 1);
        File.Copy(_directory.Journal("etl_2"), _directory.Journal("etl_1"), overwrite: true);
        await using var store = _directory.Open();
        Assert.Contains("belongs to run 'etl_2'", (await Assert.ThrowsAsync<JournalCorruptException>(() => store.Find("etl_1"))).Reason, StringComparison.Ordinal);
        Assert.Equal(other.Chain.Head.Seq, (await store.Find("etl_2"))!.Seq);
    }
}
