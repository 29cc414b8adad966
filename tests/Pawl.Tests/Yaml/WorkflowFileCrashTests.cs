using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Yaml;

public sealed class WorkflowFileCrashTests : IDisposable
{
    readonly WorkflowFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Kills the run at every write, before and after it, resumes it each time, and looks at each end.</summary>
    async Task AtEveryWrite(string yaml, Action<RunResult, CrashingStore, string, string> look)
    {
        for (var write = 1; ; write++)
        {
            foreach (var moment in new[] { CrashMoment.Before, CrashMoment.After })
            {
                foreach (var file in Directory.GetFiles(_folder.Path)) File.Delete(file);
                var inner = new MemoryStore();
                var crashing = new CrashingStore(inner, new CrashPoint(write, moment));
                var start = new StartOptions { RunId = $"r-{write}-{moment}" };
                try
                {
                    await new PawlClient(crashing).RunAsync(_folder.Parse(yaml), start: start, cancellationToken: TestContext.Current.CancellationToken);
                }
                catch (ProcessDiedException) { }
                if (!crashing.IsDead) return;
                var before = _folder.Has("log") ? _folder.Read("log") : "";
                var client = new PawlClient(inner);
                if (await inner.FindAsync(start.RunId, TestContext.Current.CancellationToken) is not { Status: not RunStatus.Completed }) continue;
                var result = await client.ResumeAsync(_folder.Parse(yaml), start.RunId, cancellationToken: TestContext.Current.CancellationToken);
                var after = _folder.Has("log") ? _folder.Read("log")[before.Length..] : "";
                look(result, crashing, before, after);
            }
        }
    }

    [Fact]
    public async Task A_run_killed_at_any_write_ends_as_an_unbroken_one_and_repeats_nothing_that_was_acknowledged()
    {
        const string yaml = """
            name: crash
            concurrency: 2
            steps:
              - { id: list, run: 'echo $PAWL_STEP >> log; echo "l=[1,2]" > $PAWL_OUTPUT' }
              - { id: each, foreach: "${{ steps.list.outputs.l }}", steps: [ { id: a, run: "echo $PAWL_STEP >> log; echo v=${{ item }} > $PAWL_OUTPUT" } ] }
              - id: pick
                choose:
                  - { when: "steps.each.outputs[1].outputs.a.v == 2", steps: [ { id: yes, run: "echo $PAWL_STEP >> log" } ] }
                  - { otherwise: [ { id: no, run: "echo $PAWL_STEP >> log" } ] }
              - { id: wait, sleep: 1ms }
              - { id: last, run: "echo $PAWL_STEP >> log; echo r=${{ steps.pick.outputs.case }} > $PAWL_OUTPUT" }
            """;
        var rounds = 0;
        await AtEveryWrite(yaml, (result, crashed, _, after) =>
        {
            rounds++;
            Assert.True(result.Status == RunStatus.Completed, result.Error);
            Assert.Equal("""{"r":"case-1"}""", result.Output<RawJson>("last").ToString());
            Assert.Equal("""[{"key":"1","outputs":{"a":{"v":"1"}}},{"key":"2","outputs":{"a":{"v":"2"}}}]""", result.Output<RawJson>("each").ToString());
            var done = crashed.Acknowledged.Where(record => record.Status == StepStatus.Completed).Select(record => record.Path).ToHashSet();
            Assert.DoesNotContain(after.Split('\n'), done.Contains);
        });
        Assert.True(rounds > 20, $"only {rounds} rounds");
    }

    const string Publish = """
        name: publish
        steps:
          - { id: before, run: "true" }
          - id: publish
            on_unknown: POLICY
            run: echo done >> log; echo url=x > $PAWL_OUTPUT
          - { id: after, run: "true" }
        """;

    [Fact]
    public async Task A_probe_keeps_finished_work_from_being_done_twice()
    {
        var unknown = 0;
        await AtEveryWrite(Publish.Replace("POLICY", "{ probe: 'test -e log && echo url=probed > $PAWL_OUTPUT' }"), (result, _, _, _) =>
        {
            Assert.True(result.Status == RunStatus.Completed, result.Error);
            Assert.Equal("done\n", _folder.Read("log"));
            if (result.Output<RawJson>("publish").ToString() == """{"url":"probed"}""") unknown++;
        });
        Assert.True(unknown > 0);
    }

    [Fact]
    public async Task An_unknown_outcome_fails_or_counts_as_done_as_the_file_says()
    {
        var failed = 0;
        await AtEveryWrite(Publish.Replace("POLICY", "fail"), (result, crashed, before, after) =>
        {
            Assert.True(before.Length == 0 || after.Length == 0);
            if (result.Status == RunStatus.Completed) return;
            failed++;
            Assert.Contains("nobody knows", result.Error);
            Assert.DoesNotContain(crashed.Acknowledged, record => record is { Path: "publish", Status: StepStatus.Completed });
        });
        Assert.True(failed > 0);

        var counted = 0;
        await AtEveryWrite(Publish.Replace("POLICY", "skip"), (result, _, before, after) =>
        {
            Assert.Equal(RunStatus.Completed, result.Status);
            Assert.True(before.Length == 0 || after.Length == 0);
            if (result.Steps.Any(step => step is { Path: "publish", Status: StepStatus.Skipped, Restored: false })) counted++;
        });
        Assert.True(counted > 0);
    }
}
