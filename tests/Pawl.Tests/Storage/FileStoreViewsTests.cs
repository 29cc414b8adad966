using System.Text.Json;
using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Storage;

/// <summary>The layout of seed 001: names, keys, texts.</summary>
public sealed class FileStoreViewsTests : IDisposable
{
    const string Steps = """
        [{"id":"pre_flight","kind":"shell"},{"id":"documentation","kind":"shell","group":"g1"},{"id":"consistency","kind":"shell","group":"g1"},
         {"id":"tests","kind":"shell"},{"id":"review","kind":"shell"}]
        """;
    const string More = """
        ,"project_path":"/home/user/project","environment":{"shell":"bash","bash_version":"5.1.16","git_available":"true","copilot_available":"true"},
        "mode":{"auto":true,"smart_execution":true,"parallel":true,"dry_run":false}
        """;

    readonly StoreDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    static CancellationToken Token => TestContext.Current.CancellationToken;

    static Chain NewChain() => new("workflow_20251218_121530", Steps.ReplaceLineEndings(""), More.ReplaceLineEndings(""));

    string Text(params string[] names) => File.ReadAllText(_directory.Of("workflow_20251218_121530", names));

    static Checkpoint Skipped(string path, SkipCause cause, string? reason = null) => new() { Kind = CheckpointKind.Step, Path = path, Status = StepStatus.Skipped, Cause = cause, Reason = reason };

    static Checkpoint Failed(string path) => Chain.Step(path) with { Status = StepStatus.Failed, Error = new StepError("exit_code", "two tests failed", ErrorClass.Permanent), Data = Chain.Json("""{"exit_code":2}""") };

    async Task<Chain> Run()
    {
        var chain = NewChain();
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        await store.Commit(chain.Commit(lease, Chain.Step("pre_flight", "null")));
        await store.Commit(chain.Commit(lease, Chain.Step("documentation/part", "1")));
        await store.Commit(chain.Commit(lease, Chain.Step("documentation", """{"files_modified":["README.md","docs/API.md"],"ai_calls":3}""") with
        {
            Metrics = Chain.Json("""{"tokens_used":2500}"""),
            Data = Chain.Json("""{"exit_code":0,"warnings":["slow"]}"""),
        }));
        await store.Commit(chain.Commit(lease, Skipped("consistency", SkipCause.Unchanged), Failed("tests"), Skipped("review", SkipCause.Blocked)));
        await store.Commit(chain.Commit(lease, new Checkpoint { Kind = CheckpointKind.Failed, Path = "tests", Reason = "two tests failed" }));
        return chain;
    }

    [Fact]
    public async Task The_master_file_has_the_thirteen_keys_of_the_layout()
    {
        await Run();
        Assert.Equal($$"""
            {
              "version": "2.3.0",
              "workflow_id": "workflow_20251218_121530",
              "project_path": "/home/user/project",
              "started_at": "2025-12-18T12:15:30Z",
              "last_checkpoint": "2025-12-18T12:15:38Z",
              "completed_steps": [0, 1],
              "current_step": 3,
              "total_steps": 5,
              "execution_mode": {
                "auto": true,
                "smart_execution": true,
                "parallel": true,
                "dry_run": false
              },
              "environment": {
                "shell": "bash",
                "bash_version": "5.1.16",
                "git_available": true,
                "copilot_available": true
              },
              "metadata": {
                "user": "{{Environment.UserName}}",
                "hostname": "workstation",
                "pid": {{Environment.ProcessId}}
              },
              "parallel_execution": {
                "enabled": true,
                "groups": [
                  {
                    "steps": [1, 2],
                    "status": "completed"
                  }
                ]
              },
              "smart_execution": {
                "enabled": true,
                "skipped_steps": [2],
                "skip_reason": "no_relevant_changes"
              }
            }

            """, Text("checkpoint.json"));
    }

