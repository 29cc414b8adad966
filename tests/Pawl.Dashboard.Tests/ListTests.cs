using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>The lists, in a real browser: what is found, what is behind the first page, what is told while time goes by.</summary>
public sealed class ListTests(Browser browser) : PageTest(browser)
{
    static Task<RunResult> StartAsync(Lab lab, string id, string? tag = null, bool fail = false) => lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = fail },
        new StartOptions { RunId = id, By = "ann", Tags = tag is null ? null : new Dictionary<string, string> { ["team"] = tag } }, Lab.Stop);

    static ILocator Rows(IPage page) => page.Locator("main tbody tr");

    static ILocator Link(IPage page, string name) => page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true });

    static Task ShowsAsync(IPage page, params IEnumerable<string> ids) => Assertions.Expect(page.Locator("main tbody td:first-child a")).ToHaveTextAsync([.. ids]);

    [Fact]
    public async Task Behind_the_first_page_no_run_is_left_out_whatever_begins_and_none_stays_that_is_gone()
    {
        await using var lab = await Lab.StartAsync();
        for (var i = 0; i < 60; i++) await StartAsync(lab, $"r{i:00}");
        var page = await OpenAsync(lab.Server.Link, "runs");
        await ShowsAsync(page, Enumerable.Range(10, 50).Reverse().Select(i => $"r{i:00}"));
        await page.GetByText("Older runs").ClickAsync();
        await Assertions.Expect(Link(page, "r00")).ToBeVisibleAsync();
        for (var i = 60; i < 63; i++) await StartAsync(lab, $"r{i}");
        await lab.Client.DeleteAsync("r05", Lab.Stop);
        await Assertions.Expect(Link(page, "r05")).ToHaveCountAsync(0);
        var older = await page.Locator("main tbody td:first-child a").AllTextContentsAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove the filter older than r10" }).ClickAsync();
        await ShowsAsync(page, Enumerable.Range(13, 50).Reverse().Select(i => $"r{i}"));
        Assert.Equal(["r09", "r08", "r07", "r06", "r04", "r03", "r02", "r01", "r00"], older);
        await page.GetByText("Older runs").ClickAsync();
        await ShowsAsync(page, new[] { "r12", "r11", "r10" }.Concat(older));
    }

    [Fact]
    public async Task The_audit_behind_its_first_page_leaves_nothing_out()
    {
        await using var lab = await Lab.StartAsync();
        for (var i = 0; i < 105; i++) await StartAsync(lab, $"r{i:000}");
        var page = await OpenAsync(lab.Server.Link, "audit");
        var runs = page.Locator("main tbody td:nth-child(4) a");
        await Assertions.Expect(runs).ToHaveCountAsync(100);
        await page.GetByText("Look at older runs").ClickAsync();
        await Assertions.Expect(Link(page, "r000")).ToBeVisibleAsync();
        await StartAsync(lab, "r105");
        await page.GetByText("Look at the newest runs").ClickAsync();
        await Assertions.Expect(runs.First).ToHaveTextAsync("r105");
        var newest = await runs.AllTextContentsAsync();
        await page.GetByText("Look at older runs").ClickAsync();
        await Assertions.Expect(page.GetByText("Out of the 6 runs that are older than")).ToBeVisibleAsync();
        Assert.Equal(Enumerable.Range(0, 106).Reverse().Select(i => $"r{i:000}"), newest.Concat(await runs.AllTextContentsAsync()));
    }

    [Fact]
    public async Task Runs_are_found_by_state_time_workflow_and_tag_with_counts_that_are_those_of_now()
    {
        await using var lab = await Lab.StartAsync();
        // Over the same store; it ends with the lab.
        var before = new PawlClient(lab.Client.Store, new PawlOptions { Time = new SetTime(DateTimeOffset.UtcNow.AddDays(-2)) });
        await before.RunAsync(Lab.Held("early", _ => Task.CompletedTask), null, new StartOptions { RunId = "old" }, Lab.Stop);
        await StartAsync(lab, "waits", "data");
        await StartAsync(lab, "failed", "docs", fail: true);
        var page = await OpenAsync(lab.Server.Link, "runs");
        var status = page.GetByRole(AriaRole.Group, new() { Name = "Status" });
        await ShowsAsync(page, "failed", "waits", "old");
        await status.GetByRole(AriaRole.Button, new() { Name = "failed 1" }).ClickAsync();
        await ShowsAsync(page, "failed");
        await StartAsync(lab, "failed2", fail: true);
        await Assertions.Expect(status.GetByRole(AriaRole.Button, new() { Name = "failed 2" })).ToHaveAttributeAsync("aria-pressed", "true");
        await ShowsAsync(page, "failed2", "failed");
        await status.GetByRole(AriaRole.Button, new() { Name = "all" }).ClickAsync();
        await page.GetByLabel("Created in").SelectOptionAsync("1d");
        await ShowsAsync(page, "failed2", "failed", "waits");
        await page.GetByLabel("Created in").SelectOptionAsync("7d");
        await ShowsAsync(page, "failed2", "failed", "waits", "old");
        await Assertions.Expect(page).ToHaveURLAsync(new Regex("age=7d"));

        await Browser.GoAsync(page, "runs");
        await page.GetByLabel("Workflow", new() { Exact = true }).FocusAsync();
        await Assertions.Expect(page.Locator("datalist option")).ToHaveCountAsync(2);
        await page.GetByLabel("Workflow", new() { Exact = true }).FillAsync("pipeline");
        await page.GetByLabel("Tag", new() { Exact = true }).FillAsync("no tag");
        await page.Keyboard.PressAsync("Enter");
        Assert.EndsWith("runs", page.Url, StringComparison.Ordinal);
        await page.GetByLabel("Tag", new() { Exact = true }).FillAsync("team=data");
        await page.Keyboard.PressAsync("Enter");
        await ShowsAsync(page, "waits");
        await page.GetByRole(AriaRole.Button, new() { Name = "Remove the filter team=data" }).ClickAsync();
        await ShowsAsync(page, "failed2", "failed", "waits");
        await Assertions.Expect(page.GetByLabel("Workflow", new() { Exact = true })).ToHaveValueAsync("pipeline");
    }

    [Fact]
    public async Task What_runs_takes_longer_while_one_looks_and_a_page_that_nobody_sees_rests()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        await lab.UntilAsync("r1", head => head.Done == 1);
        var page = await OpenAsync(lab.Server.Link, "runs");
        await page.Clock.InstallAsync();
        await page.ReloadAsync();
        var took = Rows(page).Locator("td").Nth(4);
        await Assertions.Expect(took).ToContainTextAsync("s");
        // What a page reads again when it has just been shown, it has read.
        await page.Clock.FastForwardAsync("00:02");
        await Assertions.Expect(Rows(page).Locator("time")).ToContainTextAsync("ago");
        await page.Clock.FastForwardAsync("10:00");
        await Assertions.Expect(took).ToHaveTextAsync(new Regex("^10 m"));
        await Assertions.Expect(Rows(page).Locator("time")).ToHaveTextAsync(new Regex("^10 m .* ago$"));
        await Link(page, "r1").ClickAsync();
        var fact = page.Locator("dl.facts div").Filter(new() { HasText = "Took" }).Locator("dd");
        await Assertions.Expect(fact).ToHaveTextAsync(new Regex("^10 m"));
        await page.Clock.FastForwardAsync("00:02");
        await page.Clock.FastForwardAsync("10:00");
        await Assertions.Expect(fact).ToHaveTextAsync(new Regex("^20 m"));
        await page.EvaluateAsync("Object.defineProperty(document, 'hidden', { value: true, configurable: true })");
        await page.Clock.FastForwardAsync("10:00");
        await Assertions.Expect(fact).ToHaveTextAsync(new Regex("^20 m"));
        await page.EvaluateAsync("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))");
        await Assertions.Expect(fact).ToHaveTextAsync(new Regex("^30 m"));
        go.SetResult();
        await run;
    }

    [Fact]
    public async Task Queues_say_what_is_in_line_and_who_executes()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        foreach (var id in new[] { "q1", "q2" }) await lab.Client.EnqueueAsync(Lab.Pipeline, null, new EnqueueOptions { Queue = "night" }, new StartOptions { RunId = id }, Lab.Stop);
        await lab.UntilAsync("r1", head => head.Owner is not null && head.Done == 1);
        var page = await OpenAsync(lab.Server.Link, "queues");
        await Assertions.Expect(Rows(page).Locator("td")).ToHaveTextAsync([new Regex("^night$"), new Regex("^2$"), new Regex("^0$"), new Regex("^0$"), new Regex("^0$"), new Regex("^0$"), new Regex("now|ago")]);
        await Assertions.Expect(page.Locator("section.note")).ToContainTextAsync($"process {Environment.ProcessId}");
        await Assertions.Expect(page.Locator("section.note li")).ToContainTextAsync("r1 held, since");
        go.SetResult();
        await run;
        await Assertions.Expect(page.GetByText("Nobody executes a run now.")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_workflow_shows_the_text_of_any_of_its_versions()
    {
        await using var lab = await Lab.StartAsync();
        foreach (var version in new[] { 1, 2 })
        {
            var workflow = Workflow.Create("of-a-file", version).Source(new WorkflowSource("yaml", "of-a-file.yaml", $"name: of-a-file # <b>{version}"));
            workflow.Step("one", _ => 1);
            await lab.Client.RunAsync(workflow.Build(), null, new StartOptions { RunId = $"v{version}" }, Lab.Stop);
        }
        var page = await OpenAsync(lab.Server.Link, "workflow/of-a-file");
        await Assertions.Expect(page.Locator("main pre").First).ToHaveTextAsync("name: of-a-file # <b>2");
        await page.GetByLabel("Of", new() { Exact = true }).SelectOptionAsync("1");
        await Assertions.Expect(page.Locator("main pre").First).ToHaveTextAsync("name: of-a-file # <b>1");
        await Assertions.Expect(page).ToHaveURLAsync(new Regex("version=1"));
    }

    [Fact]
    public async Task What_storage_would_remove_has_an_address()
    {
        await using var lab = await Lab.StartAsync();
        var page = await OpenAsync(lab.Server.Link, "storage");
        await page.GetByLabel("Older than days").FillAsync("7");
        await page.GetByLabel("Keep of each workflow").FillAsync("3");
        await page.GetByLabel("Of the workflow").FillAsync("pipeline");
        await Assertions.Expect(page).ToHaveURLAsync(new Regex(@"storage\?days=7&keep=3&workflow=pipeline$"));
        var address = page.Url;
        await page.GetByLabel("Older than days").FillAsync("");
        await Assertions.Expect(page.GetByLabel("Older than days")).ToHaveValueAsync("");
        await page.GotoAsync(address);
        await Assertions.Expect(page.GetByLabel("Older than days")).ToHaveValueAsync("7");
        await page.ReloadAsync();
        await Assertions.Expect(page.GetByLabel("Older than days")).ToHaveValueAsync("7");
        await Assertions.Expect(page.GetByLabel("Keep of each workflow")).ToHaveValueAsync("3");
        await Assertions.Expect(page.GetByLabel("Of the workflow")).ToHaveValueAsync("pipeline");
    }
}
