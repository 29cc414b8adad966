using System.Text;
using System.Text.Json;
namespace Pawl.Storage;

/// <summary>One pass over a journal file: lines, chain, groups, the fold of the head; and the judgement of what stands at its end.</summary>
/// <param name="file">The open journal.</param>
/// <param name="runId">The run it must belong to.</param>
/// <param name="keep">Records stay valid after the next one is read; otherwise their bytes are overwritten.</param>
sealed class FileStoreJournal(DurableFile file, string runId, bool keep)
{
    public const string Name = "journal.jsonl";

    const int SmallBuffer = 32 * 1024, LargeBuffer = 1024 * 1024;
    // ,"hash":"<32 digits>"} and, before it in records whose commit goes on, ,"more":true
    const int HashTail = 9 + 32 + 2;
    static readonly byte[] HashMember = ",\"hash\":\""u8.ToArray();
    static readonly byte[] MoreMember = ",\"more\":true"u8.ToArray();

    byte[] _buffer = new byte[SmallBuffer];
    bool _pinned;
    string? _groupedBehind;
    int _start, _end;
    long _read, _position, _lineOffset;

    /// <summary>The last record of the last whole commit.</summary>
    public long Seq { get; private set; }
    public string Hash { get; private set; } = "";
    /// <summary>The fold so far; null while nothing, or not the beginning, was read.</summary>
    public RunHead? Head { get; private set; }
    /// <summary>The offset behind the last whole commit, and the one where that commit begins.</summary>
    public long End { get; private set; }
    public long LastCommit { get; private set; }
    /// <summary>Why the bytes behind <see cref="End"/> were not read; null when there are none.</summary>
    public string? Torn { get; private set; }
    /// <summary>Where each record begins, when asked for.</summary>
    public List<long>? Offsets { get; init; }

    /// <summary>What group files hold of the run: it is read where the journal ends or is not whole.</summary>
    public GroupedRun? Grouped { get; init; }
    /// <summary>The part of the journal that group files hold too, and that may not be durable in it.</summary>
    public (long From, long To) Unsettled { get; private set; }

    /// <summary>Begins behind a record that is known.</summary>
    public void StartBehind(long seq, string hash, long offset, RunHead? head = null) =>
        (Seq, Hash, End, LastCommit, _read, _position, Head) = (seq, hash, offset, offset, offset, offset, head);

    /// <summary>The hash of the record that ends right before an offset.</summary>
    public static string HashBefore(DurableFile file, string runId, long seq, long offset)
    {
        Span<byte> tail = stackalloc byte[HashTail + 1];
        return file.Read(tail, offset - tail.Length) == tail.Length && tail.StartsWith(HashMember) && tail[^1] == '\n'
            ? Encoding.ASCII.GetString(tail.Slice(HashMember.Length, 32))
            : throw new JournalCorruptException(runId, seq, "the line does not end with its hash");
    }

    /// <summary>Records of whole commits, in order.</summary>
    /// <exception cref="JournalCorruptException">Damage that no crash explains.</exception>
    public IEnumerable<Checkpoint> Records()
    {
        var (seq, hash, head) = (Seq, Hash, Head);
        List<Checkpoint>? group = null;
        while (true)
        {
            Checkpoint? record = null;
            string? error = "the line does not end";
            var isLine = TryReadLine(out var line, out var whole);
            if (!isLine || !whole || !CheckpointCodec.TryDecode(line, hash, out record, out error))
            {
                if (GoOnInGroups())
                {
                    if (group is { Count: > 0 }) Offsets?.RemoveRange(Offsets.Count - group.Count, group.Count);
                    group?.Clear();
                    (seq, hash, head, _pinned) = (Seq, Hash, Head, false);
                    continue;
                }
                if (isLine) Torn = Judge(line, whole, seq + 1, hash, error!);
                break;
            }
            head = Fold(head, record, seq + 1);
            (seq, hash) = (record.Seq, record.Hash);
            Offsets?.Add(_lineOffset);
            if (record.More)
            {
                (group ??= []).Add(record);
                _pinned = true;
                continue;
            }
            if (Grouped?.Holds(Hash) == true) Unsettled = (Unsettled.To == 0 ? End : Unsettled.From, _position);
            (Seq, Hash, Head, LastCommit, End) = (seq, hash, head, End, _position);
            if (group is { Count: > 0 })
            {
                foreach (var earlier in group) yield return earlier;
                group.Clear();
            }
            yield return record;
            _pinned = false;
        }
        if (group is { Count: > 0 })
        {
            Torn ??= $"the last commit ends after {group.Count} of its records";
            Offsets?.RemoveRange(Offsets.Count - group.Count, group.Count);
        }
        if (seq == 0) throw new JournalCorruptException(runId, 1, "the file is empty");
    }

    /// <summary>Goes on behind the last whole commit with what group files hold; they were flushed, so it stands above what the journal shows there.</summary>
    bool GoOnInGroups()
    {
        if (Grouped is null || Hash == _groupedBehind || Grouped.Behind(Hash, End) is not { Length: > 0 } lines) return false;
        _groupedBehind = Hash;
        _buffer = new byte[Math.Max(lines.Length, SmallBuffer)];
        lines.CopyTo(_buffer, 0);
        (_start, _end, _position, _read) = (0, lines.Length, End, End + lines.Length);
        return true;
    }

