using System.Globalization;
using System.Text;

namespace Pawl.Yaml;

/// <summary>Whether a problem keeps the file from being used.</summary>
public enum ProblemSeverity
{
    /// <summary>The file cannot be used.</summary>
    Error,
    /// <summary>The file can be used, but a person should look.</summary>
    Warning,
}

/// <summary>One thing that is wrong in a workflow file.</summary>
/// <param name="File">The file; null when the text came from elsewhere.</param>
/// <param name="Line">From 1; 0 when the problem is the file itself.</param>
/// <param name="Column">From 1; 0 when the problem is the file itself.</param>
/// <param name="Message">What is wrong.</param>
/// <param name="Hint">What to do; null when the message says it.</param>
/// <param name="Severity">Error or warning.</param>
public sealed record WorkflowProblem(string? File, int Line, int Column, string Message, string? Hint = null, ProblemSeverity Severity = ProblemSeverity.Error)
{
    /// <summary><c>file:line:column: error: message hint</c>, the form that editors and terminals make a link of.</summary>
    public override string ToString()
    {
        var text = new StringBuilder(File);
        if (Line > 0) text.Append(CultureInfo.InvariantCulture, $"{(File is null ? "" : ":")}{Line}:{Column}");
        if (text.Length > 0) text.Append(": ");
        return text.Append(Severity == ProblemSeverity.Error ? "error: " : "warning: ").Append(Message).Append(Hint is null ? "" : " ").Append(Hint).ToString();
    }
}

/// <summary>The workflow file cannot be used.</summary>
public sealed class WorkflowFileException : PawlException
{
    const int MostShown = 20;

    /// <summary>Makes the exception from what was found.</summary>
    public WorkflowFileException(IReadOnlyList<WorkflowProblem> problems) : base(Text(problems)) => Problems = problems;

    /// <summary>Every problem found, in the order of the file.</summary>
    public IReadOnlyList<WorkflowProblem> Problems { get; }

    static string Text(IReadOnlyList<WorkflowProblem> problems)
    {
        var lines = problems.Take(MostShown).Select(problem => problem.ToString());
        return string.Join('\n', problems.Count > MostShown ? lines.Append($"… and {problems.Count - MostShown} more") : lines);
    }
}
