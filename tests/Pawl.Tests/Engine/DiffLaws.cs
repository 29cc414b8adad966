using System.Text;
using System.Text.Json;
using Pawl.Planning;

namespace Pawl.Tests.Engine;

/// <summary>How two runs differ, and where they first went apart.</summary>
public class DiffLaws
{
    static Workflow Load(Func<StepContext, object> rows, string? print = null, Func<bool>? fails = null) => Workflow.Create("w").Also(builder =>
    {
        builder.Work("before");
        builder.Step<object>("load", ctx => Task.FromResult(rows(ctx)), s => s.Options(new StepOptions { Fingerprint = print }));
        builder.Fail("check", fails ?? (() => false));
        builder.Work("after");
    }).Build();

    static StartOptions As(string id) => new() { RunId = id };

    static string Text(IEnumerable<ValueDiff> values) => string.Join("; ", values.Select(value => $"{value.Path}: {value.Left?.ToString() ?? "none"} → {value.Right?.ToString() ?? "none"}"));

    [Fact]
    public void Runs_that_did_the_same_are_equal_whatever_time_they_took() => Lab.Do(async lab =>
    {
        await lab.Run(Load(_ => new { rows = 10 }), start: As("a"));
        await lab.Delay(100);
        await lab.Run(Load(_ => new { rows = 10 }), start: As("b"));
        var diff = await lab.Client.DiffAsync("a", "b", cancellationToken: Lab.Token);
        Assert.Null(diff.First);
        Assert.True(diff.IsEqual);
        Assert.Equal(["before", "load", "check", "after"], diff.Steps.Select(step => step.Path));
        Assert.Equal(0.3, diff.LeftCost.Duration.TotalSeconds, 3);
    });

    [Fact]
    public void The_first_divergence_is_the_earliest_step_that_went_another_way_and_the_param_is_its_cause() => Lab.Do(async lab =>
    {
        var workflow = Load(ctx => new { rows = ctx.Params.Get<int>("limit"), name = "x", list = new[] { 1, ctx.Params.Get<int>("limit") } });
        await lab.Run(workflow, new { limit = 10 }, As("a"));
        await lab.Run(workflow, new { limit = 12 }, As("b"));
        var (client, token) = (lab.Client, Lab.Token);
        // #region diff
        var diff = await client.DiffAsync("a", "b", cancellationToken: token);
        var where = diff.First is { } first ? $"{first.Path}: {string.Join(", ", first.What)}, because {string.Join("; ", first.Causes)}" : "nowhere";
        // #endregion
        Assert.Equal("load: output, because param limit: 10 → 12", where);
        Assert.Equal(("load", "output"), (diff.First!.Path, string.Join(' ', diff.First.What)));
        Assert.Equal(["param limit: 10 → 12"], diff.First.Causes);
        Assert.Equal("rows: 10 → 12; list[1]: 10 → 12", Text(diff.Steps.Single(step => step.Path == "load").Output));
        Assert.Equal("limit: 10 → 12", Text(diff.Params));
        Assert.False(diff.IsEqual);
    });

    [Fact]
    public void A_changed_definition_of_the_step_is_its_cause() => Lab.Do(async lab =>
    {
        await lab.Run(Load(_ => 1, "v1"), start: As("a"));
        await lab.Run(Load(_ => 2, "v2"), start: As("b"));
        Assert.Equal(["its definition changed"], (await lab.Client.DiffAsync("a", "b", cancellationToken: Lab.Token)).First!.Causes);
    });

    [Fact]
    public void What_no_record_explains_is_said_to_be_unrecorded() => Lab.Do(async lab =>
    {
        var count = 0;
        await lab.Run(Load(_ => ++count), start: As("a"));
        await lab.Run(Load(_ => ++count), start: As("b"));
        Assert.Contains("not recorded", Assert.Single((await lab.Client.DiffAsync("a", "b", cancellationToken: Lab.Token)).First!.Causes), StringComparison.Ordinal);
    });

