using System.Globalization;
using System.Text.Json.Nodes;

namespace Pawl.Yaml;

/// <summary>What may stand as the value of a key. One object checks files, words the messages and makes the JSON Schema, so the three cannot drift apart.</summary>
internal abstract record Shape
{
    /// <summary>For messages: <c>a list of texts</c>.</summary>
    public abstract string Words { get; }

    /// <summary>The node is of this kind, whatever is wrong inside.</summary>
    public abstract bool Takes(YamlNode node);

    /// <summary>Looks inside a node that <see cref="Takes"/> accepted.</summary>
    public virtual void Check(YamlNode node, ProblemList problems) { }

    public abstract JsonObject Schema();

    public sealed record AnyText : Shape
    {
        public override string Words => "a text";
        public override bool Takes(YamlNode node) => node is YamlScalar { IsNull: false };
        public override JsonObject Schema() => new() { ["type"] = new JsonArray("string", "number", "boolean") };
    }

    public sealed record Flag : Shape
    {
        public override string Words => "true or false";
        public override bool Takes(YamlNode node) => node is YamlScalar { Flag: not null };
        public override JsonObject Schema() => new() { ["type"] = "boolean" };
    }

    public sealed record Whole(int Least, int Most = 1_000_000) : Shape
    {
        public override string Words => Most == 1_000_000 ? $"a whole number from {Least}" : $"a whole number from {Least} to {Most}";
        public override bool Takes(YamlNode node) => node is YamlScalar { IsNumber: true } scalar && int.TryParse(scalar.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= Least && value <= Most;
        public override JsonObject Schema() => new() { ["type"] = "integer", ["minimum"] = Least, ["maximum"] = Most };
    }

    public sealed record Number(int Least, int Most) : Shape
    {
        public override string Words => $"a number from {Least} to {Most}";
        public override bool Takes(YamlNode node) => node is YamlScalar { IsNumber: true } scalar && double.Parse(scalar.Value, CultureInfo.InvariantCulture) is var value && value >= Least && value <= Most;
        public override JsonObject Schema() => new() { ["type"] = "number", ["minimum"] = Least, ["maximum"] = Most };
    }

    /// <summary>A length of time; with <paramref name="MayCompute"/> also a template that gives one.</summary>
    public sealed record Duration(bool MayCompute = false) : Shape
    {
        public override string Words => Durations.Words;
        public override bool Takes(YamlNode node) => node is YamlScalar { IsNull: false } scalar
            && (Durations.TryParse(scalar.Value, out _) || (MayCompute && scalar.Value.Contains("${{", StringComparison.Ordinal)));
        public override JsonObject Schema() => MayCompute ? new() { ["type"] = "string" } : new() { ["type"] = "string", ["pattern"] = Durations.Pattern };
    }

    public sealed record OneOf(params string[] Choices) : Shape
    {
        public override string Words => $"one of {string.Join(", ", Choices)}";
        public override bool Takes(YamlNode node) => node is YamlScalar scalar && Choices.Contains(scalar.Value);
        public override JsonObject Schema() => new() { ["enum"] = new JsonArray([.. Choices.Select(choice => JsonValue.Create(choice))]) };
    }

    public sealed record ListOf(Shape Item, string Items, int Least = 0) : Shape
    {
        public override string Words => $"a list of {Items}";
        public override bool Takes(YamlNode node) => node is YamlSequence;
        public override void Check(YamlNode node, ProblemList problems)
        {
            var items = ((YamlSequence)node).Items;
            if (items.Count < Least) problems.Error(node, $"This list of {Items} is empty.");
            foreach (var item in items) Item.CheckAll(item, $"Each of the {Items}", problems);
        }
        public override JsonObject Schema() => new() { ["type"] = "array", ["items"] = Item.Schema(), ["minItems"] = Least };
    }

    /// <summary>A mapping whose keys are the author's own.</summary>
    public sealed record MapOf(Shape Value, string What) : Shape
    {
        public override string Words => $"a mapping from {What} names to values";
        public override bool Takes(YamlNode node) => node is YamlMapping;
        public override void Check(YamlNode node, ProblemList problems)
        {
            foreach (var (key, value) in ((YamlMapping)node).Entries) Value.CheckAll(value, $"The {What} '{YamlReader.Printable(key.Value)}'", problems);
        }
        public override JsonObject Schema() => new() { ["type"] = "object", ["additionalProperties"] = Value.Schema() };
    }

    /// <summary>A mapping whose keys stand in the vocabulary.</summary>
    public sealed record Keys(string Place) : Shape
    {
        public override string Words => $"a mapping ({string.Join(", ", Vocabulary.Find(Place).Keys.Select(key => key.Name).Take(5))}, …)";
        public override bool Takes(YamlNode node) => node is YamlMapping;
        public override void Check(YamlNode node, ProblemList problems) => Vocabulary.Find(Place).Check((YamlMapping)node, problems);
        public override JsonObject Schema() => new() { ["$ref"] = $"#/$defs/{Place}" };
    }

    public sealed record Either(params Shape[] Shapes) : Shape
    {
        public override string Words => string.Join(", or ", Shapes.Select(shape => shape.Words));
        public override bool Takes(YamlNode node) => Shapes.Any(shape => shape.Takes(node));
        public override void Check(YamlNode node, ProblemList problems) => Shapes.First(shape => shape.Takes(node)).Check(node, problems);
        public override JsonObject Schema() => new() { ["anyOf"] = new JsonArray([.. Shapes.Select(shape => shape.Schema())]) };
    }

    public sealed record Nothing : Shape
    {
        public override string Words => "nothing";
        public override bool Takes(YamlNode node) => node is YamlScalar { IsNull: true };
        public override JsonObject Schema() => new() { ["type"] = "null" };
    }

    public sealed record Anything : Shape
    {
        public override string Words => "any value";
        public override bool Takes(YamlNode node) => true;
        public override JsonObject Schema() => [];
    }

    /// <summary>Says what is wrong, if the node is of the wrong kind, or looks inside.</summary>
    public void CheckAll(YamlNode node, string subject, ProblemList problems)
    {
        if (Takes(node)) Check(node, problems);
        else problems.Error(node, $"{subject} must be {Words}, not {(IsSecret ? node.Kind : Got(node))}.", Hint(node));
    }

    /// <summary>What stands there by mistake may be the secret itself.</summary>
    bool IsSecret => this is Keys { Place: "secret" };

    static string Got(YamlNode node) => node is YamlScalar { IsNull: false } scalar ? $"'{YamlReader.Printable(scalar.Value)}'" : node.Kind;

    string? Hint(YamlNode node) => (this, node) switch
    {
        (OneOf words, YamlScalar scalar) => Nearest.Hint(scalar.Value, words.Choices),
        (Flag, YamlScalar { Value: "yes" or "on" or "Yes" or "On" }) => "Write true.",
        (Flag, YamlScalar { Value: "no" or "off" or "No" or "Off" }) => "Write false.",
        (Duration, YamlScalar { IsNumber: true } number) => $"Write the unit as well, for example {number.Value}s or {number.Value}m.",
        (AnyText, YamlMapping) => "If the text contains ': ' or begins with '{', put it in quotes.",
        _ => null,
    };
}
