using System.Text;

namespace Pawl.Cli;

/// <summary>Enum members as the words of files and output: snake_case.</summary>
static class Words
{
    public static string Of<T>(T value) where T : struct, Enum
    {
        var name = value.ToString();
        var text = new StringBuilder(name.Length + 4);
        foreach (var c in name)
        {
            if (char.IsAsciiLetterUpper(c) && text.Length > 0) text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }
        return text.ToString();
    }

    public static T Parse<T>(string what, string text) where T : struct, Enum
    {
        var words = Enum.GetValues<T>().Select(Of).ToList();
        var index = words.IndexOf(text);
        return index >= 0 ? Enum.GetValues<T>()[index] : throw new UsageException($"'{text}' is no {what}.{Nearest.Hint(text, words)} Use one of: {string.Join(", ", words)}.");
    }
}
