using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>Every page, for everybody: on a telephone in the dark, on a desk, on a wall; checked by axe-core.</summary>
public sealed class AccessTests(Browser browser) : PageTest(browser)
{
    static readonly string[] s_places = ["runs", "approvals", "workflows", "queues", "schedules", "storage", "audit", "start?workflow=pipeline", "start?like=failed", "workflow/pipeline", "nowhere",
        "run/failed", "run/failed/steps?step=right", "run/failed/timeline", "run/failed/checkpoints", "run/failed/plan", "run/failed/compare?with=waiting", "run/failed/costs", "run/failed/definition", "run/failed/audit"];

    [Fact]
    public async Task Every_page_is_accessible_light_and_dark_and_fits_from_a_telephone_to_a_wall()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "waiting" }, Lab.Stop);
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "failed" }, Lab.Stop);
        await lab.Client.EnqueueAsync(Lab.Pipeline, null, new EnqueueOptions { Queue = "night" }, new StartOptions { RunId = "queued" }, Lab.Stop);
        await lab.Client.ScheduleAsync(new Schedule("nightly", Lab.Pipeline, "0 3 * * *"), Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "runs");
        foreach (var place in s_places)
        {
            await Browser.GoAsync(page, place);
            foreach (var (name, width, scheme) in new[] { ("wide", 1280, ColorScheme.Light), ("narrow", 360, ColorScheme.Dark), ("vast", 3840, ColorScheme.Light) })
            {
                await page.SetViewportSizeAsync(width, 900);
                await page.EmulateMediaAsync(new() { ColorScheme = scheme });
                Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth + 1"), $"{place}, {name}: the page is wider than the window");
                if (name == "vast") continue;
                if (name == "wide") await Browser.ShootAsync(page, place.Replace('/', '-'));
                await CheckAsync(page, $"{place}, {name}");
            }
        }
        await page.SetViewportSizeAsync(1280, 900);
        await Browser.GoAsync(page, "runs");
        await Button(page, "Many at once …").ClickAsync();
        foreach (var (place, open) in new[]
        {
            ("runs", "Cancel …"), ("runs", "Keys"), ("run/failed", "Fork …"), ("run/failed", "Signal …"), ("run/failed", "Run again …"), ("run/failed/plan", "Resume as shown …"), ("approvals", "Approve …"), ("approvals", "Reject …"),
            ("schedules", "Run now …"),
        })
        {
            await Browser.GoAsync(page, place);
            await Button(page, open).First.ClickAsync();
            await Assertions.Expect(page.Locator("dialog[open]")).ToBeVisibleAsync();
            await Assertions.Expect(page.GetByText("Loading …")).ToHaveCountAsync(0);
            await CheckAsync(page, $"{place}, {open}");
            await page.Keyboard.PressAsync("Escape");
        }
        await lab.Client.CancelAsync("queued", cancellationToken: Lab.Stop);
        await Browser.GoAsync(page, "storage");
        await page.GetByLabel("Older than days").FillAsync("0");
        foreach (var open in new[] { "Show what would go", "Remove 1 run …" })
        {
            await Button(page, open).ClickAsync();
            await Assertions.Expect(page.GetByText("1 run would go.")).ToBeVisibleAsync();
            await CheckAsync(page, $"storage, {open}");
        }
    }

    static async Task CheckAsync(IPage page, string what)
    {
        var found = await Browser.SeriousAsync(page);
        Assert.True(found == "[]", $"{what}: {found}");
    }
}
