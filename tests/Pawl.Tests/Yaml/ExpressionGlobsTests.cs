using System.Diagnostics;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class ExpressionGlobsTests : IDisposable
{
    readonly string _root = Directory.CreateTempSubdirectory("pawl-globs").FullName;

    public ExpressionGlobsTests()
    {
        foreach (var file in new[] { "a.cs", "b.md", ".hidden", "src/a.cs", "src/b.txt", "src/deep/er/c.cs", "src/bin/x.cs", "docs/one.md", "docs/two/three.md", "[id].ts", ".git/config", "odd {name}.cs" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_root, file))!);
            File.WriteAllText(Path.Combine(_root, file), file);
        }
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    string Match(params string[] patterns) => string.Join(' ', Globs.Match(_root, patterns));

    [Theory]
    [InlineData("*.cs", "a.cs odd {name}.cs")]
    [InlineData("**/*.cs", "a.cs odd {name}.cs src/a.cs src/bin/x.cs src/deep/er/c.cs")]
    [InlineData("src/*", "src/a.cs src/b.txt")]
    [InlineData("src/**", "src/a.cs src/b.txt src/bin/x.cs src/deep/er/c.cs")]
    [InlineData("src", "src/a.cs src/b.txt src/bin/x.cs src/deep/er/c.cs")]
    [InlineData("./src/", "src/a.cs src/b.txt src/bin/x.cs src/deep/er/c.cs")]
    [InlineData("src/**/c.cs", "src/deep/er/c.cs")]
    [InlineData("**/er/**", "src/deep/er/c.cs")]
    [InlineData("src/?.cs", "src/a.cs")]
    [InlineData("{src,docs}/*.{cs,md}", "docs/one.md src/a.cs")]
    [InlineData("{docs/{one,two/three},b}.md", "b.md docs/one.md docs/two/three.md")]
    [InlineData("[id].ts", "[id].ts")]
    [InlineData(".*", ".hidden")]
    [InlineData("**", ".hidden [id].ts a.cs b.md docs/one.md docs/two/three.md odd {name}.cs src/a.cs src/b.txt src/bin/x.cs src/deep/er/c.cs")]
    [InlineData("s**c/a.cs", "src/a.cs")]
    [InlineData("nothing/**", "")]
    public void Patterns_match(string pattern, string expected) => Assert.Equal(expected, Match(pattern));

    [Fact]
    public void A_later_pattern_takes_out_or_puts_back()
    {
        Assert.Equal("a.cs odd {name}.cs src/a.cs src/deep/er/c.cs", Match("**/*.cs", "!src/bin"));
        Assert.Equal("src/bin/x.cs", Match("src", "!src/**", "src/bin/x.cs"));
        Assert.Equal("", Match("!a.cs"));
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../x")]
    [InlineData("src/../../x")]
    [InlineData("{..,a}/x")]
    [InlineData("a\\b")]
    [InlineData("{a,b")]
    [InlineData("{{{{{{{{{{a}}}}}}}}}}")]
    [InlineData("")]
    [InlineData("!")]
    public void Bad_patterns_are_refused(string pattern) => Assert.Throws<FormatException>(() => Match(pattern));

    [Fact]
    public void Links_are_neither_followed_nor_listed()
    {
        var outside = Directory.CreateTempSubdirectory("pawl-outside").FullName;
        File.WriteAllText(Path.Combine(outside, "secret.cs"), "x");
        Directory.CreateSymbolicLink(Path.Combine(_root, "link"), outside);
        Directory.CreateSymbolicLink(Path.Combine(_root, "src/loop"), _root);
        File.CreateSymbolicLink(Path.Combine(_root, "src/file.cs"), Path.Combine(outside, "secret.cs"));
        Assert.Equal("src/a.cs src/bin/x.cs src/deep/er/c.cs", Match("{link,src}/**/*.cs"));
        Directory.Delete(outside, recursive: true);
    }

    [Fact]
    public void The_hash_follows_path_and_content()
    {
        var first = Globs.Hash(_root, ["src/**"]);
        Assert.Matches("^[0-9a-f]{64}$", first);
        Assert.Equal(first, Globs.Hash(_root, ["src"]));
        File.WriteAllText(Path.Combine(_root, "src/a.cs"), "changed");
        var second = Globs.Hash(_root, ["src/**"]);
        Assert.NotEqual(first, second);
        File.Copy(Path.Combine(_root, "src/a.cs"), Path.Combine(_root, "src/z.cs"));
        File.Delete(Path.Combine(_root, "src/a.cs"));
        Assert.NotEqual(second, Globs.Hash(_root, ["src/**"]));
        Assert.Equal("", Globs.Hash(_root, ["nothing"]));
    }

    [Fact]
    public void A_named_pipe_does_not_hang_the_hash()
    {
        using var mkfifo = Process.Start("mkfifo", [Path.Combine(_root, "src/pipe")]);
        mkfifo.WaitForExit();
        Assert.Equal(64, Globs.Hash(_root, ["src/pipe"]).Length);
    }

    [Fact]
    public void Hash_files_is_a_function()
    {
        var scope = new TestScope("{}") { BaseDirectory = _root };
        Assert.Equal(Globs.Hash(_root, ["**/*.cs", "!src/bin"]), Expression.Parse("hashFiles('**/*.cs', '!src/bin')").Evaluate(scope).AsText());
        Assert.Equal("hashFiles: The file pattern '../x' leads out of the project's folder with '..'.",
            Assert.Throws<ExpressionException>(() => Expression.Parse("hashFiles('../x')").Evaluate(scope)).Problem);
    }

    [Fact]
    public void An_evil_pattern_takes_no_time()
    {
        File.WriteAllText(Path.Combine(_root, new string('a', 200)), "");
        var watch = Stopwatch.StartNew();
        Assert.Equal("", Match(string.Concat(Enumerable.Repeat("*a", 100)) + "b"));
        Assert.Equal("", Match(string.Concat(Enumerable.Repeat("{a,aa}", 100)) + "b"));
        Assert.Equal("", Match(string.Concat(Enumerable.Repeat("**/", 100)) + "b"));
        Assert.True(watch.ElapsedMilliseconds < 1000, $"{watch.ElapsedMilliseconds} ms");
    }
}
