using System.Text.Json;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;
using Pawl.Tests.Cli;

namespace Pawl.Tests.Agents;

/// <summary>The server of the Model Context Protocol: the real process, asked by a real client over its pipes.</summary>
public sealed class McpLaws : IDisposable
{
    readonly CommandLab _lab = new();

    static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _lab.Dispose();

    Task<McpClient> StartAsync(params string[] options) => McpClient.CreateAsync(new StdioClientTransport(new StdioClientTransportOptions
    {
        Command = PawlCommand.Path, Arguments = ["mcp", .. options], WorkingDirectory = _lab.Folder,
    }), cancellationToken: Stop);

    static async Task<(JsonElement Json, bool IsError)> CallAsync(McpClient client, string tool, object arguments)
    {
        var given = JsonSerializer.SerializeToElement(arguments).EnumerateObject().ToDictionary(one => one.Name, one => (object?)one.Value);
        var result = await client.CallToolAsync(tool, given, cancellationToken: Stop);
        var text = ((TextContentBlock)result.Content.Single()).Text;
        return (text.StartsWith('{') || text.StartsWith('[') ? JsonDocument.Parse(text).RootElement : JsonSerializer.SerializeToElement(text), result.IsError == true);
    }

    [Fact]
    public async Task It_only_looks_unless_writes_are_allowed_and_answers_as_the_command_does()
    {
        var run = await _lab.FailedRunAsync();
        await using var client = await StartAsync();
        var tools = await client.ListToolsAsync(cancellationToken: Stop);
        Assert.Contains(tools, tool => tool.Name == "plan_resume");
        Assert.All(tools, tool => Assert.True(tool.ProtocolTool.Annotations!.ReadOnlyHint));
        Assert.DoesNotContain(tools, tool => tool.Name is "run_workflow" or "resume_run" or "fork_run" or "approve_step" or "cancel_run" or "prove_workflow");

        foreach (var (tool, arguments, words) in new (string, object, string[])[]
        {
            ("list_runs", new { status = "failed" }, ["list", "--status", "failed"]),
            ("run_status", new { run }, ["status", run]),
            ("show_checkpoint", new { run, checkpoint = "a" }, ["show", run, "a"]),
            ("show_state", new { run }, ["show", run, "--snapshot"]),
            ("plan_resume", new { run }, ["resume", run, "--plan"]),
            ("explain_step", new { run, step = "b" }, ["explain", run, "b"]),
            ("run_costs", new { run }, ["costs", run]),
            ("verify_run", new { run }, ["verify", run]),
            ("validate_file", new { file = "workflow.yaml" }, ["validate", "workflow.yaml"]),
        })
        {
            var expected = (await _lab.RunAsync([.. words, "--json"])).Json;
            var (found, isError) = await CallAsync(client, tool, arguments);
            Assert.False(isError, tool);
            Assert.Equal(expected.EnumerateObject().Select(one => one.Name), found.EnumerateObject().Select(one => one.Name));
        }
        await Assert.ThrowsAnyAsync<Exception>(() => CallAsync(client, "resume_run", new { run }));
        Assert.Equal("failed", (await _lab.RunAsync("status", run, "--json")).Json.GetProperty("status").GetString());
    }

    [Fact]
    public async Task With_writes_a_run_is_started_decided_resumed_and_forked()
    {
        _lab.Write("workflow.yaml", """
            name: asks
            params: { who: nobody }
            steps:
              - { id: ask, approval: "Go?" }
              - { id: go, run: 'echo "hello ${{ params.who }}" | tee -a said' }
            """);
        await using var client = await StartAsync("--allow-writes");
        var waiting = await CallAsync(client, "run_workflow", new { file = "workflow.yaml", run_id = "r", @params = new { who = "--store=elsewhere" } });
        Assert.Equal((false, "waiting"), (waiting.IsError, waiting.Json.GetProperty("status").GetString()));
        Assert.False((await CallAsync(client, "approve_step", new { run = "r", step = "ask", reason = "because" })).IsError);
        Assert.Equal("completed", (await CallAsync(client, "resume_run", new { run = "r" })).Json.GetProperty("status").GetString());
        // A fork is a new run: what was allowed was allowed to its parent.
        Assert.Equal("waiting", (await CallAsync(client, "fork_run", new { run = "r", at = "go", run_id = "f", @params = new { who = "you" } })).Json.GetProperty("status").GetString());
        Assert.False((await CallAsync(client, "approve_step", new { run = "f", step = "ask" })).IsError);
        Assert.Equal("completed", (await CallAsync(client, "resume_run", new { run = "f" })).Json.GetProperty("status").GetString());
        // The other way round, and what else writes.
        Assert.Equal("waiting", (await CallAsync(client, "run_workflow", new { file = "workflow.yaml", run_id = "n" })).Json.GetProperty("status").GetString());
        Assert.False((await CallAsync(client, "reject_step", new { run = "n", step = "ask", reason = "no" })).IsError);
        Assert.Equal("failed", (await CallAsync(client, "resume_run", new { run = "n" })).Json.GetProperty("status").GetString());
        Assert.False((await CallAsync(client, "cancel_run", new { run = "n" })).IsError);
        Assert.Equal("canceled", (await CallAsync(client, "run_status", new { run = "n" })).Json.GetProperty("status").GetString());
        Assert.Equal("hello --store=elsewhere\nhello you\n", await File.ReadAllTextAsync(_lab.Path_("said"), Stop));
    }

