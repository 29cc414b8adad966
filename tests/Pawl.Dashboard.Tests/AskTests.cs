using Microsoft.Playwright;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>What is asked before something is done, what is done then, and what is said about it.</summary>
public sealed class AskTests(Browser browser) : PageTest(browser)
{
    [Fact]
    public async Task What_is_pruned_is_what_was_shown_and_the_list_says_how_many_that_are()
    {
        await using var lab = await Lab.StartAsync();
        for (var i = 0; i < 203; i++) await lab.Client.EnqueueAsync(Lab.Pipeline, null, null, new StartOptions { RunId = $"r{i}" }, Lab.Stop);
        for (var i = 0; i < 202; i++) await lab.Client.CancelAsync($"r{i}", cancellationToken: Lab.Stop);
        var page = await OpenAsync(lab, "storage");
        await page.GetByLabel("Older than days").FillAsync("0");
        await Button(page, "Show what would go").ClickAsync();
        await Assertions.Expect(page.GetByText("202 runs would go; the newest 200 are listed.")).ToBeVisibleAsync();
        // Other fields: what is shown is not what they say.
        await page.GetByLabel("Keep of each workflow").FillAsync("1");
        await Assertions.Expect(page.GetByText("runs would go")).ToHaveCountAsync(0);
        await Button(page, "Show what would go").ClickAsync();
        await Assertions.Expect(page.GetByText("201 runs would go; the newest 200 are listed.")).ToBeVisibleAsync();
        // Over meanwhile: now it is the newest, which is kept, and the one that was fits too.
        await lab.Client.CancelAsync("r202", cancellationToken: Lab.Stop);
        await Button(page, "Remove 201 runs …").ClickAsync();
        await Button(page, "Remove").ClickAsync();
        await Assertions.Expect(page.GetByText("201 runs are removed.")).ToBeVisibleAsync();
        Assert.Equal(["r201", "r202"], await lab.Client.ListAsync(new RunQuery { Workflow = "pipeline" }, Lab.Stop).Select(head => head.RunId).Order().ToListAsync(Lab.Stop));
    }

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
