using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Laws that hold for every workflow, tried on workflows drawn from seeds.</summary>
public class PropertyLaws
{
    const int Workflows = 250;

    [Fact]
    public void Every_workflow_killed_anywhere_ends_as_if_it_had_not_been()
    {
        var histories = 0;
        Parallel.For(0, Workflows, seed =>
        {
            var random = new RandomWorkflow(seed);
            var time = new VirtualTime();
            try
            {
                var report = time.Run(() => Crash.EverywhereAsync(new CrashScenario { Workflow = random.Build, Options = new PawlOptions { Time = time } }, Lab.Token)).EnsureUnbroken();
                Interlocked.Add(ref histories, report.Trials.Count);
            }
            catch (Exception error) { throw new InvalidOperationException($"seed {seed}: {error.Message}", error); }
        });
        TestContext.Current.SendDiagnosticMessage("{0} histories", histories);
        Assert.True(histories > 5000, $"{histories} histories");
    }
}
