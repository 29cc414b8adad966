namespace Pawl.Tests.Cli;

/// <summary>What verify finds, what repair mends, and what a run does meanwhile.</summary>
public sealed class DamageLaws
{
    static readonly CancellationToken s_token = TestContext.Current.CancellationToken;

    static async Task FlipAsync(string path, string before, string after) =>
        await File.WriteAllTextAsync(path, (await File.ReadAllTextAsync(path, s_token)).Replace(before, after, StringComparison.Ordinal), s_token);

    [Fact]
    public async Task A_damaged_message_makes_nobody_deaf_and_is_found_and_set_aside()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: w\nsteps:\n  - { id: long, run: 'for i in $(seq 150); do sleep 0.02; done' }\n  - { id: behind, run: echo behind }\n");
        var run = lab.RunAsync("run", "--run-id", "r1");
        while ((await lab.RunAsync("signal", "r1", "hello", "1")).Code != 0) await Task.Yield();
        await FlipAsync(Path.Combine(lab.Checkpoints, "r1", "inbox", "00000001.hello.json"), "hello", "hullo");
        var canceled = await lab.RunAsync("cancel", "r1");
        Assert.True(canceled.Code == 0, canceled.All);
        Assert.Contains("was canceled", (await run).Out, StringComparison.Ordinal);
        Assert.Single((await run).All.Split('\n'), line => line.Contains("00000001.hello.json", StringComparison.Ordinal));

        var found = await lab.RunAsync("verify", "r1");
        Assert.Equal(1, found.Code);
        Assert.Contains("message file '00000001.hello.json' is damaged", found.Out, StringComparison.Ordinal);
        var mended = await lab.RunAsync("repair", "r1");
        Assert.True(mended.Code == 0, mended.All);
        Assert.Contains("00000001.hello.json", mended.Out, StringComparison.Ordinal);
        Assert.Equal(0, (await lab.RunAsync("verify", "r1")).Code);
        Assert.Contains("was sent", (await lab.RunAsync("signal", "r1", "hello", "1")).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_log_that_is_gone_or_changed_is_found(bool gone)
    {
        using var lab = new CommandLab();
        var runId = await lab.CompletedRunAsync();
        Assert.Equal(0, (await lab.RunAsync("verify", runId)).Code);
        var payload = Directory.GetFiles(Path.Combine(lab.Checkpoints, runId, "payloads")).First(file => File.ReadAllText(file).Contains("hello", StringComparison.Ordinal));
        if (gone) File.Delete(payload);
        else await FlipAsync(payload, "hello", "hullo");
        var found = await lab.RunAsync("verify", runId);
        Assert.Equal(1, found.Code);
        Assert.Contains("line 3", found.Out, StringComparison.Ordinal);
        Assert.Contains(Path.GetFileName(payload), found.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_whose_journal_is_gone_is_found_and_listed_under_its_own_date()
    {
        using var lab = new CommandLab();
        var runId = await lab.CompletedRunAsync();
        File.Delete(Path.Combine(lab.Checkpoints, runId, "journal.jsonl"));
        // What a crash leaves of a creation is no run.
        Directory.CreateDirectory(Path.Combine(lab.Checkpoints, "begun"));
        foreach (var args in (string[][])[["verify"], ["verify", runId]])
        {
            var found = await lab.RunAsync(args);
            Assert.Equal(1, found.Code);
            Assert.Contains("its journal is gone", found.Out, StringComparison.Ordinal);
        }
        var head = Assert.Single((await lab.RunAsync("list", "--json")).Json.GetProperty("runs").EnumerateArray().ToList());
        Assert.Equal((runId, "failed"), (head.GetProperty("run_id").GetString(), head.GetProperty("status").GetString()));
        Assert.Equal(DateTime.UtcNow, head.GetProperty("created_at").GetDateTime(), TimeSpan.FromMinutes(5));
        Assert.Equal(DateTime.UtcNow, head.GetProperty("updated_at").GetDateTime(), TimeSpan.FromMinutes(5));
        var repaired = await lab.RunAsync("repair", runId);
        Assert.Equal(1, repaired.Code);
        Assert.Contains("nothing can be saved", repaired.Out, StringComparison.Ordinal);
        Assert.Equal(0, (await lab.RunAsync("delete", runId, "--yes")).Code);
        Assert.Empty((await lab.RunAsync("list", "--json")).Json.GetProperty("runs").EnumerateArray());
    }
}
