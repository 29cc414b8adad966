using Npgsql;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>What the laws cannot ask of every store: settings, schema, time, batches, news.</summary>
public class PostgresStoreTests(PostgresFixture postgres)
{
    static CancellationToken Ended => TestContext.Current.CancellationToken;

    async Task<PostgresStore> OpenAsync(string schema, TimeSpan? lease = null) =>
        await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema, LeaseTime = lease ?? TimeSpan.FromSeconds(30) }, Ended);

    async Task<List<T>> QueryAsync<T>(string sql)
    {
        await using var source = NpgsqlDataSource.Create(postgres.Server.ConnectionString);
        await using var command = source.CreateCommand(sql);
        await using var rows = await command.ExecuteReaderAsync(Ended);
        List<T> values = [];
        while (await rows.ReadAsync(Ended)) values.Add(rows.GetFieldValue<T>(0));
        return values;
    }

    [Fact]
    public async Task Many_that_open_a_new_schema_at_once_make_its_tables_once()
    {
        var schema = postgres.NewSchema();
        var stores = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => OpenAsync(schema))));
        Assert.Equal([1, 2], await QueryAsync<int>($"select version from {schema}.core_workflow_schema"));
        foreach (var store in stores) await store.DisposeAsync();
        await (await OpenAsync(schema)).DisposeAsync();
        Assert.Equal([1, 2], await QueryAsync<int>($"select version from {schema}.core_workflow_schema"));
    }

    [Fact]
    public async Task The_size_of_the_store_is_that_of_its_tables()
    {
        await using var store = await OpenAsync(postgres.NewSchema());
        var size = (await store.MeasureAsync(Ended))!;
        Assert.Contains("tables", size.Of, StringComparison.Ordinal);
        Assert.InRange(size.Bytes, 1, 10_000_000);
    }

    [Fact]
    public async Task A_newer_schema_is_refused_and_left_as_it_is()
    {
        var schema = postgres.NewSchema();
        await (await OpenAsync(schema)).DisposeAsync();
        await QueryAsync<int>($"insert into {schema}.core_workflow_schema (version) values (99)");
        var error = await Assert.ThrowsAsync<ResumeRefusedException>(() => OpenAsync(schema));
        Assert.Equal(RefusalReason.NewerFormat, error.Refusal.Reason);
        Assert.Contains("version 99", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_flushes_survives_the_loss_of_power()
    {
        await using var store = await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = postgres.NewSchema(), RequireDurable = true }, Ended);
        Assert.Equal((DurabilityClass.Power, null), (store.Info.Durability, store.Info.Remark));
    }

    [Fact]
    public async Task A_server_that_acknowledges_before_it_flushes_is_said_and_refused_when_asked()
    {
        var connection = new NpgsqlConnectionStringBuilder(postgres.Server.ConnectionString) { Options = "-c synchronous_commit=off" }.ConnectionString;
        var options = new PostgresStoreOptions { Schema = postgres.NewSchema() };
        await using var store = await PostgresStore.OpenAsync(connection, options, Ended);
        Assert.Equal(DurabilityClass.None, store.Info.Durability);
        Assert.Contains("synchronous_commit = off", store.Info.Remark, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => PostgresStore.OpenAsync(connection, options with { RequireDurable = true }, Ended));
    }

    [Fact]
    public async Task No_password_is_in_the_description_or_in_an_error()
    {
        var server = postgres.Server;
        var uri = $"postgres://{PostgresServer.User}:{Uri.EscapeDataString(PostgresServer.Password)}@127.0.0.1:{server.Port}/postgres?schema={postgres.NewSchema()}&application_name=pawl%20test";
        await using (var store = await PostgresStore.OpenAsync(uri, cancellationToken: Ended)) Silent(store.Info.ToString());
        foreach (var wrong in new[]
        {
            uri.Replace(":" + server.Port, ":1", StringComparison.Ordinal), uri + "x&nonsense=" + PostgresServer.Password, uri.Replace("/postgres?", "/nowhere?", StringComparison.Ordinal),
            uri.Replace(PostgresServer.User + ":", "nobody:", StringComparison.Ordinal), $"postgres://a:{PostgresServer.Password}@b@c:x/", $"Host=127.0.0.1;Port=x;Password={PostgresServer.Password}",
        })
            Silent((await Assert.ThrowsAnyAsync<Exception>(() => PostgresStore.OpenAsync(wrong, cancellationToken: Ended))).ToString());

        static void Silent(string text) => Assert.All([PostgresServer.Password, Uri.EscapeDataString(PostgresServer.Password)], secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("postgres://anna@db.example:5433/app?schema=flows", "postgres://anna@db.example:5433/app?schema=flows")]
    [InlineData("postgresql://anna:p%40ss@[::1]/my%20app?sslmode=verify-full", "postgres://anna@[::1]:5432/my%20app")]
    [InlineData("postgres:///app?host=/var/run/postgresql&user=anna", "postgres:///app?host=%2Fvar%2Frun%2Fpostgresql&port=5432&user=anna")]
    [InlineData("postgres://anna:p%40ss@one:5432,two:5433/app?schema=flows", "postgres://anna@one:5432,two:5433/app?schema=flows")]
    [InlineData("Host=db;Username=anna;Password=x", "postgres://anna@db:5432/anna")]
    public void An_address_in_either_form_is_described_without_its_secret(string text, string expected)
    {
        var (connection, schema) = PostgresUri.Parse(text);
        Assert.Equal(expected, PostgresUri.Describe(connection, schema ?? "public"));
        // What is described leads to the same place.
        Assert.Equal(expected, PostgresUri.Describe(PostgresUri.Parse(expected).ConnectionString, PostgresUri.Parse(expected).Schema ?? "public"));
    }

    [Fact]
    public async Task Whoever_was_frozen_past_its_lease_cannot_commit()
    {
        var schema = postgres.NewSchema();
        await using var frozen = await OpenAsync(schema, TimeSpan.FromMilliseconds(50));
        await using var other = await OpenAsync(schema);
        var run = await StoredRun.BeginAsync(frozen, "r");
        ClaimResult claim;
        do claim = await other.ClaimAsync("r", StoredRun.Owner(2), Ended);
        while (claim.Lease is null);
        Assert.Equal(CommitResult.LeaseLost, await frozen.CommitAsync(run.Next("late"), Ended));
        Assert.Equal([run.Lease], await frozen.RenewAsync([run.Lease], Ended));
        Assert.Equal(CommitResult.Committed, await other.CommitAsync(run.Next("mine") with { Lease = claim.Lease }, Ended));
    }

    [Fact]
    public async Task A_process_of_this_machine_that_is_gone_is_taken_over_at_once()
    {
        var schema = postgres.NewSchema();
        await using var store = await OpenAsync(schema, TimeSpan.FromHours(1));
        await StoredRun.BeginAsync(store, "r");
        using var gone = System.Diagnostics.Process.Start("/bin/true");
        await gone.WaitForExitAsync(Ended);
        var claimant = new RunOwner(Environment.ProcessId, Environment.MachineName, default);
        await QueryAsync<int>($$"""update {{schema}}.core_workflow_runs set owner = '{"pid":{{gone.Id}},"host":"h","since":"2026-01-10T00:00:00Z","realm":"another","started":1}'""");
        Assert.Equal(gone.Id, (await store.ClaimAsync("r", claimant, Ended)).HeldBy?.Pid);
        await QueryAsync<int>($$"""update {{schema}}.core_workflow_runs set owner = '{"pid":{{gone.Id}},"host":"h","since":"2026-01-10T00:00:00Z","realm":"{{PostgresOwner.Here}}","started":1}'""");
        Assert.NotNull((await store.ClaimAsync("r", claimant, Ended)).Lease);
        // This process lives.
        Assert.Equal(Environment.ProcessId, (await store.ClaimAsync("r", claimant, Ended)).HeldBy?.Pid);
    }

    [Fact]
    public async Task Of_writers_that_steal_a_run_from_each_other_no_older_one_ever_commits_after_a_younger_one()
    {
        var schema = postgres.NewSchema();
        await using var store = await OpenAsync(schema, TimeSpan.FromMilliseconds(1));
        await StoredRun.BeginAsync(store, "r");
        var (wrote, limit) = (new System.Collections.Concurrent.ConcurrentDictionary<long, bool>(), System.Diagnostics.Stopwatch.StartNew());
        await Task.WhenAll(Enumerable.Range(0, 6).Select(writer => Task.Run(async () =>
        {
            await using var mine = await OpenAsync(schema, TimeSpan.FromMilliseconds(1));
            // On a slow machine most of them lose their lease before they write.
            for (var i = 0; i < 40 || (wrote.Count <= 10 && limit.Elapsed < TimeSpan.FromMinutes(1)); i++)
            {
                if ((await mine.ClaimAsync("r", StoredRun.Owner(writer), Ended)).Lease is not { } lease) continue;
                var run = await StoredRun.ReadAsync(mine, "r", lease);
                for (var n = 0; n < 3; n++)
                {
                    var commit = run.Next($"{lease.Token}");
                    if (await mine.CommitAsync(commit, Ended) != CommitResult.Committed) break;
                    run.Accept(commit);
                    wrote[lease.Token] = true;
                }
            }
        })));
        var tokens = new List<long>();
        await foreach (var record in store.ReadAsync("r", 3, Ended)) tokens.Add(long.Parse(record.Path!, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(tokens.Order(), tokens);
        Assert.True(tokens.Distinct().Count() > 10, $"only {tokens.Distinct().Count()} writers wrote");
        Assert.Empty(await new PawlClient(store).VerifyAsync("r", Ended));
    }

    [Fact]
    public async Task Of_128_commits_sent_together_those_that_may_not_be_written_fail_alone()
    {
        await using var store = await OpenAsync(postgres.NewSchema());
        var runs = await Task.WhenAll(Enumerable.Range(0, 128).Select(i => StoredRun.BeginAsync(store, $"r{i}")));
        foreach (var mixed in new[] { false, true })
        {
            var commits = runs.Select((run, i) => i == 7 ? run.Next("stale") with { Lease = run.Lease with { Token = 0 } }
                : i == 9 ? run.Next("other", gap: true) : run.Next("s", mixed && i % 3 == 0 ? new string('x', 3) : null)).ToArray();
            var results = await store.CommitAsync(commits, Ended);
            Assert.Equal((CommitResult.LeaseLost, CommitResult.Conflict), (results[7], results[9]));
            Assert.Equal(126, results.Count(result => result == CommitResult.Committed));
            Assert.Equal(results, await store.CommitAsync(commits, Ended));
            for (var i = 0; i < runs.Length; i++)
                if (results[i] == CommitResult.Committed) runs[i].Accept(commits[i]);
        }
        foreach (var run in runs) Assert.Equal(run.Head, (await store.FindAsync(run.Head.RunId, Ended))! with { Owner = null, Tags = run.Head.Tags, Partition = run.Head.Partition, Waits = run.Head.Waits });
    }

    [Fact]
    public async Task A_step_writes_its_record_alone_and_lists_tell_where_the_run_is()
    {
        var schema = postgres.NewSchema();
        await using var store = await OpenAsync(schema);
        await using var other = await OpenAsync(schema);
        var runs = await Task.WhenAll(Enumerable.Range(0, 3).Select(number => StoredRun.BeginAsync(store, $"r{number}")));
        var before = await QueryAsync<string>($"select ctid::text from {schema}.core_workflow_runs order by run");
        for (var round = 0; round < 4; round++)
        {
            // One alone, and some together.
            var commits = (round % 2 == 0 ? runs : runs[..1]).Select(run => run.Next($"s{round}")).ToList();
            Assert.All(await store.CommitAsync(commits, Ended), result => Assert.Equal(CommitResult.Committed, result));
            for (var i = 0; i < commits.Count; i++) runs[i].Accept(commits[i]);
            await foreach (var head in other.ListAsync(new RunQuery(), Ended)) Told(runs.Single(run => run.Head.RunId == head.RunId).Head, head);
        }
        Assert.Equal(before, await QueryAsync<string>($"select ctid::text from {schema}.core_workflow_runs order by run"));

        static void Told(RunHead expected, RunHead head) => Assert.Equal((expected.Seq, expected.Hash, expected.Done, expected.UpdatedAt), (head.Seq, head.Hash, head.Done, head.UpdatedAt));
    }

    [Fact]
    public async Task A_number_that_was_written_through_another_store_is_refused_and_the_same_record_is_known_again()
    {
        var schema = postgres.NewSchema();
        await using var store = await OpenAsync(schema);
        await using var other = await OpenAsync(schema);
        var runs = await Task.WhenAll(Enumerable.Range(0, 3).Select(number => StoredRun.BeginAsync(store, $"r{number}")));
        foreach (var together in new[] { 1, 3 })
        {
            var (theirs, mine) = (runs[0].Next("theirs"), runs[..together].Select(run => run.Next("mine")).ToList());
            Assert.Equal(CommitResult.Committed, await other.CommitAsync(theirs, Ended));
            Assert.Equal([CommitResult.Conflict, .. Enumerable.Repeat(CommitResult.Committed, together - 1)], await store.CommitAsync(mine, Ended));
            Assert.Equal([CommitResult.Committed, .. Enumerable.Repeat(CommitResult.Committed, together - 1)], await store.CommitAsync([theirs, .. mine[1..]], Ended));
            runs[0].Accept(theirs);
            for (var i = 1; i < together; i++) runs[i].Accept(mine[i]);
        }
        foreach (var run in runs) Assert.Equal(run.Head.Hash, (await other.FindAsync(run.Head.RunId, Ended))!.Hash);
    }

    [Fact]
    public async Task Tables_of_the_first_version_are_brought_up_to_date_and_their_runs_go_on()
    {
        var schema = postgres.NewSchema();
        await using (var store = await OpenAsync(schema)) await StoredRun.BeginAsync(store, "r");
        await QueryAsync<int>($"alter table {schema}.core_workflow_journal drop column done; delete from {schema}.core_workflow_schema where version = 2");
        await using var again = await OpenAsync(schema);
        Assert.Equal([1, 2], await QueryAsync<int>($"select version from {schema}.core_workflow_schema order by version"));
        var run = await StoredRun.ReadAsync(again, "r", new RunLease("r", 1));
        for (var step = 0; step < 3; step++)
        {
            var commit = run.Next($"s{step}");
            Assert.Equal(CommitResult.Committed, await again.CommitAsync(commit, Ended));
            run.Accept(commit);
        }
        var head = (await again.FindAsync("r", Ended))!;
        Assert.Equal((run.Head.Seq, run.Head.Hash, 3), (head.Seq, head.Hash, head.Done));
    }

    public static TheoryData<CheckpointKind, StepStatus> Steps { get; } = [.. from kind in Enum.GetValues<CheckpointKind>() where PostgresHead.IsStep(new Checkpoint { Kind = kind }) from status in Enum.GetValues<StepStatus>() select (kind, status)];

    [Theory, MemberData(nameof(Steps))]
    public void A_record_that_leaves_the_heads_JSON_alone_changes_nothing_in_it(CheckpointKind kind, StepStatus status)
    {
        var created = new Checkpoint { Kind = CheckpointKind.Created, Data = """{"format":1,"run_id":"r","workflow":"w","steps":["a","b"],"queue":"q","tags":{"k":"v"}}"""u8.ToArray() };
        var head = RunHead.After(RunHead.After(null, created), new Checkpoint { Kind = CheckpointKind.Resumed, Token = 3 }) with { Recoveries = 2, Done = 1 };
        var record = new Checkpoint { Kind = kind, Path = "a", Status = status, At = DateTimeOffset.UnixEpoch, Tolerated = true, Reason = "so", Error = new StepError("type", "message", ErrorClass.Permanent), Data = """{"due":"2026-01-10T12:00:00Z"}"""u8.ToArray() };
        var next = RunHead.After(head, record);
        Assert.Equal(head, next with { Seq = head.Seq, Hash = head.Hash, UpdatedAt = head.UpdatedAt, Done = head.Done, Recoveries = head.Recoveries });
    }

    [Fact]
    public async Task A_run_given_back_before_it_began_does_not_count_against_its_queues_rate()
    {
        await using var store = await OpenAsync(postgres.NewSchema());
        var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = DateTimeOffset.UnixEpoch, Data = """{"format":1,"run_id":"r","workflow":"w","steps":[],"queue":"q"}"""u8.ToArray() }, 1, false, "");
        var lease = (await store.CreateAsync(created, RunHead.After(null, created), StoredRun.Owner(), Ended)).Lease!;
        await store.ReleaseAsync(lease, Ended);
        var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q") { Rate = 1 }, 1)], Workflows = [new WorkflowKey("w", 1)] };
        Assert.Single(await store.TakeAsync(work, StoredRun.Owner(), Ended));
    }

    [Fact]
    public async Task Of_more_partitions_than_one_look_reads_none_is_left_out_and_the_most_urgent_goes_first()
    {
        await using var store = await OpenAsync(postgres.NewSchema());
        await Task.WhenAll(Enumerable.Range(0, 600).Select(i => EnqueueAsync(i, "other")));
        await Task.WhenAll(Enumerable.Range(600, 300).Select(i => EnqueueAsync(i, "mine", i == 850 ? 5 : 0)));
        var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q") { FairBy = "customer" }, 40)], Workflows = [new WorkflowKey("mine", 1)] };
        var taken = new List<string>();
        while (await store.TakeAsync(work, StoredRun.Owner(), Ended) is { Count: > 0 } more) taken.AddRange(more.Select(run => run.Head.RunId));
        Assert.Equal("r850", taken[0]);
        Assert.Equal(Enumerable.Range(600, 300).Select(i => $"r{i}"), taken.Order());

        async Task EnqueueAsync(int i, string workflow, int priority = 0)
        {
            var data = $$$"""{"format":1,"run_id":"r{{{i}}}","workflow":"{{{workflow}}}","steps":[],"queue":"q","priority":{{{priority}}},"partition":{"customer":"c{{{i:D4}}}"}}""";
            var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = DateTimeOffset.UnixEpoch, Data = System.Text.Encoding.UTF8.GetBytes(data) }, 1, false, "");
            await store.CreateAsync(created, RunHead.After(null, created), null, Ended);
        }
    }

    [Fact]
    public async Task A_thousand_messages_at_once_wake_a_thousand_runs_each_once()
    {
        var schema = postgres.NewSchema();
        await using var one = await OpenAsync(schema);
        await using var two = await OpenAsync(schema);
        var runs = await Task.WhenAll(Enumerable.Range(0, 1000).Select(i => StoredRun.BeginAsync(one, $"r{i}", "q")));
        Assert.All(await one.CommitAsync([.. runs.Select(run => run.Wait())], Ended), result => Assert.Equal(CommitResult.Committed, result));
        var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q"), 100)], Workflows = [new WorkflowKey("stored", 1)] };
        Assert.Empty(await two.TakeAsync(work, StoredRun.Owner(2), Ended));
        var worker = Task.WhenAll(new[] { one, two }.Select(store => Task.Run(async () =>
        {
            var taken = new List<string>();
            await foreach (var _ in store.WatchAsync(Ended))
            {
                while (await store.TakeAsync(work, StoredRun.Owner(3), Ended) is { Count: > 0 } more) taken.AddRange(more.Select(run => run.Head.RunId));
                // The last message of all: everything was told before.
                if ((await store.InboxAsync("r0", Ended)).Count == 2) return taken;
            }
            return taken;
        })));
        await Task.WhenAll(runs.Select(run => Task.Run(async () => Assert.True(await two.PostAsync(run.Head.RunId, new RunMessage("go", null, default), Ended)))));
        await one.PostAsync("r0", new RunMessage("end", null, default), Ended);
        var woken = (await worker).SelectMany(taken => taken).ToList();
        woken.AddRange((await one.TakeAsync(work with { Queues = [new QueueDemand(new QueueOptions("q"), 1000)] }, StoredRun.Owner(4), Ended)).Select(run => run.Head.RunId));
        Assert.Equal(runs.Select(run => run.Head.RunId).Order(), woken.Order());
    }

    [Fact]
    public async Task The_view_has_the_context_behind_each_finished_step()
    {
        var schema = postgres.NewSchema();
        await using var store = await OpenAsync(schema);
        var workflow = Workflow.Define("w", async ctx =>
        {
            await ctx.StepAsync("first", () => Task.FromResult(1));
            await ctx.StepAsync("second", () => Task.FromResult("two"));
        });
        (await new PawlClient(store).RunAsync(workflow, null, new StartOptions { RunId = "r", Partition = new Dictionary<string, string> { ["date"] = "2026-01-10" } }, Ended)).EnsureCompleted();
        var snapshots = await QueryAsync<string>($"select context_snapshot::text from {schema}.core_workflow_snapshots where run_id = 'r' and step_name like '%second'");
        Assert.Contains("\"date\": \"2026-01-10\"", Assert.Single(snapshots), StringComparison.Ordinal);
        Assert.Contains("first\": 1", snapshots[0], StringComparison.Ordinal);
        Assert.Contains("second\": \"two\"", snapshots[0], StringComparison.Ordinal);
        Assert.DoesNotContain("second", Assert.Single(await QueryAsync<string>($"select context_snapshot::text from {schema}.core_workflow_snapshots where step_name like '%first'")), StringComparison.Ordinal);
        Assert.Contains("r|3|step|first", await QueryAsync<string>($"select concat_ws('|', run_id, seq, kind, regexp_replace(step_name, '^.*/', '')) from {schema}.core_workflow_checkpoints where created_at <= now()"));
    }
}