    [Fact]
    public void A_step_that_one_run_did_not_reach_is_missing_there_and_a_failure_is_a_status_and_an_error() => Lab.Do(async lab =>
    {
        await lab.Run(Load(_ => 1), start: As("good"));
        await lab.Run(Load(_ => 1, fails: () => true), start: As("bad"));
        var diff = await lab.Client.DiffAsync("good", "bad", cancellationToken: Lab.Token);
        Assert.Equal(("check", "status output error"), (diff.First!.Path, string.Join(' ', diff.First.What)));
        Assert.Equal("status", Assert.Single(diff.Steps.Single(step => step.Path == "after").What.Take(1)));
        var early = await lab.Client.DiffAsync("good", "good", 3, cancellationToken: Lab.Token);
        Assert.Equal(("load", "missing"), (early.First!.Path, string.Join(' ', early.First.What)));
        Assert.Equal(["the first run did not come to it: it is running at checkpoint 3"], early.First.Causes);
    });

    [Fact]
    public void What_only_the_second_run_has_stands_where_it_came_there() => Lab.Do(async lab =>
    {
        Workflow Row(params string[] ids) => Workflow.Create("w").Also(builder => { foreach (var id in ids) builder.Work(id); }).Build();
        await lab.Run(Row("a", "b", "c"), start: As("one"));
        await lab.Run(Row("x", "a", "y", "z", "c"), start: As("two"));
        var diff = await lab.Client.DiffAsync("one", "two", cancellationToken: Lab.Token);
        Assert.Equal(["x", "a", "y", "z", "b", "c"], diff.Steps.Select(step => step.Path));
        Assert.Equal("x", diff.First!.Path);
        Assert.Equal(["the first run has no such step"], diff.First.Causes);
    });

