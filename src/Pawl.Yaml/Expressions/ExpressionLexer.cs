namespace Pawl.Yaml;

internal enum TokenKind { End, Name, Number, String, Sign }

/// <summary>A token; <paramref name="Text"/> of a string is its content.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Offset)
{
    public bool Is(string sign) => Kind == TokenKind.Sign && Text == sign;

    public override string ToString() => Kind switch { TokenKind.End => "the end", TokenKind.String => "a text", _ => $"'{Text}'" };
}

/// <summary>Cuts an expression into tokens, from left to right, each once.</summary>
internal sealed class ExpressionLexer(string text, int start, Func<string, int, ExpressionException> error)
{
    static readonly string[] Signs = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ".", ","];

    int _position = start;

    public static bool IsName(string text) => text.Length > 0 && IsNameStart(text[0]) && text.All(IsNamePart);

    public Token Next()
    {
        while (_position < text.Length && text[_position] is ' ' or '\t' or '\r' or '\n') _position++;
        if (_position >= text.Length) return new Token(TokenKind.End, "", _position);
        var from = _position;
        var c = text[from];
        if (c is '\'' or '"') return new Token(TokenKind.String, TakeString(c), from);
        if (IsNameStart(c)) return new Token(TokenKind.Name, TakeWhile(IsNamePart), from);
        if (char.IsAsciiDigit(c) || (c == '-' && from + 1 < text.Length && char.IsAsciiDigit(text[from + 1]))) return TakeNumber(from);
        foreach (var sign in Signs)
        {
            if (string.CompareOrdinal(text, from, sign, 0, sign.Length) != 0) continue;
            _position += sign.Length;
            return new Token(TokenKind.Sign, sign, from);
        }
        throw error(c switch
        {
            '=' => "A single '=' is no operator: compare with '=='.",
            '&' => "A single '&' is no operator: write '&&'.",
            '|' => "A single '|' is no operator: write '||'.",
            '+' or '-' or '*' or '/' or '%' => $"'{c}' is no operator: expressions do not calculate. Let a step do it and use its output.",
            '`' => "A back quote is no quote: write texts in 'single quotes'.",
            '$' or '{' or '}' => $"'{c}' does not belong inside an expression.",
            _ => $"The character '{ExpressionException.Printable(c.ToString())}' means nothing in an expression.",
        }, from);
    }

    string TakeString(char quote)
    {
        var from = _position++;
        var content = new System.Text.StringBuilder();
        while (_position < text.Length)
        {
            var c = text[_position++];
            if (c != quote) content.Append(c);
            else if (_position < text.Length && text[_position] == quote) content.Append(text[_position++]);
            else return content.ToString();
        }
        throw error($"A text begins here with {quote} and never ends.", from);
    }

    Token TakeNumber(int from)
    {
        _position++;
        TakeWhile(c => char.IsAsciiLetterOrDigit(c) || c is '.');
        if (text[_position - 1] is 'e' or 'E' && _position < text.Length && text[_position] is '+' or '-')
        {
            _position++;
            TakeWhile(char.IsAsciiDigit);
        }
        var number = text[from.._position];
        var digits = number.TrimStart('-');
        if (!ExactNumber.TryParse(number, out _) || (digits is ['0', _, ..] && char.IsAsciiDigit(digits[1])))
            throw error($"'{number}' is not a number. A step or key that begins with a digit is written in brackets: steps['{number}'].", from);
        return new Token(TokenKind.Number, number, from);
    }

    string TakeWhile(Func<char, bool> condition)
    {
        var from = _position;
        while (_position < text.Length && condition(text[_position])) _position++;
        return text[from.._position];
    }

    static bool IsNameStart(char c) => char.IsAsciiLetter(c) || c == '_';

    static bool IsNamePart(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';
}
