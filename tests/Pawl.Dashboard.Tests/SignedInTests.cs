using System.Net;
using System.Security.Claims;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>The page in an application that has users, and a policy for who may steer runs.</summary>
public sealed class SignedInTests(Browser browser) : PageTest(browser)
{
    const string Scheme = "Cookies";

    static async Task<(PawlClient Client, Hosted Host)> StartAsync()
    {
        var client = new PawlClient(new MemoryStore());
        await client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        return (client, await Hosted.StartAsync(client, "/pawl", app =>
        {
            app.UseAuthentication();
            app.UseAuthorization();
            app.MapGet("/login", () => Results.Content("<!doctype html><title>Login</title><h1>Who are you?</h1>", "text/html"));
            app.MapGet("/in", async (HttpContext context, string name, string role) =>
            {
                await context.SignInAsync(Scheme, new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.Name, name), new Claim(ClaimTypes.Role, role)], Scheme)));
                return Results.Redirect("/pawl/");
            });
            app.MapGet("/out", context => context.SignOutAsync(Scheme));
        }, services =>
        {
            services.AddAuthentication(Scheme).AddCookie(options => options.LoginPath = "/login");
            services.AddAuthorizationBuilder().AddPolicy("operators", policy => policy.RequireRole("operator"));
        }, "operators"));
    }

    [Theory, InlineData(null), InlineData("guest")]
    public async Task Who_is_not_signed_in_or_has_another_role_is_told_and_can_change_nothing(string? role)
    {
        var (client, host) = await StartAsync();
        await using var ended = client;
        await using var owned = host;
        if (role is not null) await host.Http.GetAsync($"/in?name=eve&role={role}", Lab.Stop);
        foreach (var path in new[] { "", "app.js", "api/v1/runs", "api/v1/runs/r1", "api/v1/events", "api/v1/runs/r1/events", "api/v1/runs/r1/live" })
        {
            using var answer = await host.Http.GetAsync($"/pawl/{path}", HttpCompletionOption.ResponseHeadersRead, Lab.Stop);
            Refused(path, answer);
        }
        using var change = await host.Http.PostAsync("/pawl/api/v1/runs/r1/cancel", new StringContent("{}", Encoding.UTF8, "application/json"), Lab.Stop);
        Refused("cancel", change);
        Assert.Equal(RunStatus.Waiting, (await client.FindAsync("r1", Lab.Stop))!.Status);

        // As the application's scheme does it: to its login, or by a status.
        static void Refused(string what, HttpResponseMessage answer) =>
            Assert.True(answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden || (answer.StatusCode == HttpStatusCode.Redirect && answer.Headers.Location!.AbsolutePath is "/login" or "/Account/AccessDenied"), $"{what}: {answer.StatusCode}");
    }

    [Fact]
    public async Task What_a_signed_in_user_does_bears_the_name_and_signing_out_leads_where_the_application_says()
    {
        var (client, host) = await StartAsync();
        await using var ended = client;
        await using var owned = host;
        var page = await OpenAsync(new Uri(host.Http.BaseAddress!, "/in?name=Zoë&role=operator"), "run/r1");
        await page.GetByRole(AriaRole.Button, new() { Name = "Approve …" }).ClickAsync();
        await page.GetByLabel("Reason").FillAsync("fine");
        await page.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Browser.GoAsync(page, "audit");
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "approved" })).ToContainTextAsync("Zoë");
        Assert.Contains(("approved", "Zoë"), (await client.ActsAsync("r1", Lab.Stop)).Select(act => (act.What, act.By)));
        await page.Context.APIRequest.GetAsync(new Uri(host.Http.BaseAddress!, "/out").ToString());
        // The page is told of the next change by the connection that it has, and asks.
        await client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r2" }, Lab.Stop);
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Who are you?" })).ToBeVisibleAsync();
        await Assertions.Expect(page).ToHaveURLAsync(new Regex(@"/login\?ReturnUrl=%2Fpawl%2F"));
    }
}
