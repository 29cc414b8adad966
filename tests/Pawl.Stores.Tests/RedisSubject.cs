using System.Diagnostics;
using Pawl.Redis;

namespace Pawl.Stores;

/// <summary>This test program, started again as a worker that takes a run and does not come to its end.</summary>
static class RedisSubject
{
    const string Variable = "PAWL_REDIS_SUBJECT";

    public static readonly RedisStoreOptions Options = new() { LeaseTime = TimeSpan.FromHours(1) };

    public static Workflow Hanging(Func<StepContext, Task> last)
    {
        var builder = Workflow.Create("hanging");
        builder.Step("first", _ => 1);
        builder.Step("last", last);
        return builder.Build();
    }

    public static Process Start(string uri)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        info.Environment[Variable] = uri;
        return Process.Start(info)!;
    }

    public static async Task RunWhenAskedAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } uri) return;
        await using var client = new PawlClient(await RedisStore.OpenAsync(uri, Options));
        var worker = new PawlWorker(client, new WorkerOptions
        {
            Workflows = [Hanging(async ctx =>
        {
            Console.WriteLine("HELD");
            await Task.Delay(Timeout.Infinite, ctx.CancellationToken);
        })]
        });
        using var ended = new CancellationTokenSource();
        // Nobody left who could kill it.
        _ = Task.Run(() => { Console.In.ReadToEnd(); Environment.Exit(0); });
        await worker.RunAsync(ended.Token);
    }
}
