using System.Text;
using System.Text.Unicode;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Pawl.Yaml;

/// <summary>Text → nodes, from a stream of events, with every limit checked before anything is built. Never recursive.</summary>
internal static class YamlReader
{
    public const int MaxBytes = 1024 * 1024;
    public const int MaxDepth = 64;
    const int MaxEvents = 100_000;

    /// <summary>The document, or null when it could not be read; the problems say why.</summary>
    public static YamlNode? Read(string text, ProblemList problems)
    {
        if (Encoding.UTF8.GetByteCount(text) > MaxBytes)
        {
            problems.Error(1, 1, $"The file is larger than {MaxBytes / 1024} KiB.", "Put long scripts into files of their own, and call them.");
            return null;
        }
        return CheckCharacters(text, problems) ? new Builder(problems).Build(text) : null;
    }

    /// <summary>The text of a file's bytes.</summary>
    /// <exception cref="WorkflowFileException">They are not UTF-8.</exception>
    public static string Decode(ReadOnlySpan<byte> bytes, string path)
    {
        // A file that is too large was cut, perhaps in the middle of a character; its size is reported, not that.
        if (bytes.Length <= MaxBytes && Utf8.IsValid(bytes) is false)
        {
            var before = bytes[..ValidLength(bytes)];
            var line = before.Count((byte)'\n') + 1;
            var column = Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]) + 1;
            throw new WorkflowFileException([new WorkflowProblem(path, line, column, "The file is not valid UTF-8.", "Save it as UTF-8 text.")]);
        }
        return Encoding.UTF8.GetString(bytes);
    }

    static int ValidLength(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(bytes[at..], out _, out var length) == System.Buffers.OperationStatus.Done) at += length;
        return at;
    }

    static bool CheckCharacters(string text, ProblemList problems)
    {
        var (line, start) = (1, 0);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\n') (line, start) = (line + 1, i + 1);
            var isPair = char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]);
            if (c is '\t' or '\n' or '\r' || (!char.IsControl(c) && !char.IsSurrogate(c) && c is not ('\uFFFE' or '\uFFFF' or '\uFEFF'))) continue;
            if (isPair) i++;
            else
            {
                problems.Error(line, i - start + 1, $"The character U+{(int)c:X4} cannot be in a workflow file.", "Is it a text file in UTF-8?");
                return false;
            }
        }
        return true;
    }

    sealed class Builder(ProblemList problems)
    {
        // What is open, innermost last, and the key that waits for its value.
        readonly List<(YamlNode Node, YamlScalar? Key)> _open = [];
        YamlNode? _root;
        int _documents;

        public YamlNode? Build(string text)
        {
            try
            {
                var parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
                for (var count = 1; parser.MoveNext(); count++)
                {
                    var happened = parser.Current!;
                    if (!(count > MaxEvents ? Stop(happened, $"The file has more than {MaxEvents} parts.") : Take(happened))) return null;
                }
            }
            catch (YamlException error)
            {
                Report(error, text);
                return null;
            }
            catch (Exception error) when (error is ArgumentException or InvalidOperationException or OverflowException or FormatException or IndexOutOfRangeException or KeyNotFoundException)
            {
                problems.Error(1, 1, $"This is not valid YAML: {Clean(error.Message)}");
                return null;
            }
            if (_root is null) problems.Error(1, 1, "The file is empty.", "A workflow needs at least 'name' and 'steps'; 'pawl init' writes one that runs.");
            return _root;
        }

        bool Take(ParsingEvent happened)
        {
            if (happened is NodeEvent { Anchor.IsEmpty: false } or AnchorAlias)
                return Stop(happened, "Anchors and aliases ('&' and '*') are not allowed in a workflow file.", "Write the value out, use 'defaults', or quote the text if the sign belongs to it.");
            if (happened is NodeEvent { Tag.IsEmpty: false } tagged)
                return Stop(happened, $"The tag '{Printable(tagged.Tag.Value)}' is not allowed in a workflow file.", "Quote the text if the '!' belongs to it.");
            switch (happened)
            {
                case DocumentStart when ++_documents > 1:
                    return Stop(happened, "The file holds more than one document ('---').", "Put each workflow into a file of its own.");
                case MappingStart: return Begin(new YamlMapping(Line(happened), Column(happened)));
                case SequenceStart: return Begin(new YamlSequence(Line(happened), Column(happened)));
                case MappingEnd or SequenceEnd:
                    var ended = _open[^1].Node;
                    _open.RemoveAt(_open.Count - 1);
                    return Put(ended);
                case YamlDotNet.Core.Events.Scalar scalar:
                    return Put(new YamlScalar(scalar.Value, StyleOf(scalar.Style), Line(happened), Column(happened)));
                default: return true;
            }
        }

        bool Begin(YamlNode node)
        {
            if (_open.Count >= MaxDepth)
            {
                problems.Error(node, $"The file is nested more than {MaxDepth} levels deep.");
                return false;
            }
            if (_open is [.., (YamlMapping, null)])
            {
                problems.Error(node, $"A key must be a simple text, not {node.Kind}.", "Quote it if it is one; a '${{ … }}' that begins a value needs quotes only before other text.");
                return false;
            }
            _open.Add((node, null));
            return true;
        }

        bool Put(YamlNode node)
        {
            if (_open.Count == 0) _root = node;
            else if (_open[^1].Node is YamlSequence list) list.Items.Add(node);
            else if (_open[^1].Key is null) _open[^1] = (_open[^1].Node, (YamlScalar)node);
            else
            {
                var (mapping, key) = _open[^1];
                if (((YamlMapping)mapping).Add(key!, node) is { } first)
                    problems.Error(key!, $"The key '{Printable(key!.Value)}' stands here twice; the first is at {first.Line}:{first.Column}.", "Remove one of the two.");
                _open[^1] = (mapping, null);
            }
            return true;
        }

        bool Stop(ParsingEvent at, string message, string? hint = null)
        {
            problems.Error(Line(at), Column(at), message, hint);
            return false;
        }

        void Report(YamlException error, string text)
        {
            var lines = text.Split('\n');
            var line = Math.Clamp((int)error.Start.Line, 1, lines.Length);
            // The library finds the tab and names the mapping around it.
            var tab = error.Message.Contains("tab", StringComparison.Ordinal) ? Array.FindIndex(lines, line - 1, one => one[..(one.Length - one.TrimStart().Length)].Contains('\t')) : -1;
            if (tab >= 0) problems.Error(tab + 1, lines[tab].IndexOf('\t', StringComparison.Ordinal) + 1, "This line is indented with a tab.", "YAML is indented with spaces.");
            else problems.Error(line, (int)Math.Max(1, error.Start.Column), $"This is not valid YAML: {Clean(error.Message)}", Hint(error.Message, lines[line - 1]));
        }

        static string? Hint(string message, string line) =>
            message.Contains("flow", StringComparison.Ordinal) && line.Contains("${{", StringComparison.Ordinal) ? "Inside { } and [ ], a text with ${{ }} needs quotes."
            : message.Contains("invalid mapping", StringComparison.Ordinal) ? "A text that contains ': ' needs quotes."
            : null;

        static string Clean(string message)
        {
            var text = Printable(message);
            var cut = text.StartsWith('(') ? text.IndexOf("): ", StringComparison.Ordinal) : -1;
            text = (cut < 0 ? text : text[(cut + 3)..]).TrimEnd('.', ' ');
            return text + ".";
        }

        static int Line(ParsingEvent at) => (int)at.Start.Line;

        static int Column(ParsingEvent at) => (int)at.Start.Column;

        static YamlStyle StyleOf(ScalarStyle style) => style switch
        {
            ScalarStyle.SingleQuoted or ScalarStyle.DoubleQuoted => YamlStyle.Quoted,
            ScalarStyle.Literal => YamlStyle.Literal,
            ScalarStyle.Folded => YamlStyle.Folded,
            _ => YamlStyle.Plain,
        };
    }

    /// <summary>A piece of the file, fit for a message.</summary>
    public static string Printable(string text) => ExpressionException.Printable(text.Length > 120 ? text[..120] + "…" : text);
}
