using System.Diagnostics;

namespace Pawl.Storage;

/// <summary>What a directory's file system was measured to do.</summary>
/// <param name="FileSystem">Its kind, as the system names it.</param>
/// <param name="FileFlush">A file's content can be flushed.</param>
/// <param name="DirectoryFlush">A directory's names can be flushed.</param>
/// <param name="Lock">A lock excludes a second handle.</param>
/// <param name="FlushMicroseconds">Time of one append with its flush: the median of 32.</param>
/// <param name="Class">What a store there may promise.</param>
/// <param name="Remark">Why the class is less than <see cref="DurabilityClass.Power"/>, or null.</param>
public sealed record DurabilityReport(string FileSystem, bool FileFlush, bool DirectoryFlush, bool Lock, double FlushMicroseconds, DurabilityClass Class, string? Remark);

/// <summary>Measures how durable a directory is. A disk that lies about a flush is not found by this, or by any program.</summary>
public static class DurabilityProbe
{
    const int Samples = 32;

    static readonly HashSet<string> s_local = ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "reiserfs", "nilfs", "apfs", "hfs", "NTFS", "ReFS"];

    /// <summary>Writes, flushes and locks files in a directory of its own below the given one, and removes them.</summary>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public static DurabilityReport Measure(string directory)
    {
        var kind = FileSystemOf(directory);
        var probe = MakeProbeDirectory(directory);
        try
        {
            var (flush, micros, flushError) = MeasureFlush(Path.Join(probe, "append"));
            var (names, namesError) = Try(() => Durable.FlushDirectory(probe));
            var (locks, lockError) = Try(() => Excludes(Path.Join(probe, "lock")));
            var (durability, remark) = Classify(kind);
            if (!flush) (durability, remark) = (DurabilityClass.Process, $"files cannot be flushed here: {flushError}");
            else if (!names) (durability, remark) = (DurabilityClass.Process, $"names in a directory cannot be flushed here{(namesError is null ? "" : $": {namesError}")}");
            if (!locks) (durability, remark) = (DurabilityClass.Process, $"locks do not exclude here{(lockError is null ? "" : $": {lockError}")}; two processes could execute the same run");
            return new DurabilityReport(kind, flush, names, locks, micros, durability, remark);
        }
        finally
        {
            Directory.Delete(probe, recursive: true);
        }
    }

    /// <summary>What a store in a directory may promise by the kind of its file system, when its flushes work. Nothing is measured.</summary>
    public static (DurabilityClass Class, string? Remark) Expect(string directory) => Classify(FileSystemOf(directory));

    static string MakeProbeDirectory(string directory)
    {
        Directory.CreateDirectory(directory);
        for (var n = 1; ; n++)
        {
            var path = Path.Join(directory, $".probe-{Environment.ProcessId}-{n}");
            if (Durable.TryMakeDirectory(path, Durable.Directory0700)) return path;
        }
    }

    static (bool Works, double Microseconds, string? Error) MeasureFlush(string path)
    {
        try
        {
            Durable.CreateFlushed(path, "probe\n"u8);
            using var file = Durable.Open(path, Durable.Use.Append);
            var line = new byte[512];
            line.AsSpan().Fill((byte)'x');
            var times = new double[Samples];
            for (var i = 0; i < Samples; i++)
            {
                var began = Stopwatch.GetTimestamp();
                file.Append(line);
                file.Flush();
                times[i] = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
            }
            Array.Sort(times);
            return (true, times[Samples / 2], null);
        }
        catch (DurableIOException e) when (e.IsFlush)
        {
            return (false, 0, e.Message);
        }
    }

    static bool Excludes(string path)
    {
        using var first = Durable.TryLock(path);
        using var second = Durable.TryLock(path);
        return first is not null && second is null && Durable.IsLocked(path);
    }

    static (bool Works, string? Error) Try(Func<bool> look)
    {
        try
        {
            return (look(), null);
        }
        catch (IOException e)
        {
            return (false, e.Message);
        }
    }

    /// <summary>The kind of file system of a path, or of its nearest parent that exists.</summary>
    internal static string FileSystemOf(string path)
    {
        var full = Path.GetFullPath(path);
        while (!Directory.Exists(full) && Path.GetDirectoryName(full) is { } parent) full = parent;
        try
        {
            return new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(full)! : full).DriveFormat;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return "unknown";
        }
    }

    /// <summary>What a kind of file system can promise, when its flushes work.</summary>
    internal static (DurabilityClass Class, string? Remark) Classify(string kind) => kind switch
    {
        _ when s_local.Contains(kind) => (DurabilityClass.Power, null),
        "tmpfs" or "ramfs" => (DurabilityClass.Process, $"{kind} lives in memory: a loss of power, or a reboot, takes every run"),
        "overlay" or "overlayfs" => (DurabilityClass.Process, "an overlay file system usually goes with its container: put the store on a volume"),
        "nfs" or "nfs4" or "cifs" or "smb" or "smb2" or "smb3" or "smbfs" or "9p" or "v9fs" or "afs" or "ceph" or "lustre" or "gfs2" or "gpfs" =>
            (DurabilityClass.Process, $"{kind} is a network file system: flush and lock depend on its server; use PostgreSQL to share runs between machines"),
        _ when kind.StartsWith("fuse", StringComparison.Ordinal) => (DurabilityClass.Process, $"{kind} is served by a program: flush and lock depend on it"),
        _ => (DurabilityClass.Process, $"{kind} is not among the file systems whose flush is known to last"),
    };
}
