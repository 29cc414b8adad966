using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Pawl.Redis;
using Pawl.Storage;
using Pawl.Testing;
using StackExchange.Redis;

namespace Pawl.Stores;

/// <summary>What the laws cannot ask of every store: settings, addresses, keys, time, what is read and written.</summary>
public class RedisStoreTests(RedisFixture redis)
{
    static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_servers_settings_say_what_survives_and_a_lesser_class_is_refused_when_asked()
    {
        await using var server = await RedisServer.StartAsync();
        foreach (var (settings, expected, remark) in new (string[], DurabilityClass, string?)[]
        {
            ([], DurabilityClass.Power, null),
            (["appendfsync", "everysec"], DurabilityClass.Process, "appendfsync = everysec"),
            (["appendfsync", "no"], DurabilityClass.Process, "appendfsync = no"),
            (["appendfsync", "always", "no-appendfsync-on-rewrite", "yes"], DurabilityClass.Process, "no-appendfsync-on-rewrite"),
            (["no-appendfsync-on-rewrite", "no", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"], DurabilityClass.None, "allkeys-lru"),
            (["maxmemory-policy", "noeviction"], DurabilityClass.Power, null),
            (["appendonly", "no"], DurabilityClass.None, "appendonly = no"),
        })
        {
            if (settings.Length > 0) await server.AskAsync(["CONFIG", "SET", .. settings]);
            await using var store = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended);
            Assert.Equal(expected, store.Info.Durability);
            if (remark is null)
            {
                Assert.Null(store.Info.Remark);
                await (await RedisStore.OpenAsync(server.Uri(), new RedisStoreOptions { RequireDurable = true }, Ended)).DisposeAsync();
                continue;
            }
            Assert.Contains(remark, store.Info.Remark, StringComparison.Ordinal);
            Assert.Contains(remark, (await Assert.ThrowsAsync<InvalidOperationException>(() => RedisStore.OpenAsync(server.Uri(), new RedisStoreOptions { RequireDurable = true }, Ended))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_size_of_the_store_is_that_of_the_servers_memory_unless_the_server_does_not_tell()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended);
        var size = (await store.MeasureAsync(Ended))!;
        Assert.Contains("server", size.Of, StringComparison.Ordinal);
        Assert.InRange(size.Bytes, 100_000, 100_000_000);
        await server.AskAsync("ACL", "SETUSER", "default", "-info");
        Assert.Null(await store.MeasureAsync(Ended));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whoever_watches_ends_quietly_when_the_store_or_its_connection_was_closed(bool owned)
    {
        // Whether the client still knows a server when the watch ends is chance.
        for (var round = 0; round < 20; round++)
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.Server.Client);
            var store = owned ? await RedisStore.OpenAsync(redis.NewUri(), cancellationToken: Ended) : await RedisStore.OpenAsync(connection, cancellationToken: Ended);
            var hints = store.WatchAsync(Ended).GetAsyncEnumerator(Ended);
            Assert.True(await hints.MoveNextAsync());
            if (!owned) await connection.DisposeAsync();
            await store.DisposeAsync();
            await hints.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_server_that_does_not_tell_its_settings_is_not_taken_for_durable()
    {
        await using var server = await RedisServer.StartAsync();
        await server.AskAsync("ACL", "SETUSER", "default", "-config");
        await using var store = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended);
        Assert.Equal(DurabilityClass.Process, store.Info.Durability);
        Assert.Contains("CONFIG GET is refused", store.Info.Remark, StringComparison.Ordinal);
        await Assert.ThrowsAsync<InvalidOperationException>(() => RedisStore.OpenAsync(server.Uri(), new RedisStoreOptions { RequireDurable = true }, Ended));
    }

    [Theory]
    [InlineData("redis://db.example", "redis://db.example:6379/0")]
    [InlineData("redis://:p%40ss@[::1]:7000/3?prefix=flows", "redis://[::1]:7000/3?prefix=flows")]
    [InlineData("rediss://anna:x@db.example:6380/0", "rediss://anna@db.example:6380/0")]
    public void An_address_is_described_without_its_secret(string text, string expected)
    {
        foreach (var address in new[] { text, expected })
        {
            var (settings, database, prefix, certificate) = RedisUri.Parse(address);
            Assert.Equal(expected, RedisUri.Describe(settings, new RedisStoreOptions { Database = database, Prefix = prefix ?? "pawl" }, certificate));
        }
    }

    [Fact]
    public async Task No_password_is_in_the_description_or_in_an_error()
    {
        var uri = redis.NewUri();
        await using (var store = await RedisStore.OpenAsync(uri, cancellationToken: Ended)) Silent(store.Info.ToString());
        foreach (var (wrong, told) in new[]
        {
            (uri.Replace($":{redis.Server.Port}", ":1", StringComparison.Ordinal), ":1/0?prefix="), (uri.Replace("s3cret", "s4cret", StringComparison.Ordinal), "refuses the user or the password"),
            (uri + "&nonsense=" + RedisServer.Password, "'nonsense'"), (uri.Replace("/0?", "/zero?", StringComparison.Ordinal), "it is a number"), ($"redis://a:{RedisServer.Password}@b@c:x/", "cannot be read"),
            (uri.Replace("prefix=", "prefix={x}", StringComparison.Ordinal), "prefix"),
        })
        {
            var error = await Assert.ThrowsAnyAsync<Exception>(() => RedisStore.OpenAsync(wrong, cancellationToken: Ended));
            Assert.True(error is IOException or ArgumentException, error.ToString());
            Assert.Contains(told, error.Message, StringComparison.Ordinal);
            Silent(error.ToString());
        }

        static void Silent(string text) => Assert.All([RedisServer.Password, Uri.EscapeDataString(RedisServer.Password)], secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_applications_own_connection_serves_a_store_and_stays_the_applications()
    {
        await using var client = await ConnectionMultiplexer.ConnectAsync($"{redis.Server.Address},password={RedisServer.Password}");
        await using (var store = await RedisStore.OpenAsync(client, new RedisStoreOptions { Prefix = "own", Database = 1 }, Ended))
        {
            Assert.Equal($"redis://{redis.Server.Address}/1?prefix=own", store.Info.Uri);
            await StoredRun.BeginAsync(store, "r");
        }
        Assert.Equal("running", (string?)await client.GetDatabase(1).HashGetAsync("{own}:run:r", "status"));
    }

    [Fact]
    public async Task Runs_of_a_newer_version_are_refused_and_left_as_they_are()
    {
        var uri = redis.NewUri();
        await (await RedisStore.OpenAsync(uri, cancellationToken: Ended)).DisposeAsync();
        var key = $"{{{uri.Split("prefix=")[1]}}}:store";
        await redis.Server.AskAsync("HSET", key, "format", "99");
        Assert.Equal(RefusalReason.NewerFormat, (await Assert.ThrowsAsync<ResumeRefusedException>(() => RedisStore.OpenAsync(uri, cancellationToken: Ended))).Refusal.Reason);
        Assert.Equal("99", (string?)await redis.Server.AskAsync("HGET", key, "format"));
    }

    [Fact]
    public async Task Whoever_was_frozen_past_its_lease_cannot_commit()
    {
        var uri = redis.NewUri();
        await using var frozen = await RedisStore.OpenAsync(uri, new RedisStoreOptions { LeaseTime = TimeSpan.FromMilliseconds(50) }, Ended);
        await using var other = await RedisStore.OpenAsync(uri, cancellationToken: Ended);
        var run = await StoredRun.BeginAsync(frozen, "r");
        ClaimResult claim;
        do claim = await other.ClaimAsync("r", StoredRun.Owner(2), Ended);
        while (claim.Lease is null);
        Assert.Equal(CommitResult.LeaseLost, await frozen.CommitAsync(run.Next("late"), Ended));
        Assert.Equal([run.Lease], await frozen.RenewAsync([run.Lease], Ended));
        Assert.Equal(CommitResult.Committed, await other.CommitAsync(run.Next("mine") with { Lease = claim.Lease }, Ended));
    }

    [Fact]
    public async Task Of_128_commits_sent_together_in_one_round_trip_those_that_may_not_be_written_fail_alone()
    {
        await using var server = await RedisServer.StartAsync();
        await using var store = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended);
        var runs = await Task.WhenAll(Enumerable.Range(0, 128).Select(i => StoredRun.BeginAsync(store, $"r{i}")));
        var commits = runs.Select((run, i) => i == 7 ? run.Next("stale") with { Lease = run.Lease with { Token = 0 } } : i == 9 ? run.Next("other", gap: true) : run.Next("s", i % 3 == 0 ? "xxx" : null)).ToArray();
        var before = await server.CallsAsync("evalsha");
        var results = await store.CommitAsync(commits, Ended);
        Assert.Equal(before + 1, await server.CallsAsync("evalsha"));
        Assert.Equal((CommitResult.LeaseLost, CommitResult.Conflict), (results[7], results[9]));
        Assert.Equal(126, results.Count(result => result == CommitResult.Committed));
        Assert.Equal(results, await store.CommitAsync(commits, Ended));
    }

    [Fact]
    public async Task What_is_stored_is_the_lines_byte_for_byte_and_grows_with_them_alone()
    {
        var uri = redis.NewUri();
        var root = $"{{{uri.Split("prefix=")[1]}}}:";
        await using var store = await RedisStore.OpenAsync(uri, cancellationToken: Ended);
        var run = await StoredRun.BeginAsync(store, "r");
        var sizes = new List<long>();
        foreach (var _ in Enumerable.Range(0, 3))
        {
            for (var i = 0; i < 200; i++)
            {
                var commit = run.Next($"step {i}");
                Assert.Equal(CommitResult.Committed, await store.CommitAsync(commit, Ended));
                run.Accept(commit);
            }
            sizes.Add((long)await redis.Server.AskAsync("MEMORY", "USAGE", root + "journal:r", "SAMPLES", "0") + (long)await redis.Server.AskAsync("MEMORY", "USAGE", root + "run:r", "SAMPLES", "0"));
        }
        Assert.InRange((double)(sizes[2] - sizes[1]) / (sizes[1] - sizes[0]), 0.8, 1.25);
        var lines = (string[])(await redis.Server.AskAsync("LRANGE", root + "journal:r", "0", "-1"))!;
        Assert.Equal(await store.ReadAsync("r", 1, Ended).Select(record => Encoding.UTF8.GetString(record.Line.Span)).ToListAsync(Ended), lines);
    }

    [Fact]
    public async Task A_list_reads_what_it_finds_and_not_what_else_there_is()
    {
        await using var server = await RedisServer.StartAsync("appendfsync=no");
        await using var store = await RedisStore.OpenAsync(server.Uri(), cancellationToken: Ended);
        await Parallel.ForEachAsync(Enumerable.Range(0, 1500), Ended, async (i, token) =>
        {
            var data = $$$"""{"format":1,"run_id":"r{{{i}}}","workflow":"w{{{i % 2}}}","steps":[],"tags":{"team":"{{{(i % 500 == 0 ? "few" : "many")}}}"}}""";
            var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = DateTimeOffset.UnixEpoch.AddSeconds(i), Data = Encoding.UTF8.GetBytes(data) }, 1, false, "");
            await store.CreateAsync(created, RunHead.After(null, created), null, token);
        });
        var before = await server.CallsAsync("hmget");
        var few = await store.ListAsync(new RunQuery { Workflow = "w0", Where = new Dictionary<string, string> { ["team"] = "few" }, Statuses = [RunStatus.Pending] }, Ended).Select(head => head.RunId).ToListAsync(Ended);
        Assert.Equal(["r1000", "r500", "r0"], few);
        Assert.Equal(["r1499", "r1498"], await store.ListAsync(new RunQuery { Limit = 2 }, Ended).Select(head => head.RunId).ToListAsync(Ended));
        Assert.Equal(before + 5, await server.CallsAsync("hmget"));
        // Longer than one page, and more looks than one script takes: nothing is left out.
        Assert.Equal(1497, await store.ListAsync(new RunQuery { Where = new Dictionary<string, string> { ["team"] = "many" } }, Ended).Select(head => head.RunId).Distinct().CountAsync(Ended));
    }

    [Fact]
    public async Task Of_removed_runs_nothing_is_left()
    {
        var uri = redis.NewUri();
        var root = $"{{{uri.Split("prefix=")[1]}}}:";
        await using var store = await RedisStore.OpenAsync(uri, cancellationToken: Ended);
        foreach (var law in StoreConformance.Laws.Where(law => law.Name.Contains("taken", StringComparison.Ordinal) || law.Name.Contains("payload", StringComparison.OrdinalIgnoreCase)).Where(law => !law.Name.Contains("ran out", StringComparison.Ordinal)))
            await law.Check(async () => await RedisStore.OpenAsync(uri), Ended);
        var left = ((RedisResult[])(await redis.Server.AskAsync("KEYS", root.Replace("{", "[{]", StringComparison.Ordinal) + "*"))!).Select(key => ((string)key!)[root.Length..]).Order().ToList();
        Assert.Subset(new HashSet<string> { "store", "turn" }, left.ToHashSet());
    }

    [Fact]
    public async Task Of_more_partitions_than_one_look_reads_none_is_left_out_and_the_most_urgent_goes_first()
    {
        await using var store = await RedisStore.OpenAsync(redis.NewUri(), cancellationToken: Ended);
        await Task.WhenAll(Enumerable.Range(0, 700).Select(i => EnqueueAsync(i, i == 650 ? 5 : 0)));
        var work = new WorkQuery { Queues = [new QueueDemand(new QueueOptions("q") { FairBy = "customer" }, 40)], Workflows = [new WorkflowKey("mine", 1)] };
        var taken = new List<string>();
        while (await store.TakeAsync(work, StoredRun.Owner(), Ended) is { Count: > 0 } more) taken.AddRange(more.Select(run => run.Head.RunId));
        Assert.Equal("r650", taken[0]);
        Assert.Equal(Enumerable.Range(0, 700).Select(i => $"r{i}").Order(), taken.Order());

        async Task EnqueueAsync(int i, int priority)
        {
            var data = $$$"""{"format":1,"run_id":"r{{{i}}}","workflow":"mine","steps":[],"queue":"q","priority":{{{priority}}},"partition":{"customer":"c{{{i:D4}}}"}}""";
            var created = CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Created, At = DateTimeOffset.UnixEpoch, Data = Encoding.UTF8.GetBytes(data) }, 1, false, "");
            await store.CreateAsync(created, RunHead.After(null, created), null, Ended);
        }
    }

