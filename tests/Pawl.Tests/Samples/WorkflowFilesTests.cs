using Pawl.Tests.Docs;
using Pawl.Yaml;

namespace Pawl.Tests.Samples;

/// <summary>The workflow files that the documents show are valid, and run.</summary>
public sealed class WorkflowFilesTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-workflows-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Files() => [.. Repository.Files("*.yaml").Where(path => path.StartsWith("samples/", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Files))]
    public void Every_sample_is_a_valid_workflow_file(string path) => Assert.Empty(WorkflowFile.CheckFile(Path.Combine(Repository.Root, path)));

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
