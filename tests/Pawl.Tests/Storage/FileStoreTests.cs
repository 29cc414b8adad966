using System.Security.Cryptography;
using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

public sealed class FileStoreTests : IDisposable
{
    readonly StoreDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_committed_is_read_again_by_a_new_store()
    {
        var chain = new Chain("etl_1");
        await using (var store = _directory.Open())
        {
            var lease = await store.Begin(chain);
            await store.Commit(chain.Commit(lease, Chain.Step("load")));
            await store.Commit(chain.Commit(lease, Chain.Step("clean"), Chain.Step("save")));
        }
        await using var again = _directory.Open();
        StoreCalls.SameRecords(chain.Records, await again.Read("etl_1"));
        StoreCalls.SameRecords(chain.Records.Skip(3), await again.Read("etl_1", 4));
        var head = await again.Find("etl_1");
        Assert.Equal((chain.Head.Seq, chain.Head.Hash, RunStatus.Running, 3, 3, 1L), (head!.Seq, head.Hash, head.Status, head.Done, head.Total, head.Token));
        Assert.Null(head.Owner);
        Assert.Null(await again.Find("other"));
        Assert.Empty(await again.Read("other"));
    }

    [Fact]
    public async Task A_store_that_is_only_read_writes_nothing()
    {
        await using var store = _directory.Open();
        Assert.Empty(await store.List());
        Assert.Null(await store.Find("etl_1"));
        Assert.Null((await store.Claim("etl_1")).Lease);
        Assert.False(await store.DeleteAsync("etl_1", Token));
        Assert.False(Directory.Exists(_directory.Root));
    }

    [Fact]
    public async Task An_id_that_is_taken_answers_with_the_run_that_has_it()
    {
        await using var store = _directory.Open();
        var lease = await store.Begin(new Chain("etl_1"));
        var second = new Chain("etl_1");
        var answer = await store.CreateAsync(second.Created, second.Head, Chain.Me, Token);
        Assert.Null(answer.Lease);
        Assert.Equal((2L, Chain.Me.Pid), (answer.Existing!.Seq, answer.Existing.Owner!.Pid));
        await store.ReleaseAsync(lease, Token);
    }

    [Fact]
    public async Task A_run_that_another_process_deleted_and_made_again_is_not_taken_for_the_one_that_was_known()
    {
        await using var looks = _directory.Open();
        await using var changes = _directory.Open();
        for (var n = 0; n < 20; n++)
        {
            // Longer each time: the file system gives the new journal the old one's inode, as if it had grown.
            var chain = new Chain("etl_1", more: $",\"tags\":{{\"n\":\"{new string('x', n)}\"}}");
            await changes.CreateAsync(chain.Created, chain.Head, null, Token);
            Assert.Equal(chain.Head.Hash, (await looks.Find("etl_1"))!.Hash);
            Assert.Equal(chain.Head.Hash, Assert.Single(await looks.List()).Hash);
            await changes.DeleteAsync("etl_1", Token);
        }
    }

    [Fact]
    public async Task A_run_is_claimed_once_and_each_claim_raises_the_token()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        await using var other = _directory.Open();
        var first = await store.Begin(chain);
        foreach (var one in new[] { store, other })
        {
            var refused = await one.Claim("etl_1");
            Assert.Null(refused.Lease);
            Assert.Equal((Chain.Me.Pid, Chain.Me.Host, Chain.Me.Since, Chain.Me.Command), (refused.HeldBy!.Pid, refused.HeldBy.Host, refused.HeldBy.Since, refused.HeldBy.Command));
            Assert.Equal(Chain.Me.Host, (await one.Find("etl_1"))!.Owner!.Host);
        }
        await store.ReleaseAsync(first, Token);
        Assert.Null((await other.Find("etl_1"))!.Owner);

