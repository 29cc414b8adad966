using System.IO.Enumeration;
using System.Collections.Concurrent;

namespace Pawl.Storage;

public sealed partial class FileStore
{
    const int MaxKnown = 10_000;

    /// <summary>A head and the journal it was folded from: an unchanged journal is not read again, and of a longer one only what is new.</summary>
    sealed record KnownHead(FileFacts Journal, long End, RunHead Head);

    readonly ConcurrentDictionary<string, KnownHead> _known = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    /// <remarks>A run that cannot be read is listed as failed with the reason as its error; one that is asked for by name is not hidden.</remarks>
    /// <exception cref="JournalCorruptException">The journal of the run that the query names is damaged.</exception>
    public IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) => List(query, cancellationToken).ToAsyncEnumerable();

    /// <inheritdoc/>
    public ValueTask<IReadOnlyDictionary<RunStatus, int>> CountAsync(RunQuery query, CancellationToken cancellationToken)
    {
        // Every head is read for a list: once, not once for each status.
        var heads = List(query with { Limit = int.MaxValue }, cancellationToken).CountBy(head => head.Status).ToDictionary();
        return new((query.Statuses ?? Enum.GetValues<RunStatus>()).Distinct().ToDictionary(status => status, status => Math.Min(query.Limit, heads.GetValueOrDefault(status))));
    }

    /// <inheritdoc/>
    public ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken)
    {
        var bytes = 0L;
        if (Directory.Exists(_root))
        {
            // Of a file that goes meanwhile the length is 0.
            var every = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
            foreach (var length in new FileSystemEnumerable<long>(_root, (ref entry) => entry.IsDirectory ? 0 : entry.Length, every))
            {
                cancellationToken.ThrowIfCancellationRequested();
                bytes += length;
            }
        }
        return new(new StoreSize(bytes, "the files of the folder"));
    }

    IEnumerable<RunHead> List(RunQuery query, CancellationToken cancellationToken)
    {
        if (query.RunId is { } one)
        {
            if (Locate(one) is { } files && ReadHead(one, files) is { } head && query.Matches(head)) yield return head;
            yield break;
        }
        if (!Directory.Exists(_root)) yield break;
        List<RunHead> heads = [];
        foreach (var path in Directory.EnumerateDirectories(_root))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var runId = Path.GetFileName(path);
            if (RunIds.IsValid(runId) && HeadOrError(runId) is { } head && query.Matches(head)) heads.Add(head);
        }
        foreach (var head in heads.OrderByDescending(head => head.CreatedAt).ThenByDescending(head => head.RunId, StringComparer.Ordinal).Take(query.Limit)) yield return head;
    }

    RunHead? HeadOrError(string runId)
    {
        FileStoreJournal? read = null;
        try
        {
            return Locate(runId) is { } files ? ReadHead(runId, files, journal => read = journal) : null;
        }
        catch (Exception e) when (e is JournalCorruptException or IOException or UnauthorizedAccessException)
        {
            var path = Path.Join(_root, runId);
            // Deleted meanwhile.
            if (!Directory.Exists(path)) return null;
            var touched = Directory.GetLastWriteTimeUtc(path);
            var head = read?.Head ?? new RunHead { RunId = runId, Workflow = "", CreatedAt = touched, UpdatedAt = touched };
            return head with { Status = RunStatus.Failed, Error = e is JournalCorruptException corrupt ? $"journal corrupt at line {corrupt.Line}: {corrupt.Reason}" : e.Message };
        }
    }

    /// <summary>Null when the run is gone, or was never created whole.</summary>
    RunHead? ReadHead(string runId, FileStoreLayout files, Action<FileStoreJournal>? reading = null)
    {
        if (Durable.FactsOf(files.Journal) is not { } facts) return IsLost(files) ? throw new JournalCorruptException(runId, 1, Gone) : null;
        var owner = OwnerOf(runId, files);
        var known = _known.GetValueOrDefault(runId);
        var head = known?.Journal == facts ? known.Head : Fold(runId, files, known, reading);
        // Claimed between the two looks, perhaps.
        if (owner is null && head?.Status == RunStatus.Running) owner = OwnerOf(runId, files);
        return head is null ? null : head with { Owner = owner };
    }

    RunHead? Fold(string runId, FileStoreLayout files, KnownHead? known, Action<FileStoreJournal>? reading)
    {
        var grouped = _live.ContainsKey(runId) ? null : _groups.Of(runId);
        using var file = Durable.TryOpenRead(files.Journal);
        if (file is null) return null;
        var facts = file.Facts;
        var journal = new FileStoreJournal(file, runId, keep: false) { Grouped = grouped };
        reading?.Invoke(journal);
        if (known is not null && known.Journal.SameFile(facts) && facts.Size > known.Journal.Size)
        {
            journal.StartBehind(known.Head.Seq, known.Head.Hash, known.End, known.Head);
            try
            {
                journal.Drain();
                if (journal.Torn is null) return Know(journal);
            }
            catch (JournalCorruptException)
            {
                // As below.
            }
            // What was known was never acknowledged and is gone, or belonged to a run that was deleted and made again, or there is damage: the whole file tells.
            journal = new FileStoreJournal(file, runId, keep: false) { Grouped = grouped };
            reading?.Invoke(journal);
        }
        journal.Drain();
        return Know(journal);

        RunHead Know(FileStoreJournal read)
        {
            if (_known.Count >= MaxKnown) _known.Clear();
            _known[runId] = new KnownHead(facts, read.End, read.Head!);
            return read.Head!;
        }
    }

    RunOwner? OwnerOf(string runId, FileStoreLayout files) =>
        _live.TryGetValue(runId, out var run) ? run.Owner : Durable.IsLocked(files.Lock) ? files.ReadOwner().Owner : null;
}
