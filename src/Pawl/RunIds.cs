using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Pawl;

/// <summary>The names of runs and steps: what is allowed, and how they are made.</summary>
public static class RunIds
{
    /// <summary>Letters, digits and <c>. _ -</c>, first a letter or digit, at most 128: safe as a file name everywhere.</summary>
    public static bool IsValid(string? id) => id is { Length: > 0 and <= 128 } && char.IsAsciiLetterOrDigit(id[0]) && id[^1] != '.' && id.All(IsIdChar) && !IsDeviceName(id);

    /// <summary>Throws when the id is not valid; the message shows it without control characters.</summary>
    /// <exception cref="ArgumentException">It is not.</exception>
    public static string Check(string? id) => IsValid(id) ? id! : throw new ArgumentException(
        $"'{Printable(id)}' is not a run id: use letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit.");

    /// <summary>Whether a step may bear this id (as for runs).</summary>
    public static bool IsValidStepId(string? id) => id is { Length: > 0 and <= 128 } && char.IsAsciiLetterOrDigit(id[0]) && id.All(IsIdChar);

    /// <summary>The id of the child run that a step starts: it follows from the parent's and the path, so that starting it twice is starting it once.</summary>
    /// <param name="runId">The parent.</param>
    /// <param name="path">The step, with <c>/name</c> behind it when its body names the child.</param>
    public static string Child(string runId, string path)
    {
        var text = new string([.. path.Select(c => IsIdChar(c) ? c : '-')]);
        var id = $"{runId}.{text}";
        if (text == path && id.Length <= 128) return id;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{runId}/{path}")).AsSpan(0, 4));
        return $"{id[..Math.Min(id.Length, 119)]}-{hash}";
    }

    internal static string ToStepId(string name)
    {
        var text = new string([.. name.Select(c => IsIdChar(c) ? c : '-')]).Trim('-', '.', '_');
        return text.Length == 0 ? "workflow" : text[..Math.Min(text.Length, 100)];
    }

    /// <summary>A key inside brackets (<c>each[eu]</c>): everything but the path's own signs and control characters, at most 200.</summary>
    internal static string ToKey(string key)
    {
        var text = new string([.. key.Select(c => c is '/' or '[' or ']' || char.IsControl(c) ? '-' : c)]);
        if (text == key && text.Length is > 0 and <= 200) return text;
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 4));
        return $"{text[..Math.Min(text.Length, 190)]}~{hash}";
    }

    internal static string Printable(string? text) =>
        text is null ? "" : new string([.. text.Take(80).Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) == UnicodeCategory.Format ? '?' : c)]);

    static bool IsIdChar(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-';

    static bool IsDeviceName(string id)
    {
        var stem = id.Split('.')[0].ToUpperInvariant();
        return stem is "CON" or "PRN" or "AUX" or "NUL" || (stem.Length == 4 && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal)) && char.IsAsciiDigit(stem[3]));
    }
}
