using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace Pawl.Dashboard;

/// <summary>The files of the page, out of the assembly.</summary>
static class Assets
{
    const string Index = "index.html";

    // Where the page keeps what it need not ask for.
    static ReadOnlySpan<byte> Place => "{}</script>"u8;

    // A store that does not answer must not keep the page back: it tells what is wrong.
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    static readonly FrozenDictionary<string, (byte[] Bytes, EntityTagHeaderValue Tag)> s_files = Load();

    /// <param name="group">What the page is mapped into.</param>
    /// <param name="first">What the page shows first, as JSON.</param>
    public static void Map(RouteGroupBuilder group, Func<HttpContext, CancellationToken, Task<byte[]>> first)
    {
        group.MapGet("/{*file}", async (HttpContext context, string? file) => file is null or "" or Index ? await IndexAsync(context, file, first)
            : File(file) ?? Problems.Of(StatusCodes.Status404NotFound, $"There is nothing at '{file}'.", "The page is at its root, its API below api/v1."));
    }

    static async Task<IResult> IndexAsync(HttpContext context, string? file, Func<HttpContext, CancellationToken, Task<byte[]>> first)
    {
        // Addresses in the page are relative: it must be asked for with the slash, which routes do not look at.
        var request = context.Request;
        return file == Index || (request.PathBase + request.Path).ToString().EndsWith('/') ? Page(context, await FirstAsync(context, first)) : Results.Redirect($"{request.PathBase}{request.Path}/");
    }

    static async Task<byte[]> FirstAsync(HttpContext context, Func<HttpContext, CancellationToken, Task<byte[]>> first)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        try
        {
            return await first(context, stop.Token).WaitAsync(s_patience, context.RequestAborted);
        }
        catch (Exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            await stop.CancelAsync();
            return "{}"u8.ToArray();
        }
    }

    /// <summary>The page with the answers that it would ask for: data, which no browser executes and no text in it can end.</summary>
    static IResult Page(HttpContext context, byte[] first)
    {
        context.Response.Headers.CacheControl = "no-store";
        var page = s_files[Index].Bytes.AsSpan();
        var place = page.IndexOf(Place);
        return Results.Bytes([.. page[..place], .. Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(first).Replace("<", "\\u003c", StringComparison.Ordinal)), .. page[(place + 2)..]], TypeOf(Index));
    }

    static IResult? File(string name) => s_files.TryGetValue(name, out var file)
        ? Results.Bytes(file.Bytes, TypeOf(name), entityTag: file.Tag) : null;

    static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".svg" => "image/svg+xml",
        _ => "application/octet-stream",
    };

    static FrozenDictionary<string, (byte[], EntityTagHeaderValue)> Load()
    {
        const string folder = "ui/";
        var assembly = typeof(Assets).Assembly;
        return assembly.GetManifestResourceNames().Where(name => name.StartsWith(folder, StringComparison.Ordinal)).ToFrozenDictionary(name => name[folder.Length..], name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return (bytes, new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes)[..8])}\""));
        });
    }
}
