using System.Text.Json;
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
    public async Task Decisions_are_given_from_the_queue_with_changes_or_a_reason_and_one_that_is_too_late_says_whose_counts()
    {
        await using var lab = await Lab.StartAsync();
        foreach (var id in new[] { "changed", "refused", "late" }) await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = id }, Lab.Stop);
        var page = await OpenAsync(lab, "approvals");
        await DecideAsync("changed", "Approve", "Changes, as JSON", """{ "when": "now" }""");
        Assert.Equal("now", (await GateAsync("changed")).GetProperty("changes").GetProperty("when").GetString());
        await DecideAsync("refused", "Reject", "Reason", "not today");
        Assert.Equal("not today", (await GateAsync("refused")).GetProperty("reason").GetString());
        Assert.Equal(["started", "rejected"], (await lab.Client.ActsAsync("refused", Lab.Stop)).Select(act => act.What));

        await lab.Client.RejectAsync("late", "gate", "bob", "it is broken", Lab.Stop);
        await DecideAsync("late", "Approve", "Reason", "it is good");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("It does not count: bob rejected it before");
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("it is broken");

        async Task DecideAsync(string id, string verb, string field, string text)
        {
            await page.Locator("section").Filter(new() { HasText = id }).GetByRole(AriaRole.Button, new() { Name = $"{verb} …" }).ClickAsync();
            await page.GetByLabel(field).FillAsync(text);
            await Button(page, verb).ClickAsync();
        }

        async Task<JsonElement> GateAsync(string id)
        {
            await Assertions.Expect(page.Locator("dialog")).ToHaveCountAsync(0);
            await Assertions.Expect(page.GetByText(id)).ToHaveCountAsync(0);
            await lab.UntilAsync(id, head => head.Status == RunStatus.Completed);
            return (await lab.Client.SnapshotAsync(id, cancellationToken: Lab.Stop)).Outputs["gate"].ToElement();
        }
    }

    [Fact]
    public async Task The_focus_goes_with_the_tabs_and_back_to_what_opened_a_dialog_and_a_signal_is_sent_under_any_name_once()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var page = await OpenAsync(lab, "run/r");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Steps" }).FocusAsync();
        foreach (var (key, tab) in new[] { ("ArrowRight", "Timeline"), ("ArrowRight", "Checkpoints"), ("ArrowLeft", "Timeline") })
        {
            await page.Keyboard.PressAsync(key);
            await Assertions.Expect(page.GetByRole(AriaRole.Tab, new() { Name = tab, Selected = true })).ToBeFocusedAsync();
        }
        await Button(page, "Signal …").ClickAsync();
        await Button(page, "Not now").ClickAsync();
        await Assertions.Expect(Button(page, "Signal …")).ToBeFocusedAsync();
        await SendAsync();
        await Assertions.Expect(page.Locator("dialog")).ToHaveCountAsync(0);
        await Assertions.Expect(Button(page, "Signal …")).ToBeFocusedAsync();
        var act = (await lab.Client.ActsAsync("r", Lab.Stop))[^1];
        Assert.Equal(("ann", "signaled", "word"), (act.By, act.What, act.Detail));
        await SendAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("It does not count: ann signaled it before");

        async Task SendAsync()
        {
            await Button(page, "Signal …").ClickAsync();
            await page.GetByLabel("Name").FillAsync("word");
            await page.GetByLabel("Body, as JSON").FillAsync("1");
            await Button(page, "Send").ClickAsync();
        }
    }

    [Fact]
    public async Task A_run_that_does_not_stop_at_once_says_that_it_is_asked_and_is_removed_when_it_has_stopped()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r" }, Lab.Stop);
        await lab.UntilAsync("r", head => head.Done == 1);
        var page = await OpenAsync(lab, "run/r");
        await Button(page, "Pause …").ClickAsync();
        await Button(page, "Pause").ClickAsync();
        var told = page.GetByText("It is asked to pause, and stops as soon as its steps allow.");
        await Assertions.Expect(told).ToBeVisibleAsync();
        go.SetResult();
        Assert.Equal(RunStatus.Paused, (await run).Status);
        await Assertions.Expect(told).ToHaveCountAsync(0);
        await Button(page, "Remove …").ClickAsync();
        await Button(page, "Remove").ClickAsync();
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("Runs");
        Assert.Null(await lab.Client.FindAsync("r", Lab.Stop));
        Assert.Equal("pawl-removal", Assert.Single(await lab.Client.ListAsync(cancellationToken: Lab.Stop).ToListAsync(Lab.Stop)).Workflow);
    }

    [Fact]
    public async Task Long_numbers_are_started_with_as_they_are_written_and_so_again()
    {
        const string ratio = "0.12345678901234567890123", count = "12345678901234567891";
        var workflow = Workflow.Create("exact").Param(new WorkflowParam("ratio", "number", Required: true)).Param(new WorkflowParam("count", "integer"));
        workflow.Step("step", _ => 1);
        await using var lab = await Lab.StartAsync(more: workflow.Build());
        var page = await OpenAsync(lab, "start?workflow=exact");
        await page.Locator("#param-ratio").FillAsync(ratio);
        await page.Locator("#param-count").FillAsync(count);
        await Button(page, "Start").ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Start another …" }).ClickAsync();
        await Assertions.Expect(page.Locator("#param-ratio")).ToHaveValueAsync(ratio);
        await Button(page, "Start").ClickAsync();
        await Assertions.Expect(page.GetByText("1 of 1 steps")).ToBeVisibleAsync();
        var runs = await lab.Client.ListAsync(cancellationToken: Lab.Stop).ToListAsync(Lab.Stop);
        Assert.Equal(2, runs.Count);
        foreach (var head in runs)
        {
            var there = (await lab.Client.SnapshotAsync(head.RunId, cancellationToken: Lab.Stop)).Params;
            Assert.Equal((ratio, count), (there["ratio"].ToString(), there["count"].ToString()));
        }
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

    [Fact]
    public async Task Many_are_paused_resumed_forked_and_put_back_as_it_was_shown()
    {
        var isOver = false;
        var steps = Lab.Held("steps", async context => { for (var i = 0; !isOver; i++) await context.StepAsync($"n{i}", _ => Task.Delay(20)); });
        await using var lab = await Lab.StartAsync(more: steps);
        var run = lab.Client.RunAsync(steps, null, new StartOptions { RunId = "going" }, Lab.Stop);
        await lab.Client.EnqueueAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new EnqueueOptions { Queue = "night" }, new StartOptions { RunId = "failed" }, Lab.Stop);
        Assert.Equal(RunStatus.Failed, (await lab.Client.ResumeAsync(Lab.Pipeline, "failed", cancellationToken: Lab.Stop)).Status);
        await lab.UntilAsync("going", head => head.Done == 1);
        var page = await OpenAsync(lab, "runs");
        await Button(page, "Many at once …").ClickAsync();
        await page.GetByLabel("Choose going").CheckAsync();
        await DoAsync("Pause", "Pause: 1 of 1 paused");
        Assert.Equal(RunStatus.Paused, (await run).Status);
        isOver = true;
        await page.GetByLabel("Choose going").CheckAsync();
        await DoAsync("Resume", "Resume: 1 of 1 resumed");
        await lab.UntilAsync("going", head => head.Status == RunStatus.Completed);
        await page.GetByLabel("Choose failed").CheckAsync();
        await DoAsync("Fork where they failed", "Fork where they failed: 1 of 1 forked");
        var fork = await lab.Client.ListAsync(new RunQuery { Where = new Dictionary<string, string> { ["forked_from"] = "failed" } }, Lab.Stop).SingleAsync(Lab.Stop);
        await lab.UntilAsync(fork.RunId, head => head.Status == RunStatus.Failed);
        await page.GetByLabel("Choose failed", new() { Exact = true }).CheckAsync();
        await DoAsync("Requeue", "Requeue: 1 of 1 put back");
        Assert.Equal((RunStatus.Waiting, "night"), (await lab.UntilAsync("failed", _ => true)) is var head ? (head.Status, head.Queue) : default);

        async Task DoAsync(string verb, string result)
        {
            await Button(page, $"{verb} …").ClickAsync();
            await Button(page, $"{verb} 1").ClickAsync();
            await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = result })).ToBeVisibleAsync();
            await Button(page, "Close").ClickAsync();
            await Assertions.Expect(Button(page, $"{verb} …")).ToBeFocusedAsync();
        }
    }

    Task<IPage> OpenAsync(Lab lab, string place) => OpenAsync(lab.Server.Link, place);
}
