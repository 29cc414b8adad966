using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Tests.Cli;

/// <summary>Verbs that look at runs, and those that steer and clean up.</summary>
public sealed class LookLaws
{
    [Fact]
    public async Task Status_tells_progress_the_next_step_the_error_and_the_way_on()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var status = (await lab.RunAsync("status", "--json")).Json;
        Assert.Equal((runId, "failed", 1, 3, 33), (Text(status, "run_id"), Text(status, "status"), status.GetProperty("done").GetInt32(), status.GetProperty("total").GetInt32(), status.GetProperty("percent").GetInt32()));
        Assert.Equal(["b"], Texts(status, "next"));
        Assert.Equal("b", Text(status, "error_step"));
        Assert.Equal($"pawl resume {runId}", Text(status, "resume"));
        Assert.Equal(JsonValueKind.Null, status.GetProperty("owner").ValueKind);
        Assert.Equal(["completed", "failed", "blocked"], status.GetProperty("steps").EnumerateArray().Select(step => Text(step, "state")));
        var text = (await lab.RunAsync("run", "--checkpoint-status")).Out;
        Assert.Contains("1 of 3 steps, 33 %", text, StringComparison.Ordinal);
        Assert.Contains($"pawl resume {runId}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_is_filtered_by_status_workflow_time_and_words()
    {
        using var lab = new CommandLab();
        await lab.FailedRunAsync();
        lab.Write("ok", "");
        await lab.RunAsync("run", "--run-id", "good", "--tag", "team=red", "--partition", "date=2026-01-10");
        Assert.Equal(["good"], await Ids(lab, "--status", "completed"));
        Assert.Equal(2, (await Ids(lab, "--status", "completed,failed", "--workflow", "three", "--since", "1h")).Count);
        Assert.Equal(["good"], await Ids(lab, "--where", "team=red", "--where", "date=2026-01-10"));
        Assert.Empty(await Ids(lab, "--where", "team=blue"));
        Assert.Empty(await Ids(lab, "--workflow", "other"));
        Assert.Empty(await Ids(lab, "--since", "2100-01-01"));
        var one = (await lab.RunAsync("list", "--limit", "1", "--json")).Json;
        Assert.Equal("good", Text(one.GetProperty("runs")[0], "run_id"));
        Assert.True(one.GetProperty("truncated").GetBoolean());

        static async Task<List<string?>> Ids(CommandLab lab, params string[] filter) =>
            [.. (await lab.RunAsync(["list", "--json", .. filter])).Json.GetProperty("runs").EnumerateArray().Select(run => Text(run, "run_id"))];
    }

    [Fact]
    public async Task The_journal_is_shown_with_its_exact_records()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var shown = await lab.RunAsync("checkpoints", runId, "--json");
        var lines = await File.ReadAllLinesAsync(Path.Combine(lab.Checkpoints, runId, "journal.jsonl"), TestContext.Current.CancellationToken);
        Assert.Equal(lines, shown.Json.GetProperty("checkpoints").EnumerateArray().Select(record => record.GetRawText()));
        Assert.Contains("failed", (await lab.RunAsync("checkpoints", runId)).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_checkpoint_is_shown_by_step_or_by_number()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var byStep = (await lab.RunAsync("show", runId, "a", "--json")).Json;
        Assert.Equal("1", Text(byStep.GetProperty("output"), "x"));
        var seq = byStep.GetProperty("checkpoint").GetProperty("seq").GetInt64();
        Assert.Equal(byStep.GetRawText(), (await lab.RunAsync("show", runId, $"{seq}", "--json")).Json.GetRawText());
        Assert.Contains("\"x\":\"1\"", (await lab.RunAsync("show", runId, "a")).Out, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.RunAsync("show", runId, "99")).Code);
        Assert.Equal(2, (await lab.RunAsync("show", runId, "zz")).Code);
    }

