using System.Diagnostics;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Tests.Yaml;

public sealed class SmartSkipTests : IDisposable
{
    readonly WorkflowFolder _folder = new();
    int _runs;

    public void Dispose() => _folder.Dispose();

    const string Docs = """
        name: docs
        params: { scope: all, token: { type: secret, required: false } }
        steps:
          - id: docs
            sources: [ "docs/**", "!docs/tmp/**" ]
            generates: build
            run: |
              mkdir -p build; cat docs/*.md > build/all.html
              echo x >> ran; echo "n=${{ params.scope }}" >> "$PAWL_OUTPUT"
          - id: after
            needs: docs
            run: echo "v=${{ steps.docs.outputs.n }} ${{ steps.docs.outcome }}" >> "$PAWL_OUTPUT"
        """;

    async Task<(RunResult Result, StepReport Step)> Run(string yaml = Docs, object? parameters = null, string step = "docs")
    {
        // Ids are made from the second; these runs are faster.
        var result = await _folder.Run(yaml, parameters, new StartOptions { RunId = $"run-{++_runs}" });
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        return (result, result.Steps.Single(one => one.Path == step));
    }

    [Fact]
    public async Task An_unchanged_step_is_skipped_with_its_stored_output_in_run_after_run()
    {
        _folder.Write("docs/a.md", "a");
        _folder.Write("docs/b.md", "b");
        Assert.Equal("no earlier success is known", (await Run()).Step.Reason);
        for (var i = 0; i < 3; i++)
        {
            var (result, step) = await Run();
            Assert.Equal(StepStatus.Skipped, step.Status);
            Assert.Equal($"unchanged since run run-{_runs - 1}: 2 sources, 1 generated file", step.Reason);
            Assert.Equal("""{"v":"all success"}""", result.Output<RawJson>("after").ToString());
        }
        Assert.Equal("x\n", _folder.Read("ran"));
    }

    [Fact]
    public async Task What_a_skip_saved_is_in_the_ledger_run_after_run()
    {
        _folder.Write("docs/a.md", "a");
        const string yaml = """
            name: docs
            steps:
              - id: docs
                sources: docs/**
                run: printf 'calls=1\ntokens=500\ncost_usd=0.25\n' >> "$PAWL_METRICS"
            """;
        await Run(yaml);
        for (var i = 0; i < 2; i++)
        {
            await Run(yaml);
            var costs = await _folder.Client.CostsAsync($"run-{_runs}", TestContext.Current.CancellationToken);
            Assert.Equal((1, 500, 0.25m), (costs.Saved.Calls, costs.Saved.Tokens, costs.Saved.CostUsd));
            Assert.Equal(costs.Passes.Single().Skipped, costs.Saved);
            Assert.True(costs.Saved.Duration > TimeSpan.Zero);
            Assert.Equal(0, costs.Spent.Tokens);
        }
    }

    [Fact]
    public async Task The_reason_names_what_changed()
    {
        foreach (var name in new[] { "a", "b", "c", "d" }) _folder.Write($"docs/{name}.md", name);
        _folder.Write("docs/tmp/x", "1");
        await Run();

        _folder.Write("docs/a.md", "other");
        Assert.Equal("docs/a.md changed", (await Run()).Step.Reason);

        _folder.Write("docs/e.md", "new");
        File.Delete(Path.Combine(_folder.Path, "docs/b.md"));
        Assert.Equal("docs/e.md is new, docs/b.md is gone", (await Run()).Step.Reason);

        foreach (var name in new[] { "a", "c", "d", "e" }) _folder.Write($"docs/{name}.md", name + "!");
        Assert.Equal("docs/a.md changed, docs/c.md changed, docs/d.md changed and 1 more", (await Run()).Step.Reason);

        _folder.Write("docs/tmp/x", "2");
        Assert.Equal(StepStatus.Skipped, (await Run()).Step.Status);

        File.Delete(Path.Combine(_folder.Path, "build/all.html"));
        Assert.Equal("build/all.html is missing, nothing matches 'build' of 'generates'", (await Run()).Step.Reason);

        _folder.Write("build/all.html", "by hand");
        Assert.Equal("build/all.html is not as the step left it", (await Run()).Step.Reason);

        Assert.Equal("param scope changed from 'all' to 'one'", (await Run(parameters: new { scope = "one" })).Step.Reason);
        Assert.Equal("the step's definition changed", (await Run(Docs.Replace("echo x", "echo y"), new { scope = "one" })).Step.Reason);
        Assert.Equal(StepStatus.Skipped, (await Run(Docs.Replace("echo x", "echo y").Replace("- id: docs\n", "- id: docs\n    name: Title\n    timeout: 1h\n"), new { scope = "one" })).Step.Status);
    }

