namespace Pawl.Yaml;

/// <summary>What is wrong with an expression, and where.</summary>
/// <remarks>A <see cref="FormatException"/>, so that a failing step is not tried again: the same expression would fail again.</remarks>
internal sealed class ExpressionException(string problem, string text, int offset, bool isMissing = false)
    : FormatException($"{problem} (at character {offset + 1} of '{Excerpt(text, offset)}')")
{
    /// <summary>The sentence without the place.</summary>
    public string Problem { get; } = problem;

    /// <summary>Where in the text that was parsed (of a template: the whole template), from 0.</summary>
    public int Offset { get; } = offset;

    /// <summary>Something was asked for that is not there (yet), which <c>default()</c> answers.</summary>
    public bool IsMissing { get; } = isMissing;

    static string Excerpt(string text, int offset)
    {
        const int before = 30, length = 80;
        var from = text.Length <= length ? 0 : Math.Clamp(offset - before, 0, text.Length - length);
        var to = Math.Min(from + length, text.Length);
        return $"{(from > 0 ? "…" : "")}{Printable(text[from..to]).Trim()}{(to < text.Length ? "…" : "")}";
    }

    internal static string Printable(string text) =>
        new([.. text.Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.Format ? ' ' : c)]);
}

/// <summary>What an expression can see. Values are asked for only when the evaluation comes to them.</summary>
internal interface IExpressionScope
{
    /// <summary>Every name that <see cref="Find"/> knows.</summary>
    IReadOnlyCollection<string> Names { get; }

    /// <summary>The value of a root name (<c>params</c>, <c>steps</c>, …), or null when there is none.</summary>
    ExpressionValue? Find(string name);

    /// <summary>Nothing that the step comes after failed or was canceled.</summary>
    bool Success { get; }

    /// <summary>Something that the step comes after failed.</summary>
    bool Failure { get; }

    /// <summary>The run is being canceled.</summary>
    bool Cancelled { get; }

    /// <summary>Where <c>hashFiles</c> looks; nothing outside of it is read.</summary>
    string BaseDirectory { get; }

    /// <summary>Covers secrets in texts that are shown or recorded.</summary>
    string Mask(string text) => text;
}

/// <summary>A path that an expression uses.</summary>
/// <param name="Segments">The root name and the members that are known without evaluating: <c>steps['a/b'].outputs[item]</c> gives steps, a/b, outputs.</param>
/// <param name="Offset">Where it begins.</param>
/// <param name="IsOptional">It stands inside <c>default()</c> or <c>coalesce()</c>: it may be missing when the time comes.</param>
internal sealed record ExpressionPath(IReadOnlyList<string> Segments, int Offset, bool IsOptional)
{
    public override string ToString() => string.Join('.', Segments);
}

/// <summary>A parsed <c>${{ … }}</c> or <c>if:</c>: total (it ends on every input), free of side effects, immutable.</summary>
internal sealed class Expression
{
    /// <summary>Longest text in characters.</summary>
    public const int MaxLength = 64 * 1024;

    readonly string _source;
    readonly int _start;

    Expression(string source, int start, string text)
    {
        (_source, _start, Text) = (source, start, text);
        if (text.Length > MaxLength) throw Error($"The expression is {text.Length} characters long; at most {MaxLength} are allowed.", 0);
        Root = ExpressionParser.Parse(text, (problem, offset) => Error(problem, offset));
        Names = [.. Paths(Root, false)];
        CallsStatusFunction = Calls(Root).Any(call => call.Function.IsStatus);
    }

    /// <summary>The text between <c>${{</c> and <c>}}</c>.</summary>
    public string Text { get; }

    internal ExpressionNode Root { get; }

    /// <summary>Every path used, so that a definition can be checked before it runs. Functions and their arity are checked by the parser.</summary>
    public IReadOnlyList<ExpressionPath> Names { get; }

    /// <summary>Calls success(), failure(), always() or cancelled(); a condition that does not is meant as <c>success() &amp;&amp; (…)</c>.</summary>
    public bool CallsStatusFunction { get; }

