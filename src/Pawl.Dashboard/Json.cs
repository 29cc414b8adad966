using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Pawl.Dashboard;

/// <summary>What is answered and what is asked: snake_case.</summary>
static class Json
{
    /// <summary>An answer; with a tag, a client that has it already gets 304.</summary>
    public static IResult Answer(HttpContext _, object? value, string? tag = null) => new Answer(value, tag);

    public static IResult Result(object? value, int status = StatusCodes.Status200OK, string type = "application/json; charset=utf-8") => Results.Text(AnswerJson.Of(value), type, status);

    public static async Task<T> ReadAsync<T>(HttpContext context) =>
        await JsonSerializer.DeserializeAsync(context.Request.Body, (JsonTypeInfo<T>)BodyJson.Own.GetTypeInfo(typeof(T))!, context.RequestAborted) ?? throw new BadRequestException("The request has no content.");
}

/// <summary>What a request may carry (an unknown key is refused), and what is kept of a removal.</summary>
[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(ActionEndpoints.Decision)), JsonSerializable(typeof(ActionEndpoints.SignalBody)), JsonSerializable(typeof(ActionEndpoints.Execution)), JsonSerializable(typeof(ActionEndpoints.Repetition))]
[JsonSerializable(typeof(ActionEndpoints.ForkBody)), JsonSerializable(typeof(ActionEndpoints.Pruning)), JsonSerializable(typeof(StartEndpoints.Start)), JsonSerializable(typeof(BulkEndpoints.Bulk)), JsonSerializable(typeof(Removals.Result))]
sealed partial class BodyJson : JsonSerializerContext
{
    public static BodyJson Own { get; } = new(new JsonSerializerOptions(PawlJson.Default) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow });
}
