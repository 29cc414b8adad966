using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Playwright;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>What the page shows first comes with it.</summary>
public sealed class FirstPageLaws(Browser browser) : PageTest(browser)
{
    const string Begin = "<script type=\"application/json\" id=\"first\">", End = "</script>";

    static async Task<(string Page, JsonElement First)> GetAsync(Lab lab)
    {
        using var answer = await lab.Http.GetAsync(lab.Server.Address, Lab.Stop);
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
        var page = await answer.Content.ReadAsStringAsync(Lab.Stop);
        var data = page[(page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length)..];
        return (page, JsonElement.Parse(data[..data.IndexOf(End, StringComparison.Ordinal)]));
    }

    [Fact]
    public async Task No_text_of_a_run_can_end_the_data_in_the_page()
    {
        const string evil = "</script><script>alert(1)</script><!-- <script>";
        await using var lab = await Lab.StartAsync();
        var (empty, _) = await GetAsync(lab);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r", Tags = new Dictionary<string, string> { ["evil"] = evil } }, Lab.Stop);
        var (page, first) = await GetAsync(lab);
        Assert.Equal(evil, first.GetProperty("/runs?limit=50&").GetProperty("items")[0].GetProperty("tags").GetProperty("evil").GetString());
        Assert.Equal(empty.Count(letter => letter == '<'), page.Count(letter => letter == '<'));
    }

    [Fact]
    public async Task It_is_what_the_api_would_answer()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var (_, first) = await GetAsync(lab);
        Assert.Equal(["/info", "/counts", "/runs?limit=50&"], first.EnumerateObject().Select(answer => answer.Name));
        foreach (var answer in first.EnumerateObject())
            Assert.True(JsonElement.DeepEquals(await lab.GetAsync(answer.Name[1..]), answer.Value), answer.Name);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_store_that_fails_or_does_not_answer_does_not_keep_the_page_back(bool hangs)
    {
        await using var lab = await Lab.StartAsync(around: store => NoLists.Around(store, hangs));
        var (_, first) = await GetAsync(lab);
        Assert.Empty(first.EnumerateObject());
    }

    [Fact]
    public async Task The_first_rows_are_there_without_a_question()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "workflows");
        await page.RouteAsync("**/api/v1/**", route => route.AbortAsync());
        await page.GotoAsync($"{lab.Server.Address}#/runs");
        await page.ReloadAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "r1", Exact = true })).ToBeVisibleAsync();
        // One file of scripts brings it; what the other pages need comes with them.
        Assert.Equal(["app.js"], await page.EvaluateAsync<string[]>("performance.getEntriesByType('resource').filter(one => one.name.endsWith('.js')).map(one => one.name.split('/').at(-1))"));
    }

    [Fact]
    public async Task Rows_behind_those_that_a_screen_shows_follow()
    {
        await using var lab = await Lab.StartAsync();
        for (var number = 0; number < 45; number++) await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = $"r{number}" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "runs");
        await Assertions.Expect(page.Locator("main tbody tr")).ToHaveCountAsync(45);
    }

    [Fact]
    public async Task What_came_with_the_page_is_not_shown_later()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "workflows");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Workflows" })).ToBeVisibleAsync();
        // Nobody tells of the new run.
        await page.RouteAsync("**/api/v1/events", route => route.AbortAsync());
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r2" }, Lab.Stop);
        await page.GetByRole(AriaRole.Link, new() { Name = "Runs", Exact = true }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "r2", Exact = true })).ToBeVisibleAsync();
    }

    static Workflow Exact { get; } = MakeExact();

    static Workflow MakeExact()
    {
        var workflow = Workflow.Create("exact");
        workflow.Step("order", _ => JsonElement.Parse("""{"id":1234567890123456789,"rate":0.12345678901234567890,"note":"x"}"""));
        workflow.Step("gate", context => context.RequestApprovalAsync(new ApprovalRequest("Go?")), step => step.Needs("order"));
        return workflow.Build();
    }

    [Fact]
    public async Task Long_numbers_are_shown_and_sent_as_they_are()
    {
        await using var lab = await Lab.StartAsync(more: Exact);
        await lab.Client.RunAsync(Exact, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "run/r1/checkpoints");
        await page.GetByRole(AriaRole.Slider).FillAsync("3");
        await page.GetByRole(AriaRole.Button, new() { Name = "Fork from 3 …" }).ClickAsync();
        await page.GetByLabel("Change an output").SelectOptionAsync("order");
        var editor = page.GetByLabel("Output of order, as JSON");
        var text = await editor.InputValueAsync();
        Assert.Contains("1234567890123456789", text);
        await editor.FillAsync(text.Replace("\"x\"", "\"y\"", StringComparison.Ordinal));
        await page.GetByRole(AriaRole.Button, new() { Name = "Fork and run" }).ClickAsync();
        await Assertions.Expect(page.GetByText("Forked from", new() { Exact = true })).ToBeVisibleAsync();
        var child = (await lab.Client.ListAsync(cancellationToken: Lab.Stop).ToListAsync(Lab.Stop)).Single(head => head.RunId != "r1");
        var output = (await lab.Client.SnapshotAsync(child.RunId, cancellationToken: Lab.Stop)).Outputs["order"].ToString()!.Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal("""{"id":1234567890123456789,"rate":0.12345678901234567890,"note":"y"}""", output);
    }

    [Fact]
    public async Task A_search_that_found_nothing_among_the_newest_offers_the_older_ones()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r1" }, Lab.Stop);
        var page = await OpenAsync(lab.Server.Link, "workflows");
        // As the API answers when it has looked through as many as it does at a time.
        await page.RouteAsync("**/api/v1/runs?*text=old*", route => route.Request.Url.Contains("behind=") ? route.ContinueAsync(new() { Url = $"{lab.Server.Address}api/v1/runs?limit=50" }) : route.FulfillAsync(new() { ContentType = "application/json", Body = """{"items":[],"next":"8de~r1"}""" }));
        await Browser.GoAsync(page, "runs?text=old");
        await page.GetByRole(AriaRole.Link, new() { Name = "Look among older ones" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Link, new() { Name = "r1", Exact = true })).ToBeVisibleAsync();
    }

    /// <summary>A store whose lists fail, or never come.</summary>
    public class NoLists : DispatchProxy
    {
        ICheckpointStore _inner = null!;
        bool _hangs;

        public static ICheckpointStore Around(ICheckpointStore inner, bool hangs)
        {
            var store = Create<ICheckpointStore, NoLists>();
            var proxy = (NoLists)(object)store;
            (proxy._inner, proxy._hangs) = (inner, hangs);
            return store;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
            targetMethod!.Name == nameof(ICheckpointStore.ListAsync) ? HeadsAsync((CancellationToken)args![1]!) : targetMethod.Invoke(_inner, args);

        async IAsyncEnumerable<RunHead> HeadsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            if (!_hangs) throw new IOException("the disk is on fire");
            await Task.Delay(Timeout.Infinite, cancellationToken);
            yield break;
        }
    }
}
