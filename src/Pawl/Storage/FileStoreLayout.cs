using System.Globalization;
using System.Text;

namespace Pawl.Storage;

/// <summary>Names inside a run's directory.</summary>
readonly record struct FileStoreLayout(string Directory)
{
    public string Journal => Path.Join(Directory, FileStoreJournal.Name);
    public string Lock => Path.Join(Directory, "lock");
    public string Payloads => Path.Join(Directory, "payloads");
    public string Inbox => Path.Join(Directory, "inbox");
    public string State => Path.Join(Directory, "state");
    public string Master => Path.Join(Directory, MasterName);
    public const string MasterName = "checkpoint.json";

    /// <summary>What the lock file says: for people, and for the next token. Ownership is the lock itself.</summary>
    public static void WriteOwner(DurableFile held, RunOwner owner, long token)
    {
        Write(held, string.Create(CultureInfo.InvariantCulture, $"token: {token}\npid: {owner.Pid}\nhost: {OneLine(owner.Host)}\nsince: {owner.Since.UtcDateTime:O}\ncommand: {OneLine(owner.Command)}\n"));

        static string OneLine(string? text) => text is null ? "" : string.Concat(text.Take(200).Select(c => char.IsControl(c) ? ' ' : c));
    }

    /// <summary>Says that the last holder left in order: what stands in the journal was acknowledged.</summary>
    public static void WriteFree(DurableFile held, long token) => Write(held, string.Create(CultureInfo.InvariantCulture, $"token: {token}\n"));

    // Not flushed: after a loss of power there is no other process that the token must fence.
    static void Write(DurableFile held, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        held.Write(bytes, 0);
        held.SetLength(bytes.Length);
    }

    /// <summary>Reads the lock file; whatever cannot be read is left at its default. In order: the last holder gave the lock back.</summary>
    public (RunOwner Owner, long Token, bool InOrder) ReadOwner()
    {
        var (pid, host, since, command, token) = (0, "unknown", DateTimeOffset.UnixEpoch, (string?)null, 0L);
        using var file = Durable.TryOpenRead(Lock);
        Span<byte> bytes = stackalloc byte[2048];
        var text = file is null ? "" : Encoding.UTF8.GetString(bytes[..file.Read(bytes, 0)]);
        foreach (var line in text.Split('\n'))
        {
            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            if (colon < 0) continue;
            var value = line[(colon + 2)..];
            switch (line[..colon])
            {
                case "pid": _ = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out pid); break;
                case "host": host = RunIds.Printable(value); break;
                case "since": _ = DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out since); break;
                case "command": command = value.Length == 0 ? null : RunIds.Printable(value); break;
                case "token": _ = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out token); break;
            }
        }
        // A token is raised by one at a time; a number out of all reason is damage.
        if (token >= long.MaxValue / 2) token = 0;
        return (new RunOwner(pid, host, since, command), token, token > 0 && pid == 0);
    }
}
