using Npgsql;

namespace Pawl.Postgres;

/// <summary>The database's clock, read and carried on by this machine's monotonic one: neither a wrong clock of a machine nor one that is set changes what is recorded.</summary>
/// <remarks>It is read again when the connection was lost, since another server may answer now, and by whoever listens, now and then: this machine may have slept. Thread safe.</remarks>
sealed class PostgresClock(TimeProvider machine) : TimeProvider
{
    // An answer takes its time: a difference as small as that is none, and the time does not go to and fro.
    static readonly TimeSpan s_least = TimeSpan.FromSeconds(1);

    sealed record Reading(DateTimeOffset Time, long At);

    volatile Reading? _reading;
    volatile bool _isDoubtful;

    /// <summary>The connection was lost: who answers next may have another time.</summary>
    public void Doubt() => _isDoubtful = true;

    /// <summary>Reads it when there is doubt about it.</summary>
    public async ValueTask EnsureAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        if (!_isDoubtful) return;
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await ReadAsync(connection, cancellationToken);
    }

    public async Task ReadAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var ask = new NpgsqlCommand("select clock_timestamp()", connection) { CommandTimeout = 5 };
        var time = new DateTimeOffset((DateTime)(await ask.ExecuteScalarAsync(cancellationToken))!);
        if (_reading is null || (time - GetUtcNow()).Duration() > s_least) _reading = new Reading(time, machine.GetTimestamp());
        _isDoubtful = false;
    }

    public override DateTimeOffset GetUtcNow() => _reading is var (time, at) ? time + machine.GetElapsedTime(at) : machine.GetUtcNow();

    public override long TimestampFrequency => machine.TimestampFrequency;

    public override long GetTimestamp() => machine.GetTimestamp();

    public override TimeZoneInfo LocalTimeZone => machine.LocalTimeZone;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => machine.CreateTimer(callback, state, dueTime, period);
}
