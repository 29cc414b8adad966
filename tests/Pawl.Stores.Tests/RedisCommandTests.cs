using System.Diagnostics;

namespace Pawl.Stores;

/// <summary>The command over a Redis store: by option, and by the configuration file.</summary>
public sealed class RedisCommandTests(RedisFixture redis) : IDisposable
{
    static readonly string s_command = Environment.GetEnvironmentVariable("PAWL_TEST_COMMAND") ?? Path.Combine(AppContext.BaseDirectory, "Pawl.Cli");
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pawl-redis-cli-");

    async Task<(int Code, string Text)> RunAsync(string uri, params string[] words)
    {
        var info = new ProcessStartInfo(s_command, words) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = _folder.FullName };
        info.Environment["REDIS_URL"] = uri;
        using var process = Process.Start(info)!;
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var text = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, text + await error);
    }

    [Fact]
    public async Task A_run_that_the_configuration_file_puts_into_redis_is_resumed_listed_and_diagnosed_there()
    {
        var uri = redis.NewUri();
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "pawl.yaml"), "workflow: { checkpointing: { storage_type: redis, storage_path: { env: REDIS_URL } } }", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "workflow.yaml"), "name: two\nsteps:\n  - { id: a, run: echo a >> done.txt }\n  - { id: b, run: test -e go }\n", TestContext.Current.CancellationToken);
        Assert.Equal(1, (await RunAsync(uri, "run", "--run-id", "r")).Code);
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "go"), "", TestContext.Current.CancellationToken);
        var resumed = await RunAsync(uri, "resume", "r");
        Assert.True(resumed.Code == 0, resumed.Text);
        Assert.Equal(["a"], await File.ReadAllLinesAsync(Path.Combine(_folder.FullName, "done.txt"), TestContext.Current.CancellationToken));
        Assert.False(Directory.Exists(Path.Combine(_folder.FullName, ".checkpoints")));
        var listed = await RunAsync(uri, "list", "--json", "--store", uri);
        Assert.Contains("\"run_id\":\"r\"", listed.Text.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        var doctor = await RunAsync(uri, "doctor");
        Assert.Contains($"redis://{redis.Server.Address}/0", doctor.Text, StringComparison.Ordinal);
        Assert.Contains("survives a loss of power", doctor.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", doctor.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Doctor_names_what_a_server_may_lose_and_one_that_is_away()
    {
        await using var server = await RedisServer.StartAsync("appendfsync=everysec");
        var doctor = await RunAsync("", "doctor", "--store", server.Uri());
        Assert.Contains("appendfsync = everysec", doctor.Text, StringComparison.Ordinal);
        await server.KillAsync();
        var away = await RunAsync("", "doctor", "--store", server.Uri());
        Assert.True(away.Code == 1 && away.Text.Contains("cannot be reached", StringComparison.Ordinal), away.Text);
    }

    [Fact]
    public async Task The_laws_of_stores_are_checked_on_a_live_one()
    {
        var (code, text) = await RunAsync("", "store", "verify", redis.NewUri());
        Assert.True(code == 0, text);
        Assert.Contains("laws hold", text, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
