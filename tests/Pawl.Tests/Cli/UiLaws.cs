using System.Diagnostics;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Pawl.Tests.Cli;

/// <summary>The page that <c>pawl ui</c> serves, as a process.</summary>
public sealed class UiLaws
{
    static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_printed_link_opens_the_page_and_a_mended_file_is_resumed_from_it()
    {
        using var lab = new CommandLab();
        lab.Write("workflow.yaml", "name: mend\nsteps:\n  - id: a\n    run: echo a >> effects\n  - id: b\n    run: exit 3\n");
        Assert.Equal(1, (await lab.RunAsync("run", "--run-id", "r1")).Code);
        lab.Write("workflow.yaml", "name: mend\nsteps:\n  - id: a\n    run: echo a >> effects\n  - id: b\n    run: echo b >> effects\n");

        // From another folder: the run goes on in its own.
        var start = new ProcessStartInfo(PawlCommand.Path, ["ui", "--json", "--store", $"file:{lab.Checkpoints}"]) { WorkingDirectory = Directory.CreateDirectory(lab.Path_("sub")).FullName, RedirectStandardOutput = true, RedirectStandardError = true };
        using var server = Process.Start(start)!;
        try
        {
            using var told = JsonDocument.Parse((await server.StandardOutput.ReadLineAsync(Stop))!);
            var link = new Uri(told.RootElement.GetProperty("url").GetString()!);
            using var http = new HttpClient();
            Assert.Contains("<title>Pawl</title>", await http.GetStringAsync(link, Stop), StringComparison.Ordinal);
            var api = new Uri(link, "/api/v1/");
            var plan = await http.GetFromJsonAsync<JsonElement>(new Uri(api, "runs/r1/plan"), Stop);
            Assert.Equal(["reuse", "run"], plan.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("decision").GetString()));
            using var resumed = await http.PostAsync(new Uri(api, "runs/r1/resume"), new StringContent("{}", Encoding.UTF8, "application/json"), Stop);
            Assert.True(resumed.IsSuccessStatusCode, await resumed.Content.ReadAsStringAsync(Stop));
            for (var waited = Stopwatch.StartNew(); ;)
            {
                var status = (await http.GetFromJsonAsync<JsonElement>(new Uri(api, "runs/r1"), Stop)).GetProperty("head").GetProperty("status").GetString();
                if (status == "completed") break;
                Assert.True(waited.Elapsed < TimeSpan.FromSeconds(60), $"the run is {status}");
                await Task.Delay(50, Stop);
            }
            Assert.Equal(["a", "b"], File.ReadAllLines(lab.Path_("effects")));
            Assert.Equal(0, Kill(server.Id, 15));
            await server.WaitForExitAsync(Stop).WaitAsync(TimeSpan.FromSeconds(60), Stop);
            Assert.Equal(0, server.ExitCode);
        }
        finally
        {
            if (!server.HasExited) server.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task A_port_that_is_taken_is_a_wrong_call()
    {
        using var lab = new CommandLab();
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        var port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        var refused = await lab.RunAsync("ui", "--port", $"{port}");
        Assert.True(refused.Code == 2, refused.All);
        Assert.Contains($"--port {port}", refused.Error, StringComparison.Ordinal);
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    static extern int Kill(int process, int signal);
}
