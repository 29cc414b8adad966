using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Pawl.Dashboard;

/// <summary>Errors as <c>application/problem+json</c> (RFC 9457), with the hint that says what to do.</summary>
static class Problems
{
    /// <param name="status">The HTTP status.</param>
    /// <param name="what">What happened.</param>
    /// <param name="hint">What to do.</param>
    /// <param name="errors">What is wrong with single values, by name.</param>
    public static IResult Of(int status, string what, string hint, IReadOnlyDictionary<string, string>? errors = null)
    {
        // The framework knows the type that belongs to a status.
        var problem = TypedResults.Problem(title: what, statusCode: status).ProblemDetails;
        var answer = new Dictionary<string, object?> { ["type"] = problem.Type, ["title"] = problem.Title, ["status"] = problem.Status, ["hint"] = hint };
        if (errors is { Count: > 0 }) answer["errors"] = errors;
        return Json.Result(answer, status, "application/problem+json");
    }

    public static async ValueTask<object?> CatchAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (Exception error) when (Told(error) is { } told)
        {
            return told;
        }
    }

    static IResult? Told(Exception error) => error switch
    {
        RunNotFoundException => Of(StatusCodes.Status404NotFound, error.Message, "It may have been removed. Go back to the list of runs."),
        ScheduleNotFoundException => Of(StatusCodes.Status404NotFound, error.Message, "It may have been removed. Go back to the list of schedules."),
        ResumeRefusedException refused => Of(StatusCodes.Status409Conflict, refused.Refusal.Message, refused.Refusal.Hint),
        RunExistsException => Of(StatusCodes.Status409Conflict, error.Message, "Choose another id, or none."),
        IllegalTransitionException => Of(StatusCodes.Status409Conflict, error.Message, "Look at the run again: it went on meanwhile."),
        JournalCorruptException => Of(StatusCodes.Status422UnprocessableEntity, error.Message, "'pawl verify' says what is damaged, 'pawl repair' what can be saved."),
        InvalidDefinitionException invalid => Of(StatusCodes.Status422UnprocessableEntity, error.Message, invalid.Params.Count > 0 ? "Correct the values that are named." : string.Join(" ", invalid.Problems), invalid.Params),
        JsonException or BadRequestException or ArgumentException or FormatException => Of(StatusCodes.Status400BadRequest, error.Message, "Correct it, and ask again; api/v1/openapi.json describes what can be asked."),
        PawlException => Of(StatusCodes.Status422UnprocessableEntity, error.Message, "Look at the run again; what is wrong with it must be mended first."),
        IOException => Of(StatusCodes.Status503ServiceUnavailable, $"The store cannot be reached or read: {error.Message}", "It is tried again."),
        _ => null,
    };
}

/// <summary>What was asked for makes no sense.</summary>
sealed class BadRequestException(string message) : Exception(message);
