using System.Text.Json;

namespace Pawl.Tests.Cli;

public sealed class RunLaws
{
    [Fact]
    public async Task A_first_workflow_is_written_and_runs()
    {
        using var lab = new CommandLab();
        Assert.Equal(0, (await lab.RunAsync("init", "hello")).Code);
        Assert.Equal(0, (await lab.RunAsync("validate", "--strict")).Code);
        var run = await lab.RunAsync("run", "-p", "name=you", "-v");
        Assert.True(run.Code == 0, run.All);
        Assert.Contains("Hello, you", run.Out, StringComparison.Ordinal);
        Assert.Contains("completed", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_there_is_not_overwritten()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "mine");
        var refused = await lab.RunAsync("init");
        Assert.Equal(3, refused.Code);
        Assert.Equal("mine", await File.ReadAllTextAsync(lab.Path_("workflow.yaml"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_result_is_one_json_object_and_people_read_stderr()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        var run = await lab.RunAsync("run", "--json", "--run-id", "r1");
        var json = run.Json;
        Assert.Equal(0, run.Code);
        Assert.Single(run.Out.TrimEnd('\n').Split('\n'));
        Assert.Equal(("r1", "three", "completed", "file:.checkpoints"), (Text(json, "run_id"), Text(json, "workflow"), Text(json, "status"), Text(json, "store")));
        Assert.Equal(["a", "b", "c"], json.GetProperty("steps").EnumerateArray().Select(step => Text(step, "step")));
        var first = json.GetProperty("steps")[0];
        Assert.Equal(("completed", 1, false), (Text(first, "status"), first.GetProperty("attempt").GetInt32(), first.GetProperty("restored").GetBoolean()));
        Assert.True(first.GetProperty("duration_ms").GetDouble() > 0);
        Assert.Equal(["a", "b", "c"], json.GetProperty("executed").EnumerateArray().Select(step => step.GetString()));
        Assert.Equal(JsonValueKind.Null, json.GetProperty("error_step").ValueKind);
        foreach (var name in (string[])["duration_ms", "tokens", "cost_usd"]) Assert.Equal(0, json.GetProperty("saved").GetProperty(name).GetDouble());
        Assert.Contains("completed", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_stream_gives_one_line_for_each_event_and_the_result_last()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        var run = await lab.RunAsync("run", "--json=stream");
        var lines = run.Out.TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToList();
        var events = lines.SkipLast(1).Select(line => Text(line, "event")).ToList();
        Assert.Equal("started", events[0]);
        Assert.Equal("ended", events[^1]);
        Assert.Equal(3, events.Count(name => name == "step_ended"));
        Assert.Contains(lines, line => line.TryGetProperty("line", out var output) && output.GetString() == "hello world");
        Assert.Equal("completed", Text(lines[^1], "status"));
    }

    [Fact]
    public async Task A_failure_is_exit_1_with_the_tail_and_the_way_on()
    {
        using var lab = new CommandLab().WithThreeSteps();
        var run = await lab.RunAsync("run", "--run-id", "r1");
        Assert.Equal(1, run.Code);
        Assert.Contains("b | b looks", run.Out, StringComparison.Ordinal);
        Assert.Contains("failed at 'b'", run.Out, StringComparison.Ordinal);
        Assert.Contains("pawl resume r1", run.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("a | hello", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_way_on_names_the_store_and_is_quoted()
    {
        using var lab = new CommandLab().WithThreeSteps();
        var run = await lab.RunAsync("run", "--run-id", "r1", "--store", "file:my store");
        Assert.Contains("pawl resume r1 --store 'file:my store'", run.Out, StringComparison.Ordinal);
        Assert.True(Directory.Exists(lab.Path_("my store/r1")));
    }

    [Fact]
    public async Task No_escape_codes_where_no_terminal_is()
    {
        using var lab = new CommandLab().WithThreeSteps();
        Assert.DoesNotContain("\e", (await lab.RunAsync("run")).All, StringComparison.Ordinal);
        Assert.DoesNotContain("\e", (await lab.RunAsync("list")).All, StringComparison.Ordinal);
        Assert.DoesNotContain("\e", (await lab.RunAsync("graph", "--critical-path")).All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_writes_nothing_not_even_the_stores_folder()
    {
        using var lab = new CommandLab().WithThreeSteps();
        var dry = await lab.RunAsync("run", "--dry-run", "--json", "--until", "b");
        Assert.Equal(0, dry.Code);
        Assert.Equal(["a", "b"], dry.Json.GetProperty("steps").EnumerateArray().Where(step => step.GetProperty("selected").GetBoolean()).Select(step => Text(step, "step")));
        Assert.Equal(["workflow.yaml"], Directory.GetFileSystemEntries(lab.Folder).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_dry_run_shows_waves_and_conditions()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: w\nparams: { deep: { type: boolean, default: false } }\nsteps:\n  - id: a\n    run: x\n  - id: b\n    needs: a\n    if: ${{ params.deep }}\n    run: x\n  - id: c\n    needs: a\n    run: x\n");
        var steps = (await lab.RunAsync("run", "--dry-run", "--json")).Json.GetProperty("steps");
        Assert.Equal([1, 2, 2], steps.EnumerateArray().Select(step => step.GetProperty("wave").GetInt32()));
        Assert.Equal("params.deep", Text(steps[1], "condition"));
        Assert.Contains("if params.deep", (await lab.RunAsync("run", "--dry-run")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dry_run_estimates_from_earlier_runs()
    {
        using var lab = new CommandLab();
        await lab.CompletedRunAsync();
        var dry = (await lab.RunAsync("run", "--dry-run", "--json")).Json;
        Assert.Equal(1, dry.GetProperty("runs_known").GetInt32());
        Assert.All(dry.GetProperty("steps").EnumerateArray(), step => Assert.True(step.GetProperty("estimate_ms").GetDouble() >= 0));
        Assert.Equal(["a", "b", "c"], dry.GetProperty("critical_path").EnumerateArray().Select(step => step.GetString()));
    }

    [Fact]
    public async Task Params_come_from_the_file_and_then_the_command_line()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        lab.Write("params.json", """{ "who": "file", "count": 7 }""");
        await lab.RunAsync("run", "--run-id", "r1", "--params-file", "params.json", "-p", "who=a=b c");
        var snapshot = (await lab.RunAsync("show", "r1", "--snapshot", "--json")).Json.GetProperty("params");
        Assert.Equal(("a=b c", 7), (Text(snapshot, "who"), snapshot.GetProperty("count").GetInt32()));
    }

    [Theory]
    [InlineData("run", "-p", "who")]
    [InlineData("run", "-p", "nobody=1")]
    [InlineData("run", "-p", "count=many")]
    [InlineData("run", "--dry-run", "-p", "nobody=1")]
    [InlineData("run", "--dry-run", "-p", "count=many")]
    [InlineData("run", "--params-file", "missing.json")]
    [InlineData("run", "missing.yaml")]
    [InlineData("run", "--parallel", "0")]
    [InlineData("run", "--durability", "never")]
    [InlineData("run", "--from", "nowhere")]
    [InlineData("run", "--only", "a,nowhere")]
    [InlineData("run", "--only", "a", "--from", "b")]
    [InlineData("run", "--run-id", "../evil")]
    [InlineData("run", "--bogus")]
    [InlineData("run", "--store", "mysql:x")]
    [InlineData("status", "no-such-run")]
    [InlineData("bogus")]
    [InlineData("list", "--status", "dead")]
    [InlineData("list", "--limit", "-1")]
    [InlineData("resume", "a b")]
    public async Task A_wrong_call_is_exit_2_and_writes_nothing(params string[] args)
    {
        using var lab = new CommandLab().WithThreeSteps();
        var wrong = await lab.RunAsync(args);
        Assert.True(wrong.Code == 2, $"{wrong.Code}: {wrong.All}");
        Assert.StartsWith("pawl: ", wrong.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", wrong.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(lab.Checkpoints));
    }

    [Fact]
    public async Task A_typing_mistake_is_met_with_the_nearest_word()
    {
        using var lab = new CommandLab().WithThreeSteps();
        Assert.Contains("Did you mean 'resume'?", (await lab.RunAsync("resum")).Error, StringComparison.Ordinal);
        Assert.Contains("Did you mean '--dry-run'?", (await lab.RunAsync("run", "--dryrun")).Error, StringComparison.Ordinal);
        Assert.Contains("Did you mean 'file'?", (await lab.RunAsync("list", "--store", "fil:x")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_error_is_json_too_when_json_was_asked_for()
    {
        using var lab = new CommandLab().WithThreeSteps();
        var wrong = await lab.RunAsync("status", "no-such-run", "--json");
        Assert.Equal(("not_found", 2), (Text(wrong.Json, "reason"), wrong.Json.GetProperty("exit_code").GetInt32()));
    }

    [Fact]
    public async Task An_invalid_file_is_exit_2_with_its_place()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: x\nsteps:\n  - id: a\n    needs: b\n    run: echo\n  - id: b\n    needs: a\n    run: echo\n");
        var run = await lab.RunAsync("run");
        Assert.Equal(2, run.Code);
        var validated = await lab.RunAsync("validate", "workflow.yaml", "--json");
        Assert.Equal(2, validated.Code);
        Assert.False(validated.Json.GetProperty("valid").GetBoolean());
        var problem = validated.Json.GetProperty("problems")[0];
        Assert.True(problem.GetProperty("line").GetInt32() > 2);
        Assert.Contains("a", Text(problem, "message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lettered_and_fractional_ids_are_resumed_by_name()
    {
        using var lab = new CommandLab();
        string[] ids = ["0a", "13", "01.5", "0b", "11.7", "1"];
        lab.Write("workflow.yaml", "name: numbers\nsteps:\n" + string.Concat(ids.Select(id => $"  - {{ id: \"{id}\", run: {(id == "0b" ? "test -f ok" : "echo x >> ran")} }}\n")));
        Assert.Equal(1, (await lab.RunAsync("run")).Code);
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume", "--json");
        Assert.Equal((0, "0a 13 01.5", "0b 11.7 1"), (resumed.Code, Ids(resumed, "restored"), Ids(resumed, "executed")));
        Assert.Equal(5, (await File.ReadAllLinesAsync(lab.Path_("ran"), TestContext.Current.CancellationToken)).Length);

        static string Ids(Answer answer, string list) => string.Join(' ', answer.Json.GetProperty(list).EnumerateArray().Select(id => id.GetString()));
    }

    [Fact]
    public async Task What_a_checkpoint_holds_is_data_to_a_resume()
    {
        using var lab = new CommandLab();
        const string text = "$(touch pwned) `touch pwned`; touch pwned # '\"";
        lab.Write("text", text);
        lab.Write("workflow.yaml", """
            name: data
            steps:
              - id: a
                run: |
                  { echo 'said<<END'; cat text; echo; echo END; } >> "$PAWL_OUTPUT"
              - { id: b, run: test -f ok }
              - { id: c, run: "echo ${{ steps.a.outputs.said }} > said" }
            """);
        Assert.Equal(1, (await lab.RunAsync("run")).Code);
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.False(File.Exists(lab.Path_("pwned")));
        Assert.Equal(text + "\n", await File.ReadAllTextAsync(lab.Path_("said"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_store_that_was_moved_goes_on_where_it_was()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        Directory.Move(lab.Checkpoints, lab.Path_("moved"));
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume", runId, "--json", "--store", "file:moved");
        Assert.True(resumed.Code == 0, resumed.All);
        Assert.Equal(["a"], resumed.Json.GetProperty("restored").EnumerateArray().Select(id => id.GetString()));
        Assert.Equal(0, (await lab.RunAsync("verify", "--store", "file:moved")).Code);
    }

    [Fact]
    public async Task A_run_id_that_exists_is_refused()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "r1");
        var again = await lab.RunAsync("run", "--run-id", "r1");
        Assert.Equal(3, again.Code);
        Assert.Contains("exists already", again.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_a_part_that_was_done_is_exit_0_and_the_rest_can_follow()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        var part = await lab.RunAsync("run", "--run-id", "r1", "--until", "b", "--json");
        Assert.Equal((0, "paused"), (part.Code, Text(part.Json, "status")));
        var rest = await lab.RunAsync("resume", "r1", "--json");
        Assert.Equal(0, rest.Code);
        Assert.Equal(["c"], rest.Json.GetProperty("executed").EnumerateArray().Select(step => step.GetString()));
    }

    [Fact]
    public async Task The_status_that_run_shows_is_that_of_the_file_it_names()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "r1");
        lab.Write("other.yaml", "name: other\nsteps:\n  - { id: a, run: echo a }\n");
        Assert.Equal(2, (await lab.RunAsync("run", "other.yaml", "--checkpoint-status")).Code);
        await lab.RunAsync("run", "other.yaml", "--run-id", "r2");
        Assert.Equal("r1", Text((await lab.RunAsync("run", "workflow.yaml", "--checkpoint-status", "--json")).Json, "run_id"));
        Assert.Equal("r2", Text((await lab.RunAsync("run", "--checkpoint-status", "--json")).Json, "run_id"));
        Assert.Equal("r1", Text((await lab.RunAsync("run", "--checkpoint-status", "--run-id", "r1", "--json")).Json, "run_id"));
    }

    [Fact]
    public async Task An_output_that_cannot_be_written_is_no_trouble_of_the_store()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "r1");
        var full = await lab.RunAsync(new FullOutput(), "list");
        Assert.True(full.Code == 1, $"{full.Code}: {full.Error}");
        Assert.Contains("No space left", full.Error, StringComparison.Ordinal);
    }

    sealed class FullOutput : StringWriter
    {
        public override void Write(char value) => throw new IOException("No space left on device");
        public override void Write(char[] buffer, int index, int count) => throw new IOException("No space left on device");
        public override void Write(string? value) => throw new IOException("No space left on device");
    }

    [Fact]
    public async Task A_run_that_another_process_took_is_exit_3_and_not_said_to_have_failed()
    {
        using var lab = new CommandLab();
        // A file store's claim is its lock file: without it the run is no longer this process's.
        lab.Write("workflow.yaml", "name: w\nsteps:\n  - { id: a, run: rm .checkpoints/r1/lock }\n  - { id: b, run: echo b >> ran }\n");
        var lost = await lab.RunAsync("run", "--run-id", "r1", "--json");
        Assert.True(lost.Code == 3, lost.All);
        Assert.Equal("running", Text(lost.Json, "status"));
        Assert.Contains("taken over", Text(lost.Json, "error"), StringComparison.Ordinal);
        Assert.DoesNotContain("Go on with", lost.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(lab.Path_("ran")));
    }

    [Fact]
    public async Task A_store_that_cannot_be_written_is_exit_5()
    {
        using var lab = new CommandLab().WithThreeSteps();
        lab.Write("a-file", "");
        var run = await lab.RunAsync("run", "--store", "file:a-file/store", "--json");
        Assert.True(run.Code == 5, run.All);
        Assert.Equal("not_written", Text(run.Json, "reason"));
    }

    [Theory]
    [InlineData("option")]
    [InlineData("variable")]
    public async Task Without_checkpoints_nothing_is_kept_and_it_is_said(string how)
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        if (how == "variable") lab["CHECKPOINT_ENABLED"] = "false";
        var run = await lab.RunAsync(how == "variable" ? ["run", "--json"] : ["run", "--json", "--no-checkpoint"]);
        Assert.Equal(0, run.Code);
        Assert.Equal(JsonValueKind.Null, run.Json.GetProperty("store").ValueKind);
        Assert.Contains("Checkpoints are off", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(lab.Checkpoints));
    }

    [Fact]
    public async Task The_store_is_the_option_then_PAWL_STORE_then_CHECKPOINT_DIR()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        lab["CHECKPOINT_DIR"] = "from-dir";
        await lab.RunAsync("run", "--run-id", "r1");
        lab["PAWL_STORE"] = "file:from-store";
        await lab.RunAsync("run", "--run-id", "r2");
        await lab.RunAsync("run", "--run-id", "r3", "--store", "file:from-option");
        Assert.True(Directory.Exists(lab.Path_("from-dir/r1")) && Directory.Exists(lab.Path_("from-store/r2")) && Directory.Exists(lab.Path_("from-option/r3")));
        Assert.False(Directory.Exists(lab.Checkpoints));
    }

    [Fact]
    public async Task The_surroundings_are_stored_with_the_run()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        lab.Write(".git/HEAD", "ref: refs/heads/topic\n");
        lab["SHELL"] = "/bin/zsh";
        await lab.RunAsync("run", "--run-id", "r1", "--parallel", "1", "--tag", "team=red");
        var created = (await lab.RunAsync("show", "r1", "1", "--json")).Json.GetProperty("checkpoint").GetProperty("data");
        Assert.Equal(("topic", "/bin/zsh"), (Text(created.GetProperty("environment"), "git_branch"), Text(created.GetProperty("environment"), "shell")));
        Assert.Equal(lab.Folder, Text(created, "project_path"));
        Assert.False(created.GetProperty("mode").GetProperty("parallel").GetBoolean());
        Assert.Equal("red", Text(created.GetProperty("tags"), "team"));
    }

    [Fact]
    public async Task The_help_of_no_verb_shows_what_is_in_the_store()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "the-only-run");
        foreach (var args in (string[][])[[], .. Pawl.Cli.Verbs.Names.Select(verb => (string[])[verb])])
            Assert.DoesNotContain("the-only-run", (await lab.RunAsync([.. args, "--help"])).All, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_command_gives_a_json_document_too()
    {
        using var lab = new CommandLab();
        await lab.CompletedRunAsync();
        lab.Stop = new CancellationToken(canceled: true);
        foreach (var args in (string[][])[["list"], ["status"]])
        {
            var interrupted = await lab.RunAsync([.. args, "--json"]);
            Assert.True(interrupted.Code == 130, interrupted.All);
            Assert.Equal(("interrupted", 130), (Text(interrupted.Json, "reason"), interrupted.Json.GetProperty("exit_code").GetInt32()));
        }
    }

    [Fact]
    public async Task Help_and_version_are_answers()
    {
        using var lab = new CommandLab();
        foreach (var args in (string[][])[[], ["--help"], ["help"], ["help", "run"], ["run", "--help"], ["--version"]])
        {
            var help = await lab.RunAsync(args);
            Assert.Equal(0, help.Code);
            Assert.NotEqual("", help.Out);
        }
        Assert.Contains("--dry-run", (await lab.RunAsync("help", "run")).Out, StringComparison.Ordinal);
    }

    static string? Text(JsonElement json, string name) => json.GetProperty(name).GetString();
}
