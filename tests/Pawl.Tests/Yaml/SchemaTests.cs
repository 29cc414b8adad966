using System.Text.Json;
using System.Text.RegularExpressions;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class SchemaTests
{
    static readonly JsonElement s_schema = JsonDocument.Parse(WorkflowSchema.Json()).RootElement;

    [Fact]
    public void Every_key_of_the_vocabulary_is_in_the_schema_with_its_meaning()
    {
        foreach (var place in Vocabulary.Places)
        {
            var properties = s_schema.GetProperty("$defs").GetProperty(place.Name).GetProperty("properties");
            Assert.Equal(place.Keys.Select(key => key.Name), properties.EnumerateObject().Select(property => property.Name));
            Assert.All(properties.EnumerateObject(), property => Assert.NotEmpty(property.Value.GetProperty("description").GetString()!));
        }
    }

    [Fact]
    public void The_schema_accepts_the_sample_that_the_check_accepts()
    {
        Assert.Empty(Problems(Samples.Everything));
    }

    [Theory]
    [InlineData("name: n\nstepz: []")]
    [InlineData("name: n\nsteps: []")]
    [InlineData("name: n\nsteps: [{id: a}]")]
    [InlineData("name: n\nsteps: [{run: a}]")]
    [InlineData("name: n\nsteps: [{id: a, run: x, timeout: 10}]")]
    [InlineData("name: n\nsteps: [{id: a, run: x, timeout: 10 min}]")]
    [InlineData("name: n\nsteps: [{id: a, run: x, retry: 0}]")]
    [InlineData("name: n\nsteps: [{id: a, run: x, retry: {attempts: many}}]")]
    [InlineData("name: n\nsteps: [{id: a, run: x, sleep: 3s}]")]
    [InlineData("name: n\nsteps: [{id: a, run: x, continue_on_error: yes}]")]
    [InlineData("name: n\nsteps: [{id: a, approval: {}}]")]
    [InlineData("name: n\ncheckpointing: {strategy: sometimes}\nsteps: [{id: a, run: x}]")]
    [InlineData("name: n\nsteps: [{id: a, group: {max_parallel: 2}}]")]
    [InlineData("name: n\nbudget: {cost_usd: much}\nsteps: [{id: a, run: x}]")]
    [InlineData("name: n\nbudget: {tokens: 1.5}\nsteps: [{id: a, run: x}]")]
    [InlineData("name: n\nprices: {m: {input: 1}}\nsteps: [{id: a, run: x}]")]
    public void What_the_schema_refuses_the_check_refuses_too(string yaml)
    {
        Assert.NotEmpty(Problems(yaml));
        Assert.Contains(WorkflowFile.Check(yaml), problem => problem.Severity == ProblemSeverity.Error);
    }

    static List<string> Problems(string yaml)
    {
        var problems = new List<string>();
        var node = YamlReader.Read(yaml, new ProblemList(null, yaml))!;
        Validate(JsonDocument.Parse(node.ToJson().Utf8).RootElement, s_schema, "", problems);
        return problems;
    }

    /// <summary>As much of JSON Schema as ours uses; a keyword it does not know fails the test.</summary>
    static void Validate(JsonElement value, JsonElement schema, string path, List<string> problems)
    {
        foreach (var rule in schema.EnumerateObject())
        {
            var holds = rule.Name switch
            {
                "$schema" or "title" or "$defs" or "description" => true,
                "$ref" => Passes(value, s_schema.GetProperty("$defs").GetProperty(rule.Value.GetString()!["#/$defs/".Length..]), path, problems),
                "type" => (rule.Value.ValueKind == JsonValueKind.Array ? rule.Value.EnumerateArray().Select(one => one.GetString()) : [rule.Value.GetString()]).Any(type => IsOf(value, type!)),
                "enum" => rule.Value.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)),
                "minimum" => value.ValueKind != JsonValueKind.Number || value.GetDouble() >= rule.Value.GetDouble(),
                "maximum" => value.ValueKind != JsonValueKind.Number || value.GetDouble() <= rule.Value.GetDouble(),
                "minItems" => value.ValueKind != JsonValueKind.Array || value.GetArrayLength() >= rule.Value.GetInt32(),
                "pattern" => value.ValueKind != JsonValueKind.String || Regex.IsMatch(value.GetString()!, rule.Value.GetString()!),
                "items" => value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Select((item, i) => Passes(item, rule.Value, $"{path}/{i}", problems)).ToList().TrueForAll(one => one),
                "properties" => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Where(one => rule.Value.TryGetProperty(one.Name, out _)).Select(one => Passes(one.Value, rule.Value.GetProperty(one.Name), $"{path}/{one.Name}", problems)).ToList().TrueForAll(one => one),
                "additionalProperties" when rule.Value.ValueKind == JsonValueKind.False => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().All(one => schema.GetProperty("properties").TryGetProperty(one.Name, out _)),
                "additionalProperties" => value.ValueKind != JsonValueKind.Object || value.EnumerateObject().Select(one => Passes(one.Value, rule.Value, $"{path}/{one.Name}", problems)).ToList().TrueForAll(one => one),
                "required" => value.ValueKind != JsonValueKind.Object || rule.Value.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
                "anyOf" => rule.Value.EnumerateArray().Any(one => Silently(value, one)),
                "oneOf" => rule.Value.EnumerateArray().Count(one => Silently(value, one)) == 1,
                _ => throw new InvalidOperationException($"unknown keyword {rule.Name}"),
            };
            if (!holds) problems.Add($"{path}: {rule.Name}");
        }
    }

    static bool Silently(JsonElement value, JsonElement schema)
    {
        var problems = new List<string>();
        Validate(value, schema, "", problems);
        return problems.Count == 0;
    }

    static bool Passes(JsonElement value, JsonElement schema, string path, List<string> problems)
    {
        var before = problems.Count;
        Validate(value, schema, path, problems);
        return problems.Count == before;
    }

    static bool IsOf(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "null" => value.ValueKind == JsonValueKind.Null,
        "number" => value.ValueKind == JsonValueKind.Number,
        _ => throw new InvalidOperationException($"unknown type {type}"),
    };
}
