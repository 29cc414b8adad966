using System.Net;
using System.Net.ServerSentEvents;
using System.Text.Json;

namespace Pawl.Dashboard.Tests;

/// <summary>Starting, steering many, files, who did what, and what is said meanwhile: by the API.</summary>
public sealed class ActionLaws
{
    static readonly Dictionary<string, object?> s_failing = new() { ["fail"] = true };

    [Fact]
    public async Task A_run_is_started_by_its_workflow_or_as_another_was_and_what_does_not_fit_is_told_by_its_name()
    {
        await using var lab = await Lab.StartAsync();
        Assert.Equal("boolean", (await lab.GetAsync("definitions")).GetProperty("items")[0].GetProperty("params")[0].GetProperty("type").GetString());
        Assert.Equal("one", (await lab.DoAsync("runs", """{"workflow":"pipeline","run_id":"one","params":{"who":"moon"},"tags":{"team":"data"}}""")).GetProperty("run_id").GetString());
        await lab.UntilAsync("one", head => head.Status == RunStatus.Waiting);
        Assert.Equal("queued", (await lab.DoAsync("runs", """{"of_run":"one","run_id":"queued","queue":"night","priority":3,"delay_ms":60000}""")).GetProperty("run_id").GetString());
        var head = (await lab.Client.FindAsync("queued", Lab.Stop))!;
        Assert.Equal((RunStatus.Pending, "night", 3), (head.Status, head.Queue, head.Priority));
        foreach (var (json, status, name) in new[]
        {
            ("""{"workflow":"pipeline","params":{"fail":"perhaps","what":1}}""", 422, "fail"), ("""{"workflow":"none"}""", 400, null), ("""{"workflow":"pipeline","of_run":"one"}""", 400, null),
            ("""{"workflow":"pipeline","run_id":"one"}""", 409, null), ("""{"workflow":"pipeline","run_id":"queued","queue":"night"}""", 409, null), ("""{"workflow":"pipeline","run_id":"../x"}""", 400, null),
        })
        {
            using var answer = await lab.PostAsync("runs", json);
            Assert.Equal(status, (int)answer.StatusCode);
            if (name is not null) Assert.NotEmpty(JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Lab.Stop)).RootElement.GetProperty("errors").GetProperty(name).GetString()!);
        }
        Assert.Equal(2, (await lab.GetAsync("runs")).GetProperty("items").GetArrayLength());
        Assert.Equal(["ann", "ann"], (await lab.GetAsync("audit")).GetProperty("items").EnumerateArray().Select(act => act.GetProperty("by").GetString()));
    }

    [Theory]
    [InlineData("cancel", "failed,waiting", "Canceled")]
    [InlineData("resume", "failed", "Failed")]
    [InlineData("fork", "failed", "Failed")]
    [InlineData("requeue", "", "Failed")]
    [InlineData("pause", "", "Failed")]
    [InlineData("delete", "failed,over,waiting", null)]
    public async Task Each_of_many_gets_what_was_shown_or_the_reason_why_it_gets_nothing(string action, string get, string? failed)
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, s_failing, new StartOptions { RunId = "failed" }, Lab.Stop);
        foreach (var id in new[] { "waiting", "over" }) await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = id }, Lab.Stop);
        await lab.Client.CancelAsync("over", cancellationToken: Lab.Stop);
        var shown = await lab.DoAsync("bulk?workflow=pipeline", $$"""{"action":"{{action}}"}""");
        var items = shown.GetProperty("items").EnumerateArray().ToDictionary(item => item.GetProperty("run_id").GetString()!);
        Assert.Equal(["failed", "over", "waiting"], items.Keys.Order());
        Assert.Equal(get, string.Join(',', items.Where(item => !item.Value.TryGetProperty("refused", out _)).Select(item => item.Key).Order()));
        Assert.Equal(RunStatus.Failed, (await lab.Client.FindAsync("failed", Lab.Stop))!.Status);

        using var answer = await lab.PostAsync("bulk", $$"""{"action":"{{action}}","runs":["failed","waiting","over","gone"],"dry_run":false}""");
        Assert.Equal("application/x-ndjson", answer.Content.Headers.ContentType!.MediaType);
        var done = (await answer.Content.ReadAsStringAsync(Lab.Stop)).TrimEnd().Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToDictionary(item => item.GetProperty("run_id").GetString()!);
        Assert.Equal(4, done.Count);
        Assert.Contains("no such run", done["gone"].GetProperty("refused").GetString(), StringComparison.Ordinal);
        Assert.Equal(get, string.Join(',', done.Where(item => !item.Value.TryGetProperty("refused", out _)).Select(item => item.Key).Order()));
        if (done["failed"].TryGetProperty("new_run", out var child)) await lab.UntilAsync(child.GetString()!, head => head.Status == RunStatus.Failed && head.Owner is null);
        if (failed is null) Assert.Null(await lab.Client.FindAsync("failed", Lab.Stop));
        else await lab.UntilAsync("failed", head => head.Status.ToString() == failed && head.Owner is null);
    }

    [Theory]
    [InlineData("""{"action":"explode"}""")]
    [InlineData("""{"action":"cancel","dry_run":false}""")]
    [InlineData("""{"action":"cancel","runs":[],"dry_run":false}""")]
    public async Task What_is_done_to_many_names_its_action_and_its_runs(string json)
    {
        await using var lab = await Lab.StartAsync();
        using var answer = await lab.PostAsync("bulk", json);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task A_list_as_csv_holds_no_formula_and_every_run_that_the_filter_finds()
    {
        await using var lab = await Lab.StartAsync();
        for (var i = 0; i < 3; i++) await lab.Client.RunAsync(Lab.Pipeline, s_failing, new StartOptions { RunId = $"r{i}", Tags = new Dictionary<string, string> { ["=1+1,\"x\""] = $"{i}" } }, Lab.Stop);
        using var answer = await lab.Http.GetAsync("export/runs?format=csv&status=failed&text=r", Lab.Stop);
        Assert.Equal("attachment; filename=\"runs.csv\"", answer.Content.Headers.GetValues("Content-Disposition").Single());
        var lines = (await answer.Content.ReadAsStringAsync(Lab.Stop)).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(4, lines.Length);
        Assert.EndsWith(",\"'=1+1,\"\"x\"\"=2\"", lines[1], StringComparison.Ordinal);
        using var wrong = await lab.Http.GetAsync("export/runs?format=xls", Lab.Stop);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    [Fact]
    public async Task Who_did_what_is_told_page_by_page_until_the_oldest_run()
    {
        await using var lab = await Lab.StartAsync();
        for (var i = 0; i < 120; i++) await lab.Client.EnqueueAsync(Lab.Pipeline, null, null, new StartOptions { RunId = $"r{i:000}", By = i % 2 == 0 ? "bob" : "eve" }, Lab.Stop);
        var first = await lab.GetAsync("audit?who=bob");
        Assert.Equal((50, 100), (first.GetProperty("items").GetArrayLength(), first.GetProperty("runs").GetInt32()));
        Assert.Equal(["bob", "eve"], first.GetProperty("people").EnumerateArray().Select(one => one.GetString()));
        var second = await lab.GetAsync($"audit?who=bob&behind={first.GetProperty("next")}");
        Assert.Equal((10, false), (second.GetProperty("items").GetArrayLength(), second.TryGetProperty("next", out _)));
    }

    [Fact]
    public async Task What_a_step_says_is_told_once_also_to_who_comes_back()
    {
        var (more, end) = (new TaskCompletionSource(), new TaskCompletionSource());
        var held = Lab.Held("held", async context =>
        {
            context.Write("one");
            context.ReportProgress(0.5, "half");
            await more.Task;
            context.Write("two", isError: true);
            await end.Task;
        });
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var (said, place) = await HearAsync(lab, null, lines => lines.Any(line => line.TryGetProperty("fraction", out _)));
        Assert.Equal(["one", "half"], said.Where(line => line.TryGetProperty("text", out _)).Select(line => line.GetProperty("text").GetString()));
        more.SetResult();
        (said, _) = await HearAsync(lab, place, lines => lines.Count > 0);
        var line = Assert.Single(said);
        Assert.Equal(("held", "two", true), (line.GetProperty("step").GetString(), line.GetProperty("text").GetString(), line.GetProperty("is_error").GetBoolean()));
        Assert.True((await lab.GetAsync("runs/r")).GetProperty("can_watch").GetBoolean());
        end.SetResult();
        await run;
        Assert.False((await lab.GetAsync("runs/r")).GetProperty("can_watch").GetBoolean());
        Assert.Empty(Directory.GetFiles(lab.Client.Options.LiveFolder!));
    }

    static async Task<(List<JsonElement> Lines, string Place)> HearAsync(Lab lab, string? last, Func<List<JsonElement>, bool> isEnough)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Lab.Stop);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var request = new HttpRequestMessage(HttpMethod.Get, "runs/r/live");
        if (last is not null) request.Headers.Add("Last-Event-ID", last);
        using var answer = await lab.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
        var lines = new List<JsonElement>();
        await foreach (var item in SseParser.Create(await answer.Content.ReadAsStreamAsync(limit.Token)).EnumerateAsync(limit.Token))
        {
            lines.AddRange(JsonDocument.Parse(item.Data).RootElement.GetProperty("lines").EnumerateArray());
            if (isEnough(lines)) return (lines, item.EventId!);
        }
        throw new EndOfStreamException();
    }
}
