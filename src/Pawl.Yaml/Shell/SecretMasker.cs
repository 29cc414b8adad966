using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Pawl.Yaml;

/// <summary>Replaces secrets by <c>***</c>: as they are, each line of those with several, and in base64, URL and JSON form, as the usual programs write these. Immutable.</summary>
internal sealed partial class SecretMasker
{
    const int ShortestForm = 4;

    static readonly byte[] s_mask = "***"u8.ToArray();

    readonly byte[][] _patterns;
    readonly byte[][][] _byFirst = new byte[256][][];
    readonly SearchValues<byte> _first;

    public SecretMasker(IEnumerable<string> secrets)
    {
        // The longest first: a secret that contains another one is covered whole.
        _patterns = [.. secrets.SelectMany(Forms).Distinct().Select(Encoding.UTF8.GetBytes).OrderByDescending(pattern => pattern.Length)];
        foreach (var group in _patterns.GroupBy(pattern => pattern[0])) _byFirst[group.Key] = [.. group];
        _first = SearchValues.Create([.. _patterns.Select(pattern => pattern[0]).Distinct()]);
    }

    /// <summary>There is nothing to hide.</summary>
    public bool IsEmpty => _patterns.Length == 0;

    public string Mask(string text)
    {
        if (IsEmpty) return text;
        var masked = new ArrayBufferWriter<byte>();
        Mask(Encoding.UTF8.GetBytes(text), isLast: true, masked);
        return Encoding.UTF8.GetString(masked.WrittenSpan);
    }

    /// <summary>Whether a secret is in the bytes, or in what they mean as JSON or as part of a URL.</summary>
    public bool Reveals(ReadOnlySpan<byte> bytes)
    {
        if (IsEmpty) return false;
        if (Shows(bytes)) return true;
        var text = bytes.IndexOfAny((byte)'\\', (byte)'%') < 0 ? null : Encoding.UTF8.GetString(bytes);
        return text is not null && (Shows(Encoding.UTF8.GetBytes(Escape().Replace(text, Meaning))) || Shows(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(text))));
    }

    [GeneratedRegex(@"\\(u[0-9a-fA-F]{4}|.)", RegexOptions.CultureInvariant)]
    private static partial Regex Escape();

    static string Meaning(Match escape) => escape.ValueSpan[1] switch
    {
        'u' when escape.Length == 6 => ((char)int.Parse(escape.ValueSpan[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString(),
        'n' => "\n",
        'r' => "\r",
        't' => "\t",
        'b' => "\b",
        'f' => "\f",
        var itself => itself.ToString(),
    };

    bool Shows(ReadOnlySpan<byte> bytes)
    {
        foreach (var pattern in _patterns)
        {
            if (bytes.IndexOf(pattern) >= 0) return true;
        }
        return false;
    }

    /// <summary>Writes the masked bytes and returns how many of the last ones it held back, because a secret may begin there.</summary>
    public int Mask(ReadOnlySpan<byte> bytes, bool isLast, IBufferWriter<byte> masked)
    {
        var (plain, at) = (0, 0);
        while (true)
        {
            var next = bytes[at..].IndexOfAny(_first);
            if (next < 0) break;
            at += next;
            var rest = bytes[at..];
            var (length, mayContinue) = Match(rest);
            if (mayContinue && !isLast)
            {
                masked.Write(bytes[plain..at]);
                return rest.Length;
            }
            if (length == 0)
            {
                at++;
                continue;
            }
            masked.Write(bytes[plain..at]);
            masked.Write(s_mask);
            plain = at += length;
        }
        masked.Write(bytes[plain..]);
        return 0;
    }

    // The longest secret that is here, and whether a longer one may be when more bytes come.
    (int Length, bool MayContinue) Match(ReadOnlySpan<byte> rest)
    {
        var mayContinue = false;
        foreach (var pattern in _byFirst[rest[0]])
        {
            if (rest.StartsWith(pattern)) return (pattern.Length, mayContinue);
            mayContinue |= rest.Length < pattern.Length && pattern.AsSpan().StartsWith(rest);
        }
        return (0, mayContinue);
    }

    static IEnumerable<string> Forms(string secret)
    {
        if (string.IsNullOrWhiteSpace(secret)) yield break;
        yield return secret;
        var trimmed = secret.Trim();
        yield return trimmed;
        foreach (var line in trimmed.Split('\n', StringSplitOptions.TrimEntries))
        {
            if (line.Length >= ShortestForm) yield return line;
        }
        string[] urls = [Uri.EscapeDataString(trimmed), WebUtility.UrlEncode(trimmed)];
        foreach (var form in (string[])[.. urls, .. urls.Select(url => PercentHex().Replace(url, hex => hex.Value.ToLowerInvariant())), .. JsonForms(trimmed), JsonEncodedText.Encode(trimmed).ToString(), JsonEncodedText.Encode(trimmed, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).ToString()])
        {
            if (form.Length >= ShortestForm) yield return form;
        }
        foreach (var form in Base64Forms(Encoding.UTF8.GetBytes(trimmed)))
        {
            if (form.Length < ShortestForm) continue;
            yield return form;
            yield return form.Replace('+', '-').Replace('/', '_');
        }
    }

    [GeneratedRegex("%[0-9A-F]{2}", RegexOptions.CultureInvariant)]
    private static partial Regex PercentHex();

    // Strings as JSON of other programs: letters beyond ASCII escaped or not (Python), '/' (PHP) and '<', '>', '&' (Go) too.
    static IEnumerable<string> JsonForms(string secret)
    {
        for (var choice = 0; choice < 8; choice++)
        {
            var (ascii, slash, html) = ((choice & 1) != 0, (choice & 2) != 0, (choice & 4) != 0);
            var form = new StringBuilder();
            foreach (var c in secret)
            {
                _ = c switch
                {
                    '"' or '\\' => form.Append('\\').Append(c),
                    '/' when slash => form.Append("\\/"),
                    '\n' => form.Append("\\n"),
                    '\r' => form.Append("\\r"),
                    '\t' => form.Append("\\t"),
                    < ' ' => form.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                    '<' or '>' or '&' when html => form.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                    > '~' when ascii => form.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                    _ => form.Append(c),
                };
            }
            yield return form.ToString();
        }
    }

    // Base64 of a longer text shows the secret in one of three alignments; characters that neighbours influence are left off.
    static IEnumerable<string> Base64Forms(byte[] secret)
    {
        yield return Convert.ToBase64String(secret);
        for (var shift = 0; shift < 3; shift++)
        {
            var encoded = Convert.ToBase64String([.. new byte[shift], .. secret]);
            var from = shift == 0 ? 0 : shift + 1;
            var to = (secret.Length + shift) * 8 / 6;
            if (to <= from) continue;
            yield return encoded[from..to];
            // The base64 command breaks its lines at 76.
            for (var line = 0; shift == 0 && encoded.Length > 76 && line + 76 <= to; line += 76) yield return encoded.Substring(line, 76);
            if (shift == 0 && to > 76 && to % 76 >= 2 * ShortestForm) yield return encoded[(to - to % 76)..to];
        }
    }
}
