using Microsoft.Extensions.AI;
using Pawl.Agents;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>The tools of one step. Servers of the Model Context Protocol live as long as it.</summary>
sealed class ToolSet : IAsyncDisposable
{
    // The kinds of operations that rules about people know.
    const string Code = "code_execution", Call = "external_api_calls";

    readonly Dictionary<string, List<AITool>> _tools = [];
    readonly List<IAsyncDisposable> _servers = [];

    public static async Task<ToolSet> OpenAsync(AgentCall call)
    {
        var set = new ToolSet();
        try
        {
            foreach (var tool in call.Definition.Tools) set._tools[tool.Name] = [.. (await set.MakeAsync(call, tool)).Select(function => function.WithCheckpoints(Options(call, tool)))];
            return set;
        }
        catch
        {
            await set.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="StepException">Two tools of one agent have the same name.</exception>
    public IReadOnlyList<AITool> Of(IReadOnlyList<string> names)
    {
        List<AITool> tools = [.. names.SelectMany(name => _tools[name])];
        return tools.GroupBy(tool => tool.Name).FirstOrDefault(group => group.Count() > 1) is not { } twice ? tools
            : throw new StepException($"Two tools are called '{twice.Key}'. Name in 'mcp: {{ tools: […] }}' those that are needed, or rename your own.");
    }

    async Task<IReadOnlyList<AIFunction>> MakeAsync(AgentCall call, ToolDefinition tool)
    {
        if (tool.Work is ToolWork.Shell shell) return [new ShellFunction(call, tool, shell.Command)];
        if (tool.Work is ToolWork.Http http) return [new HttpFunction(call, tool, http)];
        var server = await McpTools.StartAsync(call, tool, (ToolWork.Mcp)tool.Work);
        _servers.Add(server);
        return server.Functions;
    }

    static ToolOptions Options(AgentCall call, ToolDefinition tool)
    {
        var operation = tool.Approval?.Operation ?? (tool.Work is ToolWork.Shell ? Code : Call);
        // What the configuration asks a person for needs no word of the workflow.
        var rules = call.Configuration.Approvals;
        var asks = tool.Approval ?? (rules.Required?.Contains(operation) == true ? new AskDefinition(null, null, null, TimeoutAction.Reject) : null);
        return new ToolOptions
        {
            Timeout = tool.Timeout, Approval = asks is null ? null : Ask(call, asks, operation),
            OnUnknown = tool.OnUnknown switch
            {
                null => null,
                { Policy: "ask" } => UnknownOutcome.Ask,
                { Policy: "skip" } => UnknownOutcome.Skip,
                { Policy: "fail" } => UnknownOutcome.Fail,
                { Probe: var probe } => UnknownOutcome.Probe(async context =>
                    await call.RunAsync(context, probe!, new Dictionary<string, string>(), " probe") is { ExitCode: 0 } found ? StepResult.Ok(ShellFunction.TextOf(found)) : null),
            },
        };
    }

    /// <summary>What a person is asked, under the limits of the configuration.</summary>
    public static ApprovalRequest Ask(AgentCall call, AskDefinition asks, string operation) =>
        call.Configuration.Over(new ApprovalRequest(asks.Message is { } message ? call.Text(message) : "") { Timeout = asks.Timeout, OnTimeout = asks.OnTimeout, Operation = asks.Operation ?? operation });

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers) await server.DisposeAsync();
    }
}
