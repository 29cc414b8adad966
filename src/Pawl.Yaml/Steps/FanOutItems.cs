using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Pawl.Yaml;

/// <summary>The items of a fan-out, each with the stable key that its path bears.</summary>
internal static class FanOutItems
{
    static readonly string[] s_keyMembers = ["key", "id", "name"];

    /// <exception cref="StepException">There is no list, there are too many items, or two have the same key.</exception>
    public static IReadOnlyList<(string Key, Items Items)> Expand(FanOut fanOut, FileContext file, StepContext context, Surroundings around)
    {
        var scope = new StepScope(context, file, around, []);
        var found = new List<(string Key, Items Items)>();
        if (fanOut.Matrix is { } matrix)
        {
            foreach (var (key, value) in matrix.Expand(scope)) found.Add((key, around.Items with { Matrix = value }));
        }
        else
        {
            var value = fanOut.List?.Evaluate(scope) ?? fanOut.Items!.Evaluate(scope);
            // The outputs of shell steps are texts: a list in one of them is JSON.
            if (value.Kind == ValueKind.String && value.AsText().TrimStart().StartsWith('[')) value = FromText(value.AsText());
            var list = value.AsList() ?? throw new StepException($"'foreach' needs a list, and got {ExpressionEvaluator.Describe(value)}. A text with a JSON list in it is taken, too.");
            if (list.Count > FanOut.MaxItems) throw new StepException($"'foreach' got {list.Count} items; at most {FanOut.MaxItems} are allowed.");
            foreach (var (index, item) in list.Index())
            {
                var items = around.Items with { Item = item, Index = index };
                found.Add((fanOut.Key is { } key ? key.Evaluate(new StepScope(context, file, around with { Items = items }, [])).AsText() : KeyOf(item, index), items));
            }
        }
        var keys = new HashSet<string>();
        for (var i = 0; i < found.Count; i++)
        {
            var (key, items) = found[i];
            if (scope.Masker.Reveals(Encoding.UTF8.GetBytes(key))) throw new StepException("The key of an item holds the value of a secret, and keys are stored.");
            found[i] = (Clean(key), items);
            if (!keys.Add(found[i].Key))
                throw new StepException($"Two items have the key '{YamlReader.Printable(key)}'. Keys are how results are found again: {(fanOut.Matrix is null ? "give 'key:' an expression that is different for each item (at worst: key: ${{ index }})." : "remove the double values from the matrix.")}");
        }
        return found;
    }

    static ExpressionValue FromText(string text)
    {
        try
        {
            return ExpressionValue.FromJson(text);
        }
        catch (System.Text.Json.JsonException)
        {
            throw new StepException("'foreach' got a text that begins with '[' and is not a valid JSON list.");
        }
    }

    /// <summary>The item itself when it is simple; of an object its key, id or name. Its number is the last resort: it moves when the list changes.</summary>
    static string KeyOf(ExpressionValue item, int index)
    {
        if (item.Kind is ValueKind.String or ValueKind.Number or ValueKind.Boolean && item.AsText().Length > 0) return item.AsText();
        return s_keyMembers.Select(name => item.AsMap()?.Find(name)).FirstOrDefault(value => value is { Kind: ValueKind.String or ValueKind.Number })?.AsText() is { Length: > 0 } key
            ? key : index.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Without the signs of a path; what that makes alike is told apart by a hash.</summary>
    static string Clean(string key)
    {
        var text = new string([.. key.Select(c => c is '/' or '[' or ']' || char.IsControl(c) || char.IsSurrogate(c) ? '-' : c)]);
        if (text == key && text.Length is > 0 and <= 200) return text;
        return $"{text[..Math.Min(text.Length, 190)]}~{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)).AsSpan(0, 4))}";
    }
}
