namespace Pawl.Storage;

/// <summary>A run that this process holds: its lock, its journal open at the end, and how far it is acknowledged.</summary>
sealed class FileStoreRun(FileStoreLayout files, DurableFile held, RunLease lease, RunOwner owner, FileStoreViews views, FileStoreGroups groups)
{
    const int KeepBuffer = 1 << 20;

    readonly Lock _gate = new();
    readonly FileFacts _lockFacts = held.Facts;
    DurableFile? _journal;
    byte[] _buffer = new byte[4096];
    int _appended;
    // Up to here the records are acknowledged, and up to here the journal itself is durable. Between the two they are durable in a group file.
    long _length, _flushed;
    long _seq;
    string _hash = "";
    List<long> _offsets = [];
    List<Checkpoint>? _loaded;
    bool _released;
    // The directory of payloads has been made durable by this claim.
    bool _payloadsLast;

    public RunLease Lease { get; } = lease;
    public RunOwner Owner { get; } = owner;

    /// <summary>The next commit must be flushed in the journal itself: it is the claim's first, or one before it failed. So no two group files ever hold
    /// different records behind the same one.</summary>
    public bool StandsAlone { get; private set; } = true;

    /// <summary>Changes with each message; null while there is none.</summary>
    public FileFacts? Inbox => Durable.FactsOf(files.Inbox);

    /// <summary>Begins behind a new journal's first record.</summary>
    public FileStoreRun BeginWith(Checkpoint created)
    {
        (_length, _flushed, _seq, _hash, _offsets) = (created.Line.Length + 1, created.Line.Length + 1, created.Seq, created.Hash, [0]);
        views.Begin([created], upToDate: false);
        return this;
    }

    /// <summary>Begins behind the last whole commit of a journal that was read.</summary>
    public FileStoreRun BeginBehind(FileStoreJournal read, List<Checkpoint> records, bool viewsUpToDate)
    {
        (_length, _flushed, _seq, _hash, _offsets, _loaded) = (read.End, read.End, read.Seq, read.Hash, read.Offsets!, records);
        views.Begin(records, viewsUpToDate);
        return this;
    }

    /// <summary>The records that the claim read, once: the engine loads the journal right behind it.</summary>
    public List<Checkpoint>? TakeLoaded()
    {
        lock (_gate)
        {
            var loaded = _loaded;
            _loaded = null;
            return loaded;
        }
    }

    /// <summary>Where a record begins; null behind the last.</summary>
    public long? OffsetOf(long seq)
    {
        lock (_gate) return seq <= _seq ? _offsets[(int)seq - 1] : null;
    }

    /// <summary>The protocol of a commit that is made alone. That of several is <see cref="FileStoreWriter"/>'s.</summary>
    public CommitResult Commit(in Commit commit) => Append(commit) ?? FlushAndAcknowledge(commit);

    /// <summary>Its first half: nothing is durable yet. Unless it answers, this thread holds the run until the commit is acknowledged or given up.</summary>
    public CommitResult? Append(in Commit commit)
    {
        _gate.Enter();
        try
        {
            if (Check(commit) is { } answer)
            {
                _gate.Exit();
                return answer;
            }
            _loaded = null;
            // Durable behind this line: the payloads. A crash leaves files that no record names.
            if (commit.Payloads.Count > 0)
            {
                if (!_payloadsLast) FileStorePayloads.MakeDirectory(files);
                _payloadsLast = true;
                FileStorePayloads.Write(files, commit.Payloads);
            }
            var journal = OpenJournal();
            _appended = Join(commit.Records);
            // A crash during the write leaves a torn tail, which the next claim sets aside.
            journal.Append(_buffer.AsSpan(0, _appended));
            return null;
        }
        catch
        {
            GiveUp();
            throw;
        }
    }

    /// <summary>Its second half.</summary>
    public CommitResult FlushAndAcknowledge(in Commit commit)
    {
        try
        {
            // A crash here leaves the commit or a torn tail: it was not acknowledged, so both are right.
            _journal!.Flush();
        }
        catch
        {
            GiveUp();
            throw;
        }
        // Durable: the whole commit, and all before it.
        (_flushed, StandsAlone) = (_length + _appended, false);
        return Acknowledge(commit);
    }

    /// <summary>The commit is durable, here or in a group file.</summary>
    public CommitResult Acknowledge(in Commit commit)
    {
        var records = commit.Records;
        for (var i = 0; i < records.Count; i++)
        {
            _offsets.Add(_length);
            _length += records[i].Line.Length + 1;
        }
        (_seq, _hash) = (records[^1].Seq, records[^1].Hash);
        if (_buffer.Length > KeepBuffer) _buffer = new byte[4096];
        _gate.Exit();
        views.Changed(records);
        return CommitResult.Committed;
    }

    /// <summary>Copies what was appended, as a commit of a group file.</summary>
    /// <returns>How many bytes; 0 when there is no room.</returns>
    public int CopyTo(Span<byte> bytes)
    {
        var start = FileStoreGroup.WriteCommit(bytes, Lease.RunId, _seq + 1, _length, _hash, _appended);
        return start > 0 && _buffer.AsSpan(0, _appended).TryCopyTo(bytes[start..]) ? start + _appended : 0;
    }

