namespace Pawl.Planning;

/// <summary>What changed between two texts, line by line, as <c>diff -u</c> tells it: the fewest lines, unless very many differ.</summary>
static class TextDiff
{
    // Time and room grow with the square of the edits: past this many the changed middle is shown as replaced whole.
    const int MaxEdits = 1000;
    const string NoNewline = "\n\\ No newline at end of file";

    /// <summary>Hunks without file names: <c>@@ -1,3 +1,4 @@</c>, then lines that begin with a space, <c>-</c> or <c>+</c>. Empty for equal texts.</summary>
    /// <param name="before">The old text.</param>
    /// <param name="after">The new text.</param>
    /// <param name="context">Unchanged lines around each change.</param>
    public static IReadOnlyList<string> Unified(string before, string after, int context = 3)
    {
        var (old, now) = (Lines(before), Lines(after));
        var (removed, added) = Compare(Numbers(old, now, out var numbers), numbers);
        var text = new List<string>();
        for (int i = 0, j = 0; i < old.Length || j < now.Length;)
        {
            if (!IsChange(i, j)) { i++; j++; continue; }
            // A hunk reaches from the context before its first change to the context behind its last one.
            var lead = Math.Min(context, i);
            var (fromOld, fromNow, header) = (i - lead, j - lead, text.Count);
            text.Add("");
            for (var k = fromOld; k < i; k++) Write(' ', old[k]);
            for (var quiet = 0; quiet <= 2 * context && (i < old.Length || j < now.Length);)
            {
                if (i < old.Length && removed[i]) { Write('-', old[i++]); quiet = 0; }
                else if (j < now.Length && added[j]) { Write('+', now[j++]); quiet = 0; }
                else if (quiet >= context && !ChangesWithin(i, j, 2 * context - quiet)) break;
                else { Write(' ', old[i++]); j++; quiet++; }
            }
            text[header] = $"@@ -{Range(fromOld, i)} +{Range(fromNow, j)} @@";
        }
        return text;

        bool IsChange(int i, int j) => (i < old.Length && removed[i]) || (j < now.Length && added[j]);

        bool ChangesWithin(int i, int j, int lines)
        {
            for (var k = 0; k <= lines; k++) if (IsChange(i + k, j + k)) return true;
            return false;
        }

        void Write(char sign, string line)
        {
            if (!line.EndsWith(NoNewline, StringComparison.Ordinal)) { text.Add(sign + line); return; }
            text.Add(sign + line[..^NoNewline.Length]);
            text.Add(NoNewline[1..]);
        }
    }

    static string Range(int from, int to) => $"{(to > from ? from + 1 : from)},{to - from}";

    /// <summary>A last line without its line end is another line than the same one with it.</summary>
    static string[] Lines(string text)
    {
        if (text.Length == 0) return [];
        var lines = text.Split('\n');
        if (lines[^1].Length == 0) return lines[..^1];
        lines[^1] += NoNewline;
        return lines;
    }

    static int[] Numbers(string[] old, string[] now, out int[] numbers)
    {
        var known = new Dictionary<string, int>();
        var first = Array.ConvertAll(old, Number);
        numbers = Array.ConvertAll(now, Number);
        return first;

        int Number(string line)
        {
            if (!known.TryGetValue(line, out var number)) known[line] = number = known.Count;
            return number;
        }
    }

    /// <summary>Marks what to remove from one and to add from the other, by the shortest way (Myers, An O(ND) difference algorithm).</summary>
    internal static (bool[] Removed, bool[] Added) Compare(ReadOnlySpan<int> old, ReadOnlySpan<int> now)
    {
        var (removed, added) = (new bool[old.Length], new bool[now.Length]);
        var head = old.CommonPrefixLength(now);
        var tail = 0;
        while (tail < Math.Min(old.Length, now.Length) - head && old[^(tail + 1)] == now[^(tail + 1)]) tail++;
        var a = old[head..^tail];
        var b = now[head..^tail];
        if (Trace(a, b) is not { } trace)
        {
            removed.AsSpan(head, a.Length).Fill(true);
            added.AsSpan(head, b.Length).Fill(true);
            return (removed, added);
        }
        // Back from the end: in each round one edit, before it lines that are equal.
        for (int edits = trace.Count - 1, x = a.Length, y = b.Length; edits > 0; edits--)
        {
            var (before, diagonal) = (trace[edits - 1], x - y);
            var down = diagonal == -edits || (diagonal != edits && At(before, diagonal - 1, edits - 1) < At(before, diagonal + 1, edits - 1));
            var from = down ? diagonal + 1 : diagonal - 1;
            x = At(before, from, edits - 1);
            y = x - from;
            if (down) added[head + y] = true;
            else removed[head + x] = true;
        }
        return (removed, added);

        // Diagonals that cannot be reached in so many edits lie behind all others.
        static int At(int[] reach, int diagonal, int edits) => Math.Abs(diagonal) > edits ? -1 : reach[diagonal + edits];
    }

    /// <summary>How far each diagonal is reached, by number of edits; the last entry reaches the end. Null when that takes too many.</summary>
    static List<int[]>? Trace(ReadOnlySpan<int> a, ReadOnlySpan<int> b)
    {
        var trace = new List<int[]>();
        var reach = new int[2 * MaxEdits + 3];
        const int middle = MaxEdits + 1;
        for (var edits = 0; edits <= MaxEdits; edits++)
        {
            for (var diagonal = -edits; diagonal <= edits; diagonal += 2)
            {
                var down = diagonal == -edits || (diagonal != edits && reach[middle + diagonal - 1] < reach[middle + diagonal + 1]);
                var x = down ? reach[middle + diagonal + 1] : reach[middle + diagonal - 1] + 1;
                var y = x - diagonal;
                if (x <= a.Length && y >= 0 && y <= b.Length) x += a[x..].CommonPrefixLength(b[y..]);
                reach[middle + diagonal] = x;
                if (x < a.Length || x - diagonal < b.Length) continue;
                trace.Add(reach[(middle - edits)..(middle + edits + 1)]);
                return trace;
            }
            trace.Add(reach[(middle - edits)..(middle + edits + 1)]);
        }
        return null;
    }
}
