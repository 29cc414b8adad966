using System.Buffers;
using System.Runtime.ExceptionServices;
using System.Text;

namespace Pawl.Yaml;

/// <summary>What is kept of a step's output: masked bytes up to a limit, and the last lines. Used by one thread.</summary>
internal sealed class CapturedOutput(SecretMasker masker, int limit, Action<string, bool>? onLine)
{
    const int TailLines = 20;
    const int TailLineLength = 1000;

    readonly int _headLimit = limit / 4;
    readonly ArrayBufferWriter<byte> _head = new();
    readonly Queue<string> _lastLines = new();
    byte[] _ring = [];
    long _behindHead;

    /// <summary>Bytes between beginning and end that were not kept.</summary>
    public long LeftOut => Math.Max(0, _behindHead - _ring.Length);

    /// <summary>What the receiver of lines threw; it got no more of them.</summary>
    public ExceptionDispatchInfo? DisplayFailure { get; private set; }

    /// <summary>The last lines of both streams, each at most 1,000 characters.</summary>
    public IReadOnlyList<string> Tail => [.. _lastLines];

    /// <summary>A stream of the step.</summary>
    public OutputStream Open(bool isError) => new(masker, Append, line =>
    {
        if (_lastLines.Count == TailLines) _lastLines.Dequeue();
        _lastLines.Enqueue(line.Length <= TailLineLength ? line : line[..TailLineLength] + "…");
        try
        {
            if (DisplayFailure is null) onLine?.Invoke(line, isError);
        }
        catch (Exception error)
        {
            // Reading goes on: a script whose output nobody reads would wait for ever.
            DisplayFailure = ExceptionDispatchInfo.Capture(error);
        }
    });

    /// <summary>The beginning (a quarter of the limit) and the end (the rest), with a line between that says what was left out.</summary>
    public byte[] ToArray()
    {
        if (LeftOut == 0) return [.. _head.WrittenSpan, .. _ring.AsSpan(0, (int)_behindHead)];
        var oldest = (int)(_behindHead % _ring.Length);
        var note = Encoding.UTF8.GetBytes($"\n[pawl: {LeftOut} bytes of output left out here]\n");
        return [.. _head.WrittenSpan, .. note, .. _ring.AsSpan(oldest), .. _ring.AsSpan(0, oldest)];
    }

    void Append(ReadOnlySpan<byte> bytes)
    {
        var toHead = Math.Min(bytes.Length, _headLimit - _head.WrittenCount);
        _head.Write(bytes[..toHead]);
        bytes = bytes[toHead..];
        if (bytes.Length == 0) return;
        if (_ring.Length == 0) _ring = new byte[limit - _headLimit];
        _behindHead += bytes.Length;
        bytes = bytes[Math.Max(0, bytes.Length - _ring.Length)..];
        var at = (int)((_behindHead - bytes.Length) % _ring.Length);
        var toEnd = Math.Min(bytes.Length, _ring.Length - at);
        bytes[..toEnd].CopyTo(_ring.AsSpan(at));
        bytes[toEnd..].CopyTo(_ring);
    }
}

internal delegate void OutputBytes(ReadOnlySpan<byte> bytes);

/// <summary>One stream of a step: masks secrets, also those cut in two by reading, and cuts lines for display.</summary>
internal sealed class OutputStream(SecretMasker masker, OutputBytes keep, Action<string> onLine)
{
    /// <summary>Longest line that is shown, in bytes; what is kept is not cut.</summary>
    const int LineLimit = 64 * 1024;

    readonly ArrayBufferWriter<byte> _masked = new();
    readonly ArrayBufferWriter<byte> _line = new();
    byte[] _held = [];
    bool _isCut;

    public void Write(ReadOnlySpan<byte> bytes) => Write(bytes, isLast: false);

    /// <summary>The stream ended: what was held back and a last line without its end are given out.</summary>
    public void End()
    {
        Write([], isLast: true);
        if (_line.WrittenCount > 0) Line();
    }

    void Write(ReadOnlySpan<byte> bytes, bool isLast)
    {
        if (!masker.IsEmpty)
        {
            if (_held.Length > 0) bytes = (byte[])[.. _held, .. bytes];
            _masked.ResetWrittenCount();
            var held = masker.Mask(bytes, isLast, _masked);
            _held = bytes[^held..].ToArray();
            bytes = _masked.WrittenSpan;
        }
        if (bytes.Length == 0) return;
        keep(bytes);
        for (var end = bytes.IndexOf((byte)'\n'); end >= 0; end = bytes.IndexOf((byte)'\n'))
        {
            Collect(bytes[..end]);
            Line();
            bytes = bytes[(end + 1)..];
        }
        Collect(bytes);
    }

    void Collect(ReadOnlySpan<byte> bytes)
    {
        var room = LineLimit - _line.WrittenCount;
        _isCut |= bytes.Length > room;
        _line.Write(bytes[..Math.Min(bytes.Length, room)]);
    }

    void Line()
    {
        var text = Encoding.UTF8.GetString(_line.WrittenSpan).TrimEnd('\r');
        onLine(_isCut ? text + "… [line cut]" : text);
        _line.ResetWrittenCount();
        _isCut = false;
    }
}
