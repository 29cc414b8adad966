namespace Pawl.Yaml;

/// <summary>The shells a step can be written for.</summary>
internal enum ShellKind { Bash, Sh, Pwsh }

/// <summary>Where an expression stands in a script, and so how its variable is written.</summary>
internal enum SlotUse
{
    /// <summary>Outside of quotes.</summary>
    Bare,
    /// <summary>Where quotes are already open or are plain characters.</summary>
    Quoted,
    /// <summary>Between single quotes.</summary>
    SingleQuoted,
    /// <summary>Inside <c>$'…'</c>.</summary>
    DollarQuoted,
    /// <summary>Where the shell computes: text would be evaluated, so only whole numbers are let through.</summary>
    Number,
    /// <summary>In a comment: left out, and never evaluated.</summary>
    Comment,
}

/// <summary>A variable of a compiled script.</summary>
internal sealed record ShellSlot(string Variable, Expression Expression, SlotUse Use);

/// <summary>A script in which every <c>${{ … }}</c> has become a reference to an environment variable, so that no value can become code. Immutable.</summary>
internal sealed class ShellScript
{
    ShellScript(ShellKind shell, string text, IReadOnlyList<ShellSlot> slots) => (Shell, Text, Slots) = (shell, text, slots);

    public ShellKind Shell { get; }

    public string Text { get; }

    public IReadOnlyList<ShellSlot> Slots { get; }

    /// <exception cref="ExpressionException">An expression stands where no variable can be referred to; the offset counts from the template's beginning.</exception>
    public static ShellScript Compile(Template template, ShellKind shell)
    {
        if (template.Text.Contains('\0')) throw new ExpressionException("A script cannot contain a zero character.", template.Text, template.Text.IndexOf('\0', StringComparison.Ordinal));
        if (template.IsPlain) return new ShellScript(shell, template.Text, []);
        var script = new ScriptWriter(template, shell);
        if (shell == ShellKind.Pwsh) new PwshQuoting(script).Write();
        else new ShQuoting(script, shell == ShellKind.Bash).Write();
        return new ShellScript(shell, script.ToString(), script.Slots);
    }

    /// <summary>The variables with their values. A value that the shell would compute must be a whole number.</summary>
    /// <exception cref="ExpressionException">See <see cref="Expression.Evaluate"/>.</exception>
    public IReadOnlyDictionary<string, string> Bind(IExpressionScope scope)
    {
        var values = new Dictionary<string, string>();
        foreach (var slot in Slots)
        {
            if (slot.Use == SlotUse.Comment) continue;
            var text = slot.Expression.Evaluate(scope).AsText();
            if (slot.Use == SlotUse.Number && !IsWholeNumber(text))
                throw new ExpressionException("The shell computes at this place, so the value must be a whole number, and it is none.", slot.Expression.Text, 0);
            if (WhyNotInEnvironment(text) is { } why) throw new ExpressionException($"The value cannot be given to the script: {why}", slot.Expression.Text, 0);
            values[slot.Variable] = text;
        }
        return values;
    }

    /// <summary>Why a text cannot be the value of an environment variable, or null.</summary>
    internal static string? WhyNotInEnvironment(string value)
    {
        // Linux takes 128 KiB for name and value together.
        const int limit = 130_000;
        if (value.Contains('\0')) return "it contains a zero character.";
        var bytes = System.Text.Encoding.UTF8.GetByteCount(value);
        return bytes <= limit ? null : $"it has {bytes} bytes, and an environment variable holds at most {limit}. Let the step that makes it write it to a file and output the file's path.";
    }

    static bool IsWholeNumber(string text)
    {
        var digits = text.StartsWith('-') ? text.AsSpan(1) : text;
        return digits.Length is > 0 and <= 18 && !digits.ContainsAnyExceptInRange('0', '9');
    }
}

/// <summary>Reads a template with a zero character at the place of each expression, and writes the script.</summary>
internal sealed class ScriptWriter
{
    readonly System.Text.StringBuilder _script = new();
    readonly List<TemplatePart> _expressions;
    readonly string _source;
    readonly ShellKind _shell;

    public ScriptWriter(Template template, ShellKind shell)
    {
        _source = template.Text;
        _shell = shell;
        _expressions = [.. template.Parts.Where(part => part.Expression is not null)];
        Text = string.Concat(template.Parts.Select(part => part.Expression is null ? part.Text : "\0"));
        End = Text.Length;
    }

    /// <summary>The template with its expressions as zero characters.</summary>
    public string Text { get; }

    /// <summary>The next character.</summary>
    public int Position { get; private set; }

    /// <summary>Where reading stops.</summary>
    public int End { get; set; }

    public List<ShellSlot> Slots { get; } = [];

    public bool AtEnd => Position >= End;

    public char Peek(int ahead = 0) => Position + ahead < End ? Text[Position + ahead] : '\n';

    public bool At(string word) => Position + word.Length <= End && string.CompareOrdinal(Text, Position, word, 0, word.Length) == 0;

    public void Copy(int count = 1)
    {
        for (var stop = Math.Min(Position + count, End); Position < stop; Position++) _script.Append(Text[Position]);
    }

    /// <summary>Writes the reference to the expression at this place.</summary>
    public void Insert(SlotUse use)
    {
        var slot = new ShellSlot($"PAWL_EXPR_{Slots.Count + 1}", _expressions[Slots.Count].Expression!, use);
        Slots.Add(slot);
        Position++;
        var reference = _shell == ShellKind.Pwsh ? $"${{env:{slot.Variable}}}" : $"${{{slot.Variable}}}";
        _script.Append(use switch
        {
            SlotUse.Bare => $"\"{reference}\"",
            SlotUse.SingleQuoted => $"'\"{reference}\"'",
            SlotUse.DollarQuoted => $"'\"{reference}\"$'",
            SlotUse.Comment => "",
            _ => reference,
        });
    }

    /// <summary>The error for the next expression.</summary>
    public ExpressionException Error(string problem)
    {
        var offset = Slots.Count < _expressions.Count ? _expressions[Slots.Count].Offset : 0;
        return new ExpressionException(problem, _source, offset);
    }

    public override string ToString() => _script.ToString();
}
