using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Pawl.Dashboard;

/// <summary>Starting runs: what can be started, with which params, and the start itself.</summary>
static class StartEndpoints
{
    internal sealed record Start(string? Workflow = null, string? OfRun = null, Dictionary<string, JsonElement>? Params = null, string? RunId = null, Dictionary<string, string>? Tags = null,
        string? Queue = null, int Priority = 0, double DelayMs = 0);

    public static void MapReads(RouteGroupBuilder api, PawlClient client, Definitions definitions)
    {
        api.MapGet("/definitions", (HttpContext context) => Json.Answer(context, new
        {
            items = definitions.Startable().Select(known => new { name = known.Workflow?.Name, known.Workflow?.Version, known.Workflow?.Description, known.Path, known.Problem, @params = known.Workflow is { } workflow ? Params(workflow) : null }),
        }));
        api.MapGet("/runs/{id}/definition", async (HttpContext context, string id) =>
        {
            var head = await RunEndpoints.HeadAsync(client, id, context.RequestAborted);
            Workflow? workflow = null;
            string? problem = null;
            try { workflow = await definitions.FindAsync(head, context.RequestAborted); }
            catch (Exception error) when (error is PawlException or IOException or BadRequestException) { problem = error.Message; }
            return Json.Answer(context, new { definition = await client.DefinitionAsync(id, context.RequestAborted), problem, @params = workflow is null ? null : Params(workflow) });
        });
    }

    public static void Map(RouteGroupBuilder api, PawlClient client, Definitions definitions, Passes passes, DashboardOptions options) =>
        api.MapPost("/runs", async (HttpContext context) =>
        {
            var asked = await Json.ReadAsync<Start>(context);
            var workflow = asked switch
            {
                { OfRun: { Length: > 0 } run, Workflow: null } => await definitions.OfAsync(await RunEndpoints.HeadAsync(client, run, context.RequestAborted), context.RequestAborted),
                { Workflow: { Length: > 0 } name, OfRun: null } => definitions.Named(name),
                _ => throw new BadRequestException("Name a workflow, or with of_run the run whose definition is meant; not both."),
            };
            var runId = asked.RunId is { Length: > 0 } given ? RunIds.IsValid(given) ? given : throw new BadRequestException($"'{given}' is no run id: use letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit.") : null;
            var start = new StartOptions { RunId = runId, By = options.Actor(context), Tags = asked.Tags };
            var values = asked.Params?.ToDictionary(pair => pair.Key, pair => (object?)pair.Value);
            if (asked.Queue is not { Length: > 0 } queue)
            {
                var (_, begun) = await passes.BeginAsync((onEvent, stop) => client.RunAsync(workflow, values, start with { OnEvent = onEvent }, stop));
                return ActionEndpoints.Begun(begun);
            }
            if (workflow.Params.FirstOrDefault(param => param.Type == "secret" && values?.ContainsKey(param.Name) == true) is { } secret)
                throw new InvalidDefinitionException("A secret is kept nowhere, so a worker of a queue could not have it.") { Params = new Dictionary<string, string> { [secret.Name] = $"Leave it empty: the worker reads it from its environment{(secret.EnvironmentVariable is { } variable ? $" ({variable})" : "")}." } };
            // An enqueue with an id is idempotent, and a person who chose one that is taken should know.
            if (runId is not null && await client.FindAsync(runId, context.RequestAborted) is not null) throw new RunExistsException(runId);
            var head = await client.EnqueueAsync(workflow, values, new EnqueueOptions { Queue = queue, Priority = asked.Priority, Delay = TimeSpan.FromMilliseconds(asked.DelayMs) }, start, context.RequestAborted);
            return ActionEndpoints.Begun(head.RunId);
        });

    static IEnumerable<object> Params(Workflow workflow) => workflow.Params.Select(param => new
    {
        param.Name, param.Type, param.Required, param.Allowed, param.Description, param.EnvironmentVariable, @default = param.Type == "secret" ? null : param.Default,
    });
}
