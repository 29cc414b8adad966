using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Pawl.Yaml;

/// <summary>Reads what a step wrote to <c>$PAWL_OUTPUT</c>: lines <c>name=value</c>, blocks <c>name&lt;&lt;EOF</c> … <c>EOF</c>, or one JSON object.</summary>
internal static class ShellOutputs
{
    /// <summary>Largest file in bytes.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    static readonly JsonDocumentOptions s_strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };
    static readonly JsonWriterOptions s_relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The outputs as a JSON object: of lines all values are texts and the last of a name counts, JSON stays as it was written.</summary>
    /// <exception cref="FormatException">The file is not valid; the message names the line and the mend.</exception>
    public static RawJson Parse(ReadOnlyMemory<byte> file)
    {
        var bytes = file.Span.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? file[3..] : file;
        bytes = bytes.TrimEnd(" \t\r\n"u8);
        if (bytes.Length == 0) return new RawJson("{}"u8.ToArray());
        if (bytes.Span[0] == '{') return Json(bytes);
        try
        {
            return Lines(s_utf8.GetString(bytes.Span));
        }
        catch (DecoderFallbackException)
        {
            throw new FormatException("$PAWL_OUTPUT is not valid UTF-8. Write binary data to a file and output its path.");
        }
    }

    static RawJson Json(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes, s_strict);
            return new RawJson(bytes.ToArray());
        }
        catch (JsonException error)
        {
            // The parser's own message may quote the text, which may hold a secret.
            var place = error.LineNumber is { } line ? $" (line {line + 1}, byte {error.BytePositionInLine + 1})" : "";
            throw new FormatException($"$PAWL_OUTPUT begins with '{{' and so must be one JSON object, without double keys and at most 64 levels deep; it is not{place}.");
        }
    }

    static RawJson Lines(string text)
    {
        var values = new Dictionary<string, string>();
        var lines = text.Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].TrimEnd('\r');
            if (line.Length == 0) continue;
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            var block = line.IndexOf("<<", StringComparison.Ordinal);
            if (block >= 0 && (equals < 0 || block < equals)) values[Name(line[..block], i)] = Block(lines, ref i, line[(block + 2)..]);
            else if (equals >= 0) values[Name(line[..equals], i)] = line[(equals + 1)..];
            else throw Bad(i, "is neither 'name=value' nor the beginning of a block 'name<<EOF'. A value of several lines needs a block, or JSON");
        }
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, s_relaxed))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in values) writer.WriteString(name, value);
            writer.WriteEndObject();
        }
        return new RawJson(buffer.WrittenMemory);
    }

    static string Block(string[] lines, ref int i, string delimiter)
    {
        var first = i;
        if (delimiter.Length == 0) throw Bad(first, "begins a block without an end word: write 'name<<EOF'");
        var to = first + 1;
        while (to < lines.Length && lines[to].TrimEnd('\r') != delimiter) to++;
        if (to == lines.Length) throw Bad(first, "begins a block, and no later line is just its end word");
        i = to;
        return string.Join('\n', lines[(first + 1)..to]);
    }

    static string Name(string name, int line)
    {
        if (ExpressionLexer.IsName(name)) return name;
        throw Bad(line, name.Trim().Length != name.Length
            ? "has white space around its name: write 'name=value' without spaces"
            : "has no valid name: use letters, digits, '_' and '-', beginning with a letter or '_'");
    }

    // The line itself is not shown: it may hold a secret.
    static FormatException Bad(int line, string why) => new($"Line {line + 1} of $PAWL_OUTPUT {why}.");
}
