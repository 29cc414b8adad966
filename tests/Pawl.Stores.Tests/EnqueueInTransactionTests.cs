using System.Data.Common;
using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Npgsql;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>A run that is created in the user's own transaction: it exists exactly if that commits.</summary>
public sealed class EnqueueInTransactionTests(PostgresFixture postgres) : IDisposable
{
    static readonly string[] s_kinds = ["sqlite", "postgres"];
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-enqueue-").FullName;
    readonly string _schema = postgres.NewSchema();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Kinds => [.. s_kinds];

    static Workflow Ship { get; } = Workflow.Define("ship", ctx => Task.FromResult($"parcel of {ctx.RunId}"));

    string File_ => Path.Combine(_folder, "pawl.db");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    async Task<ICheckpointStore> OpenAsync(string kind) => kind == "sqlite"
        ? SqliteStore.Open(File_)
        : await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = _schema }, Token);

    async Task<DbConnection> ConnectAsync(string kind)
    {
        DbConnection connection = kind == "sqlite" ? new SqliteConnection($"Data Source={File_};Pooling=false") : new NpgsqlConnection(postgres.Server.ConnectionString);
        await connection.OpenAsync(Token);
        await ExecuteAsync(connection, null, $"create table if not exists orders_{_schema} (id text)");
        return connection;
    }

    static async Task<object?> ExecuteAsync(DbConnection connection, DbTransaction? transaction, string text)
    {
        await using var command = connection.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, text);
        return await command.ExecuteScalarAsync(Token);
    }

    async Task<long> OrdersAsync(DbConnection connection) => Convert.ToInt64(await ExecuteAsync(connection, null, $"select count(*) from orders_{_schema}"), System.Globalization.CultureInfo.InvariantCulture);

    static Task<RunHead> EnqueueAsync(PawlClient client, DbTransaction transaction, string? id = "o1") =>
        client.EnqueueAsync(Ship, null, new EnqueueOptions { Transaction = transaction }, new StartOptions { RunId = id, Tags = new Dictionary<string, string> { ["kind"] = "order" } }, Token);

    [Theory, MemberData(nameof(Kinds))]
    public async Task The_run_exists_with_the_users_rows_from_the_commit_on_and_a_worker_is_woken_by_it(string kind)
    {
        await using var client = new PawlClient(await OpenAsync(kind));
        await using var other = new PawlClient(await OpenAsync(kind));
        await using var connection = await ConnectAsync(kind);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        // It would not look by itself: only the news of the commit can wake it.
        var working = new PawlWorker(other, new WorkerOptions { Workflows = [Ship], PollInterval = TimeSpan.FromMinutes(5) }).RunAsync(stop.Token);
        await Task.Delay(300, Token);

        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await ExecuteAsync(connection, transaction, $"insert into orders_{_schema} values ('o1')");
            var head = await EnqueueAsync(client, transaction);
            Assert.Equal(("o1", RunStatus.Pending, "default"), (head.RunId, head.Status, head.Queue));
            // The same again within the transaction is the same run.
            Assert.Equal(head.Hash, (await EnqueueAsync(client, transaction)).Hash);
            await Task.Delay(300, Token);
            Assert.Null(await other.FindAsync("o1", Token));
            await transaction.CommitAsync(Token);
        }
        var clock = Stopwatch.StartNew();
        while (await other.FindAsync("o1", Token) is not { Status: RunStatus.Completed } && clock.Elapsed < TimeSpan.FromSeconds(20)) await Task.Delay(10, Token);
        var done = (await client.FindAsync("o1", Token))!;
        Assert.Equal((RunStatus.Completed, "order"), (done.Status, done.Tags["kind"]));
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal(1, await OrdersAsync(connection));
        Assert.Empty(await client.VerifyAsync("o1", Token));
        await stop.CancelAsync();
        await working;
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_rollback_leaves_nothing_and_the_id_is_free(string kind)
    {
        await using var client = new PawlClient(await OpenAsync(kind));
        await using var connection = await ConnectAsync(kind);
        await using (var transaction = await connection.BeginTransactionAsync(Token))
        {
            await ExecuteAsync(connection, transaction, $"insert into orders_{_schema} values ('o1')");
            await EnqueueAsync(client, transaction);
            await EnqueueAsync(client, transaction, id: null);
            await transaction.RollbackAsync(Token);
        }
        Assert.Empty(await client.ListAsync(cancellationToken: Token).ToListAsync(Token));
        Assert.Equal(0, await OrdersAsync(connection));
        Assert.Equal(RunStatus.Pending, (await client.EnqueueAsync(Ship, start: new StartOptions { RunId = "o1" }, cancellationToken: Token)).Status);
        // And a run that is there is found from within.
        await using var second = await connection.BeginTransactionAsync(Token);
        Assert.Equal((await client.FindAsync("o1", Token))!.Hash, (await EnqueueAsync(client, second)).Hash);
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_process_that_is_killed_before_its_commit_leaves_neither_rows_nor_run(string kind)
    {
        await using var client = new PawlClient(await OpenAsync(kind));
        await using var connection = await ConnectAsync(kind);
        using (var process = EnqueueSubject.Start(kind, kind == "sqlite" ? File_ : postgres.Server.ConnectionString, _schema))
        {
            Assert.Equal("ENQUEUED", await process.StandardOutput.ReadLineAsync(Token));
            process.Kill();
            await process.WaitForExitAsync(Token);
        }
        // Waits until the server has ended the dead one's transaction: the same id can be enqueued then, and is new.
        var head = await client.EnqueueAsync(Ship, start: new StartOptions { RunId = "o1" }, cancellationToken: Token);
        Assert.Empty(head.Tags);
        Assert.Single(await client.ListAsync(cancellationToken: Token).ToListAsync(Token));
        Assert.Equal(0, await OrdersAsync(connection));
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_step_can_enqueue_in_the_transaction_of_its_checkpoint(string kind)
    {
        await using var client = new PawlClient(await OpenAsync(kind));
        var fails = true;
        var workflow = Workflow.Create("sell").Also(builder => builder.Step("sell", async ctx =>
        {
            var head = await client.EnqueueAsync(Ship, null, new EnqueueOptions { Transaction = ctx.Transaction }, new StartOptions { RunId = "o1" }, Token);
            return fails ? throw new StepException("no") : head.RunId;
        }, step => step.Transactional())).Build();
        Assert.Equal(RunStatus.Failed, (await client.RunAsync(workflow, null, new StartOptions { RunId = "r" }, Token)).Status);
        Assert.Null(await client.FindAsync("o1", Token));
        fails = false;
        (await client.ResumeAsync(workflow, "r", null, Token)).EnsureCompleted();
        Assert.Equal(RunStatus.Pending, (await client.FindAsync("o1", Token))!.Status);
    }

    [Theory, MemberData(nameof(Kinds))]
    public async Task A_transaction_of_another_database_or_one_that_is_over_is_refused_and_nothing_is_written(string kind)
    {
        await using var client = new PawlClient(await OpenAsync(kind));
        async Task Refused(PawlClient client, DbTransaction transaction, string said) =>
            Assert.Contains(said, (await Assert.ThrowsAsync<ArgumentException>(() => EnqueueAsync(client, transaction))).Message, StringComparison.Ordinal);

        await using (var connection = await ConnectAsync(kind))
        {
            var over = await connection.BeginTransactionAsync(Token);
            await over.CommitAsync(Token);
            await Refused(client, over, "over: enqueue before its commit");
        }
        await using (var foreign = await ConnectAsync(kind == "sqlite" ? "postgres" : "sqlite"))
        {
            await using var transaction = await foreign.BeginTransactionAsync(Token);
            await Refused(client, transaction, "and the transaction is not");
            await using var files = new PawlClient(new MemoryStore());
            await Refused(files, transaction, "use a SQLite or PostgreSQL store");
        }
        // The same kind of database, with the same tables, elsewhere.
        await using (var connection = await ElsewhereAsync(kind))
        {
            await using var transaction = await connection.BeginTransactionAsync(Token);
            await Refused(client, transaction, "begin it on a connection to the store's");
            await ExecuteAsync(connection, transaction, "create table still_usable (id text)");
            await transaction.CommitAsync(Token);
        }
        Assert.Empty(await client.ListAsync(cancellationToken: Token).ToListAsync(Token));
    }

    async Task<DbConnection> ElsewhereAsync(string kind)
    {
        if (kind == "sqlite")
        {
            var file = Path.Combine(_folder, "other.db");
            await SqliteStore.Open(file).DisposeAsync();
            var connection = new SqliteConnection($"Data Source={file};Pooling=false");
            await connection.OpenAsync(Token);
            return connection;
        }
        await using (var main = new NpgsqlConnection(postgres.Server.ConnectionString))
        {
            await main.OpenAsync(Token);
            await ExecuteAsync(main, null, $"create database other_{_schema}");
        }
        var text = new NpgsqlConnectionStringBuilder(postgres.Server.ConnectionString) { Database = $"other_{_schema}", Pooling = false }.ConnectionString;
        await (await PostgresStore.OpenAsync(text, new PostgresStoreOptions { Schema = _schema }, Token)).DisposeAsync();
        var other = new NpgsqlConnection(text);
        await other.OpenAsync(Token);
        return other;
    }
}

/// <summary>This program, started again as a process that has a transaction open and is killed.</summary>
static class EnqueueSubject
{
    const string Variable = "PAWL_ENQUEUE_SUBJECT";

    public static Process Start(string kind, string database, string schema)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardInput = true };
        info.Environment[Variable] = $"{kind}|{schema}|{database}";
        return Process.Start(info)!;
    }

    public static async Task<bool> RunWhenAskedAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } asked) return false;
        var (kind, schema, database) = asked.Split('|', 3) is [var a, var b, var c] ? (a, b, c) : default;
        ICheckpointStore store = kind == "sqlite" ? SqliteStore.Open(database) : await PostgresStore.OpenAsync(database, new PostgresStoreOptions { Schema = schema });
        await using DbConnection connection = kind == "sqlite" ? new SqliteConnection($"Data Source={database};Pooling=false") : new NpgsqlConnection(database);
        await connection.OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var insert = connection.CreateCommand();
        (insert.Transaction, insert.CommandText) = (transaction, $"insert into orders_{schema} values ('o1')");
        await insert.ExecuteNonQueryAsync();
        var ship = Workflow.Define("ship", ctx => Task.FromResult(1));
        await new PawlClient(store).EnqueueAsync(ship, null, new EnqueueOptions { Transaction = transaction }, new StartOptions { RunId = "o1", Tags = new Dictionary<string, string> { ["by"] = "the dead" } });
        Console.WriteLine("ENQUEUED");
        Console.ReadLine();
        return true;
    }
}
