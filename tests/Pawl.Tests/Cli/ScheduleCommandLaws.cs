using Pawl.Testing;

namespace Pawl.Tests.Cli;

/// <summary>Schedules as commands. The clock begins at 2026-01-01 00:00 UTC.</summary>
public sealed class ScheduleCommandLaws
{
    static CommandLab Lab() => new CommandLab { Time = new VirtualTime() }.WithThreeGoodSteps();

    [Fact]
    public async Task A_schedule_is_made_shown_paused_triggered_and_removed()
    {
        using var lab = Lab();
        var add = await lab.RunAsync("schedule", "add", "nightly", "workflow.yaml", "--cron", "30 3 * * *", "--zone", "Europe/Berlin", "--missed", "skip", "--overlap", "skip", "--param", "who=night");
        Assert.True(add.Code == 0, add.All);
        Assert.Contains("'nightly' runs next at 2026-01-01 03:30 +01:00 (2026-01-01 02:30Z)", add.Out, StringComparison.Ordinal);

        var list = await lab.RunAsync("schedule", "list", "--json");
        var state = Assert.Single(list.Json.GetProperty("schedules").EnumerateArray());
        string? Text(string member) => state.GetProperty(member).GetString();
        Assert.Equal(("nightly", "30 3 * * *", "Europe/Berlin", "skip", "skip"), (Text("name"), Text("cron"), Text("zone"), Text("missed"), Text("overlap")));
        Assert.Equal(("2026-01-01T02:30:00.000Z", "2026-01-01T03:30:00+01:00"), (Text("next"), Text("next_local")));
        Assert.Equal("nightly-20260101T023000Z", state.GetProperty("next_run").GetProperty("run_id").GetString());
        Assert.Contains("nightly-20260101T023000Z  pending", (await lab.RunAsync("list")).Out, StringComparison.Ordinal);
        Assert.Contains("due 2026-01-01 02:30:00  schedule=nightly", (await lab.RunAsync("list")).Out, StringComparison.Ordinal);

        Assert.Contains("Go on with:  pawl schedule resume nightly", (await lab.RunAsync("schedule", "pause", "nightly")).Out, StringComparison.Ordinal);
        Assert.Contains("nightly   paused  30 3 * * *  Europe/Berlin  2026-01-01 03:30 +01:00 (2026-01-01 02:30Z)  -", (await lab.RunAsync("schedule", "list")).Out, StringComparison.Ordinal);
        Assert.False((await lab.RunAsync("schedule", "resume", "nightly", "--json")).Json.GetProperty("paused").GetBoolean());
        Assert.Contains("due 2026-01-01 02:30:00  schedule=nightly", (await lab.RunAsync("list")).Out, StringComparison.Ordinal);

        var run = (await lab.RunAsync("schedule", "trigger", "nightly", "--json")).Json;
        Assert.Equal(("pending", "nightly"), (run.GetProperty("status").GetString(), run.GetProperty("tags").GetProperty("schedule").GetString()));
        Assert.Contains($"pending {run.GetProperty("run_id").GetString()}", (await lab.RunAsync("schedule", "list")).Out, StringComparison.Ordinal);

        Assert.Equal("nightly", (await lab.RunAsync("schedule", "remove", "nightly", "--json")).Json.GetProperty("removed").GetString());
        Assert.Contains("No schedules", (await lab.RunAsync("schedule", "list")).Out, StringComparison.Ordinal);
        Assert.Equal(run.GetProperty("run_id").GetString(), Assert.Single((await lab.RunAsync("list", "--status", "pending", "--json")).Json.GetProperty("runs").EnumerateArray()).GetProperty("run_id").GetString());
    }

    [Fact]
    public async Task A_worker_of_the_command_runs_a_schedule_of_a_file_with_its_definition()
    {
        using var lab = new CommandLab().WithThreeGoodSteps();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await lab.RunAsync("schedule", "add", "nightly", "--cron", "@yearly", "--param", "who=night");
        var run = (await lab.RunAsync("schedule", "trigger", "nightly", "--json")).Json.GetProperty("run_id").GetString()!;
        File.Delete(lab.Path_("workflow.yaml"));
        lab.Stop = stop.Token;
        var worker = lab.RunAsync("worker");
        lab.Stop = TestContext.Current.CancellationToken;
        var status = "";
        for (var i = 0; i < 300 && status != "completed"; i++)
        {
            await Task.Delay(100, lab.Stop);
            status = (await lab.RunAsync("status", run, "--json")).Json.GetProperty("status").GetString();
        }
        await stop.CancelAsync();
        Assert.Equal(0, (await worker).Code);
        Assert.Equal("completed", status);
        Assert.Contains("hello night", (await lab.RunAsync("logs", run)).Out, StringComparison.Ordinal);
        // The newest run is the one that ran, not the one whose time has not come.
        Assert.Contains(run, (await lab.RunAsync("status")).Out, StringComparison.Ordinal);
        Assert.Contains($"completed {run}", (await lab.RunAsync("schedule", "list")).Out, StringComparison.Ordinal);
        Assert.Equal(3, (await lab.RunAsync("resume")).Code);
    }

    [Theory]
    [InlineData("0 25 * * *", "UTC", "'25' cannot stand for the hour")]
    [InlineData("0 3 * * *", "Europe/Berln", "Did you mean 'Europe/Berlin'?")]
    public async Task A_wrong_cron_text_or_zone_is_a_mistake_in_the_call(string cron, string zone, string said)
    {
        using var lab = Lab();
        var answer = await lab.RunAsync("schedule", "add", "nightly", "--cron", cron, "--zone", zone);
        Assert.Equal(2, answer.Code);
        Assert.Contains(said, answer.Error, StringComparison.Ordinal);
        Assert.Empty((await lab.RunAsync("list", "--json")).Json.GetProperty("runs").EnumerateArray());
    }

    [Theory]
    [InlineData("pause")]
    [InlineData("resume")]
    [InlineData("trigger")]
    [InlineData("remove")]
    public async Task A_schedule_that_is_not_there_is_named_with_the_nearest_one(string verb)
    {
        using var lab = Lab();
        await lab.RunAsync("schedule", "add", "nightly", "--cron", "@daily");
        var answer = await lab.RunAsync("schedule", verb, "nighty", "--json");
        Assert.Equal((2, "not_found"), (answer.Code, answer.Json.GetProperty("reason").GetString()));
        Assert.Contains("Did you mean 'nightly'?", answer.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("once|skip|all", "--missed", "often")]
    [InlineData("allow, skip", "--overlap", "never")]
    public async Task A_policy_that_does_not_exist_is_refused_with_those_that_do(string words, string option, string value)
    {
        using var lab = Lab();
        var answer = await lab.RunAsync("schedule", "add", "nightly", "--cron", "@daily", option, value);
        Assert.Equal(2, answer.Code);
        Assert.Contains(words.Replace("|", ", ", StringComparison.Ordinal), answer.Error, StringComparison.Ordinal);
    }
}
