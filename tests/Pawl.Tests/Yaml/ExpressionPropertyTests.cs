using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using Pawl.Yaml;

namespace Pawl.Tests.Yaml;

public sealed class ExpressionPropertyTests
{
    static readonly string[] Words =
    [
        "params", "steps", "item", "list", "a-b", "x", ".", "[", "]", "(", ")", ",", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "!", "=", "&", "$", "{{", "}}", "'", "\"",
        "'text'", "''", "\"q\"", "1", "0", "-3.5", "1e9", "1e", "9007199254740993", "null", "true", "false", "success", "failure(", "contains(", "format(", "join(", "fromJSON(",
        "toJSON(", "length(", "default(", "coalesce(", "hashFiles(", "'**/*'", "'{\"a\":[1]}'", " ", "\n", "\0", "é", "🙂",
    ];

    static readonly TestScope s_scope = new("""{"params":{"x":1,"a-b":null},"steps":{"x":{"outputs":{}}},"item":"1","list":[[],{},"x"]}""") { BaseDirectory = "/does/not/exist" };

    [Fact]
    public void Any_soup_of_tokens_gives_a_value_or_an_expression_error()
    {
        var seed = new Random().Next();
        var random = new Random(seed);
        var parsed = 0;
        for (var i = 0; i < 60_000; i++)
        {
            var text = string.Join(random.Next(3) == 0 ? " " : "", Enumerable.Range(0, random.Next(1, 12)).Select(_ => Words[random.Next(Words.Length)]));
            try
            {
                var expression = Expression.Parse(text);
                parsed++;
                expression.Explain(s_scope);
                Expression.Parse(expression.Root.ToString());
                expression.Evaluate(s_scope).ToJson();
                Template.Parse(text);
            }
            catch (ExpressionException)
            {
            }
            catch (Exception error)
            {
                Assert.Fail($"seed {seed}: {text}\n{error}");
            }
        }
        Assert.True(parsed > 300, $"Only {parsed} texts were expressions: the soup is too thin.");
    }

    [Fact]
    public void Printing_and_parsing_gives_the_same_tree() =>
        Prop.ForAll(Node(4).ToArbitrary(), node => Dump(Expression.Parse(node.ToString()).Root) == Dump(node)).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));

    [Theory]
    [InlineData("(")]
    [InlineData("!")]
    [InlineData("a[")]
    [InlineData("length(")]
    [InlineData("'a' && ")]
    [InlineData("x.")]
    public void A_megabyte_of_anything_is_refused_quickly(string piece)
    {
        var text = string.Concat(Enumerable.Repeat(piece, 1_000_000 / piece.Length));
        var watch = Stopwatch.StartNew();
        Assert.Throws<ExpressionException>(() => Expression.Parse(text));
        Assert.True(watch.ElapsedMilliseconds < 200, $"{watch.ElapsedMilliseconds} ms");
    }

    [Theory]
    [InlineData("(")]
    [InlineData("!")]
    [InlineData("x[")]
    [InlineData("length(")]
    public void Deep_nesting_is_refused(string piece) =>
        Assert.Contains("nested more than 64", Assert.Throws<ExpressionException>(() => Expression.Parse(string.Concat(Enumerable.Repeat(piece, 5000)))).Problem, StringComparison.Ordinal);

    [Fact]
    public void Long_chains_need_no_stack()
    {
        Assert.True(Expression.Parse(string.Join(" && ", Enumerable.Repeat("true", 8000))).Evaluate(s_scope).IsTrue);
        Assert.True(Expression.Parse("default(params" + string.Concat(Enumerable.Repeat(".x", 30_000)) + ", true)").Names[0].Segments.Count > 30_000);
    }

    [Fact]
    public void Nested_formats_cannot_eat_the_memory()
    {
        var text = "'0123456789'";
        for (var i = 0; i < 40; i++) text = $"format('{{0}}{{0}}{{0}}{{0}}', {text})";
        Assert.Contains("more than 67108864 characters", Assert.Throws<ExpressionException>(() => Expression.Parse(text).Evaluate(s_scope)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Exact_numbers_agree_with_decimals() => Prop.ForAll<decimal, decimal>((a, b) =>
    {
        Assert.True(ExactNumber.TryParse(a.ToString(System.Globalization.CultureInfo.InvariantCulture), out var x));
        Assert.True(ExactNumber.TryParse(b.ToString(System.Globalization.CultureInfo.InvariantCulture), out var y));
        return x.CompareTo(y) == a.CompareTo(b) && (x == y) == (a == b);
    }).QuickCheckThrowOnFailure();

    // Generates what the parser can produce: chains of two or more, access without access as its target.
    static Gen<ExpressionNode> Node(int depth)
    {
        var name = Gen.Elements("params", "steps", "a-b", "_x").Select(ExpressionNode (text) => new ExpressionNode.Name(0, text));
        var text = Gen.Elements("", "a", "a b", "it's", "\"", "${{ }}", "x-1", "1", "é🙂\n", "true").Select(ExpressionNode (value) => Literal(ExpressionValue.Of(value)));
        var literal = Gen.OneOf(text, Gen.Elements("null", "true", "false", "0", "-1.50", "1E+5").Select(ExpressionNode (json) => Literal(ExpressionValue.FromJson(json))));
        if (depth == 0) return Gen.OneOf(name, literal);
        var inner = Node(depth - 1);
        var list = Gen.Choose(1, 3).SelectMany(inner.ListOf);
        var chain = Gen.Choose(2, 4).SelectMany(inner.ListOf);
        return Gen.OneOf(
            name,
            literal,
            inner.Where(node => node is not ExpressionNode.Access).SelectMany(_ => list, ExpressionNode (target, keys) => new ExpressionNode.Access(0, target, [.. keys])),
            inner.Select(ExpressionNode (node) => new ExpressionNode.Not(0, node)),
            Gen.Elements("==", "!=", "<", "<=", ">", ">=").SelectMany(_ => chain, ExpressionNode (sign, nodes) => new ExpressionNode.Comparison(0, sign, nodes[0], nodes[1])),
            chain.Select(ExpressionNode (nodes) => new ExpressionNode.All(0, [.. nodes])),
            chain.Select(ExpressionNode (nodes) => new ExpressionNode.Any(0, [.. nodes])),
            list.Select(ExpressionNode (nodes) => new ExpressionNode.Call(0, ExpressionFunction.Find("coalesce")!, [.. nodes])));
    }

    static ExpressionNode.Literal Literal(ExpressionValue value) => new(0, value);

    // Everything but the offsets, with every level in brackets.
    static string Dump(ExpressionNode node) => node switch
    {
        ExpressionNode.Literal literal => $"{literal.Value.Kind}:{literal.Value}",
        ExpressionNode.Name name => $"name:{name.Text}",
        _ => $"{node.GetType().Name}{(node as ExpressionNode.Comparison)?.Operator}{(node as ExpressionNode.Call)?.Function.Name}<{string.Join(';', node.Children.Select(Dump))}>",
    };
}
