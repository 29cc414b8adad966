using System.Text.Json;

namespace Pawl.Tests.Agents;

/// <summary>The sample fleet, by the real command.</summary>
public sealed class FleetDemoLaws : IDisposable
{
    readonly FleetFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    async Task<JsonElement> AskAsync(params string[] words)
    {
        var (code, output, answer) = await AgentProcess.RunAsync(_folder.Path, words);
        Assert.True(code == 0, output);
        return JsonDocument.Parse(answer).RootElement;
    }

    [Fact]
    public async Task Killed_between_two_tool_calls_of_round_3_it_goes_on_at_that_very_call_and_says_what_was_saved()
    {
        // Each count but the one that is under way at the kill is quick.
        await using (var run = AgentProcess.Start(_folder.Path, ["run", "fleet.yaml", "--run-id", "demo"], new Dictionary<string, string> { ["COUNT_SECONDS"] = "0.01" }))
        {
            await AgentProcess.WaitAsync(() => _folder.Counted.Length >= 2, () => run.Output);
            run.Kill();
            await run.EndAsync();
        }
        var before = await AskAsync("costs", "demo", "--json");
        var calls = before.GetProperty("spent").GetProperty("calls").GetInt32();
        Assert.InRange(calls, 7, 12);
        Assert.InRange((await AskAsync("show", "demo", "--format", "fleet", "--json")).EnumerateArray().Last().GetProperty("current_round").GetInt32(), 2, 3);

        var (code, resumed, _) = await AgentProcess.RunAsync(_folder.Path, ["resume", "demo"], new Dictionary<string, string> { ["COUNT_SECONDS"] = "0" });
        Assert.True(code == 0, resumed);
        Assert.Contains("completed in", resumed, StringComparison.Ordinal);
        Assert.Contains($"{calls} calls", resumed[resumed.LastIndexOf("(saves ", StringComparison.Ordinal)..], StringComparison.Ordinal);
        Assert.Equal("lighthouse.txt is the longest note; it has 30 words.", (await File.ReadAllTextAsync(_folder.In("report.txt"), TestContext.Current.CancellationToken)).Trim());
        // A call that was in flight at the kill is made once more, and no other.
        var costs = await AskAsync("costs", "demo", "--json");
        Assert.InRange(costs.GetProperty("spent").GetProperty("calls").GetInt32(), 16, 17);
        Assert.Equal(calls, costs.GetProperty("saved").GetProperty("calls").GetInt32());
        Assert.Equal(["harbour.txt", "lighthouse.txt", "storm.txt"], _folder.Counted.Distinct());
        Assert.InRange(_folder.Counted.Length, 3, 4);
    }

    [Fact]
    public async Task The_same_file_works_on_a_real_endpoint_with_one_variable()
    {
        using var server = new ModelServer(request => request.Text.Contains("is_request_satisfied", StringComparison.Ordinal)
            ? ModelReply.Says("""
                ```json
                { "is_request_satisfied": { "answer": true, "reason": "r" }, "is_in_loop": { "answer": false, "reason": "r" }, "is_progress_being_made": { "answer": true, "reason": "r" },
                  "next_speaker": { "answer": "coder", "reason": "r" }, "instruction_or_question": { "answer": "none", "reason": "r" } }
                ```
                """)
            : ModelReply.Says("It is the one about light."));
        var (code, output, _) = await AgentProcess.RunAsync(_folder.Path, ["run", "fleet.yaml"], new Dictionary<string, string> { ["PAWL_MODEL_URL"] = server.Endpoint.ToString() });
        Assert.True(code == 0, output);
        Assert.Equal("It is the one about light.", (await File.ReadAllTextAsync(_folder.In("report.txt"), TestContext.Current.CancellationToken)).Trim());
        Assert.All(server.Requests, request => Assert.Equal("scripted-large", request.Model));
        Assert.Equal(4, server.Calls);
    }

    [Fact]
    public async Task A_run_without_agents_loads_nothing_of_them()
    {
        await File.WriteAllTextAsync(_folder.In("plain.yaml"), """
            name: plain
            steps: [{ id: wait, run: 'touch began; while ! test -f go; do sleep 0.02; done' }]
            """, TestContext.Current.CancellationToken);
        await using var run = AgentProcess.Start(_folder.Path, ["run", "plain.yaml"]);
        await AgentProcess.WaitAsync(() => File.Exists(_folder.In("began")), () => run.Output);
        var loaded = await File.ReadAllTextAsync($"/proc/{run.Id}/maps", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_folder.In("go"), "", TestContext.Current.CancellationToken);
        Assert.Equal(0, await run.EndAsync());
        // A native program (PAWL_TEST_COMMAND) is one piece, and loads no assembly at all.
        Assert.Equal(loaded.Contains("System.Private.CoreLib.dll", StringComparison.Ordinal), loaded.Contains("Pawl.Yaml.dll", StringComparison.Ordinal));
        foreach (var assembly in (string[])["Pawl.Agents.dll", "OpenAI.dll", "System.ClientModel.dll", "ModelContextProtocol.Core.dll", "Microsoft.Extensions.AI.Abstractions.dll"]) Assert.DoesNotContain(assembly, loaded, StringComparison.Ordinal);
    }
}
