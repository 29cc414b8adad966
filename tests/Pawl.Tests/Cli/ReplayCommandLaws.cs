using System.Text.Json;

namespace Pawl.Tests.Cli;

/// <summary>A run is walked by keys on a terminal, and printed whole elsewhere.</summary>
public sealed class ReplayCommandLaws
{
    static async Task<(string RunId, string[] Frames)> WalkAsync(CommandLab lab, string keys)
    {
        var runId = await lab.FailedRunAsync();
        (lab.In, lab.CanAsk) = (new StringReader(keys), true);
        var answer = await lab.RunAsync("replay", runId);
        Assert.True(answer.Code == 0, answer.All);
        return (runId, answer.Out.Split('\n'));
    }

    /// <summary>The numbers of the checkpoints in the order in which they were shown.</summary>
    static IEnumerable<int> Shown(string[] lines) => lines.Where(line => line.Contains("  checkpoint ", StringComparison.Ordinal)).Select(line => int.Parse(line.Split("  checkpoint ")[1].Split(' ')[0]));

    [Theory]
    [InlineData("nnq", new[] { 1, 2, 3 })]
    [InlineData("nnbq", new[] { 1, 2, 3, 2 })]
    [InlineData("bq", new[] { 1 })]
    [InlineData("Gnq", new[] { 1, 6 })]
    [InlineData("Ggq", new[] { 1, 6, 1 })]
    [InlineData("j4\nq", new[] { 1, 4 })]
    [InlineData("jb\nq", new[] { 1, 4 })]
    [InlineData("jnowhere\nq", new[] { 1 })]
    [InlineData("/exit code\n/\nq", new[] { 1, 4, 6 })]
    [InlineData("/no such text\nq", new[] { 1 })]
    [InlineData("n", new[] { 1, 2 })]
    [InlineData("x?q", new[] { 1 })]
    public async Task Keys_walk_the_journal(string keys, int[] expected)
    {
        using var lab = new CommandLab();
        Assert.Equal(expected, Shown((await WalkAsync(lab, keys)).Frames));
    }

    [Fact]
    public async Task A_checkpoint_its_log_and_the_state_of_the_run_there_can_be_inspected()
    {
        using var lab = new CommandLab();
        var (runId, lines) = await WalkAsync(lab, "ja\nilsj2\nlq");
        var text = string.Join('\n', lines);
        Assert.Contains($"{runId}@3  step a", text, StringComparison.Ordinal);
        Assert.Contains("  | hello world\n", text, StringComparison.Ordinal);
        Assert.Contains($"{runId}@3  running, 1 of 3 done\n", text, StringComparison.Ordinal);
        Assert.Contains("outputs a  {\"x\":\"1\"}", text, StringComparison.Ordinal);
        Assert.Contains("No output was captured here.", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_frame_shows_what_happened_and_how_far_the_run_was()
    {
        using var lab = new CommandLab();
        var (_, lines) = await WalkAsync(lab, "j4\nq");
        var frame = lines.SkipWhile(line => !line.Contains("checkpoint 4 of 6, running, 1 of 3 done", StringComparison.Ordinal)).ToList();
        Assert.Matches(@"^   4  \+\d.* failed     b  attempt 1, \d.*  The script ended with exit code 1\.$", frame[1]);
        Assert.Contains("✓ a  ✗ b  · c", frame[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_terminal_all_frames_are_printed()
    {
        using var lab = new CommandLab();
        var runId = await lab.FailedRunAsync();
        var lines = (await lab.RunAsync("replay", runId)).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(6, lines.Count(line => !line.StartsWith("      ", StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.EndsWith("output  {\"x\":\"1\"}", StringComparison.Ordinal));
        var frames = (await lab.RunAsync("replay", "--json")).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal([1, 2, 3, 4, 5, 6], frames.Select(frame => frame.GetProperty("seq").GetInt32()));
        Assert.Equal(("a", "completed", 1, "running"), (frames[2].GetProperty("step").GetString(), frames[2].GetProperty("status").GetString(), frames[2].GetProperty("done").GetInt32(), frames[2].GetProperty("run_status").GetString()));
        Assert.Equal("failed", frames[^1].GetProperty("run_status").GetString());
        Assert.Equal(2, (await lab.RunAsync("replay", "nobody")).Code);
    }
}