    [Fact]
    public async Task A_changed_output_of_an_earlier_step_is_a_change()
    {
        _folder.Write("in", "1");
        _folder.Write("n", "5");
        const string yaml = """
            name: values
            steps:
              - { id: read, run: "echo v=$(cat n) > $PAWL_OUTPUT" }
              - { id: docs, sources: in, run: "echo ${{ steps.read.outputs.v }}" }
            """;
        await Run(yaml);
        Assert.Equal(StepStatus.Skipped, (await Run(yaml)).Step.Status);
        _folder.Write("n", "6");
        Assert.Equal("steps.read.outputs.v changed from '5' to '6'", (await Run(yaml)).Step.Reason);
    }

    [Fact]
    public async Task Without_a_matching_file_the_step_runs_every_time()
    {
        const string yaml = "name: none\nsteps: [ { id: docs, sources: 'nothing/**', run: 'echo x >> ran' } ]";
        Assert.Equal("no file matches 'sources'", (await Run(yaml)).Step.Reason);
        Assert.Equal("no file matches 'sources'", (await Run(yaml)).Step.Reason);
        Assert.Equal("x\nx\n", _folder.Read("ran"));
    }

    [Fact]
    public async Task What_a_step_makes_among_its_sources_does_not_make_it_run()
    {
        _folder.Write("src/a", "1");
        const string yaml = "name: overlap\nsteps: [ { id: docs, sources: '**', generates: 'out/**', run: 'mkdir -p out; date +%N > out/x' } ]";
        await Run(yaml);
        Assert.Equal(StepStatus.Skipped, (await Run(yaml)).Step.Status);
    }

    [Fact]
    public async Task Each_item_of_a_fan_out_is_looked_at_by_itself()
    {
        _folder.Write("a/x", "1");
        _folder.Write("b/x", "1");
        const string yaml = "name: items\nsteps: [ { id: docs, foreach: [a, b], sources: '${{ item }}/**', run: 'echo $PAWL_STEP >> ran' } ]";
        await Run(yaml);
        _folder.Write("b/x", "2");
        var (result, _) = await Run(yaml);
        Assert.Equal(StepStatus.Skipped, result.Steps.Single(step => step.Path == "docs[a]").Status);
        Assert.Equal("b/x changed", result.Steps.Single(step => step.Path == "docs[b]").Reason);
    }

    [Fact]
    public async Task A_failure_records_nothing_to_skip_by()
    {
        _folder.Write("docs/a.md", "a");
        const string yaml = "name: fail\nsteps: [ { id: docs, sources: docs, run: 'test -e ready', continue_on_error: true } ]";
        await Run(yaml);
        Assert.Equal(StepStatus.Failed, (await Run(yaml)).Step.Status);
        _folder.Write("ready", "");
        Assert.Equal(StepStatus.Completed, (await Run(yaml)).Step.Status);
        Assert.Equal(StepStatus.Skipped, (await Run(yaml)).Step.Status);
    }

    [Fact]
    public async Task A_source_that_cannot_be_read_skips_nothing_and_says_so()
    {
        _folder.Write("in", "1");
        const string yaml = "name: unreadable\nsteps: [ { id: make, run: 'mkdir -p d; [ ! -e gone ] || rm -r d; true' }, { id: docs, working_directory: d, sources: '**', run: 'true', continue_on_error: true } ]";
        Assert.Equal("no file matches 'sources'", (await Run(yaml)).Step.Reason);
        _folder.Write("gone", "");
        var (_, step) = await Run(yaml);
        Assert.Equal(StepStatus.Failed, step.Status);
        Assert.Contains("does not exist", step.Error!.Message);
    }

    [Fact]
    public async Task Links_are_not_followed()
    {
        _folder.Write("real/a", "1");
        Directory.CreateSymbolicLink(Path.Combine(_folder.Path, "docs"), Path.Combine(_folder.Path, "real"));
        Assert.Equal("no file matches 'sources'", (await Run("name: link\nsteps: [ { id: docs, sources: 'docs/**', run: 'true' } ]")).Step.Reason);
    }

