using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;

namespace Pawl.Storage;

/// <summary>A group file as it was read: commits that several runs made together, and that their journals may not hold yet.</summary>
/// <remarks>
/// <code>
/// pawl-group 1 BYTES HASH                     a group: how long, and the first 16 bytes of its SHA-256
/// RUN SEQ OFFSET PREVIOUS-HASH BYTES          a commit: its first record, and where in the run's journal it stands
/// {"seq":…                                    its lines
/// </code>
/// A group is written with one flush, and the next one behind it: only the last can be torn, and then it was not acknowledged. Behind the last there are zeros. Nothing in the file is
/// believed without its hash, and no record without the chain of the run's own journal.
/// </remarks>
sealed class FileStoreGroup
{
    public const int HeaderLength = 13 + 10 + 1 + 32 + 1;
    const int MaxTries = 1000;
    static ReadOnlySpan<byte> AnyVersion => "pawl-group "u8;
    static ReadOnlySpan<byte> Start => "pawl-group 1 "u8;

    readonly Dictionary<string, GroupedRun> _runs = new(StringComparer.Ordinal);

    /// <summary>What it holds by run id. Ids are as they stand in the file: only <c>Locate</c> makes a path of one.</summary>
    public IReadOnlyDictionary<string, GroupedRun> Runs => _runs;

    /// <summary>What is wrong with it; null when nothing is, a torn end included.</summary>
    public string? Damage { get; private set; }

    public FileStoreGroup(ReadOnlyMemory<byte> bytes)
    {
        var (at, bad) = (0, -1);
        for (var tries = 0; at < bytes.Length;)
        {
            if (Whole(bytes[at..]) is { IsEmpty: false } commits)
            {
                if (bad >= 0) Damaged(bytes[bad..at], bad);
                Take(commits);
                (at, bad) = (at + HeaderLength + commits.Length, -1);
                continue;
            }
            if (bad < 0) bad = at;
            var next = bytes.Span[(at + 1)..].IndexOf(Start);
            if (next < 0 || ++tries > MaxTries) break;
            at += 1 + next;
        }
        // A torn group is the last; one of a newer version is none of ours to pass over.
        if (bad >= 0 && bytes.Span[bad..] is var rest && rest.StartsWith(AnyVersion) && rest[AnyVersion.Length..].IndexOf((byte)' ') > 0 && !rest.StartsWith(Start)) Damaged(bytes[bad..], bad);
    }

    static ReadOnlyMemory<byte> Whole(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        if (span.Length <= HeaderLength || !span.StartsWith(Start) || !Utf8Parser.TryParse(span.Slice(Start.Length, 10), out int length, out var digits) || digits != 10
            || length <= 0 || length > span.Length - HeaderLength) return default;
        Span<byte> header = stackalloc byte[HeaderLength];
        WriteHeader(header, span.Slice(HeaderLength, length));
        return span.StartsWith(header) ? bytes.Slice(HeaderLength, length) : default;
    }

    /// <summary>Writes what stands before a group's commits.</summary>
    public static void WriteHeader(Span<byte> header, ReadOnlySpan<byte> commits)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(commits, digest);
        Start.CopyTo(header);
        commits.Length.TryFormat(header[Start.Length..], out _, "D10", CultureInfo.InvariantCulture);
        header[Start.Length + 10] = (byte)' ';
        Convert.TryToHexStringLower(digest[..16], header[(Start.Length + 11)..], out _);
        header[HeaderLength - 1] = (byte)'\n';
    }

    /// <summary>Writes what stands before a commit's lines.</summary>
    /// <returns>Its length; 0 when there is no room.</returns>
    public static int WriteCommit(Span<byte> bytes, string runId, long seq, long offset, string previous, int length) =>
        Utf8.TryWrite(bytes, CultureInfo.InvariantCulture, $"{runId} {seq} {offset} {previous} {length}\n", out var written) ? written : 0;

    void Take(ReadOnlyMemory<byte> commits)
    {
        while (TryReadCommit(ref commits, out var run, out var commit, out var length) && length <= commits.Length)
        {
            run.Add(commit with { Lines = commits[..length] });
            commits = commits[length..];
        }
    }

    /// <summary>Whoever is named there may miss records.</summary>
    void Damaged(ReadOnlyMemory<byte> bytes, int at)
    {
        Damage ??= $"it is damaged, or not of this version of Pawl, at byte {at}";
        while (!bytes.IsEmpty)
        {
            var rest = bytes;
            TryReadCommit(ref rest, out _, out _, out _);
            var line = bytes.Span.IndexOf((byte)'\n');
            bytes = line < 0 ? default : bytes[(line + 1)..];
        }
    }

    bool TryReadCommit(ref ReadOnlyMemory<byte> bytes, out GroupedRun run, out GroupedCommit commit, out int length)
    {
        (run, commit, length) = (null!, default, 0);
        var end = bytes.Span[..Math.Min(bytes.Length, 256)].IndexOf((byte)'\n');
        if (end < 0 || Encoding.ASCII.GetString(bytes.Span[..end]).Split(' ') is not { Length: 5 } words || !RunIds.IsValid(words[0]) || !long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out var seq)
            || !long.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out var offset) || words[3].Length != 32 || !int.TryParse(words[4], NumberStyles.None, CultureInfo.InvariantCulture, out length)) return false;
        bytes = bytes[(end + 1)..];
        if (!_runs.TryGetValue(words[0], out run!)) _runs[words[0]] = run = new GroupedRun();
        commit = new GroupedCommit(seq, offset, words[3], default);
        return true;
    }
}

/// <summary>A commit that stands in a group file.</summary>
/// <param name="Seq">Its first record.</param>
/// <param name="Offset">Where it begins in the run's journal.</param>
/// <param name="Previous">The hash of the record before it.</param>
/// <param name="Lines">Its lines.</param>
readonly record struct GroupedCommit(long Seq, long Offset, string Previous, ReadOnlyMemory<byte> Lines);

/// <summary>The commits of one run in group files. A record has its place by the hash of the one before it.</summary>
sealed class GroupedRun
{
    readonly Dictionary<string, GroupedCommit> _commits = new(StringComparer.Ordinal);

    /// <summary>The first one; null when there is none.</summary>
    public GroupedCommit? First { get; private set; }

    public void Add(GroupedCommit commit)
    {
        First ??= commit;
        _commits[commit.Previous] = commit;
    }

    public GroupedRun With(GroupedRun other)
    {
        var both = new GroupedRun();
        foreach (var commit in _commits.Values.Concat(other._commits.Values)) both.Add(commit);
        return both;
    }

    public bool Holds(string previous) => _commits.ContainsKey(previous);

    /// <summary>The lines that follow a record, one commit behind the other, as far as they are there and their chain fits.</summary>
    public byte[] Behind(string hash, long offset)
    {
        using var lines = new MemoryStream();
        while (_commits.TryGetValue(hash, out var commit) && commit.Offset == offset && Follow(commit.Lines.Span, ref hash))
        {
            lines.Write(commit.Lines.Span);
            offset += commit.Lines.Length;
        }
        return lines.ToArray();
    }

    static bool Follow(ReadOnlySpan<byte> lines, ref string hash)
    {
        if (lines.IsEmpty || lines[^1] != '\n') return false;
        while (!lines.IsEmpty)
        {
            var end = lines.IndexOf((byte)'\n');
            if (!CheckpointCodec.IsChained(lines[..end], hash)) return false;
            hash = Encoding.ASCII.GetString(lines[(end - 34)..(end - 2)]);
            lines = lines[(end + 1)..];
        }
        return true;
    }
}
