using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Pawl.Storage;

/// <summary>Messages to a run, one file each: <c>00000001.approve.json</c>. The number keeps the order of arrival; a colon in a name becomes <c>~</c>.</summary>
/// <remarks>The first line is the message, the second the SHA-256 of the first.</remarks>
static class FileStoreInbox
{
    const string Extension = ".json";

    public static bool Post(FileStoreLayout run, RunMessage message)
    {
        if (!IsValidName(message.Name)) throw new ArgumentException($"'{RunIds.Printable(message.Name)}' is not a message name: use letters, digits, '.', '_', '-' and ':', at most 128.");
        // Flushed also when it is there: one who crashed may have made it.
        Durable.MakeDirectory(run.Inbox);
        Durable.FlushDirectory(run.Directory);
        using var alone = Alone(run);
        var files = Files(run);
        if (files.Any(file => NameOf(file) == message.Name))
        {
            // Its sender may have met an error before this: whoever is told that it is there can rely on it.
            Durable.FlushDirectory(run.Inbox);
            return false;
        }
        var number = files.Count == 0 ? 1 : int.Parse(files[^1].AsSpan(0, 8), CultureInfo.InvariantCulture) + 1;
        // Durable when this returns; before the rename in it a crash leaves nothing that can be seen.
        Durable.Replace(run.Inbox, string.Create(CultureInfo.InvariantCulture, $"{number:D8}.{message.Name.Replace(':', '~')}{Extension}"), Encode(message));
        return true;
    }

    /// <summary>In the order of arrival. One that is damaged keeps its place, and hides none behind it.</summary>
    public static IReadOnlyList<RunMessage> Read(FileStoreLayout run) => [.. Files(run).Select(file => Decode(run, file))];

    /// <summary>Sets damaged ones aside. Each leaves a message that says nothing in its place: whoever waits counts them.</summary>
    /// <returns>Their files.</returns>
    public static IReadOnlyList<string> Repair(FileStoreLayout run)
    {
        if (Files(run).TrueForAll(file => Decode(run, file).Damage is null)) return [];
        using var alone = Alone(run);
        var damaged = Files(run).FindAll(file => Decode(run, file).Damage is not null);
        foreach (var file in damaged)
        {
            var path = Path.Join(run.Inbox, file);
            using (var bytes = Durable.TryOpenRead(path)) Durable.Replace(run.Inbox, $"{file}.damaged", bytes?.ReadAll() ?? []);
            // Durable: the copy.
            Durable.Replace(run.Inbox, $"{file[..8]}.pawl~lost~{file[..8]}{Extension}", Encode(new RunMessage($"pawl:lost:{file[..8]}", null, default)));
            // Durable: what keeps the place. A crash here leaves both, and the next repair goes on.
            File.Delete(path);
            Durable.FlushDirectory(run.Inbox);
        }
        return damaged;
    }

    public static int Count(FileStoreLayout run) => Files(run).Count;

    static List<string> Files(FileStoreLayout run)
    {
        if (Durable.FactsOf(run.Inbox) is not { IsDirectory: true }) return [];
        var names = Directory.EnumerateFiles(run.Inbox, "*" + Extension).Select(path => Path.GetFileName(path))
            .Where(name => name.Length > 9 + Extension.Length && name[8] == '.' && name.AsSpan(0, 8).IndexOfAnyExceptInRange('0', '9') < 0).ToList();
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    static DurableFile Alone(FileStoreLayout run)
    {
        var (path, spin, waited) = (Path.Join(run.Inbox, "lock"), new SpinWait(), Stopwatch.StartNew());
        while (true)
        {
            if (Durable.TryLock(path) is { } held) return held;
            if (waited.Elapsed > TimeSpan.FromSeconds(10)) throw new IOException($"'{path}' is held by another process since ten seconds. End the process that is stuck there, then send again.");
            spin.SpinOnce();
        }
    }

    static byte[] Encode(RunMessage message)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteString("name", message.Name);
            writer.WriteString("at", message.At.UtcDateTime);
            if (message.By is not null) writer.WriteString("by", message.By);
            if (message.Body is { } body)
            {
                writer.WritePropertyName("body");
                writer.WriteRawValue(body.Utf8.Span);
            }
            writer.WriteEndObject();
        }
        var hash = Convert.ToHexStringLower(SHA256.HashData(stream.ToArray()));
        stream.Write(Encoding.ASCII.GetBytes($"\n{hash}\n"));
        return stream.ToArray();
    }

    static RunMessage Decode(FileStoreLayout run, string name)
    {
        using var file = Durable.TryOpenRead(Path.Join(run.Inbox, name));
        if (file is null) return Damaged("it is gone");
        var bytes = file.ReadAll();
        // The body may hold line breaks of its own.
        var end = bytes.Length - 66;
        if (end < 0 || bytes[end] != '\n' || Convert.ToHexStringLower(SHA256.HashData(bytes.AsSpan(0, end))) != Encoding.ASCII.GetString(bytes, end + 1, 64)) return Damaged("its hash does not fit");
        try
        {
            using var document = JsonDocument.Parse(bytes.AsMemory(0, end), new JsonDocumentOptions { MaxDepth = 128 });
            var root = document.RootElement;
            return new RunMessage(root.GetProperty("name").GetString()!,
                root.TryGetProperty("body", out var body) ? new RawJson(Encoding.UTF8.GetBytes(body.GetRawText())) : null,
                root.GetProperty("at").GetDateTimeOffset(), root.TryGetProperty("by", out var by) ? by.GetString() : null);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return Damaged(e.Message);
        }

        RunMessage Damaged(string why) => RunMessage.Damaged(name[..8], $"message file '{name}' is damaged: {why}");
    }

    static string NameOf(string file) => file[9..^Extension.Length].Replace('~', ':');

    static bool IsValidName(string? name) => name is { Length: > 0 and <= 128 } && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or ':');
}
