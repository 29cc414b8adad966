using System.Diagnostics;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>The file, its tables, and what goes wrong with files.</summary>
public sealed class SqliteStoreTests : IDisposable
{
    readonly SqliteDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    List<string> Query(string sql) => _directory.Query(sql);

    static string Sh(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var text = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        return text;
    }

    [Fact]
    public async Task What_durability_rests_on_is_set_on_every_connection()
    {
        await using var store = _directory.Open();
        using var db = new SqliteDb(_directory.File, TimeSpan.FromSeconds(3));
        Assert.Equal(("wal", "2", "1", "3000"), (db.Pragma("journal_mode"), db.Pragma("synchronous"), db.Pragma("foreign_keys"), db.Pragma("busy_timeout")));
        var (durability, remark) = DurabilityProbe.Expect(_directory.Root);
        Assert.Equal(new StoreInfo($"sqlite:{_directory.File}", durability, remark, TimeSpan.FromSeconds(30)), store.Info);
    }

    [Fact]
    public async Task The_file_is_its_owners_alone_and_its_directory_is_made()
    {
        var file = Path.Join(_directory.Root, "new", "deep", "pawl.db");
        await using var store = SqliteStore.Open(file);
        await SqliteRun.BeginAsync(store, "a");
        foreach (var name in (string[])[file, file + "-wal", file + "-shm"])
            Assert.Equal("600", Sh($"stat -c %a {name}").Trim());
    }

    [Theory]
    [InlineData("")]
    [InlineData("-wal")]
    [InlineData("-shm")]
    public void A_symbolic_link_is_not_followed(string suffix)
    {
        var target = Path.Join(_directory.Root, "elsewhere");
        File.CreateSymbolicLink(_directory.File + suffix, target);
        Assert.Contains("symbolic link", Assert.Throws<IOException>(() => _directory.Open()).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(target));
    }

