using Microsoft.Playwright;
using Pawl.Dashboard;

namespace Pawl.Benchmarks;

/// <summary>What a person waits for, in a real Chromium.</summary>
sealed class DashboardPage(IPlaywright playwright, IBrowser browser) : IAsyncDisposable
{
    // Times are the page's own, from the beginning of its navigation.
    const string Watch = """
        window.seen = { long: [], frames: [] };
        seen.answered = new Promise(answered => { seen.answer = answered; });
        new PerformanceObserver(list => { for (const task of list.getEntries()) seen.long.push(task.duration); }).observe({ type: 'longtask', buffered: true });
        const frame = () => new Promise(next => requestAnimationFrame(() => setTimeout(next)));
        // The page's own key for the next row, until it goes there. What is nothing but rows has none.
        const press = async () => {
          while (location.protocol !== 'data:' && !document.activeElement?.closest('tbody tr')) {
            document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true, cancelable: true }));
            await frame();
          }
          await frame();
          seen.answer(performance.now());
        };
        new MutationObserver((_, observer) => { if (document.querySelector('main tbody tr td')) { seen.shown = performance.now(); observer.disconnect(); press(); } }).observe(document, { childList: true, subtree: true });
        """;

    public static async Task<DashboardPage> OpenAsync()
    {
        var playwright = await Playwright.CreateAsync();
        return new DashboardPage(playwright, await playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("PAWL_CHROMIUM") ?? "/usr/bin/chromium",
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        }));
    }

    /// <summary>A browser that is open, and was never here, goes to a place.</summary>
    /// <returns>Milliseconds until the rows are there and a key that is pressed then has moved to one, with its frame.</returns>
    public Task<double> LoadAsync(LocalDashboard server, string place, Func<IPage, Task>? more = null) => MeasureAsync(server.Link, $"{server.Address}#/{place}", more);

    /// <summary>The same for a page that is nothing but its 50 rows: what the browser itself takes.</summary>
    public Task<double> LoadPlainAsync() => MeasureAsync(null, "data:text/html," + Uri.EscapeDataString($"<main><table><tbody>{string.Concat(Enumerable.Repeat("<tr><td>row</td></tr>", 50))}</tbody></table></main>"), null);

    async Task<double> MeasureAsync(Uri? link, string address, Func<IPage, Task>? more)
    {
        await using var context = await browser.NewContextAsync(new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = 1280, Height = 900 } });
        // Signed in, and nothing else.
        if (link is not null) await context.APIRequest.GetAsync(link.ToString());
        var page = await context.NewPageAsync();
        await page.AddInitScriptAsync(Watch);
        // A browser that is open, as a person's is: what it does behind a new window is not the page's.
        await Task.Delay(700);
        await page.GotoAsync(address, new() { WaitUntil = WaitUntilState.Commit });
        var answered = await page.EvaluateAsync<double>("seen.answered");
        if (more is not null) await more(page);
        return answered;
    }

    /// <summary>The wheel is turned over the list of steps, a notch every 16 ms.</summary>
    /// <returns>The longest task of the main thread; the frame that 95 % are not longer than; the most rows that were in the page.</returns>
    public static async Task<(double Longest, double Frame, int Rows)> ScrollAsync(IPage page)
    {
        var list = page.Locator("main table").Last;
        await list.HoverAsync(new() { Position = new() { X = 50, Y = 60 } });
        await page.EvaluateAsync("""
            () => { seen.long = []; seen.frames = []; seen.most = 0; let last = performance.now();
                const frame = now => { seen.frames.push(now - last); last = now; seen.most = Math.max(seen.most, document.querySelectorAll('main tbody tr').length); seen.loop = requestAnimationFrame(frame); };
                seen.loop = requestAnimationFrame(frame); }
            """);
        for (var notch = 0; notch < 150; notch++)
        {
            await page.Mouse.WheelAsync(0, notch % 30 == 29 ? 20_000 : 240);
            await Task.Delay(16);
        }
        var found = await page.EvaluateAsync<double[]>("() => { cancelAnimationFrame(seen.loop); const frames = seen.frames.sort((a, b) => a - b); return [Math.max(0, ...seen.long), frames[Math.floor(frames.length * .95)], seen.most]; }");
        return (found[0], found[1], (int)found[2]);
    }

    public async ValueTask DisposeAsync()
    {
        await browser.DisposeAsync();
        playwright.Dispose();
    }
}
