using System.Globalization;
using static Pawl.Yaml.ExpressionNode;

namespace Pawl.Yaml;

internal delegate ExpressionException ExpressionError(string problem, int offset, bool isMissing = false);

/// <summary>Walks a tree once. Its depth is bounded by the parser's.</summary>
internal sealed class ExpressionEvaluator(IExpressionScope scope, ExpressionError error)
{
    public IExpressionScope Scope => scope;

    public ExpressionException Error(string problem, ExpressionNode node) => error(problem, node.Offset);

    public ExpressionValue Evaluate(ExpressionNode node)
    {
        switch (node)
        {
            case Literal literal: return literal.Value;
            case Name name:
                return scope.Find(name.Text) ?? throw error($"There is nothing called '{name.Text}' here.{Nearest.Hint(name.Text, scope.Names)}", name.Offset);
            case Access access: return Follow(access);
            case Call call: return call.Function.Body(this, call);
            case Not not: return ExpressionValue.Of(!Evaluate(not.Operand).IsTrue);
            case Comparison comparison: return ExpressionValue.Of(Compare(comparison));
            case All all: return FirstWhere(all.Operands, wanted: false);
            case Any any: return FirstWhere(any.Operands, wanted: true);
            default: throw new System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>The value, or null when it is missing.</summary>
    public ExpressionValue? TryEvaluate(ExpressionNode node)
    {
        try
        {
            return Evaluate(node);
        }
        catch (ExpressionException missing) when (missing.IsMissing)
        {
            return null;
        }
    }

    // As in GitHub Actions, && and || give the deciding operand itself, not a boolean.
    ExpressionValue FirstWhere(IReadOnlyList<ExpressionNode> operands, bool wanted)
    {
        var value = ExpressionValue.Null;
        foreach (var operand in operands)
        {
            value = Evaluate(operand);
            if (value.IsTrue == wanted) return value;
        }
        return value;
    }

    bool Compare(Comparison node)
    {
        var (left, right) = (Evaluate(node.Left), Evaluate(node.Right));
        if (node.Operator is "==" or "!=") return left.IsEqualTo(right) == (node.Operator == "==");
        var order = left.Compare(right) ?? throw error(
            $"'{node.Operator}' cannot compare {Describe(left)} with {Describe(right)}: both must be numbers (or texts that are numbers), or both texts.", node.Offset);
        return node.Operator switch { "<" => order < 0, "<=" => order <= 0, ">" => order > 0, _ => order >= 0 };
    }

    ExpressionValue Follow(Access node)
    {
        var value = Evaluate(node.Target);
        for (var i = 0; i < node.Keys.Count; i++)
        {
            var key = Evaluate(node.Keys[i]);
            value = value.Kind switch
            {
                ValueKind.Object => Member(value.AsMap()!, key, node, i),
                ValueKind.List => Element(value, key, node, i),
                ValueKind.Null => throw error($"'{Before(node, i)}' is null and has no member.", node.Keys[i].Offset, isMissing: true),
                _ => throw error($"'{Before(node, i)}' is {Describe(value)} and has no members.{(value.Kind == ValueKind.String ? " If it is JSON, read it with fromJSON()." : "")}", node.Keys[i].Offset),
            };
        }
        return value;
    }

    ExpressionValue Member(IExpressionMap map, ExpressionValue key, Access node, int i)
    {
        if (key.Kind is not (ValueKind.String or ValueKind.Number)) throw error($"A member is named by a text, not by {Describe(key)}.", node.Keys[i].Offset);
        var name = key.AsText();
        return map.Find(name) ?? throw error(
            map.WhyMissing(name) ?? $"'{Before(node, i)}' has no member '{ExpressionException.Printable(name)}'.{Nearest.Hint(name, map.Keys)}", node.Keys[i].Offset, isMissing: true);
    }

    ExpressionValue Element(ExpressionValue list, ExpressionValue key, Access node, int i)
    {
        if (key.Kind != ValueKind.Number || !int.TryParse(key.AsText(), NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            throw error($"'{Before(node, i)}' is a list: its elements are numbered from 0.", node.Keys[i].Offset);
        return list.At(index) ?? throw error($"'{Before(node, i)}' has {list.Length} elements, so there is none with the number {index}.", node.Keys[i].Offset, isMissing: true);
    }

    static string Before(Access node, int i) => (i == 0 ? node.Target : node with { Keys = [.. node.Keys.Take(i)] }).ToString();

    internal static string Describe(ExpressionValue value) => value.Kind switch
    {
        ValueKind.Null => "null",
        ValueKind.Boolean => "a boolean",
        ValueKind.Number => "a number",
        ValueKind.String => "a text",
        ValueKind.List => "a list",
        _ => "an object",
    };
}
