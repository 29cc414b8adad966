using System.Globalization;

namespace Pawl.Cli.Input;

/// <summary>Lengths of time and points in time as people write them: <c>90s</c>, <c>1h30m</c>, <c>30d</c>, or ISO 8601.</summary>
static class Spans
{
    public static TimeSpan Parse(string what, string text)
    {
        var (total, number) = (TimeSpan.Zero, "");
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsAsciiDigit(text[i]) || text[i] == '.') { number += text[i]; continue; }
            var unit = text[i..].StartsWith("ms", StringComparison.Ordinal) ? "ms" : text[i].ToString();
            i += unit.Length - 1;
            if (!double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) || value > 1e9 || Unit(unit) is not { } length) throw Wrong(what, text);
            total += length * value;
            number = "";
        }
        return number.Length == 0 && text.Length > 0 ? total : throw Wrong(what, text);
    }

    /// <summary>A time, or a length of time before now.</summary>
    public static DateTimeOffset ParseTime(string what, string text, DateTimeOffset now)
    {
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeLocal, out var time) && text.Contains('-', StringComparison.Ordinal)) return time;
        var back = Parse(what, text);
        return back < now - DateTimeOffset.MinValue ? now - back : DateTimeOffset.MinValue;
    }

    static TimeSpan? Unit(string unit) => unit switch
    {
        "ms" => TimeSpan.FromMilliseconds(1),
        "s" => TimeSpan.FromSeconds(1),
        "m" => TimeSpan.FromMinutes(1),
        "h" => TimeSpan.FromHours(1),
        "d" => TimeSpan.FromDays(1),
        "w" => TimeSpan.FromDays(7),
        _ => null,
    };

    static UsageException Wrong(string what, string text) => new($"{what}: '{text}' is not a length of time. Write for example 90s, 15m, 1h30m or 30d.");
}
