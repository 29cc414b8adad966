using Npgsql;

namespace Pawl.Postgres;

/// <summary>The database's clock, read once and carried on by this machine's monotonic one: neither a wrong clock of a machine nor one that is set changes what is recorded.</summary>
sealed class PostgresClock(DateTimeOffset read, TimeProvider machine) : TimeProvider
{
    readonly long _when = machine.GetTimestamp();

    public static async Task<PostgresClock> ReadAsync(NpgsqlConnection connection, TimeProvider machine, CancellationToken cancellationToken)
    {
        await using var ask = new NpgsqlCommand("select clock_timestamp()", connection);
        return new PostgresClock(new DateTimeOffset((DateTime)(await ask.ExecuteScalarAsync(cancellationToken))!), machine);
    }

    public override DateTimeOffset GetUtcNow() => read + machine.GetElapsedTime(_when);

    public override long TimestampFrequency => machine.TimestampFrequency;

    public override long GetTimestamp() => machine.GetTimestamp();

    public override TimeZoneInfo LocalTimeZone => machine.LocalTimeZone;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => machine.CreateTimer(callback, state, dueTime, period);
}
