using System.Collections.Concurrent;

namespace Pawl.Storage;

/// <summary>Settings of a <see cref="SqliteStore"/>.</summary>
public sealed record SqliteStoreOptions
{
    /// <summary>All time comes from here, leases too. Default: the system clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>How long a run stays with a process that does not renew its lease. One whose process died on this machine is given away at once. Default 30 s.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a write waits for other processes that write. Default 10 s.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>The embedded database: every run in one SQLite file, for one machine and any number of its processes.</summary>
/// <remarks>
/// <para>A commit is one transaction in the write-ahead log and one flush (<c>journal_mode = WAL</c>, <c>synchronous = FULL</c>). Commits that come while another
/// is flushed share the next flush. Whoever finds the file free writes on its own thread, which the flush keeps; the others' commits are written by a thread of the store.</para>
/// <para>A crash at any point leaves every acknowledged commit whole, and of one that was not acknowledged all or nothing. Thread safe. Every call may throw an
/// <see cref="IOException"/> that names the file: locked by another process, disk full, damaged.</para>
/// </remarks>
public sealed partial class SqliteStore : IMeasuredStore
{
    const string HolderColumns = "owner, holder, lease_until";
    const string Free = "owner = NULL, holder = NULL, lease_until = NULL";

    readonly string _path;
    readonly SqliteStoreOptions _options;
    readonly string _holder = SqliteHolder.New();
    readonly SqliteWriter _writer;
    readonly ConcurrentBag<SqliteDb> _readers = [];
    volatile bool _disposed;

    SqliteStore(string path, SqliteStoreOptions options)
    {
        (_path, _options) = (path, options);
        SqliteLibrary.Ensure();
        SqliteFile.Make(path);
        var db = OpenDb();
        try
        {
            SqliteSchema.Migrate(db, path, options.Time);
        }
        catch
        {
            db.Dispose();
            throw;
        }
        _writer = new SqliteWriter(db, new SqliteLog(path));
        var (durability, remark) = DurabilityProbe.Expect(Path.GetDirectoryName(path)!);
        Info = new StoreInfo($"sqlite:{path}", durability, remark, options.LeaseTime);
    }

    /// <summary>Opens a database, and makes or updates its tables.</summary>
    /// <param name="path">Made, for its owner alone, when it is missing; so is its directory. Relative paths are taken from the current directory. The tables of Pawl begin with <c>core_workflow_</c>: they may stand in a database of yours.</param>
    /// <param name="options">Clock, lease time, patience.</param>
    /// <exception cref="IOException">The file cannot be used, is locked, is damaged, or is a symbolic link.</exception>
    /// <exception cref="NotSupportedException">A newer program made the tables.</exception>
    /// <exception cref="DllNotFoundException">There is no SQLite 3.35 or newer; the message says what to install.</exception>
    public static SqliteStore Open(string path, SqliteStoreOptions? options = null) => new(Path.GetFullPath(path), options ?? new SqliteStoreOptions());

    /// <inheritdoc/>
    public StoreInfo Info { get; }

    DateTimeOffset Now => _options.Time.GetUtcNow();

