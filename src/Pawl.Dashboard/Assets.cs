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
        group.MapGet("/{*file}", (HttpContext context, string? file) => file is null or "" or Index ? Page(context, file, first)
            : File(file) ?? Problems.Of(StatusCodes.Status404NotFound, $"There is nothing at '{file}'.", "The page is at its root, its API below api/v1."));
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
    static IResult Page(HttpContext context, string? file, Func<HttpContext, CancellationToken, Task<byte[]>> first)
    {
        var (request, headers) = (context.Request, context.Response.Headers);
        // Addresses in the page are relative: it must be asked for with the slash, which routes do not look at.
        if (file != Index && !(request.PathBase + request.Path).ToString().EndsWith('/')) return Results.Redirect($"{request.PathBase}{request.Path}/");
        headers.CacheControl = "no-store";
        return Results.Stream(async body =>
        {
            var page = s_files[Index].Bytes.AsMemory();
            var place = page.Span.IndexOf(Place);
            // A browser fetches what this names while the store is asked.
            await body.WriteAsync(page[..place], context.RequestAborted);
            await body.FlushAsync(context.RequestAborted);
            var data = Encoding.UTF8.GetString(await FirstAsync(context, first)).Replace("<", "\\u003c", StringComparison.Ordinal);
            await body.WriteAsync(Encoding.UTF8.GetBytes(data), context.RequestAborted);
            await body.WriteAsync(page[(place + 2)..], context.RequestAborted);
        }, TypeOf(Index));
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
        var files = assembly.GetManifestResourceNames().Where(name => name.StartsWith(folder, StringComparison.Ordinal)).ToDictionary(name => name[folder.Length..], name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        });
        foreach (var (name, text) in Modules.Join("app.js", name => Encoding.UTF8.GetString(files[name]))) files[name] = Encoding.UTF8.GetBytes(text);
        return files.ToFrozenDictionary(file => file.Key, file => (file.Value, new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(SHA256.HashData(file.Value)[..8])}\"")));
    }
}
