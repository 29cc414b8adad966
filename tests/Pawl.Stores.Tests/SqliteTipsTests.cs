using Pawl.Storage;

namespace Pawl.Stores;

/// <summary>What a connection knows of runs that go from step to step, and when it may not rely on it.</summary>
public sealed class SqliteTipsTests : IDisposable
{
    readonly SqliteDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_that_another_process_took_is_lost_at_the_next_step()
    {
        await using var store = _directory.Open();
        var run = await SqliteRun.BeginAsync(store, "a");
        for (var step = 0; step < 3; step++) await run.CommitAsync(store, SqliteRun.Step($"s{step}"));
        // As a takeover does, from another connection.
        _directory.Query("UPDATE core_workflow_runs SET token = token + 1");
        Assert.Equal([CommitResult.LeaseLost], await store.CommitAsync([run.Commit(SqliteRun.Step("late"))], Token));
        _directory.Query("UPDATE core_workflow_runs SET token = token - 1, owner = NULL");
        Assert.Equal([CommitResult.LeaseLost], await store.CommitAsync([run.Commit(SqliteRun.Step("late"))], Token));
    }

    [Fact]
    public async Task What_a_failed_write_took_back_is_not_counted_as_written()
    {
        await using var store = _directory.Open();
        _directory.Query("CREATE TRIGGER refuse BEFORE INSERT ON core_workflow_journal WHEN new.line LIKE '%refused%' BEGIN SELECT RAISE(ABORT, 'refused'); END");
        var (a, b) = (await SqliteRun.BeginAsync(store, "a"), await SqliteRun.BeginAsync(store, "b"));
        await a.CommitAsync(store, SqliteRun.Step("s0"));
        var before = a.Head;
        var taken = a.Commit(SqliteRun.Step("s1"));
        await Assert.ThrowsAnyAsync<IOException>(async () => await store.CommitAsync([taken, b.Commit(SqliteRun.Step("refused"))], Token));
        a.Head = taken.Head!;
        Assert.Equal([CommitResult.Conflict], await store.CommitAsync([a.Commit(SqliteRun.Step("s2"))], Token));
        a.Head = before;
        await a.CommitAsync(store, SqliteRun.Step("s1"));
        Assert.Equal(4, await store.ReadAsync("a", 1, Token).CountAsync(Token));
    }
}
