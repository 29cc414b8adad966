using System.Text;
using System.Text.Json;

namespace Pawl.Yaml;

/// <summary>A YAML value whose texts may hold <c>${{ }}</c>. Immutable.</summary>
internal sealed class ValueTemplate
{
    readonly YamlNode _node;
    readonly Dictionary<YamlNode, Template> _templates;

    ValueTemplate(YamlNode node, Dictionary<YamlNode, Template> templates) => (_node, _templates) = (node, templates);

    /// <summary>There is nothing to evaluate.</summary>
    public bool IsPlain => _templates.Count == 0;

    /// <param name="node">The value.</param>
    /// <param name="parse">Parses a text and reports what is wrong with it; null when it is.</param>
    public static ValueTemplate Read(YamlNode node, Func<YamlScalar, Template?> parse)
    {
        var templates = new Dictionary<YamlNode, Template>();
        Collect(node);
        return new ValueTemplate(node, templates);

        void Collect(YamlNode part)
        {
            if (part is YamlSequence list) list.Items.ForEach(Collect);
            else if (part is YamlMapping map) map.Entries.ForEach(entry => Collect(entry.Value));
            else if (part is YamlScalar { IsText: true } scalar && scalar.Value.Contains("${{", StringComparison.Ordinal) && parse(scalar) is { } template) templates[scalar] = template;
        }
    }

    /// <exception cref="ExpressionException">See <see cref="Template.Evaluate"/>.</exception>
    public ExpressionValue Evaluate(IExpressionScope scope)
    {
        if (_templates.TryGetValue(_node, out var whole)) return whole.Evaluate(scope);
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream)) Write(_node, writer, scope);
        return ExpressionValue.FromJson(Encoding.UTF8.GetString(stream.ToArray()));
    }

    void Write(YamlNode node, Utf8JsonWriter writer, IExpressionScope scope)
    {
        switch (node)
        {
            case YamlScalar when _templates.TryGetValue(node, out var template):
                writer.WriteRawValue(template.Evaluate(scope).ToJson());
                break;
            case YamlSequence list:
                writer.WriteStartArray();
                foreach (var item in list.Items) Write(item, writer, scope);
                writer.WriteEndArray();
                break;
            case YamlMapping map:
                writer.WriteStartObject();
                foreach (var (key, value) in map.Entries)
                {
                    writer.WritePropertyName(key.Value);
                    Write(value, writer, scope);
                }
                writer.WriteEndObject();
                break;
            default:
                node.WriteTo(writer);
                break;
        }
    }
}