    [Fact]
    public async Task A_completed_step_has_a_marker_of_four_lines_and_any_ended_step_a_state()
    {
        await Run();
        Assert.Equal("STEP=1\nCOMPLETED_AT=2025-12-18T12:15:34Z\nDURATION_SECONDS=72\nEXIT_CODE=0\n", Text("step_01.complete"));
        Assert.Equal("""
            {
              "step": 1,
              "name": "documentation",
              "status": "completed",
              "started_at": "2025-12-18T12:14:22Z",
              "completed_at": "2025-12-18T12:15:34Z",
              "duration_seconds": 72,
              "exit_code": 0,
              "outputs": {
                "files_modified": [
                  "README.md",
                  "docs/API.md"
                ],
                "ai_calls": 3,
                "tokens_used": 2500
              },
              "errors": [],
              "warnings": [
                "slow"
              ]
            }

            """, Text("state", "step_01_state.json"));
        using var failed = JsonDocument.Parse(Text("state", "step_03_state.json"));
        Assert.Equal(("failed", 2, "two tests failed"), (failed.RootElement.GetProperty("status").GetString(), failed.RootElement.GetProperty("exit_code").GetInt32(), failed.RootElement.GetProperty("errors")[0].GetString()));
        var directory = _directory.Of("workflow_20251218_121530");
        Assert.Equal(["checkpoint.json", "journal.jsonl", "lock", "step_00.complete", "step_01.complete"], Directory.GetFiles(directory).Select(Path.GetFileName).Order());
        Assert.Equal(["step_00_state.json", "step_01_state.json", "step_02_state.json", "step_03_state.json", "step_04_state.json"], Directory.GetFiles(Path.Join(directory, "state")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task Views_that_are_missing_or_behind_are_written_again_by_the_next_claim()
    {
        await Run();
        var expected = Snapshot();
        foreach (var spoil in new Action[]
        {
            () => File.Delete(_directory.Of("workflow_20251218_121530", "checkpoint.json")),
            () => File.Delete(_directory.Of("workflow_20251218_121530", "step_00.complete")),
            () => File.WriteAllText(_directory.Of("workflow_20251218_121530", "step_04.complete"), "STEP=4\n"),
            () => Directory.Delete(_directory.Of("workflow_20251218_121530", "state"), recursive: true),
            () => File.WriteAllText(_directory.Of("workflow_20251218_121530", "checkpoint.json"), "{"),
        })
        {
            spoil();
            await using (var store = _directory.Open()) await store.Claim("workflow_20251218_121530");
            Assert.Equal(expected, Snapshot());
        }
    }

    [Fact]
    public async Task Views_that_are_complete_are_left_alone()
    {
        await Run();
        var before = File.GetLastWriteTimeUtc(_directory.Of("workflow_20251218_121530", "step_00.complete"));
        await using (var store = _directory.Open()) await store.Claim("workflow_20251218_121530");
        Assert.Equal(before, File.GetLastWriteTimeUtc(_directory.Of("workflow_20251218_121530", "step_00.complete")));
    }

    [Fact]
    public async Task A_new_definition_numbers_the_steps_anew()
    {
        var chain = await Run();
        await using (var store = _directory.Open())
        {
            var lease = (await store.Claim("workflow_20251218_121530")).Lease!;
            await store.Commit(chain.Commit(lease, Chain.Resumed(lease.Token) with
            {
                Data = Chain.Json("""{"done":2,"rerun":["tests"],"map":{"docs":"documentation"},"steps":[{"id":"docs","kind":"shell"},{"id":"pre_flight","kind":"shell"},{"id":"tests","kind":"shell"}]}"""),
            }));
        }
        using var master = JsonDocument.Parse(Text("checkpoint.json"));
        Assert.Equal("[0, 1]", master.RootElement.GetProperty("completed_steps").GetRawText());
        Assert.Equal(["step_00.complete", "step_01.complete"], Directory.GetFiles(_directory.Of("workflow_20251218_121530"), "*.complete").Select(Path.GetFileName).Order());
        Assert.Contains("\"name\": \"documentation\"", Text("state", "step_00_state.json"), StringComparison.Ordinal);
        Assert.Contains("\"name\": \"pre_flight\"", Text("state", "step_01_state.json"), StringComparison.Ordinal);
        Assert.Equal(2, Directory.GetFiles(_directory.Of("workflow_20251218_121530", "state")).Length);
    }

    [Fact]
    public async Task A_step_that_is_undone_or_run_again_loses_its_marker()
    {
        var chain = NewChain();
        await using var store = _directory.Open();
        var lease = await store.Begin(chain);
        await store.Commit(chain.Commit(lease, Chain.Step("pre_flight"), Chain.Step("documentation"), Chain.Step("tests")));
        await store.Commit(chain.Commit(lease, new Checkpoint { Kind = CheckpointKind.Compensated, Path = "documentation", Status = StepStatus.Completed }));
        await store.Commit(chain.Commit(lease, Chain.Resumed(1) with { Data = Chain.Json("""{"done":1,"rerun":["tests"]}""") }));
        await store.ReleaseAsync(lease, Token);
        Assert.Equal(["step_00.complete"], Directory.GetFiles(_directory.Of("workflow_20251218_121530"), "*.complete").Select(Path.GetFileName));
        Assert.Contains("\"compensated\"", Text("state", "step_01_state.json"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Views_follow_in_the_background_without_delaying_a_commit()
    {
        var time = new VirtualTime();
        var chain = NewChain();
        await using var store = _directory.Open(new FileStoreOptions { Time = time });
        var lease = await store.Begin(chain);
        for (var i = 0; i < 20; i++) await store.Commit(chain.Commit(lease, Chain.Step("pre_flight", $"{i}")));
        Assert.False(File.Exists(_directory.Of("workflow_20251218_121530", "checkpoint.json")));
        time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Contains("\"value\": 19", Text("state", "step_00_state.json"), StringComparison.Ordinal);
        Assert.Contains("[0]", Text("checkpoint.json"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pause_behind_very_many_steps_leaves_their_files_to_the_next_claim()
    {
        var time = new VirtualTime();
        var chain = new Chain("workflow_20251218_121530", "[" + string.Join(',', Enumerable.Range(0, 1001).Select(n => $$"""{"id":"s{{n}}","kind":"code"}""")) + "]");
        await using (var store = _directory.Open(new FileStoreOptions { Time = time }))
        {
            var lease = await store.Begin(chain);
            await store.Commit(chain.Commit(lease, [.. Enumerable.Range(0, 1001).Select(n => Chain.Step($"s{n}")), new Checkpoint { Kind = CheckpointKind.Paused }]));
            // However long the way from the pause to the end is.
            time.Advance(TimeSpan.FromSeconds(1));
        }
        using (var master = JsonDocument.Parse(Text("checkpoint.json"))) Assert.Equal(1001, master.RootElement.GetProperty("completed_steps").GetArrayLength());
        Assert.Empty(Directory.GetFiles(_directory.Of("workflow_20251218_121530"), "*.complete"));
        await using (var store = _directory.Open(new FileStoreOptions { Time = time }))
        {
            var lease = (await store.Claim("workflow_20251218_121530")).Lease!;
            await store.Commit(chain.Commit(lease, Chain.Resumed(lease.Token)));
        }
        Assert.Equal(1001, Directory.GetFiles(_directory.Of("workflow_20251218_121530"), "*.complete").Length);
        Assert.Equal(1001, Directory.GetFiles(_directory.Of("workflow_20251218_121530", "state")).Length);
    }

    [Fact]
    public async Task A_view_that_cannot_be_written_never_fails_the_run()
    {
        var chain = NewChain();
        Directory.CreateDirectory(_directory.Of("workflow_20251218_121530", ".checkpoint.json.tmp", "in the way"));
        await using (var store = _directory.Open())
        {
            var lease = await store.Begin(chain);
            Assert.Equal(CommitResult.Committed, await store.Commit(chain.Commit(lease, Chain.Step("pre_flight"))));
        }
        Assert.False(File.Exists(_directory.Of("workflow_20251218_121530", "checkpoint.json")));
        Directory.Delete(_directory.Of("workflow_20251218_121530", ".checkpoint.json.tmp"), recursive: true);
        await using (var store = _directory.Open()) Assert.NotNull((await store.Claim("workflow_20251218_121530")).Lease);
        Assert.Contains("[0]", Text("checkpoint.json"), StringComparison.Ordinal);
    }

    Dictionary<string, string> Snapshot() => Directory.GetFiles(_directory.Of("workflow_20251218_121530"), "*", SearchOption.AllDirectories)
        .Where(path => Path.GetFileName(path) is not ("lock" or "journal.jsonl")).ToDictionary(path => path, File.ReadAllText);
}
