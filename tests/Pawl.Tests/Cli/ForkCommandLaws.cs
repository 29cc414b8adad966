namespace Pawl.Tests.Cli;

/// <summary>Forks as commands.</summary>
public sealed class ForkCommandLaws
{
    static CommandLab Prices()
    {
        var lab = new CommandLab();
        lab.Write("workflow.yaml", """
            name: prices
            params: { region: eu }
            steps:
              - id: load
                run: echo load >> ran; echo rows=10 >> "$PAWL_OUTPUT"
              - id: check
                run: echo check >> ran; test ${{ steps.load.outputs.rows }} -lt 100 || { echo timeout >&2; exit 1; }
              - id: save
                run: echo save >> ran; echo "saved ${{ steps.load.outputs.rows }} ${{ params.region }}" > saved
            """);
        return lab;
    }

    [Fact]
    public async Task A_fork_runs_from_the_step_on_with_what_was_set_there()
    {
        using var lab = Prices();
        Assert.Equal(0, (await lab.RunAsync("run", "--run-id", "r1")).Code);
        File.Delete(lab.Path_("ran"));
        var fork = await lab.RunAsync("fork", "r1", "--at", "check", "--set", "outputs.load.rows=20", "--param", "region=us", "--run-id", "f1", "--json");
        Assert.True(fork.Code == 0, fork.All);
        Assert.Equal(("f1", "completed"), (fork.Json.GetProperty("run_id").GetString(), fork.Json.GetProperty("status").GetString()));
        Assert.Equal("check\nsave\n", File.ReadAllText(lab.Path_("ran")));
        Assert.Equal("saved 20 us\n", File.ReadAllText(lab.Path_("saved")));
        Assert.Contains("f1 is a fork of r1@3", fork.Error, StringComparison.Ordinal);
        Assert.Contains("its output was set by the fork", (await lab.RunAsync("diff", "r1", "f1")).Out, StringComparison.Ordinal);
        Assert.DoesNotContain("saves )", fork.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_that_a_fork_is_given_reaches_its_steps_and_no_file()
    {
        const string secret = "hunter2-not-for-disks";
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", """
            name: push
            params: { region: eu, token: { type: secret, required: false } }
            steps:
              - { id: build, run: echo built }
              - id: push
                env: { TOKEN: "${{ params.token }}" }
                run: printf '%s' "$TOKEN" | wc -c > pushed
            """);
        Assert.Equal(0, (await lab.RunAsync("run", "--run-id", "r1")).Code);
        lab.Write("params.json", $$"""{ "token": "{{secret}}" }""");
        var fork = await lab.RunAsync("fork", "r1", "--at", "push", "--param", $"token={secret}", "--param", "region=us", "--run-id", "f1");
        Assert.True(fork.Code == 0, fork.All);
        Assert.Equal($"{secret.Length}", File.ReadAllText(lab.Path_("pushed")).Trim());
        var held = await lab.RunAsync("fork", "r1", "--params-file", "params.json", "--set", "outputs.build={}", "--run-id", "f2", "--hold");
        Assert.True(held.Code == 0, held.All);
        File.Delete(lab.Path_("params.json"));
        Assert.DoesNotContain(Directory.EnumerateFiles(lab.Folder, "*", SearchOption.AllDirectories), path => File.ReadAllText(path).Contains(secret, StringComparison.Ordinal));
        Assert.Contains("'token' is a secret", held.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_of_a_fork_shows_what_it_reuses_and_makes_nothing()
    {
        using var lab = Prices();
        await lab.RunAsync("run", "--run-id", "r1");
        var plan = await lab.RunAsync("fork", "r1", "--at", "save", "--plan", "--json");
        Assert.True(plan.Code == 0, plan.All);
        Assert.Equal(["reuse", "reuse", "run"], plan.Json.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString()));
        Assert.Equal(1, (await lab.RunAsync("list", "--json")).Json.GetProperty("runs").GetArrayLength());
    }

    [Fact]
    public async Task A_fork_that_is_held_waits_for_its_resume_and_stands_below_its_parent()
    {
        using var lab = Prices();
        await lab.RunAsync("run", "--run-id", "r1");
        var held = await lab.RunAsync("fork", "r1", "--at", "2", "--hold", "--run-id", "f1");
        Assert.True(held.Code == 0, held.All);
        Assert.Contains("pawl resume f1", held.Out, StringComparison.Ordinal);
        await lab.RunAsync("fork", "f1", "--hold", "--run-id", "f2");
        var tree = await lab.RunAsync("list", "--tree");
        Assert.Contains("└ f1", tree.Out, StringComparison.Ordinal);
        Assert.Contains("  └ f2", tree.Out, StringComparison.Ordinal);
        Assert.Equal(0, (await lab.RunAsync("resume", "f2")).Code);
    }

    [Fact]
    public async Task Every_run_that_failed_so_is_forked_where_it_failed()
    {
        using var lab = Prices();
        var sane = File.ReadAllText(lab.Path_("workflow.yaml"));
        lab.Write("workflow.yaml", sane.Replace("rows=10", "rows=500", StringComparison.Ordinal));
        for (var i = 1; i <= 2; i++) Assert.Equal(1, (await lab.RunAsync("run", "--run-id", $"r{i}")).Code);
        lab.Write("workflow.yaml", sane);
        Assert.Equal(0, (await lab.RunAsync("run", "--run-id", "r3")).Code);
        var plan = await lab.RunAsync("fork", "--where", "status=failed and error~exit", "--at", "failed", "--plan");
        Assert.True(plan.Code == 0, plan.All);
        Assert.Contains("A fork of r1", plan.Out, StringComparison.Ordinal);
        Assert.Contains("A fork of r2", plan.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("r3", plan.Out, StringComparison.Ordinal);
        var forks = await lab.RunAsync("fork", "--where", "status=failed", "--at", "failed", "--set", "outputs.load={\"rows\":7}");
        Assert.True(forks.Code == 0, forks.All);
        Assert.Equal(2, (await lab.RunAsync("list", "--where", "forked_at!=x and status=completed", "--json")).Json.GetProperty("runs").EnumerateArray().Count(run => run.GetProperty("tags").TryGetProperty("forked_from", out _)));
        Assert.Equal(2, (await lab.RunAsync("list", "--status", "failed", "--json")).Json.GetProperty("runs").GetArrayLength());
    }

    [Fact]
    public async Task Forks_of_many_runs_are_one_json_document()
    {
        using var lab = Prices();
        foreach (var id in (string[])["r1", "r2"]) await lab.RunAsync("run", "--run-id", id);
        Assert.Equal(0, (await lab.RunAsync("fork", "--where", "status=failed", "--json")).Json.GetProperty("forks").GetArrayLength());
        var forks = await lab.RunAsync("fork", "--where", "status=completed", "--at", "save", "--json");
        Assert.True(forks.Code == 0, forks.All);
        Assert.Equal(["completed", "completed"], forks.Json.GetProperty("forks").EnumerateArray().Select(fork => fork.GetProperty("status").GetString()));
        var some = await lab.RunAsync("fork", "--where", "run=r2", "--at", "failed", "--json");
        Assert.Equal((3, "r2"), (some.Code, some.Json.GetProperty("forks")[0].GetProperty("run_id").GetString()));
        Assert.Equal("usage", some.Json.GetProperty("forks")[0].GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("fork r1 --set outputs.lod.rows=1", "Did you mean 'load'?")]
    [InlineData("fork r1 --set outputs.sav=1 --plan", "Did you mean 'save'?")]
    [InlineData("fork r1 --at check --set outputs.save=1 --plan", "'save' has not ended")]
    [InlineData("fork r1 --at chek", "Did you mean 'check'?")]
    [InlineData("fork r1 --at 99", "checkpoints 1 to")]
    [InlineData("fork r1 --at failed", "has not failed")]
    [InlineData("fork r1 --set load=1", "write outputs.STEP=JSON")]
    [InlineData("fork r1 --set outputs.load=x", "is not JSON")]
    [InlineData("fork r1 --set outputs.load.rows.deep=1", "has no object there")]
    [InlineData("fork r1 --where status=failed", "not both")]
    [InlineData("fork --where status", "write NAME=VALUE")]
    [InlineData("fork --where status=fialed", "failed")]
    [InlineData("fork", "Name the run")]
    public async Task What_cannot_be_done_is_said_with_the_way_out(string line, string says)
    {
        using var lab = Prices();
        await lab.RunAsync("run", "--run-id", "r1");
        var refused = await lab.RunAsync(line.Split(' '));
        Assert.True(refused.Code == 2, refused.All);
        Assert.Contains(says, refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_is_played_from_a_recorded_one()
    {
        using var lab = Prices();
        await lab.RunAsync("run", "--run-id", "r1");
        File.Delete(lab.Path_("ran"));
        var played = await lab.RunAsync("run", "--replay-from", "r1", "--replay-strict", "--run-id", "r2", "--json");
        Assert.True(played.Code == 0, played.All);
        Assert.False(File.Exists(lab.Path_("ran")));
        played = await lab.RunAsync("run", "--replay-from", "r1", "--replay-only", "load,check", "--run-id", "r3");
        Assert.True(played.Code == 0, played.All);
        Assert.Equal("save\n", File.ReadAllText(lab.Path_("ran")));
    }

    [Fact]
    public async Task A_run_of_an_earlier_version_goes_on_under_the_present_one()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", """
            name: w
            steps:
              - { id: collect, run: echo collect >> ran; echo lines=7 >> "$PAWL_OUTPUT" }
              - { id: save, run: exit 1 }
            """);
        Assert.Equal(1, (await lab.RunAsync("run", "--run-id", "r1")).Code);
        var later = """
            name: w
            version: 2
            migrations:
              - from: FROM
                rename: { collect: count }
                outputs: { count: { numbers: { from: lines }, unit: rows } }
            steps:
              - { id: count, run: echo count >> ran }
              - id: save
                run: echo "${{ steps.count.outputs.numbers }} ${{ steps.count.outputs.unit }}" > saved
            """;
        lab.Write("workflow.yaml", later.Replace("FROM", "3", StringComparison.Ordinal));
        var wrong = await lab.RunAsync("validate", "workflow.yaml");
        Assert.Contains("must lead forward", wrong.All, StringComparison.Ordinal);
        lab.Write("workflow.yaml", later.Replace("FROM", "1", StringComparison.Ordinal));
        var plan = await lab.RunAsync("resume", "r1", "--plan");
        Assert.Contains("migrated from version 1 to 2", plan.Out, StringComparison.Ordinal);
        Assert.Contains("+version: 2", plan.Out, StringComparison.Ordinal);
        var resumed = await lab.RunAsync("resume", "r1");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal(("7 rows\n", "collect\n"), (File.ReadAllText(lab.Path_("saved")), File.ReadAllText(lab.Path_("ran"))));
    }

    [Fact]
    public async Task What_a_run_asks_is_asked_at_the_terminal_and_it_goes_on_with_the_answer()
    {
        using var lab = new CommandLab { CanAsk = true, In = new StringReader("a fine with me\n") };
        lab.Write("workflow.yaml", """
            name: w
            steps:
              - id: gate
                approval: Publish?
              - id: publish
                run: echo "${{ steps.gate.outputs.reason }}" > published
            """);
        var run = await lab.RunAsync("run", "--run-id", "r1");
        Assert.True(run.Code == 0, run.All);
        Assert.Equal("fine with me\n", File.ReadAllText(lab.Path_("published")));
    }
}
