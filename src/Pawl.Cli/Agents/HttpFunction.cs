using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Pawl.Yaml;

namespace Pawl.Cli.Agents;

/// <summary>A tool that is one kind of HTTP request. It asks the hosts that the file names and no other: redirections are not followed.</summary>
sealed class HttpFunction(AgentCall call, ToolDefinition tool, ToolWork.Http http) : DefinedFunction(call, tool)
{
    const int MostBytes = 256 * 1024;

    static readonly HttpClient s_client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = Timeout.InfiniteTimeSpan };

    protected override async Task<string> RunAsync(IReadOnlyDictionary<string, JsonElement> arguments, StepContext context, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(new HttpMethod(http.Method), Address(arguments));
        if (HasBody) request.Content = new StringContent(new JsonObject(Rest(arguments).Select(pair => KeyValuePair.Create(pair.Key, JsonNode.Parse(pair.Value.GetRawText())))).ToJsonString(), Encoding.UTF8, "application/json");
        foreach (var (name, value) in Call.Values(http.Headers))
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content?.Headers.TryAddWithoutValidation(name, value);
        request.Headers.TryAddWithoutValidation("Idempotency-Key", context.IdempotencyKey);
        try
        {
            using var response = await s_client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            var text = await ReadAsync(response, cancellationToken);
            if (response.IsSuccessStatusCode) return text;
            var status = (int)response.StatusCode;
            throw new StepException(status is >= 300 and < 400 ? $"The server answered {status}: it points to {response.Headers.Location}, and redirections are not followed." : $"The server answered {status}. {text}",
                status is 408 or 429 or >= 500 ? ErrorClass.Transient : ErrorClass.Permanent);
        }
        catch (HttpRequestException error)
        {
            throw new StepException($"{request.RequestUri!.GetLeftPart(UriPartial.Path)} cannot be asked: {(error.InnerException ?? error).Message}", ErrorClass.Transient);
        }
    }

    bool HasBody => http.Method is "POST" or "PUT" or "PATCH";

    /// <summary>What the address does not hold.</summary>
    IEnumerable<KeyValuePair<string, JsonElement>> Rest(IReadOnlyDictionary<string, JsonElement> arguments)
    {
        var inUrl = AgentReader.Slots().Matches(http.Url).Select(slot => slot.Groups[1].Value).ToHashSet();
        return arguments.Where(pair => !inUrl.Contains(pair.Key));
    }

    Uri Address(IReadOnlyDictionary<string, JsonElement> arguments)
    {
        // Behind http:// up to the next slash stands the host: there a value is taken as it is, or not at all.
        var afterHost = http.Url.IndexOf('/', http.Url.IndexOf("//", StringComparison.Ordinal) + 2) is > 0 and var slash ? slash : http.Url.Length;
        var text = AgentReader.Slots().Replace(http.Url, slot => slot.Index < afterHost ? Host(slot.Groups[1].Value) : Part(slot.Groups[1].Value));
        if (!HasBody)
            foreach (var (name, value) in Rest(arguments)) text += $"{(text.Contains('?') ? '&' : '?')}{Uri.EscapeDataString(name)}={Uri.EscapeDataString(TextOf(value))}";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0) throw new StepException($"'{text}' is not an address.");
        var isAllowed = http.Hosts.Any(host => string.Equals(host, address.Authority, StringComparison.OrdinalIgnoreCase) || (address.IsDefaultPort && string.Equals(host, address.Host, StringComparison.OrdinalIgnoreCase)));
        return isAllowed ? address : throw new StepException($"The host '{address.Authority}' is not allowed. Allowed are: {string.Join(", ", http.Hosts)}.");

        string Host(string name) => TextOf(arguments[name]) is var value && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':') ? value : throw new StepException($"'{value}' is not a host.");

        // A part of a path that climbs out of it would ask for something else.
        string Part(string name) => TextOf(arguments[name]) is var value && value is not ("." or "..") ? Uri.EscapeDataString(value) : throw new StepException($"'{value}' cannot be the value of '{name}'.");
    }


    static async Task<string> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        var bytes = new byte[MostBytes + 1];
        var length = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        var text = CharsetOf(response.Content.Headers.ContentType).GetString(bytes, 0, Math.Min(length, MostBytes));
        return length > MostBytes ? $"{text}\n… (only the first {MostBytes / 1024} KiB)" : text;
    }

    static Encoding CharsetOf(MediaTypeHeaderValue? type)
    {
        try { return type?.CharSet is { Length: > 0 } name ? Encoding.GetEncoding(name.Trim('"')) : Encoding.UTF8; }
        catch (ArgumentException) { return Encoding.UTF8; }
    }
}
