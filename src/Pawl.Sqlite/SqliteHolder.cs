using System.Globalization;
using System.Security.Cryptography;

namespace Pawl.Storage;

/// <summary>Which process holds a run, so that another on the same machine can tell that it is dead.</summary>
static class SqliteHolder
{
    static readonly string s_process = Describe();

    /// <summary>A name for one opened store of this process.</summary>
    public static string New() => $"{s_process}/{RandomNumberGenerator.GetHexString(8, lowercase: true)}";

    /// <summary>True only when that process cannot be alive: it was started in this boot of this machine, among the process ids that we see, and is gone. Else its lease decides.</summary>
    public static bool IsDead(string? holder)
    {
        if (holder?.Split('/') is not [var boot, var space, var id, var started, _] || s_process.Split('/') is not [var ourBoot, var ourSpace, _, _]) return false;
        if (boot.Length == 0 || boot != ourBoot || space != ourSpace || !int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var pid)) return false;
        // A process id that is in use again has another start time. When /proc hides other users' processes nothing can be told.
        return StartOf(pid) is { } now ? now != started : StartOf(1) is not null;
    }

    // boot / process id namespace / process id / start time; only Linux tells the first two.
    static string Describe()
    {
        if (!OperatingSystem.IsLinux()) return $"//{Environment.ProcessId}/";
        try
        {
            var boot = File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim();
            var space = new FileInfo("/proc/self/ns/pid").LinkTarget;
            return StartOf(Environment.ProcessId) is { } start && space is not null ? $"{boot}/{space}/{Environment.ProcessId}/{start}" : $"//{Environment.ProcessId}/";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"//{Environment.ProcessId}/";
        }
    }

    /// <summary>In ticks since boot; null when there is no such process to be seen. A dead one that its parent did not collect is gone too.</summary>
    static string? StartOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            // The name, in brackets, may hold anything.
            var words = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return words[0] is "Z" or "X" ? null : words[19];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
