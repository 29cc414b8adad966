using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace Pawl.Dashboard.Tests;

/// <summary>The description of the API is that of the API. What each answer looks like is checked wherever a test gets one (<see cref="Described"/>).</summary>
public sealed partial class OpenApiLaws
{
    [Fact]
    public async Task Every_endpoint_is_described_and_every_description_is_an_endpoint()
    {
        await using var client = new PawlClient(new Pawl.Storage.MemoryStore());
        await using var app = WebApplication.CreateSlimBuilder().Build();
        app.MapPawl("/", new DashboardOptions { Client = client });
        var mapped = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.RoutePattern.RawText!.StartsWith("/api/v1/", StringComparison.Ordinal) && !endpoint.RoutePattern.RawText.Contains('*', StringComparison.Ordinal))
            .SelectMany(endpoint => endpoint.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Select(method => $"{method} {Constraint().Replace(endpoint.RoutePattern.RawText!["/api/v1".Length..], "}")}"));
        Assert.Equal(mapped.Order(), Described.Operations.Order());
    }

    [Fact]
    public async Task What_is_asked_for_first_fits_its_description()
    {
        await using var lab = await Lab.StartAsync("file");
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "r" }, Lab.Stop);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "w", Tags = new Dictionary<string, string> { ["team"] = "data" } }, Lab.Stop);
        await lab.Client.EnqueueAsync(Lab.Pipeline, null, new EnqueueOptions { Queue = "night", Priority = 2, Delay = TimeSpan.FromHours(1) }, new StartOptions { RunId = "q" }, Lab.Stop);
        await lab.Client.ScheduleAsync(new Schedule("nightly", Lab.Pipeline, "0 3 * * *"), Lab.Stop);
        foreach (var path in new[]
        {
            "openapi.json", "info", "size", "runs", "counts", "approvals", "workflows", "workflows/pipeline", "definitions", "queues", "schedules", "audit", "export/runs?format=json", "runs/r", "runs/w", "runs/r/checkpoints", "runs/r/checkpoints/3", "runs/r/snapshot",
            "runs/r/costs", "runs/r/definition", "runs/r/diff?other=w", "runs/r/plan", "runs/r/audit", "runs/r/export?what=snapshot", "runs/r/export?what=outputs",
        }) await lab.GetAsync(path);
        foreach (var verb in new[] { "pause", "resume", "trigger" }) await lab.DoAsync($"schedules/nightly/{verb}");
        Assert.ThrowsAny<Exception>(() => Described.Fit(JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}""").RootElement, JsonDocument.Parse("{}").RootElement, "a"));
        Assert.ThrowsAny<Exception>(() => Described.Fit(JsonDocument.Parse("""{"type":"object","properties":{}}""").RootElement, JsonDocument.Parse("""{"b":1}""").RootElement, "b"));
    }

    [GeneratedRegex(@":\w+\}")]
    private static partial Regex Constraint();
}
