using System.Text.Json;
using Pawl.Tests.Cli;

namespace Pawl.Tests.Agents;

/// <summary>Steps of agents in workflow files, executed by the command against a model server over sockets.</summary>
public sealed class AgentStepLaws : IDisposable
{
    readonly CommandLab _lab = new();
    Func<ModelCall, ModelReply> _answer = _ => ModelReply.Says("well");
    readonly ModelServer _server;

    public AgentStepLaws()
    {
        _server = new ModelServer(request => _answer(request));
        _lab.Write("pawl.yaml", $$"""
            models:
              default: { endpoint: {{_server.Endpoint}}, model: m-1, price: { input: 1000, output: 1000 } }
            """);
    }

    public void Dispose()
    {
        _server.Dispose();
        _lab.Dispose();
    }

    async Task<Answer> RunAsync(string steps, string more = "")
    {
        _lab.Write("workflow.yaml", $"name: w\n{more}\nsteps:\n{steps}");
        return await _lab.RunAsync("run", "--run-id", "r", "--json");
    }

    async Task<JsonElement> OutputAsync(string step) => (await _lab.RunAsync("show", "r", step, "--json")).Json.GetProperty("output");

    static void Completed(Answer answer) => Assert.True(answer.Code == 0, answer.All);

    [Fact]
    public async Task An_agent_answers_and_later_steps_read_its_text()
    {
        _answer = request => ModelReply.Says($"I am {request.Said[0].Text}, you said: {request.Said[1].Text}");
        Completed(await RunAsync("""
              - { id: ask, agent: { instructions: a parrot, prompt: "hello ${{ params.who }}" } }
              - { id: use, run: 'echo "said=${{ steps.ask.outputs.text }}" >> $PAWL_OUTPUT' }
            """, "params: { who: world }"));
        Assert.Equal("I am a parrot, you said: hello world", (await OutputAsync("use")).GetProperty("said").GetString());
        var output = await OutputAsync("ask");
        Assert.Equal(("completed", 1), (output.GetProperty("status").GetString(), output.GetProperty("rounds").GetInt32()));
        var costs = (await _lab.RunAsync("costs", "r", "--json")).Json.GetProperty("spent");
        Assert.Equal((1, 110, 0.11m), (costs.GetProperty("calls").GetInt32(), costs.GetProperty("tokens").GetInt32(), costs.GetProperty("cost_usd").GetDecimal()));
    }

    [Fact]
    public async Task An_answer_that_should_be_json_is_asked_for_again_until_it_is()
    {
        _answer = request => ModelReply.Says(request.Number == 1 ? "Sure! Here it is." : "```json\n{ \"n\": 3 }\n```");
        Completed(await RunAsync("""
              - { id: ask, agent: { prompt: count, result: json } }
              - { id: use, run: 'echo "n=${{ steps.ask.outputs.result.n }}" >> $PAWL_OUTPUT' }
            """));
        Assert.Equal("3", (await OutputAsync("use")).GetProperty("n").GetString());
        Assert.Equal("json_object", _server.Requests[0].Body.GetProperty("response_format").GetProperty("type").GetString());
        Assert.Equal(2, _server.Calls);
    }

    [Fact]
    public async Task What_a_model_gives_to_a_shell_tool_is_never_part_of_its_text()
    {
        const string evil = "$(touch hacked); `touch hacked`; \" ' ; touch hacked";
        _answer = request => request.Number == 1 ? ModelReply.Uses("say", JsonSerializer.Serialize(new { text = evil })) : ModelReply.Says(request.Said[^1].Text);
        Completed(await RunAsync("""
              - id: ask
                agent:
                  prompt: say it
                  tools: { say: { description: Says., parameters: { text: string }, run: 'printf %s "$PAWL_ARG_TEXT"' } }
            """));
        Assert.Equal(evil, (await OutputAsync("ask")).GetProperty("text").GetString());
        Assert.False(File.Exists(_lab.Path_("hacked")));
    }

