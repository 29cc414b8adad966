using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Pawl.Yaml;

/// <summary>Reads what a step wrote to <c>$PAWL_METRICS</c>: lines <c>name=number</c>, or one JSON object of numbers; and <c>model</c>, a text.</summary>
internal sealed record ShellMetrics
{
    /// <summary>Largest file in bytes.</summary>
    public const int MaxBytes = 1024 * 1024;

    // A script that calls a service again and again appends the figures of each call.
    static readonly string[] s_addUp = ["calls", "input_tokens", "output_tokens", "tokens", "cost_usd"];

    readonly Dictionary<string, double> _values = [];

    public IReadOnlyDictionary<string, double> Values => _values;

    /// <summary>The model that was used, or null.</summary>
    public string? Model { get; private set; }

    /// <summary>The figures. Those of cost with one name add up; of others the last one counts.</summary>
    /// <exception cref="FormatException">The file is not valid; the message names the line and the mend.</exception>
    public static ShellMetrics Parse(ReadOnlySpan<byte> file)
    {
        var metrics = new ShellMetrics();
        var text = Encoding.UTF8.GetString(file).Trim();
        if (text.StartsWith('{')) metrics.ReadJson(text);
        else
        {
            var lines = text.Split('\n');
            for (var i = 0; i < lines.Length; i++)
            {
                var line = lines[i].Trim();
                if (line.Length == 0) continue;
                if (line.IndexOf('=', StringComparison.Ordinal) is not (> 0 and var cut) || !metrics.Put(line[..cut], line[(cut + 1)..]))
                    throw new FormatException($"Line {i + 1} of $PAWL_METRICS is not 'name=number' (or 'model=name').");
            }
        }
        return metrics;
    }

    void ReadJson(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 8, AllowDuplicateProperties = false });
            foreach (var figure in json.RootElement.EnumerateObject())
            {
                if (!Put(figure.Name, figure.Value.ValueKind is JsonValueKind.String ? figure.Value.GetString()! : figure.Value.GetRawText()))
                    throw new FormatException($"'{YamlReader.Printable(figure.Name)}' in $PAWL_METRICS is not a number.");
            }
        }
        catch (JsonException)
        {
            throw new FormatException("$PAWL_METRICS begins with '{' and so must be one JSON object of numbers; it is not.");
        }
    }

    bool Put(string name, string value)
    {
        if (name == "model")
        {
            Model = value;
            return true;
        }
        if (!ExpressionLexer.IsName(name) || !double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number)) return false;
        _values[name] = s_addUp.Contains(name) ? _values.GetValueOrDefault(name) + number : number;
        return true;
    }
}
