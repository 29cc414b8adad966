using System.Diagnostics;
using Pawl.Storage;
using Pawl.Tests.Storage;

namespace Pawl.Tests.Agents;

/// <summary>A fleet in a process of its own, against a model over real sockets, killed with SIGKILL.</summary>
public sealed class FleetKillTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-fleet-").FullName;
    string Store => Path.Combine(_folder, "store");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>PAWL_AGENT_KILLS=1 kills at every call; by default it is every fifth, for each life costs the time of a process.</summary>
    [Fact]
    public async Task A_process_killed_in_a_call_pays_for_that_call_again_and_for_nothing_else()
    {
        var every = int.Parse(Environment.GetEnvironmentVariable("PAWL_AGENT_KILLS") ?? "5", System.Globalization.CultureInfo.InvariantCulture);
        var (seen, kills) = (new HashSet<string>(), 0);
        Process? process = null;
        await using var server = new ModelServer(call =>
        {
            // The call is in flight when its process dies; when it comes once more it is answered.
            if (!seen.Add(call.Body.GetRawText()) || seen.Count % every != 0) return FleetProgram.Answer(call);
            kills++;
            process!.Kill();
            return ModelReply.Nothing;
        });
        var (end, lives) = ("", 0);
        for (; !end.Contains("END", StringComparison.Ordinal); lives++)
        {
            Assert.InRange(lives, 0, 60);
            process = Start(server);
            end = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.DoesNotContain("CRASH", end, StringComparison.Ordinal);
            process.Dispose();
        }
        // Facts, plan, eight ledgers, seven parts of two calls each, and the final answer: what an unbroken run asks.
        const int unbroken = 2 + 8 + (7 * 2) + 1;
        Assert.Equal("END Completed FleetAnswer { Answer = 7 parts are done, Rounds = 8, Resets = 0 }", end.Trim());
        Assert.Equal((unbroken, kills + 1), (seen.Count, lives));
        Assert.Equal((unbroken, unbroken + kills), (server.Answered, server.Calls));
        // A tool's result was durable before the next call: none of them ran twice.
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7"], await File.ReadAllLinesAsync(Path.Combine(_folder, "work.txt"), TestContext.Current.CancellationToken));
        await using var client = new PawlClient(FileStore.Open(Store));
        var costs = await client.CostsAsync(FleetProgram.RunId, TestContext.Current.CancellationToken);
        Assert.Equal((unbroken, unbroken * 110), (costs.Spent.Calls, costs.Spent.Tokens));
        Assert.Empty(await client.VerifyAsync(FleetProgram.RunId, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_approval_that_another_process_gives_while_nobody_runs_lets_the_next_one_go_on()
    {
        await using var server = new ModelServer(FleetProgram.Answer);
        var waits = await LiveAsync(server);
        Assert.StartsWith("END Waiting fleet/round/4/writer/tool/work/", waits, StringComparison.Ordinal);
        // Started again it waits as before, and asks the model nothing.
        var calls = server.Calls;
        Assert.Contains("CRASH Pawl.ResumeRefusedException", await LiveAsync(server), StringComparison.Ordinal);
        using (var approving = Process.Start(new ProcessStartInfo(PawlCommand.Path, ["approve", FleetProgram.RunId, waits.Split(' ')[2].Trim(), "--store", $"file:{Store}"]) { RedirectStandardOutput = true, RedirectStandardError = true })!)
        {
            await approving.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, approving.ExitCode);
        }
        Assert.Equal((calls, 3), (server.Calls, (await File.ReadAllLinesAsync(Path.Combine(_folder, "work.txt"), TestContext.Current.CancellationToken)).Length));
        Assert.Contains("7 parts are done", await LiveAsync(server), StringComparison.Ordinal);
        Assert.Equal(25, server.Calls);
    }

    async Task<string> LiveAsync(ModelServer server)
    {
        using var process = Start(server, asks: true);
        var said = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return said;
    }

    Process Start(ModelServer server, bool asks = false)
    {
        var info = Subject.StartInfo("fleet", Store);
        info.Environment[FleetProgram.UrlVariable] = server.Url;
        if (asks) info.Environment[FleetProgram.AsksVariable] = "1";
        return Process.Start(info)!;
    }
}
