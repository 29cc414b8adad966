using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>What is asked before something is done, what is done then, and what is said about it.</summary>
public sealed class AskTests(Browser browser) : PageTest(browser)
{
    [Fact]
    public async Task A_schedule_is_paused_goes_on_and_runs_now_after_a_question()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.ScheduleAsync(new Schedule("nightly", Lab.Pipeline, "0 3 * * *"), Lab.Stop);
        var page = await OpenAsync(lab, "schedules");
        await Button(page, "Pause …").ClickAsync();
        await Button(page, "Not now").ClickAsync();
        Assert.False(Assert.Single(await lab.Client.SchedulesAsync(Lab.Stop)).IsPaused);
        await Button(page, "Pause …").ClickAsync();
        await Button(page, "Pause").ClickAsync();
        await Assertions.Expect(page.Locator("td .state")).ToHaveTextAsync("paused");
        Assert.True(Assert.Single(await lab.Client.SchedulesAsync(Lab.Stop)).IsPaused);
        await Button(page, "Go on …").ClickAsync();
        await Button(page, "Go on").ClickAsync();
        await Assertions.Expect(Button(page, "Pause …")).ToBeVisibleAsync();
        Assert.False(Assert.Single(await lab.Client.SchedulesAsync(Lab.Stop)).IsPaused);
        await Button(page, "Run now …").ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Dialog, new() { Name = "Run nightly now?" })).ToBeVisibleAsync();
        await Button(page, "Run now").ClickAsync();
        await Assertions.Expect(page.GetByText("0 of 5 steps")).ToBeVisibleAsync();
        Assert.Equal("pipeline", (await lab.Client.FindAsync((await page.Locator("h1").TextContentAsync())!, Lab.Stop))!.Workflow);
    }

    Task<IPage> OpenAsync(Lab lab, string place) => OpenAsync(lab.Server.Link, place);
}
