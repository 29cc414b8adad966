using System.Globalization;
using System.Text.RegularExpressions;

namespace Pawl.Yaml;

/// <summary>Lengths of time as people write them: <c>500ms</c>, <c>30s</c>, <c>10m</c>, <c>2h</c>, <c>3d</c>, <c>1m30s</c>.</summary>
internal static partial class Durations
{
    public const string Pattern = @"^([0-9]{1,4}d)?([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}(\.[0-9]{1,3})?s)?([0-9]{1,12}ms)?$";

    /// <summary>What a duration is, for messages.</summary>
    public const string Words = "a length of time such as 500ms, 30s, 10m, 2h, 3d or 1m30s";

    /// <summary>Longest length: about 27 years.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        var match = Parts().Match(text);
        if (text.Length == 0 || !match.Success) return false;
        double[] seconds = [86_400, 3_600, 60, 1, 0.001];
        var total = 0d;
        for (var i = 0; i < seconds.Length; i++)
        {
            var digits = match.Groups[$"u{i}"].Value;
            if (digits.Length > 0) total += double.Parse(digits, CultureInfo.InvariantCulture) * seconds[i];
        }
        if (total > 10_000 * 86_400d) return false;
        duration = TimeSpan.FromMilliseconds(Math.Round(total * 1000));
        return true;
    }

    [GeneratedRegex(@"^((?<u0>[0-9]{1,4})d)?((?<u1>[0-9]{1,6})h)?((?<u2>[0-9]{1,8})m)?((?<u3>[0-9]{1,9}(\.[0-9]{1,3})?)s)?((?<u4>[0-9]{1,12})ms)?\z")]
    private static partial Regex Parts();
}