    public static TheoryData<CheckpointKind, StepStatus> Steps { get; } = [.. from kind in Enum.GetValues<CheckpointKind>() where RedisHead.IsStep(new Checkpoint { Kind = kind }) from status in Enum.GetValues<StepStatus>() select (kind, status)];

    [Theory, MemberData(nameof(Steps))]
    public void A_record_that_leaves_the_heads_JSON_alone_changes_nothing_in_it(CheckpointKind kind, StepStatus status)
    {
        var created = new Checkpoint { Kind = CheckpointKind.Created, Data = """{"format":1,"run_id":"r","workflow":"w","steps":["a","b"],"queue":"q","tags":{"k":"v"}}"""u8.ToArray() };
        var head = RunHead.After(RunHead.After(null, created), new Checkpoint { Kind = CheckpointKind.Resumed, Token = 3 }) with { Recoveries = 2, Done = 1 };
        var record = new Checkpoint { Kind = kind, Path = "a", Status = status, At = DateTimeOffset.UnixEpoch, Tolerated = true, Reason = "so", Error = new StepError("type", "message", ErrorClass.Permanent), Data = """{"due":"2026-01-10T12:00:00Z"}"""u8.ToArray() };
        Assert.Equal(RedisHead.Write(head), RedisHead.Write(RunHead.After(head, record)));
    }