    [Fact]
    public async Task A_secret_reaches_neither_the_model_nor_the_journal()
    {
        const string secret = "s3cr3t-9f8e7d";
        Environment.SetEnvironmentVariable("TEST_AGENT_TOKEN", secret);
        _answer = request => request.Number == 1 ? ModelReply.Uses("leak", "{}") : ModelReply.Says(request.Said[^1].Text);
        var answer = await RunAsync("""
              - id: ask
                agent: { prompt: leak it, tools: { leak: { description: Leaks., run: 'echo "it is $T" | tee seen', env: { T: "${{ params.token }}" } } } }
            """, "params: { token: { type: secret, env: TEST_AGENT_TOKEN } }");
        Completed(answer);
        Assert.Contains(secret, await File.ReadAllTextAsync(_lab.Path_("seen"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.DoesNotContain(secret, answer.All + string.Concat(_server.Requests.Select(request => request.Body.GetRawText())), StringComparison.Ordinal);
        foreach (var file in Directory.GetFiles(_lab.Checkpoints, "*", SearchOption.AllDirectories)) Assert.DoesNotContain(secret, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        var refused = await RunAsync("""  - { id: ask, agent: { prompt: "the token is ${{ params.token }}" } }""", "params: { token: { type: secret, env: TEST_AGENT_TOKEN } }");
        Assert.Equal(2, refused.Code);
        Assert.Contains("The secret 'token' cannot be used here", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_server_repeats_of_a_secret_is_masked_in_its_error_too()
    {
        const string secret = "s3cr3t-in-a-header";
        Environment.SetEnvironmentVariable("TEST_AGENT_HEADER", secret);
        using var web = new ModelServer(call => ModelReply.Fails(401, $"no such key: {secret}"));
        _answer = request => request.Number == 1 ? ModelReply.Uses("look", "{}") : ModelReply.Says(request.Last);
        Completed(await RunAsync($$$"""
              - id: ask
                agent: { prompt: look, tools: { look: { description: Looks., http: { url: "{{{web.Endpoint}}}/x", headers: { X-Key: "${{ params.token }}" } } } } }
            """, "params: { token: { type: secret, env: TEST_AGENT_HEADER } }"));
        Assert.Equal(1, web.Calls);
        Assert.Contains("401", (await OutputAsync("ask")).GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain(secret, string.Concat(_server.Requests.Select(request => request.Body.GetRawText())), StringComparison.Ordinal);
        foreach (var file in Directory.GetFiles(_lab.Checkpoints, "*", SearchOption.AllDirectories)) Assert.DoesNotContain(secret, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"a":"x"}""", "'a' of 'tool' must be of type integer")]
    [InlineData("""{"a":5}""", "'b' of 'tool' is missing")]
    [InlineData("""{"a":5,"b":"three"}""", "must be one of one, two")]
    [InlineData("""{"a":5,"b":"one","c":1}""", "'tool' has no parameter 'c'")]
    [InlineData("""{"a":""", "could not be read")]
    public async Task Arguments_that_do_not_fit_are_told_to_the_model_and_run_nothing(string arguments, string told)
    {
        _answer = request => request.Number == 1 ? ModelReply.Uses("tool", arguments) : ModelReply.Says(request.Said[^1].Text);
        Completed(await RunAsync("""
              - id: ask
                agent: { prompt: do it, tools: { tool: { description: Does., parameters: { a: integer, b: { type: string, enum: [one, two] } }, run: touch ran } } }
            """));
        Assert.Contains(told, (await OutputAsync("ask")).GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.False(File.Exists(_lab.Path_("ran")));
    }

    [Fact]
    public async Task An_http_tool_asks_the_hosts_that_are_named_and_no_other()
    {
        using var web = new ModelServer(_ => ModelReply.Fails(418, "short and stout"));
        var host = web.Endpoint.Authority;
        _answer = request => request.Number switch
        {
            1 => ModelReply.Uses("tea", """{"host":"example.com","pot":"a"}"""),
            2 => ModelReply.Uses("tea", $$"""{"host":"{{host}}@example.com","pot":"a"}"""),
            3 => ModelReply.Uses("tea", $$"""{"host":"{{host}}","pot":".."}"""),
            4 => ModelReply.Uses("tea", $$"""{"host":"{{host}}","pot":"a/b?c"}"""),
            _ => ModelReply.Says(string.Join('\n', request.Said.Where(message => message.Role == "tool").Select(message => message.Text))),
        };
        Completed(await RunAsync($$"""
              - id: ask
                agent: { prompt: tea, tools: { tea: { description: Makes tea., parameters: { host: string, pot: string, milk: { type: boolean, required: false } }, http: { method: POST, url: "http://{host}/pots/{pot}", hosts: ["{{host}}"], headers: { X-Key: abc } } } } }
            """));
        var told = (await OutputAsync("ask")).GetProperty("text").GetString()!.Split('\n');
        Assert.Contains("'example.com' is not allowed", told[0], StringComparison.Ordinal);
        Assert.Contains("is not a host", told[1], StringComparison.Ordinal);
        Assert.Contains("'..' cannot be the value", told[2], StringComparison.Ordinal);
        Assert.Equal("/pots/a%2Fb%3Fc", Assert.Single(web.Requests).Head.Path);
    }

    [Fact]
    public async Task A_busy_server_is_asked_again_and_each_attempt_is_recorded()
    {
        _answer = request => request.Number < 3 ? ModelReply.Fails(429, "slow down") : ModelReply.Says("at last");
        Completed(await RunAsync("""  - { id: ask, retry: { attempts: 3, delay: 1ms }, agent: { prompt: x } }"""));
        Assert.Equal(3, _server.Calls);
        Assert.Equal("at last", (await OutputAsync("ask")).GetProperty("text").GetString());
    }

    [Fact]
    public async Task A_wrong_key_is_told_with_the_place_of_the_key_and_not_repeated()
    {
        _lab.Write("pawl.yaml", $$"""models: { default: { endpoint: {{_server.Endpoint}}, model: m-1, key: { env: PAWL_TEST_NO_SUCH_KEY } } }""");
        _answer = _ => ModelReply.Fails(401, "no");
        var answer = await RunAsync("""  - { id: ask, retry: 3, agent: { prompt: x } }""");
        Assert.Equal((1, 1), (answer.Code, _server.Calls));
        Assert.Contains("PAWL_TEST_NO_SUCH_KEY", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Contains("It is not set", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_that_needs_a_person_waits_and_goes_on_with_what_the_person_changed()
    {
        _answer = request => request.Number == 1 ? ModelReply.Uses("write", """{"text":"rash"}""") : ModelReply.Says("done");
        var waiting = await RunAsync("""
              - id: ask
                agent: { prompt: write, tools: { write: { description: Writes., parameters: { text: string }, run: 'echo "$PAWL_ARG_TEXT" > written', approval: { message: "Really?", operation: file_operations } } } }
            """);
        Assert.Equal(4, waiting.Code);
        Assert.False(File.Exists(_lab.Path_("written")));
        var wait = waiting.Json.GetProperty("waits")[0];
        Assert.Contains("""write({"text":"rash"})""", wait.GetProperty("message").GetString(), StringComparison.Ordinal);
        // No way around it: a resume waits as before.
        Assert.Equal(4, (await _lab.RunAsync("resume", "r", "--json")).Code);
        await _lab.RunAsync("approve", "r", wait.GetProperty("step").GetString()!, "--changes", """{"text":"wise"}""");
        Completed(await _lab.RunAsync("resume", "r"));
        Assert.Equal("wise\n", await File.ReadAllTextAsync(_lab.Path_("written"), TestContext.Current.CancellationToken));
        Assert.Equal(2, _server.Calls);
    }

    [Theory]
    [InlineData("require_approval_for: [code_execution]", true)]
    [InlineData("require_approval_for: [code_execution], trusted_operations: [code_execution]", false)]
    [InlineData("enabled: false, require_approval_for: [code_execution]", false)]
    [InlineData("require_approval_for: [file_operations]", false)]
    public async Task The_configuration_says_which_kinds_of_operations_need_a_person(string rules, bool asks)
    {
        _lab.Write("pawl.yaml", $$"""
            workflow: { human_in_the_loop: { {{rules}} } }
            models: { default: { endpoint: {{_server.Endpoint}}, model: m-1 } }
            """);
        _answer = request => request.Number == 1 ? ModelReply.Uses("go", "{}") : ModelReply.Says("done");
        var answer = await RunAsync("""  - { id: ask, agent: { prompt: go, tools: { go: { description: Goes., run: touch went } } } }""");
        Assert.Equal((asks ? 4 : 0, !asks), (answer.Code, File.Exists(_lab.Path_("went"))));
    }

    const string Fleet = """
          - id: team
            agents:
              protocol: delegate
              task: ${{ params.task }}
              agents: { worker: { description: Works. } }
              max_rounds: 2
        """;

    static ModelReply Delegating(ModelCall request) =>
        request.Text.Contains("DELEGATE", StringComparison.Ordinal) && request.Said[0].Role == "system" ? ModelReply.Says("DELEGATE: worker - go on") : ModelReply.Says($"working {request.Number}");

    [Fact]
    public async Task A_fleet_that_used_its_rounds_goes_on_with_a_raised_limit_and_a_message_behind_the_task()
    {
        _answer = Delegating;
        var ended = await RunAsync(Fleet, "params: { task: the first request }");
        Assert.Equal(1, ended.Code);
        Assert.Contains("max_rounds is 2", ended.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        var calls = _server.Calls;
        _answer = request => request.Said[0].Role == "system" ? ModelReply.Says("FINAL_ANSWER: enough") : throw new InvalidOperationException();
        Completed(await _lab.RunAsync("resume", "r", "--param", "max_rounds=5", "--param", "message=the second request"));
        Assert.Equal(calls + 1, _server.Calls);
        var asked = _server.Requests[^1].Text;
        Assert.InRange(asked.IndexOf("the first request", StringComparison.Ordinal), 0, asked.IndexOf("the second request", StringComparison.Ordinal));
        var output = await OutputAsync("team");
        Assert.Equal(("enough", 3), (output.GetProperty("text").GetString(), output.GetProperty("rounds").GetInt32()));
    }

    [Fact]
    public async Task The_limits_of_the_configuration_stand_over_the_files_and_under_the_runs()
    {
        _answer = Delegating;
        _lab.Write("pawl.yaml", $$"""
            workflow: { max_rounds: 3 }
            models: { default: { endpoint: {{_server.Endpoint}}, model: m-1 } }
            """);
        Assert.Contains("max_rounds is 3", (await RunAsync(Fleet, "params: { task: t }")).Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Contains("max_rounds is 4", (await _lab.RunAsync("run", "--json", "--param", "max_rounds=4")).Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_rounds_of_a_fleet_are_shown_in_the_form_of_seed_004()
    {
        _answer = Delegating;
        await RunAsync(Fleet, "params: { task: the request }");
        var rounds = (await _lab.RunAsync("show", "r", "--format", "fleet", "--metadata", "ticket=17")).Json;
        var second = rounds[1];
        Assert.Equal(["checkpoint_id", "workflow_id", "timestamp", "current_round", "stall_count", "last_response", "context", "metadata"], second.EnumerateObject().Select(one => one.Name));
        Assert.Equal((2, "r", "17", "the request"), (second.GetProperty("current_round").GetInt32(), second.GetProperty("workflow_id").GetString(), second.GetProperty("metadata").GetProperty("ticket").GetString(),
            second.GetProperty("context").GetProperty("user_query").GetString()));
        Assert.Equal(2, (await _lab.RunAsync("show", "r", "round/2", "--format", "fleet", "--json")).Json.GetProperty("current_round").GetInt32());
        Assert.Equal(2, (await _lab.RunAsync("show", "r", "--format", "fleets")).Code);
    }

    [Fact]
    public async Task One_variable_sends_every_model_to_another_server()
    {
        using var other = new ModelServer(_ => ModelReply.Says("from there"));
        Environment.SetEnvironmentVariable("TEST_AGENT_OWN_KEY", "meant-for-its-own-server");
        _lab.Write("pawl.yaml", $$"""models: { default: { endpoint: {{_server.Endpoint}}, model: m-1, key: { env: TEST_AGENT_OWN_KEY } } }""");
        _lab["PAWL_MODEL_URL"] = other.Endpoint.ToString();
        _lab["PAWL_MODEL"] = "big";
        Completed(await RunAsync("""  - { id: ask, agent: { prompt: x } }"""));
        Assert.Equal(("big", "Bearer none", 0), (other.Requests.Single().Model, other.Requests.Single().Head.Authorization, _server.Calls));
    }

    [Theory]
    [InlineData("agent: { prompt: x, model: smal }", "There is no model 'smal'")]
    [InlineData("agent: { instructions: x }", "'prompt' is missing")]
    [InlineData("agent: { prompt: x, tools: { t: { run: ls } } }", "'description' is missing")]
    [InlineData("agent: { prompt: x, tools: { t: { description: d, run: ls, http: { url: \"http://h\" } } } }", "A tool does one thing")]
    [InlineData("agent: { prompt: x, tools: { t: { description: d, http: { url: \"http://{host}/\" }, parameters: { host: string } } } }", "The model would choose the host")]
    [InlineData("agent: { prompt: x, tools: { t: { description: d, http: { url: \"http://h/{id}\" } } } }", "'{id}' is not a required parameter")]
    [InlineData("agents: { task: x, agents: { a: { description: d, tools: [nothing] } } }", "There is no tool 'nothing'")]
    [InlineData("agents: { task: x, agents: { a: { description: d } }, tools: { t: { description: d, run: ls } } }", "No agent uses the tool 't'")]
    [InlineData("agents: { task: x, agents: {} }", "There are no agents")]
    [InlineData("agents: { task: x, agents: { orchestrator: { description: d } } }", "is not the name of an agent that works")]
    [InlineData("agents: { task: x, agents: { a: { description: d } }, max_round: 3 }", "There is no key 'max_round'")]
    public async Task A_wrong_step_of_agents_is_told_before_anything_runs(string step, string problem)
    {
        _lab.Write("workflow.yaml", $"name: w\nsteps:\n  - {{ id: a, {step} }}");
        var answer = await _lab.RunAsync("validate");
        Assert.Equal(2, answer.Code);
        Assert.Contains(problem, answer.All, StringComparison.Ordinal);
        Assert.Equal(0, _server.Calls);
    }
}
