namespace Pawl.Redis;

/// <summary>How a Redis store is used.</summary>
public sealed record RedisStoreOptions
{
    /// <summary>What all keys begin with, as <c>{PREFIX}:</c>, so that several stores, and other things, can share a database: letters, digits and <c>. _ -</c>, at most 48.
    /// Default: <c>pawl</c>.</summary>
    public string Prefix { get; init; } = "pawl";

    /// <summary>The number of the database. A cluster has 0 only. Default 0.</summary>
    public int Database { get; init; }

    /// <summary>How long a lease lives without renewal, by the server's clock. Default 30 s.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Refuse to open a store that could lose acknowledged checkpoints at the loss of power, or that does not tell. Default false: then it is only said.</summary>
    public bool RequireDurable { get; init; }

    /// <summary>The clock of this machine; leases and due times are the server's. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
