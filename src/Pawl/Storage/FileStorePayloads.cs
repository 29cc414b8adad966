using System.Security.Cryptography;

namespace Pawl.Storage;

/// <summary>Large outputs beside a journal, each under the SHA-256 of its content.</summary>
static class FileStorePayloads
{
    /// <summary>Makes their directory. Its own name lasts from here; also when one who crashed made it and did not come to the flush.</summary>
    public static void MakeDirectory(FileStoreLayout run)
    {
        Durable.MakeDirectory(run.Payloads);
        Durable.FlushDirectory(run.Directory);
    }

    /// <summary>Writes payloads so that they last before the records that name them are written.</summary>
    public static void Write(FileStoreLayout run, IReadOnlyList<Payload> payloads)
    {
        foreach (var payload in payloads)
        {
            var name = Check(payload.Ref);
            if (!Matches(payload.Content.Span, name)) throw new ArgumentException($"Payload {name} does not have the content that its name says.");
            if (IsWhole(run, payload.Ref)) continue;
            // Content first, then the name: a payload that can be seen is whole. A crash leaves a hidden temporary file, replaced by the next try.
            var temporary = Path.Join(run.Payloads, $".{name}.tmp");
            File.Delete(temporary);
            Durable.CreateFlushed(temporary, payload.Content.Span);
            Durable.Rename(temporary, Path.Join(run.Payloads, name));
        }
        // The names last from here; also those of an earlier commit that failed before this line.
        Durable.FlushDirectory(run.Payloads);
    }

    /// <summary>Reads one and checks it.</summary>
    public static byte[] Read(FileStoreLayout run, string runId, PayloadRef payload)
    {
        var name = Check(payload);
        if (Durable.FactsOf(run.Payloads) is { IsDirectory: false }) throw new JournalCorruptException(runId, 0, "'payloads' is not a directory");
        using var file = Durable.TryOpenRead(Path.Join(run.Payloads, name)) ?? throw new JournalCorruptException(runId, 0, $"payload {name} is missing");
        var length = file.Facts.Size;
        if (length != payload.Bytes) throw new JournalCorruptException(runId, 0, $"payload {name} has {length} bytes instead of {payload.Bytes}");
        var content = file.ReadAll();
        return Matches(content, name) ? content : throw new JournalCorruptException(runId, 0, $"payload {name} is damaged: its content has another hash");
    }

    static bool IsWhole(FileStoreLayout run, PayloadRef payload)
    {
        if (Durable.FactsOf(Path.Join(run.Payloads, payload.Sha256)) is null) return false;
        try
        {
            Read(run, "", payload);
            return true;
        }
        catch (JournalCorruptException)
        {
            return false;
        }
    }

    static string Check(PayloadRef payload) => payload.Sha256.Length == 64 && payload.Sha256.All(char.IsAsciiHexDigitLower)
        ? payload.Sha256
        : throw new ArgumentException($"'{RunIds.Printable(payload.Sha256)}' is not the name of a payload.");

    static bool Matches(ReadOnlySpan<byte> content, string name)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(content, hash);
        return Convert.ToHexStringLower(hash) == name;
    }
}
