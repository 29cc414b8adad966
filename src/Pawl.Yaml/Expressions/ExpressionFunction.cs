using System.Globalization;
using System.Text;
using System.Text.Json;
using static Pawl.Yaml.ExpressionNode;

namespace Pawl.Yaml;

/// <summary>A function of the language.</summary>
internal sealed record ExpressionFunction(string Name, string Usage, int Least, int Most, Func<ExpressionEvaluator, Call, ExpressionValue> Body)
{
    /// <summary>Longest text that a function builds, in characters: nested format() calls would grow without bound.</summary>
    const int MaxText = 64 * 1024 * 1024;

    static readonly Dictionary<string, ExpressionFunction> s_all = new ExpressionFunction[]
    {
        new("success", "success()", 0, 0, (e, _) => ExpressionValue.Of(e.Scope.Success)) { IsStatus = true },
        new("failure", "failure()", 0, 0, (e, _) => ExpressionValue.Of(e.Scope.Failure)) { IsStatus = true },
        new("cancelled", "cancelled()", 0, 0, (e, _) => ExpressionValue.Of(e.Scope.Cancelled)) { IsStatus = true },
        new("always", "always()", 0, 0, (_, _) => ExpressionValue.Of(true)) { IsStatus = true },
        new("contains", "contains(text or list, value)", 2, 2, Contains),
        new("startsWith", "startsWith(text, beginning)", 2, 2, (e, call) => ExpressionValue.Of(Text(e, call, 0).StartsWith(Text(e, call, 1), StringComparison.OrdinalIgnoreCase))),
        new("endsWith", "endsWith(text, end)", 2, 2, (e, call) => ExpressionValue.Of(Text(e, call, 0).EndsWith(Text(e, call, 1), StringComparison.OrdinalIgnoreCase))),
        new("format", "format('… {0} …', value, …)", 1, 100, Format),
        new("join", "join(list) or join(list, separator)", 1, 2, Join),
        new("fromJSON", "fromJSON(text)", 1, 1, FromJson),
        new("toJSON", "toJSON(value)", 1, 1, (e, call) => ExpressionValue.Of(e.Evaluate(call.Arguments[0]).ToJson())),
        new("hashFiles", "hashFiles('pattern', …)", 1, 100, HashFiles),
        new("length", "length(text, list or object)", 1, 1, Length),
        new("default", "default(value, fallback)", 2, 2, FirstPresent) { IsTolerant = true },
        new("coalesce", "coalesce(value, …, fallback)", 1, 100, FirstPresent) { IsTolerant = true },
    }.ToDictionary(function => function.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Tells how the run stands.</summary>
    public bool IsStatus { get; private init; }

    /// <summary>Its arguments may be missing.</summary>
    public bool IsTolerant { get; private init; }

    public static IEnumerable<string> Names => s_all.Keys;

    public static ExpressionFunction? Find(string name) => s_all.GetValueOrDefault(name);

    static string Text(ExpressionEvaluator e, Call call, int index)
    {
        var value = e.Evaluate(call.Arguments[index]);
        return value.Kind is ValueKind.List or ValueKind.Object
            ? throw e.Error($"{call.Function.Name} works on texts, not on {ExpressionEvaluator.Describe(value)}.", call.Arguments[index])
            : value.AsText();
    }

    static ExpressionValue Contains(ExpressionEvaluator e, Call call)
    {
        var item = e.Evaluate(call.Arguments[1]);
        return ExpressionValue.Of(e.Evaluate(call.Arguments[0]).AsList() is { } list
            ? list.Any(item.IsEqualTo)
            : Text(e, call, 0).Contains(Text(e, call, 1), StringComparison.OrdinalIgnoreCase));
    }

    static ExpressionValue Format(ExpressionEvaluator e, Call call)
    {
        var pattern = Text(e, call, 0);
        var values = call.Arguments.Skip(1).Select(argument => e.Evaluate(argument).AsText()).ToList();
        var result = new StringBuilder();
        for (var i = 0; i < pattern.Length; i++)
        {
            var c = pattern[i];
            if (c is not ('{' or '}')) Append(e, call, result, c.ToString());
            else if (i + 1 < pattern.Length && pattern[i + 1] == c) Append(e, call, result, pattern[i++].ToString());
            else
            {
                var end = c == '{' ? pattern.IndexOf('}', i) : -1;
                if (end < 0 || !int.TryParse(pattern.AsSpan(i + 1, end - i - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var index) || index >= values.Count)
                    throw e.Error($"The format text needs '{{{{' and '}}}}' for plain braces, and {{0}} to {{n}} for its {values.Count} values.", call.Arguments[0]);
                Append(e, call, result, values[index]);
                i = end;
            }
        }
        return ExpressionValue.Of(result.ToString());
    }

    static ExpressionValue Join(ExpressionEvaluator e, Call call)
    {
        var value = e.Evaluate(call.Arguments[0]);
        var separator = call.Arguments.Count > 1 ? Text(e, call, 1) : ",";
        if (value.AsList() is not { } list) return ExpressionValue.Of(Text(e, call, 0));
        var result = new StringBuilder();
        for (var i = 0; i < list.Count; i++)
        {
            if (i > 0) Append(e, call, result, separator);
            Append(e, call, result, list[i].AsText());
        }
        return ExpressionValue.Of(result.ToString());
    }

    static ExpressionValue FromJson(ExpressionEvaluator e, Call call)
    {
        try
        {
            return ExpressionValue.FromJson(Text(e, call, 0));
        }
        catch (JsonException error)
        {
            // The parser's own message may quote the text, which may be a secret.
            var place = error.LineNumber is { } line ? $" (line {line + 1}, byte {error.BytePositionInLine + 1})" : "";
            throw e.Error($"The text is not valid JSON{place}, has a key twice, or is nested more than 64 levels deep.", call.Arguments[0]);
        }
    }

    static ExpressionValue HashFiles(ExpressionEvaluator e, Call call)
    {
        var patterns = call.Arguments.Select((_, i) => Text(e, call, i)).ToList();
        try
        {
            return ExpressionValue.Of(Globs.Hash(e.Scope.BaseDirectory, patterns));
        }
        catch (Exception error) when (error is FormatException or IOException or UnauthorizedAccessException)
        {
            throw e.Error($"hashFiles: {error.Message}", call);
        }
    }

    static ExpressionValue Length(ExpressionEvaluator e, Call call)
    {
        var value = e.Evaluate(call.Arguments[0]);
        return ExpressionValue.Of(value.Length ?? throw e.Error($"length works on a text, a list or an object, not on {ExpressionEvaluator.Describe(value)}.", call.Arguments[0]));
    }

    static ExpressionValue FirstPresent(ExpressionEvaluator e, Call call)
    {
        foreach (var argument in call.Arguments.Take(call.Arguments.Count - 1))
        {
            if (e.TryEvaluate(argument) is { Kind: not ValueKind.Null } value) return value;
        }
        return e.Evaluate(call.Arguments[^1]);
    }

    static void Append(ExpressionEvaluator e, Call call, StringBuilder result, string text)
    {
        if (result.Length + text.Length > MaxText) throw e.Error($"{call.Function.Name} would build a text of more than {MaxText} characters.", call);
        result.Append(text);
    }
}
