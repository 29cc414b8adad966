namespace Pawl;

/// <summary>The nearest right word for a wrong one.</summary>
public static class Nearest
{
    /// <summary>" Did you mean 'x'?", or an empty text when nothing is near.</summary>
    public static string Hint(string word, IEnumerable<string> candidates) => Find(word, candidates) is { } near ? $" Did you mean '{near}'?" : "";

    /// <summary>The candidate with the fewest edits, at most a third of the word's length (at least 1, at most 4); null when none is near.</summary>
    public static string? Find(string word, IEnumerable<string> candidates)
    {
        string? best = null;
        var bestDistance = Math.Clamp(word.Length / 3, 1, 4) + 1;
        foreach (var candidate in candidates)
        {
            var distance = Distance(word, candidate, bestDistance);
            if (distance < bestDistance) (best, bestDistance) = (candidate, distance);
        }
        return best;
    }

    static int Distance(string a, string b, int limit)
    {
        if (a.Length > 128 || Math.Abs(a.Length - b.Length) >= limit) return limit;
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var cost = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]) ? 0 : 1;
                (row[j], diagonal) = (Math.Min(Math.Min(row[j] + 1, row[j - 1] + 1), diagonal + cost), row[j]);
            }
        }
        return row[b.Length];
    }
}
