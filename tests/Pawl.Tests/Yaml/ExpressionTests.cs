using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

/// <summary>A scope made of JSON, with the members of one skipped step missing.</summary>
internal sealed class TestScope(string json) : IExpressionScope
{
    readonly ExpressionValue _root = ExpressionValue.FromJson(json);

    public HashSet<string> Asked { get; } = [];
    public bool Success { get; init; } = true;
    public bool Failure { get; init; }
    public bool Cancelled { get; init; }
    public string BaseDirectory { get; init; } = Path.GetTempPath();
    public string Secret { get; init; } = "";
    public IReadOnlyCollection<string> Names => [.. _root.AsMap()!.Keys, "skipped"];

    public ExpressionValue? Find(string name)
    {
        Asked.Add(name);
        return name == "skipped" ? ExpressionValue.Of(new SkippedStep()) : _root.AsMap()!.Find(name);
    }

    public string Mask(string text) => Secret.Length == 0 ? text : text.Replace(Secret, "***", StringComparison.Ordinal);

    sealed class SkippedStep : IExpressionMap
    {
        public IEnumerable<string> Keys => [];
        public ExpressionValue? Find(string key) => null;
        public string? WhyMissing(string key) => "Step 'docs' was skipped, so it has no outputs.";
    }
}

public sealed class ExpressionTests
{
    static readonly TestScope s_scope = new("""
        {"params":{"scope":"changed","limit":10,"big":9007199254740993,"price":1.10,"on":true,"off":false,"none":null,"empty":"","zero":0},
         "steps":{"analyze":{"outputs":{"files":"12","tags":["a","B","c"],"deep":{"x":[{"y":"z"}]}},"outcome":"completed"},
                  "a/b":{"outcome":"failed"}},
         "item":"it","key":"scope","list":[1,2,3]}
        """);

    static string Eval(string text) => Expression.Parse(text).Evaluate(s_scope).ToJson();

    static string Fails(string text) => Assert.Throws<ExpressionException>(() => Expression.Parse(text).Evaluate(s_scope)).Problem;

    [Theory]
    [InlineData("params.scope", "\"changed\"")]
    [InlineData("steps.analyze.outputs.files", "\"12\"")]
    [InlineData("steps['a/b'].outcome", "\"failed\"")]
    [InlineData("steps.analyze.outputs.tags[1]", "\"B\"")]
    [InlineData("steps.analyze.outputs.deep.x[0].y", "\"z\"")]
    [InlineData("params[key]", "\"changed\"")]
    [InlineData("(steps.analyze).outputs['files']", "\"12\"")]
    [InlineData("fromJSON('{\"a\":[1]}').a[0]", "1")]
    [InlineData("item", "\"it\"")]
    public void Paths_lead_to_values(string text, string expected) => Assert.Equal(expected, Eval(text));

    [Theory]
    [InlineData("null", "null")]
    [InlineData("true", "true")]
    [InlineData("-1.50e3", "-1.50e3")]
    [InlineData("'it''s'", "\"it's\"")]
    [InlineData("\"say \"\"hi\"\"\"", "\"say \\\"hi\\\"\"")]
    [InlineData("params.big", "9007199254740993")]
    [InlineData("params.price", "1.10")]
    public void Literals_and_numbers_keep_what_was_written(string text, string expected) => Assert.Equal(expected, Eval(text));

    [Theory]
    [InlineData("params.scope == 'CHANGED'", true)] // texts without regard to case, as in GitHub Actions
    [InlineData("params.scope != 'all'", true)]
    [InlineData("params.big == 9007199254740992", false)]
    [InlineData("params.big > 9007199254740992", true)]
    [InlineData("params.price == 1.1", true)]
    [InlineData("1e2 == 100", true)]
    [InlineData("-2 < -1", true)]
    [InlineData("0.10 < 0.9", true)]
    [InlineData("1e400 > 1e399", true)]
    [InlineData("-0 == 0.000", true)]
    [InlineData("steps.analyze.outputs.files > 10", true)] // a text that is a number
    [InlineData("steps.analyze.outputs.files == 12.0", true)]
    [InlineData("'abc' < 'abd'", true)]
    [InlineData("'10' >= '10'", true)]
    [InlineData("true == 'true'", false)]
    [InlineData("true == 1", false)]
    [InlineData("null == ''", false)]
    [InlineData("null == 0", false)]
    [InlineData("null == params.none", true)]
    [InlineData("'x' == 1", false)]
    [InlineData("list == fromJSON('[1, 2.0, 3]')", true)]
    [InlineData("list == item", false)]
    [InlineData("!params.off && !params.zero && !params.empty && !params.none", true)]
    [InlineData("!list && true", false)]
    [InlineData("!!'false'", true)]
    [InlineData("true || false && false", true)]
    [InlineData("(true || false) && false", false)]
    [InlineData("!true == false", true)]
    public void Conditions_follow_the_rules(string text, bool expected) => Assert.Equal(expected ? "true" : "false", Eval(text));

