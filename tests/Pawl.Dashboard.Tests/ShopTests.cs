using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>Every action of the page, in a real browser, while a worker of another process executes.</summary>
public sealed class ShopTests(Browser browser, Shop shop) : PageTest(browser), IClassFixture<Shop>
{
    static readonly string s_me = Environment.UserName;

    Task<IPage> OpenAsync(string place) => OpenAsync(shop.Link, place);

    [Fact]
    public async Task A_run_is_started_from_its_form_and_what_is_wrong_stands_beside_its_field()
    {
        var page = await OpenAsync("start?workflow=ship");
        await page.GetByLabel("count", new() { Exact = false }).FillAsync("many");
        await Button(page, "Start").ClickAsync();
        await Assertions.Expect(page.Locator("#param-note-wrong")).ToHaveTextAsync("It is required.");
        await Assertions.Expect(page.Locator("#param-count-wrong")).ToHaveTextAsync("Write a number.");
        await Assertions.Expect(page.Locator("#param-note")).ToBeFocusedAsync();
        await page.Locator("#param-note").FillAsync("a form");
        await page.Locator("#param-count").FillAsync("3");
        await page.Locator("#param-target").SelectOptionAsync("production");
        await page.Locator("#param-labels").FillAsync("[1,");
        await Assertions.Expect(page.Locator("#param-labels-wrong")).ToContainTextAsync("This is no JSON");
        await page.Locator("#param-labels").FillAsync("""["c"]""");
        await page.Locator("#param-token").FillAsync("s3cret-of-the-form");
        await page.GetByText("Where, and under which name").ClickAsync();
        await page.GetByLabel("Run id").FillAsync("formed");
        await page.GetByLabel("Tags").FillAsync("team=data");
        await Browser.ShootAsync(page, "start");
        // What only the server knows comes back to its field, too.
        await page.GetByLabel("Queue").FillAsync("default");
        await Button(page, "Put it into the queue").ClickAsync();
        await Assertions.Expect(page.Locator("#param-token-wrong")).ToContainTextAsync("SHIP_TOKEN");
        await page.GetByLabel("Queue").FillAsync("");
        await Button(page, "Start").ClickAsync();
        await Assertions.Expect(page.GetByText("Ship to production?").First).ToBeVisibleAsync();
        var head = await shop.UntilAsync("formed", head => head.Status == RunStatus.Waiting);
        Assert.Equal("data", head.Tags["team"]);
        var there = await shop.Client.SnapshotAsync("formed", cancellationToken: Lab.Stop);
        Assert.Equal(("6", "[\"c\"]"), (there.Outputs["build"].ToElement().GetProperty("made").ToString(), there.Params["labels"].ToString()));
        foreach (var record in await shop.Client.HistoryAsync("formed", Lab.Stop)) Assert.DoesNotContain("s3cret", System.Text.Encoding.UTF8.GetString(record.Line.Span));
        Assert.Equal([$"started by {s_me}"], await shop.ActsAsync("formed"));

        // The same again: the form of a run has its params, and a taken id is refused.
        await page.GetByRole(AriaRole.Link, new() { Name = "Start another …" }).ClickAsync();
        await Assertions.Expect(page.Locator("#param-note")).ToHaveValueAsync("a form");
        await page.GetByText("Where, and under which name").ClickAsync();
        await page.GetByLabel("Run id").FillAsync("formed");
        await Button(page, "Start").ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("exists already");
    }

    [Fact]
    public async Task What_a_step_says_is_seen_while_another_process_executes_it()
    {
        var page = await OpenAsync("start?workflow=talk");
        await page.GetByText("Where, and under which name").ClickAsync();
        await page.GetByLabel("Queue").FillAsync("default");
        await page.GetByLabel("Run id").FillAsync("talking");
        await Button(page, "Put it into the queue").ClickAsync();
        await page.GetByRole(AriaRole.Region, new() { Name = "Under way" }).GetByRole(AriaRole.Button, new() { NameRegex = new Regex("^talk") }).ClickAsync();
        var output = page.GetByLabel("Output so far");
        await Assertions.Expect(output).ToContainTextAsync("the third word");
        await Assertions.Expect(output.Locator(".err")).ToContainTextAsync("a complaint");
        await Assertions.Expect(page.Locator("svg.graph g.running")).ToHaveCountAsync(1);
        await Browser.ShootAsync(page, "live");
        // The connection breaks off and comes back: nothing is said twice.
        await page.Context.SetOfflineAsync(true);
        await page.Context.SetOfflineAsync(false);
        shop.LetGo("talking");
        await Assertions.Expect(page.GetByText("3 of 3 steps")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("the last word")).ToBeVisibleAsync();
        await Assertions.Expect(output).ToHaveCountAsync(0);
        Assert.NotEqual(Environment.ProcessId, (await shop.UntilAsync("talking", head => head.Status == RunStatus.Completed)).Owner?.Pid);
    }

