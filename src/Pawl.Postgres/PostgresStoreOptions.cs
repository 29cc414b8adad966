namespace Pawl.Postgres;

/// <summary>How a PostgreSQL store is used.</summary>
public sealed record PostgresStoreOptions
{
    /// <summary>The database schema that holds the tables; it is made when it is missing. Default: <c>public</c>.</summary>
    public string Schema { get; init; } = "public";

    /// <summary>How long a lease lives without renewal, by the database's clock. Default 30 s.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Refuse to open a store that could lose acknowledged checkpoints at the loss of power. Default false: then it is only said.</summary>
    public bool RequireDurable { get; init; }

    /// <summary>The clock of pauses between attempts to reconnect; leases and due times are the database's. Default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
