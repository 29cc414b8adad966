using System.Globalization;
using System.Text;

namespace Pawl.Cli.View;

/// <summary>Times, sizes and texts as people read them.</summary>
static class Human
{
    public static string Duration(TimeSpan span) => (span.TotalSeconds >= 59.95 ? TimeSpan.FromSeconds(Math.Round(span.TotalSeconds)) : span) switch
    {
        { Ticks: < 0 } => "0 ms",
        { TotalSeconds: < 1 } t => string.Create(CultureInfo.InvariantCulture, $"{t.TotalMilliseconds:0} ms"),
        { TotalMinutes: < 1 } t => string.Create(CultureInfo.InvariantCulture, $"{t.TotalSeconds:0.0} s"),
        { TotalHours: < 1 } t => $"{(int)t.TotalMinutes} min {t.Seconds:00} s",
        { TotalHours: < 48 } t => $"{(int)t.TotalHours} h {t.Minutes:00} min",
        { Hours: 0 } t => $"{t.Days} d",
        var t => $"{t.Days} d {t.Hours} h",
    };

    /// <summary>The figures that are there: <c>1 min 03 s, 7 calls, 12,300 tokens, $0.42</c>.</summary>
    public static string Cost(Cost cost)
    {
        List<string> parts = [];
        if (cost.Duration > TimeSpan.Zero) parts.Add(Duration(cost.Duration));
        if (cost.Calls > 0) parts.Add(cost.Calls == 1 ? "1 call" : $"{Number(cost.Calls)} calls");
        if (cost.Tokens > 0) parts.Add($"{Number(cost.Tokens)} tokens");
        if (cost.CostUsd > 0) parts.Add(Usd(cost.CostUsd));
        return string.Join(", ", parts);
    }

    public static string Number(long number) => number.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>Cents, or as many digits as a small sum needs.</summary>
    public static string Usd(decimal usd) => $"${usd.ToString(usd >= 1 || usd == 0 ? "#,0.00" : "0.00####", CultureInfo.InvariantCulture)}";

    public static string Ago(DateTimeOffset then, DateTimeOffset now) => now - then is var age && age < TimeSpan.FromSeconds(1) ? "just now" : $"{Duration(age)} ago";

    public static string Bytes(long bytes) => bytes switch
    {
        < 1024 => $"{bytes} B",
        < 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        < 1024L * 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.#} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1073741824.0:0.#} GiB"),
    };

    public static string Clock(DateTimeOffset at, Caller caller) => Local(at, caller).ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    public static string Date(DateTimeOffset at, Caller caller) => Local(at, caller).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    public static string Iso(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    public static string Count(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";

    /// <summary>One line without escape sequences and control characters (a step's text must not steer the terminal), cut at a length.</summary>
    public static string Line(string? text, int max = int.MaxValue)
    {
        if (string.IsNullOrEmpty(text)) return "";
        var line = new StringBuilder(Math.Min(text.Length, 256));
        for (var i = 0; i < text.Length; i++)
        {
            if (line.Length >= max) return line.ToString(0, Math.Max(0, max - 1)) + "…";
            var c = text[i];
            if (c == '\e') i = EndOfEscape(text, i);
            else line.Append(c is '\n' or '\r' or '\t' ? ' ' : char.IsControl(c) ? '?' : c);
        }
        return line.ToString();
    }

    /// <summary>The last character of an escape sequence: of a colour, a title, or of what was cut off.</summary>
    static int EndOfEscape(string text, int at)
    {
        var next = at + 1;
        if (next >= text.Length || text[next] is not ('[' or ']')) return Math.Min(next, text.Length - 1);
        var isTitle = text[next] == ']';
        for (next++; next < text.Length; next++)
            if (isTitle ? text[next] is '\a' or '\e' : text[next] is >= '@' and <= '~') return next;
        return text.Length - 1;
    }

    static DateTimeOffset Local(DateTimeOffset at, Caller caller) => TimeZoneInfo.ConvertTime(at, caller.Time.LocalTimeZone);
}
