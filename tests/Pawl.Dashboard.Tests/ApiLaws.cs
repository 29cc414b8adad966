using System.Net;
using System.Text.Json;

namespace Pawl.Dashboard.Tests;

/// <summary>The HTTP API, the same over every store.</summary>
public sealed class ApiLaws(Servers servers)
{
    [Theory, InlineData("memory"), InlineData("file"), InlineData("sqlite"), InlineData("postgres"), InlineData("redis")]
    public async Task Pages_of_runs_are_the_whole_list_newest_first(string kind)
    {
        await using var lab = await servers.LabAsync(kind);
        for (var i = 0; i < 7; i++) await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = $"r{i}", Tags = new Dictionary<string, string> { ["n"] = $"{i % 2}" } }, Lab.Stop);
        var (ids, next) = (new List<string>(), "");
        do
        {
            var page = await lab.GetAsync($"runs?limit=3{next}");
            ids.AddRange(Ids(page));
            next = page.TryGetProperty("next", out var place) && place.ValueKind == JsonValueKind.String ? $"&behind={place}" : null;
        } while (next is not null);
        Assert.Equal(["r6", "r5", "r4", "r3", "r2", "r1", "r0"], ids);
        Assert.Equal(["r5", "r3", "r1"], Ids(await lab.GetAsync("runs?where=n%3D1&status=waiting")));
        Assert.Equal(["r4"], Ids(await lab.GetAsync("runs?text=R4")));
        Assert.Empty(Ids(await lab.GetAsync("runs?status=failed")));
        Assert.Equal(7, (await lab.GetAsync("counts")).GetProperty("counts").GetProperty("waiting").GetInt32());
    }

    [Theory, InlineData("memory"), InlineData("file"), InlineData("sqlite")]
    public async Task The_size_of_the_store_grows_with_what_runs_leave(string kind)
    {
        await using var lab = await Lab.StartAsync(kind);
        var before = (await lab.GetAsync("size")).GetProperty("bytes").GetInt64();
        var builder = Workflow.Create("big");
        builder.Step("big", _ => new string('W', 10_000_000));
        await lab.Client.RunAsync(builder.Build(), cancellationToken: Lab.Stop);
        var after = await lab.GetAsync("size");
        Assert.InRange(after.GetProperty("bytes").GetInt64() - before, 9_000_000, 40_000_000);
        Assert.NotEmpty(after.GetProperty("of").GetString()!);
    }

    [Fact]
    public async Task A_store_that_cannot_tell_its_size_says_nothing()
    {
        await using var lab = await Lab.StartAsync(around: store => CountingStore.Around(store).Store);
        Assert.Empty((await lab.GetAsync("size")).EnumerateObject());
    }

    [Theory, InlineData("memory"), InlineData("file"), InlineData("sqlite"), InlineData("postgres"), InlineData("redis")]
    public async Task What_is_done_to_a_run_is_told_to_who_watches_it_and_seen_by_who_asks_then(string kind)
    {
        await using var lab = await servers.LabAsync(kind);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var (list, one) = (await FeedLaws.NextAsync(lab, "events", null), await FeedLaws.NextAsync(lab, "runs/r/events", null));
        var before = await lab.GetAsync("runs/r");
        await lab.DoAsync("runs/r/cancel");
        Assert.NotEqual(list, await FeedLaws.NextAsync(lab, "events", list));
        Assert.NotEqual(one, await FeedLaws.NextAsync(lab, "runs/r/events", one));
        var after = await lab.GetAsync($"runs/r?since={before.GetProperty("at")}");
        Assert.Equal(("canceled", false), (after.GetProperty("head").GetProperty("status").GetString(), after.GetProperty("whole").GetBoolean()));
        Assert.Equal(["r"], Ids(await lab.GetAsync("runs?status=canceled")));
        Assert.Equal(["canceled by ann"], (await lab.GetAsync("runs/r/audit")).GetProperty("items").EnumerateArray().Select(act => $"{act.GetProperty("what")} by {act.GetProperty("by")}").Where(act => !act.StartsWith("started", StringComparison.Ordinal)));
        Assert.Equal((await lab.Client.HistoryAsync("r", Lab.Stop)).Select(record => record.Hash), (await lab.GetAsync("runs/r/checkpoints")).GetProperty("items").EnumerateArray().Select(record => record.GetProperty("hash").GetString()));
    }

    static string[] Ids(JsonElement page) => [.. page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("run_id").GetString()!)];

    [Fact]
    public async Task What_did_not_change_is_not_sent_again()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        foreach (var path in new[] { "runs", "runs/r" })
        {
            using var first = await lab.Http.GetAsync(path, Lab.Stop);
            using var same = await AgainAsync(path, first);
            Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        }
        using var before = await lab.Http.GetAsync("runs/r", Lab.Stop);
        await lab.Client.CancelAsync("r", cancellationToken: Lab.Stop);
        using var after = await AgainAsync("runs/r", before);
        Assert.Equal(HttpStatusCode.OK, after.StatusCode);

        Task<HttpResponseMessage> AgainAsync(string path, HttpResponseMessage had)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.IfNoneMatch.Add(had.Headers.ETag!);
            return lab.Http.SendAsync(request, Lab.Stop);
        }
    }

    [Theory]
    [InlineData("runs/none", 404)]
    [InlineData("runs/..%2Fetc", 404)]
    [InlineData("runs?status=asleep", 400)]
    [InlineData("runs?behind=x", 400)]
    [InlineData("runs/r/checkpoints/99", 400)]
    [InlineData("runs/r/plan?params=%7B%7D", 400)]
    [InlineData("runs?limit=x", 400)]
    [InlineData("runs/r/snapshot?seq=x", 400)]
    [InlineData("runs/r/checkpoints?from=x", 400)]
    [InlineData("runs/r/checkpoints?limit=99999999999999999999", 400)]
    [InlineData("runs/r/checkpoints?brief=perhaps", 400)]
    [InlineData("runs/r/diff?seq=x", 400)]
    [InlineData("runs/r/context?step=none", 400)]
    [InlineData("runs/r/checkpoints/x", 404)]
    [InlineData("runs/none/events", 404)]
    [InlineData("runs/none/live", 404)]
    [InlineData("nothing", 404)]
    [InlineData("nothing.json", 404)]
    public async Task A_wrong_question_is_answered_with_a_problem(string path, int status)
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        using var answer = await lab.Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Lab.Stop);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType!.MediaType);
        using var problem = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Lab.Stop));
        foreach (var told in new[] { "title", "hint" }) Assert.NotEmpty(problem.RootElement.GetProperty(told).GetString()!);
    }

    [Theory, InlineData("nothing"), InlineData("nothing.json"), InlineData("runs/r")]
    public async Task A_change_that_is_none_is_answered_with_a_problem(string path)
    {
        await using var lab = await Lab.StartAsync();
        using var answer = await lab.PostAsync(path, "{}");
        Assert.Equal((HttpStatusCode.NotFound, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
    }

    [Theory, InlineData("memory"), InlineData("file"), InlineData("sqlite"), InlineData("postgres"), InlineData("redis")]
    public async Task A_decision_is_kept_with_who_gave_it_and_the_run_goes_on(string kind)
    {
        await using var lab = await servers.LabAsync(kind);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var asked = Assert.Single((await lab.GetAsync("approvals")).GetProperty("items").EnumerateArray().ToList());
        Assert.Equal("Publish?", asked.GetProperty("message").GetString());
        Assert.True((await lab.DoAsync("runs/r/decide", """{"step":"gate/approval","approve":true,"reason":"looks good"}""")).GetProperty("is_first").GetBoolean());
        await lab.UntilAsync("r", head => head.Status == RunStatus.Completed);
        Assert.Equal("hello world, 42", (await lab.GetAsync("runs/r/snapshot")).GetProperty("outputs").GetProperty("publish").GetString());
        var decision = (await lab.GetAsync("runs/r/snapshot")).GetProperty("outputs").GetProperty("gate");
        Assert.Equal("ann", decision.GetProperty("by").GetString());
    }

    [Fact]
    public async Task What_is_asked_while_other_steps_go_on_can_be_seen_and_answered_at_once()
    {
        var go = new TaskCompletionSource();
        var workflow = Workflow.Create("beside");
        workflow.Step("long", _ => go.Task);
        workflow.Step("gate", context => context.RequestApprovalAsync(new ApprovalRequest("Now?")), step => step.Needs());
        var beside = workflow.Build();
        await using var lab = await Lab.StartAsync(more: beside);
        var run = lab.Client.RunAsync(beside, null, new StartOptions { RunId = "r" }, Lab.Stop);
        await lab.UntilAsync("r", head => head.Seq >= 3);
        var asked = Assert.Single((await lab.GetAsync("approvals")).GetProperty("items").EnumerateArray().ToList());
        Assert.Equal(("r", "Now?"), (asked.GetProperty("run_id").GetString(), asked.GetProperty("message").GetString()));
        var wait = Assert.Single((await lab.GetAsync("runs/r")).GetProperty("head").GetProperty("waits").EnumerateArray().ToList());
        Assert.Equal("Now?", wait.GetProperty("message").GetString());
        await lab.DoAsync("runs/r/decide", $$"""{"step":"{{asked.GetProperty("step").GetString()}}","approve":true}""");
        await lab.UntilAsync("r", head => head.Done == 1);
        Assert.Empty((await lab.GetAsync("approvals")).GetProperty("items").EnumerateArray());
        go.SetResult();
        (await run).EnsureCompleted();
    }

    [Fact]
    public async Task Who_says_something_too_late_is_told_who_was_first()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        foreach (var (by, text) in new[] { ("bob", "mine"), ("eve", "late") }) await lab.Client.SignalAsync("r", "word", text, by, Lab.Stop);
        await lab.Client.RejectAsync("r", "gate", "bob", "not today", Lab.Stop);
        var decision = await lab.DoAsync("runs/r/decide", """{"step":"gate","approve":true}""");
        Assert.Equal((false, "rejected by bob"), (decision.GetProperty("is_first").GetBoolean(), First(decision)));
        Assert.Equal("not today", decision.GetProperty("first").GetProperty("reason").GetString());
        var signal = await lab.DoAsync("runs/r/signal", """{"name":"word"}""");
        Assert.Equal((false, "signaled by bob"), (signal.GetProperty("is_first").GetBoolean(), First(signal)));

        static string First(JsonElement answer) => $"{answer.GetProperty("first").GetProperty("what")} by {answer.GetProperty("first").GetProperty("by")}";
    }

    [Fact]
    public async Task A_plan_tells_the_part_that_its_run_keeps_to()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "r", Select = new StepSelection { Until = "right" } }, Lab.Stop);
        var plan = await lab.GetAsync("runs/r/plan");
        Assert.Equal(["reuse", "reuse", "run", "left_out", "left_out"], plan.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString()));
        Assert.Equal("right", plan.GetProperty("select").GetProperty("until").GetString());
    }

    [Theory]
    [InlineData("until=left", """{"until":"left"}""", "reuse reuse left_out left_out left_out", RunStatus.Paused, null)]
    [InlineData("only=left&only=right", """{"only":["left","right"]}""", "reuse reuse run left_out left_out", RunStatus.Failed, """{"only":["left","right"]}""")]
    [InlineData("all=true", """{"all":true}""", "reuse reuse run run run", RunStatus.Failed, null)]
    public async Task A_part_is_planned_as_it_is_resumed_and_kept_to_until_it_is_done(string query, string body, string decisions, RunStatus then, string? kept)
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "r", Select = new StepSelection { Until = "right" } }, Lab.Stop);
        foreach (var plan in new[] { await lab.GetAsync($"runs/r/plan?{query}"), await lab.DoAsync("runs/r/plan", body) })
            Assert.Equal(decisions, string.Join(' ', plan.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString())));
        var before = (await lab.Client.FindAsync("r", Lab.Stop))!.Seq;
        await lab.DoAsync("runs/r/resume", body);
        Assert.Equal(then, (await lab.UntilAsync("r", head => head.Owner is null && head.Seq > before)).Status);
        Assert.Equal(kept, (await lab.GetAsync("runs/r/plan")).TryGetProperty("select", out var select) ? select.GetRawText() : null);
        using var both = await lab.PostAsync("runs/r/plan", """{"all":true,"until":"left"}""");
        Assert.Equal(HttpStatusCode.BadRequest, both.StatusCode);
    }

    [Fact]
    public async Task A_failed_run_is_planned_with_a_changed_param_and_resumed()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "r" }, Lab.Stop);
        var plan = await lab.DoAsync("runs/r/plan", """{"params":{"fail":false}}""");
        Assert.Equal(["reuse", "reuse", "run", "run", "run"], plan.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString()));
        await lab.DoAsync("runs/r/resume", """{"params":{"fail":false}}""");
        await lab.UntilAsync("r", head => head.Status == RunStatus.Waiting);
        using var again = await lab.PostAsync("runs/r/resume", "{}");
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
    }

    [Fact]
    public async Task A_fork_has_what_was_changed_and_leaves_its_parent_as_it_was()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var before = (await lab.Client.FindAsync("r", Lab.Stop))!;
        var child = (await lab.DoAsync("runs/r/fork", $$$"""{"at":{{{before.Seq}}},"params":{"who":"moon"},"outputs":{"right":7}}""")).GetProperty("run_id").GetString()!;
        await lab.UntilAsync(child, head => head.Status == RunStatus.Waiting);
        await lab.DoAsync($"runs/{child}/decide", """{"step":"gate/approval","approve":true}""");
        await lab.UntilAsync(child, head => head.Status == RunStatus.Completed);
        Assert.Equal("hello moon, 7", (await lab.GetAsync($"runs/{child}/snapshot")).GetProperty("outputs").GetProperty("publish").GetString());
        Assert.Equal(before.Hash, (await lab.Client.FindAsync("r", Lab.Stop))!.Hash);
        Assert.Equal(child, Assert.Single((await lab.GetAsync("runs/r")).GetProperty("forks").EnumerateArray().ToList()).GetString());
    }

    [Fact]
    public async Task A_secret_that_a_fork_is_given_reaches_its_steps_and_is_in_no_answer()
    {
        const string secret = "hunter2-not-for-disks";
        var builder = Workflow.Create("push").Param(new WorkflowParam("token", "secret"));
        builder.Step("push", context => context.Params.Get<string?>("token", null)?.Length ?? 0);
        var workflow = builder.Build();
        await using var lab = await Lab.StartAsync(more: workflow);
        await lab.Client.RunAsync(workflow, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var child = (await lab.DoAsync("runs/r/fork", $$$"""{"at":2,"params":{"token":"{{{secret}}}"}}""")).GetProperty("run_id").GetString()!;
        await lab.UntilAsync(child, head => head.Status == RunStatus.Completed);
        Assert.Equal(secret.Length, (await lab.GetAsync($"runs/{child}/snapshot")).GetProperty("outputs").GetProperty("push").GetInt32());
        foreach (var path in new[] { "", "/checkpoints", "/snapshot", "/audit", "/export?what=journal", "/export?what=snapshot" })
            Assert.DoesNotContain(secret, await lab.Http.GetStringAsync($"runs/{child}{path}", Lab.Stop), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("runs/r/rerun", """{"params":{"fail":"perhaps"}}""")]
    [InlineData("runs/r/rerun", """{"params":{"unknown":1}}""")]
    [InlineData("runs/r/resume", """{"params":{"fail":"perhaps"}}""")]
    public async Task What_cannot_begin_is_said_and_leaves_nothing(string action, string json)
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "r" }, Lab.Stop);
        using var answer = await lab.PostAsync(action, json);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        Assert.Contains("param", await answer.Content.ReadAsStringAsync(Lab.Stop), StringComparison.Ordinal);
        Assert.Equal(["r"], Ids(await lab.GetAsync("runs")));
        Assert.Null((await lab.Client.FindAsync("r", Lab.Stop))!.Owner);
    }

    [Fact]
    public async Task A_running_run_is_paused_and_canceled_from_outside()
    {
        var held = Lab.Held("held", context => Task.Delay(Timeout.Infinite, context.CancellationToken));
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "r" }, Lab.Stop);
        await lab.UntilAsync("r", head => head.Done == 1);
        await lab.DoAsync("runs/r/cancel");
        Assert.Equal(RunStatus.Canceled, (await run).Status);
        Assert.Equal("canceled", (await lab.GetAsync("runs/r")).GetProperty("head").GetProperty("status").GetString());
    }

    [Fact]
    public async Task What_retention_would_remove_is_shown_before_it_goes()
    {
        await using var lab = await Lab.StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = $"r{i}" }, Lab.Stop);
            if (i < 2) await lab.Client.CancelAsync($"r{i}", cancellationToken: Lab.Stop);
        }
        Assert.Equal(2, (await lab.DoAsync("prune", """{"older_than_days":0,"dry_run":true}""")).GetProperty("items").GetArrayLength());
        Assert.Equal(3, Ids(await lab.GetAsync("runs")).Length);
        using var unnamed = await lab.PostAsync("prune", """{"older_than_days":0,"dry_run":false}""");
        Assert.Equal(HttpStatusCode.BadRequest, unnamed.StatusCode);
        // Over meanwhile: it was not shown. And what was shown and no longer fits stays, too.
        await lab.Client.CancelAsync("r2", cancellationToken: Lab.Stop);
        Assert.Empty((await lab.DoAsync("prune", """{"older_than_days":1,"dry_run":false,"runs":["r1","r0"]}""")).GetProperty("items").EnumerateArray());
        var record = (await lab.DoAsync("prune", """{"older_than_days":0,"dry_run":false,"runs":["r1","r0"]}""")).GetProperty("record").GetString()!;
        Assert.Equal([record, "r2"], Ids(await lab.GetAsync("runs")));
        // What is gone cannot tell who removed it: that is a run of its own.
        var act = Assert.Single((await lab.GetAsync("audit?what=removed")).GetProperty("items").EnumerateArray().ToList());
        Assert.Equal(("ann", "r1, r0"), (act.GetProperty("by").GetString(), act.GetProperty("detail").GetString()));
    }

    [Fact]
    public async Task A_stopped_server_ends_its_passes_and_they_can_be_resumed()
    {
        var begun = new TaskCompletionSource();
        var held = Lab.Held("held", async context =>
        {
            begun.TrySetResult();
            if (!context.IsResumed || context.Attempt < 3) await Task.Delay(Timeout.Infinite, context.CancellationToken);
        });
        var store = new Pawl.Storage.MemoryStore();
        await using var client = new PawlClient(store);
        await using (var first = await LocalDashboard.StartAsync(new DashboardOptions { Client = client, Workflows = [held] }, cancellationToken: Lab.Stop))
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Lab.Stop);
            var run = client.RunAsync(held, null, new StartOptions { RunId = "r" }, stop.Token);
            await begun.Task;
            await stop.CancelAsync();
            Assert.Equal(RunStatus.Paused, (await run).Status);
            begun = new TaskCompletionSource();
            using var http = new HttpClient();
            (await http.GetAsync(first.Link, Lab.Stop)).EnsureSuccessStatusCode();
            using var resumed = await http.PostAsync(new Uri(first.Address, "api/v1/runs/r/resume"), new StringContent("{}", null, "application/json"), Lab.Stop);
            Assert.Equal(HttpStatusCode.Accepted, resumed.StatusCode);
            await begun.Task;
        }
        var head = (await client.FindAsync("r", Lab.Stop))!;
        Assert.Equal((RunStatus.Paused, true), (head.Status, head.Owner is null));
        Assert.Equal(RunStatus.Completed, (await client.ResumeAsync(held, "r", cancellationToken: Lab.Stop)).Status);
    }
}
