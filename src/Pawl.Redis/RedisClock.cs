using System.Globalization;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary>The server's clock, read once and carried on by this machine's monotonic one: neither a wrong clock of a machine nor one that is set changes what is recorded.</summary>
sealed class RedisClock(DateTimeOffset read, TimeProvider machine) : TimeProvider
{
    readonly long _when = machine.GetTimestamp();

    public static async Task<RedisClock> ReadAsync(IServer server, TimeProvider machine)
    {
        var time = (string[])(await server.ExecuteAsync("TIME"))!;
        return new RedisClock(RedisHead.Time((long.Parse(time[0], CultureInfo.InvariantCulture) * 1_000_000) + long.Parse(time[1], CultureInfo.InvariantCulture)), machine);
    }

    public override DateTimeOffset GetUtcNow() => read + machine.GetElapsedTime(_when);

    public override long TimestampFrequency => machine.TimestampFrequency;

    public override long GetTimestamp() => machine.GetTimestamp();

    public override TimeZoneInfo LocalTimeZone => machine.LocalTimeZone;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => machine.CreateTimer(callback, state, dueTime, period);
}
