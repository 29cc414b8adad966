using Pawl.Storage;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

/// <summary>A folder of its own and a client with a store in memory.</summary>
public sealed class WorkflowFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("pawl-yaml-").FullName;

    public MemoryStore Store { get; } = new();

    public PawlClient Client => new(Store);

    public void Write(string name, string content)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        using var file = new StreamWriter(path);
        file.Write(content);
    }

    public string Read(string name) => File.ReadAllText(System.IO.Path.Combine(Path, name));

    public bool Has(string name) => File.Exists(System.IO.Path.Combine(Path, name));

    public Workflow Parse(string yaml) => WorkflowFile.Parse(yaml, System.IO.Path.Combine(Path, "workflow.yaml"), Path);

    public async Task<RunResult> Run(string yaml, object? parameters = null, StartOptions? start = null) =>
        await Client.RunAsync(Parse(yaml), parameters?.GetType().GetProperties().ToDictionary(one => one.Name, one => one.GetValue(parameters)), start, TestContext.Current.CancellationToken);

    /// <summary>Everything the store holds of a run, as text.</summary>
    public async Task<string> Everything(string runId)
    {
        var text = new System.Text.StringBuilder();
        await foreach (var record in Store.ReadAsync(runId, 1, TestContext.Current.CancellationToken))
        {
            foreach (var part in new[] { record.Output, record.State, record.Metrics, record.Inputs, record.Data, record.Progress }) text.Append(System.Text.Encoding.UTF8.GetString(part.Span)).Append('\n');
            text.Append(record.Path).Append(record.Reason).Append(record.Error?.Message).Append(record.Error?.Detail).Append('\n');
        }
        return text.ToString();
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

public sealed class WorkflowFileRunTests : IDisposable
{
    readonly WorkflowFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static string Output(RunResult result, string path) => result.Output<RawJson>(path).ToString();

    static StepReport Report(RunResult result, string path) => result.Steps.Single(step => step.Path == path);

    [Fact]
    public async Task Outputs_flow_from_step_to_step()
    {
        var result = await _folder.Run("""
            name: flow
            params: { who: world }
            steps:
              - id: a
                run: echo "greeting=hello ${{ params.who }}" >> "$PAWL_OUTPUT"
              - id: b
                if: steps.a.outputs.greeting == 'hello world'
                run: echo "said=${{ steps.a.outputs.greeting }}!" >> "$PAWL_OUTPUT"
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal("""{"said":"hello world!"}""", Output(result, "b"));
    }

    [Fact]
    public async Task Values_cannot_become_code()
    {
        var result = await _folder.Run("""
            name: quoting
            params: { evil: "$(touch pwned); `touch pwned`; ' \" ; touch pwned" }
            steps:
              - id: a
                run: |
                  touch "x"${{ params.evil }} || true
                  printf 'v=%s\n' ${{ params.evil }} > "$PAWL_OUTPUT"
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.False(_folder.Has("pwned"));
    }

    [Fact]
    public async Task A_matrix_runs_every_combination_under_its_own_path()
    {
        var result = await _folder.Run("""
            name: m
            steps:
              - id: each
                matrix:
                  os: [linux, windows]
                  mode: [debug, release]
                  exclude: [ { os: windows, mode: debug } ]
                  include: [ { os: linux, mode: debug, extra: yes }, { os: mac, mode: release } ]
                max_parallel: 2
                run: echo "v=${{ matrix.os }}-${{ matrix.mode }}-${{ default(matrix.extra, 'no') }}" >> "$PAWL_OUTPUT"
              - id: last
                run: echo "n=${{ length(steps.each.outputs) }} ${{ steps.each.outputs[0].outputs.v }}" >> "$PAWL_OUTPUT"
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal(["each[linux,debug]", "each[linux,release]", "each[mac,release]", "each[windows,release]"], result.Steps.Select(step => step.Path).Where(path => path.Contains('[')).Order(StringComparer.Ordinal));
        Assert.Equal("""{"v":"linux-debug-yes"}""", Output(result, "each[linux,debug]"));
        Assert.Equal("""{"n":"4 linux-debug-yes"}""", Output(result, "last"));
    }

    [Fact]
    public async Task A_foreach_goes_over_the_list_an_output_holds()
    {
        var result = await _folder.Run("""
            name: f
            steps:
              - id: list
                run: echo 'files=[{"id":"a","n":1},{"id":"b","n":2}]' >> "$PAWL_OUTPUT"
              - id: each
                foreach: ${{ steps.list.outputs.files }}
                steps:
                  - id: one
                    run: echo "v=${{ item.n }}${{ index }}" >> "$PAWL_OUTPUT"
                  - id: two
                    run: echo "v=${{ steps.one.outputs.v }}!" >> "$PAWL_OUTPUT"
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal("""{"v":"10!"}""", Output(result, "each[a]/two"));
        Assert.Equal("""[{"key":"a","outputs":{"one":{"v":"10"},"two":{"v":"10!"}}},{"key":"b","outputs":{"one":{"v":"21"},"two":{"v":"21!"}}}]""", Output(result, "each"));
    }

    [Fact]
    public async Task Two_items_with_one_key_are_an_error_that_names_the_mend()
    {
        var result = await _folder.Run("""
            name: f
            steps:
              - id: each
                foreach: [x, x]
                run: "true"
            """);
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("Two items have the key 'x'", result.Error);
    }

    [Fact]
    public async Task A_choice_takes_the_first_case_that_holds_and_does_not_fall_through()
    {
        var result = await _folder.Run("""
            name: c
            params: { n: 5 }
            steps:
              - id: pick
                choose:
                  - when: params.n > 10
                    steps: [ { id: big, run: touch big } ]
                  - when: params.n > 3
                    steps: [ { id: middle, run: touch middle; echo v=1 > "$PAWL_OUTPUT" } ]
                  - when: "${{ params.n > 1 }}"
                    steps: [ { id: small, run: touch small } ]
                  - otherwise: [ { id: none, run: touch none } ]
              - id: after
                run: echo "r=${{ steps.pick.outputs.case }} ${{ steps['pick/case-2/middle'].outputs.v }}" >> "$PAWL_OUTPUT"
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal(["middle"], new[] { "big", "middle", "small", "none" }.Where(_folder.Has));
        Assert.Equal("""{"r":"case-2 1"}""", Output(result, "after"));
    }

    [Fact]
    public async Task A_group_runs_side_by_side()
    {
        // Each child waits for the mark of the other: one after the other they would never end.
        var result = await _folder.Run("""
            name: g
            timeout: 20s
            steps:
              - id: both
                group:
                  - { id: a, run: "touch a; until [ -e b ]; do sleep 0.02; done" }
                  - { id: b, run: "touch b; until [ -e a ]; do sleep 0.02; done; echo v=1 > $PAWL_OUTPUT" }
                  - { id: c, needs: [a, b], run: "echo v=${{ steps.b.outputs.v }} > $PAWL_OUTPUT" }
              - id: after
                run: echo "v=${{ steps.both.outputs.c.v }}" > $PAWL_OUTPUT
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal("""{"v":"1"}""", Output(result, "after"));
    }

    [Fact]
    public async Task A_child_workflow_gets_params_and_gives_outputs()
    {
        _folder.Write("sub/child.yaml", """
            name: child
            params: { n: { type: integer } }
            steps:
              - id: double
                run: echo "v=$(( ${{ params.n }} * 2 ))" > "$PAWL_OUTPUT"
            """);
        var result = await _folder.Run("""
            name: parent
            steps:
              - id: call
                workflow: ./sub/child.yaml
                with: { n: 21 }
              - id: after
                run: echo "v=${{ steps.call.outputs.steps.double.v }}" > $PAWL_OUTPUT
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal("""{"v":"42"}""", Output(result, "after"));
    }

    [Fact]
    public async Task Steps_with_always_or_failure_run_after_a_failure_and_others_do_not()
    {
        var result = await _folder.Run("""
            name: cond
            steps:
              - { id: bad, run: exit 3 }
              - { id: blocked, run: touch blocked }
              - { id: cleanup, needs: bad, if: always(), run: touch cleanup }
              - { id: report, needs: bad, if: "failure() && steps.bad.outcome == 'failure'", run: touch report }
              - { id: never, needs: bad, if: success(), run: touch never }
            """);
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Equal(["cleanup", "report"], new[] { "blocked", "cleanup", "report", "never" }.Where(_folder.Has));
        Assert.Equal("bad", result.ErrorStep);
        Assert.Contains("exit code 3", result.Error);
    }

    [Fact]
    public async Task Continue_on_error_lets_the_next_step_see_the_failure()
    {
        var result = await _folder.Run("""
            name: cont
            steps:
              - { id: bad, run: exit 1, continue_on_error: true }
              - { id: next, run: "echo v=${{ steps.bad.outcome }} > $PAWL_OUTPUT" }
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal("""{"v":"failure"}""", Output(result, "next"));
    }

    [Fact]
    public async Task A_false_condition_is_explained_with_its_values()
    {
        var result = await _folder.Run("""
            name: cond
            params: { scope: changed }
            steps:
              - { id: a, if: "params.scope == 'all'", run: touch a }
              - { id: b, run: touch b }
              - { id: c, needs: a, run: touch c }
            """);
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Contains("params.scope is 'changed'", Report(result, "a").Reason);
        Assert.Equal(["b"], new[] { "a", "b", "c" }.Where(_folder.Has));
    }

    [Fact]
    public async Task Compensation_undoes_finished_steps_last_first_with_their_outputs()
    {
        var result = await _folder.Run("""
            name: comp
            on_failure: compensate
            steps:
              - id: one
                run: echo "id=41" > "$PAWL_OUTPUT"
                compensate: echo "one ${{ steps.one.outputs.id }}" >> undone
              - id: each
                foreach: [x, y]
                max_parallel: 1
                run: echo "id=${{ item }}1" > "$PAWL_OUTPUT"
                compensate: echo "each ${{ steps.each.outputs.id }} ${{ item }}" >> undone
              - { id: bad, run: exit 1 }
            """);
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Equal("each y1 y\neach x1 x\none 41\n", _folder.Read("undone"));
    }

    [Fact]
    public async Task A_secret_is_masked_and_never_stored()
    {
        const string secret = "s3cr3t-value-9";
        var lines = new List<string>();
        var result = await _folder.Run("""
            name: secrets
            params: { token: { type: secret }, plain: x }
            steps:
              - id: use
                env: { TOKEN: "${{ params.token }}" }
                if: params.token != ''
                run: |
                  [ "$TOKEN" = "$PAWL_PARAM_TOKEN" ] && [ ${{ params.token }} = "$TOKEN" ]
                  echo "token is $TOKEN"
                  echo "len=${#TOKEN}" >> "$PAWL_OUTPUT"
              - { id: fails, run: "echo $PAWL_PARAM_TOKEN >&2; exit 1", continue_on_error: true }
            """, new { token = secret }, new StartOptions { OnEvent = happened => { if (happened is RunEvent.Output output) lines.Add(output.Line); } });
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal($$"""{"len":"{{secret.Length}}"}""", Output(result, "use"));
        Assert.Contains("token is ***", lines);
        Assert.DoesNotContain(lines, line => line.Contains(secret));
        Assert.DoesNotContain(secret, await _folder.Everything(result.RunId));
    }

    [Fact]
    public async Task A_failed_run_goes_on_where_it_stopped()
    {
        const string yaml = """
            name: resume
            steps:
              - { id: one, run: echo one >> log }
              - id: each
                foreach: [a, b, c]
                max_parallel: 1
                run: echo "${{ item }}" >> log; [ "${{ item }}" != b ] || [ -e ready ]
              - { id: last, run: "echo last ${{ run.resumed }} >> log" }
            """;
        var first = await _folder.Run(yaml);
        Assert.Equal(RunStatus.Failed, first.Status);
        _folder.Write("ready", "");
        var second = await _folder.Client.ResumeAsync(_folder.Parse(yaml), first.RunId, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(second.Status == RunStatus.Completed, second.Error);
        Assert.Equal("one\na\nb\nb\nc\nlast true\n", _folder.Read("log"));
    }

    [Fact]
    public async Task Retries_and_time_limits_come_from_the_file()
    {
        var result = await _folder.Run("""
            name: retry
            defaults: { retry: { attempts: 3, delay: 1ms, jitter: false }, timeout: 10s }
            steps:
              - { id: flaky, run: "echo x >> tries; [ $PAWL_ATTEMPT = 3 ]" }
              - { id: slow, timeout: 200ms, retry: 1, run: sleep 30, continue_on_error: true }
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal(3, Report(result, "flaky").Attempt);
        Assert.Equal("timeout", Report(result, "slow").Error?.Type);
    }

    [Fact]
    public async Task Variables_of_the_step_win_over_those_of_the_defaults_and_the_file()
    {
        var result = await _folder.Run("""
            name: env
            env: { A: file, B: file, C: file }
            defaults: { env: { B: "default over ${{ env.B }}", C: default } }
            steps:
              - id: s
                env: { C: step }
                working_directory: .
                run: echo "v=$A,$B,$C,$PAWL_WORKFLOW_DIR" > "$PAWL_OUTPUT"
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
        Assert.Equal($$"""{"v":"file,default over file,step,{{_folder.Path}}"}""", Output(result, "s"));
    }

    [Fact]
    public async Task A_pause_is_durable_and_ends()
    {
        var result = await _folder.Run("""
            name: sleep
            params: { pause: 50ms }
            steps:
              - { id: wait, sleep: "${{ params.pause }}" }
              - { id: after, run: "true" }
            """);
        Assert.True(result.Status == RunStatus.Completed, result.Error);
    }
}
