using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class ShellMetricsTests : ShellTest
{
    [Fact]
    public void Figures_of_cost_add_up_and_of_others_the_last_one_counts()
    {
        var metrics = ShellMetrics.Parse("calls=1\ntokens=10\nscore=0.5\r\n\ncalls=1\ntokens=2.5e1\nscore=0.7\nmodel=big\n"u8);
        Assert.Equal(new Dictionary<string, double> { ["calls"] = 2, ["tokens"] = 35, ["score"] = 0.7 }, metrics.Values);
        Assert.Equal("big", metrics.Model);
    }

    [Fact]
    public void They_may_be_one_JSON_object()
    {
        var metrics = ShellMetrics.Parse("""{ "model": "big", "input_tokens": 12, "cost_usd": 0.02 }"""u8);
        Assert.Equal(new Dictionary<string, double> { ["input_tokens"] = 12, ["cost_usd"] = 0.02 }, metrics.Values);
        Assert.Equal("big", metrics.Model);
        Assert.Empty(ShellMetrics.Parse(""u8).Values);
    }

    [Theory]
    [InlineData("tokens", "Line 1 of $PAWL_METRICS is not 'name=number'")]
    [InlineData("calls=1\ntokens=many", "Line 2 of")]
    [InlineData("tokens=NaN", "Line 1 of")]
    [InlineData("to kens=1", "Line 1 of")]
    [InlineData("{\"tokens\":[1]}", "'tokens' in $PAWL_METRICS is not a number")]
    [InlineData("{\"tokens\":1", "must be one JSON object")]
    [InlineData("{\"tokens\":1,\"tokens\":2}", "must be one JSON object")]
    public void What_is_no_figure_is_refused_with_its_place(string text, string message) =>
        Assert.Contains(message, Assert.Throws<FormatException>(() => ShellMetrics.Parse(Encoding.UTF8.GetBytes(text))).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_script_reports_them_also_when_it_fails()
    {
        var outcome = await RunAsync("printf 'model=big\\ntokens=7\\n' > $PAWL_METRICS; exit 1");
        var result = outcome.ToResult();
        Assert.Equal(StepStatus.Failed, result.Status);
        Assert.Equal(7, result.Metrics!["tokens"]);
        Assert.Equal("""{"exit_code":1,"model":"big"}""", result.Info.ToString());
    }

    [Fact]
    public async Task Bad_figures_do_not_fail_the_step()
    {
        var outcome = await RunAsync("echo tokens > $PAWL_METRICS");
        Assert.Contains("Line 1", outcome.MetricsProblem, StringComparison.Ordinal);
        Assert.Equal(StepStatus.Completed, outcome.ToResult().Status);
        Assert.Null(outcome.ToResult().Metrics);
        Assert.Null((await RunAsync("true")).ToResult().Metrics);
    }
}
