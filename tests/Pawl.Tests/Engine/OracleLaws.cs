namespace Pawl.Tests.Engine;

/// <summary>A graph of fifteen steps whose two durations are known from outside.</summary>
public class OracleLaws
{
    static readonly int[] Seconds = [30, 120, 90, 60, 90, 120, 180, 240, 60, 150, 120, 90, 45, 150, 180];

    static readonly Dictionary<int, int[]> Needs = new()
    {
        [0] = [], [1] = [0], [3] = [0], [4] = [0], [5] = [0], [8] = [0], [13] = [0], [14] = [0, 1], [2] = [1], [12] = [2], [6] = [5], [7] = [6], [9] = [7],
        [10] = [1, 2, 3, 4, 7, 8, 9], [11] = [10, 12, 13, 14],
    };

    static Workflow Graph(int? concurrency)
    {
        var builder = Workflow.Create("oracle").Options(new WorkflowOptions { Concurrency = concurrency });
        foreach (var (id, needs) in Needs.OrderBy(pair => pair.Key))
            builder.Work($"s{id}", Seconds[id], s => s.Needs([.. needs.Select(need => $"s{need}")]));
        return builder.Build();
    }

    [Theory]
    [InlineData(1, 1725)]
    [InlineData(null, 930)]
    [InlineData(15, 930)]
    public void Fifteen_steps_take_their_sum_one_by_one_and_their_critical_path_side_by_side(int? concurrency, int seconds) => Lab.Do(async lab =>
    {
        var result = await lab.Run(Graph(concurrency));
        Assert.Equal((RunStatus.Completed, TimeSpan.FromSeconds(seconds)), (result.Status, result.Duration));
    });

    [Fact]
    public void No_concurrency_makes_it_slower_than_one_by_one_or_faster_than_the_critical_path()
    {
        for (var places = 2; places < 15; places++)
            Assert.InRange(Lab.Do(lab => lab.Run(Graph(places))).Duration.TotalSeconds, 930, 1725);
    }
}