    [Fact]
    public async Task A_cluster_serves_a_store_whole_and_its_missing_databases_are_refused_plainly()
    {
        await using var server = await RedisServer.StartAsync("cluster-enabled=yes", $"cluster-port={PostgresServer.FreePort()}", "cluster-announce-ip=127.0.0.1");
        await server.AskAsync("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
        while (!((string)(await server.AskAsync("CLUSTER", "INFO"))!).Contains("cluster_state:ok", StringComparison.Ordinal)) await Task.Delay(20, Ended);
        foreach (var name in new[] { "Commits that are sent together stand or fall alone, and are answered in their order", "Whoever watches hears that there is a run to take", "Conditions of a query hold together", "The most urgent run goes first, and of these the oldest" })
            await StoreConformance.Laws.Single(law => law.Name == name).Check(async () => await RedisStore.OpenAsync(server.Uri()), Ended);
        Assert.Contains("database 0 only", (await Assert.ThrowsAsync<ArgumentException>(() => RedisStore.OpenAsync(server.Uri(database: 1), cancellationToken: Ended))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_TLS_the_servers_certificate_is_checked()
    {
        var folder = Directory.CreateTempSubdirectory("pawl-tls-");
        try
        {
            var (issuer, certificate, key) = (Path.Combine(folder.FullName, "ca.pem"), Path.Combine(folder.FullName, "server.pem"), Path.Combine(folder.FullName, "key.pem"));
            await CertifyAsync(issuer, certificate, key);
            var port = PostgresServer.FreePort();
            await using var server = await RedisServer.StartAsync($"tls-port={port.ToString(CultureInfo.InvariantCulture)}", $"tls-cert-file={certificate}", $"tls-key-file={key}", $"tls-ca-cert-file={issuer}", "tls-auth-clients=no");
            var uri = server.Uri().Replace("redis://", "rediss://", StringComparison.Ordinal).Replace($":{server.Port}", $":{port}", StringComparison.Ordinal);
            await using var store = await RedisStore.OpenAsync($"{uri}?cacert={Uri.EscapeDataString(issuer)}", cancellationToken: Ended);
            await StoredRun.BeginAsync(store, "r");
            Assert.StartsWith($"rediss://127.0.0.1:{port}/0?cacert=", store.Info.Uri, StringComparison.Ordinal);
            Assert.Contains("certificate", (await Assert.ThrowsAsync<IOException>(() => RedisStore.OpenAsync(uri, cancellationToken: Ended))).Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    static async Task CertifyAsync(string issuerFile, string certificateFile, string keyFile)
    {
        using var issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var issuer = new CertificateRequest("CN=pawl tests", issuerKey, HashAlgorithmName.SHA256);
        issuer.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var (from, until) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var authority = issuer.CreateSelfSigned(from, until);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(authority, from, until, [1, 2, 3]);
        await File.WriteAllTextAsync(issuerFile, authority.ExportCertificatePem());
        await File.WriteAllTextAsync(certificateFile, certificate.ExportCertificatePem());
        await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem());
    }
}
