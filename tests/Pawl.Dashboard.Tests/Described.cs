using System.Globalization;
using System.Text.Json;

namespace Pawl.Dashboard.Tests;

/// <summary>Holds every answer that a test gets, and every change that it asks for, against the description of the API.</summary>
sealed class Described(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    static readonly JsonElement s_document = JsonDocument.Parse(File.ReadAllText(Path.Combine(Browser.Root, "src", "Pawl.Dashboard", "openapi.json"))).RootElement;

    public static IEnumerable<string> Operations => s_document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(one => $"{one.Name.ToUpperInvariant()} {path.Name}"));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var asked = request.Content is null ? null : await request.Content.ReadAsStringAsync(cancellationToken);
        var answer = await base.SendAsync(request, cancellationToken);
        var path = request.RequestUri!.AbsolutePath;
        if (path.StartsWith("/api/v1/", StringComparison.Ordinal) && Find(request.Method, path["/api/v1".Length..]) is { } operation) await CheckAsync($"{request.Method} {path}", operation, asked, answer, cancellationToken);
        return answer;
    }

    static async Task CheckAsync(string what, JsonElement operation, string? asked, HttpResponseMessage answer, CancellationToken stop)
    {
        if (answer.StatusCode == System.Net.HttpStatusCode.NotModified) return;
        var code = ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture);
        var responses = operation.GetProperty("responses");
        if (!responses.TryGetProperty(code, out var response)) Assert.True(!answer.IsSuccessStatusCode && responses.TryGetProperty("default", out response), $"{what}: the answer {code} is not described");
        var type = answer.Content.Headers.ContentType?.MediaType ?? "";
        Assert.True(response.GetProperty("content").TryGetProperty(type, out var content), $"{what}: {code} as {type} is not described");
        if (type == "application/x-ndjson" && content.GetProperty("schema").TryGetProperty("$ref", out _))
        {
            await answer.Content.LoadIntoBufferAsync(stop);
            foreach (var line in (await answer.Content.ReadAsStringAsync(stop)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                using var item = JsonDocument.Parse(line);
                Fit(content.GetProperty("schema"), item.RootElement, $"{what}: a line");
            }
        }
        else if (type.EndsWith("+json", StringComparison.Ordinal) || type == "application/json")
        {
            await answer.Content.LoadIntoBufferAsync(stop);
            using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(stop));
            Fit(content.GetProperty("schema"), body.RootElement, $"{what}: {code}");
        }
        if (asked is null || !answer.IsSuccessStatusCode) return;
        using var change = JsonDocument.Parse(asked);
        Fit(operation.GetProperty("requestBody").GetProperty("content").GetProperty("application/json").GetProperty("schema"), change.RootElement, $"{what}: what is asked");
    }

    static JsonElement? Find(HttpMethod method, string path)
    {
        var parts = path.Split('/');
        var fitting = s_document.GetProperty("paths").EnumerateObject().Where(one => one.Name.Split('/') is var template && template.Length == parts.Length && template.Zip(parts).All(pair => pair.First.StartsWith('{') || pair.First == pair.Second))
            .OrderBy(one => one.Name.Count(c => c == '{')).Select(one => one.Value).ToList();
        return fitting.Count > 0 && fitting[0].TryGetProperty(method.Method.ToLowerInvariant(), out var operation) ? operation : null;
    }

    /// <summary>As JSON Schema, but that a member which is not described is a fault.</summary>
    public static void Fit(JsonElement schema, JsonElement value, string where)
    {
        if (schema.TryGetProperty("$ref", out var reference))
        {
            var named = s_document;
            foreach (var part in reference.GetString()![2..].Split('/')) named = named.GetProperty(part);
            Fit(named, value, where);
            return;
        }
        if (schema.TryGetProperty("anyOf", out var any))
        {
            var faults = any.EnumerateArray().Select(one => Record.Exception(() => Fit(one, value, where))).ToList();
            Assert.True(faults.Contains(null), $"{where} is none of what it may be: {string.Join("; ", faults.Select(fault => fault?.Message))}");
            return;
        }
        if (schema.TryGetProperty("type", out var type)) Assert.True(IsA(type.GetString()!, value), $"{where} should be of type {type}, and is {value.GetRawText()[..Math.Min(200, value.GetRawText().Length)]}");
        if (schema.TryGetProperty("enum", out var words)) Assert.True(words.EnumerateArray().Any(word => word.GetString() == value.GetString()), $"{where}: {value} is none of {words}");
        if (value.ValueKind == JsonValueKind.Array && schema.TryGetProperty("items", out var items))
        {
            var index = 0;
            foreach (var item in value.EnumerateArray()) Fit(items, item, $"{where}[{index++}]");
        }
        if (value.ValueKind != JsonValueKind.Object || type.ValueKind == JsonValueKind.Undefined) return;
        if (schema.TryGetProperty("required", out var required))
            foreach (var name in required.EnumerateArray()) Assert.True(value.TryGetProperty(name.GetString()!, out _), $"{where} has no {name}");
        foreach (var member in value.EnumerateObject())
        {
            if (schema.TryGetProperty("properties", out var properties) && properties.TryGetProperty(member.Name, out var of)) Fit(of, member.Value, $"{where}.{member.Name}");
            else if (schema.TryGetProperty("additionalProperties", out var more)) { if (more.ValueKind == JsonValueKind.Object) Fit(more, member.Value, $"{where}.{member.Name}"); }
            else Assert.Fail($"{where}.{member.Name} is not described");
        }
    }

    static bool IsA(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        _ => value.ValueKind == JsonValueKind.Number,
    };
}
