using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Yaml;

/// <summary>The system calls that .NET has no words for.</summary>
internal static partial class Posix
{
    public const int SigTerm = 15;
    public const int SigKill = 9;

    const int NoSuchProcess = 3;
    const int Interrupted = 4;

    /// <summary>Opens a file for reading without ever waiting: a named pipe without a writer reads as empty.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    public static FileStream OpenRead(string path)
    {
        if (OperatingSystem.IsWindows()) return File.OpenRead(path);
        var flags = OperatingSystem.IsLinux() ? 0x80000 | 0x800 : 0x1000000 | 0x4; // O_CLOEXEC | O_NONBLOCK
        var descriptor = Open(path, flags);
        if (descriptor < 0) throw new IOException($"'{path}' cannot be read: {Marshal.GetLastPInvokeErrorMessage()}.");
        return new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Read, bufferSize: 1);
    }

    /// <summary>Sends a signal to every member of a process group.</summary>
    /// <returns>False when the group has no members.</returns>
    /// <exception cref="Win32Exception">It has, and none of them may be signalled.</exception>
    public static bool SignalGroup(int group, int signal) => Signal(-group, signal);

    /// <summary>Sends a signal to one process.</summary>
    /// <returns>False when there is no such process.</returns>
    /// <exception cref="Win32Exception">There is, and it may not be signalled.</exception>
    public static bool Signal(int process, int signal)
    {
        // 0 and 1 would address the runner's own group, init, or everything.
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Math.Abs(process), 1);
        if (Kill(process, signal) == 0) return true;
        var error = Marshal.GetLastPInvokeError();
        return error == NoSuchProcess ? false : throw new Win32Exception(error);
    }

    /// <summary>Waits until one of the descriptors can be read or has ended; those that are negative are left out.</summary>
    /// <returns>For each descriptor whether it is ready.</returns>
    public static (bool First, bool Second) WaitReadable(int first, int second, int milliseconds)
    {
        const short readable = 1;
        Span<PollEntry> entries = [new(first, readable, 0), new(second, readable, 0)];
        if (Poll(entries, 2, milliseconds) < 0 && Marshal.GetLastPInvokeError() != Interrupted) throw new Win32Exception();
        return (entries[0].Happened != 0, entries[1].Happened != 0);
    }

    /// <summary>Reads what there is.</summary>
    /// <returns>The number of bytes; 0 at the end.</returns>
    public static int Read(int descriptor, Span<byte> buffer)
    {
        while (true)
        {
            var count = (int)Read(descriptor, buffer, (nuint)buffer.Length);
            if (count >= 0) return count;
            if (Marshal.GetLastPInvokeError() != Interrupted) throw new Win32Exception();
        }
    }

    /// <summary>Writes all of it, and waits where it must.</summary>
    /// <exception cref="IOException">Nobody reads any more.</exception>
    public static void Write(int descriptor, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var count = (int)Write(descriptor, bytes, (nuint)bytes.Length);
            if (count >= 0) bytes = bytes[count..];
            else if (Marshal.GetLastPInvokeError() != Interrupted) throw new IOException($"The pipe cannot be written: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    /// <summary>The user whose rights this process has.</summary>
    public static uint EffectiveUser => GetEffectiveUser();

    /// <summary>The owner of a file or folder, or of the link itself; null where the system cannot tell.</summary>
    public static uint? OwnerOf(string path)
    {
        if (!OperatingSystem.IsLinux()) return null;
        const int here = -100, noFollow = 0x100;
        const uint owner = 0x8;
        // statx has one layout on all architectures: stx_uid is at 20.
        Span<byte> status = stackalloc byte[256];
        if (Statx(here, path, noFollow, owner, status) != 0) throw new IOException($"'{path}' cannot be looked at: {Marshal.GetLastPInvokeErrorMessage()}.");
        return MemoryMarshal.Read<uint>(status[20..]);
    }

    /// <summary>It is a file with content: no pipe, no socket, no device.</summary>
    public static bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;
        const int here = -100, noFollow = 0x100, regular = 0x8000, kind = 0xF000;
        // stx_mode is at 28.
        Span<byte> status = stackalloc byte[256];
        return Statx(here, path, noFollow, 0x1, status) == 0 && (MemoryMarshal.Read<ushort>(status[28..]) & kind) == regular;
    }

    [StructLayout(LayoutKind.Sequential)]
    readonly record struct PollEntry(int Descriptor, short Wanted, short Happened);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(Span<PollEntry> entries, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    private static partial nint Read(int descriptor, Span<byte> buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int descriptor, ReadOnlySpan<byte> buffer, nuint count);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, Span<byte> status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();
}
