using System.Text;

namespace Pawl.Yaml;

/// <summary>Follows the quoting of sh and bash through a script, just far enough to know where each expression stands.</summary>
/// <remarks>Only references are written, never values. Where the shell would evaluate what a reference stands for, only whole numbers are let in (<see cref="ShCommand"/>).</remarks>
internal sealed class ShQuoting(ScriptWriter script, bool bash)
{
    const int MaxDepth = 100;
    const string Special = " \t\n;&|()<>'\"`$\\\0";

    static readonly HashSet<string> CommandFollows = ["if", "then", "elif", "else", "while", "until", "do", "for", "!", "{", "time"];
    static readonly string[] ComputingTests = [" -eq ", " -ne ", " -lt ", " -le ", " -gt ", " -ge ", " -v "];
    static readonly string[] TestEnds = ["&&", "||", "]]"];

    readonly Queue<(string Delimiter, bool IsQuoted, bool StripsTabs)> _heredocs = new();
    int _depth;
    int _test = -1;
    ShCommand _command = new();
    bool _hasIntegers;

    public void Write() => Code(nested: false);

    // Commands, to the end of the script or to the ')' that ends $( ).
    void Code(bool nested)
    {
        Deeper();
        var (outerTest, outerCommand) = (_test, _command);
        (_test, _command) = (-1, new());
        // Open parentheses, and whether each holds the elements of an array.
        var (parens, cases) = (new Stack<bool>(), 0);
        var (wordStarts, commandStarts) = (true, true);
        while (!script.AtEnd)
        {
            var c = script.Peek();
            if (wordStarts && !" \t\n;&|()<>".Contains(c)) _command.Begin(script.Position);
            switch (c)
            {
                case ' ' or '\t': script.Copy(); wordStarts = true; continue;
                case '\n' or ';' or '&' or '|':
                    script.Copy();
                    _command = new();
                    if (c == '\n') Heredocs();
                    (wordStarts, commandStarts) = (true, true);
                    continue;
                case '#' when wordStarts: Comment(); continue;
                case '(' when bash && commandStarts && script.Peek(1) == '(': script.Copy(2); Arithmetic('(', ')', 2); break;
                case '(':
                    parens.Push(script.Position > 0 && script.Text[script.Position - 1] == '=');
                    if (parens.Peek()) _command.InArray = true;
                    else _command = new();
                    script.Copy();
                    (wordStarts, commandStarts) = (true, true);
                    continue;
                case ')':
                    script.Copy();
                    if (parens.Count == 0 && cases == 0 && nested) { (_test, _command) = (outerTest, outerCommand); _depth--; return; }
                    if (!parens.TryPop(out var wasArray) || !wasArray) _command = new();
                    _command.InArray = false;
                    (wordStarts, commandStarts) = (true, true);
                    continue;
                case '<' when script.At("<<<"): script.Copy(3); _command.Redirects(); wordStarts = true; continue;
                case '<' when script.At("<<"): HeredocStart(); break;
                case '<' or '>': script.Copy(); _command.Redirects(); wordStarts = true; continue;
                case '\\': Escaped(); break;
                case '\'': SingleQuoted(); break;
                case '"': DoubleQuoted(); break;
                case '`': BackQuoted(); break;
                case '$': Dollar(inQuotes: false); break;
                case '\0': script.Insert(InSubscript(parens.TryPeek(out var isArray) && isArray) ? SlotUse.Number : Use(SlotUse.Bare)); break;
                default:
                    var word = Word();
                    var isWhole = wordStarts && (script.AtEnd || " \t\n;&|()<>".Contains(script.Peek()));
                    if (isWhole && commandStarts && word is "case") cases++;
                    if (isWhole && commandStarts && word is "esac" && cases > 0) cases--;
                    if (bash && isWhole && commandStarts && word is "[[") _test = script.Position;
                    if (isWhole && word is "]]") _test = -1;
                    if (isWhole) _command.Whole(word);
                    _hasIntegers |= _command.MakesIntegers;
                    (wordStarts, commandStarts) = (false, commandStarts && isWhole && CommandFollows.Contains(word));
                    continue;
            }
            (wordStarts, commandStarts) = (false, false);
        }
        _depth--;
    }

    string Word()
    {
        var from = script.Position;
        do script.Copy();
        while (!script.AtEnd && !Special.Contains(script.Peek()));
        return script.Text[from..script.Position];
    }

