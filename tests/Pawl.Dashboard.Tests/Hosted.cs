using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Pawl.Dashboard.Tests;

/// <summary>The page in an application of its user's, on a free port.</summary>
sealed class Hosted : IAsyncDisposable
{
    readonly WebApplication _app;

    Hosted(WebApplication app) => _app = app;

    /// <summary>Follows no redirect.</summary>
    public HttpClient Http { get; } = new(new HttpClientHandler { AllowAutoRedirect = false });

    /// <param name="client">The runs.</param>
    /// <param name="path">Where the page is.</param>
    /// <param name="before">What the application does with a request first.</param>
    /// <param name="services">What else it has.</param>
    /// <param name="policy">Who may use the page.</param>
    public static async Task<Hosted> StartAsync(PawlClient client, string path, Action<WebApplication> before, Action<IServiceCollection>? services = null, string? policy = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        services?.Invoke(builder.Services);
        var hosted = new Hosted(builder.Build());
        before(hosted._app);
        var page = hosted._app.MapPawl(path, new DashboardOptions { Client = client });
        if (policy is not null) page.RequireAuthorization(policy);
        await hosted._app.StartAsync(Lab.Stop);
        hosted.Http.BaseAddress = new Uri(hosted._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return hosted;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
    }
}