    [Fact]
    public async Task A_run_of_a_worker_is_paused_resumed_by_its_plan_and_canceled()
    {
        await shop.EnqueueAsync("crawl.yaml", "steered");
        await shop.UntilAsync("steered", head => head.Owner is not null && head.Done == 1);
        var page = await OpenAsync("run/steered");
        await Button(page, "Pause …").ClickAsync();
        await Button(page, "Pause").ClickAsync();
        await Assertions.Expect(page.GetByText($"paused by {s_me}")).ToBeVisibleAsync();
        await Button(page, "Resume …").ClickAsync();
        await Assertions.Expect(page.GetByText("Reuses 1 of 3 steps")).ToBeVisibleAsync();
        await page.GetByLabel("From step").SelectOptionAsync("before");
        await Assertions.Expect(page.GetByText("Reuses 0 of 3 steps")).ToBeVisibleAsync();
        // The address is the plan: whoever gets it sees the same.
        await Assertions.Expect(page).ToHaveURLAsync(new Regex("plan\\?from=before$"));
        await Button(page, "Resume as shown …").ClickAsync();
        await Button(page, "Resume").ClickAsync();
        await shop.UntilAsync("steered", head => head.Owner is not null && head.Done == 1 && head.Status == RunStatus.Running);
        await Button(page, "Cancel …").ClickAsync();
        await Button(page, "Cancel the run").ClickAsync();
        await Assertions.Expect(page.GetByText($"canceled by {s_me}")).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Who did what" }).ClickAsync();
        await Assertions.Expect(page.Locator("tbody tr")).ToHaveCountAsync(4);
        await Browser.ShootAsync(page, "audit");
        Assert.Equal([$"enqueued by {s_me}", $"paused by {s_me}", $"resumed by {s_me}", $"canceled by {s_me}"], await shop.ActsAsync("steered"));
    }

    [Fact]
    public async Task A_decision_is_given_with_changes_another_refused_and_the_worker_goes_on()
    {
        await shop.EnqueueAsync("ship.yaml", "asked", "-p", "note=approve");
        await shop.EnqueueAsync("ship.yaml", "refused", "-p", "note=reject");
        foreach (var id in new[] { "asked", "refused" }) await shop.UntilAsync(id, head => head.Status == RunStatus.Waiting && head.Owner is null);
        var page = await OpenAsync("run/asked");
        await Button(page, "Approve …").ClickAsync();
        await page.GetByLabel("Reason").FillAsync("it is good");
        await page.GetByLabel("Changes, as JSON").FillAsync("""{ "when": "now" }""");
        await Button(page, "Approve").ClickAsync();
        await Assertions.Expect(page.GetByText("4 of 4 steps")).ToBeVisibleAsync();
        var decision = (await shop.Client.SnapshotAsync("asked", cancellationToken: Lab.Stop)).Outputs["gate"].ToElement();
        Assert.Equal("now", decision.GetProperty("changes").GetProperty("when").GetString());
        await Browser.GoAsync(page, "run/refused");
        await Button(page, "Reject …").ClickAsync();
        await page.GetByLabel("Reason").FillAsync("not today");
        await Button(page, "Reject").ClickAsync();
        await shop.UntilAsync("refused", head => head.Status == RunStatus.Failed);
        await Browser.GoAsync(page, "run/refused/audit");
        await Assertions.Expect(page.GetByText("not today").First).ToBeVisibleAsync();
        Assert.Equal([$"enqueued by {s_me}", $"rejected by {s_me}"], await shop.ActsAsync("refused"));
    }