    [Fact]
    public void A_directory_in_the_place_of_the_file_is_named() =>
        Assert.Contains("is a directory", Assert.Throws<IOException>(() => SqliteStore.Open(_directory.Root)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_claim_in_turns_looks_only_at_the_first_runs_of_each_partition()
    {
        await _directory.Open().DisposeAsync();
        var plan = Query($"EXPLAIN QUERY PLAN SELECT * FROM {SqliteStore.FreshInTurns.Replace("?1", "'q'").Replace("?2", "'x'").Replace("?3", "1").Replace("?4", "'[]'").Replace("?5", "10")}");
        // c: the runs that are read whole; r: the index of turns.
        Assert.DoesNotContain(plan, line => line.Contains("SCAN c", StringComparison.Ordinal) || line.Contains("SCAN r", StringComparison.Ordinal) || line.Contains("TEMP B-TREE", StringComparison.Ordinal));
        Assert.Contains(plan, line => line.Contains("SEARCH c USING INTEGER PRIMARY KEY", StringComparison.Ordinal));
        Assert.Equal(3, plan.Count(line => line.Contains("SEARCH r USING", StringComparison.Ordinal) && line.Contains("core_workflow_runs_turns (queue=? AND <expr>", StringComparison.Ordinal) || line.Contains("core_workflow_runs_turns (queue=?)", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_list_of_runs_reads_an_index_in_its_order_and_a_count_nothing_else()
    {
        await _directory.Open().DisposeAsync();
        using var db = new SqliteDb(_directory.File, TimeSpan.FromSeconds(3));
        var tag = new Dictionary<string, string> { ["team"] = "docs" };
        var behind = new RunPlace(DateTimeOffset.UnixEpoch, "a");
        foreach (var query in new[]
        {
            new RunQuery(), new RunQuery { Statuses = [RunStatus.Failed] }, new RunQuery { Statuses = [RunStatus.Failed, RunStatus.Waiting, RunStatus.Running] }, new RunQuery { Workflow = "w" },
            new RunQuery { Workflow = "w", Statuses = [RunStatus.Failed] }, new RunQuery { Where = tag }, new RunQuery { Where = tag, Statuses = [RunStatus.Failed], Since = DateTimeOffset.UnixEpoch },
        })
            foreach (var place in new RunPlace?[] { null, behind })
            {
                var plan = Plan(new SqliteLists(db, query).Heads(place, 50)!.Value);
                Assert.All(plan, line => Assert.DoesNotContain("TEMP B-TREE", line, StringComparison.Ordinal));
                Assert.All(plan.Where(line => line.StartsWith("SCAN", StringComparison.Ordinal) || line.StartsWith("SEARCH", StringComparison.Ordinal)), line => Assert.Matches("USING (COVERING )?INDEX|USING PRIMARY KEY", line));
            }
        Assert.Contains("SEARCH r USING COVERING INDEX core_workflow_runs_status (status=?)", Plan(new SqliteLists(db, new RunQuery()).Count(RunStatus.Failed)));

        List<string> Plan((string Sql, SqlValue[] Values) statement)
        {
            var lines = new List<string>();
            using var rows = db.Query($"EXPLAIN QUERY PLAN {statement.Sql}", statement.Values);
            while (rows.Read()) lines.Add(rows.Text(3)!);
            return lines;
        }
    }

    [Fact]
    public async Task Opening_twice_makes_the_tables_once()
    {
        await using (var store = _directory.Open()) await SqliteRun.BeginAsync(store, "a");
        await using (var again = _directory.Open()) Assert.NotNull(await again.FindAsync("a", Token));
        Assert.Equal(["1", "2", "3", "4"], Query("SELECT version FROM core_workflow_schema ORDER BY version"));
    }

    [Fact]
    public async Task Processes_that_open_a_new_file_at_once_make_the_tables_once()
    {
        var said = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SqliteSubject.RunAsync("open", _directory.File)));
        Assert.All(said, lines => Assert.Equal(["OPEN"], lines));
        Assert.Equal(["1", "2", "3", "4"], Query("SELECT version FROM core_workflow_schema ORDER BY version"));
    }

    [Fact]
    public async Task Tables_of_an_older_version_are_brought_up_to_date_and_their_runs_go_on()
    {
        SqliteRun run;
        await using (var store = _directory.Open()) run = await SqliteRun.BeginAsync(store, "a");
        // Up to version 3 a journal's key was run << 32 | seq, and up to version 2 there was no 'done'.
        Query("""
            DROP VIEW core_workflow_snapshots; DROP VIEW core_workflow_checkpoints;
            CREATE TABLE old AS SELECT (run << 32) + seq AS id, line FROM core_workflow_journal; DROP TABLE core_workflow_journal;
            CREATE TABLE core_workflow_journal (id INTEGER PRIMARY KEY, line TEXT NOT NULL); INSERT INTO core_workflow_journal SELECT id, line FROM old; DROP TABLE old;
            CREATE VIEW core_workflow_checkpoints AS SELECT 1; CREATE VIEW core_workflow_snapshots AS SELECT 1;
            DELETE FROM core_workflow_schema WHERE version > 2;
            CREATE VIEW yours AS SELECT * FROM core_workflow_checkpoints; CREATE VIEW gone AS SELECT * FROM no_such_table
            """);
        await using var again = _directory.Open();
        Assert.Equal(["1", "2", "3", "4"], Query("SELECT version FROM core_workflow_schema ORDER BY version"));
        run = new SqliteRun { Head = run.Head, Lease = (await again.ClaimAsync("a", SqliteRun.Me, Token)).Lease! };
        for (var step = 0; step < 3; step++) await run.CommitAsync(again, SqliteRun.Step($"s{step}"));
        var head = (await again.FindAsync("a", Token))!;
        Assert.Equal((run.Head.Seq, run.Head.Hash, 3), (head.Seq, head.Hash, head.Done));
        Assert.Equal(["1|created", "2|resumed", "3|step", "4|step", "5|step"], Query("SELECT seq, kind FROM core_workflow_checkpoints WHERE run_id = 'a' ORDER BY seq"));
        Assert.Equal(["s0", "s1", "s2"], Query("SELECT step_name FROM core_workflow_snapshots ORDER BY seq"));
        Assert.Equal(["5"], Query("SELECT count(*) FROM yours"));
    }

    [Fact]
    public async Task A_step_writes_its_record_alone_and_lists_tell_where_the_run_is()
    {
        await using var store = _directory.Open();
        await using var other = _directory.Open();
        var runs = new[] { await SqliteRun.BeginAsync(store, "a"), await SqliteRun.BeginAsync(store, "b") };
        var before = Query("SELECT seq, hash, done, updated_at FROM core_workflow_runs ORDER BY id");
        for (var round = 0; round < 4; round++)
        {
            var commits = (round % 2 == 0 ? runs : runs[..1]).Select(run => run.Commit(SqliteRun.Step($"s{round}"))).ToList();
            Assert.All(await store.CommitAsync(commits, Token), result => Assert.Equal(CommitResult.Committed, result));
            for (var i = 0; i < commits.Count; i++) runs[i].Head = commits[i].Head!;
            await foreach (var head in other.ListAsync(new RunQuery(), Token))
                Assert.Equal(runs.Where(run => run.Head.RunId == head.RunId).Select(run => (run.Head.Seq, run.Head.Hash, run.Head.Done, run.Head.UpdatedAt)).Single(), (head.Seq, head.Hash, head.Done, head.UpdatedAt));
        }
        Assert.Equal(before, Query("SELECT seq, hash, done, updated_at FROM core_workflow_runs ORDER BY id"));
    }

    [Fact]
    public async Task Tables_of_a_newer_program_are_refused_and_left_alone()
    {
        await _directory.Open().DisposeAsync();
        Query("INSERT INTO core_workflow_schema VALUES (99, 'later')");
        var error = Assert.Throws<NotSupportedException>(() => _directory.Open());
        Assert.Contains("version 99", error.Message, StringComparison.Ordinal);
        Assert.Equal(["1", "2", "3", "4", "99"], Query("SELECT version FROM core_workflow_schema ORDER BY version"));
    }

    [Fact]
    public async Task The_tables_may_stand_in_the_users_own_database()
    {
        Query("CREATE TABLE orders (id INTEGER PRIMARY KEY); INSERT INTO orders VALUES (7)");
        await using var store = _directory.Open();
        await SqliteRun.BeginAsync(store, "a");
        Assert.Equal(["7"], Query("SELECT id FROM orders"));
    }

    [Fact]
    public async Task The_tables_and_the_view_can_be_read_with_plain_sql()
    {
        await using var store = _directory.Open();
        var run = await SqliteRun.BeginAsync(store, "a", ",\"params\":{\"key\":\"value\",\"dry\":true},\"partition\":{\"date\":\"2026-01-10\"}");
        await run.CommitAsync(store, SqliteRun.Step("step1", "{\"records\":1000,\"price\":1.10,\"ok\":true}", "{\"passed\":true}"));
        await run.CommitAsync(store, SqliteRun.Step("step2", "\"text\""));
        Assert.Equal(["a|1||2026-01-10 12:00:00.000", "a|2||2026-01-10 12:00:00.000", "a|3|step1|2026-01-10 12:00:00.000", "a|4|step2|2026-01-10 12:00:00.000"], Query("SELECT run_id, seq, step_name, created_at FROM core_workflow_checkpoints ORDER BY seq"));
        Assert.Equal(["a|etl|running"], Query("SELECT run_id, workflow_name, status FROM core_workflow_runs"));
        var rows = Query("SELECT run_id, step_name, context_snapshot FROM core_workflow_snapshots ORDER BY seq");
        Assert.Equal("a|step1|{\"params\":{\"dry\":true,\"key\":\"value\"},\"outputs\":{\"step1\":{\"records\":1000,\"price\":1.10,\"ok\":true}},\"quality_metrics\":{\"step1\":{\"passed\":true}},\"partition\":{\"date\":\"2026-01-10\"}}", rows[0]);
        using var second = JsonDocument.Parse(rows[1].Split('|')[2]);
        Assert.Equal("text", second.RootElement.GetProperty("outputs").GetProperty("step2").GetString());
        Assert.Throws<SqliteException>(() => Query("INSERT INTO core_workflow_journal (run, seq, line) SELECT id, 4, '{}' FROM core_workflow_runs"));
    }

    [Fact]
    public async Task Every_member_of_a_head_has_a_column()
    {
        await using var store = _directory.Open();
        var (created, head) = SqliteRun.Created("a");
        head = head with
        {
            Version = 2,
            Status = RunStatus.Failed,
            Token = 3,
            Done = 4,
            Total = 5,
            CreatedAt = SqliteRun.Start.AddTicks(7),
            StartedAt = SqliteRun.Start,
            UpdatedAt = SqliteRun.Start.AddDays(1),
            ErrorStep = "x",
            Error = "y",
            ParentRunId = "z",
            Queue = "q",
            Priority = -6,
            WakeAt = SqliteRun.Start.AddHours(1),
            Seen = 7,
            Waits = [new Wait("p", "s", SqliteRun.Start, "m")],
            Recoveries = 8,
            DeadLetter = true,
            Portable = true,
            Tags = new Dictionary<string, string> { ["a"] = "ü" },
            Partition = new Dictionary<string, string> { ["b"] = "c" },
        };
        await store.CreateAsync(created, head, SqliteRun.Me, Token);
        var found = (await store.FindAsync("a", Token))!;
        foreach (var member in typeof(RunHead).GetProperties())
        {
            var (expected, got) = (JsonSerializer.Serialize(member.GetValue(member.Name == "Owner" ? head with { Owner = SqliteRun.Me } : head)), JsonSerializer.Serialize(member.GetValue(found)));
            Assert.True(expected == got, $"{member.Name}: {got} instead of {expected}");
            Assert.False(expected is "null" or "0" or "false" or "[]" or "{}" or "\"\"", $"{member.Name} is not looked at");
        }
    }

    [Fact]
    public async Task A_file_that_another_process_keeps_locked_is_an_error_that_says_so_and_the_commit_can_be_sent_again()
    {
        await using var store = _directory.Open(new SqliteStoreOptions { BusyTimeout = TimeSpan.FromMilliseconds(200) });
        var run = await SqliteRun.BeginAsync(store, "a");
        var commit = run.Commit(SqliteRun.Step("x"));
        using var other = SqliteSubject.Start("lock", _directory.File);
        Assert.Equal("LOCKED", await other.StandardOutput.ReadLineAsync(Token));
        var error = await Assert.ThrowsAnyAsync<IOException>(async () => await store.CommitAsync(commit, Token));
        Assert.Contains(_directory.File, error.Message, StringComparison.Ordinal);
        Assert.Contains("Another process keeps the database locked", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<IOException>(async () => await store.CommitAsync([commit, commit], Token));
        // Readers do not wait for writers.
        Assert.Equal(2, await store.ReadAsync("a", 1, Token).CountAsync(Token));
        await other.StandardInput.WriteLineAsync("end");
        await other.WaitForExitAsync(Token);
        Assert.Equal([CommitResult.Committed, CommitResult.Committed], await store.CommitAsync([commit, commit], Token));
    }

    [Fact]
    public async Task A_reader_that_stops_in_the_middle_keeps_nothing_open()
    {
        await using var store = _directory.Open();
        var run = await SqliteRun.BeginAsync(store, "a");
        for (var i = 0; i < 3; i++) await run.CommitAsync(store, [.. Enumerable.Range(0, 150).Select(n => SqliteRun.Step($"s{n}"))]);
        var seen = 0;
        await foreach (var record in store.ReadAsync("a", 1, Token))
        {
            if (++seen == 250) break;
        }
        // A checkpoint of the log answers busy = 0 only when no transaction reads.
        Assert.StartsWith("0|", Query("PRAGMA wal_checkpoint(TRUNCATE)").Single(), StringComparison.Ordinal);
        Assert.Equal(452, await store.ReadAsync("a", 1, Token).CountAsync(Token));
    }

    [Fact]
    public async Task A_file_that_is_no_database_is_an_error_that_says_so()
    {
        await File.WriteAllTextAsync(_directory.File, new string('x', 5000), Token);
        var error = Assert.ThrowsAny<IOException>(() => _directory.Open());
        Assert.Contains(_directory.File, error.Message, StringComparison.Ordinal);
        Assert.Contains("restore it from a backup", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_record_that_was_removed_or_changed_by_hand_is_reported()
    {
        await using var store = _directory.Open();
        foreach (var (id, damage) in new[] { ("gap", "DELETE FROM core_workflow_journal WHERE seq = 3"), ("end", "DELETE FROM core_workflow_journal WHERE seq = 4"), ("text", "UPDATE core_workflow_journal SET line = 'x' WHERE seq = 3") })
        {
            var run = await SqliteRun.BeginAsync(store, id);
            await run.CommitAsync(store, SqliteRun.Step("x"), SqliteRun.Step("y"));
            Query($"{damage} AND run = (SELECT id FROM core_workflow_runs WHERE run_id = '{id}')");
            var error = await Assert.ThrowsAsync<JournalCorruptException>(async () => await store.ReadAsync(id, 1, Token).CountAsync(Token));
            Assert.Equal((id, id == "end" ? 4 : 3), (error.RunId, error.Line));
        }
    }

    [Fact]
    public async Task A_damaged_page_is_reported_and_never_read_over()
    {
        await using (var store = _directory.Open())
        {
            var run = await SqliteRun.BeginAsync(store, "a");
            for (var i = 0; i < 40; i++) await run.CommitAsync(store, SqliteRun.Step($"s{i}", $"\"{new string('x', 2000)}\""));
        }
        var bytes = await File.ReadAllBytesAsync(_directory.File, Token);
        for (var page = bytes.Length / 4096 - 12; page < bytes.Length / 4096; page++) bytes.AsSpan(page * 4096, 4096).Fill(0xEE);
        await File.WriteAllBytesAsync(_directory.File, bytes, Token);
        await using var again = _directory.Open();
        await Assert.ThrowsAsync<JournalCorruptException>(async () => await again.ReadAsync("a", 1, Token).CountAsync(Token));
    }

    [Fact]
    public async Task A_full_disk_stops_the_commits_and_they_go_on_when_there_is_space()
    {
        var mount = Path.Join(_directory.Root, "disk");
        Directory.CreateDirectory(mount);
        var said = Sh($"mount -t tmpfs -o size=1m tmpfs {mount}");
        Assert.True(said.Length == 0, $"this test mounts a small disk and needs root: {said}");
        try
        {
            await using (var store = SqliteStore.Open(Path.Join(mount, "pawl.db")))
            {
                Assert.Equal(DurabilityClass.Process, store.Info.Durability);
                var run = await SqliteRun.BeginAsync(store, "a");
                IOException? full = null;
                while (full is null)
                {
                    try { await run.CommitAsync(store, SqliteRun.Step($"s{run.Head.Seq}", $"\"{new string('x', 3000)}\"")); }
                    catch (IOException e) { full = e; }
                }
                Assert.Contains("The disk is full", full.Message, StringComparison.Ordinal);
                Assert.Equal(run.Head.Seq, await store.ReadAsync("a", 1, Token).CountAsync(Token));
                Sh($"mount -o remount,size=8m {mount}");
                await run.CommitAsync(store, SqliteRun.Step("after"));
                Assert.Equal(run.Head.Seq, await store.ReadAsync("a", 1, Token).CountAsync(Token));
                await store.ReleaseAsync(run.Lease, Token);
            }
        }
        finally
        {
            Sh($"umount {mount}");
        }
    }

    [Fact]
    public async Task A_read_only_file_system_can_be_listed_and_a_write_to_it_says_why_not()
    {
        var mount = Path.Join(_directory.Root, "disk");
        Directory.CreateDirectory(mount);
        Assert.Equal("", Sh($"mount -t tmpfs -o size=8m tmpfs {mount}"));
        try
        {
            var file = Path.Join(mount, "pawl.db");
            await using (var store = SqliteStore.Open(file)) await SqliteRun.BeginAsync(store, "a");
            Assert.Equal("", Sh($"mount -o remount,ro {mount}"));
            var error = await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                await using var store = SqliteStore.Open(file);
                await SqliteRun.BeginAsync(store, "b");
            });
            Assert.Contains("read-only", error.Message, StringComparison.Ordinal);
            Assert.Contains(file, error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Sh($"umount {mount}");
        }
    }
}