        var second = (await other.Claim("etl_1")).Lease!;
        Assert.True(second.Token > first.Token);
        await other.ReleaseAsync(second, Token);
        var third = (await store.Claim("etl_1")).Lease!;
        Assert.True(third.Token > second.Token);
        Assert.Equal(CommitResult.LeaseLost, await store.Commit(chain.Commit(first, Chain.Step("load"))));
        await Assert.ThrowsAsync<LeaseLostException>(async () => await store.RenewAsync(first, Token));
        await store.RenewAsync(third, Token);
    }

    [Fact]
    public async Task A_commit_that_does_not_follow_is_rejected_and_a_repeated_one_is_a_no_op()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        var commit = chain.Commit(lease, Chain.Step("load"), Chain.Step("clean"));
        Assert.Equal(CommitResult.Committed, await store.Commit(commit));
        var length = new FileInfo(_directory.Journal("etl_1")).Length;
        Assert.Equal(CommitResult.Committed, await store.Commit(commit));
        var other = new Chain("etl_1");
        other.Add(Chain.Resumed(1));
        Assert.Equal(CommitResult.Conflict, await store.Commit(other.Commit(lease, Chain.Step("load", "1"))));
        other.Add(Chain.Step("clean"));
        Assert.Equal(CommitResult.Conflict, await store.Commit(other.Commit(lease, Chain.Step("save"))));
        Assert.Equal(length, new FileInfo(_directory.Journal("etl_1")).Length);
        Assert.Equal(CommitResult.Committed, await store.Commit(chain.Commit(lease, Chain.Step("save"))));
        StoreCalls.SameRecords(chain.Records, await store.Read("etl_1"));
    }

    [Fact]
    public async Task A_record_that_would_break_the_line_is_refused_before_anything_is_written()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        await Assert.ThrowsAsync<ArgumentException>(() => store.Commit(chain.Commit(lease, Chain.Step("load", "[1,\n2]"))));
        Assert.Equal(2, (await store.Read("etl_1")).Count);
    }

    [Fact]
    public async Task The_holder_reads_from_any_record_without_reading_all_before_it()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        for (var i = 0; i < 50; i++) await store.Commit(chain.Commit(lease, Chain.Step($"load/{i}"), Chain.Step($"load/{i}/b")));
        await store.ReleaseAsync(lease, Token);
        var again = (await store.Claim("etl_1")).Lease!;
        StoreCalls.SameRecords(chain.Records, await store.Read("etl_1"));
        await store.Commit(chain.Commit(again, Chain.Resumed(again.Token)));
        for (var seq = 1; seq <= chain.Records.Count + 1; seq++) StoreCalls.SameRecords(chain.Records.Skip(seq - 1), await store.Read("etl_1", seq));
    }

    [Fact]
    public async Task Large_outputs_lie_beside_the_journal_under_their_hash()
    {
        var content = Encoding.UTF8.GetBytes($"\"{new string('x', 300_000)}\"");
        var payload = new PayloadRef(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length);
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        for (var i = 0; i < 2; i++) await store.Commit(chain.Commit(lease, [new Payload(payload, content)], Chain.Step("load", "") with { Output = default, OutputRef = payload }));
        Assert.Equal(content, (await store.ReadPayloadAsync("etl_1", payload, Token)).ToArray());
        Assert.Equal([payload.Sha256], Directory.GetFiles(_directory.Of("etl_1", "payloads")).Select(Path.GetFileName));

        using (var file = File.OpenWrite(_directory.Of("etl_1", "payloads", payload.Sha256))) file.WriteByte((byte)'!');
        await Assert.ThrowsAsync<JournalCorruptException>(async () => await store.ReadPayloadAsync("etl_1", payload, Token));
        // The same content again mends what was damaged.
        await store.Commit(chain.Commit(lease, [new Payload(payload, content)], Chain.Step("clean", "") with { Output = default, OutputRef = payload }));
        Assert.Equal(content, (await store.ReadPayloadAsync("etl_1", payload, Token)).ToArray());
        File.Delete(_directory.Of("etl_1", "payloads", payload.Sha256));
        await Assert.ThrowsAsync<JournalCorruptException>(async () => await store.ReadPayloadAsync("etl_1", payload, Token));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.ReadPayloadAsync("etl_1", new PayloadRef("../journal.jsonl", 1), Token));
    }

    [Fact]
    public async Task The_first_message_to_a_name_wins_and_the_order_of_arrival_is_kept()
    {
        await using var store = _directory.Open();
        await using var other = _directory.Open();
        await store.Begin(new Chain("etl_1"));
        Assert.Empty(await store.InboxAsync("etl_1", Token));
        var approve = new RunMessage("approve", RawJson.Parse("{\"ok\":\n true}"), Chain.Start, "ann");
        Assert.True(await other.PostAsync("etl_1", approve, Token));
        Assert.False(await store.PostAsync("etl_1", approve with { Body = RawJson.Parse("false") }, Token));
        Assert.True(await store.PostAsync("etl_1", new RunMessage("pawl:cancel:7", null, Chain.Start), Token));
        Assert.True(await other.PostAsync("etl_1", new RunMessage("a", RawJson.Parse("1.10"), Chain.Start), Token));
        var inbox = await store.InboxAsync("etl_1", Token);
        Assert.Equal(["approve", "pawl:cancel:7", "a"], inbox.Select(message => message.Name));
        Assert.Equal(("{\"ok\":\n true}", "ann", Chain.Start), (inbox[0].Body.ToString(), inbox[0].By, inbox[0].At));
        Assert.Equal("1.10", inbox[2].Body.ToString());
        await Assert.ThrowsAsync<RunNotFoundException>(async () => await store.PostAsync("nobody", approve, Token));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.PostAsync("etl_1", approve with { Name = "../x" }, Token));
    }

    [Fact]
    public async Task A_message_whose_bytes_were_changed_is_reported_in_its_place_and_set_aside_in_it()
    {
        await using var store = _directory.Open();
        await store.Begin(new Chain("etl_1"));
        await store.PostAsync("etl_1", new RunMessage("approve", RawJson.Parse("true"), Chain.Start), Token);
        var path = _directory.Of("etl_1", "inbox", "00000001.approve.json");
        await File.WriteAllTextAsync(path, (await File.ReadAllTextAsync(path, Token)).Replace("true", "null", StringComparison.Ordinal), Token);
        await store.PostAsync("etl_1", new RunMessage("go", null, Chain.Start), Token);
        var read = await store.InboxAsync("etl_1", Token);
        Assert.Contains("00000001.approve.json", read[0].Damage, StringComparison.Ordinal);
        Assert.Equal(("pawl:damaged:00000001", "go"), (read[0].Name, read[1].Name));
        // Also while the run is executed; whoever waits counts messages, so none goes.
        var report = await store.RepairAsync("etl_1", Token);
        Assert.Equal((0L, "00000001.approve.json"), (report!.Line, Assert.Single(report.Messages)));
        Assert.True(File.Exists(path + ".damaged"));
        Assert.True(await store.PostAsync("etl_1", new RunMessage("approve", null, Chain.Start), Token));
        Assert.Equal(["pawl:lost:00000001", "go", "approve"], (await store.InboxAsync("etl_1", Token)).Select(message => message.Name));
        Assert.All(await store.InboxAsync("etl_1", Token), message => Assert.Null(message.Damage));
    }

    [Fact]
    public async Task Of_many_who_post_to_one_name_at_once_one_wins()
    {
        await using var store = _directory.Open();
        await store.Begin(new Chain("etl_1"));
        var won = await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(async () =>
        {
            await using var mine = _directory.Open();
            return await mine.PostAsync("etl_1", new RunMessage("go", RawJson.Parse($"{n}"), Chain.Start), Token);
        })));
        var winner = Array.IndexOf(won, true);
        Assert.Single(won, true);
        Assert.Equal($"{winner}", Assert.Single(await store.InboxAsync("etl_1", Token)).Body.ToString());
    }

    [Fact]
    public async Task Of_many_who_create_one_run_at_once_one_creates_it()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(async () =>
        {
            var (store, chain) = (_directory.Open(), new Chain("etl_1"));
            return await store.CreateAsync(chain.Created, chain.Head, Chain.Me, Token);
        })));
        Assert.Single(answers, answer => answer.Lease is not null);
        Assert.All(answers, answer => Assert.True(answer.Lease is null ^ answer.Existing is null));
    }

    [Fact]
    public async Task Runs_are_listed_newest_first_with_all_conditions()
    {
        await using var store = _directory.Open();
        for (var i = 0; i < 5; i++)
        {
            var chain = new Chain($"etl_{i}", more: ",\"tags\":{\"n\":\"" + i % 2 + "\"}");
            var created = At(chain.Created, Chain.Start.AddHours(i % 3));
            await store.CreateAsync(created, RunHead.After(null, created), null, Token);
        }
        Directory.CreateDirectory(Path.Join(_directory.Root, "etl_no_journal"));
        File.WriteAllText(Path.Join(_directory.Root, "a-file"), "");
        Assert.Equal(["etl_2", "etl_4", "etl_1", "etl_3", "etl_0"], (await store.List()).Select(head => head.RunId));
        Assert.Equal(["etl_2", "etl_4"], (await store.List(new RunQuery { Since = Chain.Start.AddHours(1), Limit = 2, Workflow = "etl" })).Select(head => head.RunId));
        Assert.Equal(["etl_1", "etl_3"], (await store.List(new RunQuery { Where = new Dictionary<string, string> { ["n"] = "1" } })).Select(head => head.RunId));
        Assert.Empty(await store.List(new RunQuery { Statuses = [RunStatus.Running] }));
    }

    static Checkpoint At(Checkpoint created, DateTimeOffset at) => CheckpointCodec.Encode(created with { At = at }, 1, more: false, "");

    [Fact]
    public async Task A_deleted_run_is_gone_whole_and_a_held_one_is_not_deleted()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        var refusal = (await Assert.ThrowsAsync<ResumeRefusedException>(async () => await store.DeleteAsync("etl_1", Token))).Refusal;
        Assert.Equal(RefusalReason.Held, refusal.Reason);
        Assert.Contains("workstation", refusal.Message, StringComparison.Ordinal);
        await store.ReleaseAsync(lease, Token);
        Assert.True(await store.DeleteAsync("etl_1", Token));
        Assert.False(await store.DeleteAsync("etl_1", Token));
        Assert.Equal([".gitignore"], Directory.GetFileSystemEntries(_directory.Root).Select(Path.GetFileName));
        Assert.Equal(1, (await store.Begin(new Chain("etl_1"))).Token);
    }

    [Fact]
    public async Task What_a_crash_left_of_a_deletion_is_no_run_and_is_removed_by_the_next_writer()
    {
        await using (var store = _directory.Open()) await store.Begin(new Chain("etl_1"));
        Directory.Move(_directory.Of("etl_1"), _directory.Of(".trash-etl_1-1"));
        await using var again = _directory.Open();
        Assert.Empty(await again.List());
        Assert.Null(await again.Find("etl_1"));
        await again.Begin(new Chain("etl_2"));
        Assert.False(Directory.Exists(_directory.Of(".trash-etl_1-1")));
    }

    [Fact]
    public async Task A_creation_that_crashed_is_no_run_and_is_taken_over()
    {
        await using var store = _directory.Open();
        Directory.CreateDirectory(_directory.Of("etl_1"));
        File.WriteAllText(_directory.Of("etl_1", "lock"), "token: 4\npid: 1\n");
        File.WriteAllText(_directory.Of("etl_1", ".journal.jsonl.tmp"), "{\"seq\":1");
        Assert.Null(await store.Find("etl_1"));
        Assert.Empty(await store.List());
        Assert.Null((await store.Claim("etl_1")).Lease);
        var lease = await store.Begin(new Chain("etl_1"));
        Assert.Equal(5, lease.Token);
        Assert.Equal(2, (await store.Find("etl_1"))!.Seq);
    }

    [Fact]
    public async Task A_run_removed_under_its_holder_loses_its_lease_at_the_next_commit()
    {
        var chain = new Chain("etl_1");
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        File.Delete(_directory.Of("etl_1", "lock"));
        await using var other = _directory.Open();
        var taken = (await other.Claim("etl_1")).Lease;
        Assert.NotNull(taken);
        Assert.Equal(CommitResult.LeaseLost, await store.Commit(chain.Commit(lease, Chain.Step("load"))));
        await store.ReleaseAsync(lease, Token);
        await other.RenewAsync(taken, Token);
        Assert.Equal(2, (await other.Read("etl_1")).Count);
    }

    [Theory]
    [InlineData("../etl")]
    [InlineData("..")]
    [InlineData(".trash-x-1")]
    [InlineData("/etc/passwd")]
    [InlineData("a/b")]
    [InlineData("a\\b")]
    [InlineData("-rf")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    [InlineData("")]
    [InlineData("CON")]
    [InlineData("\u202Eabc")]
    public async Task A_hostile_run_id_never_becomes_a_path(string runId)
    {
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        var before = Directory.GetFileSystemEntries(_directory.Root, "*", SearchOption.AllDirectories).Order().ToList();
        Assert.Null(await store.Find(runId));
        Assert.Null((await store.Claim(runId)).Lease);
        Assert.Empty(await store.Read(runId));
        Assert.Empty(await store.InboxAsync(runId, Token));
        Assert.False(await store.DeleteAsync(runId, Token));
        await Assert.ThrowsAsync<RunNotFoundException>(async () => await store.PostAsync(runId, new RunMessage("go", null, Chain.Start), Token));
        var chain = new Chain("ok");
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync(chain.Created, chain.Head with { RunId = runId }, null, Token));
        Assert.Equal(before, Directory.GetFileSystemEntries(_directory.Root, "*", SearchOption.AllDirectories).Order());
    }
}
