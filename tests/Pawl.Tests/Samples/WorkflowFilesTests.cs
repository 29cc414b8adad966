using Pawl.Tests.Docs;
using Pawl.Yaml;

namespace Pawl.Tests.Samples;

/// <summary>The workflow files that the documents show are valid, and run.</summary>
public sealed class WorkflowFilesTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-workflows-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static IEnumerable<string> Samples => Repository.Files("*.yaml").Where(path => path.StartsWith("samples/", StringComparison.Ordinal) && Path.GetFileName(path) != "answers.yaml");

    public static TheoryData<string> Files() => [.. Samples.Where(path => Path.GetFileName(path) != "pawl.yaml")];

    public static TheoryData<string> Configurations() => [.. Samples.Where(path => Path.GetFileName(path) == "pawl.yaml")];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_sample_is_a_valid_workflow_file(string path)
    {
        var settings = Path.Combine(Repository.Root, Path.GetDirectoryName(path)!, "pawl.yaml");
        var configuration = File.Exists(settings) ? Configuration.Parse(File.ReadAllText(settings), settings, "/", _ => "x") : Configuration.None;
        Assert.Empty(WorkflowFile.Check(File.ReadAllText(Path.Combine(Repository.Root, path)), Path.Combine(Repository.Root, path), strict: false, Repository.Root, new Loading(configuration, _ => throw new NotSupportedException())));
    }

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Every_sample_of_a_configuration_is_valid(string path) => Assert.NotNull(Configuration.Parse(File.ReadAllText(Path.Combine(Repository.Root, path)), path, Repository.Root, _ => "x").Path);

    [Fact]
    public async Task The_workflow_with_every_key_runs()
    {
        var result = await RunAsync("samples/reference/every-key.yaml");
        Assert.Contains("deploy[beta]/restart", result.Executed);
        Assert.Contains("build[macos,release]", result.Executed);
        Assert.Contains("rollout/otherwise/some", result.Executed);
        Assert.Equal($"{result.RunId}/publish", (await File.ReadAllTextAsync(Path.Combine(_folder, "build", "published"), TestContext.Current.CancellationToken)).Trim());
    }

    [Fact]
    public async Task The_backup_packs_what_it_found_and_verifies_it()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "docs"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "docs", "a file.txt"), "kept", TestContext.Current.CancellationToken);
        await RunAsync("samples/quickstart/backup.yaml");
        Assert.True(File.Exists(Path.Combine(_folder, "build", "backup", "backup.tgz")));
    }

    async Task<RunResult> RunAsync(string path)
    {
        await using var client = PawlClient.Open($"file:{Path.Combine(_folder, ".checkpoints")}");
        var workflow = WorkflowFile.Load(Path.Combine(Repository.Root, path), _folder);
        var result = await client.RunAsync(workflow, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(result.Status == RunStatus.Completed, $"{result.ErrorStep}: {result.Error}");
        return result;
    }
}
