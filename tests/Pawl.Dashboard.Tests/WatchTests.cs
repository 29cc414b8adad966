using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>Pages that are looked at for long, and many at once.</summary>
public sealed class WatchTests(Browser browser) : PageTest(browser)
{
    [Fact]
    public async Task The_page_of_a_run_that_was_removed_says_so_and_asks_no_more()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "run/r1");
        await page.AddInitScriptAsync("window.sources = []; window.EventSource = class extends EventSource { constructor(...all) { super(...all); sources.push(this); } };");
        await page.ReloadAsync();
        await Assertions.Expect(page.GetByText("Publish?")).ToBeVisibleAsync();
        await lab.Client.DeleteAsync("r1", Lab.Stop);
        await Assertions.Expect(page.GetByText("This run was removed.")).ToBeVisibleAsync(new() { Timeout = 15000 });
        // The feed is asked for once more, and answered that there is none.
        await page.EvaluateAsync("Promise.all(sources.map(source => new Promise(done => { const look = () => { if (source.readyState === EventSource.CLOSED) done(); }; source.addEventListener('error', look); look(); })))");
        await page.GetByRole(AriaRole.Link, new() { Name = "To the runs" }).ClickAsync();
        await Assertions.Expect(page.GetByText("No runs yet.")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_page_that_lost_its_server_for_a_while_is_live_again_by_itself()
    {
        await using var lab = await Lab.StartAsync();
        var page = await OpenAsync(lab.Server.Link, "workflows");
        var isAway = true;
        // As a proxy answers while the application behind it starts anew: a browser gives such a feed up.
        await page.RouteAsync("**/api/v1/events", route => isAway ? route.FulfillAsync(new() { Status = 404, Body = "<h1>No such backend</h1>" }) : route.ContinueAsync());
        await page.GetByRole(AriaRole.Link, new() { Name = "Runs", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert).First).ToContainTextAsync("The connection is lost.");
        isAway = false;
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToHaveCountAsync(0);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "r1", Exact = true })).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Pages_in_the_background_leave_the_connections_to_the_one_that_is_shown_and_catch_up_when_they_are()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        await lab.UntilAsync("r1", head => head.Done == 1);
        var first = await OpenAsync(lab.Server.Link, "run/r1");
        // A browser has six connections to one server.
        for (var i = 0; i < 6; i++)
        {
            var shown = i == 0 ? first : await BesideAsync(first, lab.Server.Address, "run/r1");
            await Assertions.Expect(shown.GetByText("1 of 3 steps")).ToBeVisibleAsync();
            await ShowAsync(shown, false);
        }
        var last = await BesideAsync(first, lab.Server.Address, "run/r1");
        await Assertions.Expect(last.GetByText("1 of 3 steps")).ToBeVisibleAsync();
        go.SetResult();
        await run;
        await Assertions.Expect(last.GetByText("3 of 3 steps")).ToBeVisibleAsync();
        await Assertions.Expect(first.GetByText("1 of 3 steps")).ToBeVisibleAsync();
        await ShowAsync(first, true);
        await Assertions.Expect(first.GetByText("3 of 3 steps")).ToBeVisibleAsync();
    }

    /// <summary>Without a window all pages count as shown: they are told otherwise.</summary>
    static async Task ShowAsync(IPage page, bool isShown) =>
        await page.EvaluateAsync($"Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {(isShown ? "false" : "true")} }}); document.dispatchEvent(new Event('visibilitychange'));");
}
