namespace Pawl.Storage;

/// <summary>What a repair found and did.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Line">The first damaged line, from 1; 0 when nothing is damaged.</param>
/// <param name="Reason">What is wrong with it, or null.</param>
/// <param name="Quarantined">The file beside the journal that holds the damaged journal as it was; null when nothing was changed.</param>
/// <param name="Left">The run as it can now be resumed; null when not even the first record can be read, and nothing was changed.</param>
public sealed record RepairReport(string RunId, long Line, string? Reason, string? Quarantined, RunHead? Left)
{
    /// <summary>Files of damaged messages that were set aside, each with <c>.damaged</c> behind its name. What they said is lost; it can be sent again.</summary>
    public IReadOnlyList<string> Messages { get; init; } = [];
}

public sealed partial class FileStore
{
    /// <summary>Cuts a damaged journal back to the records before the damage; the damaged one is kept as <c>journal.corrupt-1</c>, <c>-2</c>, …. Damaged messages are
    /// set aside, also those of a run that is executed.</summary>
    /// <remarks>Steps recorded behind the damage run again when the run is resumed. A crash leaves the journal as it was, or repaired.</remarks>
    /// <returns>Null when there is no such run.</returns>
    /// <exception cref="ResumeRefusedException">A live process holds it, and no message is damaged.</exception>
    public ValueTask<RepairReport?> RepairAsync(string runId, CancellationToken cancellationToken)
    {
        if (Locate(runId) is not { } files) return new(default(RepairReport));
        if (!IsRun(files)) return new(IsLost(files) ? new RepairReport(runId, 1, Gone, null, null) : null);
        var messages = FileStoreInbox.Repair(files);
        var (group, missing) = SetGroupAside(runId);
        using var held = TryLock(files);
        if (held is null && messages.Count > 0) return new(new RepairReport(runId, 0, null, null, ReadHead(runId, files)) { Messages = messages });
        if (held is null) throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"Run '{runId}' is executed by {files.ReadOwner().Owner}.", "Cancel it first."));
        return new(RepairJournal(runId, files, group, missing, cancellationToken) with { Messages = messages });
    }

    RepairReport RepairJournal(string runId, FileStoreLayout files, string? group, string? missing, CancellationToken cancellationToken)
    {
        var grouped = _groups.Of(runId, living: true);
        using var file = Durable.Open(files.Journal, Durable.Use.Read);
        var journal = new FileStoreJournal(file, runId, keep: true) { Grouped = grouped };
        List<Checkpoint> left = [];
        try
        {
            foreach (var record in journal.Records())
            {
                cancellationToken.ThrowIfCancellationRequested();
                left.Add(record);
            }
            // A torn tail is no damage: the next claim sets it aside.
            return new(runId, group is null ? 0 : journal.Seq + 1, missing, group, journal.Head);
        }
        catch (JournalCorruptException damage)
        {
            return journal.Seq == 0
                ? new(runId, damage.Line, damage.Reason, null, null)
                : new(runId, damage.Line, damage.Reason, CutBack(files, file.ReadAll(), FileStoreJournal.Join(left)), journal.Head);
        }
    }

    static string CutBack(FileStoreLayout files, byte[] damaged, byte[] left)
    {
        var name = "journal.corrupt-1";
        for (var n = 2; Durable.FactsOf(Path.Join(files.Directory, name)) is not null; n++) name = $"journal.corrupt-{n}";
        Durable.Replace(files.Directory, name, damaged);
        // Durable: the copy, whole.
        Durable.Replace(files.Directory, FileStoreJournal.Name, left);
        // Durable: the journal without the damage.
        return name;
    }
}
