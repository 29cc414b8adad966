using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

// Workers that share the server.
public sealed partial class RedisStore
{
    static readonly TimeSpan s_lookForDead = TimeSpan.FromSeconds(1);
    long _looked;

    /// <inheritdoc/>
    /// <remarks>One round trip. Limits of a queue hold over all workers, because one script is executed at a time. What is read follows the places asked for and, with
    /// <see cref="QueueOptions.FairBy"/>, the partitions; not the runs that wait.</remarks>
    public async ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await LookForDeadAsync();
        var owner = RedisOwner.Of(claimant);
        List<RedisValue> kinds = [.. work.Workflows.Select(key => (RedisValue)RedisHead.Kind(key.Name, key.Version))];
        if (work.Portable) kinds.Add("*");
        List<RedisValue> values = [owner.Write(), owner.Holder ?? "", _leaseTime, kinds.Count, .. kinds];
        foreach (var (queue, places) in work.Queues)
            values.AddRange([queue.Name, Math.Max(0, places), queue.Concurrency is { } most ? most : "", queue.Rate is { } rate ? rate : "", queue.Per.Ticks / 10, queue.FairBy is { } key ? "=" + key : ""]);
        // The claims are durable when this is answered.
        var rows = (RedisResult[])(await ExecuteAsync(RedisScript.Take, [.. values]))!;
        return [.. rows.Select(row => (RedisResult[])row!).Select(row => new TakenRun(new RunLease((string)row[0]!, (long)row[1]), RedisHead.Read(row.AsSpan(2))))];
    }

    /// <summary>What a process of this machine held when it died can be taken before its lease has run out.</summary>
    async ValueTask LookForDeadAsync()
    {
        var looked = Volatile.Read(ref _looked);
        if (RedisOwner.Realm is not { } realm || (looked != 0 && _options.Time.GetElapsedTime(looked) < s_lookForDead)
            || Interlocked.CompareExchange(ref _looked, _options.Time.GetTimestamp(), looked) != looked) return;
        await BuryAsync((await RedisErrors.KnownAsync(_database.SetMembersAsync($"{_root}holders:{realm}", CommandFlags.DemandMaster))).Select(holder => (string?)holder));
    }

    /// <inheritdoc/>
    /// <remarks>The server tells (<c>PUBLISH</c>); after a lost connection comes a hint that there may be something.</remarks>
    public IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => _watch.WatchAsync(cancellationToken);
}
