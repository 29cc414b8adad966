using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>Many steps, many who look: what was read is not read again.</summary>
public sealed class LargeLaws
{
    static async Task<(Lab Lab, CountingStore Counting)> StartAsync()
    {
        CountingStore counting = null!;
        var lab = await Lab.StartAsync(around: store =>
        {
            (store, counting) = CountingStore.Around(store);
            return store;
        });
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        return (lab, counting);
    }

    [Fact]
    public async Task Who_has_a_run_is_sent_the_steps_that_are_new()
    {
        var (lab, _) = await StartAsync();
        await using var owned = lab;
        var first = await lab.GetAsync("runs/r");
        Assert.Equal((true, 5), (first.GetProperty("whole").GetBoolean(), first.GetProperty("steps").GetArrayLength()));
        Assert.Equal((false, ""), await SinceAsync(first));
        var records = (await lab.GetAsync("runs/r/checkpoints")).GetProperty("items").EnumerateArray().ToList();
        var right = records.Single(record => record.TryGetProperty("path", out var path) && path.GetString() == "right").GetProperty("seq").GetInt64();
        Assert.Equal((false, "right"), Told(await lab.GetAsync($"runs/r?since={right - 1}.{records[(int)right - 2].GetProperty("hash")}")));
        // A pass that begins may change any step.
        await lab.DoAsync("runs/r/decide", """{"step":"gate/approval","approve":true}""");
        await lab.UntilAsync("r", head => head.Status == RunStatus.Completed);
        Assert.Equal((true, "load left right gate gate/approval publish"), await SinceAsync(first));
        // Another run of the same name has other records.
        var last = await lab.GetAsync("runs/r");
        await lab.Client.DeleteAsync("r", Lab.Stop);
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        Assert.True((await SinceAsync(last)).Whole);
        Assert.True((await SinceAsync(first)).Whole);

        async Task<(bool Whole, string Steps)> SinceAsync(JsonElement answer) => Told(await lab.GetAsync($"runs/r?since={answer.GetProperty("at")}"));
        static (bool, string) Told(JsonElement answer) => (answer.GetProperty("whole").GetBoolean(), string.Join(' ', answer.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("path").GetString())));
    }

    [Fact]
    public async Task A_journal_is_read_once_for_all_who_look()
    {
        var (lab, counting) = await StartAsync();
        await using var owned = lab;
        var before = counting.Journals;
        for (var i = 0; i < 3; i++) await lab.GetAsync("runs/r");
        await lab.GetAsync("runs/r/checkpoints?brief=true");
        Assert.Equal(1, counting.Journals - before);
        await lab.Client.CancelAsync("r", cancellationToken: Lab.Stop);
        before = counting.Journals;
        Assert.Equal("canceled", (await lab.GetAsync("runs/r")).GetProperty("head").GetProperty("status").GetString());
        Assert.Equal("canceled", (await lab.GetAsync("runs/r/checkpoints?brief=true")).GetProperty("items").EnumerateArray().Last().GetProperty("kind").GetString());
        Assert.Equal(1, counting.Journals - before);
    }

    [Fact]
    public async Task A_run_that_was_removed_and_made_anew_is_read_anew()
    {
        var (lab, _) = await StartAsync();
        await using var owned = lab;
        await lab.GetAsync("runs/r");
        await lab.Client.DeleteAsync("r", Lab.Stop);
        await lab.Client.RunAsync(Lab.Pipeline, new Dictionary<string, object?> { ["fail"] = true }, new StartOptions { RunId = "r" }, Lab.Stop);
        var steps = (await lab.GetAsync("runs/r")).GetProperty("steps").EnumerateArray().ToDictionary(step => step.GetProperty("path").GetString()!);
        Assert.Equal("failed", steps["right"].GetProperty("status").GetString());
    }

    [Fact]
    public async Task All_who_were_told_of_a_change_are_given_one_answer_and_who_was_not_a_new_one()
    {
        var (lab, counting) = await StartAsync();
        await using var owned = lab;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Lab.Stop);
        using var watching = await lab.Http.GetAsync("runs/r/events", HttpCompletionOption.ResponseHeadersRead, stop.Token);
        var mark = await FeedLaws.NextAsync(lab, "runs/r/events", null);
        // Of costs, for which the journal is read; the feed's own look reads heads.
        var one = await JournalsAsync(1, mark);
        Assert.InRange(one, 1, 5);
        Assert.Equal(0, await JournalsAsync(200, mark));
        // Marks of others, and none, are answered by the store as it is.
        Assert.Equal(20 * one, await JournalsAsync(20, "r@0.0.0"));
        await lab.Client.CancelAsync("r", cancellationToken: Lab.Stop);
        Assert.Equal("canceled", (await lab.GetAsync("runs/r")).GetProperty("head").GetProperty("status").GetString());

        async Task<long> JournalsAsync(int viewers, string seen)
        {
            var before = counting.Journals;
            await Task.WhenAll(Enumerable.Range(0, viewers).Select(async _ =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, "runs/r/costs");
                request.Headers.Add("Pawl-Seen", seen);
                using var answer = await lab.Http.SendAsync(request, Lab.Stop);
                answer.EnsureSuccessStatusCode();
            }));
            return counting.Journals - before;
        }
    }

    [Fact]
    public async Task Counts_read_no_head()
    {
        var (lab, counting) = await StartAsync();
        await using var owned = lab;
        var (reads, counts) = (counting.Reads, counting.Counts);
        Assert.Equal(1, (await lab.GetAsync("counts")).GetProperty("counts").GetProperty("waiting").GetInt32());
        Assert.Equal((1, 1), (counting.Reads - reads, counting.Counts - counts));
    }

    [Theory, InlineData("127.0.0.1", false), InlineData("203.0.113.7", true)]
    public async Task A_long_answer_is_packed_for_who_is_far_away(string address, bool isPacked)
    {
        await using var client = new PawlClient(new MemoryStore());
        var many = Workflow.Create("many");
        for (var i = 0; i < 200; i++) many.Step($"step{i}", _ => 1);
        await client.RunAsync(many.Build(), null, new StartOptions { RunId = "r" }, Lab.Stop);
        await using var host = await Hosted.StartAsync(client, "/pawl", app => app.Use((context, next) =>
        {
            context.Connection.RemoteIpAddress = IPAddress.Parse(address);
            return next(context);
        }));
        var http = host.Http;
        http.DefaultRequestHeaders.AcceptEncoding.Add(new StringWithQualityHeaderValue("br"));
        using var answer = await http.GetAsync("/pawl/api/v1/runs/r", Lab.Stop);
        Assert.Equal(isPacked ? ["br"] : [], answer.Content.Headers.ContentEncoding);
        var content = await answer.Content.ReadAsStreamAsync(Lab.Stop);
        if (isPacked) content = new System.IO.Compression.BrotliStream(content, System.IO.Compression.CompressionMode.Decompress);
        Assert.Equal(200, (await JsonDocument.ParseAsync(content, cancellationToken: Lab.Stop)).RootElement.GetProperty("steps").GetArrayLength());
        using var shorter = await http.GetAsync("/pawl/api/v1/counts", Lab.Stop);
        Assert.Empty(shorter.Content.Headers.ContentEncoding);
    }
}
