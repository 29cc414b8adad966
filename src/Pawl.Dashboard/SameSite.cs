using Microsoft.AspNetCore.Http;

namespace Pawl.Dashboard;

/// <summary>What a page of another site can make a browser send is refused, whatever the application's own rules are.</summary>
static class SameSite
{
    public static ValueTask<object?> CheckAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var request = context.HttpContext.Request;
        var headers = context.HttpContext.Response.Headers;
        headers.ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "same-origin";
        // A window that another page opened is cut from it. One that a person opened has nobody to be cut from, and is spared the change of process.
        if (request.Headers["Sec-Fetch-Site"] is not ["none"]) headers["Cross-Origin-Opener-Policy"] = "same-origin";
        if (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)) return next(context);
        return Refusal(request) is { } refused ? ValueTask.FromResult<object?>(refused) : next(context);
    }

    static IResult? Refusal(HttpRequest request)
    {
        if (request.Headers.Origin is [{ } origin] && !string.Equals(origin, $"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase))
            return Problems.Of(StatusCodes.Status403Forbidden, $"The request comes from another site ({origin}).", "Use the page itself; behind a proxy, let the proxy keep the Host header.");
        if (request.Headers["Sec-Fetch-Site"] is [{ } site] && site is not ("same-origin" or "none"))
            return Problems.Of(StatusCodes.Status403Forbidden, "The request comes from another site.", "Use the page itself.");
        // A form of another site cannot send this type without being asked first.
        return request.HasJsonContentType() ? null : Problems.Of(StatusCodes.Status415UnsupportedMediaType, "A change is asked for as JSON.", "Send Content-Type: application/json.");
    }
}
