using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Net.Http.Headers;

namespace Pawl.Dashboard;

/// <summary>The description of the API (OpenAPI 3.1), out of the assembly. It is kept by hand; the tests hold every endpoint and every answer against it.</summary>
static class OpenApi
{
    public static void Map(RouteGroupBuilder api)
    {
        using var stream = typeof(OpenApi).Assembly.GetManifestResourceStream("openapi.json")!;
        var text = new byte[stream.Length];
        stream.ReadExactly(text);
        api.MapGet("/openapi.json", () => Results.Bytes(text, "application/json", entityTag: new EntityTagHeaderValue($"\"{typeof(OpenApi).Assembly.ManifestModule.ModuleVersionId:N}\"")));
    }
}