    [Fact]
    public void Large_outputs_are_compared_by_their_hash() => Lab.Do(async lab =>
    {
        await lab.Run(Load(_ => new string('a', 300_000)), start: As("a"));
        await lab.Run(Load(_ => new string('a', 300_000)), start: As("b"));
        await lab.Run(Load(_ => new string('b', 300_000)), start: As("c"));
        Assert.Null((await lab.Client.DiffAsync("a", "b", cancellationToken: Lab.Token)).First);
        var value = (await lab.Client.DiffAsync("a", "c", cancellationToken: Lab.Token)).Steps.Single(step => step.Path == "load").Output.Single();
        Assert.StartsWith("\"sha256:", value.Left.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("(300002 bytes)\"", value.Right.ToString(), StringComparison.Ordinal);
    });

    [Fact]
    public void State_and_surroundings_are_compared() => Lab.Do(async lab =>
    {
        var value = 1;
        var workflow = Workflow.Create("w").Also(builder => builder.Step("a", ctx => { ctx.State.Set("k", value); return Task.CompletedTask; })).Build();
        await lab.Run(workflow, start: As("a") with { Environment = new Dictionary<string, string> { ["git_commit"] = "one" } });
        value = 2;
        await lab.Run(workflow, start: As("b") with { Environment = new Dictionary<string, string> { ["git_commit"] = "two" } });
        var diff = await lab.Client.DiffAsync("a", "b", cancellationToken: Lab.Token);
        Assert.Equal("k: 1 → 2", Text(diff.State));
        Assert.Equal("git_commit: \"one\" → \"two\"", Text(diff.Environment));
        Assert.Null(diff.First);
        Assert.False(diff.IsEqual);
    });

    [Theory]
    [InlineData("""{"a":1,"b":2}""", """{"b":2,"a":1}""", "")]
    [InlineData("""{"a":1}""", """{"a":1.0}""", "a: 1 → 1.0")]
    [InlineData("""{"a":"\u0041"}""", """{"a":"A"}""", "")]
    [InlineData("""{"a":{"b":[1,2]}}""", """{"a":{"b":[1]}}""", "a.b[1]: 2 → none")]
    [InlineData("""{"a b":1}""", """{}""", """["a b"]: 1 → none""")]
    [InlineData("""[1]""", """{"a":1}""", """: [1] → {"a":1}""")]
    [InlineData("""{"a":null}""", """{}""", "a: null → none")]
    [InlineData("""{"a":true}""", """{"a":false}""", "a: true → false")]
    public void Values_are_compared_by_JSON_path(string left, string right, string expected) => Assert.Equal(expected, Text(JsonDiff.Compare(RawJson.Parse(left), RawJson.Parse(right))));

    [Fact]
    public void Put_at_their_paths_the_differences_make_one_value_of_the_other()
    {
        var chance = new Random(4);
        for (var round = 0; round < 3000; round++)
        {
            var (left, right) = (Random(chance, 3), Random(chance, 3));
            var leaves = Leaves(left).ToDictionary();
            foreach (var change in JsonDiff.Compare(RawJson.Parse(left), RawJson.Parse(right)))
            {
                foreach (var gone in leaves.Keys.Where(path => IsAt(path, change.Path)).ToList()) leaves.Remove(gone);
                if (change.Right is { } json) foreach (var (path, text) in Leaves(json.ToString(), change.Path)) leaves[path] = text;
            }
            Assert.Equal(Leaves(right).OrderBy(leaf => leaf.Key, StringComparer.Ordinal), leaves.OrderBy(leaf => leaf.Key, StringComparer.Ordinal));
        }

        static bool IsAt(string path, string place) => path == place || place.Length == 0 || (path.StartsWith(place, StringComparison.Ordinal) && path[place.Length] is '.' or '[');
    }

    static string Random(Random chance, int depth)
    {
        var kind = chance.Next(depth == 0 ? 2 : 4);
        var text = new StringBuilder();
        switch (kind)
        {
            case 0: return $"{chance.Next(3)}";
            case 1: return $"\"{(char)('a' + chance.Next(3))}\"";
            case 2:
                foreach (var name in "abcd".Where(_ => chance.Next(2) == 0)) text.Append($"{(text.Length > 0 ? "," : "")}\"{name}\":{Random(chance, depth - 1)}");
                return $"{{{text}}}";
            default:
                for (var n = chance.Next(4); n > 0; n--) text.Append($"{(text.Length > 0 ? "," : "")}{Random(chance, depth - 1)}");
                return $"[{text}]";
        }
    }

    /// <summary>Every value that holds no other, by path.</summary>
    static IEnumerable<KeyValuePair<string, string>> Leaves(string json, string at = "") => Leaves(JsonDocument.Parse(json).RootElement, at);

    static IEnumerable<KeyValuePair<string, string>> Leaves(JsonElement value, string at) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(member => Leaves(member.Value, at.Length == 0 ? member.Name : $"{at}.{member.Name}")),
        JsonValueKind.Array => value.EnumerateArray().SelectMany((item, i) => Leaves(item, $"{at}[{i}]")),
        _ => [new(at, value.GetRawText())],
    };

    [Fact]
    public void Runs_with_child_runs_are_equal_when_only_the_ids_that_follow_from_their_own_differ() => Lab.Do(async lab =>
    {
        var inner = Workflow.Define("inner", ctx => Task.FromResult(ctx.RunId));
        Workflow With(string text) => Workflow.Create("w").Also(builder =>
        {
            builder.Step("sub", async ctx => new { run_id = (await ctx.RunChildAsync("", inner)).RunId, text });
            builder.Step("below", async ctx => (await ctx.RunChildAsync("a/b", inner)).Output<string>("inner"));
            builder.Step("names", ctx => Task.FromResult($"{ctx.RunId}.txt"));
        }).Build();
        await lab.Run(With("same"), start: As("one"));
        await lab.Run(With("same"), start: As("two"));
        await lab.Run(With("other"), start: As("three"));
        var diff = await lab.Client.DiffAsync("one", "two", cancellationToken: Lab.Token);
        // A name that only looks like one is what it is.
        Assert.Equal(["names"], diff.Steps.Where(step => step.What.Count > 0).Select(step => step.Path));
        Assert.Equal("text: \"same\" → \"other\"", Text((await lab.Client.DiffAsync("one", "three", cancellationToken: Lab.Token)).Steps[0].Output));
    });
}
