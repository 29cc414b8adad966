using System.Text.Json;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(Pawl.Dashboard.Tests.Browser))]

namespace Pawl.Dashboard.Tests;

/// <summary>A real Chromium, one for all page tests.</summary>
public sealed class Browser : IAsyncLifetime
{
    static readonly string[] s_inDocuments = ["run", "plan", "bulk", "live", "workflow", "audit", "fork"];

    IPlaywright _playwright = null!;
    IBrowser _browser = null!;

    public static string Root { get; } = FindRoot();

    public async ValueTask InitializeAsync()
    {
        // A loaded machine is slow, and nothing here waits when all is well.
        Assertions.SetDefaultExpectTimeout(60_000);
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = Environment.GetEnvironmentVariable("PAWL_CHROMIUM") ?? "/usr/bin/chromium",
            Args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    /// <summary>A page of a browser that knows nothing yet.</summary>
    public async Task<IPage> NewAsync() => await (await _browser.NewContextAsync(new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = 1280, Height = 900 }, AcceptDownloads = true })).NewPageAsync();

    public static async Task GoAsync(IPage page, string place)
    {
        await page.GotoAsync($"{page.Url.Split('#')[0]}#/{place}");
        await Assertions.Expect(page.Locator("h1").First).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("Loading …")).ToHaveCountAsync(0);
    }

    /// <summary>A picture for whoever looks into artifacts/screenshots; with PAWL_DOCS_IMAGES=1 those that the documents show are taken anew.</summary>
    public static async Task ShootAsync(IPage page, string name)
    {
        await page.ScreenshotAsync(new() { Path = Path.Combine(Root, "artifacts", "screenshots", $"{name}.png") });
        if (Environment.GetEnvironmentVariable("PAWL_DOCS_IMAGES") == "1" && s_inDocuments.Contains(name))
            await page.ScreenshotAsync(new() { Path = Path.Combine(Root, "docs", "images", $"{name}.png") });
    }

    /// <summary>What axe-core finds that is serious, as JSON.</summary>
    public static async Task<string> SeriousAsync(IPage page)
    {
        // Evaluated, for the page itself lets no other script in.
        if (await page.EvaluateAsync<bool>("typeof axe === 'undefined'")) await page.EvaluateAsync(await File.ReadAllTextAsync(Path.Combine(Root, "artifacts", "axe", "axe.min.js"), Lab.Stop));
        return (await page.EvaluateAsync<JsonElement>("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.filter(one => ['serious', 'critical'].includes(one.impact)).map(one => `${one.id}: ${one.nodes.map(node => node.html).join(' | ').slice(0, 400)}`)")).ToString();
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Pawl.slnx"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("Pawl.slnx is not above the tests.");
    }
}

/// <summary>A test in the browser. What a page throws, and what its policy had to refuse, fails the test that opened it.</summary>
public abstract class PageTest(Browser browser) : IAsyncDisposable
{
    readonly List<IBrowserContext> _contexts = [];
    readonly List<string> _told = [];

    protected async Task<IPage> OpenAsync(Uri link, string place)
    {
        var page = await browser.NewAsync();
        _contexts.Add(page.Context);
        return await OpenAsync(page, link, place);
    }

    /// <summary>Another page of the same browser.</summary>
    protected async Task<IPage> BesideAsync(IPage page, Uri address, string place) => await OpenAsync(await page.Context.NewPageAsync(), address, place);

    async Task<IPage> OpenAsync(IPage page, Uri link, string place)
    {
        page.PageError += (_, error) => _told.Add(error);
        page.Console += (_, message) => { if (message.Text.Contains("Content Security Policy", StringComparison.Ordinal)) _told.Add(message.Text); };
        await page.GotoAsync(link.ToString());
        await Browser.GoAsync(page, place);
        return page;
    }

    protected static ILocator Button(IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    public async ValueTask DisposeAsync()
    {
        foreach (var context in _contexts) await context.CloseAsync();
        GC.SuppressFinalize(this);
        Assert.Empty(_told);
    }
}
