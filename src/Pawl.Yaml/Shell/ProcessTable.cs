using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Pawl.Yaml;

/// <summary>A process as /proc shows it. <paramref name="Started"/> tells it from a later one with the same id.</summary>
internal readonly record struct ProcessFacts(int Id, int Group, int Session, long Started);

/// <summary>Looks at the machine's processes. Ended ones that nobody has collected yet (zombies) do not count.</summary>
internal static class ProcessTable
{
    /// <summary>What process ids are valid in: this boot, this process namespace.</summary>
    public static string Realm { get; } = OperatingSystem.IsLinux()
        ? $"{File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim()}/{new FileInfo("/proc/self/ns/pid").LinkTarget}"
        : "-";

    public static ProcessFacts? Find(int id)
    {
        if (OperatingSystem.IsLinux()) return Parse(id, Read($"/proc/{id}/stat"));
        try
        {
            using var process = Process.GetProcessById(id);
            return new ProcessFacts(id, id, id, process.StartTime.ToUniversalTime().Ticks);
        }
        catch (Exception error) when (error is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Every process of the machine; none where there is no /proc.</summary>
    public static IEnumerable<ProcessFacts> All()
    {
        if (!OperatingSystem.IsLinux()) yield break;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && Find(id) is { } facts) yield return facts;
        }
    }

    /// <summary>Whether the process was started with <c>NAME=value</c> in its environment. False where one may not look.</summary>
    public static bool HasVariable(int id, string assignment)
    {
        byte[] wanted = [0, .. Encoding.UTF8.GetBytes(assignment), 0];
        return Read($"/proc/{id}/environ") is { Length: > 0 } environment && ((byte[])[0, .. environment, 0]).AsSpan().IndexOf(wanted) >= 0;
    }

    // pid (name) state ppid pgrp session … with the start time as field 22; the name may contain anything.
    static ProcessFacts? Parse(int id, byte[]? content)
    {
        if (content is null or []) return null;
        var stat = Encoding.Latin1.GetString(content);
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return fields[0] is "Z" or "X" ? null : new ProcessFacts(id, Number(fields[2]), Number(fields[3]), long.Parse(fields[19], CultureInfo.InvariantCulture));
    }

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    // File.ReadAllText takes several times as long, and there are many processes.
    static byte[]? Read(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var content = new byte[4096];
            var length = 0;
            while (true)
            {
                var count = RandomAccess.Read(file, content.AsSpan(length), length);
                if (count == 0) return content[..length];
                length += count;
                if (length == content.Length) Array.Resize(ref content, length * 4);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
