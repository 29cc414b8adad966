using Pawl.Cli.View;

namespace Pawl.Tests.Cli;

public sealed class CriticalPathLaws
{
    static readonly int[] s_seconds = [30, 120, 90, 60, 90, 120, 180, 240, 60, 150, 120, 90, 45, 150, 180];

    static readonly int[][] s_before =
        [[], [0], [1], [0], [0], [0], [5], [6], [0], [7], [1, 2, 3, 4, 7, 8, 9], [10, 12, 13, 14], [2], [0], [0, 1]];

    [Fact]
    public void The_fifteen_steps_take_930_seconds_because_10_waits_for_9()
    {
        var path = CriticalPath.Of(Steps(s_before), id => TimeSpan.FromSeconds(s_seconds[int.Parse(id)]));
        Assert.Equal(["0", "5", "6", "7", "9", "10", "11"], path.Steps);
        Assert.Equal(930, path.Length.TotalSeconds);
        Assert.Equal(1725, path.Sum.TotalSeconds);
    }

    [Fact]
    public void A_wave_holds_only_steps_whose_predecessors_are_in_earlier_waves()
    {
        var waves = CriticalPath.Waves(Steps(s_before));
        var wave = waves.SelectMany((steps, index) => steps.Select(step => (step.Id, index))).ToDictionary(pair => pair.Id, pair => pair.index);
        Assert.Equal(15, wave.Count);
        for (var i = 0; i < 15; i++) foreach (var before in s_before[i]) Assert.True(wave[$"{before}"] < wave[$"{i}"]);
        // Upstream listed 8 and 10 side by side although 10 waits for 8.
        Assert.NotEqual(wave["8"], wave["10"]);
    }

    [Fact]
    public void No_chain_is_longer_and_no_run_shorter()
    {
        var seed = Environment.TickCount;
        var chance = new Random(seed);
        for (var round = 0; round < 200; round++)
        {
            var count = chance.Next(1, 12);
            var before = Enumerable.Range(0, count).Select(i => Enumerable.Range(0, i).Where(_ => chance.Next(3) == 0).ToArray()).ToArray();
            var seconds = Enumerable.Range(0, count).Select(_ => chance.Next(0, 50)).ToArray();
            var path = CriticalPath.Of(Steps(before), id => TimeSpan.FromSeconds(seconds[int.Parse(id)]));
            Assert.True(Longest(before, seconds) == path.Length.TotalSeconds, $"seed {seed}, round {round}");
            Assert.True(path.Steps.Sum(id => seconds[int.Parse(id)]) == path.Length.TotalSeconds, $"seed {seed}, round {round}");
            for (var i = 1; i < path.Steps.Count; i++) Assert.Contains(int.Parse(path.Steps[i - 1]), before[int.Parse(path.Steps[i])]);
        }

        // By trying every chain.
        static int Longest(int[][] before, int[] seconds)
        {
            return Enumerable.Range(0, before.Length).Max(To);
            int To(int step) => seconds[step] + (before[step].Length == 0 ? 0 : before[step].Max(To));
        }
    }

    [Fact]
    public void Nothing_has_no_critical_path()
    {
        var path = CriticalPath.Of([], _ => TimeSpan.Zero);
        Assert.Empty(path.Steps);
        Assert.Equal(TimeSpan.Zero, path.Length);
    }

    static List<(string, IReadOnlyList<string>)> Steps(int[][] before) =>
        [.. before.Select((needs, index) => (index.ToString(), (IReadOnlyList<string>)[.. needs.Select(need => need.ToString())]))];
}
