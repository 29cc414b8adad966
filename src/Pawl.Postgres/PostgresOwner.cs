using System.Globalization;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>Who holds a run, as the owner column keeps it. On Linux it also names this very process, so that its death is known on its machine before the lease runs out.</summary>
/// <remarks><c>Realm</c> is what process ids are valid in: this boot of the machine, this process namespace. <c>Started</c> tells the process from a later one with its id.</remarks>
sealed record PostgresOwner(int Pid, string Host, DateTimeOffset Since, string? Command, string? Realm = null, long? Started = null)
{
    static readonly PostgresJson s_json = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull });

    /// <summary>Of this machine; null where it cannot be told.</summary>
    public static string? Here { get; } = OperatingSystem.IsLinux() && File.Exists("/proc/self/stat")
        ? $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}/{new FileInfo("/proc/self/ns/pid").LinkTarget}" : null;

    /// <summary>A claimant who is not this process itself is known by its lease alone.</summary>
    public static string Write(RunOwner owner)
    {
        var here = owner.Pid == Environment.ProcessId && owner.Host == Environment.MachineName && Here is not null ? StartOf(owner.Pid) : null;
        return JsonSerializer.Serialize(new PostgresOwner(owner.Pid, owner.Host, owner.Since, owner.Command, here is null ? null : Here, here), s_json.PostgresOwner);
    }

    public static PostgresOwner Read(string json) => JsonSerializer.Deserialize(json, s_json.PostgresOwner)!;

    public RunOwner ToRunOwner() => new(Pid, Host, Since, Command);

    /// <summary>True only when it is certain: the process was of this machine, and is not there any more.</summary>
    public bool IsDead()
    {
        if (Realm is null || Realm != Here || Started is null) return false;
        try { using var process = System.Diagnostics.Process.GetProcessById(Pid); }
        catch (ArgumentException) { return true; }
        // One that may not be looked at is taken for alive.
        return StartOf(Pid) is { } started && started != Started;
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
