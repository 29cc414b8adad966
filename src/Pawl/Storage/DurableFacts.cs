using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Storage;

/// <summary>What the file system knows about a file; links are not followed.</summary>
/// <param name="Kind">The type bits of its mode.</param>
/// <param name="Owner">User id; 0 where users have none.</param>
/// <param name="Device">With <paramref name="Inode"/> its identity; 0 on Windows.</param>
/// <param name="Inode">See <paramref name="Device"/>.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Modified">Time of the last change of content, in nanoseconds; only for comparing.</param>
/// <param name="Links">How many names it has: an open file without one was removed or replaced.</param>
readonly record struct FileFacts(int Kind, uint Owner, long Device, long Inode, long Size, long Modified, uint Links)
{
    const int Directory = 0x4000, Link = 0xA000, File = 0x8000;

    public bool IsDirectory => Kind == Directory;
    public bool IsLink => Kind == Link;
    public bool IsFile => Kind == File;
    public bool SameFile(FileFacts? other) => other is { } facts && facts.Inode == Inode && facts.Device == Device;

    public static FileFacts Of(FileSystemInfo info) => new(
        info.LinkTarget is not null ? Link : info is DirectoryInfo ? Directory : File, 0, 0, 0, info is FileInfo file ? file.Length : 0, info.LastWriteTimeUtc.Ticks * 100, 1);
}

static unsafe partial class Durable
{
    const int AtCurrentDirectory = -100, NoFollowLinks = 0x100, EmptyPath = 0x1000;
    const uint BasicStats = 0x7ff;

    /// <summary>The user this process acts as; 0 is root, and everybody on Windows.</summary>
    public static uint User => OperatingSystem.IsWindows() ? 0 : Libc.Geteuid();

    /// <summary>Facts about an open file.</summary>
    public static FileFacts FactsOf(SafeFileHandle file, string path)
    {
        var buffer = stackalloc byte[256];
        if (OperatingSystem.IsWindows()) return FileFacts.Of(new FileInfo(path));
        var held = false;
        try
        {
            file.DangerousAddRef(ref held);
            var fd = (int)file.DangerousGetHandle();
            if (OperatingSystem.IsLinux()) return Libc.Statx(fd, "", EmptyPath, BasicStats, buffer) == 0 ? FromStatx(buffer) : throw Fail("statx", path, Marshal.GetLastPInvokeError());
            return (X64 ? Libc.FstatX64(fd, buffer) : Libc.Fstat(fd, buffer)) == 0 ? FromMac(buffer) : throw Fail("fstat", path, Marshal.GetLastPInvokeError());
        }
        finally
        {
            if (held) file.DangerousRelease();
        }
    }

    /// <summary>Facts about a name; null when there is nothing.</summary>
    public static FileFacts? FactsOf(string path)
    {
        var buffer = stackalloc byte[256];
        if (OperatingSystem.IsWindows()) return Directory.Exists(path) ? FileFacts.Of(new DirectoryInfo(path)) : File.Exists(path) ? FileFacts.Of(new FileInfo(path)) : null;
        var linux = OperatingSystem.IsLinux();
        var result = linux ? Libc.Statx(AtCurrentDirectory, path, NoFollowLinks, BasicStats, buffer) : X64 ? Libc.LstatX64(path, buffer) : Libc.Lstat(path, buffer);
        if (result == 0) return linux ? FromStatx(buffer) : FromMac(buffer);
        var errno = Marshal.GetLastPInvokeError();
        return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw Fail(linux ? "statx" : "lstat", path, errno);
    }

    static bool X64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    // statx has one layout on all processors, which struct stat has not.
    static FileFacts FromStatx(byte* b) => new(
        *(ushort*)(b + 28) & 0xF000, *(uint*)(b + 20), (long)*(uint*)(b + 136) << 32 | *(uint*)(b + 140), *(long*)(b + 32), *(long*)(b + 40),
        *(long*)(b + 112) * 1_000_000_000 + *(uint*)(b + 120), *(uint*)(b + 16));

    static FileFacts FromMac(byte* b) => new(
        *(ushort*)(b + 4) & 0xF000, *(uint*)(b + 16), *(int*)b, *(long*)(b + 8), *(long*)(b + 96), *(long*)(b + 48) * 1_000_000_000 + *(long*)(b + 56), *(ushort*)(b + 6));
}
