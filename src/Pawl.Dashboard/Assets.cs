using System.Collections.Frozen;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace Pawl.Dashboard;

/// <summary>The files of the page, out of the assembly.</summary>
static class Assets
{
    static readonly FrozenDictionary<string, (byte[] Bytes, EntityTagHeaderValue Tag)> s_files = Load();

    public static void Map(RouteGroupBuilder group, string path)
    {
        // Addresses in the page are relative: it must be asked for with the slash.
        if (path.TrimEnd('/').Length > 0) group.MapGet("", () => Results.Redirect($"{path.TrimEnd('/')}/"));
        group.MapGet("/{*file}", (string? file) => File(file is null or "" ? "index.html" : file) ?? Problems.Of(StatusCodes.Status404NotFound, $"There is nothing at '{file}'.", "The page is at its root, its API below api/v1."));
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
