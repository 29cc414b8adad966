namespace Pawl.Tests.Cli;

/// <summary>Parts of a workflow: what a person left out stays out until a person says otherwise.</summary>
public sealed class PartLaws
{
    /// <summary>Four steps in a row that tell that they ran; <paramref name="broken"/> fails unless the file <c>ok</c> is there.</summary>
    static CommandLab Four(string broken = "-")
    {
        var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: four\nsteps:\n" + string.Concat("abcd".Select(id => $"  - {{ id: {id}, run: {(broken.Contains(id) ? "test -e ok && " : "")}echo {id} >> ran }}\n")));
        return lab;
    }

    static string Ran(CommandLab lab) => File.Exists(lab.Path_("ran")) ? string.Concat(File.ReadAllLines(lab.Path_("ran"))) : "";

    static string Decisions(Answer plan) => string.Join(' ', plan.Json.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString()));

    static async Task<Answer> Expect(int code, CommandLab lab, params string[] words)
    {
        var answer = await lab.RunAsync(words);
        Assert.True(answer.Code == code, answer.All);
        return answer;
    }

    [Fact]
    public async Task A_resume_does_not_run_what_the_run_was_to_begin_behind()
    {
        using var lab = Four(broken: "c");
        await Expect(1, lab, "run", "--run-id", "r1", "--from", "c");
        lab.Write("ok", "");
        Assert.Equal("left_out left_out run run", Decisions(await Expect(0, lab, "resume", "r1", "--plan", "--json")));
        var resumed = await Expect(0, lab, "resume", "r1");
        Assert.Contains("leaves out a, b", resumed.Out, StringComparison.Ordinal);
        Assert.Equal("cd", Ran(lab));
    }

    [Fact]
    public async Task A_resume_ends_where_the_run_was_to_end_and_the_next_one_does_the_rest()
    {
        using var lab = Four(broken: "bd");
        await Expect(1, lab, "run", "--run-id", "r1", "--until", "b");
        lab.Write("ok", "");
        var plan = await Expect(0, lab, "resume", "r1", "--plan", "--json");
        Assert.Equal("reuse run left_out left_out", Decisions(plan));
        Assert.Contains("up to 'b'", plan.Json.GetProperty("steps")[2].GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal("paused", (await Expect(0, lab, "resume", "r1", "--json")).Json.GetProperty("status").GetString());
        Assert.Equal("ab", Ran(lab));
        // The part is done: who resumes it now wants the rest, also when that fails once.
        File.Delete(lab.Path_("ok"));
        await Expect(1, lab, "resume", "r1");
        lab.Write("ok", "");
        await Expect(0, lab, "resume", "r1");
        Assert.Equal("abcd", Ran(lab));
    }

    [Fact]
    public async Task A_resume_can_be_given_another_part_which_then_holds()
    {
        using var lab = Four(broken: "c");
        await Expect(1, lab, "run", "--run-id", "r1");
        await Expect(1, lab, "resume", "r1", "--until", "c");
        lab.Write("ok", "");
        Assert.Equal("reuse reuse run left_out", Decisions(await Expect(0, lab, "resume", "r1", "--plan", "--json")));
        Assert.Contains("pawl resume r1 --only c", (await Expect(0, lab, "resume", "r1", "--plan", "--only", "c")).Out, StringComparison.Ordinal);
        Assert.Equal("reuse reuse run run", Decisions(await Expect(0, lab, "resume", "r1", "--plan", "--json", "--all")));
        await Expect(0, lab, "resume", "r1", "--all");
        Assert.Equal("abcd", Ran(lab));
    }

    [Fact]
    public async Task From_a_step_that_the_part_does_not_hold_everything_behind_it_runs()
    {
        using var lab = Four(broken: "b");
        await Expect(1, lab, "run", "--run-id", "r1", "--until", "b");
        Assert.Equal("reuse run left_out left_out", Decisions(await Expect(0, lab, "resume", "r1", "--plan", "--json", "--from", "b")));
        Assert.Equal("reuse skip skip run", Decisions(await Expect(0, lab, "resume", "r1", "--plan", "--json", "--from", "d")));
        foreach (var wrong in (string[][])[["--until", "x"], ["--all", "--until", "c"], ["--only", "c", "--until", "c"]]) await Expect(2, lab, ["resume", "r1", .. wrong]);
    }

    [Fact]
    public async Task A_part_with_both_ends_ends_as_one_with_an_end_alone()
    {
        using var lab = Four();
        var part = await Expect(0, lab, "run", "--run-id", "r1", "--from", "b", "--until", "c", "--json");
        Assert.Equal(("paused", "only a part was asked for; not yet run: d"), (part.Json.GetProperty("status").GetString(), part.Json.GetProperty("error").GetString()));
        Assert.Equal(50, (await Expect(0, lab, "status", "r1", "--json")).Json.GetProperty("percent").GetInt32());
        Assert.Equal("left_out reuse reuse run", Decisions(await Expect(0, lab, "resume", "r1", "--plan", "--json")));
        await Expect(0, lab, "resume", "r1");
        Assert.Equal("bcd", Ran(lab));
    }

    [Fact]
    public async Task A_part_whose_last_step_is_gone_is_refused_with_the_way_out()
    {
        using var lab = Four(broken: "b");
        await Expect(1, lab, "run", "--run-id", "r1", "--until", "c");
        lab.Write("workflow.yaml", File.ReadAllText(lab.Path_("workflow.yaml")).Replace("id: c", "id: cc", StringComparison.Ordinal));
        Assert.Contains("--all", (await Expect(3, lab, "resume", "r1")).Error, StringComparison.Ordinal);
        lab.Write("ok", "");
        await Expect(0, lab, "resume", "r1", "--until", "cc");
        Assert.Equal("abc", Ran(lab));
    }

    [Theory]
    [InlineData("--tag", "team=red")]
    [InlineData("--partition", "date=2026-01-10")]
    [InlineData("--durability", "async")]
    [InlineData("--replay-from", "r0")]
    [InlineData("--replay-only", "a")]
    [InlineData("--replay-strict")]
    public async Task Run_with_resume_refuses_by_name_what_a_run_that_exists_cannot_be_given(params string[] option)
    {
        using var lab = Four(broken: "b");
        await Expect(1, lab, "run", "--run-id", "r1");
        lab.Write("ok", "");
        Assert.Contains($"{option[0]} ", (await Expect(2, lab, ["run", "--resume", .. option])).Error, StringComparison.Ordinal);
        Assert.Equal("a", Ran(lab));
    }

    [Fact]
    public async Task Run_with_resume_keeps_to_the_part_that_it_is_given()
    {
        using var lab = Four(broken: "b");
        await Expect(1, lab, "run", "--run-id", "r1");
        lab.Write("ok", "");
        Assert.Equal("paused", (await Expect(0, lab, "run", "--resume", "--until", "b", "--json")).Json.GetProperty("status").GetString());
        await Expect(0, lab, "run", "--resume", "--only", "d");
        Assert.Equal("abd", Ran(lab));
    }
}
