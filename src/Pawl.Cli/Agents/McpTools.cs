using System.Text.Json;
using Microsoft.Extensions.AI;
using ModelContextProtocol;
using ModelContextProtocol.Client;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>A server of the Model Context Protocol that a tool names: a process of its own, over standard input and output.</summary>
sealed class McpTools : IAsyncDisposable
{
    readonly McpClient _client;

    McpTools(McpClient client, IReadOnlyList<AIFunction> functions) => (_client, Functions) = (client, functions);

    public IReadOnlyList<AIFunction> Functions { get; }

    /// <exception cref="StepException">It does not start, does not speak the protocol, or lacks a tool that is named.</exception>
    public static async Task<McpTools> StartAsync(AgentCall call, ToolDefinition tool, ToolWork.Mcp mcp)
    {
        var said = new Queue<string>();
        var transport = new StdioClientTransport(new StdioClientTransportOptions
        {
            Name = tool.Name, Command = mcp.Command, Arguments = [.. mcp.Arguments.Select(call.Text)], WorkingDirectory = call.Directory,
            EnvironmentVariables = call.Values(mcp.Env).ToDictionary(pair => pair.Key, string? (pair) => pair.Value),
            StandardErrorLines = line =>
            {
                lock (said)
                {
                    if (said.Count == 5) said.Dequeue();
                    said.Enqueue(line);
                }
            },
        });
        McpClient? client = null;
        try
        {
            client = await McpClient.CreateAsync(transport, cancellationToken: call.Context.CancellationToken);
            var offered = await client.ListToolsAsync(cancellationToken: call.Context.CancellationToken);
            foreach (var name in mcp.Only)
                if (offered.All(one => one.Name != name)) throw new StepException($"The MCP server '{tool.Name}' has no tool '{name}'. It has: {string.Join(", ", offered.Select(one => one.Name))}.");
            return new McpTools(client, [.. offered.Where(one => mcp.Only.Count == 0 || mcp.Only.Contains(one.Name)).Select(one => new Told(call, one))]);
        }
        catch (Exception error)
        {
            if (client is not null) await client.DisposeAsync();
            if (error is StepException || call.Context.CancellationToken.IsCancellationRequested) throw;
            string lines;
            lock (said) lines = string.Join(' ', said);
            throw new StepException($"The MCP server '{tool.Name}' ({mcp.Command}) cannot be used: {call.Mask(error.Message)} {call.Mask(lines)}".TrimEnd(), ErrorClass.Transient, error);
        }
    }

    public ValueTask DisposeAsync() => _client.DisposeAsync();

    /// <summary>Its result as a text, without secrets; an error as an error.</summary>
    sealed class Told(AgentCall call, McpClientTool tool) : DelegatingAIFunction(tool)
    {
        protected override async ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken)
        {
            try
            {
                var given = arguments.ToDictionary(pair => pair.Key, pair => pair.Value);
                var result = await tool.CallAsync(given, cancellationToken: cancellationToken);
                var text = string.Join('\n', result.Content.Select(part => part is ModelContextProtocol.Protocol.TextContentBlock block ? block.Text : JsonSerializer.Serialize(part, McpJsonUtilities.DefaultOptions.GetTypeInfo(typeof(ModelContextProtocol.Protocol.ContentBlock)))));
                return result.IsError == true ? throw new StepException(call.Mask(text)) : call.Mask(text);
            }
            catch (McpException error)
            {
                throw new StepException(call.Mask(error.Message), ErrorClass.Permanent, error);
            }
        }
    }
}
