using System.Text.Json;

namespace Pawl.Tests.Cli;

public sealed class ResumeLaws
{
    [Fact]
    public async Task A_resume_says_what_is_reused_and_runs_the_rest()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume", "--json");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal(runId, resumed.Json.GetProperty("run_id").GetString());
        Assert.Equal(["a"], Texts(resumed.Json, "restored"));
        Assert.Equal(["b", "c"], Texts(resumed.Json, "executed"));
        Assert.True(resumed.Json.GetProperty("saved").GetProperty("duration_ms").GetDouble() > 0);
        Assert.Contains("reused: a", resumed.Error, StringComparison.Ordinal);
        Assert.Contains("runs:   b, c", resumed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_names_the_very_resume_that_it_shows()
    {
        using var lab = new CommandLab();
        lab.Write("p.yaml", "name: p\nparams: { n: { type: integer, default: 1 }, key: { type: secret, env: PAWL_NO_SUCH_KEY, required: false } }\nsteps:\n  - { id: a, run: echo a }\n  - { id: b, run: exit 1 }\n");
        Assert.Equal(1, (await lab.RunAsync("run", "p.yaml", "--run-id", "r")).Code);
        var plan = await lab.RunAsync("resume", "r", "--plan", "--from", "a", "--param", "n=2", "--param", "key=hush", "--rerun-changed");
        Assert.Contains("pawl resume r --param n=2 --from a --rerun-changed", plan.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", plan.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_refuses_the_params_that_the_resume_would_refuse()
    {
        using var lab = new CommandLab();
        lab.Write("p.yaml", "name: p\nparams: { n: { type: integer, default: 1 } }\nsteps:\n  - { id: a, run: echo a }\n  - { id: b, run: exit 1 }\n");
        Assert.Equal(1, (await lab.RunAsync("run", "p.yaml", "--run-id", "r")).Code);
        foreach (var wrong in new[] { "n=abc", "m=1" })
        {
            var (plan, resume) = (await lab.RunAsync("resume", "r", "--plan", "--param", wrong), await lab.RunAsync("resume", "r", "--param", wrong));
            Assert.Equal((2, 2), (plan.Code, resume.Code));
            Assert.Equal(resume.Error, plan.Error);
        }
    }

    [Fact]
    public async Task A_rerun_of_a_file_that_is_another_workflow_now_is_refused()
    {
        using var lab = new CommandLab();
        lab.Write("w.yaml", "name: one\nsteps:\n  - { id: a, run: echo a }\n");
        Assert.Equal(0, (await lab.RunAsync("run", "w.yaml", "--run-id", "r")).Code);
        var again = await lab.RunAsync("rerun", "r", "--run-id", "r2", "--json");
        Assert.Equal(0, again.Code);
        Assert.Contains("\"rerun_of\":\"r\"", (await lab.RunAsync("status", "r2", "--json")).Out.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        lab.Write("w.yaml", "name: danger\nsteps:\n  - { id: a, run: echo danger }\n");
        var refused = await lab.RunAsync("rerun", "r");
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("is of workflow 'one'", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("danger_", refused.All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_shows_everything_and_changes_nothing()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var before = await File.ReadAllBytesAsync(Path.Combine(lab.Checkpoints, runId, "journal.jsonl"), TestContext.Current.CancellationToken);
        var plan = await lab.RunAsync("resume", runId, "--plan", "--json");
        Assert.Equal(0, plan.Code);
        Assert.Equal(["reuse", "run", "run"], plan.Json.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString()));
        Assert.False(plan.Json.GetProperty("refused").GetBoolean());
        Assert.Equal(before, await File.ReadAllBytesAsync(Path.Combine(lab.Checkpoints, runId, "journal.jsonl"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Versions_of_tools_are_kept_with_the_run_and_the_plan_shows_which_is_another_one_now()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", """
            name: built
            params: { token: { type: secret, env: TOOL_TOKEN, required: false } }
            tools: { compiler: cat compiler-version, missing: no-such-program-here, talker: cat talks }
            steps: [ { id: a, run: test -e ok } ]
            """);
        lab["TOOL_TOKEN"] = "s3cr3t-77";
        lab.Write("talks", "v s3cr3t-77\n");
        lab.Write("compiler-version", "cc 1.0\nCopyright\n");
        var runId = (await lab.RunAsync("run", "--json")).Json.GetProperty("run_id").GetString()!;
        Assert.DoesNotContain("changed:", (await lab.RunAsync("resume", runId, "--plan")).All, StringComparison.Ordinal);
        lab.Write("compiler-version", "cc 2.0\n");
        var plan = await lab.RunAsync("resume", runId, "--plan", "--json");
        var change = Assert.Single(plan.Json.GetProperty("surroundings").EnumerateArray());
        Assert.Equal(("tool_compiler", "cc 1.0", "cc 2.0"), (change.GetProperty("fact").GetString(), change.GetProperty("before").GetString(), change.GetProperty("now").GetString()));
        var refused = await lab.RunAsync("resume", runId, "--env-guard", "refuse", "--json");
        Assert.Equal((3, "environment_differs"), (refused.Code, refused.Json.GetProperty("reason").GetString()));
        Assert.Contains("tool compiler was 'cc 1.0' when the run began and is 'cc 2.0' now", refused.Error, StringComparison.Ordinal);
        var stored = await File.ReadAllTextAsync(Path.Combine(lab.Checkpoints, runId, "journal.jsonl"), TestContext.Current.CancellationToken);
        Assert.Contains("\"tool_talker\":\"v ***\"", stored, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cr3t-77", stored, StringComparison.Ordinal);
        Assert.Contains("\"tool_missing\":\"not there (exit code 127)\"", stored, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_completed_run_is_refused_with_the_way_out()
    {
        using var lab = new CommandLab();
        var runId = await lab.CompletedRunAsync();
        var refused = await lab.RunAsync("resume", runId, "--json");
        Assert.Equal((3, "completed"), (refused.Code, refused.Json.GetProperty("reason").GetString()));
        Assert.Contains($"pawl rerun {runId}", refused.Error, StringComparison.Ordinal);
        var plan = await lab.RunAsync("resume", runId, "--plan", "--json");
        Assert.Equal(3, plan.Code);
        Assert.Equal("completed", plan.Json.GetProperty("refusals")[0].GetProperty("reason").GetString());
    }

    [Fact]
    public async Task Nothing_to_resume_is_a_refusal()
    {
        using var lab = new CommandLab().WithThreeSteps();
        Assert.Equal(3, (await lab.RunAsync("resume")).Code);
    }

    [Fact]
    public async Task The_mended_file_is_used_not_the_stored_text()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var file = lab.Path_("workflow.yaml");
        lab.Write("workflow.yaml", (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Replace("test -f ok", "echo mended", StringComparison.Ordinal));
        var resumed = await lab.RunAsync("resume", runId, "-v");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Contains("b | mended", resumed.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_the_file_is_gone_the_stored_text_is_used()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        File.Delete(lab.Path_("workflow.yaml"));
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume", runId);
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Contains("is gone", resumed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_renamed_step_refuses_and_a_map_from_old_to_new_repairs()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        var text = await File.ReadAllTextAsync(lab.Path_("workflow.yaml"), TestContext.Current.CancellationToken);
        lab.Write("workflow.yaml", text.Replace("id: a", "id: first", StringComparison.Ordinal).Replace("needs: a", "needs: first", StringComparison.Ordinal).Replace("steps.a.", "steps.first.", StringComparison.Ordinal));
        var refused = await lab.RunAsync("resume", runId);
        Assert.Equal(3, refused.Code);
        Assert.Contains("--map a=", refused.Error, StringComparison.Ordinal);
        var resumed = await lab.RunAsync("resume", runId, "--map", "a=first", "--json");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal(["first"], Texts(resumed.Json, "restored"));
    }

    [Fact]
    public async Task From_a_step_on_everything_runs_again()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume", runId, "--from", "a", "--json");
        Assert.Equal(["a", "b", "c"], Texts(resumed.Json, "executed"));
        Assert.Equal(2, (await lab.RunAsync("resume", await Failed(lab), "--from", "nowhere")).Code);

        static async Task<string> Failed(CommandLab lab)
        {
            File.Delete(lab.Path_("ok"));
            return await lab.FailedRunAsync();
        }
    }

    [Fact]
    public async Task A_param_is_overridden_and_kept()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        await lab.RunAsync("resume", runId, "-p", "who=later");
        Assert.Equal("later", (await lab.RunAsync("show", runId, "--snapshot", "--json")).Json.GetProperty("params").GetProperty("who").GetString());
    }

    [Fact]
    public async Task Another_project_folder_is_refused_unless_forced()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        using var elsewhere = new CommandLab();
        elsewhere.Write("ok", "");
        var refused = await elsewhere.RunAsync("resume", runId, "--store", $"file:{lab.Checkpoints}", "--json");
        Assert.Equal((3, "project_differs"), (refused.Code, refused.Json.GetProperty("reason").GetString()));
        Assert.Equal(0, (await elsewhere.RunAsync("resume", runId, "--store", $"file:{lab.Checkpoints}", "--force")).Code);
    }

    [Fact]
    public async Task Another_branch_is_told_refused_or_ignored_as_asked()
    {
        using var lab = new CommandLab();
        lab.Write(".git/HEAD", "ref: refs/heads/one\n");
        var runId = await lab.FailedRunAsync();
        lab.Write(".git/HEAD", "ref: refs/heads/two\n");
        Assert.Equal(3, (await lab.RunAsync("resume", runId, "--env-guard", "refuse")).Code);
        Assert.Contains("git branch was 'one'", (await lab.RunAsync("resume", runId)).Error, StringComparison.Ordinal);
        Assert.DoesNotContain("git branch", (await lab.RunAsync("resume", runId, "--env-guard", "ignore")).All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_the_newest_checkpoint_can_be_resumed()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var refused = await lab.RunAsync("resume", $"{runId}@2");
        Assert.Equal(3, refused.Code);
        Assert.Contains("only the newest", refused.Error, StringComparison.Ordinal);
        var newest = (await lab.RunAsync("status", runId, "--json")).Json.GetProperty("seq").GetInt64();
        lab.Write("ok", "");
        Assert.Equal(0, (await lab.RunAsync("resume", $"{runId}@{newest}")).Code);
        Assert.Equal(2, (await lab.RunAsync("resume", $"{runId}@x")).Code);
    }

    [Fact]
    public async Task A_person_is_offered_a_list()
    {
        using var lab = new CommandLab();
        var older = await lab.FailedRunAsync();
        await lab.RunAsync("run", "--run-id", "newer");
        lab.Write("ok", "");
        lab.CanAsk = true;
        lab.In = new StringReader("2\n");
        var resumed = await lab.RunAsync("resume");
        Assert.Equal(0, resumed.Code);
        Assert.Contains("Which one?", resumed.Out, StringComparison.Ordinal);
        Assert.Equal("completed", (await lab.RunAsync("status", older, "--json")).Json.GetProperty("status").GetString());
        Assert.Equal("failed", (await lab.RunAsync("status", "newer", "--json")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task With_auto_nobody_is_asked_and_the_newest_goes_on()
    {
        using var lab = new CommandLab();
        await lab.FailedRunAsync();
        await lab.RunAsync("run", "--run-id", "newer");
        lab.Write("ok", "");
        lab.CanAsk = true;
        var resumed = await lab.RunAsync("resume", "--auto");
        Assert.DoesNotContain("Which one?", resumed.Out, StringComparison.Ordinal);
        Assert.Equal("completed", (await lab.RunAsync("status", "newer", "--json")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Run_with_resume_goes_on_or_starts()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        Assert.Equal(runId, (await lab.RunAsync("run", "--resume", "--json")).Json.GetProperty("run_id").GetString());
        var fresh = await lab.RunAsync("run", "--resume", "--json");
        Assert.Equal(0, fresh.Code);
        Assert.NotEqual(runId, fresh.Json.GetProperty("run_id").GetString());
    }

    [Fact]
    public async Task A_rerun_is_a_new_run_with_the_old_params()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "r1", "-p", "who=you", "-p", "count=3");
        var rerun = await lab.RunAsync("rerun", "r1", "--run-id", "r2", "-p", "count=4");
        Assert.True(rerun.Code == 0, rerun.All);
        var values = (await lab.RunAsync("show", "r2", "--snapshot", "--json")).Json.GetProperty("params");
        Assert.Equal(("you", "4"), (values.GetProperty("who").GetString(), values.GetProperty("count").ToString()));
        Assert.Equal(2, (await lab.RunAsync("rerun", "no-such-run")).Code);
    }

    [Fact]
    public async Task A_canceled_run_needs_force()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        Assert.Equal(0, (await lab.RunAsync("cancel", runId)).Code);
        lab.Write("ok", "");
        Assert.Equal(3, (await lab.RunAsync("resume", runId)).Code);
        Assert.Equal(0, (await lab.RunAsync("resume", runId, "--force")).Code);
        Assert.Equal(3, (await lab.RunAsync("cancel", runId)).Code);
    }

    static List<string?> Texts(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(text => text.GetString())];

    static string Reading(string output, string first = "run: 'echo \"x=1\" >> \"$PAWL_OUTPUT\"'") =>
        "name: w\nsteps:\n  - { id: a, " + first + " }\n  - { id: b, run: 'test -f ok' }\n  - { id: c, group: [{ id: d, run: 'echo \"${{ steps.a.outputs." + output + " }}\"' }] }\n";

    [Fact]
    public async Task An_output_that_is_used_under_another_name_is_refused_by_name()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", Reading("x"));
        Assert.Equal(1, (await lab.RunAsync("run", "--run-id", "r")).Code);
        lab.Write("ok", "");
        lab.Write("workflow.yaml", Reading("y"));
        foreach (var args in (string[][])[["resume", "r", "--plan"], ["resume", "r"]])
        {
            var refused = await lab.RunAsync(args);
            Assert.True(refused.Code == 3, refused.All);
            Assert.Contains("Step 'c' uses the output 'y' of 'a', which finished without it (checkpoint 3); it has: x.", refused.All, StringComparison.Ordinal);
        }
        // The step that has it runs again, or the name is brought back.
        Assert.DoesNotContain("uses the output", (await lab.RunAsync("resume", "r", "--plan", "--from", "a")).All, StringComparison.Ordinal);
        lab.Write("workflow.yaml", Reading("x").Replace("echo", "echo  ", StringComparison.Ordinal));
        Assert.Equal(0, (await lab.RunAsync("resume", "r")).Code);
    }

    [Fact]
    public async Task A_step_that_is_left_as_it_was_may_use_what_is_not_there()
    {
        using var lab = new CommandLab();
        var text = Reading("y").Replace("{ id: c,", "{ id: c, if: \"${{ steps.a.outputs.x == 2 }}\",", StringComparison.Ordinal);
        lab.Write("workflow.yaml", text);
        Assert.Equal(1, (await lab.RunAsync("run", "--run-id", "r")).Code);
        lab.Write("ok", "");
        Assert.Equal(0, (await lab.RunAsync("resume", "r")).Code);
    }

    [Fact]
    public async Task A_finished_step_that_is_of_another_kind_now_is_refused_by_name()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", Reading("x").Replace("steps.a.outputs.x", "run.id", StringComparison.Ordinal));
        Assert.Equal(1, (await lab.RunAsync("run", "--run-id", "r")).Code);
        lab.Write("ok", "");
        lab.Write("workflow.yaml", Reading("x", "sleep: 10ms").Replace("steps.a.outputs.x", "run.id", StringComparison.Ordinal));
        foreach (var args in (string[][])[["resume", "r", "--plan"], ["resume", "r"]])
        {
            var refused = await lab.RunAsync(args);
            Assert.True(refused.Code == 3, refused.All);
            Assert.Contains("Step 'a' is finished in this run (checkpoint 3) as 'shell', and is 'sleep' now.", refused.All, StringComparison.Ordinal);
        }
        var again = await lab.RunAsync("resume", "r", "--rerun-changed");
        Assert.True(again.Code == 0, again.All);
    }
}
