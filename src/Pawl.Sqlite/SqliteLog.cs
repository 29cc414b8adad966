using Microsoft.Win32.SafeHandles;

namespace Pawl.Storage;

/// <summary>Room in the write-ahead log's file in front of what is written: a flush that does not make the file longer costs half. For the one who writes.</summary>
/// <remarks>Behind its last frame the log may hold anything: so it does whenever SQLite begins it anew. Zeros are written while no other writes, and made durable by the commit's own flush.</remarks>
sealed class SqliteLog(string path) : IDisposable
{
    // As far as it grows before it is brought into the tables, a page with its header a frame.
    const long Most = SqliteDb.LogFrames * (4096 + 24);
    // Whoever writes little gets no more room than that.
    const long Least = 64 << 10, Step = 1 << 20;
    static readonly byte[] s_zeros = new byte[Least];

    readonly string _path = path + "-wal";
    SafeFileHandle? _file;
    long _length;
    int _commits;
    bool _isFull;

    /// <summary>Within a transaction that writes, before its end. As much again as there is, so that all of it stays in proportion.</summary>
    public void Grow()
    {
        // A look is a call to the system: now and then is soon enough.
        if (_isFull || (++_commits & 15) != 0) return;
        try
        {
            _file ??= File.OpenHandle(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            var length = RandomAccess.GetLength(_file);
            if (length == _length || length < Least) return;
            var end = Math.Min(length + Math.Min(length, Step), Most);
            for (var at = length; at < end; at += s_zeros.Length) RandomAccess.Write(_file, s_zeros, at);
            _length = Math.Max(length, RandomAccess.GetLength(_file));
            _isFull = _length >= Most;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Slower, and no less durable.
            _isFull = true;
        }
    }

    public void Dispose() => _file?.Dispose();
}
