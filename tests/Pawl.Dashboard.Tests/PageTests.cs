using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>What a person sees and does, in a real browser over a live store.</summary>
public sealed class PageTests(Browser browser) : PageTest(browser)
{
    static readonly Dictionary<string, object?> s_failing = new() { ["fail"] = true };

    [Fact]
    public async Task An_approval_is_given_from_the_page()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab, "approvals");
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "pipeline" })).ToBeVisibleAsync();
        await page.GetByText("What it is about").ClickAsync();
        await Assertions.Expect(page.GetByText("41", new() { Exact = true })).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Approve …" }).ClickAsync();
        await page.GetByLabel("Reason").FillAsync("ready");
        await Browser.ShootAsync(page, "approve");
        await page.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByText("Nobody waits for a decision.")).ToBeVisibleAsync();
        await lab.UntilAsync("r1", head => head.Status == RunStatus.Completed);
        var decision = (await lab.Client.SnapshotAsync("r1", cancellationToken: Lab.Stop)).Outputs["gate"].ToElement();
        Assert.Equal(("ann", "ready"), (decision.GetProperty("by").GetString(), decision.GetProperty("reason").GetString()));
    }

    [Fact]
    public async Task A_plan_is_read_and_executed_with_a_changed_param()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, s_failing, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab, "runs");
        await page.GetByRole(AriaRole.Link, new() { Name = "r1", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByText("The right half is broken.").First).ToBeVisibleAsync();
        var asked = new List<string>();
        page.Request += (_, request) => asked.Add(request.Url);
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume …" }).ClickAsync();
        await page.GetByText("Params to change", new() { Exact = true }).ClickAsync();
        await page.GetByLabel("Params to change, as JSON").FillAsync("{ \"fail\": false ");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("This is no JSON");
        await page.GetByLabel("Params to change, as JSON").FillAsync($$"""{ "fail": false, "who": "s3cret{{new string('W', 10_000)}}" }""");
        await Assertions.Expect(page.GetByText("Reuses 2 of 5 steps")).ToBeVisibleAsync();
        await Assertions.Expect(Button(page, "Resume as shown …")).ToBeVisibleAsync();
        // Values may be secret, and stand in no address.
        Assert.DoesNotContain("s3cret", page.Url, StringComparison.Ordinal);
        Assert.Contains(asked, url => url.EndsWith("/plan", StringComparison.Ordinal));
        Assert.DoesNotContain(asked, url => url.Contains("s3cret", StringComparison.Ordinal));
        await page.RunAndWaitForResponseAsync(() => page.GetByLabel("Params to change, as JSON").FillAsync("{ \"fail\": false }"), answer => answer.Url.EndsWith("/plan", StringComparison.Ordinal));
        await Assertions.Expect(page.GetByText("Reuses 2 of 5 steps")).ToBeVisibleAsync();
        await Browser.ShootAsync(page, "plan");
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume as shown …" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByText("Publish?")).ToBeVisibleAsync();
        Assert.Equal(RunStatus.Waiting, (await lab.UntilAsync("r1", head => head.Status == RunStatus.Waiting)).Status);
    }

    [Fact]
    public async Task A_run_that_keeps_to_a_part_is_planned_whole_or_for_another_part_and_resumed_so()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, s_failing, new StartOptions { RunId = "r1", Select = new StepSelection { Until = "right" } }, Lab.Stop);
        var page = await OpenAsync(lab, "run/r1/plan");
        var leftOut = page.GetByText("leave out", new() { Exact = true });
        await Assertions.Expect(leftOut).ToHaveCountAsync(2);
        var all = page.GetByLabel("also what it was asked to leave out");
        await all.CheckAsync();
        await Assertions.Expect(leftOut).ToHaveCountAsync(0);
        // The plan is asked for anew, and the field stays where it is.
        await all.PressAsync("Space");
        await Assertions.Expect(leftOut).ToHaveCountAsync(2);
        await Assertions.Expect(all).ToBeFocusedAsync();
        await page.GetByLabel("Until step").SelectOptionAsync("left");
        await Assertions.Expect(leftOut).ToHaveCountAsync(3);
        await Assertions.Expect(all).Not.ToBeCheckedAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume as shown …" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume", Exact = true }).ClickAsync();
        await lab.UntilAsync("r1", head => head.Status == RunStatus.Paused);
    }

    [Fact]
    public async Task A_fork_is_edited_and_made()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["who"] = "world" }, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab, "run/r1/checkpoints");
        await page.GetByRole(AriaRole.Slider).FillAsync("3");
        await page.GetByRole(AriaRole.Button, new() { Name = "Fork from 3 …" }).ClickAsync();
        await page.GetByLabel("Params, as JSON").FillAsync("""{ "who": }""");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("line 1, column 10");
        await page.GetByLabel("Params, as JSON").FillAsync("""{ "fail": false }""");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("A fork keeps every param: who must stay. Give another value instead.");
        await page.GetByLabel("Params, as JSON").FillAsync("""{ "fail": false, "who": "moon" }""");
        await page.GetByLabel("State, as JSON").FillAsync("""{ "left": 5 }""");
        await page.GetByLabel("Change an output").SelectOptionAsync("load");
        await page.GetByLabel("Output of load, as JSON").FillAsync("50");
        // What was edited stays when another checkpoint is chosen.
        await page.GetByLabel("From checkpoint").FillAsync("4");
        await page.GetByLabel("From checkpoint").FillAsync("3");
        await Assertions.Expect(page.GetByLabel("Output of load, as JSON")).ToHaveValueAsync("50");
        await page.GetByRole(AriaRole.Button, new() { Name = "What would it do?" }).ClickAsync();
        await Assertions.Expect(page.GetByText("It reuses 1 of 5 steps")).ToBeVisibleAsync();
        await Browser.ShootAsync(page, "fork-in-memory");
        await page.GetByRole(AriaRole.Button, new() { Name = "Fork and run" }).ClickAsync();
        await Assertions.Expect(page.GetByText("Forked from", new() { Exact = true })).ToBeVisibleAsync();
        var child = (await lab.Client.ListAsync(cancellationToken: Lab.Stop).ToListAsync(Lab.Stop)).Single(head => head.RunId != "r1");
        await lab.UntilAsync(child.RunId, head => head.Status == RunStatus.Waiting);
        var there = await lab.Client.SnapshotAsync(child.RunId, cancellationToken: Lab.Stop);
        Assert.Equal(("moon", 52), (there.Params["who"].ToElement().GetString(), there.Outputs["right"].ToElement().GetInt32()));
        Assert.Equal(["forked", "resumed"], (await lab.Client.ActsAsync(child.RunId, Lab.Stop)).Select(act => act.What));
    }

    [Fact]
    public async Task A_run_is_followed_while_it_goes_on_and_through_a_broken_connection()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab, "run/r1");
        await Assertions.Expect(page.GetByText("1 of 3 steps")).ToBeVisibleAsync();
        await page.Context.SetOfflineAsync(true);
        go.SetResult();
        await run;
        await page.Context.SetOfflineAsync(false);
        await Assertions.Expect(page.GetByText("3 of 3 steps")).ToBeVisibleAsync(new() { Timeout = 15000 });
    }

    [Fact]
    public async Task What_a_run_wrote_is_text_whatever_it_is()
    {
        const string hostile = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u001b[31m\u202Egnp.exe ";
        var workflow = Workflow.Create("hostile<b>");
        workflow.Step("big", _ => new string('W', 10_000_000));
        workflow.Step("text", _ => hostile, step => step.Needs("big"));
        workflow.Step("error", _ => throw new InvalidOperationException(hostile), step => step.Needs("text"));
        var built = Build(workflow);
        await using var lab = await Lab.StartAsync(more: built);
        await lab.Client.RunAsync(built, null, new StartOptions { RunId = "r1", Tags = new Dictionary<string, string> { ["note"] = hostile } }, Lab.Stop);
        var page = await OpenAsync(lab, "run/r1/steps?step=text");
        await Assertions.Expect(page.GetByText("onerror").First).ToBeVisibleAsync();
        await page.GotoAsync($"{lab.Server.Address}#/run/r1/steps?step=big");
        await Assertions.Expect(page.GetByText("Show all")).ToBeVisibleAsync();
        await page.GotoAsync($"{lab.Server.Address}#/run/r1/checkpoints");
        await Assertions.Expect(page.GetByText("The run at this checkpoint")).ToBeVisibleAsync();
        Assert.DoesNotContain("owned", await page.TitleAsync());
        Assert.Equal(0, await page.Locator("main img, main script").CountAsync());
        Assert.True(await page.EvaluateAsync<bool>("document.documentElement.scrollWidth <= innerWidth + 1"), "the page is wider than the window");
    }

    /// <summary>2,000 items of a fan-out with a step below each, 1,000 steps side by side, a chain of 1,000: with what is around them 6,004 steps.</summary>
    static async Task<Lab> ManyAsync()
    {
        var many = Workflow.Create("many");
        many.Step("begin", _ => 1);
        many.ForEach("files", _ => Enumerable.Range(0, 2000), item => $"{item}", (context, item) => context.StepAsync("parse", () => Task.FromResult(item)), step => step.Needs("begin"));
        for (var i = 0; i < 1000; i++) many.Step($"shard{i}", _ => 1, step => step.Needs("files"));
        many.Step("merge", _ => 1, step => step.Needs([.. Enumerable.Range(0, 1000).Select(i => $"shard{i}")]));
        for (var i = 0; i < 1000; i++) many.Step($"load{i}", _ => 1, step => step.Needs(i == 0 ? "merge" : $"load{i - 1}"));
        many.Step("end", Task (_) => throw new InvalidOperationException("The end is broken."), step => step.Needs("load999"));
        var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(many.Build(), null, new StartOptions { RunId = "many" }, Lab.Stop);
        return lab;
    }

    [Fact]
    public async Task Steps_that_come_while_one_watches_stand_behind_those_that_they_belong_to()
    {
        await using var lab = await Lab.StartAsync();
        var page = await OpenAsync(lab.Server.Link, "runs");
        var paths = await page.EvaluateAsync<string[]>("""
            async () => {
              const { growing } = await import('./steps.js'), at = (...paths) => ({ steps: paths.map(path => ({ path })) });
              return growing.next(at('a', 'a/1', 'b', 'c', 'c[0]'), at('b/1', 'a/2', 'a', 'c[1]', 'c[1]/x', 'a/3')).steps.map(step => step.path);
            }
            """);
        Assert.Equal(["a", "a/1", "a/2", "a/3", "b", "b/1", "c", "c[0]", "c[1]", "c[1]/x"], paths);
    }

    [Fact]
    public async Task Thousands_of_steps_are_few_rows_that_say_which_they_are_and_are_walked_with_keys()
    {
        await using var lab = await ManyAsync();
        var page = await OpenAsync(lab, "run/many");
        var rows = page.Locator("main tbody tr[aria-rowindex]");
        foreach (var (tab, column) in new[] { ("steps", 6004), ("timeline", 6004), ("checkpoints", 6007) })
        {
            await page.GotoAsync($"{lab.Server.Address}#/run/many/{tab}");
            await Assertions.Expect(page.Locator("main table").Last).ToHaveAttributeAsync("aria-rowcount", $"{column + 1}");
            Assert.InRange(await rows.CountAsync(), 10, 80);
            await rows.First.GetByRole(AriaRole.Link).FocusAsync();
            await page.Keyboard.PressAsync("End");
            Assert.Equal($"{column + 1}", await FocusedAsync());
            await page.Keyboard.PressAsync("ArrowUp");
            Assert.Equal($"{column}", await FocusedAsync());
            Assert.InRange(await rows.CountAsync(), 10, 80);
            // The row that has the focus goes out of sight: the keyboard stays in the table.
            await page.Locator(".long").EvaluateAsync("table => { table.scrollTop = 0; }");
            await Assertions.Expect(page.Locator("main tbody tr[aria-rowindex='2']")).ToBeVisibleAsync();
            Assert.True(await page.Locator(".long").EvaluateAsync<bool>("table => table.contains(document.activeElement)"), $"{tab}: the focus is lost");
        }
        Assert.Equal("[]", await Browser.SeriousAsync(page));
        await page.GotoAsync($"{lab.Server.Address}#/run/many/steps");
        await page.GetByLabel("Filter the steps").FillAsync("failed");
        await Assertions.Expect(page.GetByRole(AriaRole.Region, new() { Name = "Steps" }).GetByRole(AriaRole.Link, new() { Name = "end", Exact = true })).ToBeVisibleAsync();
        Assert.Equal(1, await page.Locator("main tbody tr").CountAsync());

        async Task<string?> FocusedAsync()
        {
            await Assertions.Expect(page.Locator("main [aria-rowindex] a:focus")).ToHaveCountAsync(1);
            return await page.EvaluateAsync<string?>("document.activeElement.closest('[aria-rowindex]').getAttribute('aria-rowindex')");
        }
    }

    [Fact]
    public async Task Thousands_of_steps_are_a_picture_of_few_boxes_that_open()
    {
        await using var lab = await ManyAsync();
        var page = await OpenAsync(lab, "run/many");
        var boxes = page.Locator("svg.graph .face");
        // begin, files, the shards, merge, the chain, the end.
        await Assertions.Expect(boxes).ToHaveCountAsync(6);
        var shards = page.GetByRole(AriaRole.Button, new() { Name = "shard0 … shard999: 1,000 completed" });
        await shards.FocusAsync();
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(shards).ToHaveAttributeAsync("aria-expanded", "true");
        await Assertions.Expect(boxes).ToHaveCountAsync(6 + 20);
        await page.GetByRole(AriaRole.Button, new() { Name = "shard50 … shard99: 50 completed" }).ClickAsync();
        await Assertions.Expect(boxes).ToHaveCountAsync(6 + 20 + 50);
        await page.GetByRole(AriaRole.Button, new() { Name = "2,000 steps below files: 2,000 completed" }).ClickAsync();
        await Assertions.Expect(boxes).ToHaveCountAsync(6 + 20 + 50 + 40);
        await page.GetByRole(AriaRole.Button, new() { Name = "shard77", Exact = false }).Last.ClickAsync();
        await Assertions.Expect(page.Locator("section.note .path").First).ToHaveTextAsync("shard77");
        await Browser.ShootAsync(page, "many");
        Assert.Equal("[]", await Browser.SeriousAsync(page));
    }

    static Workflow Build(WorkflowBuilder builder)
    {
        // Names of workflows are plain words; everything else is up to the author.
        var plain = Workflow.Create("hostile");
        foreach (var step in builder.Build().Steps) plain.Add(step);
        return plain.Build();
    }

    Task<IPage> OpenAsync(Lab lab, string place) => OpenAsync(lab.Server.Link, place);
}