    // How an expression is put in here, whose place in the text would make it 'plain'.
    SlotUse Use(SlotUse plain)
    {
        if (_command.TakesName(script.Text, script.Position))
            throw script.Error("An expression cannot be a variable's name here: bash would run the command in 'a[$(command)]'. Write the name, and put the expression into the value.");
        if (!_command.Computes && !(_hasIntegers && _command.Assigns(script.Text, script.Position)) && !Compares()) return plain;
        return plain is SlotUse.Bare or SlotUse.Quoted ? SlotUse.Number : throw script.Error("Bash computes with what stands here: put the expression into double quotes instead.");
    }

    // Both sides of -eq and its like are evaluated.
    bool Compares()
    {
        if (_test < 0) return false;
        var (text, here) = (script.Text, script.Position);
        var from = TestEnds.Max(end => Math.Max(text.LastIndexOf(end, here, StringComparison.Ordinal), _test));
        var to = TestEnds.Min(end => text.IndexOf(end, here, StringComparison.Ordinal) is >= 0 and var at ? at : text.Length);
        return ComputingTests.Any(test => text.AsSpan(from, to - from).Contains(test, StringComparison.Ordinal));
    }

    // name[…, and [… among the elements of an array: the subscript of an indexed array is computed.
    bool InSubscript(bool isElement)
    {
        if (!bash) return false;
        var from = script.Position;
        while (from > 0 && !" \t\n;&|()<>'\"`$\\=".Contains(script.Text[from - 1])) from--;
        var word = script.Text.AsSpan(from, script.Position - from);
        var bracket = word.IndexOf('[');
        return (bracket > 0 ? ExpressionLexer.IsName(word[..bracket].ToString()) : bracket == 0 && isElement) && !word[bracket..].Contains(']');
    }

    void Comment()
    {
        while (!script.AtEnd && script.Peek() != '\n')
        {
            if (script.Peek() == '\0') script.Insert(SlotUse.Comment);
            else script.Copy();
        }
    }

    void Escaped()
    {
        if (script.Peek(1) == '\0') throw script.Error("A backslash directly before ${{ would quote the variable instead of the value: remove it.");
        script.Copy(2);
    }

    void SingleQuoted()
    {
        script.Copy();
        while (!script.AtEnd)
        {
            if (script.Peek() == '\0') script.Insert(Use(SlotUse.SingleQuoted));
            else if (script.Peek() != '\'') script.Copy();
            else { script.Copy(); return; }
        }
    }

    void DollarQuoted()
    {
        script.Copy(2);
        while (!script.AtEnd)
        {
            if (script.Peek() == '\0') script.Insert(Use(SlotUse.DollarQuoted));
            else if (script.Peek() == '\\') Escaped();
            else if (script.Peek() != '\'') script.Copy();
            else { script.Copy(); return; }
        }
    }

    void DoubleQuoted()
    {
        Deeper();
        script.Copy();
        while (!script.AtEnd && script.Peek() != '"') InsideQuotes();
        script.Copy();
        _depth--;
    }

    // One piece of a double-quoted text or of an unquoted heredoc.
    void InsideQuotes()
    {
        switch (script.Peek())
        {
            case '\\': Escaped(); break;
            case '`': BackQuoted(); break;
            case '$': Dollar(inQuotes: true); break;
            case '\0': script.Insert(Use(SlotUse.Quoted)); break;
            default: script.Copy(); break;
        }
    }

    void BackQuoted()
    {
        script.Copy();
        while (!script.AtEnd && script.Peek() != '`')
        {
            if (script.Peek() == '\0') throw script.Error("An expression cannot stand inside `…`: write $(…) instead.");
            script.Copy(script.Peek() == '\\' && script.Peek(1) != '\0' ? 2 : 1);
        }
        script.Copy();
    }

    void Dollar(bool inQuotes)
    {
        switch (script.Peek(1))
        {
            case '\0': throw script.Error("A '$' directly before ${{ would change the variable's name: write '\\$' or put the '$' into single quotes.");
            case '(' when script.Peek(2) == '(': script.Copy(3); Arithmetic('(', ')', 2); break;
            case '(': script.Copy(2); Code(nested: true); break;
            case '[' when bash: script.Copy(2); Arithmetic('[', ']', 1); break;
            case '{': Braces(inQuotes); break;
            case '\'' when !inQuotes && bash: DollarQuoted(); break;
            case '\'' when !inQuotes && script.Text.AsSpan(script.Position + 2) is var rest && rest.IndexOf('\0') is >= 0 and var slot && slot < (uint)rest.IndexOf('\''):
                throw script.Error("sh has no $'…' that all its versions agree on: use another kind of quote here, or 'shell: bash'.");
            case var c when c is '#' or '?' or '@' or '*' or '!' or '$' or '-' || char.IsAsciiDigit(c): script.Copy(2); break;
            default: script.Copy(); break;
        }
    }

