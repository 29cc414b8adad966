using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Storage;

/// <summary>An open file whose every failure names the call, the path and the reason.</summary>
sealed class DurableFile(SafeFileHandle handle, string path, bool isLock = false) : IDisposable
{
    const int FullFsync = 51;

    public string Path => path;

    public FileFacts Facts => Durable.FactsOf(handle, path);

    /// <summary>Writes all bytes at the end of a file opened to <see cref="Durable.Use.Append"/> or <see cref="Durable.Use.Create"/>.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (OperatingSystem.IsWindows())
        {
            Write(bytes, RandomAccess.GetLength(handle));
            return;
        }
        while (!bytes.IsEmpty)
        {
            var written = Durable.Libc.Write(handle, in MemoryMarshal.GetReference(bytes), (nuint)bytes.Length);
            if (written > 0) bytes = bytes[(int)written..];
            else if (written == 0) throw Durable.Fail("write", path, Durable.Errno.EIO);
            else if (Marshal.GetLastPInvokeError() is var errno && errno != Durable.Errno.EINTR) throw Durable.Fail("write", path, errno);
        }
    }

    /// <summary>Makes the content, and the length, last.</summary>
    public void Flush()
    {
        if (OperatingSystem.IsWindows())
        {
#pragma warning disable RS0030 // The hidden failure is Unix only.
            RandomAccess.FlushToDisk(handle);
#pragma warning restore RS0030
            return;
        }
        // fsync on macOS does not reach the medium; where F_FULLFSYNC is not known (a network volume) fsync is what there is.
        if (OperatingSystem.IsMacOS() && Durable.Libc.Fcntl(handle, FullFsync) >= 0) return;
        while ((OperatingSystem.IsLinux() ? Durable.Libc.Fdatasync(handle) : Durable.Libc.Fsync(handle)) < 0)
        {
            if (Marshal.GetLastPInvokeError() is var errno && errno != Durable.Errno.EINTR) throw Durable.Fail("fdatasync", path, errno);
        }
    }

    /// <summary>Writes in place.</summary>
    public void Write(ReadOnlySpan<byte> bytes, long offset)
    {
        try
        {
            RandomAccess.Write(handle, bytes, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Durable.Fail("pwrite", path, e.HResult);
        }
    }

    public void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(handle, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Durable.Fail("ftruncate", path, e.HResult);
        }
    }

    /// <summary>Reads what there is, 0 at the end.</summary>
    public int Read(Span<byte> bytes, long offset)
    {
        try
        {
            return RandomAccess.Read(handle, bytes, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Durable.Fail("pread", path, e.HResult);
        }
    }

    public byte[] ReadAll() => ReadRange(0, Facts.Size);

    public byte[] ReadRange(long from, long to)
    {
        var bytes = new byte[checked((int)(to - from))];
        for (var (at, count) = (0, 1); at < bytes.Length && count > 0; at += count) count = Read(bytes.AsSpan(at), from + at);
        return bytes;
    }

    public void Dispose()
    {
        // A child that another thread has just forked still shares the handle: without a word the lock would last until that child runs its program.
        if (isLock && !OperatingSystem.IsWindows() && !handle.IsClosed) Durable.Release(handle);
        handle.Dispose();
    }
}
