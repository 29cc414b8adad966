using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Pawl.Storage;

/// <summary>Records to journal lines and back. The format is described at <see cref="Checkpoint"/>.</summary>
static class CheckpointCodec
{
    /// <summary>The journal format this program writes, and the newest it reads.</summary>
    public const int Format = 1;

    const int HashBytes = 16;
    const int HashChars = HashBytes * 2;
    static readonly byte[] HashMember = ",\"hash\":\""u8.ToArray();
    // Nothing but the record's own member can stand so at the end of a line's content: a nested one is followed by its object's end.
    static readonly byte[] MoreMember = ",\"more\":true"u8.ToArray();
    static readonly int TailLength = HashMember.Length + HashChars + "\"}".Length;
    static readonly string[] Kinds = [.. Enum.GetNames<CheckpointKind>().Select(name => name.ToLowerInvariant())];
    static readonly string[] StepStatuses = [.. Enum.GetNames<StepStatus>().Select(name => name.ToLowerInvariant())];
    static readonly string[] Causes = [.. Enum.GetNames<SkipCause>().Select(name => name.ToLowerInvariant())];
    static readonly string[] Classes = [.. Enum.GetNames<ErrorClass>().Select(name => name.ToLowerInvariant())];

    // The bytes were checked when they became JSON; checking them again would double the cost of a large output.
    static readonly JsonWriterOptions WriterOptions = new() { SkipValidation = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = 128 };
    [ThreadStatic] static ArrayBufferWriter<byte>? s_buffer;
    [ThreadStatic] static Utf8JsonWriter? s_writer;

    /// <summary>Makes the draft record <paramref name="seq"/>: sets its line and hash, chained to the line before it.</summary>
    public static Checkpoint Encode(Checkpoint draft, long seq, bool more, string prevHash)
    {
        var buffer = s_buffer ??= new ArrayBufferWriter<byte>(1024);
        if (buffer.Capacity > 1 << 20) buffer = s_buffer = new ArrayBufferWriter<byte>(1024);
        buffer.ResetWrittenCount();
        // The previous hash stands before the line only while it is hashed: one span, no copy.
        Encoding.ASCII.GetBytes(prevHash, buffer);
        var start = buffer.WrittenCount;
        var writer = s_writer ??= new Utf8JsonWriter(buffer, WriterOptions);
        writer.Reset(buffer);
        WriteMembers(writer, draft, seq, more);
        writer.Flush();
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(buffer.WrittenSpan, digest);
        var hash = Convert.ToHexStringLower(digest[..HashBytes]);
        buffer.Write(HashMember);
        Encoding.ASCII.GetBytes(hash, buffer);
        buffer.Write("\"}"u8);
        (draft.Seq, draft.More, draft.Hash, draft.Line, draft.ChainedTo) = (seq, more, hash, buffer.WrittenSpan[start..].ToArray(), prevHash);
        return draft;
    }

    /// <summary>The same record behind another one: its line as it was written, but for its end.</summary>
    public static Checkpoint Rechain(Checkpoint record, bool more, string prevHash)
    {
        var content = record.Line.Span[..^TailLength];
        if (content.EndsWith(MoreMember)) content = content[..^MoreMember.Length];
        // The previous hash stands before the line only while it is hashed.
        var (start, end) = (prevHash.Length, prevHash.Length + content.Length + (more ? MoreMember.Length : 0));
        var bytes = new byte[end + TailLength];
        Encoding.ASCII.GetBytes(prevHash, bytes);
        content.CopyTo(bytes.AsSpan(start));
        if (more) MoreMember.CopyTo(bytes, end - MoreMember.Length);
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(bytes.AsSpan(0, end), digest);
        var hash = Convert.ToHexStringLower(digest[..HashBytes]);
        HashMember.CopyTo(bytes, end);
        Encoding.ASCII.GetBytes(hash, bytes.AsSpan(end + HashMember.Length));
        "\"}"u8.CopyTo(bytes.AsSpan(bytes.Length - 2));
        return record with { More = more, Hash = hash, Line = bytes.AsMemory(start), ChainedTo = prevHash };
    }

