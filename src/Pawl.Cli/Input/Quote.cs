namespace Pawl.Cli.Input;

/// <summary>Words as a POSIX shell reads them back.</summary>
static class Quote
{
    public static string Line(IEnumerable<string> words) => string.Join(' ', words.Select(Word));

    static string Word(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/' or ':' or '=' or '@' or ',' or '+' or '%') ? word : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
