using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Answers: snake_case, words for enumerations, milliseconds for durations; journal lines as they are.</summary>
static class Json
{
    public static JsonSerializerOptions Options { get; } = new(PawlJson.Default)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower), new MillisecondsConverter(), new CheckpointConverter() },
    };

    /// <summary>An answer; with a tag, a client that has it already gets 304.</summary>
    public static IResult Answer(HttpContext _, object? value, string? tag = null) => new Answer(value, tag);

    public static async Task<T> ReadAsync<T>(HttpContext context) =>
        await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Options, context.RequestAborted) ?? throw new BadRequestException("The request has no content.");

    sealed class MillisecondsConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => TimeSpan.FromMilliseconds(reader.GetDouble());
        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteNumberValue(Math.Round(value.TotalMilliseconds, 3));
    }

    sealed class CheckpointConverter : JsonConverter<Checkpoint>
    {
        public override Checkpoint Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();
        public override void Write(Utf8JsonWriter writer, Checkpoint value, JsonSerializerOptions options) => writer.WriteRawValue(value.Line.Span);
    }
}
