using static Pawl.Yaml.ExpressionNode;

namespace Pawl.Yaml;

/// <summary>or := and ('||' and)* · and := comparison ('&amp;&amp;' comparison)* · comparison := unary (op unary)? · unary := '!' unary | access ·
/// access := primary ('.' name | '[' or ']')* · primary := literal | name | function '(' … ')' | '(' or ')'.</summary>
internal sealed class ExpressionParser
{
    const int MaxDepth = 64;

    readonly Func<string, int, ExpressionException> _error;
    readonly ExpressionLexer _lexer;
    Token _token;
    int _depth;

    ExpressionParser(string text, Func<string, int, ExpressionException> error)
    {
        _error = error;
        _lexer = new ExpressionLexer(text, 0, error);
        _token = _lexer.Next();
    }

    public static ExpressionNode Parse(string text, Func<string, int, ExpressionException> error)
    {
        var parser = new ExpressionParser(text, error);
        if (parser._token.Kind == TokenKind.End) throw error("The expression is empty.", 0);
        var node = parser.Or();
        if (parser._token.Kind != TokenKind.End) throw parser.Unexpected("an operator or the end");
        return node;
    }

    ExpressionNode Or() => Chain("||", And, operands => new Any(operands[0].Offset, operands));

    ExpressionNode And() => Chain("&&", Comparison, operands => new All(operands[0].Offset, operands));

    ExpressionNode Chain(string sign, Func<ExpressionNode> operand, Func<List<ExpressionNode>, ExpressionNode> join)
    {
        var first = operand();
        if (!_token.Is(sign)) return first;
        List<ExpressionNode> operands = [first];
        while (Accept(sign)) operands.Add(operand());
        return join(operands);
    }

    ExpressionNode Comparison()
    {
        var left = Unary();
        if (!IsComparison(_token)) return left;
        var sign = Take();
        var node = new Comparison(sign.Offset, sign.Text, left, Unary());
        if (IsComparison(_token)) throw _error("Comparisons cannot be chained: join them with '&&', or put the first one in parentheses.", _token.Offset);
        return node;
    }

    ExpressionNode Unary()
    {
        if (!_token.Is("!")) return Access();
        var sign = Take();
        return new Not(sign.Offset, Nested(Unary));
    }

    ExpressionNode Access()
    {
        var target = Primary();
        List<ExpressionNode> keys = [];
        while (true)
        {
            if (Accept("."))
            {
                if (_token.Kind != TokenKind.Name) throw Unexpected("a name behind '.'");
                var name = Take();
                keys.Add(new Literal(name.Offset, ExpressionValue.Of(name.Text)));
            }
            else if (Accept("["))
            {
                keys.Add(Nested(Or));
                Expect("]");
            }
            else
            {
                if (keys.Count == 0) return target;
                return target is Access inner ? inner with { Keys = [.. inner.Keys, .. keys] } : new Access(target.Offset, target, keys);
            }
        }
    }

    ExpressionNode Primary()
    {
        if (_token.Is("("))
        {
            Take();
            var inner = Nested(Or);
            Expect(")");
            return inner;
        }
        var token = _token;
        switch (token.Kind)
        {
            case TokenKind.String: Take(); return new Literal(token.Offset, ExpressionValue.Of(token.Text));
            case TokenKind.Number: Take(); return new Literal(token.Offset, ExpressionValue.Number(token.Text));
            case TokenKind.Name: Take(); return _token.Is("(") ? Invocation(token) : Word(token);
            default: throw Unexpected("a value");
        }
    }

    ExpressionNode Word(Token token) => token.Text switch
    {
        "true" => new Literal(token.Offset, ExpressionValue.Of(true)),
        "false" => new Literal(token.Offset, ExpressionValue.Of(false)),
        "null" => new Literal(token.Offset, ExpressionValue.Null),
        _ when ExpressionFunction.Find(token.Text) is { } function => throw _error($"'{token.Text}' is a function: write {function.Usage}.", token.Offset),
        _ => new Name(token.Offset, token.Text),
    };

    Call Invocation(Token name)
    {
        if (ExpressionFunction.Find(name.Text) is not { } function)
            throw _error($"There is no function '{name.Text}'.{Nearest.Hint(name.Text, ExpressionFunction.Names)}", name.Offset);
        Take();
        List<ExpressionNode> arguments = [];
        if (!_token.Is(")"))
        {
            do arguments.Add(Nested(Or));
            while (Accept(","));
        }
        Expect(")");
        if (arguments.Count < function.Least || arguments.Count > function.Most)
            throw _error($"{function.Name} is called with {arguments.Count} argument{(arguments.Count == 1 ? "" : "s")}: write {function.Usage}.", name.Offset);
        return new Call(name.Offset, function, arguments);
    }

    ExpressionNode Nested(Func<ExpressionNode> parse)
    {
        if (++_depth > MaxDepth) throw _error($"The expression is nested more than {MaxDepth} levels deep: split it over several steps.", _token.Offset);
        var node = parse();
        _depth--;
        return node;
    }

    Token Take()
    {
        var token = _token;
        _token = _lexer.Next();
        return token;
    }

    bool Accept(string sign)
    {
        if (!_token.Is(sign)) return false;
        Take();
        return true;
    }

    void Expect(string sign)
    {
        if (!Accept(sign)) throw Unexpected($"'{sign}'");
    }

    ExpressionException Unexpected(string expected) => _error($"Expected {expected}, found {_token}.", _token.Offset);

    static bool IsComparison(Token token) => token.Kind == TokenKind.Sign && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=";
}
