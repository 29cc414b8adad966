namespace Pawl.Yaml;

/// <summary>Collects what is wrong in one file, so that a person sees everything at once.</summary>
internal sealed class ProblemList(string? file, string text)
{
    // A megabyte of nonsense has a problem in every line; nobody reads them all.
    const int Most = 100;

    readonly List<WorkflowProblem> _items = [];
    readonly List<WorkflowProblem> _others = [];
    string[]? _lines;

    public string? File => file;

    public bool HasErrors => _items.Concat(_others).Any(item => item.Severity == ProblemSeverity.Error);

    public IReadOnlyList<WorkflowProblem> Items => [.. _items.OrderBy(item => item.Line).ThenBy(item => item.Column), .. _others];

    public void Error(YamlNode at, string message, string? hint = null) => Add(at.Line, at.Column, message, hint, ProblemSeverity.Error);

    public void Warn(YamlNode at, string message, string? hint = null) => Add(at.Line, at.Column, message, hint, ProblemSeverity.Warning);

    public void Error(int line, int column, string message, string? hint = null) => Add(line, column, message, hint, ProblemSeverity.Error);

    /// <summary>An error inside a text.</summary>
    /// <param name="at">The text.</param>
    /// <param name="offset">Where in its value, from 0.</param>
    /// <param name="message">What is wrong.</param>
    /// <param name="hint">What to do.</param>
    public void Error(YamlScalar at, int offset, string message, string? hint = null)
    {
        var (line, column) = Place(at, offset);
        Error(line, column, message, hint);
    }

    /// <summary>Problems of a file that this one uses.</summary>
    public void AddFrom(IEnumerable<WorkflowProblem> others) => _others.AddRange(others);

    void Add(int line, int column, string message, string? hint, ProblemSeverity severity)
    {
        var problem = new WorkflowProblem(file, line, column, message, string.IsNullOrWhiteSpace(hint) ? null : hint.Trim(), severity);
        // What stands in 'defaults' is looked at once for each step that has it.
        if (_items.Count < Most && !_items.Contains(problem)) _items.Add(problem);
    }

    /// <summary>The place in the file of a character of a value: exact where the file shows the value as it is, otherwise where the value begins.</summary>
    (int Line, int Column) Place(YamlScalar at, int offset)
    {
        _lines ??= text.Split('\n');
        var before = at.Value.AsSpan(0, Math.Clamp(offset, 0, at.Value.Length));
        var line = at.Line;
        if (at.Style == YamlStyle.Literal) line += 1 + before.Count('\n');
        else if (at.Value.Contains('\n')) return (at.Line, at.Column);
        var from = before.LastIndexOf('\n') + 1;
        var end = at.Value.IndexOf('\n', from);
        var shown = at.Value[from..(end < 0 ? at.Value.Length : end)];
        var start = line > _lines.Length ? -1 : _lines[line - 1].IndexOf(shown, at.Style == YamlStyle.Literal ? 0 : Math.Min(at.Column - 1, _lines[line - 1].Length), StringComparison.Ordinal);
        return start < 0 ? (at.Line, at.Column) : (line, start + before.Length - from + 1);
    }
}
