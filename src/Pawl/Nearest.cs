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

    // Two letters that changed places are one edit.
    static int Distance(string a, string b, int limit)
    {
        if (a.Length > 128 || Math.Abs(a.Length - b.Length) >= limit) return limit;
        var edits = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0) { edits[i, j] = i + j; continue; }
                edits[i, j] = Math.Min(Math.Min(edits[i - 1, j], edits[i, j - 1]) + 1, edits[i - 1, j - 1] + (Same(i - 1, j - 1) ? 0 : 1));
                if (i > 1 && j > 1 && Same(i - 1, j - 2) && Same(i - 2, j - 1)) edits[i, j] = Math.Min(edits[i, j], edits[i - 2, j - 2] + 1);
            }
        return edits[a.Length, b.Length];

        bool Same(int i, int j) => char.ToLowerInvariant(a[i]) == char.ToLowerInvariant(b[j]);
    }
}
