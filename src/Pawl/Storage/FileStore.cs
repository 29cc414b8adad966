using System.Collections.Concurrent;
namespace Pawl.Storage;

/// <summary>Settings of a <see cref="FileStore"/>.</summary>
public sealed record FileStoreOptions
{
    /// <summary>All time comes from here. Default: the system clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Other users may read the store: it is made with mode 0755 instead of 0700, and runs of other users in it are shown. Default false.</summary>
    public bool Shared { get; init; }
}

/// <summary>The embedded store: a directory, with a directory per run that can be read with <c>ls</c> and <c>cat</c>.</summary>
/// <remarks>
/// <para>One process at a time executes a run, guarded by a lock of the operating system that ends with the process; any number of processes use the
/// store. A commit is one append to <c>journal.jsonl</c> and one flush, made on the caller's thread; commits of several runs that are made together share the
/// flush of a group file. All other files but payloads and messages are views.</para>
/// <para>A crash at any point leaves every acknowledged commit, and of one that was not acknowledged all or nothing. Thread safe.</para>
/// </remarks>
public sealed partial class FileStore : IMeasuredStore
{
    readonly string _root;
    readonly FileStoreOptions _options;
    readonly ConcurrentDictionary<string, FileStoreRun> _live = new(StringComparer.Ordinal);
    readonly FileStoreGroups _groups;
    readonly FileStoreWriter _writer;
    readonly FileStoreViewPace _pace;
    readonly Lock _opening = new();
    bool _ready;

    FileStore(string root, FileStoreOptions options)
    {
        (_root, _options) = (root, options);
        _groups = new FileStoreGroups(root, options.Shared);
        _writer = new FileStoreWriter(_groups, _live);
        _pace = new FileStoreViewPace(options.Time);
        var (durability, remark) = DurabilityProbe.Classify(DurabilityProbe.FileSystemOf(root));
        Info = new StoreInfo($"file:{root}", durability, remark);
        CheckRoot();
    }

