using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Pawl.Dashboard;

/// <summary>The dashboard for one person on one machine: on the loopback, behind a random token. What <c>pawl ui</c> serves.</summary>
/// <remarks>The link sets a cookie (<c>HttpOnly</c>, <c>SameSite=Strict</c>) that lives as long as the server. A request that names another host than the loopback is refused
/// (DNS rebinding); after ten wrong tokens within a minute the rest of the minute is refused.</remarks>
public sealed class LocalDashboard : IAsyncDisposable
{
    const int MostWrong = 10;

    readonly WebApplication _app;
    readonly string _token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
    readonly string _session = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
    readonly TimeProvider _time;
    readonly Lock _lock = new();
    (long Since, int Count) _wrong;

    LocalDashboard(WebApplication app, TimeProvider time) => (_app, _time) = (app, time);

    /// <summary>The address with the token, for the person who started it.</summary>
    public Uri Link => new(Address, $"?token={_token}");

    /// <summary>The address without it.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Starts the server.</summary>
    /// <param name="options">What is shown; <see cref="DashboardOptions.Client"/> must be set.</param>
    /// <param name="port">The port; 0 takes a free one.</param>
    /// <param name="cancellationToken">Gives up starting.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<LocalDashboard> StartAsync(DashboardOptions options, int port = 0, CancellationToken cancellationToken = default)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port)).UseShutdownTimeout(TimeSpan.FromSeconds(2));
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(30));
        var app = builder.Build();
        var local = new LocalDashboard(app, (options.Client ?? throw new ArgumentException("DashboardOptions.Client is not set.", nameof(options))).Options.Time);
        app.Use(local.GuardAsync);
        app.MapPawl("/", options);
        await app.StartAsync(cancellationToken);
        local.Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/");
        return local;
    }

    /// <summary>Completes when the server stops.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken).ContinueWith(_ => { }, TaskScheduler.Default);

    /// <summary>Stops the server and ends the passes that it executes.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    string Cookie => $"pawl_{Address.Port}";

    async Task GuardAsync(HttpContext context, Func<Task> next)
    {
        var request = context.Request;
        if (request.Host.Host is not ("127.0.0.1" or "localhost" or "[::1]"))
        {
            await Problems.Of(StatusCodes.Status421MisdirectedRequest, "This server answers for the loopback only.", $"Open {Address}").ExecuteAsync(context);
            return;
        }
        if (Same(request.Cookies[Cookie], _session))
        {
            if (request.Path == "/" && request.Query.ContainsKey("token"))
            {
                context.Response.Redirect("/");
                return;
            }
            await next();
            return;
        }
        if (Locked)
        {
            await Problems.Of(StatusCodes.Status429TooManyRequests, "Too many wrong tokens.", "Wait a minute.").ExecuteAsync(context);
            return;
        }
        if (HttpMethods.IsGet(request.Method) && request.Query["token"] is [{ } token])
        {
            if (Same(token, _token))
            {
                context.Response.Cookies.Append(Cookie, _session, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict, Path = "/" });
                // The token does not stay in the address.
                context.Response.Redirect("/");
                return;
            }
            Count();
        }
        context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        if (request.Path == "/") await AskAsync(context);
        else await Problems.Of(StatusCodes.Status401Unauthorized, "This needs the token.", "Open the link that 'pawl ui' printed.").ExecuteAsync(context);
    }

    static Task AskAsync(HttpContext context)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        return context.Response.WriteAsync("""
            <!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>Pawl</title></head>
            <body><main><h1>Pawl</h1><p>Open the link that <code>pawl ui</code> printed, or give its token.</p><form method="get" action="/"><label>Token <input name="token" autocomplete="off"></label> <button>Open</button></form></main></body></html>
            """, Encoding.UTF8);
    }

    static bool Same(string? given, string right) => given is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(right));

    bool Locked
    {
        get { lock (_lock) return _wrong.Count >= MostWrong && _time.GetElapsedTime(_wrong.Since) < TimeSpan.FromMinutes(1); }
    }

    void Count()
    {
        lock (_lock) _wrong = _wrong.Count > 0 && _time.GetElapsedTime(_wrong.Since) < TimeSpan.FromMinutes(1) ? (_wrong.Since, _wrong.Count + 1) : (_time.GetTimestamp(), 1);
    }
}
