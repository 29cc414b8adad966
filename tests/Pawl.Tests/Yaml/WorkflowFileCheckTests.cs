using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class WorkflowFileCheckTests
{
    static string Check(string yaml, bool strict = false, string? path = null) => string.Join('\n', WorkflowFile.Check(yaml, path, strict));

    const string Head = "name: n\nsteps:\n";

    [Fact]
    public void A_good_file_has_no_problems() => Assert.Equal("", Check(Samples.Everything, strict: true));

    [Theory]
    [InlineData("name: n\nstepz: []", "2:1: error: There is no key 'stepz' in a workflow file. Did you mean 'steps'?")]
    [InlineData("name: n", "1:1: error: 'steps' is missing in a workflow file.")]
    [InlineData("- a", "1:1: error: A workflow file is a mapping of keys and values, and this is a list.")]
    [InlineData("", "1:1: error: The file is empty.")]
    [InlineData("name: n\nversion: 1.0.0\nsteps: [{id: a, run: x}]", "2:10: error: 'version' must be a whole number from 1, not '1.0.0'.")]
    [InlineData("name: n\ncheckpointing: { strategy: every-step }\nsteps: [{id: a, run: x}]", "2:28: error: 'strategy' must be one of every_step, marked, off, not 'every-step'. Did you mean 'every_step'?")]
    [InlineData("name: n\ncheckpointing: { enabled: yes }\nsteps: [{id: a, run: x}]", "2:27: error: 'enabled' must be true or false, not 'yes'. Write true.")]
    [InlineData("name: n\ntimeout: 10\nsteps: [{id: a, run: x}]", "2:10: error: 'timeout' must be a length of time such as 500ms, 30s, 10m, 2h, 3d or 1m30s, not '10'. Write the unit as well, for example 10s or 10m.")]
    [InlineData("name: n\nsteps: []", "2:8: error: This list of steps is empty.")]
    [InlineData("name: n\nname: m\nsteps: [{id: a, run: x}]", "2:1: error: The key 'name' stands here twice; the first is at 1:1.")]
    [InlineData("name:\nsteps: [{id: a, run: x}]", "1:1: error: 'name' has no value; it must be a text.")]
    public void The_top_of_a_file_is_checked(string yaml, string problem) => Assert.Contains(problem, Check(yaml));

    [Theory]
    [InlineData("  - run: x", "3:5: error: 'id' is missing in a step.")]
    [InlineData("  - { id: a b, run: x }", "3:11: error: 'a b' is not a step id")]
    [InlineData("  - { id: a, depends_on: b, run: x }", "3:14: error: There is no key 'depends_on' in a step. Write 'needs'.")]
    [InlineData("  - { id: a }", "3:5: error: The step does nothing.")]
    [InlineData("  - { id: a, run: x, group: [{id: b, run: y}] }", "3:22: error: A step does one thing, and this one has 'run' and 'group'.")]
    [InlineData("  - { id: a, run: x }\n  - { id: a, run: y }", "4:11: error: Two steps have the id 'a'; the first is at 3:11.")]
    [InlineData("  - { id: a, needs: b, run: x }", "3:21: error: Step 'a' needs 'b', which is not among its neighbours.")]
    [InlineData("  - { id: build, run: x }\n  - { id: b, needs: buildx, run: x }", "Did you mean 'build'?")]
    [InlineData("  - { id: a, needs: a, run: x }", "3:21: error: Step 'a' needs itself.")]
    [InlineData("  - { id: a, needs: c, run: x }\n  - { id: b, needs: a, run: x }\n  - { id: c, needs: b, run: x }", "error: Steps wait for each other in a circle: a (line 3) -> c (line 5) -> b (line 4) -> a (line 3).")]
    [InlineData("  - { id: a, approval: { timeout: 1d } }", "error: 'message' is missing in 'approval'.")]
    [InlineData("  - { id: a, approval: { message: ok, on_timeout: maybe } }", "on_timeout")]
    [InlineData("  - { id: a, wait_for: { signal: go, on_timeout: reject } }", "on_timeout")]
    [InlineData("  - { id: a, wait_for: { name: go } }", "There is no key 'name' in 'wait_for'.")]
    [InlineData("  - { id: a, agents: { rounds: 3 } }", "3:14: error: This program loads workflow files without agents.")]
    [InlineData("  - { id: a, group: [{id: b, run: y}], retry: 3 }", "error: 'retry' works only together with 'run'.")]
    [InlineData("  - { id: a, run: x, max_parallel: 3 }", "error: 'max_parallel' belongs to 'foreach' or 'matrix'")]
    [InlineData("  - { id: a, run: x, with: { a: 1 } }", "error: 'with' gives params to a child workflow")]
    [InlineData("  - { id: a, steps: [{id: b, run: y}] }", "error: 'steps' inside a step belongs to 'foreach' or 'matrix'.")]
    [InlineData("  - { id: a, run: x, matrix: { os: [] } }", "error: The matrix dimension 'os' is empty.")]
    [InlineData("  - { id: a, run: x, matrix: { os: linux } }", "error: 'os' of a matrix must be a list, or an expression that gives one.")]
    [InlineData("  - { id: a, run: x, matrix: { os: [a], include: [b] } }", "error: 'include' must be a list of mappings.")]
    [InlineData("  - { id: a, run: x, generates: out }", "error: 'generates' alone does not say when the step is needed.")]
    [InlineData("  - { id: a, run: x, sources: ../up }", "error: The file pattern '../up' leads out of the project's folder")]
    [InlineData("  - { id: a, run: x, working_directory: /etc }", "error: 'working_directory' is relative")]
    [InlineData("  - { id: a, run: x, working_directory: a/../../b }", "error: 'working_directory' leads out")]
    [InlineData("  - { id: a, run: x, env: { PAWL_X: 1 } }", "error: 'PAWL_X' is reserved")]
    [InlineData("  - { id: a, run: x, env: { a-b: 1 } }", "error: 'a-b' is not the name of an environment variable")]
    [InlineData("  - { id: a, run: x, shell: fish }", "error: 'shell' must be one of bash, sh, pwsh, not 'fish'.")]
    [InlineData("  - { id: a, choose: [ { otherwise: [{id: b, run: x}] }, { when: 'true', steps: [{id: c, run: x}] } ] }", "error: 'otherwise' must be the last case")]
    [InlineData("  - { id: a, choose: [ { when: 'true' } ] }", "error: A case needs 'when' and 'steps', or 'otherwise'.")]
    [InlineData("  - { id: a, run: x, output_limit: 3 GB }", "error: 'output_limit' must be")]
    [InlineData("  - { id: a, sleep: soon }", "error: 'sleep' must be a length of time")]
    [InlineData("  - { id: a, workflow: child.yaml }", "error: A child workflow is found relative to its parent's file")]
    [InlineData("  - { id: otherwise, run: x }", "error: 'otherwise' is the name of a case")]
    [InlineData("  - { id: a, run: '' }", "error: The command is empty.")]
    [InlineData("  - just text", "3:5: error: Each of the steps must be a mapping (id, name, needs, after, if, …), not 'just text'.")]
    public void A_step_is_checked(string steps, string problem) => Assert.Contains(problem, Check(Head + steps));

    [Theory]
    [InlineData("if: params.x", "'params.x'", "There is no param 'x'. Declare it under 'params'.")]
    [InlineData("if: steps.first.outcome == 'success'", "ok", "")]
    [InlineData("if: steps.firsd.outcome == 'success'", "frist", "There is no step 'firsd'. Did you mean 'first'?")]
    [InlineData("if: steps.later.outcome == 'success'", "later", "Step 'a' uses 'later', which need not have ended before it. Add it to needs: needs: later")]
    [InlineData("if: steps.a.outcome == 'success'", "self", "Step 'a' is inside of 'a', which has not ended.")]
    [InlineData("if: steps.first.files", "member", "A step has no 'files'. Did you mean steps.first.outputs.files?")]
    [InlineData("if: steps.inner.outcome", "inner", "A step inside another one is named with its path: steps['outer/inner'].")]
    [InlineData("if: steps['outer/inner'].outcome", "ok", "")]
    [InlineData("if: steps['outer/iner'].outcome", "iner", "There is no step 'iner' in 'outer'. Did you mean 'inner'?")]
    [InlineData("if: steps.each.outputs.x", "list", "The outputs of 'each' are a list")]
    [InlineData("if: steps.each.outputs[0].outputs.x", "ok", "")]
    [InlineData("if: matrix.os", "matrix", "There is no matrix here.")]
    [InlineData("if: item", "item", "There is no 'item' here.")]
    [InlineData("if: run.number", "run", "A run has no 'number'. It has: id, attempt, resumed, workflow.")]
    [InlineData("if: git.tag", "git", "'git' has no 'tag'.")]
    [InlineData("if: parms.x", "root", "There is nothing called 'parms' here. Did you mean 'params'?")]
    [InlineData("if: sucess()", "function", "sucess")]
    [InlineData("if: \"x ${{ true }}\"", "text beside", "always true")]
    [InlineData("if: ${{ true", "open", "no '}}' ends it")]
    public void Every_name_in_an_expression_is_checked(string line, string _, string problem)
    {
        var text = Check($"""
            name: n
            steps:
              - id: first
                run: echo x=1 > $PAWL_OUTPUT
              - id: outer
                group: [ {"{"} id: inner, run: x {"}"} ]
              - id: each
                foreach: [1, 2]
                run: x
              - id: a
                {line}
                run: x
              - id: later
                run: x
            """);
        if (problem.Length == 0) Assert.Equal("", text);
        else
        {
            Assert.Contains(problem, text);
            Assert.StartsWith("11:", text);
        }
    }

    [Fact]
    public void Problems_inside_a_script_have_the_line_and_column_of_the_name()
    {
        var yaml = "name: n\nsteps:\n  - id: a\n    run: |\n      echo one\n      echo ${{ params.nothing }} ${{ steps.b.outcome }}\n";
        Assert.Equal("6:16: error: There is no param 'nothing'. Declare it under 'params'.\n6:38: error: There is no step 'b'. Did you mean 'a'?", Check(yaml));
    }

    [Fact]
    public void Every_problem_is_reported_at_once_in_the_order_of_the_file()
    {
        var problems = WorkflowFile.Check("name: n\nfoo: 1\nsteps:\n  - { id: a, runn: x }\n  - { id: b, needs: c, if: params.z, run: x }\n");
        Assert.Equal([2, 4, 5, 5], problems.Select(problem => problem.Line));
        var error = Assert.Throws<WorkflowFileException>(() => WorkflowFile.Parse("name: n\nfoo: 1\n", "wf.yaml"));
        Assert.Contains("wf.yaml:2:1: error: There is no key 'foo'", error.Message);
        Assert.Equal(2, error.Problems.Count);
    }

    [Theory]
    [InlineData("p: { type: strin }", "'type' must be one of")]
    [InlineData("p: { type: integer, default: 1.5 }", "must be of type integer")]
    [InlineData("p: { type: secret, default: hunter2 }", "The secret 'p' stands in the file.")]
    [InlineData("p: { enum: [a, b], default: c }", "The default 'c' of 'p' is not among the values of 'enum'.")]
    [InlineData("p: { type: integer, env: N }", "'env' works for params of type string and secret")]
    [InlineData("a-b: 1\n  a_b: 2", "would be the same environment variable PAWL_PARAM_A_B")]
    [InlineData("1x: 1", "is not a param's name")]
    public void Params_are_checked(string param, string problem) => Assert.Contains(problem, Check($"name: n\nparams:\n  {param}\nsteps: [{{id: a, run: x}}]"));

    [Fact]
    public void Params_keep_their_types_and_digits()
    {
        var workflow = WorkflowFile.Parse("""
            name: n
            params:
              text: hello
              quoted: "1"
              version: { type: string, default: 1.10 }
              big: 9007199254740993
              price: 1.10
              flag: true
              yes: on
              list: [1, a]
              map: { default: { a: 1 } }
              must:
              may: { required: false }
              choice: { default: all, enum: [all, changed] }
              token: { type: secret, env: TOKEN, required: false }
            steps: [ { id: a, run: x } ]
            """);
        Assert.Equal(
            ["text string \"hello\" False", "quoted string \"1\" False", "version string \"1.10\" False", "big integer 9007199254740993 False", "price number 1.10 False", "flag boolean true False", "yes string \"on\" False",
                "list list [1,\"a\"] False", "map object {\"a\":1} False", "must string  True", "may string  False", "choice string \"all\" False", "token secret  False"],
            workflow.Params.Select(param => $"{param.Name} {param.Type} {param.Default} {param.Required}"));
    }

    [Fact]
    public void A_secret_cannot_go_where_values_are_recorded()
    {
        var text = Check("""
            name: n
            params: { token: { type: secret } }
            steps:
              - { id: a, foreach: [ "${{ params.token }}" ], run: x }
              - { id: b, run: x, sources: "${{ params.token }}" }
              - { id: c, run: "echo ${{ params.token }}", env: { T: "${{ params.token }}" } }
            """);
        Assert.Equal(2, text.Split('\n').Length);
        Assert.All(text.Split('\n'), line => Assert.Contains("The secret 'token' cannot be used here", line));
    }

    [Fact]
    public void Strict_warns_about_what_is_suspicious()
    {
        var text = Check("""
            name: n
            params: { used: 1, unused: 2, inShell: 3 }
            steps:
              - { id: a, run: "echo ${{ params.used }} $PAWL_PARAM_INSHELL" }
              - id: b
                if: steps.a.outputs.missing == '1'
                group:
                  - { id: a, run: x }
              - { id: c, if: cancelled(), run: x }
            """, strict: true);
        Assert.Contains("2:20: warning: Nothing in this file uses the param 'unused'.", text);
        Assert.Contains("6:9: warning: The command of 'a' does not mention the output 'missing'", text);
        Assert.Contains("8:15: warning: The id 'a' hides the step 'a'", text);
        Assert.Contains("9:18: warning: A canceled run starts nothing new", text);
        Assert.DoesNotContain("'used'", text);
        Assert.DoesNotContain("inShell", text);
    }

    [Fact]
    public void A_foreign_format_gets_good_errors()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "../../../../tests/Pawl.Tests/Yaml/Fixtures/foreign-workflow-config.yaml");
        var problems = WorkflowFile.CheckFile(path);
        var text = string.Join('\n', problems);
        Assert.Contains(":5:1: error: There is no key 'project' in a workflow file.", text);
        Assert.Contains("not under 'workflow'", text);
        Assert.Contains("'steps' is missing", text);
        // As if its steps stood in the right place.
        var steps = Check("name: n\nsteps:\n" + string.Join('\n', File.ReadLines(path).SkipWhile(line => !line.StartsWith("  steps:", StringComparison.Ordinal)).Skip(1).TakeWhile(line => !line.StartsWith("  #", StringComparison.Ordinal))));
        Assert.Contains("There is no key 'dependencies' in a step. Write 'needs'.", steps);
        Assert.Contains("There is no key 'file' in a step. Write 'run'", steps);
    }

    [Fact]
    public void Defaults_and_options_reach_the_workflow()
    {
        var workflow = WorkflowFile.Parse(Samples.Everything, "dir/x.yaml");
        Assert.Equal("everything", workflow.Name);
        Assert.Equal(2, workflow.Options.Concurrency);
        Assert.Equal(TimeSpan.FromHours(2), workflow.Options.Timeout);
        Assert.Equal(FailurePolicy.Continue, workflow.Options.OnFailure);
        Assert.Equal(CheckpointStrategy.Marked, workflow.Options.Strategy);
        Assert.Equal(Durability.Async, workflow.Options.Durability);
        Assert.Equal(new RetentionPolicy { MaxAge = TimeSpan.FromDays(7), KeepLast = 20 }, workflow.Options.Retention);
        Assert.Equal(3, workflow.Options.AutoResumeAttempts);
        Assert.Equal(Samples.Everything, workflow.Source!.Text);
        var step = workflow.Find("analyze")!;
        Assert.Equal(new RetryPolicy { Attempts = 3, Delay = TimeSpan.FromSeconds(2), Backoff = 1.5, MaxDelay = TimeSpan.FromMinutes(1.5), Jitter = false }, step.Options.Retry);
        Assert.Equal(TimeSpan.FromMinutes(10), step.Options.Timeout);
        Assert.Equal("Analyze it", step.Options.Title);
        Assert.Equal(["analyze"], workflow.Find("docs")!.Needs);
        Assert.Equal(["pick"], workflow.Find("publish")!.After);
        Assert.Equal("choose", workflow.Find("pick")!.Kind);
        Assert.NotNull(workflow.Find("pick/case-1/small"));
        Assert.NotNull(workflow.Find("parts/left"));
    }

    [Fact]
    public void A_step_without_needs_comes_after_the_one_above_it()
    {
        var workflow = WorkflowFile.Parse(Head + "  - { id: a, run: x }\n  - { id: b, run: x }\n  - { id: c, needs: [], run: x }\n  - { id: d, after: a, run: x }\n  - { id: e, needs: [a, c], run: x }\n");
        Assert.Equal(["", "a", "", "a", ""], workflow.Steps.Select(step => string.Join(',', step.After)));
        Assert.Equal(["", "", "", "", "a,c"], workflow.Steps.Select(step => string.Join(',', step.Needs)));
    }

    [Fact]
    public void The_fingerprint_follows_what_a_step_does_and_not_its_layout()
    {
        string Print(string step) => WorkflowFile.Parse("name: n\nsteps:\n" + step).Steps[0].Options.Fingerprint!;
        var print = Print("  - { id: a, run: make, env: { X: 1, Y: 2 } }");
        Assert.Equal(print, Print("  - id: a\n    name: A title\n    # a remark\n    env:\n      Y: 2\n      X: 1\n    run: make\n    timeout: 5m\n"));
        Assert.NotEqual(print, Print("  - { id: a, run: make all, env: { X: 1, Y: 2 } }"));
        Assert.NotEqual(print, Print("  - { id: a, run: make, env: { X: 1, Y: '2' } }"));
        Assert.NotEqual(print, WorkflowFile.Parse("name: n\nenv: { Z: 1 }\nsteps:\n  - { id: a, run: make, env: { X: 1, Y: 2 } }").Steps[0].Options.Fingerprint);
    }

    [Theory]
    [InlineData("{ id: a, run: x, env: { name: 1 } }", "{ id: a, run: x, env: { name: 2 } }")]
    [InlineData("{ id: a, run: x, matrix: { timeout: [1] } }", "{ id: a, run: x, matrix: { timeout: [2] } }")]
    [InlineData("{ id: a, group: [ { id: b, run: x } ] }", "{ id: a, group: [ { id: b, run: y } ] }")]
    [InlineData("{ id: a, choose: [ { when: 'true', steps: [ { id: b, run: x } ] } ] }", "{ id: a, choose: [ { when: '1 == 1', steps: [ { id: b, run: x } ] } ] }")]
    [InlineData("{ id: a, foreach: [1], steps: [ { id: b, run: x } ] }", "{ id: a, foreach: [1], steps: [ { id: b, run: y } ] }")]
    public void The_fingerprint_sees_into_nested_parts(string one, string other)
    {
        static string? Print(string step) => WorkflowFile.Parse("name: n\nsteps:\n  - " + step).Steps[0].Options.Fingerprint;
        Assert.NotEqual(Print(one), Print(other));
    }

    [Fact]
    public void The_example_of_the_command_contract_is_valid()
    {
        var problems = Check("""
            name: docs-and-tests
            version: 1
            params:
              scope:   { type: string, default: all, enum: [all, changed] }
              token:   { type: secret, env: GITHUB_TOKEN, required: false }
            defaults: { shell: bash, timeout: 10m, retry: { attempts: 3, delay: 1s, backoff: 2, max_delay: 60s, jitter: true } }
            concurrency: 2                      # parallel steps
            checkpointing: { strategy: every_step, durability: sync, retention: { days: 30, keep_last: 20 }, auto_resume_on_failure: false }
            steps:
              - id: analyze
                run: |
                  echo "files=$(git ls-files | wc -l)" >> "$PAWL_OUTPUT"
              - id: docs
                needs: analyze
                sources: [ "docs/**", "*.md" ]            # smart: skipped when unchanged since it last succeeded, and it says so
                generates: [ "build/docs" ]
                run: make docs
              - id: each
                needs: analyze
                matrix: { os: [linux, windows], mode: [debug, release] }
                max_parallel: 2
                run: ./build.sh ${{ matrix.os }} ${{ matrix.mode }}
              - id: gate
                needs: [docs, each]
                if: ${{ params.scope == 'all' && steps.analyze.outputs.files > 10 }}
                approval: { message: "Publish?", timeout: 3d, on_timeout: reject }
              - id: publish
                needs: gate
                on_unknown: { probe: "git ls-remote --exit-code origin v1" }
                checkpoint: true
                run: ./publish.sh
                compensate: ./unpublish.sh
            """);
        Assert.Equal("", problems);
    }
}