    static void WriteMembers(Utf8JsonWriter w, Checkpoint r, long seq, bool more)
    {
        w.WriteStartObject();
        w.WriteNumber("seq"u8, seq);
        w.WriteString("kind"u8, Kinds[(int)r.Kind]);
        w.WriteString("at"u8, r.At.UtcDateTime);
        if (r.Path is not null) w.WriteString("path"u8, r.Path);
        if (r.Status is { } status) w.WriteString("status"u8, StepStatuses[(int)status]);
        if (r.Attempt > 0) w.WriteNumber("attempt"u8, r.Attempt);
        if (r.Duration > TimeSpan.Zero) w.WriteNumber("ms"u8, Math.Round(r.Duration.TotalMilliseconds, 3));
        if (r.Reason is not null) w.WriteString("reason"u8, r.Reason);
        if (r.Cause != SkipCause.None) w.WriteString("cause"u8, Causes[(int)r.Cause]);
        if (r.Token > 0) w.WriteNumber("token"u8, r.Token);
        if (r.Tolerated) w.WriteBoolean("tolerated"u8, true);
        if (r.Error is { } error)
        {
            w.WriteStartObject("error"u8);
            w.WriteString("type"u8, error.Type);
            w.WriteString("message"u8, error.Message);
            w.WriteString("class"u8, Classes[(int)error.Class]);
            if (error.Detail is not null) w.WriteString("detail"u8, error.Detail);
            w.WriteEndObject();
        }
        Raw(w, "output"u8, r.Output);
        if (r.OutputRef is { } output)
        {
            w.WriteStartObject("output_ref"u8);
            w.WriteString("sha256"u8, output.Sha256);
            w.WriteNumber("bytes"u8, output.Bytes);
            w.WriteEndObject();
        }
        Raw(w, "state"u8, r.State);
        Raw(w, "metrics"u8, r.Metrics);
        Raw(w, "inputs"u8, r.Inputs);
        Raw(w, "progress"u8, r.Progress);
        Raw(w, "data"u8, r.Data);
        if (more) w.WriteBoolean("more"u8, true);
    }

    static void Raw(Utf8JsonWriter w, ReadOnlySpan<byte> name, ReadOnlyMemory<byte> json)
    {
        if (json.IsEmpty) return;
        w.WritePropertyName(name);
        w.WriteRawValue(json.Span, skipInputValidation: true);
    }

    /// <summary>Reads one line and checks its hash. The record's raw members are slices of the line.</summary>
    public static bool TryDecode(ReadOnlyMemory<byte> line, string prevHash, [NotNullWhen(true)] out Checkpoint? record, [NotNullWhen(false)] out string? error)
    {
        record = null;
        var span = line.Span;
        if (span.Length <= TailLength || span[^1] != '}' || !span[^TailLength..].StartsWith(HashMember))
        {
            error = "the line does not end with its hash";
            return false;
        }
        var written = span.Slice(span.Length - HashChars - 2, HashChars);
        var content = span[..^TailLength];
        if (!HashMatches(prevHash, content, written))
        {
            error = "the hash does not fit the line and the one before it";
            return false;
        }
        return TryRead(line, out record, out error);
    }

    /// <summary>Reads one line without its chain.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> line, [NotNullWhen(true)] out Checkpoint? record, [NotNullWhen(false)] out string? error)
    {
        record = null;
        try
        {
            record = Read(line);
            record.Hash = Encoding.ASCII.GetString(line.Span.Slice(line.Length - HashChars - 2, HashChars));
            record.Line = line;
            error = null;
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or ArgumentOutOfRangeException)
        {
            error = $"the line is not a checkpoint: {e.Message}";
            return false;
        }
    }

    /// <summary>Whether a record's line ends with the hash of itself behind the line before it, whatever else it holds.</summary>
    public static bool IsChained(Checkpoint record, string prevHash) =>
        record.ChainedTo is { } known ? known == prevHash : IsChained(record.Line.Span, prevHash);

    /// <summary>The same of bytes.</summary>
    public static bool IsChained(ReadOnlySpan<byte> line, string prevHash) =>
        line.Length > TailLength && line[^1] == '}' && line[^TailLength..].StartsWith(HashMember)
        && HashMatches(prevHash, line[..^TailLength], line.Slice(line.Length - HashChars - 2, HashChars));

    static bool HashMatches(string prevHash, ReadOnlySpan<byte> content, ReadOnlySpan<byte> written)
    {
        var length = prevHash.Length + content.Length;
        var rented = ArrayPool<byte>.Shared.Rent(length);
        Encoding.ASCII.GetBytes(prevHash, rented);
        content.CopyTo(rented.AsSpan(prevHash.Length));
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(rented.AsSpan(0, length), digest);
        ArrayPool<byte>.Shared.Return(rented);
        Span<byte> hex = stackalloc byte[HashChars];
        Convert.TryToHexStringLower(digest[..HashBytes], hex, out _);
        return hex.SequenceEqual(written);
    }

