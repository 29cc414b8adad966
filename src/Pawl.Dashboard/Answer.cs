using System.IO.Compression;
using System.Net;
using Microsoft.AspNetCore.Http;

namespace Pawl.Dashboard;

/// <summary>What is answered to one request, or to many that ask the same: made into bytes once, whoever is sent them. Thread safe.</summary>
/// <param name="value">Made into JSON when it is first sent: it must not change until then.</param>
/// <param name="tag">Names this content; null for what is never the same twice.</param>
sealed class Answer(object? value, string? tag) : IResult
{
    // Below this, packing costs more than the network saves; on the loopback it always does.
    const int WorthPacking = 16 * 1024;

    readonly Lazy<byte[]> _plain = new(() => AnswerJson.Of(value));
    byte[]? _packed;

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var (request, response) = (httpContext.Request, httpContext.Response);
        response.Headers.CacheControl = tag is null ? "no-store" : "private, no-cache";
        if (tag is not null)
        {
            var quoted = $"\"{tag}\"";
            response.Headers.ETag = quoted;
            if (request.Headers.IfNoneMatch.Contains(quoted))
            {
                response.StatusCode = StatusCodes.Status304NotModified;
                return;
            }
        }
        response.ContentType = "application/json; charset=utf-8";
        var bytes = _plain.Value;
        if (bytes.Length >= WorthPacking && httpContext.Connection.RemoteIpAddress is { } address && !IPAddress.IsLoopback(address))
        {
            response.Headers.Vary = "Accept-Encoding";
            if (request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal))
            {
                response.Headers.ContentEncoding = "br";
                bytes = _packed ??= Pack(bytes);
            }
        }
        response.ContentLength = bytes.Length;
        await response.Body.WriteAsync(bytes, httpContext.RequestAborted);
    }

    static byte[] Pack(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.Fastest)) brotli.Write(bytes);
        return packed.ToArray();
    }
}
