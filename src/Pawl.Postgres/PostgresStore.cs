using System.Collections.Concurrent;
using Npgsql;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>Runs in a PostgreSQL database, for any number of workers on any number of machines.</summary>
/// <remarks>
/// A commit of steps is one statement and one flush, however many runs share it; what else is in a group goes by another. Leases are the database's: its clock alone decides when one has run out.
/// Thread safe. Errors of the connection are <see cref="IOException"/>: what was sent may be sent again.
/// </remarks>
public sealed partial class PostgresStore : IMeasuredStore
{
    readonly NpgsqlDataSource _source;
    readonly bool _owned;
    readonly PostgresStoreOptions _options;
    readonly PostgresSql _sql;
    readonly PostgresListener _listener;
    readonly PostgresClock _clock;
    // Connections that commit, each with its prepared statements: one for each group that the engine sends at a time. More would only take the rest of the pool.
    readonly ConcurrentBag<PostgresCommit> _committing = [];
    readonly ConcurrentBag<PostgresStep> _alone = [];
    readonly ConcurrentBag<NpgsqlConnection> _often = [];
    volatile PostgresKnown _known = new();
    readonly SemaphoreSlim _places = new(2);

    PostgresStore(NpgsqlDataSource source, bool owned, PostgresStoreOptions options, StoreInfo info, PostgresClock clock)
    {
        (_source, _owned, _options, Info, _clock) = (source, owned, options, info, clock);
        _sql = new PostgresSql(options.Schema);
        _listener = new PostgresListener(source, _sql.Channel, options.Time, clock);
    }

    /// <inheritdoc/>
    public StoreInfo Info { get; }

    /// <summary>Opens the store, and makes or updates its tables.</summary>
    /// <param name="connection"><c>postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=NAME</c>, or Npgsql's own form.</param>
    /// <param name="options">Null: the defaults.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <exception cref="ArgumentException">The connection string cannot be read.</exception>
    /// <exception cref="IOException">The server does not answer, or refuses.</exception>
    /// <exception cref="ResumeRefusedException">The tables were made by a newer version.</exception>
    /// <exception cref="InvalidOperationException">The server's settings do not keep what <see cref="PostgresStoreOptions.RequireDurable"/> asks for.</exception>
    public static async Task<PostgresStore> OpenAsync(string connection, PostgresStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        var (text, schema) = PostgresUri.Parse(connection);
        options ??= new PostgresStoreOptions();
        var source = PostgresUri.Source(text);
        try
        {
            return await OpenAsync(source, owned: true, schema is null ? options : options with { Schema = schema }, cancellationToken);
        }
        catch
        {
            await source.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens the store over an application's own data source, which stays the application's.</summary>
    /// <inheritdoc cref="OpenAsync(string, PostgresStoreOptions?, CancellationToken)"/>
    public static Task<PostgresStore> OpenAsync(NpgsqlDataSource source, PostgresStoreOptions? options = null, CancellationToken cancellationToken = default) =>
        OpenAsync(source, owned: false, options ?? new PostgresStoreOptions(), cancellationToken);

    static async Task<PostgresStore> OpenAsync(NpgsqlDataSource source, bool owned, PostgresStoreOptions options, CancellationToken cancellationToken)
    {
        // It stands in statements as it is.
        if (options.Schema is not { Length: > 0 and <= 48 } schema || !schema.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
            throw new ArgumentException("The schema of a PostgreSQL store is named with lower-case letters, digits and '_', at most 48.", nameof(options));
        try
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken);
            var (durability, remark) = await PostgresDurability.ReadAsync(connection, cancellationToken);
            if (options.RequireDurable && remark is not null) throw new InvalidOperationException($"The PostgreSQL server may lose acknowledged checkpoints: {remark}. Change its settings, or open the store without RequireDurable.");
            await PostgresSchema.MigrateAsync(connection, schema, cancellationToken);
            var clock = new PostgresClock(options.Time);
            await clock.ReadAsync(connection, cancellationToken);
            return new PostgresStore(source, owned, options, new StoreInfo(PostgresUri.Describe(source.ConnectionString, schema), durability, remark, options.LeaseTime, clock), clock);
        }
        catch (NpgsqlException error)
        {
            throw Described(error);
        }
    }

    /// <inheritdoc/>
    public ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken) =>
        CreateAsync(created, head, claimant, null, cancellationToken);