    void Arithmetic(char open, char close, int depth)
    {
        Deeper();
        while (!script.AtEnd && depth > 0)
        {
            var c = script.Peek();
            if (c == '\0') script.Insert(SlotUse.Number);
            else if (c == '$') Dollar(inQuotes: true);
            else if (c == '`') BackQuoted();
            else if (c == '\\') Escaped();
            else
            {
                depth += c == open ? 1 : c == close ? -1 : 0;
                script.Copy();
            }
        }
        _depth--;
    }

    // ${name…}: an expression may stand only in the word behind - = ? +, where a value is just a value.
    void Braces(bool inQuotes)
    {
        Deeper();
        script.Copy(2);
        while (char.IsAsciiLetterOrDigit(script.Peek()) || script.Peek() == '_') script.Copy();
        var isWord = script.Peek() is '-' or '=' or '?' or '+' || (script.Peek() == ':' && script.Peek(1) is '-' or '=' or '?' or '+');
        while (!script.AtEnd && script.Peek() != '}')
        {
            if (script.Peek() == '\0' && !isWord)
                throw script.Error("An expression cannot stand inside ${…} here: assign it to a variable first (x=${{ … }}) and use that.");
            if (script.Peek() == '"') DoubleQuoted();
            else if (script.Peek() == '\'' && !inQuotes) SingleQuoted();
            else if (script.Peek() == '\0' && !inQuotes) script.Insert(Use(SlotUse.Bare));
            else if (script.Peek() == '$') Dollar(inQuotes);
            else InsideQuotes();
        }
        script.Copy();
        _depth--;
    }

    void HeredocStart()
    {
        script.Copy(2);
        var stripsTabs = script.Peek() == '-';
        if (stripsTabs) script.Copy();
        while (script.Peek() is ' ' or '\t') script.Copy();
        var delimiter = new StringBuilder();
        var quote = '\0';
        var isQuoted = false;
        while (!script.AtEnd && (quote != '\0' || !" \t\n;&|()<>".Contains(script.Peek())))
        {
            var c = script.Peek();
            if (c == '\0') throw script.Error("An expression cannot be the end word of a heredoc.");
            if (c == quote) quote = '\0';
            else if (quote == '\0' && c is '\'' or '"') (quote, isQuoted) = (c, true);
            else if (quote == '\0' && c == '\\') isQuoted = true;
            else delimiter.Append(c);
            script.Copy();
        }
        if (delimiter.Length > 0 || isQuoted) _heredocs.Enqueue((delimiter.ToString(), isQuoted, stripsTabs));
    }

    // Bodies follow the line that announced them. The shell looks for the end word before it looks at anything else.
    void Heredocs()
    {
        while (_heredocs.TryDequeue(out var heredoc))
        {
            var (outerEnd, text) = (script.End, script.Text);
            var (end, next, joined) = (script.Position, script.Position, false);
            while (next < outerEnd)
            {
                end = next;
                var lineEnd = text.IndexOf('\n', end, outerEnd - end);
                if (lineEnd < 0) lineEnd = outerEnd;
                next = Math.Min(lineEnd + 1, outerEnd);
                var line = text.AsSpan(end, lineEnd - end);
                if (!joined && (heredoc.StripsTabs ? line.TrimStart('\t') : line).SequenceEqual(heredoc.Delimiter)) break;
                joined = !heredoc.IsQuoted && (line.Length - line.TrimEnd('\\').Length) % 2 == 1;
                end = next;
            }
            script.End = end;
            while (!script.AtEnd)
            {
                if (!heredoc.IsQuoted) InsideQuotes();
                else if (script.Peek() != '\0') script.Copy();
                else throw script.Error($"The heredoc's end word is quoted, so the shell would not put the value in: write <<{heredoc.Delimiter} without quotes (and \\$ for a plain $).");
            }
            script.End = outerEnd;
            script.Copy(next - end);
        }
    }

    void Deeper()
    {
        if (++_depth > MaxDepth) throw script.Error($"The script nests quotes and brackets more than {MaxDepth} levels deep: move a part of it into a file.");
    }
}