    [Theory]
    [InlineData("params.none || 'fallback'", "\"fallback\"")]
    [InlineData("params.on && 'yes' || 'no'", "\"yes\"")]
    [InlineData("params.zero && 'yes'", "0")]
    public void And_and_or_give_the_deciding_operand(string text, string expected) => Assert.Equal(expected, Eval(text));

    [Theory]
    [InlineData("contains('Hello', 'ELL')", "true")]
    [InlineData("contains(steps.analyze.outputs.tags, 'b')", "true")]
    [InlineData("contains(steps.analyze.outputs.tags, 'x')", "false")]
    [InlineData("contains(list, '2')", "true")]
    [InlineData("startsWith('main-1', 'MAIN')", "true")]
    [InlineData("endsWith('a.cs', '.cs')", "true")]
    [InlineData("format('{0}-{1} {{0}} {0}', 'a', 2)", "\"a-2 {0} a\"")]
    [InlineData("join(steps.analyze.outputs.tags)", "\"a,B,c\"")]
    [InlineData("join(list, ' + ')", "\"1 + 2 + 3\"")]
    [InlineData("join('one')", "\"one\"")]
    [InlineData("toJSON(steps.analyze.outputs.deep)", "\"{\\\"x\\\":[{\\\"y\\\":\\\"z\\\"}]}\"")]
    [InlineData("fromJSON('9007199254740993')", "9007199254740993")]
    [InlineData("fromJson('1')", "1")] // the names of functions without regard to case
    [InlineData("length(list)", "3")]
    [InlineData("length('abc')", "3")]
    [InlineData("length(params)", "9")]
    [InlineData("default(steps.analyze.outputs.nothing, 'x')", "\"x\"")]
    [InlineData("default(params.none, 'x')", "\"x\"")]
    [InlineData("default(params.zero, 'x')", "0")]
    [InlineData("default(skipped.outputs.files, 0)", "0")]
    [InlineData("coalesce(params.none, params.nothing, list[9], 'last')", "\"last\"")]
    [InlineData("always()", "true")]
    [InlineData("success()", "true")]
    [InlineData("failure() || cancelled()", "false")]
    public void Functions_do_what_they_say(string text, string expected) => Assert.Equal(expected, Eval(text));

    [Theory]
    [InlineData("parms.scope", "There is nothing called 'parms' here. Did you mean 'params'?")]
    [InlineData("params.scop", "'params' has no member 'scop'. Did you mean 'scope'?")]
    [InlineData("steps.analyze.outputs.fils", "'steps.analyze.outputs' has no member 'fils'. Did you mean 'files'?")]
    [InlineData("succes()", "There is no function 'succes'. Did you mean 'success'?")]
    [InlineData("success", "'success' is a function: write success().")]
    [InlineData("contains('a')", "contains is called with 1 argument: write contains(text or list, value).")]
    [InlineData("skipped.outputs", "Step 'docs' was skipped, so it has no outputs.")]
    [InlineData("params.none.x", "'params.none' is null and has no member.")]
    [InlineData("params.scope.x", "'params.scope' is a text and has no members. If it is JSON, read it with fromJSON().")]
    [InlineData("list[3]", "'list' has 3 elements, so there is none with the number 3.")]
    [InlineData("list.first", "'list' is a list: its elements are numbered from 0.")]
    [InlineData("list[-1]", "'list' is a list: its elements are numbered from 0.")]
    [InlineData("params.scope < 3", "'<' cannot compare a text with a number: both must be numbers (or texts that are numbers), or both texts.")]
    [InlineData("null < 1", "'<' cannot compare null with a number: both must be numbers (or texts that are numbers), or both texts.")]
    [InlineData("true >= false", "'>=' cannot compare a boolean with a boolean: both must be numbers (or texts that are numbers), or both texts.")]
    [InlineData("params.scope = 'all'", "A single '=' is no operator: compare with '=='.")]
    [InlineData("1 + 1", "'+' is no operator: expressions do not calculate. Let a step do it and use its output.")]
    [InlineData("a == b == c", "Comparisons cannot be chained: join them with '&&', or put the first one in parentheses.")]
    [InlineData("'abc", "A text begins here with ' and never ends.")]
    [InlineData("(1", "Expected ')', found the end.")]
    [InlineData("1 2", "Expected an operator or the end, found '2'.")]
    [InlineData("", "The expression is empty.")]
    [InlineData("steps.1st", "'1st' is not a number. A step or key that begins with a digit is written in brackets: steps['1st'].")]
    [InlineData("length(1)", "length works on a text, a list or an object, not on a number.")]
    [InlineData("fromJSON('{]')", "The text is not valid JSON (line 1, byte 2), has a key twice, or is nested more than 64 levels deep.")]
    [InlineData("fromJSON('{\"a\":1,\"a\":2}')", "The text is not valid JSON, has a key twice, or is nested more than 64 levels deep.")]
    public void Mistakes_are_errors_with_a_way_out(string text, string problem) => Assert.Equal(problem, Fails(text));

