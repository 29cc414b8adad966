using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Storage;

/// <summary>Every write that must last passes through here: open, append, flush, rename, lock. Each failure throws.</summary>
/// <remarks>
/// .NET on Linux swallows failed flushes and cannot flush a directory, so the calls go to libc. Linux is what the tests run on; macOS uses
/// F_FULLFSYNC, and Windows the calls of .NET (which report failures there): both are written from their manuals and untested.
/// A flush that failed is never repeated on the same handle: the kernel may have dropped the pages and report success the next time.
/// </remarks>
static partial class Durable
{
    const UnixFileMode Rw = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const UnixFileMode ReadAll = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    const UnixFileMode SearchAll = UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>0644</summary>
    public const UnixFileMode FileMode0644 = Rw | ReadAll;
    /// <summary>0755</summary>
    public const UnixFileMode Directory0755 = Rw | UnixFileMode.UserExecute | ReadAll | SearchAll;
    /// <summary>0700</summary>
    public const UnixFileMode Directory0700 = Rw | UnixFileMode.UserExecute;

    /// <summary>What a file is opened for.</summary>
    public enum Use
    {
        /// <summary>Reading; it must be there.</summary>
        Read,
        /// <summary>Writes at the end, whatever else was written meanwhile; it must be there.</summary>
        Append,
        /// <summary>Reading, and writing in place; it must be there.</summary>
        Change,
        /// <summary>Writing; it must not be there.</summary>
        Create,
    }

    /// <summary>Opens a file, never through a symbolic link at its name.</summary>
    public static DurableFile Open(string path, Use use) =>
        use == Use.Read ? TryOpenRead(path) ?? throw Fail("open", path, Errno.ENOENT) : new DurableFile(OpenHandle(path, use), path);

