using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Pawl.Storage;

namespace Pawl.Redis;

/// <summary>Who holds a run. On Linux it also names this very process, so that its death is known on its machine before the lease runs out.</summary>
/// <remarks><c>Holder</c> is <c>PID.START@REALM</c>: what tells the process from a later one with its id, and what process ids are valid in: this boot of the machine, this process namespace.</remarks>
sealed record RedisOwner(int Pid, string Host, DateTimeOffset Since, string? Command, string? Holder = null)
{
    static readonly RedisJson s_json = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull });

    /// <summary>Of this machine; null where it cannot be told.</summary>
    public static string? Realm { get; } = OperatingSystem.IsLinux() && File.Exists("/proc/self/stat")
        ? $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}/{new FileInfo("/proc/self/ns/pid").LinkTarget}" : null;

    /// <summary>A claimant who is not this process itself is known by its lease alone.</summary>
    public static RedisOwner Of(RunOwner owner)
    {
        var isThis = owner.Pid == Environment.ProcessId && owner.Host == Environment.MachineName && Realm is not null;
        return new RedisOwner(owner.Pid, owner.Host, owner.Since, owner.Command, isThis && StartOf(owner.Pid) is { } started ? string.Create(CultureInfo.InvariantCulture, $"{owner.Pid}.{started}@{Realm}") : null);
    }

    public static RedisOwner Read(string json) => JsonSerializer.Deserialize(json, s_json.RedisOwner)!;

    public string Write() => JsonSerializer.Serialize(this, s_json.RedisOwner);

    public RunOwner ToRunOwner() => new(Pid, Host, Since, Command);

    /// <summary>True only when it is certain: the process was of this machine, and is not there any more.</summary>
    public static bool IsDead(string? holder)
    {
        if (holder is null || Realm is null || !holder.EndsWith('@' + Realm, StringComparison.Ordinal)) return false;
        var process = holder[..holder.IndexOf('@', StringComparison.Ordinal)].Split('.');
        var pid = int.Parse(process[0], CultureInfo.InvariantCulture);
        try { using var there = Process.GetProcessById(pid); }
        catch (ArgumentException) { return true; }
        // One that may not be looked at is taken for alive.
        return StartOf(pid) is { } started && started != long.Parse(process[1], CultureInfo.InvariantCulture);
    }

    // pid (name) state ppid …, with the start time as field 22; the name may contain anything. A zombie has ended: it has no start here.
    static long? StartOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? -1 : long.Parse(fields[19], CultureInfo.InvariantCulture);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
