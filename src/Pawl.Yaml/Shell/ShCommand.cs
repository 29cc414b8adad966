namespace Pawl.Yaml;

/// <summary>The words of one simple command, as far as they tell what bash does with a value among them: most commands take it as it is, some compute it, some take it for a variable's name.</summary>
/// <remarks>What is computed is evaluated, and so is a subscript in a name: of 'a[$(command)]' the command would run.</remarks>
internal sealed class ShCommand
{
    // What stands in front of a command without being one.
    static readonly HashSet<string> Prefixes = ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "command", "builtin"];

    string _name = "", _option = "", _current = "";
    int _from;
    bool _isTarget, _targetFollows;

    /// <summary>Bash evaluates the arguments.</summary>
    public bool Computes { get; private set; }

    /// <summary>It makes variables whose every value is computed.</summary>
    public bool MakesIntegers { get; private set; }

    bool Declares => _name is "declare" or "typeset" or "local" or "readonly";

    /// <summary>The words are elements of an array, up to its end.</summary>
    public bool InArray { get; set; }

    /// <summary>The next word is where output goes or input comes from.</summary>
    public void Redirects() => _targetFollows = true;

    /// <summary>A word begins.</summary>
    public void Begin(int at)
    {
        (_from, _option, _current) = (at, _current, "");
        (_isTarget, _targetFollows) = (_targetFollows, false);
    }

    /// <summary>The word is this, all of it.</summary>
    public void Whole(string word)
    {
        if (_isTarget) return;
        if (_name.Length == 0) _name = Prefixes.Contains(word) || Variable(word) is not null ? "" : word;
        else if (Declares && word[0] is '-' or '+' && word.Contains('i')) Computes = MakesIntegers = true;
        if (word[0] is '-') _current = word;
        Computes |= _name == "let";
    }

    /// <summary>Whether an expression here would be a variable's name, or part of one.</summary>
    public bool TakesName(ReadOnlySpan<char> text, int here)
    {
        if (_isTarget || InArray) return false;
        var word = text[_from..here];
        return _name switch
        {
            "unset" => true,
            "read" or "mapfile" or "readarray" => !(_option.Length > 1 && "pdnNtuicCO".Contains(_option[^1])),
            "printf" or "[" or "test" => _option is "-v",
            _ => Declares && !word.Contains('='),
        };
    }

    /// <summary>Whether an expression here is (part of) what a variable is set to.</summary>
    public bool Assigns(ReadOnlySpan<char> text, int here) => Variable(text[_from..here].ToString()) is not null;

    // name=…, name+=…, name[…]=…
    static string? Variable(string word)
    {
        var name = word.IndexOf('=') is > 0 and var equals ? word[..equals].TrimEnd('+') : "";
        if (name.IndexOf('[') is > 0 and var bracket) name = name[..bracket];
        return ExpressionLexer.IsName(name) ? name : null;
    }
}