    async ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, NpgsqlTransaction? within, CancellationToken cancellationToken)
    {
        RunIds.Check(head.RunId);
        while (true)
        {
            // One statement: the run is durable with its first record and its claim when it is answered, or nothing of it is.
            NpgsqlParameter[] values = [
                Text(head.RunId), Text(head.Workflow), Value(head.Version), Text(PostgresHead.Status(head.Status)), Value(head.Seq), Text(head.Hash), Value(head.CreatedAt.UtcDateTime),
                Text(head.Queue), Value(head.Priority), Time(PostgresHead.Due(head)), Value(head.Portable), Labels(PostgresHead.Labels(head)), Text(PostgresHead.Write(head)),
                Text(claimant is null ? null : PostgresOwner.Write(claimant)), Value(_options.LeaseTime), Value(head.UpdatedAt.UtcTicks), Bytes(created.Line), Text(PostgresHead.Part(head))];
            var token = within is null ? await OftenAsync(_sql.Create, row => row.GetInt64(0), cancellationToken, values) : await QueryAsync(within, _sql.Create, row => row.GetInt64(0), cancellationToken, values);
            if (token is [var given]) return new CreateResult(claimant is null ? null : new RunLease(head.RunId, given), null);
            // Removed between the two looks: then it can be created after all.
            if (await QueryAsync(within, _sql.List(["r.run_id = $1"], ""), PostgresHead.Read, cancellationToken, Text(head.RunId)) is [var existing]) return new CreateResult(null, existing);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken)
    {
        for (var buried = false; ;)
        {
            // The raised token is durable when this is answered: from here on the commits of whoever had the run before are refused.
            var rows = await OftenAsync(_sql.Claim, row => (Token: row.IsDBNull(0) ? 0 : row.GetInt64(0), Owner: row.IsDBNull(1) ? null : row.GetString(1)), cancellationToken,
                Text(runId), Text(PostgresOwner.Write(claimant)), Value(_options.LeaseTime));
            if (rows is not [var (token, owner)]) return default;
            if (token > 0) return new ClaimResult(new RunLease(runId, token), null);
            // Somebody took it at this moment: the next look tells who.
            if (owner is null) continue;
            if (buried || !(buried = await BuryAsync([owner], cancellationToken))) return new ClaimResult(null, PostgresOwner.Read(owner).ToRunOwner());
        }
    }

    /// <summary>Ends the leases of those owners that are dead for certain: processes of this machine that are gone.</summary>
    async ValueTask<bool> BuryAsync(IEnumerable<string> owners, CancellationToken cancellationToken)
    {
        var dead = owners.Where(owner => PostgresOwner.Read(owner).IsDead()).ToArray();
        if (dead.Length > 0) await QueryAsync(_sql.Bury, _ => 0, cancellationToken, new NpgsqlParameter { Value = dead });
        return dead.Length > 0;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken)
    {
        if (leases.Count == 0) return [];
        var renewed = await QueryAsync(_sql.Renew, row => new RunLease(row.GetString(0), row.GetInt64(1)), cancellationToken,
            new NpgsqlParameter { Value = leases.Select(lease => lease.RunId).ToArray() }, new NpgsqlParameter { Value = leases.Select(lease => lease.Token).ToArray() }, Value(_options.LeaseTime));
        List<RunLease> lost = [.. leases.Except(renewed)];
        foreach (var lease in lost) _known.Forget(lease.RunId);
        return lost;
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
    {
        // Refused now or not at all: half-way the outcome would be unknown.
        cancellationToken.ThrowIfCancellationRequested();
        for (var attempt = 1; ; attempt++)
        {
            await _places.WaitAsync(CancellationToken.None);
            // What is written goes to what was known when it was sent: a failure beside it makes that void.
            var known = _known;
            try
            {
                var results = commits is [var commit] && known.Follows(commit, out var run) && WriteStep(commit, run, known) ? s_committed : await WriteAsync(commits, known);
                // What the run does next goes by the time of the server that has just answered.
                await _clock.EnsureAsync(_source, CancellationToken.None);
                return results;
            }
            catch (NpgsqlException error) when (IsTaken(error) && attempt < Attempts)
            {
                // Nothing was written. What is not known is looked up.
                foreach (var one in commits) known.Forget(one.Lease.RunId);
            }
            catch (NpgsqlException error)
            {
                // What the server made of it is not known; sent again it is recognised.
                if (!IsCollision(error) || attempt == Attempts) throw Failed(error);
            }
            finally
            {
                _places.Release();
            }
        }
    }

    static readonly CommitResult[] s_committed = [CommitResult.Committed];

    /// <returns>False when more than its record has to change, or nothing may.</returns>
    bool WriteStep(in Commit commit, long run, PostgresKnown known)
    {
        if (!_alone.TryTake(out var alone))
        {
            alone = new PostgresStep(_source, _sql);
            // A connection that is new may be to another server, though nobody met the loss of the one before.
            _clock.Doubt();
        }
        var isAnswered = false;
        try
        {
            var isWritten = alone.Execute(commit, run);
            isAnswered = true;
            if (isWritten) known.Written(commit, run);
            else known.Forget(commit.Lease.RunId);
            return isWritten;
        }
        finally
        {
            // One that failed may be lost: the next commit opens another.
            if (isAnswered) _alone.Add(alone);
            else alone.Dispose();
        }
    }

    async ValueTask<IReadOnlyList<CommitResult>> WriteAsync(IReadOnlyList<Commit> commits, PostgresKnown known)
    {
        if (!_committing.TryTake(out var committing))
        {
            committing = await PostgresCommit.OpenAsync(_source, _sql);
            _clock.Doubt();
        }
        try
        {
            var results = await committing.ExecuteAsync(commits, known);
            _committing.Add(committing);
            committing = null;
            return results;
        }
        finally
        {
            if (committing is not null) await committing.DisposeAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken)
    {
        try
        {
            // Durable when it is answered, and the run is due with it. The first to a name wins: the table allows no second.
            var (isFirst, exists) = (await QueryAsync(_sql.Post, row => (row.GetBoolean(0), row.GetBoolean(1)), cancellationToken,
                Text(runId), Text(message.Name), Text(message.At.ToString("O", System.Globalization.CultureInfo.InvariantCulture)), Text(message.By), Bytes(message.Body?.Utf8)))[0];
            return exists ? isFirst : throw new RunNotFoundException(runId);
        }
        catch (IOException error) when (error.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken)
    {
        for (var buried = false; ;)
        {
            var rows = await QueryAsync(_sql.Delete, row => (Gone: row.GetBoolean(0), Owner: row.IsDBNull(1) ? null : row.GetString(1)), cancellationToken, Text(runId));
            if (rows is not [var (gone, owner)]) return false;
            if (gone) return true;
            if (owner is null) continue;
            if (buried || !(buried = await BuryAsync([owner], cancellationToken)))
                throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"Run '{runId}' is executed by {PostgresOwner.Read(owner).ToRunOwner()}.", "Cancel it first."));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _listener.DisposeAsync();
        while (_committing.TryTake(out var committing)) await committing.DisposeAsync();
        while (_alone.TryTake(out var alone)) alone.Dispose();
        while (_often.TryTake(out var connection)) await connection.DisposeAsync();
        _places.Dispose();
        if (_owned) await _source.DisposeAsync();
    }
}