    [Fact]
    public async Task A_workflow_is_proved_and_the_step_at_fault_is_told()
    {
        _lab.Write("safe.yaml", "name: safe\nprove: { compare: [out] }\nsteps: [{ id: a, run: echo one > out }]");
        _lab.Write("faulty.yaml", "name: faulty\nprove: { compare: [out] }\nsteps: [{ id: a, run: echo one >> out }]");
        await using var client = await StartAsync("--allow-writes");
        var safe = await CallAsync(client, "prove_workflow", new { file = "safe.yaml", points = 3 });
        Assert.Equal((false, true, 3), (safe.IsError, safe.Json.GetProperty("holds").GetBoolean(), safe.Json.GetProperty("points").GetArrayLength()));
        var faulty = await CallAsync(client, "prove_workflow", new { file = "faulty.yaml", points = "all" });
        // What was found is an answer, and no error.
        Assert.Equal((false, false), (faulty.IsError, faulty.Json.GetProperty("holds").GetBoolean()));
        Assert.Contains(faulty.Json.GetProperty("points").EnumerateArray(), point => point.GetProperty("verdict").GetString() == "differs" && point.GetProperty("step").GetString() == "a");
        Assert.False(File.Exists(_lab.Path_("out")));
    }

    [Fact]
    public async Task No_value_becomes_an_option_and_no_file_outside_is_read()
    {
        await using var client = await StartAsync("--allow-writes");
        _lab.Write("workflow.yaml", "name: n\nsteps: [{ id: a, run: touch ran }]");
        foreach (var (tool, arguments) in new (string, object)[]
        {
            ("run_status", new { run = "--store=memory:" }), ("run_workflow", new { file = "../workflow.yaml" }), ("run_workflow", new { file = "/etc/passwd" }), ("validate_file", new { file = "--help" }),
            ("run_status", new { runs = "r" }), ("explain_step", new { run = "r" }), ("run_workflow", new { file = "workflow.yaml", @params = "x" }),
        })
            Assert.True((await CallAsync(client, tool, arguments)).IsError, $"{tool} {JsonSerializer.Serialize(arguments)}");
        Assert.False(File.Exists(_lab.Path_("ran")));
    }

    [Fact]
    public async Task An_agent_uses_the_tools_of_an_mcp_server()
    {
        var failed = await _lab.FailedRunAsync();
        using var server = new ModelServer(request => request.Number == 1 ? ModelReply.Uses("run_status", $$"""{"run":"{{failed}}"}""") : ModelReply.Says(request.Said[^1].Text));
        _lab.Write("pawl.yaml", $$"""models: { default: { endpoint: {{server.Endpoint}}, model: m } }""");
        _lab.Write("ask.yaml", $$"""
            name: ask
            steps:
              - id: ask
                agent: { prompt: how is it, tools: { runs: { mcp: { command: "{{PawlCommand.Path}}", args: [mcp], tools: [run_status] } } } }
            """);
        var answer = await _lab.RunAsync("run", "ask.yaml", "--run-id", "r");
        Assert.True(answer.Code == 0, answer.All);
        var text = (await _lab.RunAsync("show", "r", "ask", "--json")).Json.GetProperty("output").GetProperty("text").GetString()!;
        Assert.Equal(failed, JsonDocument.Parse(text).RootElement.GetProperty("run_id").GetString());
        Assert.Equal(["run_status"], server.Requests[0].Body.GetProperty("tools").EnumerateArray().Select(tool => tool.GetProperty("function").GetProperty("name").GetString()));
    }

    [Fact]
    public async Task An_mcp_server_that_does_not_start_is_told_with_its_name()
    {
        _lab.Write("pawl.yaml", """models: { default: { endpoint: "http://127.0.0.1:9/v1", model: m } }""");
        _lab.Write("ask.yaml", """
            name: ask
            steps: [{ id: ask, agent: { prompt: x, tools: { broken: { mcp: { command: sh, args: ["-c", "echo no such luck >&2; exit 3"] } } } } }]
            """);
        var answer = await _lab.RunAsync("run", "ask.yaml", "--json");
        Assert.Equal(1, answer.Code);
        Assert.Contains("The MCP server 'broken' (sh) cannot be used", answer.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }
}
