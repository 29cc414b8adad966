using System.Text;

namespace Pawl.Yaml;

/// <summary>A piece of a template: text, or an expression.</summary>
/// <param name="Text">Plain text; empty for an expression.</param>
/// <param name="Expression">The expression, or null.</param>
/// <param name="Offset">Where it begins in the template.</param>
internal sealed record TemplatePart(string Text, Expression? Expression, int Offset);

/// <summary>Text with <c>${{ … }}</c> in it. Immutable. A literal <c>${{</c> is written <c>${{ '${{' }}</c>.</summary>
internal sealed class Template
{
    Template(string text, IReadOnlyList<TemplatePart> parts) => (Text, Parts) = (text, parts);

    public string Text { get; }

    public IReadOnlyList<TemplatePart> Parts { get; }

    /// <summary>There is nothing to evaluate.</summary>
    public bool IsPlain => Parts.All(part => part.Expression is null);

    /// <summary>The expression when the template is nothing else: its value keeps its type.</summary>
    public Expression? Single => Parts is [{ Expression: { } only }] ? only : null;

    public IEnumerable<Expression> Expressions => Parts.Where(part => part.Expression is not null).Select(part => part.Expression!);

    /// <exception cref="ExpressionException">An expression in it is not valid or not closed; the offset counts from the template's beginning.</exception>
    public static Template Parse(string text)
    {
        List<TemplatePart> parts = [];
        var position = 0;
        while (position < text.Length)
        {
            var open = text.IndexOf("${{", position, StringComparison.Ordinal);
            if (open != position) parts.Add(new TemplatePart(text[position..(open < 0 ? text.Length : open)], null, position));
            if (open < 0) break;
            var close = FindEnd(text, open + 3);
            parts.Add(new TemplatePart("", Expression.Parse(text, (open + 3)..close), open));
            position = close + 2;
        }
        return new Template(text, parts);
    }

    /// <summary>The value: typed when the template is one expression, otherwise a text.</summary>
    /// <exception cref="ExpressionException">See <see cref="Expression.Evaluate"/>.</exception>
    public ExpressionValue Evaluate(IExpressionScope scope)
    {
        if (Single is { } only) return only.Evaluate(scope);
        var result = new StringBuilder();
        foreach (var part in Parts) result.Append(part.Expression?.Evaluate(scope).AsText() ?? part.Text);
        return ExpressionValue.Of(result.ToString());
    }

    public override string ToString() => Text;

    static int FindEnd(string text, int from)
    {
        var quote = '\0';
        for (var i = from; i < text.Length; i++)
        {
            var c = text[i];
            if (quote != '\0') quote = c == quote ? '\0' : quote;
            else if (c is '\'' or '"') quote = c;
            else if (c == '}' && i + 1 < text.Length && text[i + 1] == '}') return i;
        }
        throw new ExpressionException(quote == '\0' ? "'${{' begins here and no '}}' ends it." : $"'${{{{' begins here and a text in it that begins with {quote} never ends.", text, from - 3);
    }
}
