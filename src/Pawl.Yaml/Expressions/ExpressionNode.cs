using System.Text;

namespace Pawl.Yaml;

/// <summary>A parsed expression. Chains (<c>a &amp;&amp; b &amp;&amp; c</c>, <c>a.b.c</c>) are lists, so the tree is never deeper than the nesting in the text.</summary>
internal abstract record ExpressionNode(int Offset)
{
    internal sealed record Literal(int Offset, ExpressionValue Value) : ExpressionNode(Offset);

    internal sealed record Name(int Offset, string Text) : ExpressionNode(Offset);

    /// <summary><c>target.name</c> and <c>target[key]</c>, from left to right.</summary>
    internal sealed record Access(int Offset, ExpressionNode Target, IReadOnlyList<ExpressionNode> Keys) : ExpressionNode(Offset);

    internal sealed record Call(int Offset, ExpressionFunction Function, IReadOnlyList<ExpressionNode> Arguments) : ExpressionNode(Offset);

    internal sealed record Not(int Offset, ExpressionNode Operand) : ExpressionNode(Offset);

    internal sealed record Comparison(int Offset, string Operator, ExpressionNode Left, ExpressionNode Right) : ExpressionNode(Offset);

    /// <summary><c>&amp;&amp;</c></summary>
    internal sealed record All(int Offset, IReadOnlyList<ExpressionNode> Operands) : ExpressionNode(Offset);

    /// <summary><c>||</c></summary>
    internal sealed record Any(int Offset, IReadOnlyList<ExpressionNode> Operands) : ExpressionNode(Offset);

    internal IEnumerable<ExpressionNode> Children => this switch
    {
        Access access => [access.Target, .. access.Keys],
        Call call => call.Arguments,
        Not not => [not.Operand],
        Comparison comparison => [comparison.Left, comparison.Right],
        All all => all.Operands,
        Any any => any.Operands,
        _ => [],
    };

    /// <summary>The expression as text that parses to the same tree.</summary>
    public sealed override string ToString()
    {
        var text = new StringBuilder();
        Print(text);
        return text.ToString();
    }

    // A number's digits would swallow the dot of a member.
    int Rank => this switch { Any => 0, All => 1, Comparison => 2, Not => 3, Literal { Value.Kind: ValueKind.Number } => 4, _ => 5 };

    void Print(StringBuilder text)
    {
        switch (this)
        {
            case Literal literal: text.Append(literal.Value); break;
            case Name name: text.Append(name.Text); break;
            case Access access:
                access.Target.Print(text, 5);
                foreach (var key in access.Keys) PrintKey(text, key);
                break;
            case Call call:
                text.Append(call.Function.Name).Append('(');
                PrintList(text, call.Arguments, ", ", 0);
                text.Append(')');
                break;
            case Not not:
                text.Append('!');
                not.Operand.Print(text, 3);
                break;
            case Comparison comparison:
                comparison.Left.Print(text, 3);
                text.Append(' ').Append(comparison.Operator).Append(' ');
                comparison.Right.Print(text, 3);
                break;
            case All all: PrintList(text, all.Operands, " && ", 2); break;
            case Any any: PrintList(text, any.Operands, " || ", 1); break;
        }
    }

    void Print(StringBuilder text, int minimumRank)
    {
        if (Rank >= minimumRank)
        {
            Print(text);
            return;
        }
        text.Append('(');
        Print(text);
        text.Append(')');
    }

    static void PrintList(StringBuilder text, IReadOnlyList<ExpressionNode> nodes, string separator, int minimumRank)
    {
        for (var i = 0; i < nodes.Count; i++)
        {
            if (i > 0) text.Append(separator);
            nodes[i].Print(text, minimumRank);
        }
    }

    static void PrintKey(StringBuilder text, ExpressionNode key)
    {
        if (key is Literal { Value: { Kind: ValueKind.String } value } && ExpressionLexer.IsName(value.AsText()))
        {
            text.Append('.').Append(value.AsText());
            return;
        }
        text.Append('[');
        key.Print(text, 0);
        text.Append(']');
    }
}
