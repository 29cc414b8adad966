using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>The page in an application that has other addresses too.</summary>
public sealed class HostedLaws
{
    [Theory]
    [InlineData("/pawl", "", "/pawl/")]
    [InlineData("/pawl/", "", "/pawl/")]
    [InlineData("/ops/pawl", "/tools", "/tools/ops/pawl/")]
    [InlineData("/", "/tools", "/tools/")]
    public async Task Under_a_path_the_page_is_there_with_the_slash_and_leads_to_it_without(string path, string pathBase, string page)
    {
        await using var client = new PawlClient(new MemoryStore());
        await using var host = await Hosted.StartAsync(client, path, app =>
        {
            if (pathBase.Length > 0) app.UsePathBase(pathBase);
            app.UseRouting();
        });
        var http = host.Http;
        using var there = await http.GetAsync(page, Lab.Stop);
        Assert.Equal(HttpStatusCode.OK, there.StatusCode);
        Assert.Contains("id=\"app\"", await there.Content.ReadAsStringAsync(Lab.Stop));
        using var script = await http.GetAsync($"{page}app.js", Lab.Stop);
        Assert.Equal(HttpStatusCode.OK, script.StatusCode);
        using var api = await http.GetAsync($"{page}api/v1/runs", Lab.Stop);
        Assert.Equal(HttpStatusCode.OK, api.StatusCode);
        using var without = await http.GetAsync(page.TrimEnd('/'), Lab.Stop);
        Assert.Equal((HttpStatusCode.Redirect, page), (without.StatusCode, without.Headers.Location!.OriginalString));
    }

    static Workflow OfAFile()
    {
        var workflow = Workflow.Create("of-a-file").Source(new WorkflowSource("yaml", "of-a-file.yaml", "steps"));
        workflow.Step("gate", context => context.RequestApprovalAsync(new ApprovalRequest("Go?")));
        return workflow.Build();
    }

    [Theory, InlineData(false, "line 3 is wrong"), InlineData(true, "pipeline")]
    public async Task A_decision_is_kept_when_the_run_cannot_go_on_here_and_said_again_it_goes_on(bool isRefused, string why)
    {
        var broken = true;
        var built = OfAFile();
        var client = new PawlClient(new MemoryStore());
        await client.RunAsync(built, null, new StartOptions { RunId = "r" }, Lab.Stop);
        await using var server = await LocalDashboard.StartAsync(new DashboardOptions { Client = client, Definitions = _ => !broken ? built : isRefused ? Lab.Pipeline : throw new InvalidDefinitionException("line 3 is wrong") }, cancellationToken: Lab.Stop);
        using var http = new HttpClient { BaseAddress = new Uri(server.Address, "api/v1/") };
        (await http.GetAsync(server.Link, Lab.Stop)).EnsureSuccessStatusCode();
        var (isFirst, problem) = await DecideAsync();
        Assert.True(isFirst);
        Assert.Contains(why, problem, StringComparison.Ordinal);
        Assert.Equal(RunStatus.Waiting, (await client.FindAsync("r", Lab.Stop))!.Status);
        broken = false;
        Assert.Equal((false, null), await DecideAsync());
        for (var tries = 0; tries < 600 && (await client.FindAsync("r", Lab.Stop))!.Status != RunStatus.Completed; tries++) await Task.Delay(50, Lab.Stop);
        Assert.Equal(RunStatus.Completed, (await client.FindAsync("r", Lab.Stop))!.Status);

        async Task<(bool, string?)> DecideAsync()
        {
            using var answer = await http.PostAsync("runs/r/decide", new StringContent("""{"step":"gate/approval","approve":true}""", Encoding.UTF8, "application/json"), Lab.Stop);
            var said = JsonElement.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Lab.Stop));
            return (said.GetProperty("is_first").GetBoolean(), said.TryGetProperty("problem", out var told) ? told.GetString() : null);
        }
    }
}
