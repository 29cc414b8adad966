using System.Text.Json;
using Pawl.Agents;
using Pawl.Tests.Engine;

namespace Pawl.Tests.Agents;

public sealed class FleetViewLaws
{
    [Fact]
    public void A_round_is_shown_with_the_eight_keys_and_the_callers_metadata() => Lab.Do(async lab =>
    {
        var client = new ScriptedChatClient(Fleets.Answers(3, "coder", "analyst"));
        await lab.Run(Fleets.Pair(client).ToWorkflow(), new { task = "What is it?" }, new StartOptions { Tags = new Dictionary<string, string> { ["ticket"] = "7" } });
        var rounds = await lab.Client.FleetRoundsAsync("run", new Dictionary<string, string> { ["by"] = "ann" }, Lab.Token);
        Assert.Equal([(1, "in_progress"), (2, "in_progress"), (3, "completed")], rounds.Select(round => (round.CurrentRound, round.Metadata["status"])));
        var seq = (await lab.Records("fleet/round/2"))[0].Seq;
        Assert.Equal($$$"""{"checkpoint_id":"run@{{{seq}}}","workflow_id":"run","timestamp":"2026-01-01T00:00:00+00:00","current_round":2,"stall_count":0,"last_response":"do part 2","context":{"available_agents":["coder","analyst"],"user_query":"What is it?","last_delegation_result":"part 2 is done"},"metadata":{"ticket":"7","by":"ann","status":"in_progress"}}""",
            JsonSerializer.Serialize(rounds[1] with { Timestamp = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) }, PawlJson.Default));
        Assert.Equal("forty-two", rounds[2].LastResponse);
    });

    [Fact]
    public void An_applications_own_options_for_JSON_change_nothing_of_it() => Lab.Do(async lab =>
    {
        lab.Options.Json = new JsonSerializerOptions(PawlJson.Default) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };
        var client = new ScriptedChatClient(Fleets.Answers(5, "coder", "analyst"));
        var workflow = Fleets.Pair(client, new FleetOptions { MaxRounds = 2 }).ToWorkflow();
        await lab.Run(workflow, new { task = "t" });
        (await lab.Resume(workflow, new ResumeOptions { Params = new Dictionary<string, object?> { ["max_rounds"] = 9 } })).EnsureCompleted();
        Assert.Equal([1, 2, 2, 3, 4, 5], (await lab.Client.FleetRoundsAsync("run", cancellationToken: Lab.Token)).Select(round => round.CurrentRound));
    });

    [Fact]
    public void An_interrupted_round_and_an_end_without_an_answer_are_shown_as_what_they_are() => Lab.Do(async lab =>
    {
        var dies = true;
        var script = new ScriptedChatClient(Fleets.Answers(9, "coder", "analyst"));
        var worker = new FakeChatClient(messages => dies && messages[^1].Text.Contains("part 3", StringComparison.Ordinal) ? throw new IOException("away") : $"{messages[^1].Text} is done");
        var workflow = Fleets.Of(script, new FleetOptions { MaxRounds = 4 }, new Agent("coder", worker), new Agent("analyst", script)).ToWorkflow();
        Assert.Empty(await NoneAsync(lab));
        var failed = await lab.Run(workflow, new { task = "t" });
        Assert.Equal(RunStatus.Failed, failed.Status);
        Assert.Equal((3, "error"), Last(await lab.Client.FleetRoundsAsync("run", cancellationToken: Lab.Token)));
        var cut = (await lab.Records("fleet/round/3/ledger/chat/1"))[0].Seq;
        await lab.Client.ForkAsync("run", new ForkOptions { RunId = "cut", At = cut }, Lab.Token);
        var open = await lab.Client.FleetRoundsAsync("cut", cancellationToken: Lab.Token);
        Assert.Equal((3, "in_progress"), Last(open));
        Assert.Equal($"cut@{cut}", open[^1].CheckpointId);
        dies = false;
        await lab.Resume(workflow);
        Assert.Equal((4, "max_rounds_reached"), Last(await lab.Client.FleetRoundsAsync("run", cancellationToken: Lab.Token)));
        static (int, string) Last(IReadOnlyList<FleetCheckpoint> rounds) => (rounds[^1].CurrentRound, rounds[^1].Metadata["status"]);
    });

    static async Task<IReadOnlyList<FleetCheckpoint>> NoneAsync(Lab lab)
    {
        await lab.Run(Workflow.Define("other", ctx => Task.FromResult(1)), start: new StartOptions { RunId = "other" });
        return await lab.Client.FleetRoundsAsync("other", cancellationToken: Lab.Token);
    }

    /// <summary>Each round's context holds all that was said before; its checkpoints do not.</summary>
    [Fact]
    public void The_bytes_of_a_round_stay_the_same_over_two_hundred_rounds_and_little_more_than_what_was_said() => Lab.Do(async lab =>
    {
        const int rounds = 200;
        var said = 0L;
        var client = new FakeChatClient(messages => Reply(messages[^1].Text));
        string Reply(string last)
        {
            var text = last.Contains("Reply with one JSON object", StringComparison.Ordinal) ? Fleets.Ledger(null, "coder", $"do part {++said}").Text!.Replace("\"r\"", $"\"{new string('r', 300)}\"", StringComparison.Ordinal) : $"{said} {new string('a', 1000)}";
            return text;
        }
        var result = await lab.Run(Fleets.Of(client, new FleetOptions { MaxRounds = rounds }, new Agent("coder", client)).ToWorkflow(), new { task = "t" });
        Assert.Contains("after 200 rounds", result.Error, StringComparison.Ordinal);
        var bytes = new int[rounds + 1];
        foreach (var record in await lab.Journal())
            if (record.Path?.Split('/') is ["fleet", "round", var round, ..]) bytes[int.Parse(round, System.Globalization.CultureInfo.InvariantCulture)] += record.Line.Length;
        Assert.InRange(bytes[rounds] - bytes[2], 0, 100);
        var journalled = (await lab.Records($"fleet/round/{rounds}/coder/chat/1"))[0];
        Assert.InRange(journalled.Line.Length - 1004, 1, 1500);
        TestContext.Current.SendDiagnosticMessage($"round 2: {bytes[2]} B, round 100: {bytes[100]} B, round 200: {bytes[rounds]} B; a call beyond its text: {journalled.Line.Length - 1004} B");

        // A resume reads what it needs and goes on.
        Assert.Contains("after 201 rounds", (await lab.Resume(Fleets.Of(client, new FleetOptions { MaxRounds = rounds }, new Agent("coder", client)).ToWorkflow(), new ResumeOptions { Params = new Dictionary<string, object?> { ["max_rounds"] = 201 } })).Error, StringComparison.Ordinal);
        Assert.Equal(2 + 402, client.Calls);
    });
}
