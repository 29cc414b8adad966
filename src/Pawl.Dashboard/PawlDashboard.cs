using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Pawl.Dashboard;

/// <summary>Puts the web page and its HTTP API into an ASP.NET Core application.</summary>
public static class PawlDashboard
{
    /// <summary>Maps the page and its API under a path.</summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="path">Where: <c>/pawl</c> gives the page at <c>/pawl/</c> and the API at <c>/pawl/api/v1</c>.</param>
    /// <param name="options">The client, workflows, who may change what.</param>
    /// <returns>The group of all endpoints: put your own authorisation on it (<c>.RequireAuthorization("admins")</c>). Without one everybody who reaches the application may use it.</returns>
    /// <remarks>Requests that change something are refused unless they come from the page itself (<c>Origin</c>, <c>Sec-Fetch-Site</c>) and carry JSON.
    /// What a run wrote is only ever sent as data. Runs that are resumed from the page execute in this process, and end their pass when it stops.</remarks>
    public static RouteGroupBuilder MapPawl(this IEndpointRouteBuilder endpoints, string path = "/pawl", DashboardOptions? options = null)
    {
        options ??= new DashboardOptions();
        var client = options.Client ?? endpoints.ServiceProvider.GetRequiredService<PawlClient>();
        var stopping = endpoints.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        var group = endpoints.MapGroup(path.TrimEnd('/')).AddEndpointFilter(SameSite.CheckAsync);
        Assets.Map(group, (context, stop) => ListEndpoints.FirstAsync(context, client, options, stop));
        var api = group.MapGroup("/api/v1").AddEndpointFilter(Problems.CatchAsync);
        var removals = new Removals(client);
        var definitions = new Definitions(client, options, removals.Workflow);
        var feed = new Feed(client, options.RefreshEvery);
        var stories = new Stories(client);
        ListEndpoints.Map(api, client, definitions, options, feed);
        QueueEndpoints.Map(api, client, feed);
        ApprovalEndpoints.Map(api, client, stories, feed);
        RunEndpoints.Map(api, client, definitions, stories, feed);
        WorkflowEndpoints.Map(api, client);
        AuditEndpoints.Map(api, client);
        ExportEndpoints.Map(api, client);
        StartEndpoints.MapReads(api, client, definitions);
        FeedEndpoints.Map(api, feed, stopping);
        LiveEndpoints.Map(api, client, feed, stopping);
        OpenApi.Map(api);
        if (!options.ReadOnly)
        {
            var passes = new Passes(stopping);
            StartEndpoints.Map(api, client, definitions, passes, options);
            ActionEndpoints.Map(api, client, definitions, passes, removals, options);
            new BulkEndpoints(client, definitions, passes, removals, options).Map(api);
        }
        // Also of a name with a dot, which the framework takes for a file.
        api.MapFallback("{*path}", context => Problems.Of(StatusCodes.Status404NotFound, "There is nothing at this address.",
            options.ReadOnly && !HttpMethods.IsGet(context.Request.Method) ? "The page is read-only: nothing can be changed from it." : "openapi.json describes what there is.").ExecuteAsync(context));
        return group;
    }
}
