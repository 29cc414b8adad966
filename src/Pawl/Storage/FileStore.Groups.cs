namespace Pawl.Storage;

// What processes that died left in their group files goes into the journals.
public sealed partial class FileStore
{
    // Files that this instance went through; what it had to leave is looked at when its run is claimed.
    readonly HashSet<(string, FileFacts)> _settled = [];

    /// <summary>Brings the journals up to date with all orphans and removes these. A crash at any point leaves it to be done again.</summary>
    void SettleGroups()
    {
        var orphans = _groups.Files().Where(path => Durable.FactsOf(path) is { } facts && !_settled.Contains((path, facts))).ToList();
        if (orphans.Count == 0) return;
        // One at a time; the others go on, and find what they need when they claim.
        using var alone = Durable.TryLock(_groups.Settling);
        if (alone is null) return;
        foreach (var path in orphans)
        {
            if (Durable.FactsOf(path) is not { } facts || _groups.Read(path) is not { } group) continue;
            var settled = SettleRuns(group);
            // Durable: every record of a run that is there stands in its journal.
            if (settled && group.Damage is null) _groups.Remove(path);
            else _settled.Add((path, facts));
        }
    }

    bool SettleRuns(FileStoreGroup group)
    {
        var all = true;
        foreach (var (runId, grouped) in group.Runs) all &= TrySettle(runId, grouped);
        return all;
    }

    /// <summary>Writes again what a group file holds of a run, unless another process has the run.</summary>
    bool TrySettle(string runId, GroupedRun grouped)
    {
        try
        {
            // Deleted.
            if (Locate(runId) is not { } files || !IsRun(files)) return true;
            using var held = Durable.TryLock(files.Lock);
            if (held is null) return false;
            using var file = Durable.TryOpenRead(files.Journal);
            if (file is null || grouped.First is not { } first) return true;
            var journal = new FileStoreJournal(file, runId, keep: true) { Offsets = [], Grouped = grouped };
            if (StandsBehind(file, runId, first)) journal.StartBehind(first.Seq - 1, first.Previous, first.Offset);
            var records = journal.Records().ToList();
            if (journal.Unsettled is { To: > 0 } unsettled) WriteAgain(files, journal, records, unsettled.From, unsettled.To);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JournalCorruptException)
        {
            // Whoever claims the run finds the same and says it.
            return false;
        }
    }

    static bool StandsBehind(DurableFile journal, string runId, GroupedCommit commit)
    {
        try
        {
            return commit is { Seq: > 1, Offset: > 64 } && FileStoreJournal.HashBefore(journal, runId, commit.Seq - 1, commit.Offset) == commit.Previous;
        }
        catch (JournalCorruptException)
        {
            return false;
        }
    }

    /// <summary>For a repair: damaged group files that name a run go out of the way when the journals have what could be read.</summary>
    /// <returns>Where the last one is, and what was wrong with it; nulls when there is none.</returns>
    (string? Path, string? Reason) SetGroupAside(string runId)
    {
        var (aside, reason) = ((string?)null, (string?)null);
        foreach (var path in _groups.Files())
        {
            if (_groups.Read(path) is not { Damage: { } damage } group || !group.Runs.ContainsKey(runId)) continue;
            using var alone = Durable.TryLock(_groups.Settling);
            if (alone is null) continue;
            SettleRuns(group);
            // Durable: all that could be read of it.
            aside = $"{path}.damaged-1";
            for (var n = 2; Durable.FactsOf(aside) is not null; n++) aside = $"{path}.damaged-{n}";
            Durable.Rename(path, aside);
            Durable.FlushDirectory(_groups.Directory);
            // Durable: the runs that it names can be claimed again.
            reason = $"the group file '{path}', with records that the journal may lack: {damage}";
        }
        return (aside, reason);
    }
}
