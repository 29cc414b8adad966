using System.Text.RegularExpressions;

namespace Pawl.Tests.Docs;

/// <summary>What the documents show is code that is built and files that exist.</summary>
public sealed partial class DocsTests
{
    static readonly string s_root = Repository.Root;

    [Fact]
    public void Every_code_block_names_the_file_it_is_taken_from()
    {
        var blocks = Documents().SelectMany(Blocks).Where(block => block.Language is "csharp" or "cs" or "c#" or "yaml" or "yml").ToList();
        Assert.NotEmpty(blocks);
        Assert.Empty(blocks.Where(block => block.From is null).Select(block => $"{block.Place}: no '<!-- from: path#region -->' above this {block.Language} block"));
    }

    [Fact]
    public void Every_code_block_equals_the_region_it_is_taken_from()
    {
        var differences = new List<string>();
        foreach (var block in Documents().SelectMany(Blocks).Where(block => block.From is not null))
        {
            var (path, region) = block.From!.Split('#') is [var file, var name] ? (file, name) : (block.From, null);
            if (!IsBuilt(path)) differences.Add($"{block.Place}: {path} is not among the files that a test builds or loads (samples/, tests/)");
            else if (!File.Exists(Path.Combine(s_root, path))) differences.Add($"{block.Place}: {path} does not exist");
            else if (Region(File.ReadAllLines(Path.Combine(s_root, path)), region) is not { } source) differences.Add($"{block.Place}: {path} has no region '{region}'");
            else if (source != block.Text) differences.Add($"{block.Place}: differs from {block.From}, which is now:\n{source}");
        }
        Assert.True(differences.Count == 0, string.Join("\n", differences));
    }

    [Fact]
    public void Every_relative_link_leads_to_a_file()
    {
        var links = Documents().SelectMany(Links).ToList();
        Assert.NotEmpty(links);
        Assert.Empty(links.Where(link => !Path.Exists(link.Target)).Select(link => $"{link.Place}: {Path.GetRelativePath(s_root, link.Target)} does not exist"));
    }

    [Fact]
    public void Every_package_has_its_reason()
    {
        var packages = PackagePattern().Matches(File.ReadAllText(Path.Combine(s_root, "Directory.Packages.props"))).Select(match => match.Groups[1].Value).ToList();
        Assert.NotEmpty(packages);
        var reasons = File.ReadAllText(Path.Combine(s_root, "docs", "dependencies.md"));
        Assert.All(packages, package => Assert.Contains($"| `{package}` |", reasons, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_law_in_the_table_is_a_test_or_a_law_of_the_stores()
    {
        var tests = typeof(DocsTests).Assembly.GetTypes().SelectMany(type => type.GetMethods().Where(method => method.IsDefined(typeof(FactAttribute), inherit: true)).Select(method => $"{type.Name}.{method.Name}"));
        var known = tests.Concat(Testing.StoreConformance.Laws.Select(law => law.Name)).ToHashSet();
        var rows = File.ReadLines(Path.Combine(s_root, "docs", "laws.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal) && !line.EndsWith("| law |", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(rows);
        Assert.All(rows, row => Assert.NotEmpty(NamesIn(row)));
        Assert.Empty(rows.SelectMany(NamesIn).Except(known));

        static IEnumerable<string> NamesIn(string row) => CodeSpan().Matches(row.Split(" | ")[^1]).Select(match => match.Value.Trim('`'));
    }

    [Fact]
    public void A_region_ends_at_its_own_end_and_loses_its_indentation()
    {
        string[] lines = ["a", "    // #region one", "    x", "", "      y", "    // #endregion", "z", "# region: two", "w", "# endregion"];
        Assert.Equal("x\n\n  y", Region(lines, "one"));
        Assert.Equal("w", Region(lines, "two"));
        Assert.Null(Region(lines, "three"));
    }

    sealed record Block(string Place, string Language, string Text, string? From);

    static IEnumerable<string> Documents() => Repository.Files("*.md").Where(path => !path.StartsWith("tests/", StringComparison.Ordinal));

    static bool IsBuilt(string path) => path.StartsWith("samples/", StringComparison.Ordinal) || path.StartsWith("tests/", StringComparison.Ordinal);

    static IEnumerable<Block> Blocks(string document)
    {
        var lines = File.ReadAllLines(Path.Combine(s_root, document));
        string? above = null;
        for (var i = 0; i < lines.Length; i++)
        {
            if (!lines[i].TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                if (lines[i].Trim().Length > 0) above = lines[i];
                continue;
            }
            var begin = i++;
            while (i < lines.Length && lines[i].TrimStart() != "```") i++;
            yield return new Block($"{document}:{begin + 1}", lines[begin].Trim().Trim('`').Trim(), string.Join("\n", lines[(begin + 1)..i]),
                above is not null && FromPattern().Match(above) is { Success: true } from ? from.Groups[1].Value : null);
            above = null;
        }
    }

    static IEnumerable<(string Place, string Target)> Links(string document)
    {
        var fenced = false;
        var number = 0;
        foreach (var line in File.ReadLines(Path.Combine(s_root, document)))
        {
            number++;
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal)) fenced = !fenced;
            if (fenced) continue;
            foreach (var link in LinkPattern().Matches(CodeSpan().Replace(line, "")).Select(match => match.Groups[1].Value))
            {
                if (link.Contains(':', StringComparison.Ordinal) || link.StartsWith('#')) continue;
                yield return ($"{document}:{number}", Path.GetFullPath(Path.Combine(s_root, Path.GetDirectoryName(document)!, Uri.UnescapeDataString(link.Split('#')[0]))));
            }
        }
    }

    static string? Region(string[] lines, string? name)
    {
        var from = 0;
        var to = lines.Length;
        if (name is not null)
        {
            from = Array.FindIndex(lines, line => line.Trim() == $"// #region {name}" || line.Trim() == $"# region: {name}") + 1;
            if (from == 0) return null;
            to = Array.FindIndex(lines, from, line => line.Trim() is "// #endregion" or "# endregion");
            if (to < 0) return null;
        }
        var body = lines[from..to];
        var indent = body.Where(line => line.Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join("\n", body.Select(line => line.Length > 0 ? line[indent..] : line)).Trim('\n');
    }

    [GeneratedRegex(@"^<!-- from: (\S+) -->$", RegexOptions.NonBacktracking)]
    private static partial Regex FromPattern();

    [GeneratedRegex(@"\]\(([^)\s]+)\)", RegexOptions.NonBacktracking)]
    private static partial Regex LinkPattern();

    [GeneratedRegex("<PackageVersion Include=\"([^\"]+)\"", RegexOptions.NonBacktracking)]
    private static partial Regex PackagePattern();

    [GeneratedRegex("`[^`]*`", RegexOptions.NonBacktracking)]
    private static partial Regex CodeSpan();
}