    [Fact]
    public async Task A_signal_is_sent_and_a_failed_run_put_back_into_its_queue()
    {
        await shop.EnqueueAsync("listen.yaml", "listening");
        await shop.EnqueueAsync("ship.yaml", "dropped", "-p", "note=broken");
        await shop.UntilAsync("listening", head => head.Status == RunStatus.Waiting && head.Owner is null);
        var page = await OpenAsync("run/listening");
        await Button(page, "Send the signal …").ClickAsync();
        await page.GetByLabel("Body, as JSON").FillAsync("""{ "text": """);
        await Assertions.Expect(Button(page, "Send")).ToBeDisabledAsync();
        await page.GetByLabel("Body, as JSON").FillAsync("""{ "text": "good morning" }""");
        await Button(page, "Send").ClickAsync();
        await Assertions.Expect(page.GetByText("3 of 3 steps")).ToBeVisibleAsync();
        await Browser.GoAsync(page, "run/listening/steps?step=answer");
        await Assertions.Expect(page.GetByText("heard good morning").First).ToBeVisibleAsync();
        Assert.Equal([$"enqueued by {s_me}", $"signaled by {s_me}"], await shop.ActsAsync("listening"));

        await shop.UntilAsync("dropped", head => head.Status == RunStatus.Failed && head.Owner is null);
        await Browser.GoAsync(page, "run/dropped");
        await Button(page, "Requeue …").ClickAsync();
        await Button(page, "Put back").ClickAsync();
        await shop.UntilAsync("dropped", head => head.Token > 2 && head.Status == RunStatus.Failed && head.Owner is null);
        Assert.Equal([$"enqueued by {s_me}", $"requeued by {s_me}"], await shop.ActsAsync("dropped"));
    }

    [Fact]
    public async Task A_run_is_run_again_forked_with_edits_and_set_beside_its_fork()
    {
        await shop.EnqueueAsync("ship.yaml", "first", "-p", "note=broken");
        await shop.UntilAsync("first", head => head.Status == RunStatus.Failed && head.Owner is null);
        var page = await OpenAsync("run/first");
        await Assertions.Expect(page.GetByText("the note says it is broken")).ToBeVisibleAsync();
        await Browser.ShootAsync(page, "run");
        await Button(page, "Run again …").ClickAsync();
        await page.GetByLabel("Params to change, as JSON").FillAsync("""{ "note": "mended" }""");
        await Button(page, "Run").ClickAsync();
        await Assertions.Expect(page.GetByText("Repeats")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("Ship to staging?").First).ToBeVisibleAsync();
        await Browser.GoAsync(page, "run/first/checkpoints?seq=3");
        await Button(page, "Fork from 3 …").ClickAsync();
        var values = page.GetByLabel("Params, as JSON");
        await values.FillAsync((await values.InputValueAsync()).Replace("broken", "forked", StringComparison.Ordinal));
        await page.GetByLabel("Change an output").SelectOptionAsync("build");
        await page.GetByLabel("Output of build, as JSON").FillAsync("""{ "made": "99" }""");
        await Button(page, "What would it do?").ClickAsync();
        await Assertions.Expect(page.GetByText("runs check, gate, ship")).ToBeVisibleAsync();
        await Browser.ShootAsync(page, "fork");
        await Button(page, "Fork and run").ClickAsync();
        await Assertions.Expect(page.GetByText("Forked from", new() { Exact = true })).ToBeVisibleAsync();
        var fork = await page.Locator("h1").TextContentAsync();
        await shop.UntilAsync(fork!, head => head.Status == RunStatus.Waiting);
        await page.GetByRole(AriaRole.Tab, new() { Name = "Compare" }).ClickAsync();
        await Button(page, "its parent").ClickAsync();
        await Assertions.Expect(page.Locator("del").GetByText("forked")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("ins").GetByText("broken")).ToBeVisibleAsync();
        Assert.Equal([$"forked by {s_me}", $"resumed by {s_me}"], await shop.ActsAsync(fork!));
        Assert.Equal([$"enqueued by {s_me}"], await shop.ActsAsync("first"));
    }

