namespace Pawl.Dashboard.Tests;

/// <summary>A clock that is set by hand.</summary>
sealed class SetTime(DateTimeOffset now) : TimeProvider
{
    DateTimeOffset _now = now;

    public void Pass(TimeSpan time) => _now += time;

    public override DateTimeOffset GetUtcNow() => _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now.UtcTicks;
}
