using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary>Runs in a Redis server, for any number of workers on any number of machines.</summary>
/// <remarks>
/// A commit is one script and, where the server flushes before it answers (<c>appendonly yes</c>, <c>appendfsync always</c>), one flush, however many runs share it. Leases are the
/// server's: its clock alone decides when one has run out. All runs are in the memory of the server. What a failover to a replica loses of what was acknowledged is lost: see docs/stores.md.
/// Thread safe. Errors of the connection are <see cref="IOException"/>: what was sent may be sent again.
/// </remarks>
public sealed partial class RedisStore : IMeasuredStore
{
    const string Format = "1";

    readonly IConnectionMultiplexer _client;
    readonly bool _owned;
    readonly RedisStoreOptions _options;
    readonly IDatabase _database;
    readonly RedisWatch _watch;
    readonly string _root;
    readonly RedisKey[] _keys;
    readonly RedisValue _leaseTime;

    RedisStore(IConnectionMultiplexer client, bool owned, RedisStoreOptions options, StoreInfo info)
    {
        (_client, _owned, _options, Info) = (client, owned, options, info);
        _database = client.GetDatabase(options.Database);
        // The braces are the hash tag: all keys are on one node.
        _root = $"{{{options.Prefix}}}:";
        _keys = [_root, $"{_root}news:{options.Database}"];
        _watch = new RedisWatch(client, RedisChannel.Literal((string)_keys[1]!));
        _leaseTime = options.LeaseTime.Ticks / 10;
    }

    /// <inheritdoc/>
    public StoreInfo Info { get; }

