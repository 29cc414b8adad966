using System.Text.Json;

namespace Pawl.Tests.Cli;

public sealed class DiffCommandLaws
{
    static async Task TwoRunsAsync(CommandLab lab)
    {
        lab.WithThreeGoodSteps();
        await lab.RunAsync("run", "--run-id", "one");
        File.Delete(lab.Path_("ok"));
        lab.Write("workflow.yaml", (await File.ReadAllTextAsync(lab.Path_("workflow.yaml"), TestContext.Current.CancellationToken)).Replace("x=1", "x=2", StringComparison.Ordinal));
        await lab.RunAsync("run", "--run-id", "two", "--param", "count=3");
    }

    [Fact]
    public async Task The_first_divergence_its_causes_values_steps_and_the_definition_are_told()
    {
        using var lab = new CommandLab();
        await TwoRunsAsync(lab);
        var answer = await lab.RunAsync("diff", "one", "two");
        Assert.Equal(0, answer.Code);
        Assert.StartsWith("--- one@6  completed, 3 of 3 done\n+++ two@6  failed, 1 of 3 done\n\nThey first diverge at a: output\n  because  its definition changed\n  because  param count: not given → \"3\"\n", answer.Out, StringComparison.Ordinal);
        Assert.Contains("outputs\n  outputs.a.x: \"1\" → \"2\"\n", answer.Out, StringComparison.Ordinal);
        Assert.Contains("-      echo \"x=1\" >> \"$PAWL_OUTPUT\"\n+      echo \"x=2\" >> \"$PAWL_OUTPUT\"\n", answer.Out, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^b +status, output, error +completed +failed ", answer.Out);
        Assert.DoesNotContain("\e[", answer.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_is_JSON_for_programs()
    {
        using var lab = new CommandLab();
        await TwoRunsAsync(lab);
        var json = (await lab.RunAsync("diff", "one", "two", "--json")).Json;
        Assert.Equal("a", json.GetProperty("diverge_at").GetProperty("step").GetString());
        var change = json.GetProperty("steps")[0].GetProperty("output")[0];
        Assert.Equal(("x", "1", "2"), (change.GetProperty("path").GetString(), change.GetProperty("first").GetString(), change.GetProperty("second").GetString()));
        Assert.False(json.GetProperty("equal").GetBoolean());
        Assert.Equal(2, json.GetProperty("definition").EnumerateArray().Count(line => line.GetString()![0] is '-' or '+'));
    }

    [Fact]
    public async Task Two_checkpoints_of_one_run_can_be_compared_and_equal_ones_are_said_to_be()
    {
        using var lab = new CommandLab();
        var runId = await lab.CompletedRunAsync();
        var steps = (await lab.RunAsync("diff", $"{runId}@3", runId, "--json")).Json.GetProperty("steps");
        Assert.Equal(["b", "c"], steps.EnumerateArray().Select(step => step.GetProperty("step").GetString()));
        Assert.Equal(JsonValueKind.Null, steps[0].GetProperty("first").ValueKind);
        var equal = await lab.RunAsync("diff", runId, runId);
        Assert.Equal(0, equal.Code);
        Assert.Contains("Equal in 3 steps, but for times.", equal.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("STEP", equal.Out, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^c +completed", (await lab.RunAsync("diff", runId, runId, "--all")).Out);
    }

    [Fact]
    public async Task A_wrong_run_or_checkpoint_is_a_mistake_in_the_call()
    {
        using var lab = new CommandLab();
        var runId = await lab.CompletedRunAsync();
        foreach (var side in (string[])[$"{runId}@99", $"{runId}@x", "nobody", "../x"]) Assert.Equal(2, (await lab.RunAsync("diff", runId, side)).Code);
        Assert.Contains("checkpoints 1 to 6", (await lab.RunAsync("diff", runId, $"{runId}@99")).Error, StringComparison.Ordinal);
        Assert.Equal(2, (await lab.RunAsync("diff", runId)).Code);
    }
}