    [Fact]
    public async Task A_record_that_is_not_ours_skips_nothing()
    {
        _folder.Write("in", "1");
        var foreign = Workflow.Create("alien").Add(new Step { Id = "docs", Body = _ => Task.FromResult(StepResult.Ok() with { Inputs = RawJson.Parse("""{"definition":1}""") }) }).Build();
        await _folder.Client.RunAsync(foreign, start: new StartOptions { RunId = "alien-1" }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal("the record of run alien-1 cannot be read", (await Run("name: alien\nsteps: [ { id: docs, sources: in, run: 'true' } ]")).Step.Reason);
    }

    [Fact]
    public async Task What_is_recorded_holds_no_secret_and_no_environment()
    {
        _folder.Write("in", "1");
        Environment.SetEnvironmentVariable("PAWL_TEST_ENVIRONMENT", "value-of-the-environment");
        var (result, _) = await Run("""
            name: recorded
            params: { token: { type: secret }, plain: "see s3cr3t-99 here" }
            steps:
              - { id: docs, sources: in, env: { T: "${{ params.token }}" }, run: "true ${{ env.PAWL_TEST_ENVIRONMENT }} ${{ format('{0}', params.token) }} ${{ params.plain }}" }
            """, new { token = "s3cr3t-99" });
        Checkpoint? record = null;
        await foreach (var one in _folder.Store.ReadAsync(result.RunId, 1, TestContext.Current.CancellationToken)) if (one.Path == "docs") record = one;
        using var inputs = JsonDocument.Parse(record!.Inputs);
        Assert.Equal(["env.PAWL_TEST_ENVIRONMENT", "params.plain"], inputs.RootElement.GetProperty("values").EnumerateObject().Select(value => value.Name));
        Assert.Equal("see *** here", inputs.RootElement.GetProperty("values").GetProperty("params.plain").GetString());
        Assert.StartsWith("sha256:", inputs.RootElement.GetProperty("values").GetProperty("env.PAWL_TEST_ENVIRONMENT").GetString());
        Assert.Equal(16, inputs.RootElement.GetProperty("sources").GetProperty("in").GetString()!.Length);
    }

    [Fact]
    public async Task Git_decides_by_commits_and_by_the_working_tree()
    {
        const string yaml = "name: git\nsteps: [ { id: docs, git: changed, sources: 'docs/**', run: 'true' } ]";
        _folder.Write("docs/a.md", "a");
        Assert.StartsWith("git cannot tell: not a git repository", (await Run(yaml)).Step.Reason);
        Git("init", "-q");
        Assert.StartsWith("git cannot tell: ", (await Run(yaml)).Step.Reason);
        Commit("one");
        Assert.Equal("its last success recorded no commit", (await Run(yaml)).Step.Reason);
        var (_, skipped) = await Run(yaml);
        Assert.Matches("^unchanged since run run-3: git shows no changes since [0-9a-f]{8}, 0 generated files$", skipped.Reason);

        _folder.Write("other.txt", "elsewhere");
        Commit("two");
        Assert.Equal(StepStatus.Skipped, (await Run(yaml)).Step.Status);

        _folder.Write("docs/a file é.md", "b");
        Assert.Equal("docs/a file é.md has uncommitted changes", (await Run(yaml)).Step.Reason);
        Commit("three");
        Assert.Equal("its last success had uncommitted changes", (await Run(yaml)).Step.Reason);
        Assert.Equal(StepStatus.Skipped, (await Run(yaml)).Step.Status);

        File.Delete(Path.Combine(_folder.Path, "docs/a.md"));
        Commit("four");
        Assert.Matches("^docs/a.md changed since commit [0-9a-f]{8}$", (await Run(yaml)).Step.Reason);
        _folder.Write("docs/a.md", "staged");
        Git("add", "-A");
        Assert.Equal("docs/a.md has uncommitted changes", (await Run(yaml)).Step.Reason);
    }

    [Fact]
    public async Task Git_without_sources_looks_at_everything_but_pawls_own_files()
    {
        const string yaml = "name: gitall\nsteps: [ { id: docs, git: changed, working_directory: sub, run: 'true' }, { id: whole, git: changed, run: 'true' } ]";
        _folder.Write("sub/a", "1");
        Git("init", "-q");
        Commit("one");
        await Run(yaml);
        _folder.Write(".checkpoints/run/journal.jsonl", "{}");
        Assert.Equal(StepStatus.Skipped, (await Run(yaml)).Step.Status);
        _folder.Write("top.txt", "1");
        var (result, inside) = await Run(yaml);
        Assert.Equal(StepStatus.Skipped, inside.Status);
        Assert.Equal("top.txt has uncommitted changes", result.Steps.Single(step => step.Path == "whole").Reason);
    }

    void Commit(string message)
    {
        Git("add", "-A");
        Git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", message);
    }

    void Git(params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo("git", words) { WorkingDirectory = _folder.Path })!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
