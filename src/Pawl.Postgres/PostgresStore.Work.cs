using Npgsql;
using NpgsqlTypes;
using Pawl.Storage;

namespace Pawl.Postgres;

// Workers that share the database.
public sealed partial class PostgresStore
{
    static readonly TimeSpan s_lookForDead = TimeSpan.FromSeconds(1);
    long _looked;

    /// <inheritdoc/>
    /// <remarks>One round trip. Limits of a queue hold over all workers, because one of them chooses at a time; queues without limits are taken from by all at once.</remarks>
    public async ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken)
    {
        await LookForDeadAsync(cancellationToken);
        var owner = PostgresOwner.Write(claimant);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var batch = _source.CreateBatch();
                // In one order, so that two workers with the same queues cannot wait for each other.
                var limited = work.Queues.Select(demand => demand.Queue).Where(IsLimited).Select(queue => queue.Name).Order(StringComparer.Ordinal).ToList();
                foreach (var name in limited) Add(PostgresSql.Line, Text($"pawl:{_options.Schema}/{name}"));
                Add(_sql.Wake);
                foreach (var (queue, places) in work.Queues) Add(queue.FairBy is null ? _sql.Take : _sql.TakeInTurns, Take(work, queue, places, owner));
                // One transaction: when it is answered the claims are durable, and the queues are free for the next worker.
                await using var rows = await batch.ExecuteReaderAsync(cancellationToken);
                for (var i = 0; i < limited.Count; i++) await rows.NextResultAsync(cancellationToken);
                var taken = new List<TakenRun>();
                do
                {
                    var ofQueue = new List<(long Place, TakenRun Run)>();
                    while (await rows.ReadAsync(cancellationToken))
                        ofQueue.Add((rows.GetInt64(0), new TakenRun(new RunLease(rows.GetString(1), rows.GetInt64(2)), PostgresHead.ReadRow(rows, 3))));
                    taken.AddRange(ofQueue.OrderBy(run => run.Place).Select(run => run.Run));
                }
                while (await rows.NextResultAsync(cancellationToken));
                return await WithStepsAsync(taken, cancellationToken);

                void Add(string sql, params NpgsqlParameter[] values)
                {
                    var command = batch.CreateBatchCommand();
                    command.CommandText = sql;
                    command.Parameters.AddRange(values);
                    batch.BatchCommands.Add(command);
                }
            }
            catch (NpgsqlException error)
            {
                if (!IsCollision(error) || attempt == Attempts) throw Failed(error);
            }
        }
    }

    /// <summary>The whole heads of runs whose process died: only behind the claim is it certain that no step of theirs comes.</summary>
    async ValueTask<IReadOnlyList<TakenRun>> WithStepsAsync(List<TakenRun> taken, CancellationToken cancellationToken)
    {
        var orphans = taken.Where(run => run.Head.Status == RunStatus.Running).Select(run => run.Head.RunId).ToArray();
        if (orphans.Length == 0) return taken;
        var heads = (await QueryAsync(_sql.List(["r.run_id = any($1)"], ""), PostgresHead.Read, cancellationToken, new NpgsqlParameter { Value = orphans })).ToDictionary(head => head.RunId);
        return [.. taken.Select(run => heads.TryGetValue(run.Head.RunId, out var head) ? run with { Head = head with { Owner = null } } : run)];
    }

    static bool IsLimited(QueueOptions queue) => queue is not { Concurrency: null, Rate: null, FairBy: null };

    NpgsqlParameter[] Take(WorkQuery work, QueueOptions queue, int places, string owner) =>
    [
        Text(queue.Name), Value(Math.Max(0, places)), Text(owner), Value(_options.LeaseTime), Value(work.Portable),
        new NpgsqlParameter { Value = work.Workflows.Select(key => key.Name).ToArray() }, new NpgsqlParameter { Value = work.Workflows.Select(key => key.Version).ToArray() },
        new NpgsqlParameter { Value = (object?)queue.Concurrency ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer }, new NpgsqlParameter { Value = (object?)queue.Rate ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer },
        Value(queue.Per), .. queue.FairBy is { } key ? [Text(key)] : Array.Empty<NpgsqlParameter>(),
    ];

    /// <summary>What a process of this machine held when it died can be taken before its lease has run out.</summary>
    async ValueTask LookForDeadAsync(CancellationToken cancellationToken)
    {
        var looked = Volatile.Read(ref _looked);
        if (PostgresOwner.Here is not { } here || (looked != 0 && _options.Time.GetElapsedTime(looked) < s_lookForDead)
            || Interlocked.CompareExchange(ref _looked, _options.Time.GetTimestamp(), looked) != looked) return;
        await BuryAsync(await QueryAsync(_sql.Holders, row => row.GetString(0), cancellationToken, Text(here)), cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>The database tells (<c>LISTEN</c>); after a lost connection comes a hint that there may be something.</remarks>
    public IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => _listener.WatchAsync(cancellationToken);
}
