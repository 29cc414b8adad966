using System.Text.Json;
using Microsoft.Extensions.AI;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace Pawl.Cli.Mcp;

/// <summary>Serves verbs of the command over standard input and output, until the input ends.</summary>
static class McpSession
{
    public static async Task ServeAsync(Cli cli, bool allowWrites, Func<Caller, string[], Task<int>> execute)
    {
        var options = new McpServerOptions
        {
            ServerInfo = new Implementation { Name = "pawl", Version = Cli.Version },
            ServerInstructions = $"Looks into the runs of workflows in {cli.Store.Uri}{(allowWrites ? ", and starts, resumes, forks and decides them" : "; read-only: it was started without --allow-writes")}. Results are JSON, as 'pawl VERB --json' gives it.",
            ToolCollection = [],
        };
        string[] place = [.. cli.Get(cli.StoreOption) is { } store ? (string[])[$"--store={store}"] : [], .. cli.Get(cli.ConfigOption) is { } config ? (string[])[$"--config={config}"] : []];
        foreach (var verb in McpVerb.All.Where(verb => allowWrites || !verb.Writes))
            options.ToolCollection.Add(McpServerTool.Create(new VerbFunction(verb, cli.Caller, place, execute), new McpServerToolCreateOptions { ReadOnly = !verb.Writes, Destructive = verb.Writes, OpenWorld = verb.Writes }));
        await using var transport = new StdioServerTransport("pawl");
        await using var server = McpServer.Create(transport, options);
        try { await server.RunAsync(cli.Stop); }
        catch (OperationCanceledException) when (cli.Stop.IsCancellationRequested)
        {
            // Asked to stop: what was under way has been closed by its own command.
        }
    }

    sealed class VerbFunction(McpVerb verb, Caller caller, string[] place, Func<Caller, string[], Task<int>> execute) : AIFunction
    {
        public override string Name => verb.Name;

        public override string Description => verb.Doc;

        public override JsonElement JsonSchema { get; } = verb.Schema();

        protected override async ValueTask<object?> InvokeCoreAsync(AIFunctionArguments arguments, CancellationToken cancellationToken)
        {
            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(caller.Stop, cancellationToken);
            using var output = new StringWriter();
            using var error = new StringWriter();
            int code;
            try
            {
                var given = arguments.ToDictionary(pair => pair.Key, pair => pair.Value is JsonElement json ? json : JsonSerializer.SerializeToElement(pair.Value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))));
                var words = verb.CommandLine(given, caller.Directory);
                code = await execute(caller with { Out = output, Error = error, In = TextReader.Null, CanAsk = false, OutIsTerminal = false, ErrorIsTerminal = false, Stop = stopping.Token }, [words[0], .. place, .. words.Skip(1)]);
            }
            catch (UsageException wrong)
            {
                return new CallToolResult { IsError = true, Content = [new TextContentBlock { Text = wrong.Message }] };
            }
            // A run that failed or waits is an answer, too; an error is what has no answer.
            var isError = code is not (ExitCode.Done or ExitCode.Failed or ExitCode.Waiting);
            var text = output.ToString().TrimEnd();
            return new CallToolResult { IsError = isError, Content = [new TextContentBlock { Text = text.Length > 0 ? text : error.ToString().TrimEnd() }] };
        }
    }
}
