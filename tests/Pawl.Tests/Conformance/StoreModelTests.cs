using System.Globalization;
using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Conformance;

/// <summary>Random histories: every store answers as the memory store does.</summary>
public class StoreModelTests
{
    /// <summary>Quick by default; a long run asks for more.</summary>
    static int Sequences(int quick) => Environment.GetEnvironmentVariable("PAWL_MODEL_SEQUENCES") is { Length: > 0 } asked ? int.Parse(asked, CultureInfo.InvariantCulture) : quick;

    static Func<Task<ICheckpointStore>> Opening(ICheckpointStore store) => () => Task.FromResult(store);

    [Fact]
    public Task The_memory_store_answers_as_itself() =>
        StoreModel.CheckAsync(Opening(new MemoryStore()), seed: 1, sequences: Sequences(3000), cancellationToken: TestContext.Current.CancellationToken);

    [Fact]
    public Task The_memory_store_with_leases_answers_as_one_without_while_they_last() =>
        StoreModel.CheckAsync(Opening(new MemoryStore(leaseTime: TimeSpan.FromMinutes(5))), seed: 2, sequences: Sequences(1000), cancellationToken: TestContext.Current.CancellationToken);

    [Fact]
    public async Task The_file_store_answers_as_the_memory_store()
    {
        var directory = Directory.CreateTempSubdirectory("pawl-model-");
        try
        {
            await StoreModel.CheckAsync(() => Task.FromResult<ICheckpointStore>(FileStore.Open(Path.Combine(directory.FullName, "store"))), seed: 3, Sequences(300), cancellationToken: TestContext.Current.CancellationToken);
            await using var store = FileStore.Open(Path.Combine(directory.FullName, "store"));
            Assert.False(await store.ListAsync(new RunQuery(), TestContext.Current.CancellationToken).AnyAsync(TestContext.Current.CancellationToken));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("loses the last record of a commit")]
    [InlineData("takes commits of older tokens")]
    [InlineData("answers a lost lease with a conflict")]
    [InlineData("refuses a repeated commit")]
    [InlineData("drops payloads")]
    [InlineData("keeps the old head")]
    [InlineData("keeps the last message")]
    [InlineData("turns messages around")]
    [InlineData("lists the oldest first")]
    [InlineData("lists without a limit")]
    [InlineData("lists every status")]
    [InlineData("reads from the beginning always")]
    [InlineData("releases whatever it is asked to")]
    [InlineData("removes held runs")]
    [InlineData("removes nothing")]
    [InlineData("gives held runs to workers")]
    [InlineData("ignores places")]
    [InlineData("ignores concurrency")]
    [InlineData("ignores rates")]
    [InlineData("gives no turns")]
    [InlineData("ignores priority")]
    [InlineData("takes runs before their time")]
    [InlineData("ignores versions")]
    [InlineData("ignores definitions")]
    [InlineData("sleeps through messages")]
    [InlineData("is woken by old messages")]
    [InlineData("lets a stale commit spoil the others")]
    [InlineData("answers commits from the last to the first")]
    [InlineData("releases what was refused")]
    [InlineData("forgets to release with a commit")]
    [InlineData("renews whatever it is asked to")]
    [InlineData("loses all leases when one is lost")]
    public async Task A_faulty_store_answers_otherwise(string fault) =>
        await Assert.ThrowsAsync<LawBrokenException>(() => StoreModel.CheckAsync(Opening(FaultyStoreTests.Store(fault)), seed: 4, sequences: 3000, steps: 20, cancellationToken: TestContext.Current.CancellationToken));

    [Fact]
    public async Task A_difference_is_told_with_the_same_short_history_each_time()
    {
        var first = await Assert.ThrowsAsync<LawBrokenException>(Check);
        Assert.Equal(first.Message, (await Assert.ThrowsAsync<LawBrokenException>(Check)).Message);
        // To see that it removes nothing takes a run, and its removal.
        Assert.InRange(first.Message.Split('\n').Count(line => !line.StartsWith("find", StringComparison.Ordinal)), 3, 5);

        static Task Check() => StoreModel.CheckAsync(Opening(FaultyStoreTests.Store("removes nothing")), seed: 5, sequences: 1, steps: 300, cancellationToken: TestContext.Current.CancellationToken);
    }
}
