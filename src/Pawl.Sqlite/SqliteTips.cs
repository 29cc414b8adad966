namespace Pawl.Storage;

/// <summary>Where the runs stand whose steps a connection wrote: as long as nobody else writes to the file, the next step of such a run need not look. For one thread at a time.</summary>
/// <remarks>Whatever changes a run in another way than by a step forgets that run; a transaction that is undone forgets all.</remarks>
sealed class SqliteTips
{
    // More than go on at the same time; those that ended are among them until it is reached.
    const int Most = 10_000;

    readonly Dictionary<string, Tip> _tips = [];
    long _version;

    readonly record struct Tip(long Run, long Token, long Seq, int Recoveries);

    /// <summary>At the begin of a transaction that writes. SQLite tells whether another connection wrote since this one did.</summary>
    public void Check(SqliteDb db)
    {
        if (db.Key("PRAGMA data_version") is var version && version == _version) return;
        _version = version;
        Forget();
    }

    /// <returns>The key of the row of a run that is held with the commit's token and whose last record is the one before the commit's; 0 when that is not known.</returns>
    public long Find(in Commit commit) =>
        _tips.TryGetValue(commit.Lease.RunId, out var tip) && tip.Token == commit.Lease.Token && tip.Seq == commit.Records[0].Seq - 1 && tip.Recoveries == commit.Head!.Recoveries ? tip.Run : 0;

    /// <summary>The commit of one record was written.</summary>
    public void Note(in Commit commit, long run)
    {
        if (_tips.Count >= Most) Forget();
        _tips[commit.Lease.RunId] = new Tip(run, commit.Lease.Token, commit.Records[0].Seq, commit.Head!.Recoveries);
    }

    public void Forget() => _tips.Clear();

    public void Forget(string runId) => _tips.Remove(runId);
}
