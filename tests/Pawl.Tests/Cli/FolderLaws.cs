namespace Pawl.Tests.Cli;

/// <summary>Where the steps of a run execute: in the folder that it was started in, wherever the command that goes on with it is called.</summary>
public sealed class FolderLaws
{
    /// <summary>A project with a folder below it, and a run that failed in it because the file <c>ok</c> was not there.</summary>
    static async Task<CommandLab> FailedAsync(string start = "")
    {
        var lab = new CommandLab();
        lab.Write(".git/HEAD", "ref: refs/heads/one\n");
        lab.Write("workflow.yaml", "name: w\ntools: { maker: pwd }\nsteps:\n  - { id: a, run: echo a >> ran }\n  - { id: b, run: test -e ok && echo b >> ran }\n");
        Directory.CreateDirectory(lab.Path_("sub"));
        lab["PAWL_STORE"] = $"file:{lab.Checkpoints}";
        lab.Here = lab.Path_(start);
        Assert.Equal(1, (await lab.RunAsync("run", lab.Path_("workflow.yaml"), "--run-id", "r1")).Code);
        lab.Write(Path.Combine(start, "ok"), "");
        return lab;
    }

    static string Ran(CommandLab lab, string folder = "") => File.ReadAllText(Path.Combine(lab.Path_(folder), "ran"));

    [Theory]
    [InlineData("resume", "r1")]
    [InlineData("run", "../workflow.yaml", "--resume")]
    public async Task A_resume_runs_in_the_folder_that_the_run_was_started_in(params string[] words)
    {
        using var lab = await FailedAsync();
        lab.Here = lab.Path_("sub");
        var resumed = await lab.RunAsync(words);
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal("a\nb\n", Ran(lab));
        Assert.Empty(Directory.GetFiles(lab.Path_("sub")));
    }

    [Fact]
    public async Task What_is_told_of_the_surroundings_is_asked_there_too()
    {
        using var lab = await FailedAsync();
        lab.Here = lab.Path_("sub");
        var plan = await lab.RunAsync("resume", "r1", "--plan", "--json");
        Assert.True(plan.Code == 0, plan.All);
        Assert.Empty(plan.Json.GetProperty("surroundings").EnumerateArray());
    }

    [Theory]
    [InlineData("rerun", "r1")]
    [InlineData("fork", "r1", "--at", "a")]
    public async Task A_rerun_and_a_fork_run_where_their_run_did(params string[] words)
    {
        using var lab = await FailedAsync();
        lab.Here = lab.Path_("sub");
        var made = await lab.RunAsync([.. words, "--run-id", "r2"]);
        Assert.True(made.Code == 0, made.All);
        Assert.Equal("a\na\nb\n", Ran(lab));
        Assert.Empty(Directory.GetFiles(lab.Path_("sub")));
    }

    [Fact]
    public async Task A_rerun_from_another_project_runs_where_its_run_did_and_says_so_of_its_project()
    {
        using var lab = await FailedAsync();
        using var elsewhere = new CommandLab();
        elsewhere["PAWL_STORE"] = $"file:{lab.Checkpoints}";
        var again = await elsewhere.RunAsync("rerun", "r1", "--run-id", "r2");
        Assert.True(again.Code == 0, again.All);
        Assert.Equal("a\na\nb\n", Ran(lab));
        Assert.Equal(lab.Folder, (await lab.RunAsync("show", "r2", "1", "--json")).Json.GetProperty("checkpoint").GetProperty("data").GetProperty("project_path").GetString());
    }

    [Fact]
    public async Task A_folder_that_is_gone_is_told_and_the_next_resume_knows_the_new_one()
    {
        using var lab = await FailedAsync("sub");
        Directory.Delete(lab.Path_("sub"), recursive: true);
        lab.Here = null;
        var failed = await lab.RunAsync("resume", "r1");
        Assert.True(failed.Code == 1, failed.All);
        Assert.Contains($"'{lab.Path_("sub")}', which is not here", failed.Error, StringComparison.Ordinal);
        lab.Write("ok", "");
        lab.Here = Directory.CreateDirectory(lab.Path_("other")).FullName;
        var resumed = await lab.RunAsync("resume", "r1");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.DoesNotContain("which is not here", resumed.Error, StringComparison.Ordinal);
        Assert.Equal("b\n", Ran(lab));
    }
}
