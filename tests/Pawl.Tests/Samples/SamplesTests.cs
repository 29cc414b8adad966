using System.Diagnostics;
using Pawl.Tests.Docs;

namespace Pawl.Tests.Samples;

/// <summary>Each sample is started as its first line says, in a folder of its own.</summary>
public sealed class SamplesTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("pawl-samples-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Hello_greets_once_for_one_run_id()
    {
        var first = await RunAsync("hello", "monday");
        Assert.Contains("Hello, ", first, StringComparison.Ordinal);
        Assert.Contains("monday is Completed: 3 steps done now, 0 restored.", first, StringComparison.Ordinal);
        Assert.DoesNotContain("Hello, ", await RunAsync("hello", "monday"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prices_are_loaded_once_also_when_the_load_fails_first()
    {
        Assert.Contains("executed: fetch, check, load, notify", await RunAsync("prices"), StringComparison.Ordinal);

        var failed = await RunAsync("prices", "--fail");
        Assert.Contains("first pass: Failed in load: The warehouse did not answer within 100 ms.", failed, StringComparison.Ordinal);
        Assert.Contains("resumed with limit_ms=5000: Completed\n  restored: fetch, check\n  executed: load, notify", failed, StringComparison.Ordinal);
        Assert.Contains("prices loaded after a resume", failed, StringComparison.Ordinal);
        Assert.Contains("The warehouse was written 1 time(s).", failed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Onboarding_undoes_everything_tells_once_and_goes_on_after_the_mend()
    {
        Assert.Contains("Version 1, 3 policies in force.", await RunAsync("onboarding"), StringComparison.Ordinal);

        var failed = await RunAsync("onboarding", "--fail");
        Assert.Contains("undone     create-package\n  undone     apply-policies\n  undone     create-organisation", failed, StringComparison.Ordinal);
        Assert.Contains("Left of the organisation: False.", failed, StringComparison.Ordinal);
        Assert.Equal(2, failed.Split("failed and is being rolled back").Length);
        Assert.Contains("Version 1, 3 policies in force.", failed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Provisioning_removes_the_stack_tells_once_and_goes_on_after_the_mend()
    {
        Assert.Contains("4 resources verified.", await RunAsync("provisioning"), StringComparison.Ordinal);

        var failed = await RunAsync("provisioning", "--fail");
        Assert.Contains("Stacks left: 0.", failed, StringComparison.Ordinal);
        Assert.Contains("is Completed; restored: retrieve-package", failed, StringComparison.Ordinal);
        Assert.Equal(2, failed.Split("failed and is being rolled back").Length);
        Assert.Contains("4 resources verified.", failed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_payment_whose_process_is_killed_behind_the_charge_is_not_charged_twice()
    {
        var payment = await RunAsync("payment");
        Assert.Contains("The first process ended with 137; the bank has 1 charge(s), the journal knows of none.", payment, StringComparison.Ordinal);
        Assert.Contains("was cut off, and nobody knows whether its work was done; on_unknown: probe", payment, StringComparison.Ordinal);
        Assert.Contains("shipped, paid with receipt 1\nThe bank has 1 charge(s).", payment, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Agents_that_are_killed_in_round_3_go_on_at_the_very_call_and_ask_before_they_publish()
    {
        var agents = await RunAsync("agents");
        Assert.Contains("The first process ended with 137.\n  recorded  report/round/3/ledger/chat/1\n  asked     report/round/3/analyst/chat/1", agents, StringComparison.Ordinal);
        Assert.Contains("It asks: This cannot be taken back. Agent 'writer' wants to call publish", agents, StringComparison.Ordinal);
        Assert.Equal(2, agents.Split("PUBLISHED").Length);
        Assert.Contains("15 calls were paid, 0.0140 USD. The first resume did not pay for 9 of them again.", agents, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_queue_greets_when_the_word_has_come() =>
        Assert.Contains("greet-1 is Completed and says \"goodbye\".", await RunAsync("queue"), StringComparison.Ordinal);

    [Fact]
    public async Task The_order_service_pays_small_orders_and_asks_about_large_ones()
    {
        var url = FreeAddress();
        using var service = Start("orders", $"--url={url}", $"--database={Path.Combine(_folder, "orders.db")}");
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(url) };
            await UntilAsync(() => http.PostAsync("/orders/o1?amount=30", null, TestContext.Current.CancellationToken), answer => answer.IsSuccessStatusCode);
            await http.PostAsync("/orders/o2?amount=5000", null, TestContext.Current.CancellationToken);
            await UntilAsync(() => http.GetStringAsync("/orders/o1", TestContext.Current.CancellationToken), answer => answer.Contains("Completed", StringComparison.Ordinal));
            await UntilAsync(() => http.GetStringAsync("/orders/o2", TestContext.Current.CancellationToken), answer => answer.Contains("Accept an order of 5000?", StringComparison.Ordinal));
            await http.PostAsync("/orders/o2/approve?by=ann", null, TestContext.Current.CancellationToken);
            await UntilAsync(() => http.GetStringAsync("/orders/o2", TestContext.Current.CancellationToken), answer => answer.Contains("Completed", StringComparison.Ordinal));
        }
        finally
        {
            service.Kill(entireProcessTree: true);
        }
    }

    [Fact]
    public async Task A_web_application_shows_its_runs_to_operators_only()
    {
        var url = FreeAddress();
        using var service = Start("dashboard", url);
        try
        {
            using var http = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri(url) };
            // The application's own policy: a stranger is sent to its login.
            await UntilAsync(() => http.GetAsync("/pawl/api/v1/runs", TestContext.Current.CancellationToken), answer => answer.StatusCode is System.Net.HttpStatusCode.Redirect or System.Net.HttpStatusCode.Unauthorized);
            using var page = await http.GetAsync("/pawl/", TestContext.Current.CancellationToken);
            Assert.False(page.IsSuccessStatusCode);
        }
        finally
        {
            service.Kill(entireProcessTree: true);
        }
    }

    static string FreeAddress()
    {
        using var reserved = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        reserved.Start();
        return $"http://127.0.0.1:{((System.Net.IPEndPoint)reserved.LocalEndpoint).Port}";
    }

    /// <summary>A service needs its time to start, and a run to get on.</summary>
    static async Task UntilAsync<T>(Func<Task<T>> ask, Func<T, bool> isRight)
    {
        for (var clock = Stopwatch.StartNew(); ; await Task.Delay(100, TestContext.Current.CancellationToken))
        {
            try
            {
                var answer = await ask();
                if (isRight(answer)) return;
                Assert.True(clock.Elapsed < TimeSpan.FromMinutes(2), $"the last answer was {answer}");
            }
            catch (HttpRequestException) when (clock.Elapsed < TimeSpan.FromMinutes(2)) { }
        }
    }

    async Task<string> RunAsync(string sample, params string[] arguments)
    {
        using var process = Start(sample, arguments);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(3));
        var output = process.StandardOutput.ReadToEndAsync(limit.Token);
        var errors = process.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
        Assert.True(process.ExitCode == 0, $"{sample} ended with {process.ExitCode}:\n{await output}{await errors}");
        return await output;
    }

    Process Start(string sample, params string[] arguments)
    {
        // The configuration these tests have, so that the library is built already.
        var configuration = AppContext.BaseDirectory.Contains("release", StringComparison.OrdinalIgnoreCase) ? "Release" : "Debug";
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder };
        foreach (var argument in (string[])["run", "-c", configuration, Path.Combine(Repository.Root, "samples", $"{sample}.cs"), "--", .. arguments]) start.ArgumentList.Add(argument);
        start.Environment["TMPDIR"] = _folder;
        return Process.Start(start)!;
    }
}