    /// <summary>Nothing is acknowledged. A handle on which a write or flush failed is never used again.</summary>
    public void GiveUp()
    {
        CloseJournal();
        _gate.Exit();
    }

    CommitResult? Check(in Commit commit)
    {
        var records = commit.Records;
        if (_released || commit.Lease.Token != Lease.Token) return CommitResult.LeaseLost;
        // The same commit sent again: its answer was lost, its records are durable.
        if (records.Count == 0 || (records[^1].Seq == _seq && records[^1].Hash == _hash)) return CommitResult.Committed;
        var (seq, hash) = (_seq, _hash);
        for (var i = 0; i < records.Count; i++)
        {
            var record = records[i];
            if (record.Seq != seq + 1 || !CheckpointCodec.IsChained(record, hash)) return CommitResult.Conflict;
            if (record.Line.Span.Contains((byte)'\n') || record.More != i < records.Count - 1) throw new ArgumentException($"Record {record.Seq} is not one line, or does not say rightly whether its commit goes on.");
            (seq, hash) = (record.Seq, record.Hash);
        }
        // Someone removed the run or its lock file: whoever locks the new one is the owner now.
        return held.Facts.Links == 0 ? CommitResult.LeaseLost : null;
    }

    int Join(IReadOnlyList<Checkpoint> records)
    {
        var length = 0;
        for (var i = 0; i < records.Count; i++) length = checked(length + records[i].Line.Length + 1);
        if (_buffer.Length < length) _buffer = new byte[Math.Max(length, _buffer.Length * 2)];
        for (var (i, at) = (0, 0); i < records.Count; i++)
        {
            records[i].Line.Span.CopyTo(_buffer.AsSpan(at));
            at += records[i].Line.Length + 1;
            _buffer[at - 1] = (byte)'\n';
        }
        return length;
    }

    /// <summary>The journal, open at its acknowledged end.</summary>
    DurableFile OpenJournal()
    {
        if (_journal is { } open && open.Facts is { Links: > 0 } now && now.Size == _length) return open;
        CloseJournal();
        if (Durable.FactsOf(files.Journal) is null) throw new IOException($"'{files.Journal}' was removed while the run was executed. Nothing more can be recorded; start the run anew.");
        using (var file = Durable.Open(files.Journal, Durable.Use.Change))
        {
            if (_flushed < _length) Restore(file);
            var size = file.Facts.Size;
            if (size < _length) throw new JournalCorruptException(Lease.RunId, _seq, "records that were acknowledged are gone from the file");
            if (FileStoreJournal.HashBefore(file, Lease.RunId, _seq, _length) != _hash) throw new JournalCorruptException(Lease.RunId, _seq, "the last record that was acknowledged was changed");
            // Whatever follows the acknowledged end was never acknowledged, and after a failed flush the cache may show what the disk does not have.
            if (size > _length) file.SetLength(_length);
        }
        _journal = Durable.Open(files.Journal, Durable.Use.Append);
        return _journal;
    }

    /// <summary>Writes again what the journal may not have behind a failed flush, from its cache where that is right and else from the group file.</summary>
    void Restore(DurableFile file)
    {
        // As many records stand before it.
        var seq = _offsets.BinarySearch(_flushed);
        var journal = new FileStoreJournal(file, Lease.RunId, keep: true) { Grouped = groups.Of(Lease.RunId, living: true) };
        journal.StartBehind(seq, FileStoreJournal.HashBefore(file, Lease.RunId, seq, _flushed), _flushed);
        var records = journal.Records().TakeWhile(record => record.Seq <= _seq).ToList();
        if (records.Count < _seq - seq) throw new JournalCorruptException(Lease.RunId, seq + records.Count, "records that were acknowledged are gone from the file");
        file.Write(FileStoreJournal.Join(records), _flushed);
    }

    void CloseJournal()
    {
        _journal?.Dispose();
        (_journal, StandsAlone) = (null, true);
    }

    /// <summary>Makes the journal durable as far as it is acknowledged.</summary>
    /// <returns>False when it could not be.</returns>
    public bool TryFlush()
    {
        lock (_gate)
        {
            try
            {
                if (_flushed == _length) return true;
                if (_released) return false;
                OpenJournal().Flush();
                // Durable: the journal.
                _flushed = _length;
                return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JournalCorruptException)
            {
                // The next commit restores it.
                CloseJournal();
                return false;
            }
        }
    }

    /// <summary>Gives the lock back. What a failed commit left in the journal is cut off when the disk allows it.</summary>
    /// <returns>False when records that were acknowledged are durable in a group file only.</returns>
    public bool Release()
    {
        lock (_gate)
        {
            if (_released) return _flushed == _length;
            try
            {
                if (_lockFacts.SameFile(Durable.FactsOf(files.Lock)) && TryFlush())
                {
                    OpenJournal();
                    // Durable: the journal, before the lock file says that the run was left in order.
                    views.Close();
                    FileStoreLayout.WriteFree(held, Lease.Token);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JournalCorruptException)
            {
                // The next claim finds the same and says it.
            }
            finally
            {
                _released = true;
                views.Abandon();
                CloseJournal();
                held.Dispose();
            }
            return _flushed == _length;
        }
    }
}
