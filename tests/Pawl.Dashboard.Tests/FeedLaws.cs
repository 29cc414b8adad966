using System.Net.ServerSentEvents;

namespace Pawl.Dashboard.Tests;

/// <summary>Live changes: told to all, read once.</summary>
public sealed class FeedLaws
{
    [Fact]
    public async Task Who_watches_hears_of_each_change_and_who_comes_back_only_of_news()
    {
        await using var lab = await Lab.StartAsync();
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var first = await NextAsync(lab, "runs/r/events", null);
        var waiting = NextAsync(lab, "runs/r/events", first);
        await Task.Delay(300, Lab.Stop);
        Assert.False(waiting.IsCompleted, "an event came without news");
        await lab.Client.CancelAsync("r", cancellationToken: Lab.Stop);
        Assert.NotEqual(first, await waiting.WaitAsync(TimeSpan.FromSeconds(20), Lab.Stop));
    }

    [Fact]
    public async Task Two_hundred_who_watch_cost_the_reads_of_one()
    {
        CountingStore counting = null!;
        await using var lab = await Lab.StartAsync(around: store =>
        {
            (store, counting) = CountingStore.Around(store);
            return store;
        });
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var one = await ReadsAsync(1);
        var many = await ReadsAsync(200);
        TestContext.Current.TestOutputHelper?.WriteLine($"lists read in a second by one who watches: {one}, by two hundred: {many}");
        Assert.InRange(many, 1, one * 2 + 4);

        async Task<long> ReadsAsync(int watchers)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Lab.Stop);
            var watching = Enumerable.Range(0, watchers).Select(_ => DrainAsync(lab, stop.Token)).ToList();
            await Task.Delay(300, Lab.Stop);
            var before = counting.Reads;
            await Task.Delay(1000, Lab.Stop);
            var reads = counting.Reads - before;
            await stop.CancelAsync();
            await Task.WhenAll(watching);
            return reads;
        }
    }

    [Fact]
    public async Task What_goes_on_is_told_however_many_runs_were_enqueued_behind_it()
    {
        var go = new TaskCompletionSource();
        var held = Lab.Held("held", _ => go.Task);
        await using var lab = await Lab.StartAsync(more: held);
        var run = lab.Client.RunAsync(held, null, new StartOptions { RunId = "old" }, Lab.Stop);
        await lab.UntilAsync("old", head => head.Done == 1);
        for (var number = 0; number < 700; number++) await lab.Client.EnqueueAsync(Lab.Pipeline, cancellationToken: Lab.Stop);
        var before = await NextAsync(lab, "events", null);
        go.SetResult();
        await run;
        Assert.NotEqual(before, await NextAsync(lab, "events", before));
    }

    [Fact]
    public async Task Damage_to_a_run_that_is_watched_is_news_and_so_is_its_end()
    {
        await using var lab = await Lab.StartAsync("file");
        await lab.Client.RunAsync(Lab.Pipeline, null, new StartOptions { RunId = "r" }, Lab.Stop);
        var journal = Directory.EnumerateFiles(lab.Client.Store.Info.Uri["file:".Length..], "journal.jsonl", SearchOption.AllDirectories).Single();
        var (sane, first) = (await File.ReadAllTextAsync(journal, Lab.Stop), await NextAsync(lab, "runs/r/events", null));
        // One watches all the time, as a page does.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Lab.Stop);
        var watching = DrainAsync(lab, stop.Token);
        await File.WriteAllTextAsync(journal, "damage\n" + sane, Lab.Stop);
        var damaged = await NextAsync(lab, "runs/r/events", first).WaitAsync(TimeSpan.FromSeconds(20), Lab.Stop);
        Assert.NotEqual(first, damaged);
        Assert.Equal(System.Net.HttpStatusCode.UnprocessableEntity, (await lab.Http.GetAsync("runs/r", Lab.Stop)).StatusCode);
        await File.WriteAllTextAsync(journal, sane, Lab.Stop);
        Assert.Equal(first, await NextAsync(lab, "runs/r/events", damaged).WaitAsync(TimeSpan.FromSeconds(20), Lab.Stop));
        await stop.CancelAsync();
        await watching;
    }

    static async Task DrainAsync(Lab lab, CancellationToken stop)
    {
        try
        {
            using var answer = await lab.Http.GetAsync("runs/r/events", HttpCompletionOption.ResponseHeadersRead, stop);
            await foreach (var _ in SseParser.Create(await answer.Content.ReadAsStreamAsync(stop)).EnumerateAsync(stop)) { }
        }
        catch (OperationCanceledException)
        {
            // It has seen enough.
        }
    }

    internal static async Task<string> NextAsync(Lab lab, string path, string? last)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (last is not null) request.Headers.Add("Last-Event-ID", last);
        using var answer = await lab.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Lab.Stop);
        await foreach (var item in SseParser.Create(await answer.Content.ReadAsStreamAsync(Lab.Stop)).EnumerateAsync(Lab.Stop)) return item.EventId!;
        throw new EndOfStreamException();
    }
}
