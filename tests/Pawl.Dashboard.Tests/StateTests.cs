using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>What is seen rarely: the page that asks for the token, a page that only shows, nothing, faults, output that is still coming. Each is checked by axe-core.</summary>
public sealed partial class StateTests(Browser browser) : PageTest(browser)
{
    static async Task CheckAsync(IPage page, string what)
    {
        if (!await page.EvaluateAsync<bool>("typeof axe === 'object'")) await page.EvaluateAsync(await File.ReadAllTextAsync(Path.Combine(Browser.Root, "artifacts", "axe", "axe.min.js"), Lab.Stop));
        var found = await Browser.SeriousAsync(page);
        Assert.True(found == "[]", $"{what}: {found}");
    }

    [Fact]
    public async Task Who_comes_without_the_link_gives_its_token()
    {
        await using var lab = await Lab.StartAsync();
        var page = await OpenAsync(lab.Server.Address, "");
        await CheckAsync(page, "the token");
        await page.GetByLabel("Token").FillAsync("wrong");
        await page.GetByRole(AriaRole.Button, new() { Name = "Open" }).ClickAsync();
        await page.GetByLabel("Token").FillAsync(lab.Server.Link.Query["?token=".Length..]);
        await page.GetByRole(AriaRole.Button, new() { Name = "Open" }).ClickAsync();
        await Assertions.Expect(page.GetByText("No runs yet.")).ToBeVisibleAsync();
        Assert.DoesNotContain("token", page.Url, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"^(\?|all|(running|waiting|failed|pending|paused|completed|canceled) \d+|Search|CSV|JSON|Export|Its runs|Older runs|compare|Compare|the last that completed|Close|Show all .*)$")]
    private static partial Regex Harmless();