    /// <summary>Records as bytes of a journal.</summary>
    public static byte[] Join(IReadOnlyList<Checkpoint> records)
    {
        var bytes = new byte[records.Sum(record => record.Line.Length + 1)];
        var at = 0;
        foreach (var record in records)
        {
            record.Line.Span.CopyTo(bytes.AsSpan(at));
            at += record.Line.Length + 1;
            bytes[at - 1] = (byte)'\n';
        }
        return bytes;
    }

    /// <summary>Reads to the end.</summary>
    public void Drain()
    {
        foreach (var _ in Records()) { }
    }

    RunHead? Fold(RunHead? head, Checkpoint record, long expected)
    {
        if (record.Seq != expected) throw new JournalCorruptException(runId, expected, $"record {expected} is missing, {record.Seq} stands in its place");
        if (head is null && expected > 1) return null;
        try
        {
            head = RunHead.After(head, record);
        }
        catch (Exception e) when (e is PawlException or InvalidOperationException or JsonException or KeyNotFoundException or FormatException)
        {
            throw new JournalCorruptException(runId, expected, $"the record cannot follow: {e.Message}");
        }
        return head.RunId == runId ? head : throw new JournalCorruptException(runId, expected, $"the journal belongs to run '{RunIds.Printable(head.RunId)}'");
    }

    /// <summary>Decides about a line that does not fit: the remains of a commit that was never acknowledged, or damage.</summary>
    /// <remarks>
    /// A crash can spoil only the last commit: one write at the end, whose blocks reach the disk in any order and are missing, or zero, where they
    /// did not. So a line with others behind it is torn only when it holds zeros and none of these begins another commit. The first line is
    /// flushed before the journal gets its name, so it cannot be torn at all. In doubt it is damage: that loses nothing.
    /// </remarks>
    string Judge(ReadOnlyMemory<byte> line, bool whole, long number, string prevHash, string reason)
    {
        var corrupt = new JournalCorruptException(runId, number, reason);
        if (number == 1) throw corrupt;
        // An intact line that cannot be read was written by a newer version or by hand: never to be cut off.
        if (whole && CheckpointCodec.IsChained(line.Span, prevHash)) throw corrupt;
        if (HoldsWholeCommit(line.Span, prevHash)) throw new JournalCorruptException(runId, number, "the end of the line is damaged");
        var goesOn = line.Span.Contains((byte)0) && GoesOn(line.Span);
        while (TryReadLine(out line, out _))
        {
            if (!goesOn) throw corrupt;
            goesOn = GoesOn(line.Span);
        }
        return reason;
    }

    /// <summary>The end of the line says that its commit goes on, or holds zeros and cannot say.</summary>
    static bool GoesOn(ReadOnlySpan<byte> line)
    {
        var end = line[Math.Max(0, line.Length - HashTail - MoreMember.Length)..];
        return end.Contains((byte)0) || (end.StartsWith(MoreMember) && end[MoreMember.Length..].StartsWith(HashMember));
    }

    /// <summary>A whole last record of a commit with other bytes behind it: its line end was durable, and was damaged later.</summary>
    static bool HoldsWholeCommit(ReadOnlySpan<byte> line, string prevHash)
    {
        for (var (at, tries) = (0, 0); tries < 100; tries++)
        {
            var next = line[at..].IndexOf(HashMember);
            var end = at + next + HashTail;
            if (next < 0 || end >= line.Length) return false;
            if (line[end..].ContainsAnyExcept((byte)0) && !line[..(at + next)].EndsWith(MoreMember) && CheckpointCodec.IsChained(line[..end], prevHash)) return true;
            at += next + 1;
        }
        return false;
    }

    bool TryReadLine(out ReadOnlyMemory<byte> line, out bool whole)
    {
        for (var searched = 0; ;)
        {
            var at = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            whole = at >= 0;
            if (!whole)
            {
                searched = _end - _start;
                if (Fill()) continue;
            }
            var length = whole ? searched + at : searched;
            line = _buffer.AsMemory(_start, length);
            var taken = whole ? length + 1 : length;
            (_lineOffset, _position, _start) = (_position, _position + taken, _start + taken);
            return taken > 0;
        }
    }

    bool Fill()
    {
        if (_end == _buffer.Length)
        {
            var rest = _end - _start;
            // Records are slices of the buffer: while they are kept it is not overwritten.
            var next = keep || _pinned || rest > _buffer.Length / 2 ? new byte[Math.Max(rest * 2, Math.Min(_buffer.Length * 2, LargeBuffer))] : _buffer;
            Buffer.BlockCopy(_buffer, _start, next, 0, rest);
            (_buffer, _start, _end) = (next, 0, rest);
        }
        var count = file.Read(_buffer.AsSpan(_end), _read);
        (_read, _end) = (_read + count, _end + count);
        return count > 0;
    }
}
