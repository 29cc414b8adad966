using System.Text;

namespace Pawl.Cli.Repl;

/// <summary>One line from a person: with editing and history on a terminal, plain from a pipe.</summary>
sealed class LineEditor(Caller caller)
{
    readonly List<string> _history = [];

    /// <summary>Ctrl+C was pressed instead of a line.</summary>
    public bool WasInterrupted { get; private set; }

    /// <returns>The line; null at the end of input, or when <see cref="WasInterrupted"/>.</returns>
    public string? Read(string prompt)
    {
        WasInterrupted = false;
        if (caller.CanAsk) return Edit(prompt);
        caller.Out.Write(prompt);
        var line = caller.In.ReadLine();
        // Behind a pipe nobody has pressed Enter.
        caller.Out.WriteLine(line);
        return line;
    }

    string? Edit(string prompt)
    {
        Console.TreatControlCAsInput = true;
        try
        {
            var line = new EditedLine(_history);
            while (true)
            {
                Draw(prompt, line);
                var key = Console.ReadKey(intercept: true);
                var isControl = key.Modifiers.HasFlag(ConsoleModifiers.Control);
                if (isControl && key.Key == ConsoleKey.C) WasInterrupted = true;
                if (WasInterrupted || (isControl && key.Key == ConsoleKey.D && line.Text.Length == 0))
                {
                    caller.Out.WriteLine();
                    return null;
                }
                if (key.Key == ConsoleKey.Enter)
                {
                    caller.Out.WriteLine();
                    if (line.Text.Trim().Length > 0 && (_history.Count == 0 || _history[^1] != line.Text)) _history.Add(line.Text);
                    return line.Text;
                }
                line.Press(key, isControl);
            }
        }
        finally
        {
            Console.TreatControlCAsInput = false;
        }
    }

    void Draw(string prompt, EditedLine line)
    {
        // The prompt's first sign is two columns wide.
        var room = Math.Max(10, caller.Width - prompt.Length - 2);
        var from = Math.Max(0, line.Cursor - room);
        var shown = line.Text[from..Math.Min(line.Text.Length, from + room)];
        var back = shown.Length - (line.Cursor - from);
        caller.Out.Write($"\r{prompt}{shown}\e[K{(back > 0 ? $"\e[{back}D" : "")}");
    }
}

/// <summary>A line while it is edited. Pure.</summary>
sealed class EditedLine(IReadOnlyList<string> history)
{
    readonly StringBuilder _text = new();
    int _at = history.Count;
    string _draft = "";

    public string Text => _text.ToString();

    public int Cursor { get; private set; }

    public void Press(ConsoleKeyInfo key, bool isControl)
    {
        switch (key.Key)
        {
            case ConsoleKey.LeftArrow: Cursor -= Cursor > 0 ? Before : 0; break;
            case ConsoleKey.RightArrow: Cursor += Cursor < _text.Length ? After : 0; break;
            case ConsoleKey.Home: Cursor = 0; break;
            case ConsoleKey.A when isControl: Cursor = 0; break;
            case ConsoleKey.End: Cursor = _text.Length; break;
            case ConsoleKey.E when isControl: Cursor = _text.Length; break;
            case ConsoleKey.U when isControl: Remove(0, Cursor); break;
            case ConsoleKey.K when isControl: Remove(Cursor, _text.Length - Cursor); break;
            case ConsoleKey.W when isControl: RemoveWord(); break;
            case ConsoleKey.Backspace when Cursor > 0: Remove(Cursor - Before, Before); break;
            case ConsoleKey.Delete when Cursor < _text.Length: Remove(Cursor, After); break;
            case ConsoleKey.UpArrow: Recall(_at - 1); break;
            case ConsoleKey.DownArrow: Recall(_at + 1); break;
            case var _ when !char.IsControl(key.KeyChar) && !isControl:
                _text.Insert(Cursor++, key.KeyChar);
                break;
        }
    }

    // A sign outside of the first plane is two of .NET's.
    int Before => Cursor > 1 && char.IsLowSurrogate(_text[Cursor - 1]) ? 2 : 1;

    int After => Cursor + 1 < _text.Length && char.IsHighSurrogate(_text[Cursor]) ? 2 : 1;

    void Remove(int from, int length)
    {
        _text.Remove(from, length);
        Cursor = from;
    }

    void RemoveWord()
    {
        var from = Cursor;
        while (from > 0 && _text[from - 1] == ' ') from--;
        while (from > 0 && _text[from - 1] != ' ') from--;
        Remove(from, Cursor - from);
    }

    void Recall(int at)
    {
        if (at < 0 || at > history.Count) return;
        if (_at == history.Count) _draft = Text;
        _at = at;
        _text.Clear().Append(at == history.Count ? _draft : history[at]);
        Cursor = _text.Length;
    }
}