    static Checkpoint Read(ReadOnlyMemory<byte> line)
    {
        var reader = new Utf8JsonReader(line.Span, new JsonReaderOptions { MaxDepth = 128 });
        reader.Read();
        long seq = 0, token = 0;
        CheckpointKind? kind = null;
        DateTimeOffset at = default;
        string? path = null, reason = null;
        StepStatus? status = null;
        var (attempt, ms, cause, tolerated, more) = (0, 0.0, SkipCause.None, false, false);
        StepError? error = null;
        PayloadRef? outputRef = null;
        ReadOnlyMemory<byte> output = default, state = default, metrics = default, inputs = default, progress = default, data = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var known = true;
            if (reader.ValueTextEquals("seq"u8)) { reader.Read(); seq = reader.GetInt64(); }
            else if (reader.ValueTextEquals("kind"u8)) { reader.Read(); kind = (CheckpointKind)Word(ref reader, Kinds); }
            else if (reader.ValueTextEquals("at"u8)) { reader.Read(); at = reader.GetDateTimeOffset(); }
            else if (reader.ValueTextEquals("path"u8)) { reader.Read(); path = reader.GetString(); }
            else if (reader.ValueTextEquals("status"u8)) { reader.Read(); status = (StepStatus)Word(ref reader, StepStatuses); }
            else if (reader.ValueTextEquals("attempt"u8)) { reader.Read(); attempt = reader.GetInt32(); }
            else if (reader.ValueTextEquals("ms"u8)) { reader.Read(); ms = reader.GetDouble(); }
            else if (reader.ValueTextEquals("reason"u8)) { reader.Read(); reason = reader.GetString(); }
            else if (reader.ValueTextEquals("cause"u8)) { reader.Read(); cause = (SkipCause)Word(ref reader, Causes); }
            else if (reader.ValueTextEquals("token"u8)) { reader.Read(); token = reader.GetInt64(); }
            else if (reader.ValueTextEquals("tolerated"u8)) { reader.Read(); tolerated = reader.GetBoolean(); }
            else if (reader.ValueTextEquals("more"u8)) { reader.Read(); more = reader.GetBoolean(); }
            else if (reader.ValueTextEquals("error"u8)) { reader.Read(); error = ReadError(ref reader); }
            else if (reader.ValueTextEquals("output_ref"u8)) { reader.Read(); outputRef = ReadRef(ref reader); }
            else if (reader.ValueTextEquals("output"u8)) output = RawValue(ref reader, line);
            else if (reader.ValueTextEquals("state"u8)) state = RawValue(ref reader, line);
            else if (reader.ValueTextEquals("metrics"u8)) metrics = RawValue(ref reader, line);
            else if (reader.ValueTextEquals("inputs"u8)) inputs = RawValue(ref reader, line);
            else if (reader.ValueTextEquals("progress"u8)) progress = RawValue(ref reader, line);
            else if (reader.ValueTextEquals("data"u8)) data = RawValue(ref reader, line);
            else known = false;
            if (!known) { reader.Read(); reader.Skip(); }
        }
        return new Checkpoint
        {
            Seq = seq, Kind = kind ?? throw new FormatException("it has no kind"), At = at, Path = path, Status = status, Attempt = attempt,
            Duration = TimeSpan.FromMilliseconds(ms), Reason = reason, Cause = cause, Token = token, Tolerated = tolerated, More = more,
            Error = error, OutputRef = outputRef, Output = output, State = state, Metrics = metrics, Inputs = inputs, Progress = progress, Data = data,
        };
    }

    static int Word(ref Utf8JsonReader reader, string[] words)
    {
        for (var i = 0; i < words.Length; i++)
            if (reader.ValueTextEquals(words[i])) return i;
        throw new FormatException($"'{RunIds.Printable(reader.GetString())}' is not known to this version of Pawl");
    }

    static ReadOnlyMemory<byte> RawValue(ref Utf8JsonReader reader, ReadOnlyMemory<byte> line)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return line[start..(int)reader.BytesConsumed];
    }

    static StepError ReadError(ref Utf8JsonReader reader)
    {
        string type = "", message = "";
        string? detail = null;
        var errorClass = ErrorClass.Permanent;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("type"u8)) { reader.Read(); type = reader.GetString()!; }
            else if (reader.ValueTextEquals("message"u8)) { reader.Read(); message = reader.GetString()!; }
            else if (reader.ValueTextEquals("class"u8)) { reader.Read(); errorClass = (ErrorClass)Word(ref reader, Classes); }
            else if (reader.ValueTextEquals("detail"u8)) { reader.Read(); detail = reader.GetString(); }
            else { reader.Read(); reader.Skip(); }
        }
        return new StepError(type, message, errorClass, detail);
    }

    static PayloadRef ReadRef(ref Utf8JsonReader reader)
    {
        var (sha, bytes) = ("", 0L);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("sha256"u8)) { reader.Read(); sha = reader.GetString()!; }
            else if (reader.ValueTextEquals("bytes"u8)) { reader.Read(); bytes = reader.GetInt64(); }
            else { reader.Read(); reader.Skip(); }
        }
        return new PayloadRef(sha, bytes);
    }
}
