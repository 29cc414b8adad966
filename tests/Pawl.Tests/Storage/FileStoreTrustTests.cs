using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Who may read a store, and what a hostile store can do: nothing.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class FileStoreTrustTests : IDisposable
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    const UnixFileMode Open = Private | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
    const UnixFileMode Plain = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    readonly StoreDirectory _directory = new();
    readonly StoreDirectory _outside = new();

    public FileStoreTrustTests() => Directory.CreateDirectory(_outside.Root);

    public void Dispose()
    {
        _directory.Dispose();
        _outside.Dispose();
    }

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("0000", false)]
    [InlineData("0022", false)]
    [InlineData("0077", false)]
    [InlineData("0077", true)]
    public async Task Modes_do_not_depend_on_the_umask(string umask, bool shared)
    {
        // The umask belongs to the whole process: a process of its own sets it.
        if (shared) await FileStore.Open(_directory.Root, new FileStoreOptions { Shared = true }).Create(new Chain("other"));
        await Subject.Run("script", _directory.Root, "/bin/sh", "-c", $"umask {umask}; exec \"$0\"");
        Assert.Equal(shared ? Open : Private, File.GetUnixFileMode(_directory.Root));
        Assert.Equal("*\n", await File.ReadAllTextAsync(_directory.Of(".gitignore"), Token));
        foreach (var path in Directory.GetDirectories(_directory.Root, "*", SearchOption.AllDirectories)) Assert.Equal((path, Open), (path, File.GetUnixFileMode(path)));
        var files = Directory.GetFiles(_directory.Root, "*", SearchOption.AllDirectories);
        Assert.Contains(files, path => path.Contains("payloads", StringComparison.Ordinal));
        foreach (var path in files) Assert.Equal((path, Plain), (path, File.GetUnixFileMode(path)));
    }

    [Fact]
    public async Task A_run_directory_that_is_a_link_is_refused_and_nothing_behind_it_is_touched()
    {
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        Directory.Move(_directory.Of("etl_1"), Path.Join(_outside.Root, "etl_1"));
        Directory.CreateSymbolicLink(_directory.Of("etl_1"), Path.Join(_outside.Root, "etl_1"));
        var before = Snapshot();
        foreach (var act in Everything(store)) Assert.Contains("symbolic link", (await Assert.ThrowsAnyAsync<IOException>(act)).Message, StringComparison.Ordinal);
        Assert.Contains("symbolic link", Assert.Single(await store.List()).Error!, StringComparison.Ordinal);
        Assert.Equal(before, Snapshot());
    }

    [Theory]
    [InlineData("journal.jsonl")]
    [InlineData("lock")]
    public async Task A_file_of_the_store_that_is_a_link_is_refused(string name)
    {
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        File.Move(_directory.Of("etl_1", name), Path.Join(_outside.Root, name));
        File.CreateSymbolicLink(_directory.Of("etl_1", name), Path.Join(_outside.Root, name));
        var before = Snapshot();
        Assert.Contains("symbolic link", (await Assert.ThrowsAnyAsync<IOException>(() => store.Claim("etl_1"))).Message, StringComparison.Ordinal);
        Assert.Equal(before, Snapshot());
    }

    [Fact]
    public async Task A_link_in_the_place_of_a_temporary_file_or_a_view_never_leads_a_write_outside()
    {
        var chain = new Chain("etl_1");
        var victim = Path.Join(_outside.Root, "victim");
        await File.WriteAllTextAsync(victim, "untouched", Token);
        Directory.CreateDirectory(_directory.Of("etl_1", "state"));
        foreach (var name in new[] { ".journal.jsonl.tmp", ".checkpoint.json.tmp", "checkpoint.json", ".step_00.complete.tmp", "step_00.complete", "state/step_00_state.json", "state/.step_00_state.json.tmp" })
            File.CreateSymbolicLink(_directory.Of("etl_1", name), victim);
        await using (var store = _directory.Open())
        {
            var lease = await store.Begin(chain);
            await store.Commit(chain.Commit(lease, Chain.Step("load")));
        }
        Assert.Equal("untouched", await File.ReadAllTextAsync(victim, Token));
        Assert.StartsWith("STEP=0", await File.ReadAllTextAsync(_directory.Of("etl_1", "step_00.complete"), Token), StringComparison.Ordinal);
        Assert.Null(new FileInfo(_directory.Of("etl_1", "journal.jsonl")).LinkTarget);
    }

    [Theory]
    [InlineData("payloads")]
    [InlineData("inbox")]
    [InlineData("state")]
    public async Task A_directory_of_a_run_that_is_a_link_receives_nothing(string name)
    {
        var chain = new Chain("etl_1");
        await using (var store = _directory.Open())
        {
            var lease = await store.Begin(chain);
            Directory.CreateSymbolicLink(_directory.Of("etl_1", name), _outside.Root);
            if (name == "payloads") await Assert.ThrowsAnyAsync<IOException>(() => store.Commit(chain.Commit(lease, [new Payload(Subject.Script.Payload, Subject.Script.Content)], Chain.Step("load"))));
            else if (name == "inbox") await Assert.ThrowsAnyAsync<IOException>(async () => await store.PostAsync("etl_1", Subject.Script.Message, Token));
            else Assert.Equal(CommitResult.Committed, await store.Commit(chain.Commit(lease, Chain.Step("load"))));
        }
        Assert.Empty(Directory.GetFileSystemEntries(_outside.Root));
    }

    [Fact]
    public async Task A_deletion_removes_a_link_and_not_what_it_leads_to()
    {
        await File.WriteAllTextAsync(Path.Join(_outside.Root, "victim"), "untouched", Token);
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        Directory.CreateSymbolicLink(_directory.Of("etl_1", "link"), _outside.Root);
        Assert.True(await store.DeleteAsync("etl_1", Token));
        Assert.Equal("untouched", await File.ReadAllTextAsync(Path.Join(_outside.Root, "victim"), Token));
    }

    [Fact]
    public async Task A_pipe_in_the_place_of_a_journal_does_not_hang_a_reader()
    {
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        File.Delete(_directory.Journal("etl_1"));
        Process.Start("mkfifo", _directory.Journal("etl_1")).WaitForExit();
        Assert.Contains("not a regular file", (await Assert.ThrowsAnyAsync<IOException>(() => store.Find("etl_1").WaitAsync(TimeSpan.FromSeconds(30), Token))).Message, StringComparison.Ordinal);
        Assert.NotNull(Assert.Single(await store.List()).Error);
    }

    [Fact]
    public async Task A_run_of_another_user_is_refused_unless_the_store_is_shared()
    {
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        Process.Start("chown", ["-R", "12345", _directory.Of("etl_1")]).WaitForExit();
        foreach (var act in Everything(store)) Assert.Contains("another user", (await Assert.ThrowsAnyAsync<IOException>(act)).Message, StringComparison.Ordinal);
        Assert.Contains("another user", Assert.Single(await store.List()).Error!, StringComparison.Ordinal);
        await using var shared = _directory.Open(new FileStoreOptions { Shared = true });
        Assert.Equal(2, (await shared.Find("etl_1"))!.Seq);
    }

    [Theory]
    [InlineData("pid: x\nhost: \nsince: y\ncommand\ntoken: 99999999999999999999999\n")]
    [InlineData("token: 9223372036854775807\npid: -5\n")]
    [InlineData("\0\0\0\0\0\0\0\0")]
    [InlineData("")]
    [InlineData("pid: 7\nhost: a\u001b[31mb\nsince: 2025-01-01\ncommand: \u202Erm\ntoken: 5")]
    public async Task Whatever_the_lock_file_says_it_decides_about_nothing_but_the_next_token(string text)
    {
        await using var store = _directory.Open();
        await store.ReleaseAsync(await store.Begin(new Chain("etl_1")), Token);
        WriteUnlocked(_directory.Of("etl_1", "lock"), text);
        Assert.Null((await store.Find("etl_1"))!.Owner);
        var claim = await store.Claim("etl_1");
        Assert.Equal(text.Contains("token: 5", StringComparison.Ordinal) ? 6 : 2, claim.Lease!.Token);
        WriteUnlocked(_directory.Of("etl_1", "lock"), text);
        await using var other = _directory.Open();
        Assert.DoesNotContain((await other.Claim("etl_1")).HeldBy!.ToString(), char.IsControl);
    }

    /// <summary>Writes without the lock that .NET takes.</summary>
    static void WriteUnlocked(string path, string text)
    {
        using var file = Durable.Open(path, Durable.Use.Change);
        file.SetLength(0);
        file.Write(Encoding.UTF8.GetBytes(text), 0);
    }

    static IEnumerable<Func<Task>> Everything(FileStore store) =>
    [
        () => store.Find("etl_1"), () => store.Claim("etl_1"), () => store.Read("etl_1"), () => store.Create(new Chain("etl_1")), async () => await store.DeleteAsync("etl_1", Token),
        async () => await store.InboxAsync("etl_1", Token), async () => await store.PostAsync("etl_1", Subject.Script.Message, Token),
        async () => await store.ReadPayloadAsync("etl_1", Subject.Script.Payload, Token), async () => await store.RepairAsync("etl_1", Token),
    ];

    List<(string, long, DateTime)> Snapshot() => [.. Directory.GetFiles(_outside.Root, "*", SearchOption.AllDirectories).Order().Select(path => (path, new FileInfo(path).Length, File.GetLastWriteTimeUtc(path)))];
}
