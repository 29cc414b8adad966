using System.Buffers.Text;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Redis;

/// <summary>A message as the inbox keeps it: <c>{"at":…,"by":…}</c>, then, behind a line's end, its body as it was sent.</summary>
static class RedisMessage
{
    internal sealed record Sent(DateTimeOffset At, string? By);

    static readonly RedisJson s_json = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower });

    public static byte[] Write(RunMessage message)
    {
        var about = JsonSerializer.SerializeToUtf8Bytes(new Sent(message.At, message.By), s_json.Sent);
        return message.Body is { } body ? [.. about, (byte)'\n', .. body.Utf8.Span] : about;
    }

    /// <param name="name">Its name.</param>
    /// <param name="entry">The order of arrival, a space, and the message.</param>
    public static (long Order, RunMessage Message) Read(string name, ReadOnlyMemory<byte> entry)
    {
        if (!Utf8Parser.TryParse(entry.Span, out long order, out var digits)) throw new FormatException($"The message '{name}' has no place in its inbox.");
        var rest = entry[(digits + 1)..];
        // JSON written here has no line's end inside.
        var end = rest.Span.IndexOf((byte)'\n');
        var sent = JsonSerializer.Deserialize(end < 0 ? rest.Span : rest.Span[..end], s_json.Sent)!;
        return (order, new RunMessage(name, end < 0 ? null : new RawJson(rest[(end + 1)..]), sent.At, sent.By));
    }
}