    [Fact]
    public async Task A_read_only_page_has_no_button_that_changes_anything()
    {
        await using var lab = await Lab.StartAsync(readOnly: true);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "waiting" }, Lab.Stop);
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "failed" }, Lab.Stop);
        await lab.Client.EnqueueAsync(Lab.Pipeline, null, new EnqueueOptions { Queue = "night" }, new StartOptions { RunId = "queued" }, Lab.Stop);
        await lab.Client.ScheduleAsync(new Schedule("nightly", Lab.Pipeline, "0 3 * * *"), Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "runs");
        foreach (var place in new[] { "runs", "approvals", "workflows", "workflow/pipeline", "queues", "schedules", "storage", "start?like=failed", "run/waiting", "run/queued", "run/failed/steps?step=right", "run/failed/checkpoints", "run/failed/plan" })
        {
            await Browser.GoAsync(page, place);
            var buttons = await page.Locator("button:not([role=tab]), a.button, summary.button").AllInnerTextsAsync();
            Assert.All(buttons, text => Assert.True(Harmless().IsMatch(text.Trim()), $"{place}: {text}"));
            if (place is "approvals" or "schedules" or "storage" or "run/waiting" or "run/failed/plan") await CheckAsync(page, $"{place}, read-only");
        }
        await Assertions.Expect(page.GetByText("· read-only")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Where_nothing_is_and_where_something_failed_the_page_says_so_to_everybody()
    {
        await using var lab = await Lab.StartAsync();
        var page = await OpenAsync(lab.Server.Link, "runs");
        foreach (var (place, says) in new[]
        {
            ("runs", "No runs yet."), ("runs?status=failed", "No run is like that."), ("approvals", "Nobody waits for a decision."), ("queues", "Nothing is enqueued."), ("schedules", "No schedules."), ("audit", "Nobody did anything like that."),
            ("workflow/none", "It has no runs in this store."), ("run/none", "There is no run 'none'"), ("runs?where=x", "a tag is asked for as key=value"),
        })
        {
            await page.GotoAsync($"{lab.Server.Address}#/{place}");
            await Assertions.Expect(page.Locator("main").GetByText(says).First).ToBeVisibleAsync();
            if (place is not ("runs?status=failed" or "schedules" or "audit")) await CheckAsync(page, place);
        }
        await page.RouteAsync("**/api/v1/**", route => route.AbortAsync());
        await page.GotoAsync($"{lab.Server.Address}#/queues");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The server cannot be reached.");
        await CheckAsync(page, "no server");
        await page.UnrouteAllAsync();
        await Assertions.Expect(page.GetByText("Nothing is enqueued.")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task Output_that_is_still_coming_is_for_everybody_too()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", context =>
        {
            context.Write("so far so good");
            context.Write("a complaint", isError: true);
            context.ReportProgress(0.4, "on its way");
            return go.Task;
        });
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        await lab.UntilAsync("r1", head => head.Done == 1);
        var page = await OpenAsync(lab.Server.Link, "run/r1/steps?step=held");
        await Assertions.Expect(page.GetByLabel("Output so far")).ToContainTextAsync("so far so good");
        await Assertions.Expect(page.GetByText("40 % on its way")).ToBeVisibleAsync();
        foreach (var scheme in new[] { ColorScheme.Light, ColorScheme.Dark })
        {
            await page.EmulateMediaAsync(new() { ColorScheme = scheme });
            await CheckAsync(page, $"live output, {scheme}");
        }
        go.SetResult();
        await run;
    }

    [Fact]
    public async Task What_people_and_runs_say_is_text_wherever_it_is_shown()
    {
        var evil = $"<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u001b[31m\u202Egnp.exe {new string('W', 300)}";
        var workflow = Workflow.Create("evil").Param("who", "world").Source(new WorkflowSource("yaml", evil, evil));
        workflow.Step("say", context =>
        {
            context.State.Set("said", context.Params.Get<string>("who"));
            return context.Params.Get<string>("who");
        });
        workflow.Step("gate", context => context.RequestApprovalAsync(new ApprovalRequest(evil)), step => step.Needs("say"));
        workflow.Step("end", Task (_) => throw new InvalidOperationException(evil), step => step.Needs("gate"));
        var built = workflow.Build();
        await using var lab = await Lab.StartAsync(more: built);
        foreach (var (id, who) in new[] { ("asked", "world"), ("told", evil) })
            await lab.Client.RunAsync(built, new Dictionary<string, object?> { ["who"] = who }, new StartOptions { RunId = id, By = evil, Tags = new Dictionary<string, string> { ["note"] = evil } }, Lab.Stop);
        await lab.DoAsync("runs/told/decide", System.Text.Json.JsonSerializer.Serialize(new { step = "gate/approval", approve = false, reason = evil }));
        await lab.UntilAsync("told", head => head.Status == RunStatus.Failed);
        // Queues and schedules cannot bear such names; who tries is told, in text.
        foreach (var (path, json) in new[] { ("runs", System.Text.Json.JsonSerializer.Serialize(new { workflow = "evil", queue = evil })), ($"schedules/{Uri.EscapeDataString(evil)}/pause", "{}") })
        {
            using var answer = await lab.PostAsync(path, json);
            Assert.InRange((int)answer.StatusCode, 400, 499);
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        }
        var page = await OpenAsync(lab.Server.Link, "runs");
        foreach (var (place, opens) in new[]
        {
            ("runs", null), ("approvals", null), ("approvals", "Approve …"), ("run/asked", null), ("run/asked", "Reject …"), ("audit", null), ("run/told/audit", null), ("run/told/compare?with=asked", null),
            ("run/told/checkpoints?seq=4&with=2", null), ($"run/told/plan?params={Uri.EscapeDataString(System.Text.Json.JsonSerializer.Serialize(new { who = evil, none = evil }))}", null), ("run/told", "Fork …"), ("workflow/evil", null),
        })
        {
            await Browser.GoAsync(page, place);
            if (opens is not null) await page.GetByRole(AriaRole.Button, new() { Name = opens, Exact = true }).First.ClickAsync();
            if (opens == "Fork …")
            {
                await Assertions.Expect(page.GetByLabel("Params, as JSON")).ToHaveValueAsync(new Regex("onerror"));
                await page.GetByRole(AriaRole.Button, new() { Name = "What would it do?" }).ClickAsync();
                await Assertions.Expect(page.Locator("dialog .note")).ToBeVisibleAsync();
            }
            else await Assertions.Expect(opens is null ? page.Locator("main") : page.Locator("dialog")).ToContainTextAsync("onerror");
            Assert.Equal(0, await page.Locator("main img, main script, dialog img, dialog script").CountAsync());
            Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth + 1"), $"{place}, {opens}: the page is wider than the window");
            if (opens is not null) await page.Keyboard.PressAsync("Escape");
        }
        await Browser.GoAsync(page, "start?workflow=evil");
        await page.GetByText("Where, and under which name").ClickAsync();
        await page.GetByLabel("Queue").FillAsync(evil);
        await page.GetByRole(AriaRole.Button, new() { Name = "Put it into the queue" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("onerror");
        Assert.Equal(0, await page.Locator("main img, main script").CountAsync());
        Assert.DoesNotContain("owned", await page.TitleAsync());
    }
}