    [Fact]
    public async Task A_snapshot_is_the_state_at_that_checkpoint()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var early = (await lab.RunAsync("show", runId, "2", "--snapshot", "--json")).Json;
        Assert.Empty(early.GetProperty("outputs").EnumerateObject());
        var late = (await lab.RunAsync("show", runId, "--snapshot", "--json")).Json;
        Assert.Equal("1", Text(late.GetProperty("outputs").GetProperty("a"), "x"));
    }

    [Fact]
    public async Task Logs_are_what_the_steps_wrote_attempt_by_attempt()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        await lab.RunAsync("resume", runId);
        var all = (await lab.RunAsync("logs", runId, "--json")).Json.GetProperty("logs");
        Assert.Equal([("a", 1, 0), ("b", 1, 1), ("b", 2, 0), ("c", 1, 0)],
            all.EnumerateArray().Select(log => (Text(log, "step")!, log.GetProperty("attempt").GetInt32(), log.GetProperty("exit_code").GetInt32())));
        Assert.Equal("hello world\n", Text(all[0], "text"));
        var one = await lab.RunAsync("logs", runId, "c", "--follow");
        Assert.Contains("c after 1\n", one.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("hello", one.Out, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.RunAsync("logs", runId, "zz")).Code);
    }

    [Fact]
    public async Task Conditions_are_joined_by_and_and_a_quoted_value_may_hold_the_word()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "both", "--tag", "team=read and write");
        foreach (var (where, found) in ((string, int)[])[("team=\"read and write\" and workflow~'e'", 1), ("error~'read and write'", 0), ("error~can't and team='read and write'", 0)])
        {
            var list = await lab.RunAsync("list", "--json", "--where", where);
            Assert.True(list.Code == 0, list.All);
            Assert.Equal(found, list.Json.GetProperty("runs").GetArrayLength());
        }
    }

    [Fact]
    public async Task Logs_that_are_followed_show_what_a_step_says_while_it_runs_and_nothing_twice()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: talk\nsteps:\n  - id: talk\n    run: |\n      echo hello\n      until test -e go; do sleep 0.02; done\n      echo bye\n");
        var run = lab.RunAsync("run", "--run-id", "r1");
        while (!(await lab.RunAsync("status", "r1")).Out.Contains("running", StringComparison.Ordinal)) Assert.False(run.IsCompleted);
        var heard = new Heard("│ hello");
        var following = lab.RunAsync(heard, "logs", "r1", "-f");
        await heard.Done.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        lab.Write("go", "");
        Assert.Equal(0, (await run).Code);
        var followed = (await following).Out;
        Assert.Equal((1, 1), (followed.Split("hello").Length - 1, followed.Split("bye").Length - 1));
        Assert.Contains("talk, attempt 1: completed", followed, StringComparison.Ordinal);
    }

    sealed class Heard(string text) : StringWriter
    {
        readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Done => _done.Task;

        public override async Task WriteLineAsync(string? value)
        {
            await base.WriteLineAsync(value);
            if (value?.Contains(text, StringComparison.Ordinal) == true) _done.TrySetResult();
        }
    }

    [Fact]
    public async Task What_a_step_printed_before_its_time_limit_is_in_its_log()
    {
        using var lab = new CommandLab();
        lab.Write("slow.yaml", "name: slow\nsteps:\n  - { id: s, timeout: 1s, run: echo before; sleep 30 }\n");
        Assert.Equal(1, (await lab.RunAsync("run", "slow.yaml")).Code);
        var log = (await lab.RunAsync("logs", "--json")).Json.GetProperty("logs").EnumerateArray().Single();
        Assert.Equal(("s", "failed", "before\n"), (Text(log, "step"), Text(log, "status"), Text(log, "text")));
        Assert.Contains("time limit of 1 s", (await lab.RunAsync("status")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_gives_the_reason_of_every_record_and_tells_reuse()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        lab.Write("ok", "");
        await lab.RunAsync("resume", runId);
        var steps = (await lab.RunAsync("explain", runId, "--json")).Json.GetProperty("steps");
        Assert.Equal([2], steps[0].GetProperty("reused_in_passes").EnumerateArray().Select(pass => pass.GetInt32()));
        Assert.Equal(["failed", "completed"], steps[1].GetProperty("records").EnumerateArray().Select(record => Text(record, "status")));
        Assert.StartsWith("retry after", Text(steps[1].GetProperty("records")[1], "reason"), StringComparison.Ordinal);
        Assert.Contains("blocked by 'b'", Text(steps[2].GetProperty("records")[0], "reason"), StringComparison.Ordinal);
        var one = await lab.RunAsync("explain", runId, "a");
        Assert.Contains("completed, and reused since", one.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("b:", one.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_has_one_stored_reason_for_everything_that_can_happen_to_a_step()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", """
            name: reasons
            params: { limit: 10 }
            defaults: { retry: { attempts: 2, delay: 0s } }
            steps:
              - id: made
                sources: source.txt
                generates: made.txt
                run: cp source.txt made.txt
              - id: held
                if: ${{ params.limit > 50 }}
                run: echo many
              - id: shaky
                run: test -e shaken || { touch shaken; exit 1; }
              - id: gate
                run: test -e ok
              - id: last
                needs: gate
                run: echo done
            """);
        lab.Write("source.txt", "one");
        async Task<string> Why(string run, string step, string member = "reason") =>
            (await lab.RunAsync("explain", run, step, "--json")).Json.GetProperty("steps")[0] is var one && member == "verdict" ? Text(one, member)! : Text(one.GetProperty("records").EnumerateArray().Last(), member)!;
        await lab.RunAsync("run", "--run-id", "r1");
        Assert.Equal("no earlier success is known", await Why("r1", "made"));
        Assert.StartsWith("its condition is false: params.limit > 50", await Why("r1", "held"), StringComparison.Ordinal);
        Assert.Contains("10", await Why("r1", "held"), StringComparison.Ordinal);
        Assert.StartsWith("retry after: ", await Why("r1", "shaky"), StringComparison.Ordinal);
        Assert.Equal("blocked by 'gate', which failed", await Why("r1", "last"));
        Assert.StartsWith("blocked; a resume decides anew", await Why("r1", "last", "verdict"), StringComparison.Ordinal);
        lab.Write("ok", "");
        await lab.RunAsync("resume", "r1", "--from", "shaky");
        Assert.Equal("asked to run again", await Why("r1", "shaky"));
        // Reused: from which checkpoint.
        var made = (await lab.RunAsync("explain", "r1", "made", "--json")).Json.GetProperty("steps")[0];
        Assert.Equal([made.GetProperty("records")[0].GetProperty("seq").GetInt64()], made.GetProperty("reused_from").EnumerateArray().Select(seq => seq.GetInt64()));
        Assert.Contains($"pass 2: the result of checkpoint {made.GetProperty("records")[0].GetProperty("seq").GetInt64()} was used", (await lab.RunAsync("explain", "r1", "made")).Out, StringComparison.Ordinal);
        await lab.RunAsync("run", "--run-id", "r2");
        Assert.StartsWith("unchanged since run r1", await Why("r2", "made"), StringComparison.Ordinal);
        Assert.Null((await lab.RunAsync("explain", "r2", "last", "--json")).Json.GetProperty("steps")[0].GetProperty("records")[0].GetProperty("reason").GetString());
        Assert.Contains("(first run)", (await lab.RunAsync("explain", "r2", "last")).Out, StringComparison.Ordinal);
        lab.Write("source.txt", "two");
        await lab.RunAsync("run", "--run-id", "r3", "--param", "limit=20");
        Assert.Contains("source.txt changed", await Why("r3", "made"), StringComparison.Ordinal);
        Assert.Contains("param limit changed from '10' to '20'", await Why("r3", "made"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dead_letters_have_a_list_of_their_own_and_are_put_back()
    {
        using var lab = new CommandLab().WithThreeSteps();
        Assert.Equal(0, (await lab.RunAsync("enqueue", "--run-id", "d1")).Code);
        await using (var store = FileStore.Open(lab.Checkpoints))
        {
            var lease = (await store.ClaimAsync("d1", new RunOwner(1, "there", default), TestContext.Current.CancellationToken)).Lease!;
            var head = (await store.FindAsync("d1", TestContext.Current.CancellationToken))!;
            Checkpoint[] records =
            [
                CheckpointCodec.Encode(new Checkpoint { Kind = CheckpointKind.Resumed, Token = lease.Token }, 2, more: true, head.Hash),
                new Checkpoint { Kind = CheckpointKind.Failed, Error = new StepError(RunHead.DeadLetterType, "it ended its workers", ErrorClass.Permanent) },
            ];
            records[1] = CheckpointCodec.Encode(records[1], 3, more: false, records[0].Hash);
            await store.CommitAsync([new Commit(lease, records, [], records.Aggregate(head, (last, record) => RunHead.After(last, record)), Release: true)], TestContext.Current.CancellationToken);
        }
        for (var i = 0; i < 2; i++) Assert.Equal(1, (await lab.RunAsync("run")).Code);
        // However many failed behind it.
        var dead = await lab.RunAsync("list", "--dead", "--limit", "1", "--json");
        Assert.Equal(["d1"], dead.Json.GetProperty("runs").EnumerateArray().Select(run => Text(run, "run_id")));
        Assert.Contains("it ended its workers", (await lab.RunAsync("list", "--dead")).Out, StringComparison.Ordinal);
        Assert.Contains("back in the queue 'default'", (await lab.RunAsync("requeue", "d1")).Out, StringComparison.Ordinal);
        Assert.Empty((await lab.RunAsync("list", "--dead", "--json")).Json.GetProperty("runs").EnumerateArray());
    }

    [Fact]
    public async Task A_graph_is_drawn_of_a_file_and_of_a_run()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        Assert.Contains("○", (await lab.RunAsync("graph")).Out, StringComparison.Ordinal);
        var run = await lab.RunAsync("graph", runId);
        Assert.Contains("✗", run.Out, StringComparison.Ordinal);
        var mermaid = (await lab.RunAsync("graph", "workflow.yaml", "--format", "mermaid", "--critical-path", "--durations", "a=30s,b=1m,c=1s")).Out;
        Assert.StartsWith("flowchart TD\n", mermaid, StringComparison.Ordinal);
        Assert.Contains("s0 ==> s1", mermaid, StringComparison.Ordinal);
        var dot = (await lab.RunAsync("graph", runId, "--format", "dot")).Out;
        Assert.Contains("\"a\" -> \"b\"", dot, StringComparison.Ordinal);
        var json = (await lab.RunAsync("graph", "--json", "--critical-path", "--durations", "a=30s,b=1m,c=1s")).Json;
        Assert.Equal(91_000, json.GetProperty("critical_path_ms").GetDouble());
        Assert.Equal(["completed", "failed", "blocked"], (await lab.RunAsync("graph", runId, "--json")).Json.GetProperty("steps").EnumerateArray().Select(step => Text(step, "state")));
        Assert.Equal(2, (await lab.RunAsync("graph", "--format", "png")).Code);
        Assert.Equal(2, (await lab.RunAsync("graph", "--durations", "zz=3s")).Code);
    }

    [Fact]
    public async Task A_picture_of_a_graph_has_every_step_and_arrow_and_nothing_that_a_name_could_bring_in()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: d\nsteps:\n  - id: a\n    run: x\n  - id: b\n    name: '<script>&\"'\n    needs: a\n    run: x\n  - id: c\n    needs: b\n    run: x\n  - id: d\n    needs: [a, c]\n    run: x\n");
        var drawn = (await lab.RunAsync("graph", "--format", "svg", "--critical-path", "--durations", "a=1s,b=1s,c=1s,d=1s")).Out;
        var svg = System.Xml.Linq.XDocument.Parse(drawn).Root!;
        Assert.Equal(["g", "g", "g", "g"], svg.Elements().Where(element => element.Name.LocalName == "g").Select(element => element.Name.LocalName));
        Assert.Contains("<script>&\"", svg.Descendants().Where(element => element.Name.LocalName == "text").Select(element => element.Value));
        Assert.DoesNotContain("<script", drawn, StringComparison.Ordinal);
        // a → b → c → d are marked; the arrow from a to d passes two rows and is not.
        var arrows = svg.Elements().Where(element => element.Name.LocalName == "path").ToList();
        Assert.Equal((6, 3, 4), (arrows.Count, arrows.Count(arrow => arrow.Attribute("stroke-width") is not null), arrows.Count(arrow => arrow.Attribute("marker-end") is not null)));
    }

    [Fact]
    public async Task A_branched_graph_joins_every_arrow()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: d\nsteps:\n  - id: a\n    run: x\n  - id: b\n    needs: a\n    run: x\n  - id: c\n    needs: a\n    run: x\n  - id: d\n    needs: [b, c]\n    run: x\n");
        Assert.Equal("""
            d
            ○    a
            ├─○  b  ← a
            ○ │  c  ← a
            ○─┤  d  ← b, c

            """, (await lab.RunAsync("graph")).Out.Replace(" \n", "\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Cancel_and_pause_of_a_run_that_nobody_executes_are_at_once()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var paused = await lab.RunAsync("pause", runId, "--json");
        Assert.Equal((0, "paused"), (paused.Code, Text(paused.Json, "status")));
        var canceled = await lab.RunAsync("cancel", runId, "--json");
        Assert.Equal((0, "canceled"), (canceled.Code, Text(canceled.Json, "status")));
        Assert.Equal(3, (await lab.RunAsync("pause", runId)).Code);
        Assert.Equal(2, (await lab.RunAsync("cancel", "no-such-run")).Code);
    }

    [Fact]
    public async Task Delete_asks_a_person_and_wants_a_word_from_a_script()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        Assert.Equal(2, (await lab.RunAsync("delete", runId)).Code);
        lab.CanAsk = true;
        lab.In = new StringReader("n\n");
        Assert.Equal(3, (await lab.RunAsync("delete", runId)).Code);
        Assert.True(Directory.Exists(Path.Combine(lab.Checkpoints, runId)));
        Assert.Equal(2, (await lab.RunAsync("delete", runId, "no-such-run", "--yes")).Code);
        Assert.True(Directory.Exists(Path.Combine(lab.Checkpoints, runId)));
        Assert.Equal([runId], Texts((await lab.RunAsync("delete", runId, "--yes", "--json")).Json, "deleted"));
        Assert.False(Directory.Exists(Path.Combine(lab.Checkpoints, runId)));
    }

    [Fact]
    public async Task Prune_removes_old_finished_runs_and_only_those()
    {
        using var lab = new CommandLab();
        var failed = await lab.FailedRunAsync();
        lab.Write("ok", "");
        await lab.RunAsync("run", "--run-id", "r1");
        await lab.RunAsync("run", "--run-id", "r2");
        Assert.Empty(Texts((await lab.RunAsync("prune", "--json")).Json, "removed"));
        lab.Time = new Later(TimeSpan.FromDays(31));
        Assert.Equal(["r2", "r1"], Texts((await lab.RunAsync("prune", "--dry-run", "--json")).Json, "removed"));
        Assert.True(Directory.Exists(Path.Combine(lab.Checkpoints, "r1")));
        Assert.Empty(Texts((await lab.RunAsync("prune", "--older-than", "60d", "--json")).Json, "removed"));
        Assert.Equal(["r1"], Texts((await lab.RunAsync("prune", "--keep-last", "1", "--json")).Json, "removed"));
        Assert.True(Directory.Exists(Path.Combine(lab.Checkpoints, "r2")) && Directory.Exists(Path.Combine(lab.Checkpoints, failed)));
        lab["CHECKPOINT_RETENTION_DAYS"] = "40";
        Assert.Empty(Texts((await lab.RunAsync("prune", "--json")).Json, "removed"));
        lab["CHECKPOINT_RETENTION_DAYS"] = "many";
        Assert.Equal(2, (await lab.RunAsync("prune")).Code);
        Assert.Equal(2, (await lab.RunAsync("run")).Code);
    }

    [Fact]
    public async Task A_run_that_completes_removes_what_retention_no_longer_keeps()
    {
        using var lab = new CommandLab();
        await lab.CompletedRunAsync();
        lab.Time = new Later(TimeSpan.FromDays(8));
        await lab.RunAsync("run", "--run-id", "r2");
        Assert.Equal(2, (await lab.RunAsync("list", "--json")).Json.GetProperty("runs").GetArrayLength());
        lab["CHECKPOINT_RETENTION_DAYS"] = "7";
        await lab.RunAsync("run", "--run-id", "r3");
        Assert.Equal(["r3", "r2"], (await lab.RunAsync("list", "--json")).Json.GetProperty("runs").EnumerateArray().Select(run => Text(run, "run_id")));
    }

    [Fact]
    public async Task Damage_is_found_refused_and_repaired()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        Assert.Equal(0, (await lab.RunAsync("verify")).Code);
        var journal = Path.Combine(lab.Checkpoints, runId, "journal.jsonl");
        var lines = await File.ReadAllLinesAsync(journal, TestContext.Current.CancellationToken);
        lines[3] = lines[3].Replace("\"attempt\":1", "\"attempt\":7", StringComparison.Ordinal);
        await File.WriteAllLinesAsync(journal, lines, TestContext.Current.CancellationToken);

        var verified = await lab.RunAsync("verify", runId, "--json");
        Assert.Equal(1, verified.Code);
        Assert.Contains("line 4", verified.Json.GetProperty("runs")[0].GetProperty("problems")[0].GetString(), StringComparison.Ordinal);
        var refused = await lab.RunAsync("resume", runId, "--json");
        Assert.Equal((3, "corrupt"), (refused.Code, Text(refused.Json, "reason")));
        Assert.Contains($"pawl repair {runId}", refused.Error, StringComparison.Ordinal);
        Assert.Equal(1, (await lab.RunAsync("doctor")).Code);
        Assert.Equal(0, (await lab.RunAsync("list")).Code);

        var repaired = await lab.RunAsync("repair", runId, "--json");
        Assert.True(repaired.Code == 0, repaired.All);
        Assert.Equal(4, repaired.Json.GetProperty("line").GetInt32());
        lab.Write("ok", "");
        var resumed = await lab.RunAsync("resume", runId, "--json");
        Assert.Equal(0, resumed.Code);
        Assert.Equal(["a"], Texts(resumed.Json, "restored"));
    }

    [Fact]
    public async Task The_doctor_measures_without_making_the_store()
    {
        using var lab = new CommandLab();
        var doctor = await lab.RunAsync("doctor", "--json");
        Assert.True(doctor.Code == 0, doctor.All);
        Assert.Contains(doctor.Json.GetProperty("findings").EnumerateArray(), finding => Text(finding, "about") == "store" && Text(finding, "text")!.Contains("flush", StringComparison.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(lab.Folder));
        lab["PATH"] = lab.Folder;
        Assert.Equal(1, (await lab.RunAsync("doctor")).Code);
    }

    [Fact]
    public async Task The_schema_is_json_and_the_completion_is_a_script()
    {
        using var lab = new CommandLab();
        Assert.Equal(JsonValueKind.Object, (await lab.RunAsync("schema")).Json.ValueKind);
        foreach (var shell in (string[])["bash", "zsh", "fish"]) Assert.Contains("[suggest:", (await lab.RunAsync("completion", shell)).Out, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.RunAsync("completion", "tcsh")).Code);
    }

    [Fact]
    public async Task Completion_knows_verbs_options_and_runs()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        Assert.Contains("resume", await Suggested("pawl res"));
        Assert.Contains("--dry-run", await Suggested("pawl run --d"));
        Assert.Contains(runId, await Suggested("pawl resume "));

        async Task<string[]> Suggested(string line) => (await lab.RunAsync($"[suggest:{line.Length}]", line)).Out.Split('\n');
    }

    /// <summary>The system's clock, some time ahead.</summary>
    sealed class Later(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + ahead;
    }

    static string? Text(JsonElement json, string name) => json.GetProperty(name).GetString();

    static List<string?> Texts(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(text => text.GetString())];

    [Fact]
    public async Task What_an_undo_says_is_in_the_logs()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: w\non_failure: compensate\nsteps:\n  - { id: a, run: echo did, compensate: echo undid }\n  - { id: b, run: exit 1 }\n");
        Assert.Equal(1, (await lab.RunAsync("run", "--run-id", "r")).Code);
        var logs = await lab.RunAsync("logs", "r", "a");
        Assert.Contains("did\n", logs.Out, StringComparison.Ordinal);
        Assert.Contains("── a, undone: completed, exit code 0", logs.Out, StringComparison.Ordinal);
        Assert.Contains("undid\n", logs.Out, StringComparison.Ordinal);
        Assert.Equal(0, (await lab.RunAsync("verify", "r")).Code);
    }
}
