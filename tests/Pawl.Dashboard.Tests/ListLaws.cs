using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>Lists of a store that holds more runs than one looks at: nothing is hidden by what is newer, and what was left out is said.</summary>
public sealed class ListLaws
{
    static readonly TimeSpan s_hours = TimeSpan.FromHours(5);

    static Task<Lab> StartAsync(params IEnumerable<RunHead>[] heads) => Lab.StartAsync(around: store => ManyRuns.Around(store, heads.SelectMany(some => some)));

    static RunHead Queued(RunHead head) => head with { Queue = "busy", WakeAt = head.CreatedAt };

    static Func<RunHead, RunHead> Waiting(params Wait[] waits) => head => head with { Queue = "busy", Status = RunStatus.Waiting, Waits = waits, WakeAt = waits.Min(wait => wait.Due) };

    [Fact]
    public async Task However_many_runs_are_in_line_those_that_run_and_wait_are_counted()
    {
        var now = DateTimeOffset.UtcNow;
        await using var lab = await StartAsync(
            ManyRuns.Make(5001, "new", TimeSpan.FromHours(2), Queued),
            ManyRuns.Make(1, "later", s_hours, head => Queued(head) with { Queue = "rare", WakeAt = now.AddHours(1) }),
            ManyRuns.Make(1, "running", s_hours, head => Queued(head) with { Status = RunStatus.Running, WakeAt = null, Owner = new RunOwner(7, "host", now) }),
            ManyRuns.Make(1, "died", s_hours, head => Queued(head) with { Status = RunStatus.Running, WakeAt = null }),
            ManyRuns.Make(1, "back", s_hours, Waiting(new Wait("", null, now.AddHours(-3)))),
            ManyRuns.Make(1, "asleep", s_hours, Waiting(new Wait("nap", null, now.AddHours(3)))),
            ManyRuns.Make(1, "asks", s_hours, Waiting(new Wait("gate", "pawl:approval:gate", null, "May I?"))),
            ManyRuns.Make(1, "dead", s_hours, head => head with { Queue = "busy", Status = RunStatus.Failed, DeadLetter = true }));
        var queues = await lab.GetAsync("queues");
        var busy = Assert.Single(queues.GetProperty("queues").EnumerateArray().ToList());
        Assert.Equal(("busy", 5000 + 2, 0, 1, 2, 1), (busy.GetProperty("name").GetString(), Count("in_line"), Count("later"), Count("running"), Count("waiting"), Count("dead")));
        // The one whose process died stands there the longest.
        Assert.InRange(busy.GetProperty("oldest").GetDateTimeOffset(), now - s_hours - TimeSpan.FromMinutes(1), now - s_hours + TimeSpan.FromMinutes(1));
        Assert.Equal("running00000", Assert.Single(queues.GetProperty("owners").EnumerateArray().ToList()).GetProperty("runs")[0].GetProperty("run_id").GetString());
        Assert.Equal("dead00000", Assert.Single(queues.GetProperty("dead_letters").EnumerateArray().ToList()).GetProperty("run_id").GetString());
        Assert.Equal((5000, "pending"), (queues.GetProperty("at_most").GetInt32(), Assert.Single(queues.GetProperty("cut").EnumerateArray().ToList()).GetString()));

        int Count(string what) => busy.GetProperty(what).GetInt32();
    }

