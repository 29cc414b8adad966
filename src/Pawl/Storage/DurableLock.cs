using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Pawl.Storage;

static partial class Durable
{
    const int Shared = 1, Exclusive = 2, AtOnce = 4, Unlock = 8;

    /// <summary>Takes the lock that a file stands for, making the file when it is missing. It ends with the handle, or with the process.</summary>
    /// <returns>Null when another handle has it, in this process or in another.</returns>
    public static DurableFile? TryLock(string path)
    {
        while (true)
        {
            var file = OpenLocked(path);
            if (file is null) return null;
            try
            {
                // A lock on a file that was deleted or moved away meanwhile excludes nobody who comes later.
                if (FactsOf(file, path).SameFile(FactsOf(path))) return new DurableFile(file, path, isLock: true);
            }
            catch
            {
                file.Dispose();
                throw;
            }
            file.Dispose();
        }
    }

    static SafeFileHandle? OpenLocked(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            try
            {
                return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
            }
            catch (IOException e) when ((e.HResult & 0xffff) == SharingViolation)
            {
                return null;
            }
        }
        var file = Create(path, exclusive: false);
        try
        {
            while (!TryFlock(file, path, Exclusive))
            {
                // Those who only ask (IsLocked) hold it shared for a moment; only an exclusive holder refuses this too.
                if (!TryFlock(file, path, Shared))
                {
                    file.Dispose();
                    return null;
                }
                TryFlock(file, path, Unlock);
                Thread.Yield();
            }
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether some process holds the lock now.</summary>
    public static bool IsLocked(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            if (!File.Exists(path)) return false;
            using var free = OpenLocked(path);
            return free is null;
        }
        using var file = OpenUnix(path, O.ReadOnly | O.NonBlock, 0);
        return file is not null && !TryFlock(file, path, Shared);
    }

    static bool TryFlock(SafeFileHandle file, string path, int operation)
    {
        while (Libc.Flock(file, operation | AtOnce) < 0)
        {
            var errno = Marshal.GetLastPInvokeError();
            if (errno == Errno.EWOULDBLOCK) return false;
            // A file system without locks (ENOLCK, EOPNOTSUPP) must refuse: two processes would execute the same run.
            if (errno != Errno.EINTR) throw Fail("flock", path, errno);
        }
        return true;
    }

    /// <summary>Gives a lock up for every handle that shares it.</summary>
    public static void Release(SafeFileHandle file) => _ = Libc.Flock(file, Unlock);

    const int SharingViolation = 32;
}
