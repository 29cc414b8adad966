using System.Globalization;

namespace Pawl.Scheduling;

/// <summary>Times in five fields (minute, hour, day of month, month, day of week), as crontab(5) has them. Immutable; pure.</summary>
/// <remarks>
/// Fields: numbers, names (<c>JAN</c>, <c>MON</c>), ranges, lists, steps, <c>*</c> and <c>?</c>, <c>L</c> for the last day of the month, 0 and 7 for Sunday; or
/// <c>@hourly @daily @midnight @weekly @monthly @yearly @annually</c>. Where neither day field begins with <c>*</c>, a day that fits one of them is enough.
/// When clocks are put forward, a time that does not exist comes at the moment of the change; when they are put back, one that exists twice comes the first
/// time. Intervals (a <c>*</c>, a range or a step in minute or hour) go by what the clock shows: nothing where it jumps, both where it repeats.
/// </remarks>
sealed class Cron
{
    // Leap days are 8 years apart at most, and fall on a given day of the week at least every 40.
    const int Years = 41;
    // Clocks differ by 26 hours at most, over the world and over a change.
    static readonly TimeSpan s_far = TimeSpan.FromHours(26);
    static readonly string[] s_months = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    static readonly string[] s_weekdays = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    static readonly Dictionary<string, string> s_words = new()
    {
        ["@hourly"] = "0 * * * *", ["@daily"] = "0 0 * * *", ["@midnight"] = "0 0 * * *", ["@weekly"] = "0 0 * * 0",
        ["@monthly"] = "0 0 1 * *", ["@yearly"] = "0 0 1 1 *", ["@annually"] = "0 0 1 1 *",
    };

    readonly ulong _minutes, _hours, _days, _months, _weekdays;
    readonly bool _lastDay, _eitherDay, _isInterval;

    Cron(string text, string[] fields)
    {
        _minutes = Field(text, fields[0], "minute", 0, 59, []);
        _hours = Field(text, fields[1], "hour", 0, 23, []);
        var days = fields[2].Split(',');
        _lastDay = days.Contains("L", StringComparer.OrdinalIgnoreCase);
        if (_lastDay) days = [.. days.Where(day => !day.Equals("L", StringComparison.OrdinalIgnoreCase))];
        _days = days.Length == 0 ? 0 : Field(text, string.Join(',', days), "day of month", 1, 31, []);
        _months = Field(text, fields[3], "month", 1, 12, s_months);
        _weekdays = Field(text, fields[4], "day of week", 0, 7, s_weekdays);
        if ((_weekdays & (1 << 7)) != 0) _weekdays |= 1;
        _eitherDay = fields[2][0] is not ('*' or '?') && fields[4][0] is not ('*' or '?');
        _isInterval = (fields[0] + fields[1]).AsSpan().IndexOfAny('*', '-', '/') >= 0;
    }

