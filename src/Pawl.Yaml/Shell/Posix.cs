using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Yaml;

/// <summary>The system calls that .NET has no words for.</summary>
internal static partial class Posix
{
    public const int SigTerm = 15;
    public const int SigKill = 9;

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
    /// <exception cref="Win32Exception">It has, and they may not be signalled.</exception>
    public static bool SignalGroup(int group, int signal) => Signal(-group, signal);

    /// <summary>Sends a signal to one process.</summary>
    /// <returns>False when there is no such process.</returns>
    /// <exception cref="Win32Exception">There is, and it may not be signalled.</exception>
    public static bool Signal(int process, int signal)
    {
        // 0 and -1 would address the runner's own group, or everything.
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Math.Abs(process), 1);
        if (Kill(process, signal) == 0) return true;
        const int noSuchProcess = 3;
        var error = Marshal.GetLastPInvokeError();
        return error == noSuchProcess ? false : throw new Win32Exception(error);
    }

    /// <summary>The user whose rights this process has.</summary>
    public static uint EffectiveUser => GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();
}
