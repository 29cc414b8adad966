using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Storage;

/// <summary>The database's file: its name must last, and be nobody else's.</summary>
static partial class SqliteFile
{
    const int EINTR = 4, EINVAL = 22;

    /// <summary>Makes the file unless it is there.</summary>
    /// <exception cref="IOException">It cannot be made, or something else stands at its name.</exception>
    public static void Make(string path)
    {
        foreach (var name in (string[])[path, path + "-wal", path + "-shm"])
            if (new FileInfo(name).LinkTarget is not null)
                throw new IOException($"'{name}' is a symbolic link, and links are not followed. Name the file itself, or remove the link.");
        if (Directory.Exists(path)) throw new IOException($"'{path}' is a directory. Name a file in it, as in '{Path.Join(path, "pawl.db")}'.");
        var directory = Path.GetDirectoryName(path)!;
        if (File.Exists(path)) return;
        MakeDirectory(directory);
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.ReadWrite };
            // SQLite gives its other two files the same mode.
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            new FileStream(path, options).Dispose();
        }
        catch (IOException) when (File.Exists(path))
        {
            // Another process made it at the same moment.
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"'{path}' cannot be made: {e.Message} Check the owner and the mode of its directory.", e);
        }
        // Durable behind this line: the file's name. SQLite flushes what is in it.
        FlushDirectory(directory);
    }

    static void MakeDirectory(string directory)
    {
        if (Directory.Exists(directory)) return;
        var parent = Path.GetDirectoryName(directory)!;
        MakeDirectory(parent);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(directory);
        else Directory.CreateDirectory(directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        FlushDirectory(parent);
    }

    // .NET cannot flush a directory.
    static void FlushDirectory(string directory)
    {
        if (OperatingSystem.IsWindows()) return; // NTFS journals names.
        var fd = Open(directory, OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000);
        if (fd < 0) throw Fail("open", directory);
        using var handle = new SafeFileHandle(fd, ownsHandle: true);
        while (Fsync(handle) < 0)
        {
            // A file system that cannot do so is named by the store's durability class.
            if (Marshal.GetLastPInvokeError() == EINVAL) return;
            if (Marshal.GetLastPInvokeError() != EINTR) throw Fail("fsync", directory);
        }
    }

    static IOException Fail(string call, string path) => new($"{call} '{path}' failed: {Marshal.GetLastPInvokeErrorMessage()}. Nothing was acknowledged.", Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle fd);
}
