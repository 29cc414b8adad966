using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Pawl.Dashboard;

/// <summary>Values in the address of a question. The framework's own binding would answer a wrong one without a word, or with a page of its own.</summary>
static class Asked
{
    /// <summary>A whole number, or null when it is not given.</summary>
    public static long? Number(this IQueryCollection asked, string name) => asked[name].ToString() is not { Length: > 0 } text ? null
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : throw new BadRequestException($"'{name}' must be a whole number, and '{text}' is none.");

    public static bool IsOn(this IQueryCollection asked, string name) => asked[name].ToString() switch
    {
        "" or "false" => false,
        "true" => true,
        var text => throw new BadRequestException($"'{name}' must be true or false, not '{text}'."),
    };
}
