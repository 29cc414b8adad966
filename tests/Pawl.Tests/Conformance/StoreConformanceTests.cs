using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Conformance;

/// <summary>Every store of this repository keeps every law.</summary>
public class StoreConformanceTests
{
    public static TheoryData<string> Laws => [.. StoreConformance.Laws.Select(law => law.Name)];

    static Task Check(string law, Func<Task<ICheckpointStore>> open) => StoreConformance.Laws.Single(one => one.Name == law).Check(open, TestContext.Current.CancellationToken);

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_memory_store_keeps_the_law(string law)
    {
        var store = new MemoryStore();
        return Check(law, () => Task.FromResult<ICheckpointStore>(store));
    }

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_memory_store_with_leases_that_end_keeps_the_law(string law)
    {
        // Long enough for a busy machine, short enough for the laws to see leases end.
        var store = new MemoryStore(leaseTime: TimeSpan.FromSeconds(1));
        return Check(law, () => Task.FromResult<ICheckpointStore>(store));
    }

    [Theory]
    [MemberData(nameof(Laws))]
    public async Task The_file_store_keeps_the_law(string law)
    {
        var directory = Directory.CreateTempSubdirectory("pawl-law-");
        try
        {
            await Check(law, () => Task.FromResult<ICheckpointStore>(FileStore.Open(Path.Combine(directory.FullName, "store"))));
            var left = new List<string>();
            await using var store = FileStore.Open(Path.Combine(directory.FullName, "store"));
            await foreach (var head in store.ListAsync(new RunQuery(), TestContext.Current.CancellationToken)) left.Add(head.RunId);
            Assert.Empty(left);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Fact]
    public void There_are_at_least_forty_laws_and_each_name_is_a_sentence()
    {
        Assert.True(StoreConformance.Laws.Count >= 40, $"{StoreConformance.Laws.Count}");
        Assert.Equal(StoreConformance.Laws.Count, StoreConformance.Laws.Select(law => law.Name).Distinct().Count());
        Assert.All(StoreConformance.Laws, law => Assert.True(law.Name.Split(' ').Length >= 5, law.Name));
    }
}