    /// <summary>Opens the store.</summary>
    /// <param name="uri"><c>redis://USER:PASSWORD@HOST:PORT/DATABASE?prefix=NAME</c>; <c>rediss://</c> for TLS, with <c>cacert=FILE</c> when the certificate's issuer is your own.</param>
    /// <param name="options">Null: the defaults. What the URI names goes first.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="ArgumentException">The URI or the options cannot be used.</exception>
    /// <exception cref="IOException">The server does not answer, or refuses.</exception>
    /// <exception cref="ResumeRefusedException">The runs there were written by a newer version.</exception>
    /// <exception cref="InvalidOperationException">The server's settings do not keep what <see cref="RedisStoreOptions.RequireDurable"/> asks for.</exception>
    public static async Task<RedisStore> OpenAsync(string uri, RedisStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (settings, database, prefix, certificate) = RedisUri.Parse(uri);
        options ??= new RedisStoreOptions();
        options = options with { Database = database, Prefix = prefix ?? options.Prefix };
        Check(options);
        var described = RedisUri.Describe(settings, options, certificate);
        var client = await RedisErrors.KnownAsync(ConnectionMultiplexer.ConnectAsync(settings), described).WaitAsync(cancellationToken);
        try
        {
            return await OpenAsync(client, owned: true, options, described, cancellationToken);
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens the store over an application's own connection, which stays the application's.</summary>
    /// <inheritdoc cref="OpenAsync(string, RedisStoreOptions?, CancellationToken)"/>
    public static Task<RedisStore> OpenAsync(IConnectionMultiplexer client, RedisStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new RedisStoreOptions();
        Check(options);
        return OpenAsync(client, owned: false, options, RedisUri.Describe(ConfigurationOptions.Parse(client.Configuration), options, null), cancellationToken);
    }

    static void Check(RedisStoreOptions options)
    {
        // It stands between the braces of the hash tag.
        if (options.Prefix is not { Length: > 0 and <= 48 } prefix || !prefix.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
            throw new ArgumentException("The prefix of a Redis store is made of letters, digits and '.', '_', '-', at most 48.", nameof(options));
    }

    static async Task<RedisStore> OpenAsync(IConnectionMultiplexer client, bool owned, RedisStoreOptions options, string uri, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (options.Database != 0 && client.GetEndPoints().Any(server => client.GetServer(server).ServerType == ServerType.Cluster))
            throw new ArgumentException($"The store {uri} is in a cluster, which has database 0 only.", nameof(options));
        try
        {
            var database = client.GetDatabase(options.Database);
            RedisKey store = $"{{{options.Prefix}}}:store";
            await database.HashSetAsync(store, "format", Format, When.NotExists, CommandFlags.DemandMaster);
            if (await database.HashGetAsync(store, "format", CommandFlags.DemandMaster) is var format && format != Format)
                throw new ResumeRefusedException(new Refusal(RefusalReason.NewerFormat, $"The store {uri} has format {format}; this version of Pawl knows format {Format}.", "Use a newer Pawl."));
            var server = client.GetServer((await database.IdentifyEndpointAsync(store, CommandFlags.DemandMaster))!);
            var (durability, remark) = await RedisDurability.ReadAsync(server);
            if (options.RequireDurable && remark is not null) throw new InvalidOperationException($"The Redis server may lose acknowledged checkpoints: {remark}. Change its settings, or open the store without RequireDurable.");
            return new RedisStore(client, owned, options, new StoreInfo(uri, durability, remark, options.LeaseTime, await RedisClock.ReadAsync(server, options.Time)));
        }
        catch (Exception error) when (RedisErrors.Is(error))
        {
            throw RedisErrors.Describe(error);
        }
    }

    Task<RedisResult> ExecuteAsync(RedisScript script, params RedisValue[] values) => script.ExecuteAsync(_database, _keys, values);

    /// <inheritdoc/>
    public async ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
    {
        RunIds.Check(head.RunId);
        cancellationToken.ThrowIfCancellationRequested();
        var owner = claimant is null ? null : RedisOwner.Of(claimant);
        // One script: the run is durable with its first record and its claim when it is answered, or nothing of it is.
        var answer = await ExecuteAsync(RedisScript.Create,
            head.RunId, head.Workflow, RedisHead.Status(head.Status), RedisHead.Kind(head.Workflow, head.Version), head.Portable ? "1" : "0", head.Queue ?? "", RedisHead.Rank(head),
            RedisHead.Place(head.CreatedAt, head.RunId), RedisHead.Part(head), RedisHead.Labels(head), RedisHead.Due(head),
            head.Seq, head.Hash, head.UpdatedAt.UtcTicks, RedisHead.Write(head), created.Line, owner?.Write() ?? "", owner?.Holder ?? "", _leaseTime);
        if (answer.Length > 0) return new CreateResult(null, RedisHead.Read((RedisResult[])answer!));
        return new CreateResult(claimant is null ? null : new RunLease(head.RunId, (long)answer), null);
    }

    /// <inheritdoc/>
    public async ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var owner = RedisOwner.Of(claimant);
        for (var buried = false; ;)
        {
            if (await ExecuteAsync(RedisScript.Claim, runId, owner.Write(), owner.Holder ?? "", _leaseTime) is not { IsNull: false } answer) return default;
            if ((string)answer[0]! is { Length: > 0 }) return new ClaimResult(new RunLease(runId, (long)answer[0]), null);
            var holder = RedisOwner.Read((string)answer[1]!);
            if (buried || !(buried = await BuryAsync([holder.Holder]))) return new ClaimResult(null, holder.ToRunOwner());
        }
    }

    /// <summary>Ends the leases of those holders that are dead for certain: processes of this machine that are gone.</summary>
    async ValueTask<bool> BuryAsync(IEnumerable<string?> holders)
    {
        var dead = holders.Where(RedisOwner.IsDead).Select(holder => (RedisValue)holder).ToArray();
        if (dead.Length > 0) await ExecuteAsync(RedisScript.Bury, dead);
        return dead.Length > 0;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken)
    {
        if (leases.Count == 0) return [];
        cancellationToken.ThrowIfCancellationRequested();
        var lost = (long[])(await ExecuteAsync(RedisScript.Renew, [_leaseTime, .. leases.SelectMany(lease => new RedisValue[] { lease.RunId, lease.Token })]))!;
        return [.. lost.Select(place => leases[(int)place - 1])];
    }

    /// <inheritdoc/>
    public async ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var answer = (int)await ExecuteAsync(RedisScript.Post, runId, message.Name, RedisMessage.Write(message));
        return answer >= 0 ? answer == 1 : throw new RunNotFoundException(runId);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        for (var buried = false; ;)
        {
            var answer = await ExecuteAsync(RedisScript.Delete, runId);
            if (answer.Resp2Type == ResultType.Integer) return (int)answer == 1;
            var holder = RedisOwner.Read((string)answer!);
            if (buried || !(buried = await BuryAsync([holder.Holder])))
                throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"Run '{runId}' is executed by {holder.ToRunOwner()}.", "Cancel it first."));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _watch.Dispose();
        if (_owned) await _client.DisposeAsync();
    }
}
