using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Pawl.Planning;

/// <summary>Where two JSON values differ. The order of members does not matter; numbers and texts are compared as they are written.</summary>
static class JsonDiff
{
    // A person reads the first ones; the whole values are one 'pawl show' away.
    const int Most = 1000;

    /// <param name="left">Before.</param>
    /// <param name="right">After.</param>
    /// <param name="same">Texts that count as the same although they are not.</param>
    public static List<ValueDiff> Compare(RawJson? left, RawJson? right, Func<string, string, bool>? same = null)
    {
        var differences = new List<ValueDiff>();
        if (left is { } a && right is { } b)
        {
            if (a.Utf8.Span.SequenceEqual(b.Utf8.Span)) return differences;
            using var first = JsonDocument.Parse(a.Utf8, s_deep);
            using var second = JsonDocument.Parse(b.Utf8, s_deep);
            Compare("", first.RootElement, second.RootElement, differences, same);
        }
        else if (left is not null || right is not null) differences.Add(new ValueDiff("", left, right));
        return differences;
    }

    /// <summary>Values by name, each below its name.</summary>
    public static List<ValueDiff> Compare(IReadOnlyDictionary<string, RawJson> left, IReadOnlyDictionary<string, RawJson> right, Func<string, string, bool>? same = null)
    {
        var differences = new List<ValueDiff>();
        foreach (var name in left.Keys.Union(right.Keys).Order(StringComparer.Ordinal))
        {
            var inside = Compare(left.TryGetValue(name, out var a) ? a : null, right.TryGetValue(name, out var b) ? b : null, same);
            differences.AddRange(inside.Select(one => one with { Path = one.Path.Length == 0 || one.Path[0] == '[' ? Name(name) + one.Path : $"{Name(name)}.{one.Path}" }));
        }
        return differences;
    }

    static readonly JsonDocumentOptions s_deep = new() { MaxDepth = 128 };

    static void Compare(string path, JsonElement left, JsonElement right, List<ValueDiff> differences, Func<string, string, bool>? same)
    {
        if (differences.Count >= Most) return;
        if (left.ValueKind == JsonValueKind.Object && right.ValueKind == JsonValueKind.Object)
        {
            foreach (var member in left.EnumerateObject())
            {
                var inside = Join(path, member.Name);
                if (right.TryGetProperty(member.Name, out var other)) Compare(inside, member.Value, other, differences, same);
                else differences.Add(new ValueDiff(inside, Raw(member.Value), null));
            }
            foreach (var member in right.EnumerateObject())
                if (!left.TryGetProperty(member.Name, out _)) differences.Add(new ValueDiff(Join(path, member.Name), null, Raw(member.Value)));
        }
        else if (left.ValueKind == JsonValueKind.Array && right.ValueKind == JsonValueKind.Array)
        {
            var (before, after) = (left.GetArrayLength(), right.GetArrayLength());
            for (var i = 0; i < Math.Max(before, after); i++)
            {
                var inside = $"{path}[{i}]";
                if (i < before && i < after) Compare(inside, left[i], right[i], differences, same);
                else differences.Add(i < before ? new ValueDiff(inside, Raw(left[i]), null) : new ValueDiff(inside, null, Raw(right[i])));
            }
        }
        else if (left.ValueKind != right.ValueKind || !SameText(left, right, same)) differences.Add(new ValueDiff(path, Raw(left), Raw(right)));
    }

    static bool SameText(JsonElement left, JsonElement right, Func<string, string, bool>? same) => left.ValueKind switch
    {
        JsonValueKind.String => left.ValueEquals(right.GetString()) || same?.Invoke(left.GetString()!, right.GetString()!) == true,
        JsonValueKind.Number => left.GetRawText() == right.GetRawText(),
        _ => true,
    };

    static RawJson Raw(JsonElement value) => new(Encoding.UTF8.GetBytes(value.GetRawText()));

    static string Join(string path, string name) => Name(name) is var step && (path.Length == 0 || step[0] == '[') ? path + step : $"{path}.{step}";

    static string Name(string name) => name.Length > 0 && name.All(c => char.IsLetterOrDigit(c) || c is '_' or '-' or '/' or '[' or ']') ? name : $"[\"{JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(name)}\"]";
}
