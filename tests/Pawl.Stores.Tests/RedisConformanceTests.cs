using Pawl.Redis;
using Pawl.Testing;

namespace Pawl.Stores;

/// <summary>The Redis store keeps every law, over a server that flushes what it acknowledges.</summary>
public class RedisConformanceTests(RedisFixture redis)
{
    public static TheoryData<string> Laws => [.. StoreConformance.Laws.Select(law => law.Name)];

    [Theory]
    [MemberData(nameof(Laws))]
    public async Task The_redis_store_keeps_the_law(string name)
    {
        var law = StoreConformance.Laws.Single(one => one.Name == name);
        var uri = redis.NewUri();
        // Each instance has a connection of its own, as another process would.
        await law.Check(async () => await RedisStore.OpenAsync(uri), TestContext.Current.CancellationToken);
    }

    public static TheoryData<string> LeaseLaws => [.. StoreConformance.Laws.Select(law => law.Name).Where(name => name.Contains("ran out", StringComparison.Ordinal) || name.Contains("run out", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(LeaseLaws))]
    public async Task The_redis_store_with_short_leases_keeps_the_law(string name)
    {
        var law = StoreConformance.Laws.Single(one => one.Name == name);
        var uri = redis.NewUri();
        await law.Check(async () => await RedisStore.OpenAsync(uri, new RedisStoreOptions { LeaseTime = TimeSpan.FromSeconds(1) }), TestContext.Current.CancellationToken);
    }

    [Fact]
    public Task The_redis_store_answers_as_the_memory_store_to_random_histories()
    {
        var uri = redis.NewUri();
        var sequences = int.TryParse(Environment.GetEnvironmentVariable("PAWL_MODEL_SEQUENCES"), out var asked) ? asked : 100;
        return StoreModel.CheckAsync(async () => await RedisStore.OpenAsync(uri), seed: 12, sequences, cancellationToken: TestContext.Current.CancellationToken);
    }
}
