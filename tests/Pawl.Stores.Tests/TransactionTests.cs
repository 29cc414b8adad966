using System.Data.Common;
using Npgsql;
using Pawl.Postgres;
using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>Steps that write in the store's transaction: their rows and their checkpoint exist together or not at all.</summary>
public sealed class TransactionTests(PostgresFixture postgres) : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-tx-").FullName;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    async Task<ICheckpointStore> OpenAsync(string kind, string schema) => kind == "sqlite"
        ? SqliteStore.Open(Path.Combine(_folder, "pawl.db"))
        : await PostgresStore.OpenAsync(postgres.Server.ConnectionString, new PostgresStoreOptions { Schema = schema }, Token);

    static async Task<object?> QueryAsync(DbTransaction transaction, string text)
    {
        await using var command = transaction.Connection!.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, text);
        return await command.ExecuteScalarAsync(Token);
    }

    static Workflow Pays(string table, Func<StepContext, Task>? then = null) => Workflow.Create("pay")
        .Also(builder => builder.Step("table", async ctx => (await QueryAsync(ctx.Transaction, $"create table if not exists {table} (run_id text)"))?.ToString(), step => step.Transactional()))
        .Also(builder => builder.Step("pay", async ctx =>
        {
            await QueryAsync(ctx.Transaction, $"insert into {table} values ('{ctx.RunId}')");
            if (then is not null) await then(ctx);
            return 1;
        }, step => step.Transactional()))
        .Also(builder => builder.Step("count", async ctx => Convert.ToInt32(await QueryAsync(ctx.Transaction, $"select count(*) from {table}"), System.Globalization.CultureInfo.InvariantCulture), step => step.Transactional()))
        .Build();

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task A_steps_rows_are_there_with_its_checkpoint(string kind)
    {
        var schema = postgres.NewSchema();
        await using var client = new PawlClient(await OpenAsync(kind, schema));
        var result = (await client.RunAsync(Pays($"paid_{schema}"), null, new StartOptions { RunId = "r1" }, Token)).EnsureCompleted();
        Assert.Equal(1, result.Output<int>("count"));
        Assert.Equal(["table", "pay", "count"], (await client.HistoryAsync("r1", Token)).Where(record => record.Kind == CheckpointKind.Step).Select(record => record.Path));
        Assert.Empty(await client.VerifyAsync("r1", Token));
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task A_step_that_fails_leaves_no_rows(string kind)
    {
        var schema = postgres.NewSchema();
        var fails = true;
        var workflow = Pays($"paid_{schema}", _ => fails ? throw new StepException("no") : Task.CompletedTask);
        await using var client = new PawlClient(await OpenAsync(kind, schema));
        Assert.Equal(RunStatus.Failed, (await client.RunAsync(workflow, null, new StartOptions { RunId = "r1" }, Token)).Status);
        fails = false;
        Assert.Equal(1, (await client.ResumeAsync(workflow, "r1", null, Token)).EnsureCompleted().Output<int>("count"));
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("postgres")]
    public async Task A_lost_lease_commits_neither_rows_nor_checkpoint(string kind)
    {
        var schema = postgres.NewSchema();
        var other = await OpenAsync(kind, schema);
        var robbed = false;
        await using var client = new PawlClient(await OpenAsync(kind, schema));
        var table = $"paid_{schema}";
        var workflow = Workflow.Create("pay")
            .Also(builder => builder.Step("table", async ctx => (await QueryAsync(ctx.Transaction, $"create table if not exists {table} (run_id text)"))?.ToString(), step => step.Transactional()))
            // Between the begin of the step and its commit another takes the run.
            .Also(builder => builder.Step("rob", async ctx =>
            {
                if (robbed) return 0;
                robbed = true;
                var head = (await other.FindAsync(ctx.RunId, Token))!;
                await other.ReleaseAsync(new RunLease(ctx.RunId, head.Token), Token);
                var claim = await other.ClaimAsync(ctx.RunId, new RunOwner(1, "elsewhere", default), Token);
                await other.ReleaseAsync(claim.Lease!, Token);
                return 1;
            }))
            .Also(builder => builder.Step("pay", async ctx => (await QueryAsync(ctx.Transaction, $"insert into {table} values ('x')"))?.ToString(), step => step.Transactional().Needs("table")))
            .Build();
        // The robbed pass ends without a word more; the next one does what is left.
        Assert.Equal(RunStatus.Running, (await client.RunAsync(workflow, null, new StartOptions { RunId = "r1" }, Token)).Status);
        (await client.ResumeAsync(workflow, "r1", null, Token)).EnsureCompleted();
        var count = Workflow.Create("count").Also(builder => builder.Step("count", async ctx => (await QueryAsync(ctx.Transaction, $"select count(*) from {table}"))?.ToString(), step => step.Transactional())).Build();
        Assert.Equal("1", (await client.RunAsync(count, cancellationToken: Token)).EnsureCompleted().Output<string>("count"));
        await other.DisposeAsync();
    }

    [Fact]
    public async Task Serialisation_failures_are_tried_again_until_each_has_counted()
    {
        var schema = postgres.NewSchema();
        var table = $"counter_{schema}";
        await using var source = NpgsqlDataSource.Create(postgres.Server.ConnectionString);
        await using (var make = source.CreateCommand($"create table {table} (n int); insert into {table} values (0)")) await make.ExecuteNonQueryAsync(Token);
        await using var client = new PawlClient(await OpenAsync("postgres", schema));
        var workflow = Workflow.Create("count").Also(builder => builder.Step("add", async ctx =>
        {
            await QueryAsync(ctx.Transaction, "set transaction isolation level serializable");
            var n = (int)(await QueryAsync(ctx.Transaction, $"select n from {table}"))!;
            await Task.Delay(20, Token);
            await QueryAsync(ctx.Transaction, $"update {table} set n = {n + 1}");
            return n;
        }, step => step.Transactional())).Build();
        var results = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => client.RunAsync(workflow, cancellationToken: Token)));
        Assert.All(results, result => Assert.True(result.Status == RunStatus.Completed, result.Error));
        await using var read = source.CreateCommand($"select n from {table}");
        Assert.Equal(5, await read.ExecuteScalarAsync(Token));
    }

    [Fact]
    public async Task A_transaction_disposed_twice_leaves_the_next_one_on_its_connection_alone()
    {
        var schema = postgres.NewSchema();
        await using var store = (PostgresStore)await OpenAsync("postgres", schema);
        var run = await StoredRun.BeginAsync(store, "r");
        var first = await store.BeginAsync(run.Lease, Token);
        await first.DisposeAsync();
        await using var second = await store.BeginAsync(run.Lease, Token);
        await first.DisposeAsync();
        Assert.Equal(CommitResult.Committed, await second.CommitAsync(run.Next("s"), Token));
    }

    [Fact]
    public async Task A_store_without_transactions_says_which_one_has_them()
    {
        await using var client = new PawlClient(new MemoryStore());
        var result = await client.RunAsync(Pays("x"), cancellationToken: Token);
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("use a SQLite or PostgreSQL store", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_step_in_a_transaction_has_no_sub_steps()
    {
        await using var client = new PawlClient(await OpenAsync("sqlite", ""));
        var workflow = Workflow.Create("w").Also(builder => builder.Step("outer", async ctx => await ctx.StepAsync("inner", () => Task.FromResult(1)), step => step.Transactional())).Build();
        var result = await client.RunAsync(workflow, cancellationToken: Token);
        Assert.Contains("can have no sub-steps", result.Error, StringComparison.Ordinal);
    }
}

static class BuilderExtensions
{
    /// <summary>Goes on with the same builder.</summary>
    public static WorkflowBuilder Also(this WorkflowBuilder builder, Action<WorkflowBuilder> add)
    {
        add(builder);
        return builder;
    }
}
