using System.Globalization;
using Pawl.Scheduling;

namespace Pawl.Tests.Engine;

/// <summary>When a cron text comes: against a plain search through every minute, and where clocks are put.</summary>
public class CronLaws
{
    static readonly string[] s_zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "America/Santiago", "Pacific/Apia"];

    static DateTimeOffset Utc(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    static string[] Times(string cron, string zone, string from, int count)
    {
        var (parsed, clock, times) = (Cron.Parse(cron), TimeZoneInfo.FindSystemTimeZoneById(zone), new List<string>());
        for (var at = Utc(from); times.Count < count;)
        {
            at = parsed.Next(at, clock)!.Value;
            times.Add(TimeZoneInfo.ConvertTime(at, clock).ToString("MM-dd HH:mm zzz", CultureInfo.InvariantCulture));
        }
        return [.. times];
    }

    [Theory]
    [InlineData("30 4 1,15 * 5", "2026-01-01", "01-01 04:30", "01-02 04:30", "01-09 04:30", "01-15 04:30")] // a day of the month or a Friday
    [InlineData("0 0 */2 * MON", "2026-01-01", "01-05 00:00", "01-19 00:00", "02-09 00:00", "02-23 00:00")] // begins with '*': both must fit
    [InlineData("0 12 L * *", "2026-01-01", "01-31 12:00", "02-28 12:00", "03-31 12:00", "04-30 12:00")]
    [InlineData("0 12 L,1 * ?", "2026-01-02", "01-31 12:00", "02-01 12:00", "02-28 12:00", "03-01 12:00")]
    [InlineData("*/20 9-10 * jan mon-fri", "2026-01-01T10:00", "01-01 10:20", "01-01 10:40", "01-02 09:00", "01-02 09:20")]
    [InlineData("5/25 0 * * *", "2026-01-01", "01-01 00:05", "01-01 00:30", "01-01 00:55", "01-02 00:05")]
    [InlineData("0 22-1 * * *", "2026-01-01T12:00", "01-01 22:00", "01-01 23:00", "01-02 00:00", "01-02 01:00")]
    [InlineData("0 0 * * SAT-MON", "2026-01-01", "01-03 00:00", "01-04 00:00", "01-05 00:00", "01-10 00:00")]
    [InlineData("0 0 * * 7", "2026-01-01", "01-04 00:00", "01-11 00:00", "01-18 00:00", "01-25 00:00")]
    [InlineData("0 0 29 2 *", "2026-01-01", "02-29 00:00", "02-29 00:00", "02-29 00:00", "02-29 00:00")]
    [InlineData("@hourly", "2026-01-01T00:30", "01-01 01:00", "01-01 02:00", "01-01 03:00", "01-01 04:00")]
    [InlineData("@weekly", "2026-01-01", "01-04 00:00", "01-11 00:00", "01-18 00:00", "01-25 00:00")]
    [InlineData("@annually", "2026-01-01", "01-01 00:00", "01-01 00:00", "01-01 00:00", "01-01 00:00")]
    public void A_text_comes_when_crontab_says(string cron, string from, string first, string second, string third, string fourth) =>
        Assert.Equal([first, second, third, fourth], Times(cron, "UTC", from, 4).Select(time => time[..11]));

    [Theory]
    // Put forward from 02:00 to 03:00: what does not exist comes at the jump, intervals go by the clock.
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", "03-28 02:30 +01:00", "03-29 03:00 +02:00", "03-30 02:30 +02:00")]
    [InlineData("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", "03-29 03:00 +02:00", "03-30 03:00 +02:00", "03-31 03:00 +02:00")]
    [InlineData("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15", "03-29 01:30 +01:00", "03-29 03:00 +02:00", "03-29 03:30 +02:00")]
    [InlineData("30 * * * *", "America/New_York", "2026-03-08T06:00", "03-08 01:30 -05:00", "03-08 03:30 -04:00", "03-08 04:30 -04:00")]
    [InlineData("15 2 * * *", "America/New_York", "2026-03-07T12:00", "03-08 03:00 -04:00", "03-09 02:15 -04:00", "03-10 02:15 -04:00")]
    // Put back from 03:00 to 02:00: what exists twice comes once, intervals come both times.
    [InlineData("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "10-25 02:30 +02:00", "10-26 02:30 +01:00", "10-27 02:30 +01:00")]
    [InlineData("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15", "10-25 02:30 +02:00", "10-25 02:00 +01:00", "10-25 02:30 +01:00")]
    [InlineData("30 1 * * *", "America/New_York", "2026-11-01T00:00", "11-01 01:30 -04:00", "11-02 01:30 -05:00", "11-03 01:30 -05:00")]
    [InlineData("0 * * * *", "America/New_York", "2026-11-01T04:30", "11-01 01:00 -04:00", "11-01 01:00 -05:00", "11-01 02:00 -05:00")]
    // Half an hour, and a whole day that Samoa left out.
    [InlineData("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T18:00", "10-04 02:30 +11:00", "10-05 02:15 +11:00", "10-06 02:15 +11:00")]
    [InlineData("0 9 * * *", "Pacific/Apia", "2011-12-28T20:00", "12-29 09:00 -10:00", "12-31 00:00 +14:00", "12-31 09:00 +14:00")]
    public void Where_clocks_are_put_a_time_comes_once_and_an_interval_goes_by_the_clock(string cron, string zone, string from, string first, string second, string third) =>
        Assert.Equal([first, second, third], Times(cron, zone, from, 3));

    [Fact]
    public void The_next_time_is_later_and_fits_and_nothing_between_fits()
    {
        Parallel.For(0, 600, seed =>
        {
            var random = new Random(seed);
            var (text, fits, isInterval) = Draw(random);
            var zone = TimeZoneInfo.FindSystemTimeZoneById(s_zones[random.Next(s_zones.Length)]);
            var cron = Cron.Parse(text);
            // Half of them where something happens to the clocks.
            var at = Utc(random.Next(2) == 0 ? "2026-03-01" : "2026-09-20").AddMinutes(random.Next(60 * 24 * 60)).AddSeconds(random.Next(60));
            for (var n = 0; n < 4; n++)
            {
                var expected = Search(at, zone, fits, isInterval);
                if (expected is null) break;
                var next = cron.Next(at, zone);
                Assert.True(next == expected, $"seed {seed}: '{text}' behind {at:u} in {zone.Id}: {next:u}, not {expected:u}");
                at = next!.Value;
            }
        });
    }

    /// <summary>Every minute of the next 60 days, by what a clock on the wall does.</summary>
    static DateTimeOffset? Search(DateTimeOffset after, TimeZoneInfo zone, Func<DateTime, bool> fits, bool isInterval)
    {
        var start = new DateTimeOffset(after.UtcDateTime.Date.AddDays(-2), TimeSpan.Zero);
        var latest = DateTime.MinValue;
        for (var minute = start; minute < after.AddDays(60); minute = minute.AddMinutes(1))
        {
            var wall = TimeZoneInfo.ConvertTime(minute, zone).DateTime;
            var isNew = wall > latest;
            // What the clock jumped over comes now, unless it is an interval.
            var comes = (isNew || isInterval) && fits(wall);
            if (isNew && latest > DateTime.MinValue && !isInterval)
                for (var jumped = latest.AddMinutes(1); jumped < wall; jumped = jumped.AddMinutes(1)) comes |= fits(jumped);
            if (isNew) latest = wall;
            if (comes && minute > after) return minute;
        }
        return null;
    }

    static (string Text, Func<DateTime, bool> Fits, bool IsInterval) Draw(Random random)
    {
        var (minute, minutes, a) = Field(random, 0, 59);
        var (hour, hours, b) = Field(random, 0, 23);
        var (day, days, _) = Field(random, 1, 31);
        var (month, months, _) = random.Next(3) == 0 ? Field(random, 1, 12) : ("*", [.. Enumerable.Range(1, 12)], true);
        var (weekday, weekdays, _) = Field(random, 0, 6);
        if (random.Next(2) == 0) (day, days) = ("*", [.. Enumerable.Range(1, 31)]);
        if (random.Next(2) == 0) (weekday, weekdays) = ("*", [.. Enumerable.Range(0, 7)]);
        var either = day[0] != '*' && weekday[0] != '*';
        return ($"{minute} {hour} {day} {month} {weekday}", time => minutes.Contains(time.Minute) && hours.Contains(time.Hour) && months.Contains(time.Month)
            && (either ? days.Contains(time.Day) || weekdays.Contains((int)time.DayOfWeek) : days.Contains(time.Day) && weekdays.Contains((int)time.DayOfWeek)), a || b);
    }

    static (string, HashSet<int>, bool IsInterval) Field(Random random, int least, int most)
    {
        var (low, high, step) = (random.Next(least, most + 1), random.Next(least, most + 1), random.Next(1, 8));
        if (low > high) (low, high) = (high, low);
        return random.Next(5) switch
        {
            0 => ("*", [.. Enumerable.Range(least, most - least + 1)], true),
            1 => ($"*/{Math.Min(step, most)}", [.. Enumerable.Range(least, most - least + 1).Where(n => (n - least) % Math.Min(step, most) == 0)], true),
            2 => ($"{low}-{high}", [.. Enumerable.Range(low, high - low + 1)], true),
            3 => ($"{low},{high}", [low, high], false),
            _ => ($"{low}", [low], false),
        };
    }

    [Theory]
    [InlineData("0 25 * * *", "'25' cannot stand for the hour. Write 0-23")]
    [InlineData("0 3 * * MOM", "'MOM' cannot stand for the day of week Did you mean 'MON'?")]
    [InlineData("0 3 * *", "it has 4 fields, not 5")]
    [InlineData("0 0 3 * * *", "it has 6 fields, not 5")]
    [InlineData("*/0 * * * *", "'0' cannot stand for the minute")]
    [InlineData("1--2 * * * *", "cannot stand for the minute")]
    [InlineData("1, * * * *", "'' cannot stand for the minute")]
    [InlineData("0 0 31 2 *", "it would never come")]
    [InlineData("@dayly", "Did you mean '@daily'?")]
    [InlineData("0 0 15W * *", "'15W' cannot stand for the day of month")]
    public void A_wrong_text_is_refused_with_the_place_and_a_hint(string text, string said) =>
        Assert.Contains(said, Assert.Throws<InvalidDefinitionException>(() => Cron.Parse(text)).Message, StringComparison.Ordinal);
}