    [Fact]
    public async Task Many_runs_are_looked_at_before_they_are_steered_and_each_says_what_it_got()
    {
        for (var i = 1; i <= 3; i++) await shop.EnqueueAsync("listen.yaml", $"many{i}", "--tag", "team=many");
        await shop.EnqueueAsync("ship.yaml", "many4", "-p", "note=broken", "--tag", "team=many");
        for (var i = 1; i <= 4; i++) await shop.UntilAsync($"many{i}", head => head.Owner is null && head.Status is RunStatus.Waiting or RunStatus.Failed);
        await shop.Client.CancelAsync("many3", cancellationToken: Lab.Stop);
        var page = await OpenAsync("runs?where=team%3Dmany");
        await Assertions.Expect(page.Locator("tbody tr")).ToHaveCountAsync(4);
        await Button(page, "Many at once …").ClickAsync();

        // By the filter: the one that is over gets nothing, and says so beforehand.
        await Button(page, "Fork where they failed …").ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Fork where they failed 1 run?" })).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("Escape");
        await page.GetByLabel("Choose many1").CheckAsync();
        await page.GetByLabel("Choose many3").CheckAsync();
        await Button(page, "Cancel …").ClickAsync();
        await Assertions.Expect(page.GetByText("It is canceled already.")).ToBeVisibleAsync();
        await Browser.ShootAsync(page, "bulk");
        await Button(page, "Cancel 1").ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Cancel: 1 of 1 canceled" })).ToBeVisibleAsync();
        await Button(page, "Close").ClickAsync();
        Assert.Equal(RunStatus.Canceled, (await shop.UntilAsync("many1", _ => true)).Status);
        Assert.Equal(RunStatus.Waiting, (await shop.UntilAsync("many2", _ => true)).Status);

        await page.GetByLabel("Choose all that are listed").CheckAsync();
        await Button(page, "Remove …").ClickAsync();
        await Assertions.Expect(page.GetByText("is removed for good; it is waiting, and could still go on")).ToBeVisibleAsync();
        await Button(page, "Remove 4").ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Remove: 4 of 4 removed" })).ToBeVisibleAsync();
        await Button(page, "Close").ClickAsync();
        await Assertions.Expect(page.GetByText("No run is like that.")).ToBeVisibleAsync();
        Assert.Null(await shop.Client.FindAsync("many2", Lab.Stop));

        // Their journals are gone, and who asked for it is not.
        await Browser.GoAsync(page, "audit");
        await page.GetByLabel("Did").SelectOptionAsync("removed");
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "many1, many2, many3, many4" }).Or(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "many4, many3, many2, many1" }))).ToContainTextAsync(s_me);
    }

    [Fact]
    public async Task A_run_and_a_list_are_had_as_files()
    {
        await shop.EnqueueAsync("listen.yaml", "kept");
        await shop.UntilAsync("kept", head => head.Status == RunStatus.Waiting && head.Owner is null);
        var page = await OpenAsync("run/kept");
        await page.GetByText("Export", new() { Exact = true }).ClickAsync();
        var journal = await DownloadAsync(page, "Journal (JSON lines)");
        Assert.Equal((await shop.Client.HistoryAsync("kept", Lab.Stop)).Select(record => System.Text.Encoding.UTF8.GetString(record.Line.Span)), journal.TrimEnd('\n').Split('\n'));
        Assert.Equal("kept", JsonDocument.Parse(await DownloadAsync(page, "Snapshot (JSON)")).RootElement.GetProperty("head").GetProperty("run_id").GetString());
        Assert.True(JsonDocument.Parse(await DownloadAsync(page, "Outputs (JSON)")).RootElement.TryGetProperty("ready", out _));
        Assert.Contains("── ready, attempt 1: completed", await DownloadAsync(page, "Log (text)"), StringComparison.Ordinal);
        await Browser.GoAsync(page, "runs?text=kept");
        var csv = (await DownloadAsync(page, "CSV")).Split("\r\n");
        Assert.StartsWith("run_id,workflow,version,status", csv[0], StringComparison.Ordinal);
        Assert.Contains(csv, line => line.StartsWith("kept,listen,1,waiting,1,3,", StringComparison.Ordinal));
        Assert.Contains("kept", JsonDocument.Parse(await DownloadAsync(page, "JSON")).RootElement.EnumerateArray().Select(head => head.GetProperty("run_id").GetString()));
    }

    static async Task<string> DownloadAsync(IPage page, string name)
    {
        var download = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).ClickAsync());
        return await File.ReadAllTextAsync(await download.PathAsync(), Lab.Stop);
    }

    [Fact]
    public async Task Finished_runs_are_pruned_after_a_look_and_the_removal_is_kept()
    {
        shop.Write("fleeting.yaml", "name: fleeting\nsteps:\n  - id: pass\n    run: echo gone\n");
        foreach (var id in new[] { "old1", "old2" })
        {
            await shop.EnqueueAsync("fleeting.yaml", id);
            await shop.UntilAsync(id, head => head.Status == RunStatus.Completed && head.Owner is null);
        }
        var page = await OpenAsync("storage");
        await Assertions.Expect(page.GetByText("B: the database file and its log")).ToBeVisibleAsync();
        await page.GetByLabel("Older than days").FillAsync("0");
        await page.GetByLabel("Of the workflow").FillAsync("fleeting");
        await Button(page, "Show what would go").ClickAsync();
        await Assertions.Expect(page.GetByText("2 runs would go.")).ToBeVisibleAsync();
        Assert.NotNull(await shop.Client.FindAsync("old1", Lab.Stop));
        await Button(page, "Remove 2 runs …").ClickAsync();
        await Button(page, "Remove").ClickAsync();
        await Assertions.Expect(page.GetByText("2 runs are removed.")).ToBeVisibleAsync();
        Assert.Null(await shop.Client.FindAsync("old1", Lab.Stop));
        await page.GetByRole(AriaRole.Status).GetByRole(AriaRole.Link).ClickAsync();
        await page.GetByRole(AriaRole.Tab, new() { Name = "Who did what" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Row).Filter(new() { HasText = "old2, old1" })).ToContainTextAsync(s_me);
    }

    [Fact]
    public async Task The_versions_of_a_workflow_are_set_beside_each_other_with_how_their_runs_went()
    {
        await shop.EnqueueAsync("ship.yaml", "v1", "-p", "note=broken");
        await shop.UntilAsync("v1", head => head.Status == RunStatus.Failed);
        shop.Edit(2);
        await shop.EnqueueAsync("ship.yaml", "v2", "-p", "note=broken");
        await shop.UntilAsync("v2", head => head.Status == RunStatus.Failed);
        var page = await OpenAsync("workflows");
        await page.GetByRole(AriaRole.Link, new() { Name = "ship", Exact = true }).ClickAsync();
        await Assertions.Expect(page.Locator("ins").GetByText("version: 2")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("del").GetByText("version: 1")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("canvas")).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Where it fails" })).ToBeVisibleAsync();
        await Browser.ShootAsync(page, "workflow");
    }

    [Fact]
    public async Task The_page_is_gone_through_by_keyboard()
    {
        await shop.EnqueueAsync("listen.yaml", "keyed1", "--tag", "team=keys");
        await shop.EnqueueAsync("listen.yaml", "keyed2", "--tag", "team=keys");
        var page = await OpenAsync("runs?where=team%3Dkeys");
        await Assertions.Expect(page.Locator("tbody tr")).ToHaveCountAsync(2);
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("k");
        await page.Keyboard.PressAsync("j");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("keyed1");
        await page.Keyboard.PressAsync("u");
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("Runs");
        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync("keyed2");
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(page.Locator("tbody tr")).ToHaveCountAsync(1);
        await page.Keyboard.PressAsync("Escape");
        await page.Keyboard.PressAsync("?");
        await Assertions.Expect(page.GetByRole(AriaRole.Dialog, new() { Name = "Keys" })).ToBeVisibleAsync();
        await page.Keyboard.PressAsync("Escape");
        await page.Keyboard.PressAsync("g");
        await page.Keyboard.PressAsync("u");
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("Audit");
    }

    [Fact]
    public async Task What_a_shell_wrote_is_text_while_it_runs_and_afterwards()
    {
        await shop.EnqueueAsync("hostile.yaml", "hostile", "--tag", "note=<img src=x onerror=\"document.title=3\">");
        var page = await OpenAsync("run/hostile/steps?step=shout");
        await shop.UntilAsync("hostile", head => head.Status == RunStatus.Failed);
        await Assertions.Expect(page.GetByText("behind the long line").First.Or(page.GetByText("Show all"))).ToBeVisibleAsync();
        foreach (var place in new[] { "run/hostile/steps?step=fail", "run/hostile/definition", "run/hostile/checkpoints", "runs?text=hostile", "workflow/hostile" })
        {
            await Browser.GoAsync(page, place);
            Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth + 1"), $"{place} is wider than the window");
            Assert.Equal(0, await page.Locator("main img, main script").CountAsync());
        }
        Assert.DoesNotMatch("owned|^[0-9]$", await page.TitleAsync());
    }
}