    /// <summary>Reads a text.</summary>
    /// <exception cref="InvalidDefinitionException">It is not one; the message says where, and what may stand there.</exception>
    public static Cron Parse(string text)
    {
        var plain = text.Trim();
        if (plain.StartsWith('@'))
            plain = s_words.GetValueOrDefault(plain.ToLowerInvariant()) ?? throw Wrong(text, $"there is no '{plain}'.{Nearest.Hint(plain, s_words.Keys)} Use one of {string.Join(' ', s_words.Keys)}");
        var fields = plain.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length != 5) throw Wrong(text, $"it has {fields.Length} fields, not 5. Write minute, hour, day of month, month, day of week, as in '0 3 * * *'");
        var cron = new Cron(text, fields);
        return cron.Wall(new DateTime(2000, 1, 1)) is null ? throw Wrong(text, "no month has such a day: it would never come") : cron;
    }

    /// <summary>The first time behind another, by the clocks of a zone; null is never (the calendar ends).</summary>
    public DateTimeOffset? Next(DateTimeOffset after, TimeZoneInfo zone)
    {
        after = after.ToUniversalTime();
        var from = (after + zone.GetUtcOffset(after)).DateTime;
        // Where clocks are about to be put back, what they showed before comes again.
        if (zone.GetUtcOffset(after - s_far) != zone.GetUtcOffset(after + s_far)) from -= s_far;
        DateTimeOffset? best = null;
        for (var wall = Wall(from); wall is { } time; wall = Wall(time.AddMinutes(1)))
        {
            var (first, second) = Moments(time, zone);
            foreach (var moment in (DateTimeOffset?[])[first, second])
                if (moment > after && (best is null || moment < best)) best = moment;
            // What the clock shows later comes later; only a second coming could still be earlier, and those were looked at.
            if (first > after) break;
        }
        return best;
    }

    /// <summary>When a zone's clocks show a time: once, or twice for an interval where they repeat. One that is jumped over: at the jump, or never for an interval.</summary>
    (DateTimeOffset? First, DateTimeOffset? Second) Moments(DateTime wall, TimeZoneInfo zone)
    {
        var utc = new DateTimeOffset(wall, TimeSpan.Zero);
        var (before, after) = (zone.GetUtcOffset(utc - s_far), zone.GetUtcOffset(utc + s_far));
        var (early, late) = (utc - before, utc - after);
        if (before == after) return (early, null);
        var (isEarly, isLate) = (zone.GetUtcOffset(early) == before, zone.GetUtcOffset(late) == after);
        if (isEarly && isLate) return (early, _isInterval ? late : null);
        if (isEarly || isLate) return (isEarly ? early : late, null);
        if (_isInterval) return (null, null);
        // The change is behind the one and not behind the other.
        var (low, high) = (late.Ticks, early.Ticks);
        while (high - low > 1)
        {
            var middle = low + (high - low) / 2;
            if (zone.GetUtcOffset(new DateTimeOffset(middle, TimeSpan.Zero)) == after) high = middle;
            else low = middle;
        }
        return (new DateTimeOffset(high, TimeSpan.Zero), null);
    }

    /// <summary>The first fitting time of a clock that is never put, not before another.</summary>
    DateTime? Wall(DateTime from)
    {
        var time = from.Date.AddMinutes(Math.Ceiling(from.TimeOfDay.TotalMinutes));
        for (var end = Math.Min(from.Year + Years, 9990); time.Year <= end;)
        {
            if (!Has(_months, time.Month)) time = new DateTime(time.Year, time.Month, 1).AddMonths(1);
            else if (!IsDay(time)) time = time.Date.AddDays(1);
            else if (!Has(_hours, time.Hour)) time = time.Date.AddHours(time.Hour + 1);
            else if (!Has(_minutes, time.Minute)) time = time.AddMinutes(1);
            else return time;
        }
        return null;
    }

    bool IsDay(DateTime time)
    {
        var day = Has(_days, time.Day) || (_lastDay && time.Day == DateTime.DaysInMonth(time.Year, time.Month));
        var weekday = Has(_weekdays, (int)time.DayOfWeek);
        return _eitherDay ? day || weekday : day && weekday;
    }

    static bool Has(ulong set, int value) => (set >> value & 1) != 0;

    /// <summary>The numbers of a field as bits.</summary>
    static ulong Field(string text, string field, string name, int least, int most, string[] names)
    {
        ulong set = 0;
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch
            {
                [var whole] => (whole, 0),
                [var whole, var every] => (whole, int.TryParse(every, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n > 0 && n <= most ? n : throw Wrong(every)),
                _ => throw Wrong(part),
            };
            var (first, last) = range.Split('-') switch
            {
                ["*" or "?"] => (least, least == 0 && most == 7 ? 6 : most),
                // '5/15' is 5 and every 15 from there.
                [var one] => (Number(one), step > 0 ? most : Number(one)),
                [var low, var high] => (Number(low), Number(high)),
                _ => throw Wrong(part),
            };
            // 'SAT-MON' and '22-3' go over the end.
            var count = most - least + (most == 7 ? 0 : 1);
            for (var n = first; n <= (last < first ? last + count : last); n += Math.Max(1, step)) set |= 1UL << (n > most ? n - count : n);
        }
        return set;

        int Number(string word)
        {
            var named = Array.FindIndex(names, known => known.Equals(word, StringComparison.OrdinalIgnoreCase));
            if (named >= 0) return named + least;
            return int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var n) && n >= least && n <= most ? n : throw Wrong(word);
        }

        InvalidDefinitionException Wrong(string part) => Cron.Wrong(text, $"'{RunIds.Printable(part)}' cannot stand for the {name}{Nearest.Hint(part, names)}. "
            + $"Write {least}-{most}{(names.Length > 0 ? $" or {names[0]}-{names[^1]}" : "")}, with ranges (1-5), lists (1,3) and steps (*/10)");
    }

    static InvalidDefinitionException Wrong(string text, string what) => new($"The cron text '{RunIds.Printable(text)}' is not right: {what}.");
}
