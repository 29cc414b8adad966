using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace Pawl.Dashboard.Tests;

/// <summary>The page of a run, in a real browser: where it came from and what came of it, how long what took, what changed.</summary>
public sealed class RunTests(Browser browser) : PageTest(browser)
{
    static ILocator Link(IPage page, string name) => page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true });

    static ILocator Fact(IPage page, string name) => page.Locator("dl.facts div").Filter(new() { Has = page.Locator("dt").GetByText(name, new() { Exact = true }) }).Locator("dd");

    [Fact]
    public async Task A_run_leads_to_its_child_runs_its_repetitions_and_all_its_forks()
    {
        var parent = Workflow.Create("parent");
        parent.Child("inner", Lab.Pipeline);
        await using var lab = await Lab.StartAsync(more: parent.Build());
        await lab.Client.RunAsync(parent.Build(), null, new StartOptions { RunId = "mother" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "run/mother");
        await Assertions.Expect(Fact(page, "Child runs").GetByRole(AriaRole.Link)).ToHaveTextAsync("mother.inner");
        await Link(page, "inner").ClickAsync();
        await Assertions.Expect(page.GetByText("Its child run: mother.inner")).ToBeVisibleAsync();
        await page.Locator(".note.careful").GetByRole(AriaRole.Link).ClickAsync();
        await Assertions.Expect(page.Locator("h1")).ToHaveTextAsync("mother.inner");
        await Browser.GoAsync(page, "runs");
        await Link(page, "its child run").ClickAsync();
        await Assertions.Expect(page.Locator("main tbody td:first-child")).ToHaveTextAsync("mother.inner");

        await lab.DoAsync("runs/mother.inner/rerun", """{"params":{}}""");
        for (var i = 0; i < 51; i++) await lab.Client.ForkAsync("mother.inner", new ForkOptions { RunId = $"fork{i}" }, Lab.Stop);
        await Browser.GoAsync(page, "run/mother.inner");
        await Assertions.Expect(Fact(page, "Repeated by").GetByRole(AriaRole.Link)).ToHaveCountAsync(1);
        await Assertions.Expect(Fact(page, "Forks").GetByRole(AriaRole.Link)).ToHaveCountAsync(51);
        await Fact(page, "Forks").GetByRole(AriaRole.Link, new() { Name = "all of them" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Remove the filter forked_from=mother.inner" })).ToBeVisibleAsync();
        await Assertions.Expect(Link(page, "fork50")).ToBeVisibleAsync();
    }

    /// <summary>A minute through the slow half, two seconds through the quick one.</summary>
    static async Task<Lab> MeasuredAsync()
    {
        var lab = await Lab.StartAsync();
        var time = new SetTime(DateTimeOffset.UtcNow.AddHours(-1));
        var measured = Workflow.Create("measured");
        Add("begin", 1, 0);
        Add("quick", 1, 0, "begin");
        Add("slow", 58, 1500, "begin");
        Add("end", 1, 0, "quick", "slow");
        // Over the same store; it ends with the lab.
        await new PawlClient(lab.Client.Store, new PawlOptions { Time = time }).RunAsync(measured.Build(), null, new StartOptions { RunId = "m" }, Lab.Stop);
        return lab;

        void Add(string id, int seconds, double tokens, params string[] needs) => measured.Step(id, _ =>
        {
            time.Pass(TimeSpan.FromSeconds(seconds));
            return Task.FromResult(StepResult.Ok(id, tokens > 0 ? new Dictionary<string, double> { ["calls"] = 3, ["tokens"] = tokens, ["cost_usd"] = 0.25 } : null));
        }, step => step.Needs(needs));
    }

    [Fact]
    public async Task The_chain_that_took_longest_the_timeline_and_the_costs_say_what_took_how_long()
    {
        await using var lab = await MeasuredAsync();
        var page = await OpenAsync(lab.Server.Link, "run/m");
        await Assertions.Expect(page.Locator("svg.graph path.critical")).ToHaveCountAsync(2);
        await Assertions.Expect(page.Locator("svg.graph .face:has(rect.critical) title")).ToHaveTextAsync(["begin", "slow", "end"]);

        await Browser.GoAsync(page, "run/m/timeline");
        await Assertions.Expect(page.GetByText("1 m 1 s from the first attempt to the last")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("main tbody tr").Filter(new() { HasText = "slow" })).ToContainTextAsync("58.0 s");
        await Assertions.Expect(page.Locator("main tbody tr").First).ToContainTextAsync("begin");
        await Assertions.Expect(page.Locator("main tbody tr").Last.GetByRole(AriaRole.Img)).ToHaveAttributeAsync("aria-label", "completed, begun 1 m 0 s after the first");

        await Browser.GoAsync(page, "run/m/costs");
        await Assertions.Expect(page.GetByRole(AriaRole.Region, new() { Name = "Costs of the steps" }).Locator("tr").Filter(new() { HasText = "slow" }).Locator("td")).ToHaveTextAsync(["slow", "1", "58.0 s", "3", "1500", "$0.25"]);
        await Assertions.Expect(page.Locator("main tbody").First.Locator("tr").First.Locator("td")).ToHaveTextAsync([new Regex("^1, "), new Regex("^spent$"), new Regex("^1 m 1 s$"), new Regex("^3$"), new Regex("^1500$"), new Regex(@"^\$0\.25$")]);
    }

    [Fact]
    public async Task The_timeline_shows_what_runs_now()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        await lab.UntilAsync("r1", head => head.Done == 1);
        var page = await OpenAsync(lab.Server.Link, "run/r1/timeline");
        await Assertions.Expect(page.Locator("main tbody tr")).ToHaveCountAsync(2);
        var last = page.Locator("main tbody tr").Last;
        await Assertions.Expect(last).ToContainTextAsync("held");
        await Assertions.Expect(last.Locator("svg.lane.running")).ToHaveCountAsync(1);
        var took = last.Locator("td").Last;
        var before = await took.TextContentAsync();
        await Assertions.Expect(took).Not.ToHaveTextAsync(before!);
        go.SetResult();
        await run;
        await Assertions.Expect(page.Locator("svg.lane.completed")).ToHaveCountAsync(3);
    }

    [Fact]
    public async Task Two_checkpoints_of_a_run_are_set_beside_each_other()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "run/r1/checkpoints");
        await page.GetByRole(AriaRole.Slider).FillAsync("4");
        await page.GetByRole(AriaRole.Button, new() { Name = "Compare with checkpoint 3" }).ClickAsync();
        await Assertions.Expect(page.GetByText("From checkpoint 3 to checkpoint 4.")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator(".change").Filter(new() { HasText = "left" }).First.Locator("ins")).ToHaveTextAsync("1");
        await Assertions.Expect(page.Locator("main tbody").First.Locator("td")).ToHaveTextAsync(["left", "missing", ""]);
        await Assertions.Expect(page).ToHaveURLAsync(new Regex("seq=4&with=3"));
        await page.EvaluateAsync(await File.ReadAllTextAsync(Path.Combine(Browser.Root, "artifacts", "axe", "axe.min.js"), Lab.Stop));
        Assert.Equal("[]", await Browser.SeriousAsync(page));
    }

    [Fact]
    public async Task A_chosen_attempt_and_an_opened_group_have_addresses()
    {
        var fan = Workflow.Create("fan");
        fan.ForEach("files", _ => Enumerable.Range(0, 3), item => $"{item}", (_, item) => Task.FromResult(item));
        fan.Step("twice", context => Task.FromResult(context.Attempt == 1 ? throw new InvalidOperationException("Not the first time.") : "well"), step => step.Needs("files").Retry(new RetryPolicy { Attempts = 2, Delay = TimeSpan.FromMilliseconds(1) }));
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(fan.Build(), null, new StartOptions { RunId = "f" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "run/f");
        await page.GetByRole(AriaRole.Button, new() { Name = "3 steps below files: 3 completed" }).ClickAsync();
        await page.Locator("td").GetByRole(AriaRole.Link, new() { Name = "twice" }).ClickAsync();
        var first = page.GetByRole(AriaRole.Button, new() { Name = "attempt 1: failed" });
        await first.ClickAsync();
        await Assertions.Expect(first).ToHaveAttributeAsync("aria-pressed", "true");
        await page.ReloadAsync();
        await Assertions.Expect(first).ToHaveAttributeAsync("aria-pressed", "true");
        await Assertions.Expect(page.Locator("section.step pre").First).ToHaveTextAsync("Not the first time.");
        await Assertions.Expect(page.Locator("svg.graph .face")).ToHaveCountAsync(2 + 3);
    }
}