    /// <exception cref="ExpressionException">It is not an expression.</exception>
    public static Expression Parse(string text) => new(text, 0, text);

    /// <summary>The expression in a part of a larger text; offsets of errors count from the larger text's beginning.</summary>
    internal static Expression Parse(string source, Range range)
    {
        var (start, length) = range.GetOffsetAndLength(source.Length);
        return new Expression(source, start, source.Substring(start, length));
    }

    /// <summary>An <c>if:</c>, with or without <c>${{ }}</c> around the whole of it.</summary>
    /// <exception cref="ExpressionException">It is not one expression.</exception>
    public static Expression ParseCondition(string text)
    {
        if (!text.Contains("${{", StringComparison.Ordinal)) return Parse(text);
        var template = Template.Parse(text.Trim());
        return template.Single ?? throw new ExpressionException(
            "Text beside ${{ }} would make this condition always true: put the whole condition inside one ${{ }}, or leave the braces out.", text, 0);
    }

    /// <exception cref="ExpressionException">A name or member is unknown, an output is missing, or a function does not fit its arguments.</exception>
    public ExpressionValue Evaluate(IExpressionScope scope)
    {
        try
        {
            return new ExpressionEvaluator(scope, Error).Evaluate(Root);
        }
        catch (InvalidOperationException)
        {
            // System.Text.Json meets a lone surrogate only when the text is read.
            throw Error("A JSON text holds half a character (a lone surrogate).", Root.Offset);
        }
    }

    /// <summary>The expression with the values it saw, secrets masked: <c>params.scope == 'all' (params.scope is 'changed')</c>. Never throws.</summary>
    public string Explain(IExpressionScope scope)
    {
        var values = Leaves(Root).Select(leaf => (Text: leaf.ToString(), Node: leaf)).DistinctBy(leaf => leaf.Text).Take(8)
            .Select(leaf => $"{leaf.Text} is {Shown(leaf.Node, scope)}").ToList();
        var text = Root.ToString();
        return scope.Mask(ExpressionException.Printable(values.Count == 0 ? text : $"{text} ({string.Join(", ", values)})"));
    }

    public override string ToString() => Text.Trim();

    ExpressionException Error(string problem, int offset, bool isMissing = false) => new(problem, _source, _start + offset, isMissing);

    string Shown(ExpressionNode node, IExpressionScope scope)
    {
        try
        {
            // Masked before it is cut: half a secret would not be recognised.
            var text = scope.Mask(new ExpressionEvaluator(scope, Error).Evaluate(node).ToString());
            return text.Length <= 100 ? text : text[..100] + "…";
        }
        catch (ExpressionException error)
        {
            return error.IsMissing ? "missing" : "not valid";
        }
        catch (InvalidOperationException)
        {
            return "not valid";
        }
    }

    static IEnumerable<ExpressionNode> Leaves(ExpressionNode node) => node switch
    {
        ExpressionNode.Name => [node],
        ExpressionNode.Access { Target: ExpressionNode.Name } => [node],
        ExpressionNode.Call { Function.IsStatus: true } => [node],
        _ => node.Children.SelectMany(Leaves),
    };

    static IEnumerable<ExpressionNode.Call> Calls(ExpressionNode node) =>
        node.Children.SelectMany(Calls).Concat(node is ExpressionNode.Call call ? [call] : []);

    static IEnumerable<ExpressionPath> Paths(ExpressionNode node, bool optional)
    {
        if (node is ExpressionNode.Name name) return [new ExpressionPath([name.Text], node.Offset, optional)];
        if (node is ExpressionNode.Access { Target: ExpressionNode.Name root } access)
        {
            var known = access.Keys.TakeWhile(key => key is ExpressionNode.Literal).Select(key => ((ExpressionNode.Literal)key).Value.AsText());
            return access.Keys.SelectMany(key => Paths(key, optional)).Prepend(new ExpressionPath([root.Text, .. known], node.Offset, optional));
        }
        var tolerant = optional || node is ExpressionNode.Call { Function.IsTolerant: true };
        return node.Children.SelectMany(child => Paths(child, tolerant));
    }
}
