using System.Xml.Linq;

namespace Pawl.Tests.Architecture;

/// <summary>The rules that keep it a house one wants to live in.</summary>
public sealed class HouseTests
{
    static readonly string Sources = Path.Combine(Docs.Repository.Root, "src");

    static readonly Dictionary<string, string[]> s_mayKnow = new()
    {
        ["Pawl"] = [], ["Pawl.Agents"] = ["Pawl"], ["Pawl.Yaml"] = ["Pawl"], ["Pawl.Postgres"] = ["Pawl"], ["Pawl.Redis"] = ["Pawl"], ["Pawl.Sqlite"] = ["Pawl"], ["Pawl.Testing"] = ["Pawl"], ["Pawl.Dashboard"] = ["Pawl"],
        ["Pawl.Cli"] = ["Pawl", "Pawl.Yaml", "Pawl.Testing", "Pawl.Sqlite", "Pawl.Postgres", "Pawl.Redis", "Pawl.Agents", "Pawl.Dashboard"],
    };

    [Fact]
    public void Arrows_point_to_the_core()
    {
        var projects = Directory.GetFiles(Sources, "*.csproj", SearchOption.AllDirectories);
        Assert.Equal(s_mayKnow.Keys.Order(), projects.Select(Path.GetFileNameWithoutExtension).Order());
        foreach (var project in projects)
            Assert.Subset(s_mayKnow[Path.GetFileNameWithoutExtension(project)].ToHashSet(), References(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)).ToHashSet());
    }

    [Fact]
    public void The_core_needs_abstractions_only() =>
        Assert.All(References(Path.Combine(Sources, "Pawl", "Pawl.csproj"), "PackageReference"), package => Assert.StartsWith("Microsoft.Extensions.", package));

    [Fact]
    public void The_core_does_not_know_its_leaves()
    {
        foreach (var file in Files("Pawl"))
            foreach (var leaf in (string[])["Pawl.Yaml", "Pawl.Cli", "Pawl.Testing", "Pawl.Agents", "Microsoft.Extensions.AI", "Pawl.Postgres", "Npgsql", "Pawl.Redis", "StackExchange", "Pawl.Sqlite", "Microsoft.Data.Sqlite", "YamlDotNet", "Spectre", "System.CommandLine"])
                Assert.DoesNotContain(File.ReadLines(file), line => line.StartsWith($"using {leaf}", StringComparison.Ordinal));
    }

    [Fact]
    public void The_engine_can_be_read_in_one_sitting()
    {
        var engine = Directory.GetFiles(Path.Combine(Sources, "Pawl", "Engine"), "*.cs");
        Assert.InRange(engine.Length, 1, 10);
        Assert.InRange(engine.Sum(file => File.ReadLines(file).Count()), 1, 2000);
    }

    [Fact]
    public void No_file_is_longer_than_400_lines() =>
        Assert.All(Directory.GetFiles(Sources, "*.cs", SearchOption.AllDirectories), file => Assert.InRange(File.ReadLines(file).Count(), 1, 400));

    static IEnumerable<string> Files(string project) => Directory.EnumerateFiles(Path.Combine(Sources, project), "*.cs", SearchOption.AllDirectories);

    static IEnumerable<string> References(string project, string kind) => XDocument.Load(project).Descendants(kind).Select(reference => reference.Attribute("Include")!.Value);
}