    /// <summary>Opens the store in a directory. Nothing is written before the first run is created, claimed or deleted.</summary>
    /// <param name="directory">Made when it is missing. Relative paths are taken from the current directory.</param>
    /// <param name="options">Clock, and who may read.</param>
    /// <exception cref="IOException">The directory belongs to another user, and the store is not shared.</exception>
    public static FileStore Open(string directory, FileStoreOptions? options = null) =>
        new(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)), options ?? new FileStoreOptions());

    /// <inheritdoc/>
    public StoreInfo Info { get; }

    /// <inheritdoc/>
    public ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
    {
        var runId = RunIds.Check(head.RunId);
        if (created.Seq != 1 || created.More || !CheckpointCodec.IsChained(created, "") || created.Line.Span.Contains((byte)'\n'))
            throw new ArgumentException("The created record is not the first line of a journal.", nameof(created));
        PrepareRoot();
        for (var spin = new SpinWait(); ; spin.SpinOnce())
        {
            cancellationToken.ThrowIfCancellationRequested();
            Durable.TryMakeDirectory(Path.Join(_root, runId), Durable.Directory0755);
            if (Locate(runId) is not { } files) continue;
            if (ReadHead(runId, files) is { } existing) return new(new CreateResult(null, existing));
            // Held and not yet a run: another process creates it at this moment.
            if (TryLock(files) is not { } held) continue;
            try
            {
                if (!IsRun(files))
                {
                    var lease = CreateLocked(files, runId, held, created, claimant);
                    if (claimant is null && head.Queue is not null) Tell();
                    return new(new CreateResult(lease, null));
                }
                held.Dispose();
            }
            catch
            {
                held.Dispose();
                throw;
            }
        }
    }

    RunLease? CreateLocked(FileStoreLayout files, string runId, DurableFile held, Checkpoint created, RunOwner? claimant)
    {
        try
        {
            // The journal gets its name when its first line is durable: a crash before leaves a directory that is no run, and that the next creation takes over.
            Durable.Replace(files.Directory, FileStoreJournal.Name, [.. created.Line.Span, (byte)'\n']);
            // Durable: the journal in its directory. A crash here leaves the run, or nothing.
            Durable.FlushDirectory(_root);
            // Durable: the run.
            var token = files.ReadOwner().Token + 1;
            if (claimant is null)
            {
                FileStoreLayout.WriteFree(held, token);
                held.Dispose();
                return null;
            }
            FileStoreLayout.WriteOwner(held, claimant, token);
            var lease = new RunLease(runId, token);
            _live[runId] = new FileStoreRun(files, held, lease, claimant, new FileStoreViews(files, _pace, claimant), _groups).BeginWith(created);
            return lease;
        }
        catch
        {
            // Not created: the caller may try again, and finds nothing whose flush failed.
            Discard(runId, files);
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken)
    {
        if (Locate(runId) is not { } files || !IsRun(files)) return new(default(ClaimResult));
        PrepareRoot();
        if (TryLock(files) is not { } held) return new(IsRun(files) ? new ClaimResult(null, OwnerOf(runId, files) ?? files.ReadOwner().Owner) : default);
        try
        {
            var upToDate = FileStoreViews.AreComplete(files);
            var (_, lastToken, inOrder) = files.ReadOwner();
            // One who died a moment ago may still seem to hold his group file.
            var grouped = _groups.Of(runId, living: !inOrder);
            using var file = Durable.TryOpenRead(files.Journal);
            if (file is null)
            {
                held.Dispose();
                return new(default(ClaimResult));
            }
            List<Checkpoint> records = [];
            var journal = new FileStoreJournal(file, runId, keep: true) { Offsets = [], Grouped = grouped };
            foreach (var record in journal.Records())
            {
                cancellationToken.ThrowIfCancellationRequested();
                records.Add(record);
            }
            var notice = journal.Torn is null ? null : SetAside(files, file, journal);
            if (journal.Unsettled is { To: > 0 } unsettled) WriteAgain(files, journal, records, unsettled.From, unsettled.To);
            // The last commit's writer died, perhaps behind a failed flush.
            if (!inOrder) WriteAgain(files, journal, records, journal.LastCommit, journal.End);
            var token = Math.Max(journal.Head!.Token, lastToken) + 1;
            FileStoreLayout.WriteOwner(held, claimant, token);
            var lease = new RunLease(runId, token);
            var run = new FileStoreRun(files, held, lease, claimant, new FileStoreViews(files, _pace, claimant), _groups).BeginBehind(journal, records, upToDate);
            // One that was here lost its lock file; it writes nothing any more.
            if (_live.TryGetValue(runId, out var lost)) Release(lost);
            _live[runId] = run;
            return new(new ClaimResult(lease, null, notice));
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Saves the bytes behind the last whole commit to a file of their own, then cuts them off.</summary>
    static string SetAside(FileStoreLayout files, DurableFile journal, FileStoreJournal read)
    {
        var rest = journal.ReadRange(read.End, journal.Facts.Size);
        var name = $"journal.torn-{read.Seq + 1}";
        for (var n = 2; Durable.FactsOf(Path.Join(files.Directory, name)) is not null; n++) name = $"journal.torn-{read.Seq + 1}-{n}";
        Durable.CreateFlushed(Path.Join(files.Directory, name), rest);
        Durable.FlushDirectory(files.Directory);
        // Durable: the copy. A crash before the next line sets the same bytes aside again.
        using var file = Durable.Open(files.Journal, Durable.Use.Change);
        file.SetLength(read.End);
        file.Flush();
        return $"The last {rest.Length} bytes of the journal, behind record {read.Seq}, are what a crash left of a write that was never acknowledged ({read.Torn}). They were moved to '{name}'; nothing that was acknowledged is lost.";
    }

    /// <summary>Makes whole commits last that may not: behind a failed flush the cache shows what the disk does not have, and only pages that are written again
    /// reach it; and of what stands in a group file a loss of power leaves nothing.</summary>
    static void WriteAgain(FileStoreLayout files, FileStoreJournal read, List<Checkpoint> records, long from, long to)
    {
        using var file = Durable.Open(files.Journal, Durable.Use.Change);
        file.Write(FileStoreJournal.Join(records[At(from)..At(to)]), from);
        file.Flush();

        int At(long offset)
        {
            var index = read.Offsets!.BinarySearch(offset);
            return index < 0 ? ~index : index;
        }
    }

    /// <inheritdoc/>
    /// <remarks>A lease lives as long as the process; only a removed run or lock file ends it earlier, which a commit finds.</remarks>
    public ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) =>
        new([.. leases.Where(lease => Held(lease) is null)]);

    /// <inheritdoc/>
    /// <remarks>A lone commit is made on the caller's thread, without a hand-over.</remarks>
    public async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
    {
        var results = commits.Count == 1 ? CommitResults.One(Held(commits[0].Lease)?.Commit(commits[0]) ?? Repeated(commits[0])) : await TogetherAsync(commits);
        for (var i = 0; i < results.Count; i++)
        {
            if (!commits[i].Release || results[i] != CommitResult.Committed) continue;
            var lease = commits[i].Lease;
            if (Held(lease) is { } run) Release(run);
        }
        return results;
    }

    async Task<IReadOnlyList<CommitResult>> TogetherAsync(IReadOnlyList<Commit> commits)
    {
        var runs = new HashSet<string>(commits.Count, StringComparer.Ordinal);
        var together = new (FileStoreRun?, Commit)[commits.Count];
        for (var i = 0; i < together.Length; i++)
        {
            if (!runs.Add(commits[i].Lease.RunId)) throw new ArgumentException("Commits that are made together are of different runs.", nameof(commits));
            together[i] = (Held(commits[i].Lease), commits[i]);
        }
        var results = await _writer.CommitAsync(together);
        return results.Contains(CommitResult.LeaseLost) ? [.. results.Zip(commits, (result, commit) => result == CommitResult.LeaseLost ? Repeated(commit) : result)] : results;
    }

    /// <summary>Gives a run back. It stays known until its journal is durable: a group file that ends meanwhile asks it.</summary>
    void Release(FileStoreRun run)
    {
        if (!run.Release()) _writer.Keep();
        _live.TryRemove(new(run.Lease.RunId, run));
    }

    /// <summary>Without a lease: the run's last commit, sent again, when its lease was given back in order and nobody has claimed the run since.</summary>
    CommitResult Repeated(in Commit commit) =>
        commit.Records.Count > 0 && Locate(commit.Lease.RunId) is { } files && files.ReadOwner() is { InOrder: true } last && last.Token == commit.Lease.Token
        && ReadHead(commit.Lease.RunId, files) is { } head && head.Seq == commit.Records[^1].Seq && head.Hash == commit.Records[^1].Hash
            ? CommitResult.Committed
            : CommitResult.LeaseLost;

    FileStoreRun? Held(RunLease lease) => _live.TryGetValue(lease.RunId, out var run) && run.Lease.Token == lease.Token ? run : null;

    /// <inheritdoc/>
    public IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => Read(runId, fromSeq, cancellationToken).ToAsyncEnumerable();

    IEnumerable<Checkpoint> Read(string runId, long fromSeq, CancellationToken cancellationToken)
    {
        if (Locate(runId) is not { } files) yield break;
        var run = _live.GetValueOrDefault(runId);
        if (fromSeq <= 1 && run?.TakeLoaded() is { } loaded)
        {
            foreach (var record in loaded) yield return record;
            fromSeq = loaded.Count + 1;
        }
        var grouped = run is null ? _groups.Of(runId) : null;
        using var file = Durable.TryOpenRead(files.Journal);
        if (file is null && IsLost(files)) throw new JournalCorruptException(runId, 1, Gone);
        if (file is null) yield break;
        var journal = new FileStoreJournal(file, runId, keep: true) { Grouped = grouped };
        if (fromSeq > 1 && run is not null)
        {
            if (run.OffsetOf(fromSeq) is not { } offset) yield break;
            journal.StartBehind(fromSeq - 1, FileStoreJournal.HashBefore(file, runId, fromSeq - 1, offset), offset);
        }
        foreach (var record in journal.Records())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (record.Seq >= fromSeq) yield return record;
        }
    }

    /// <inheritdoc/>
    public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) =>
        new(Locate(runId) is { } files ? FileStorePayloads.Read(files, runId, payload) : throw new RunNotFoundException(runId));

    /// <inheritdoc/>
    public ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken)
    {
        if (Locate(runId) is not { } files || !IsRun(files)) throw new RunNotFoundException(runId);
        var isNew = FileStoreInbox.Post(files, message);
        if (isNew && !_live.ContainsKey(runId)) Tell();
        return new(isNew);
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) =>
        new(Locate(runId) is { } files ? FileStoreInbox.Read(files) : []);

    /// <inheritdoc/>
    public ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken)
    {
        if (Locate(runId) is not { } files || !(IsRun(files) || IsLost(files))) return new(false);
        PrepareRoot();
        if (TryLock(files) is not { } held)
        {
            if (!(IsRun(files) || IsLost(files))) return new(false);
            throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"Run '{runId}' is executed by {OwnerOf(runId, files) ?? files.ReadOwner().Owner}.", "Cancel it first."));
        }
        using (held)
        {
            if (!(IsRun(files) || IsLost(files))) return new(false);
            // One rename takes the run out of the store, whole; the rest can be repeated at any time.
            var trash = MoveToTrash(runId, files, held);
            // Durable: the run is gone.
            Durable.FlushDirectory(_root);
            Directory.Delete(trash, recursive: true);
            return new(true);
        }
    }

    /// <summary>Releases every run that this store still holds.</summary>
    public ValueTask DisposeAsync()
    {
        foreach (var (_, run) in _live) Release(run);
        _writer.End();
        _pace.Dispose();
        return default;
    }
}