    static SafeFileHandle OpenHandle(string path, Use use)
    {
        if (OperatingSystem.IsWindows())
        {
            return use switch
            {
                Use.Read => File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete),
                Use.Create => File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete),
                _ => File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete),
            };
        }
        if (use == Use.Create) return Create(path, exclusive: true);
        return OpenUnix(path, use == Use.Append ? O.WriteOnly | O.Append : O.ReadWrite, 0) ?? throw Fail("open", path, Errno.ENOENT);
    }

    /// <summary>Opens a file for reading; null when it is not there.</summary>
    public static DurableFile? TryOpenRead(string path)
    {
        if (OperatingSystem.IsWindows()) return File.Exists(path) ? new DurableFile(OpenHandle(path, Use.Read), path) : null;
        // O_NONBLOCK: a pipe planted in the store must not hang the reader.
        if (OpenUnix(path, O.ReadOnly | O.NonBlock, 0) is not { } handle) return null;
        var file = new DurableFile(handle, path);
        if (file.Facts.IsFile) return file;
        file.Dispose();
        throw new IOException($"'{path}' is not a regular file. Something else was put into the store; remove it.");
    }

    static SafeFileHandle Create(string path, bool exclusive)
    {
        SafeFileHandle? file;
        if (OperatingSystem.IsMacOS())
        {
            // open(2) is variadic and its mode would be passed wrongly on Apple silicon, so .NET creates, and the flags come with a second open.
            if (exclusive) File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete).Dispose();
            else if (!File.Exists(path)) File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete).Dispose();
            file = OpenUnix(path, O.ReadWrite, 0);
        }
        else file = OpenUnix(path, O.ReadWrite | O.Create | (exclusive ? O.Exclusive : 0), (int)FileMode0644);
        if (file is null) throw Fail("open", path, Errno.ENOENT);
        try
        {
            // The umask of whoever starts the program does not decide who may read.
            if (!OperatingSystem.IsWindows() && File.GetUnixFileMode(file) != FileMode0644) File.SetUnixFileMode(file, FileMode0644);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    static SafeFileHandle? OpenUnix(string path, int flags, int mode)
    {
        while (true)
        {
            var fd = Libc.Open(path, flags | O.CloseOnExec | O.NoFollow, mode);
            if (fd >= 0) return new SafeFileHandle(fd, ownsHandle: true);
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.ENOENT) return null;
            if (errno != Errno.EINTR) throw Fail("open", path, errno);
        }
    }

    /// <summary>Makes the names in a directory last.</summary>
    /// <returns>False when this file system cannot do so.</returns>
    public static bool FlushDirectory(string path)
    {
        if (OperatingSystem.IsWindows()) return true; // NTFS journals names; there is no call for it.
        using var directory = OpenUnix(path, O.ReadOnly | O.Directory, 0) ?? throw Fail("open", path, Errno.ENOENT);
        while (Libc.Fsync(directory) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EINVAL) return false;
            if (errno != Errno.EINTR) throw Fail("fsync", path, errno);
        }
        return true;
    }

    /// <summary>Replaces what stands at the second name, at once. The name lasts after <see cref="FlushDirectory"/>.</summary>
    public static void Rename(string from, string to)
    {
        if (OperatingSystem.IsWindows())
        {
#pragma warning disable RS0030 // MoveFileEx with replacement is one act on NTFS.
            if (Directory.Exists(from)) Directory.Move(from, to);
            else File.Move(from, to, overwrite: true);
#pragma warning restore RS0030
        }
        else if (Libc.Rename(from, to) < 0) throw Fail("rename", $"{from}' to '{to}", Marshal.GetLastPInvokeError());
    }

    /// <summary>Makes a directory; of several who try, one makes it.</summary>
    /// <returns>False when the name is taken.</returns>
    public static bool TryMakeDirectory(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
        {
            if (Directory.Exists(path)) return false;
            Directory.CreateDirectory(path);
            return true;
        }
        if (Libc.Mkdir(path, (uint)mode) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            return errno == Errno.EEXIST ? false : throw Fail("mkdir", path, errno);
        }
        File.SetUnixFileMode(path, mode);
        return true;
    }

    /// <summary>Makes a directory inside a run, unless it is there.</summary>
    public static void MakeDirectory(string path)
    {
        if (!TryMakeDirectory(path, Directory0755) && FactsOf(path) is { IsDirectory: false })
            throw new IOException($"'{path}' is not a directory but a link or a file. Something else was put into the store; remove it.");
    }

    /// <summary>Writes a file whole under a name that did not exist, and makes its content last.</summary>
    public static void CreateFlushed(string path, ReadOnlySpan<byte> content)
    {
        using var file = Open(path, Use.Create);
        try
        {
            file.Append(content);
            file.Flush();
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Puts a file in the place of another: content first, then the name. A crash leaves the old or the new one.</summary>
    /// <returns>As <see cref="FlushDirectory"/>.</returns>
    public static bool Replace(string directory, string name, ReadOnlySpan<byte> content)
    {
        var temporary = Path.Join(directory, $".{name}.tmp");
        File.Delete(temporary);
        CreateFlushed(temporary, content);
        Rename(temporary, Path.Join(directory, name));
        return FlushDirectory(directory);
    }

    internal static DurableIOException Fail(string call, string path, int errno) => new(call, path, errno);

    internal static partial class Libc
    {
        [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        public static partial int Open(string path, int flags, int mode);

        [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
        public static partial nint Write(SafeFileHandle fd, in byte buffer, nuint count);

        [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
        public static partial int Fdatasync(SafeFileHandle fd);

        [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
        public static partial int Fsync(SafeFileHandle fd);

        [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
        public static partial int Fcntl(SafeFileHandle fd, int command);

        [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        public static partial int Rename(string from, string to);

        [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        public static partial int Mkdir(string path, uint mode);

        [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
        public static partial int Flock(SafeFileHandle fd, int operation);

        [LibraryImport("libc", EntryPoint = "geteuid")]
        public static partial uint Geteuid();

        [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        public static unsafe partial int Statx(int directory, string path, int flags, uint mask, byte* buffer);

        // macOS: on Intel the plain names are the old, shorter structure.
        [LibraryImport("libc", EntryPoint = "fstat", SetLastError = true)]
        public static unsafe partial int Fstat(int fd, byte* buffer);

        [LibraryImport("libc", EntryPoint = "fstat$INODE64", SetLastError = true)]
        public static unsafe partial int FstatX64(int fd, byte* buffer);

        [LibraryImport("libc", EntryPoint = "lstat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        public static unsafe partial int Lstat(string path, byte* buffer);

        [LibraryImport("libc", EntryPoint = "lstat$INODE64", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
        public static unsafe partial int LstatX64(string path, byte* buffer);
    }

    internal static class Errno
    {
        public const int ENOENT = 2, EINTR = 4, EIO = 5, EEXIST = 17, ENOTDIR = 20, EINVAL = 22;
        public static readonly int EWOULDBLOCK = OperatingSystem.IsMacOS() ? 35 : 11;
    }

    // The numbers of open(2) differ between systems, and on Linux two of them between processors.
    static class O
    {
        static readonly bool Mac = OperatingSystem.IsMacOS();
        static readonly bool Arm = RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64 or Architecture.Armv6 or Architecture.Ppc64le;

        public const int ReadOnly = 0, WriteOnly = 1, ReadWrite = 2;
        public static readonly int Append = Mac ? 0x8 : 0x400;
        public static readonly int Create = Mac ? 0x200 : 0x40;
        public static readonly int Exclusive = Mac ? 0x800 : 0x80;
        public static readonly int NonBlock = Mac ? 0x4 : 0x800;
        public static readonly int CloseOnExec = Mac ? 0x1000000 : 0x80000;
        public static readonly int NoFollow = Mac ? 0x100 : Arm ? 0x8000 : 0x20000;
        public static readonly int Directory = Mac ? 0x100000 : Arm ? 0x4000 : 0x10000;
    }
}

/// <summary>A system call on the store failed. <see cref="Exception.HResult"/> is the errno.</summary>
sealed class DurableIOException(string call, string path, int errno)
    : IOException($"{call} '{path}' failed: {Marshal.GetPInvokeErrorMessage(errno)} (errno {errno}).{Hint(errno)}", errno)
{
    /// <summary>Whether a flush failed, and not the way to it.</summary>
    public bool IsFlush { get; } = call is "fsync" or "fdatasync";

    /// <summary>The number of the error.</summary>
    public int Errno { get; } = errno;

    static string Hint(int errno) => errno switch
    {
        5 => " The disk reported an error; see the kernel's log. Nothing was acknowledged.",
        13 or 1 => " Check the owner and the mode of the path.",
        28 => " The disk is full: free some space, then resume.",
        30 => " The file system is mounted read-only.",
        122 or 69 => " The disk quota is used up: free some space, then resume.",
        40 or 62 => " It is a symbolic link, and links inside a store are not followed.",
        _ => "",
    };
}