    [Fact]
    public void An_error_says_where()
    {
        var error = Assert.Throws<ExpressionException>(() => Template.Parse("echo ${{ params.scop }}").Evaluate(s_scope));
        Assert.Equal(16, error.Offset);
        Assert.Equal("'params' has no member 'scop'. Did you mean 'scope'? (at character 17 of 'echo ${{ params.scop }}')", error.Message);
        Assert.Equal(13, Assert.Throws<ExpressionException>(() => Template.Parse("x ${{ true &&& }}")).Offset);
    }

    [Fact]
    public void An_error_in_a_long_script_shows_its_surroundings()
    {
        var script = string.Concat(Enumerable.Repeat("echo one two three\n", 20));
        var error = Assert.Throws<ExpressionException>(() => Template.Parse(script + "x ${{ a.b = 1 }}\n" + script));
        Assert.Contains("(at character 391 of '…echo one two three x ${{ a.b = 1 }} echo one", error.Message, StringComparison.Ordinal);
        Assert.True(error.Message.Length < 200);
    }

    [Fact]
    public void Half_a_character_in_JSON_is_an_error_not_a_crash() =>
        Assert.Contains("lone surrogate", Fails("""fromJSON('{"a":"\ud800"}').a"""), StringComparison.Ordinal);

    [Fact]
    public void Default_hides_what_is_missing_but_not_what_is_wrong()
    {
        Assert.Contains("nothing called", Fails("default(parms.x, 1)"), StringComparison.Ordinal);
        Assert.Contains("cannot compare", Fails("default(null < 1, 1)"), StringComparison.Ordinal);
    }

    [Fact]
    public void Values_are_asked_for_only_when_they_matter()
    {
        var scope = new TestScope("""{"a":false,"b":1}""");
        Assert.False(Expression.Parse("a && b").Evaluate(scope).IsTrue);
        Assert.Equal(["a"], scope.Asked);
    }

    [Fact]
    public void Names_can_be_checked_without_evaluating()
    {
        var expression = Expression.Parse("steps['a/b'].outputs[matrix.os] == params.x || default(steps.c.outputs.n, failure())");
        Assert.Equal(
            ["steps|a/b|outputs False", "matrix|os False", "params|x False", "steps|c|outputs|n True"],
            expression.Names.Select(name => $"{string.Join('|', name.Segments)} {name.IsOptional}"));
        Assert.True(expression.CallsStatusFunction);
        Assert.False(Expression.Parse("params.x").CallsStatusFunction);
    }

    [Theory]
    [InlineData("params.scope == 'all'", "params.scope == 'all' (params.scope is 'changed')")]
    [InlineData("always() && list[0] > 2", "always() && list[0] > 2 (always() is true, list[0] is 1)")]
    [InlineData("default(skipped.outputs, 1) == 1", "default(skipped.outputs, 1) == 1 (skipped.outputs is missing)")]
    [InlineData("true", "true")]
    public void A_condition_is_explained_with_its_values(string text, string expected) => Assert.Equal(expected, Expression.Parse(text).Explain(s_scope));

    [Fact]
    public void A_secret_is_not_explained()
    {
        var scope = new TestScope("""{"params":{"token":"hunter2"}}""") { Secret = "hunter2" };
        Assert.Equal("params.token != '' (params.token is '***')", Expression.Parse("params.token != ''").Explain(scope));
    }

    [Theory]
    [InlineData("${{ params.limit }}", "10")]
    [InlineData("n=${{ params.limit }}, ${{params.none}}|", "\"n=10, |\"")]
    [InlineData("${{ '}}' }}${{ '${{' }}", "\"}}${{\"")]
    [InlineData("plain $x {{ y }}", "\"plain $x {{ y }}\"")]
    [InlineData("${{ list }} ", "\"[1,2,3] \"")]
    [InlineData("", "\"\"")]
    public void Templates_keep_the_type_of_a_lone_expression(string text, string expected) => Assert.Equal(expected, Template.Parse(text).Evaluate(s_scope).ToJson());

    [Theory]
    [InlineData("a ${{ b", 2)]
    [InlineData("${{ 'b }}", 0)]
    public void An_unclosed_template_is_an_error(string text, int offset) =>
        Assert.Equal(offset, Assert.Throws<ExpressionException>(() => Template.Parse(text)).Offset);

    [Fact]
    public void A_condition_with_text_beside_the_braces_is_refused()
    {
        Assert.Equal("\"changed\"", Expression.ParseCondition(" ${{ params.scope }} ").Evaluate(s_scope).ToJson());
        Assert.Equal("\"changed\"", Expression.ParseCondition("params.scope").Evaluate(s_scope).ToJson());
        Assert.Contains("always true", Assert.Throws<ExpressionException>(() => Expression.ParseCondition("${{ false }} && false")).Problem, StringComparison.Ordinal);
    }
}
