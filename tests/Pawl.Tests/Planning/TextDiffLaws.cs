using System.Globalization;
using Pawl.Planning;

namespace Pawl.Tests.Planning;

public class TextDiffLaws
{
    [Fact]
    public void Equal_texts_have_no_difference() => Assert.Empty(TextDiff.Unified("a\nb\n", "a\nb\n"));

    [Fact]
    public void It_reads_as_diff_u_does()
    {
        var diff = TextDiff.Unified("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", "a\nb\nc\nd\nE\nf\ng\nh\ni\nj\nk\n", context: 1);
        Assert.Equal(["@@ -4,3 +4,3 @@", " d", "-e", "+E", " f", "@@ -10,1 +10,2 @@", " j", "+k"], diff);
    }

    [Fact]
    public void A_missing_line_end_is_told() =>
        Assert.Equal(["@@ -1,1 +1,1 @@", "-a", "+a", "\\ No newline at end of file"], TextDiff.Unified("a\n", "a"));

    [Theory]
    [InlineData("", "x\n", "@@ -0,0 +1,1 @@")]
    [InlineData("x\n", "", "@@ -1,1 +0,0 @@")]
    public void An_empty_side_counts_from_line_0(string before, string after, string header) => Assert.Equal(header, TextDiff.Unified(before, after)[0]);

    [Fact]
    public void Applied_to_the_old_text_it_gives_the_new_one_and_no_shorter_way_exists()
    {
        var chance = new Random(20261121);
        for (var round = 0; round < 5000; round++)
        {
            var (before, after) = (Text(chance), Text(chance));
            var diff = TextDiff.Unified(before, after, chance.Next(0, 4));
            Assert.Equal(after, Apply(before, diff));
            Assert.Equal(before, Apply(after, diff, reverse: true));
            if (before.EndsWith('\n') && after.EndsWith('\n')) Assert.Equal(Fewest(before.Split('\n'), after.Split('\n')), diff.Count(line => line[0] is '-' or '+'));
        }
    }

    [Fact]
    public void Very_different_texts_are_replaced_whole_and_still_apply()
    {
        var before = string.Concat(Enumerable.Range(0, 5000).Select(i => $"old {i}\n")) + "end\n";
        var after = string.Concat(Enumerable.Range(0, 5000).Select(i => $"new {i}\n")) + "end\n";
        Assert.Equal(after, Apply(before, TextDiff.Unified(before, after)));
    }

    static string Text(Random chance)
    {
        var text = string.Concat(Enumerable.Range(0, chance.Next(0, 25)).Select(_ => $"{(char)('a' + chance.Next(4))}\n"));
        return chance.Next(4) == 0 && text.Length > 0 ? text[..^1] : text;
    }

    /// <summary>What <c>patch</c> does, with every line and every count checked.</summary>
    static string Apply(string text, IReadOnlyList<string> diff, bool reverse = false)
    {
        var come = reverse ? '-' : '+';
        var gone = reverse ? '+' : '-';
        var lines = text.Split('\n').Select(line => line + "\n").ToList();
        lines[^1] = lines[^1][..^1];
        if (lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        var (result, at) = ("", 0);
        for (var i = 0; i < diff.Count;)
        {
            var ranges = diff[i++].Split(' ')[reverse ? 2 : 1][1..].Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray();
            var start = ranges[1] == 0 ? ranges[0] : ranges[0] - 1;
            while (at < start) result += lines[at++];
            for (; i < diff.Count && diff[i][0] != '@'; i++)
            {
                if (diff[i][0] == '\\') continue;
                var line = diff[i][1..] + (i + 1 < diff.Count && diff[i + 1][0] == '\\' ? "" : "\n");
                if (diff[i][0] != come) Assert.Equal(lines[at++], line);
                if (diff[i][0] != gone) result += line;
            }
            Assert.Equal(start + ranges[1], at);
        }
        return result + string.Concat(lines.Skip(at));
    }

    static int Fewest(string[] a, string[] b)
    {
        var common = new int[a.Length + 1, b.Length + 1];
        for (var i = 1; i <= a.Length; i++)
            for (var j = 1; j <= b.Length; j++)
                common[i, j] = a[i - 1] == b[j - 1] ? common[i - 1, j - 1] + 1 : Math.Max(common[i - 1, j], common[i, j - 1]);
        return a.Length + b.Length - 2 * common[a.Length, b.Length];
    }
}
