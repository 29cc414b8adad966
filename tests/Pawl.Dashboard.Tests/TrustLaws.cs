using System.Net;
using System.Text;
using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>Who may ask what, and what a browser is told to do with the answers.</summary>
public sealed class TrustLaws(Browser browser) : PageTest(browser)
{
    [Fact]
    public async Task Without_the_token_nothing_is_told()
    {
        await using var lab = await Lab.StartAsync();
        using var stranger = new HttpClient { BaseAddress = lab.Server.Address };
        foreach (var path in new[] { "", "app.js", "api/v1/runs", "api/v1/events", "api/v1/info" })
        {
            using var answer = await stranger.GetAsync(path, Lab.Stop);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }
        using var change = await stranger.PostAsync("api/v1/prune", new StringContent("{}", Encoding.UTF8, "application/json"), Lab.Stop);
        Assert.Equal(HttpStatusCode.Unauthorized, change.StatusCode);
    }

    [Fact]
    public async Task The_cookie_is_for_the_server_alone_and_the_token_leaves_the_address()
    {
        await using var lab = await Lab.StartAsync();
        using var plain = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false });
        using var answer = await plain.GetAsync(lab.Server.Link, Lab.Stop);
        Assert.Equal("/", answer.Headers.Location!.OriginalString);
        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        Assert.Contains("httponly", cookie);
        Assert.Contains("samesite=strict", cookie);
        Assert.DoesNotContain(lab.Server.Link.Query[7..], cookie);
    }

    [Fact]
    public async Task The_token_leaves_the_address_of_whoever_is_in_already_too()
    {
        await using var lab = await Lab.StartAsync();
        using var answer = await lab.Http.GetAsync(lab.Server.Link, Lab.Stop);
        Assert.Equal(lab.Server.Address, answer.RequestMessage!.RequestUri);
    }

    [Fact]
    public async Task After_ten_wrong_tokens_even_the_right_one_has_to_wait()
    {
        await using var lab = await Lab.StartAsync();
        using var guesser = new HttpClient { BaseAddress = lab.Server.Address };
        for (var i = 0; i < 10; i++) Assert.Equal(HttpStatusCode.Unauthorized, (await guesser.GetAsync($"?token={i}", Lab.Stop)).StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await guesser.GetAsync(lab.Server.Link, Lab.Stop)).StatusCode);
        // Who is in stays in.
        await lab.GetAsync("runs");
    }

    [Theory]
    [InlineData("Host", "evil.example", 421)]
    [InlineData("Origin", "http://evil.example", 403)]
    [InlineData("Origin", "null", 403)]
    [InlineData("Sec-Fetch-Site", "cross-site", 403)]
    [InlineData("Sec-Fetch-Site", "same-site", 403)]
    public async Task A_request_that_another_site_made_is_refused(string header, string value, int status)
    {
        await using var lab = await Lab.StartAsync();
        var request = new HttpRequestMessage(HttpMethod.Post, "prune") { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
        request.Headers.TryAddWithoutValidation(header, value);
        using var answer = await lab.Http.SendAsync(request, Lab.Stop);
        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task A_form_cannot_change_anything()
    {
        await using var lab = await Lab.StartAsync();
        using var form = await lab.Http.PostAsync("prune", new StringContent("{}", Encoding.UTF8, "text/plain"), Lab.Stop);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, form.StatusCode);
    }

    [Fact]
    public async Task A_read_only_page_has_no_actions()
    {
        await using var lab = await Lab.StartAsync(readOnly: true);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        foreach (var action in new[] { "runs/r/cancel", "runs/r/decide", "runs/r/delete", "runs/r/fork", "prune" })
        {
            using var answer = await lab.PostAsync(action, "{}");
            Assert.True(answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed, $"{action}: {answer.StatusCode}");
        }
        Assert.Equal(RunStatus.Waiting, (await lab.Client.FindAsync("r", Lab.Stop))!.Status);
        // A plan changes nothing.
        Assert.Equal(5, (await lab.DoAsync("runs/r/plan", """{"params":{"who":"moon"}}""")).GetProperty("steps").GetArrayLength());
    }

    [Fact]
    public async Task Every_answer_forbids_scripts_of_others_and_guessing_of_types()
    {
        await using var lab = await Lab.StartAsync();
        foreach (var path in new[] { "../../", "../../app.js", "runs", "runs/none" })
        {
            using var answer = await lab.Http.GetAsync(path, Lab.Stop);
            var policy = Assert.Single(answer.Headers.GetValues("Content-Security-Policy"));
            Assert.Contains("script-src 'self';", policy);
            Assert.DoesNotContain("unsafe", policy);
            Assert.Equal("nosniff", Assert.Single(answer.Headers.GetValues("X-Content-Type-Options")));
        }
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("cross-site", true)]
    [InlineData("same-site", true)]
    [InlineData("same-origin", true)]
    [InlineData("none", false)]
    public async Task A_page_that_another_page_opened_is_cut_from_it(string? site, bool isCut)
    {
        await using var lab = await Lab.StartAsync();
        var request = new HttpRequestMessage(HttpMethod.Get, lab.Server.Address);
        if (site is not null) request.Headers.Add("Sec-Fetch-Site", site);
        using var answer = await lab.Http.SendAsync(request, Lab.Stop);
        Assert.Equal(isCut, answer.Headers.TryGetValues("Cross-Origin-Opener-Policy", out var policies) && policies.Single() == "same-origin");
    }

    [Fact]
    public async Task A_page_that_opens_this_one_in_a_browser_loses_sight_of_it()
    {
        await using var lab = await Lab.StartAsync();
        var page = await OpenAsync(lab.Server.Link, "runs");
        // Of the same machine, whose cookies a browser sends along.
        await page.Context.RouteAsync("http://127.0.0.1:1/", route => route.FulfillAsync(new() { ContentType = "text/html", Body = "<h1>Another page</h1>" }));
        var other = await page.Context.NewPageAsync();
        await other.GotoAsync("http://127.0.0.1:1/");
        var opened = await other.RunAndWaitForPopupAsync(() => other.EvaluateAsync($"() => {{ window.opened = window.open('{lab.Server.Address}'); }}"));
        await Assertions.Expect(opened.GetByRole(AriaRole.Heading, new() { Name = "Runs" })).ToBeVisibleAsync();
        Assert.True(await opened.EvaluateAsync<bool>("opener === null"));
        Assert.True(await other.EvaluateAsync<bool>("opened.closed"));
    }
}
