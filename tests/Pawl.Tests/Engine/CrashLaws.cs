using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Runs killed at every write, in every way, and resumed.</summary>
public class CrashLaws
{
    static CrashReport Everywhere(Func<Workflow> workflow, bool pairs = false, Action? reset = null, object? parameters = null)
    {
        var time = new VirtualTime();
        return time.Run(() => Crash.EverywhereAsync(new CrashScenario
        {
            Workflow = workflow, Options = new PawlOptions { Time = time }, Pairs = pairs, Reset = reset, Params = Lab.Values(parameters),
        }, Lab.Token)).EnsureUnbroken();
    }

    [Fact]
    public void A_sequence_survives_a_crash_at_any_write_and_another_while_it_recovers()
    {
        var report = Everywhere(() =>
        {
            var builder = Workflow.Create("w");
            builder.Work("a");
            builder.Work("b");
            builder.Work("c");
            return builder.Build();
        }, pairs: true);
        Assert.Equal((7, RunStatus.Completed), (report.Writes, report.Unbroken));
        Assert.True(report.Trials.Count > 200, $"{report.Trials.Count} trials");
    }
}