    /// <summary>A connection. While others open or close the file, SQLite refuses some steps at once instead of waiting.</summary>
    SqliteDb OpenDb()
    {
        var began = _options.Time.GetTimestamp();
        while (true)
        {
            try
            {
                return new SqliteDb(_path, _options.BusyTimeout);
            }
            catch (SqliteCallException e) when (e.IsBusy && _options.Time.GetElapsedTime(began) < _options.BusyTimeout)
            {
                Thread.Yield();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
    {
        var result = await _writer.RunAsync(db => Create(db, created, head) is { } existing ? new CreateResult(null, existing) : new CreateResult(claimant is null ? null : Claim(db, head.RunId, claimant), null));
        if (result == default && head.Queue is not null) TellWatchers();
        return result;
    }

    /// <returns>The head of the run that has the id already.</returns>
    RunHead? Create(SqliteDb db, Checkpoint created, RunHead head)
    {
        RunIds.Check(head.RunId);
        if (created.Seq != 1 || created.More) throw new ArgumentException("The created record is not the first line of a journal.", nameof(created));
        var id = SqliteHeads.Add(db, head);
        if (id == 0) return Find(db, head.RunId);
        Append(db, id, created);
        return null;
    }

    /// <inheritdoc/>
    public ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) => _writer.RunAsync(db =>
    {
        using (var rows = db.Query($"SELECT {HolderColumns} FROM core_workflow_runs WHERE run_id = ?", runId))
        {
            if (!rows.Read()) return default;
            if (SqliteHeads.Owner(rows, 0, Now) is { } holder) return new ClaimResult(null, holder);
        }
        return new ClaimResult(Claim(db, runId, claimant), null);
    });

    RunLease Claim(SqliteDb db, string runId, RunOwner claimant)
    {
        db.Tips.Forget(runId);
        using var rows = db.Query("UPDATE core_workflow_runs SET token = token + 1, owner = ?, holder = ?, lease_until = ? WHERE run_id = ? RETURNING token",
            SqliteHeads.Write(claimant), _holder, (DateTimeOffset?)(Now + _options.LeaseTime), runId);
        rows.Read();
        var lease = new RunLease(runId, rows.Number(0));
        rows.Read();
        return lease;
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) => _writer.RunAsync<IReadOnlyList<RunLease>>(db =>
    {
        DateTimeOffset? until = Now + _options.LeaseTime;
        return leases.Where(lease => db.Run("UPDATE core_workflow_runs SET lease_until = ? WHERE run_id = ? AND token = ? AND owner IS NOT NULL", until, lease.RunId, lease.Token) == 0).ToList();
    });

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken) => _writer.RunAsync<IReadOnlyList<CommitResult>>(db =>
    {
        db.Tips.Check(db);
        var results = new CommitResult[commits.Count];
        for (var i = 0; i < results.Length; i++) results[i] = Apply(db, commits[i]);
        return results;
    });

    /// <summary>The commit protocol. Nothing is durable before the transaction ends, and then all is; a crash before that leaves nothing.</summary>
    static CommitResult Apply(SqliteDb db, in Commit commit)
    {
        var (lease, records) = (commit.Lease, commit.Records);
        if (SqliteHeads.IsPlain(commit))
        {
            var run = db.Tips.Find(commit);
            if (run == 0) run = SqliteHeads.Find(db, commit);
            if (run != 0)
            {
                Append(db, run, records[0], commit.Head!.Done);
                db.Tips.Note(commit, run);
                return CommitResult.Committed;
            }
        }
        db.Tips.Forget(lease.RunId);
        var id = records.Count == 0 ? 0 : SqliteHeads.Change(db, commit);
        if (id == 0)
        {
            // A release; or a stale token, a gap, or a commit whose answer was lost: the last record tells.
            if (SqliteHeads.Last(db, lease) is not var (seq, line, isHeld)) return CommitResult.LeaseLost;
            var isThere = records.Count > 0 && seq == records[^1].Seq && records[^1].Line.Span.SequenceEqual(line);
            if (!isHeld) return isThere ? CommitResult.Committed : CommitResult.LeaseLost;
            if (!isThere && records.Count > 0) return CommitResult.Conflict;
        }
        else
        {
            foreach (var payload in commit.Payloads)
                db.Run("INSERT OR IGNORE INTO core_workflow_payloads (run_id, sha256, content) VALUES (?, ?, ?)", lease.RunId, payload.Ref.Sha256, SqlValue.Blob(payload.Content));
            foreach (var record in records) Append(db, id, record);
        }
        if (commit.Release) db.Run($"UPDATE core_workflow_runs SET {Free} WHERE run_id = ? AND token = ?", lease.RunId, lease.Token);
        return CommitResult.Committed;
    }

    // done: what the run's row does not tell; null when it does.
    static void Append(SqliteDb db, long run, Checkpoint record, int? done = null) =>
        db.Run("INSERT INTO core_workflow_journal (run, seq, line, done) VALUES (?, ?, ?, ?)", run, record.Seq, SqlValue.Text(record.Line), done is { } steps ? steps : (string?)null);

    /// <inheritdoc/>
    public async ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken)
    {
        var isNew = await _writer.RunAsync<bool?>(db =>
        {
            using (var rows = db.Query("SELECT 1 FROM core_workflow_runs WHERE run_id = ?", runId))
                if (!rows.Read()) return null;
            if (db.Run("INSERT INTO core_workflow_messages (run_id, name, body, sent_at, sent_by) VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, name) DO NOTHING",
                runId, message.Name, message.Body?.ToString(), (DateTimeOffset?)message.At, message.By) == 0) return false;
            // A run that waits becomes due by this.
            db.Run("UPDATE core_workflow_runs SET messages = messages + 1 WHERE run_id = ?", runId);
            return true;
        }) ?? throw new RunNotFoundException(runId);
        if (isNew) TellWatchers();
        return isNew;
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken)
    {
        var (isGone, holder) = await _writer.RunAsync<(bool, RunOwner?)>(db =>
        {
            db.Tips.Forget(runId);
            using (var rows = db.Query($"SELECT {HolderColumns} FROM core_workflow_runs WHERE run_id = ?", runId))
                if (rows.Read() && SqliteHeads.Owner(rows, 0, Now) is { } holder) return (false, holder);
            db.Run("DELETE FROM core_workflow_journal WHERE run = (SELECT id FROM core_workflow_runs WHERE run_id = ?)", runId);
            // Its payloads, messages and labels go with it, by their foreign keys.
            return (db.Run("DELETE FROM core_workflow_runs WHERE run_id = ?", runId) == 1, null);
        });
        return holder is null ? isGone : throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"Run '{runId}' is executed by {holder}.", "Cancel it first."));
    }

    /// <summary>Releases every run that this store still holds.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed) return;
        _disposed = true;
        try
        {
            await _writer.RunAsync(db =>
            {
                db.Tips.Forget();
                return db.Run($"UPDATE core_workflow_runs SET {Free} WHERE holder = ? AND owner IS NOT NULL", _holder);
            });
        }
        catch (IOException)
        {
            // Then their leases end by themselves.
        }
        _writer.Dispose();
        while (_readers.TryTake(out var reader)) reader.Dispose();
    }
}