    [Fact]
    public async Task A_run_that_was_put_back_stands_in_line_and_one_that_is_delayed_comes_later()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.EnqueueAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, null, new StartOptions { RunId = "r" }, Lab.Stop);
        await lab.Client.EnqueueAsync(Lab.Pipeline, null, new EnqueueOptions { Delay = TimeSpan.FromHours(1) }, null, Lab.Stop);
        await lab.Client.ScheduleAsync(new Schedule("nightly", Lab.Pipeline, "0 3 * * *"), Lab.Stop);
        Assert.Equal((1, 1, 0), await LineAsync());
        await lab.Client.ResumeAsync(Lab.Pipeline, "r", cancellationToken: Lab.Stop);
        Assert.Equal((0, 1, 0), await LineAsync());
        await lab.Client.RequeueAsync("r", cancellationToken: Lab.Stop);
        Assert.Equal((1, 1, 0), await LineAsync());

        async Task<(int, int, int)> LineAsync()
        {
            var queues = await lab.GetAsync("queues");
            Assert.Equal(0, queues.GetProperty("cut").GetArrayLength());
            var queue = Assert.Single(queues.GetProperty("queues").EnumerateArray().ToList());
            return (queue.GetProperty("in_line").GetInt32(), queue.GetProperty("later").GetInt32(), queue.GetProperty("waiting").GetInt32());
        }
    }

    [Fact]
    public async Task A_workflow_that_runs_rarely_is_listed_behind_many_runs_of_others_and_what_is_left_out_is_said()
    {
        await using var lab = await StartAsync(ManyRuns.Make(5001, "often", TimeSpan.FromHours(2), head => head), ManyRuns.Make(3, "pipeline", s_hours, head => head), ManyRuns.Make(3, "unknown", s_hours, head => head));
        var answer = await lab.GetAsync("workflows");
        Assert.Equal([("often", 5000), ("pipeline", 3)], answer.GetProperty("items").EnumerateArray().Select(item => (item.GetProperty("name").GetString()!, item.GetProperty("runs").GetInt32())));
        Assert.Equal((5000, true), (answer.GetProperty("at_most").GetInt32(), answer.GetProperty("is_cut").GetBoolean()));
    }

    [Fact]
    public async Task A_question_behind_many_runs_that_wait_for_something_else_is_found_by_going_on()
    {
        await using var lab = await StartAsync(ManyRuns.Make(5000, "asleep", TimeSpan.FromHours(2), Waiting(new Wait("nap", null, DateTimeOffset.UtcNow.AddHours(3)))), ManyRuns.Make(700, "asks", s_hours, Waiting(new Wait("gate", "pawl:approval:gate", null, "May I?"))));
        var (asked, place) = (new List<string>(), "");
        while (true)
        {
            var page = await lab.GetAsync($"approvals{place}");
            Assert.InRange(page.GetProperty("items").GetArrayLength(), 0, 500);
            asked.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("run_id").GetString()!));
            if (!page.TryGetProperty("next", out var next)) break;
            place = $"?behind={next}";
        }
        Assert.Equal(700, asked.Distinct().Count());
        Assert.Equal(700, asked.Count);
    }

    [Fact]
    public async Task Who_is_asked_can_read_the_params_and_what_the_steps_before_left_but_no_secret()
    {
        const string secret = "hunter2-not-for-pages";
        var builder = Workflow.Create("ask").Param("who", "world").Param(new WorkflowParam("token", "secret"));
        builder.Step("long", _ => new string('W', 5000), step => step.Needs());
        builder.Step("huge", _ => new string('W', 5_000_000), step => step.Needs());
        builder.Step("apart", _ => "not looked at", step => step.Needs());
        builder.Step("gate", context => context.RequestApprovalAsync(new ApprovalRequest("Publish?")), step => step.Needs("long", "huge"));
        var workflow = builder.Build();
        await using var lab = await Lab.StartAsync(more: workflow);
        await lab.Client.RunAsync(workflow, new Dictionary<string, object?> { ["token"] = secret }, new StartOptions { RunId = "r" }, Lab.Stop);
        var asked = Assert.Single((await lab.GetAsync("approvals")).GetProperty("items").EnumerateArray().ToList());
        Assert.Equal("ask", asked.GetProperty("workflow").GetString());
        var context = await lab.GetAsync($"runs/r/context?step={Uri.EscapeDataString(asked.GetProperty("step").GetString()!)}");
        Assert.DoesNotContain("token", context.GetProperty("params").EnumerateObject().Select(param => param.Name));
        Assert.DoesNotContain(secret, context.GetRawText(), StringComparison.Ordinal);
        var steps = context.GetProperty("steps").EnumerateArray().ToDictionary(step => step.GetProperty("path").GetString()!);
        Assert.Equal(["huge", "long"], steps.Keys.Order());
        Assert.InRange(steps["long"].GetProperty("output").GetString()!.Length, 2000, 2010);
        Assert.False(steps["huge"].TryGetProperty("output", out _));
    }
}
