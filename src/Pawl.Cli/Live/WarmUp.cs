namespace Pawl.Cli.Live;

/// <summary>Makes the runtime load and compile the engine on a second core while the first one reads the call and the workflow file.</summary>
/// <remarks>A short run is spent in the first call of each method, not in its work. Nothing is written, and nobody waits for this.</remarks>
static class WarmUp
{
    public static void Begin() => ThreadPool.UnsafeQueueUserWorkItem(static _ => _ = RunAsync(), null);

    static async Task RunAsync()
    {
        try
        {
            var workflow = Workflow.Define("warm-up", async _ => await Task.Yield());
            await using var client = PawlClient.Open("memory:");
            await client.RunAsync(workflow, null, new StartOptions { OnEvent = _ => { } });
        }
        catch (Exception)
        {
            // What is wrong here is wrong in the run itself, which tells it.
        }
    }
}
