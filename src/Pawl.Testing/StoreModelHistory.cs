using System.Text;
using System.Text.RegularExpressions;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>One random history on a store and on its model.</summary>
/// <param name="store">The store.</param>
/// <param name="taking">A store may answer a worker with nothing while another one chooses, so histories take one after another.</param>
/// <param name="cancellation">Ends it.</param>
sealed partial class StoreModelHistory(ICheckpointStore store, SemaphoreSlim taking, CancellationToken cancellation) : IAsyncDisposable
{
    static readonly string[] s_messages = ["go", "more", "a:b"];

    readonly MemoryStore _model = new();
    readonly string _id = LawRun.NewId();
    readonly string[] _queues = [LawRun.NewQueue(), LawRun.NewQueue()];
    readonly List<StoreModelRun> _runs = [];
    readonly HashSet<RunLease> _given = [];

    /// <summary>Operations, with the answers of both.</summary>
    public List<string> Log { get; } = [];

    /// <summary>How many operations were played.</summary>
    public int Played { get; private set; }

    /// <summary>Whether all answers were the same.</summary>
    public async Task<bool> PlayAsync(IReadOnlyList<int> operations)
    {
        try
        {
            foreach (var operation in operations)
            {
                Played++;
                await OperateAsync(new Random(operation));
            }
            foreach (var run in _runs)
            {
                await LookAsync(run);
                await ReadAsync(run, 1);
                await InboxAsync(run);
            }
            return true;
        }
        catch (LawBrokenException broken)
        {
            Log.Add(Short(broken.Message));
            return false;
        }
    }

    Task OperateAsync(Random random)
    {
        var run = _runs.Count > 0 ? _runs[random.Next(_runs.Count)] : null;
        return run is null || (_runs.Count < 3 && random.Next(4) == 0) ? CreateAsync(random) : random.Next(32) switch
        {
            < 3 => CreateAsync(random),
            3 => CreateAgainAsync(run),
            < 8 => ClaimAsync(run, random.Next(1, 5)),
            < 12 => TakeAsync(random),
            < 20 => CommitAsync([run], random),
            < 23 => CommitAsync([.. _runs.OrderBy(_ => random.Next()).Take(3)], random),
            23 => RenewAsync([.. _runs.OrderBy(_ => random.Next()).Take(3)], random),
            < 26 => PostAsync(run, random),
            26 => InboxAsync(run),
            < 29 => ListAsync(random),
            29 => ReadAsync(run, random.Next(1, 6)),
            30 => PayloadAsync(run, random),
            _ => DeleteAsync(run),
        };
    }

    async Task CreateAsync(Random random)
    {
        var data = new StringBuilder($",\"version\":{random.Next(1, 3)},\"tags\":{{\"t\":\"{random.Next(2)}\"}},\"partition\":{{\"p\":\"{"ab"[random.Next(2)]}\"}}");
        if (random.Next(4) > 0) data.Append(",\"queue\":\"").Append(_queues[random.Next(2)]).Append($"\",\"priority\":{random.Next(-1, 2)}");
        if (random.Next(4) == 0) data.Append(",\"not_before\":\"").Append(random.Next(2) == 0 ? "2200-01-01T00:00:00Z\"" : "2026-01-10T12:00:00Z\"");
        if (random.Next(3) == 0) data.Append(",\"definition\":{}");
        var id = $"{_id}_{_runs.Count}";
        var created = LawRun.Created(id, _id, data.ToString(), random.Next(4));
        var run = new StoreModelRun($"r{_runs.Count}", id, created);
        _runs.Add(run);
        var owner = random.Next(3) == 0 ? LawRun.Owner() : null;
        var (model, actual) = await BothAsync($"create {run.Name}{(owner is null ? "" : " and claim it")}: {data}", one => one.CreateAsync(created, run.Head, owner, cancellation), Describe);
        if (model.Lease is not null) Lease(run, model.Lease, actual.Lease!);
        await LookAsync(run);
    }

    async Task CreateAgainAsync(StoreModelRun run)
    {
        // One that was removed would be another run with old leases.
        if (await _model.FindAsync(run.Id, cancellation) is null) return;
        var created = LawRun.Created(run.Id, _id);
        await SameAsync($"create {run.Name} again", one => one.CreateAsync(created, RunHead.After(null, created), LawRun.Owner(8), cancellation), Describe);
    }

    async Task ClaimAsync(StoreModelRun run, int pid)
    {
        var (model, actual) = await BothAsync($"claim {run.Name} for {pid}", one => one.ClaimAsync(run.Id, LawRun.Owner(pid), cancellation), claim => claim.Lease is not null ? "a lease" : claim.HeldBy is { } owner ? $"held by {owner.Pid}" : "no run");
        if (model.Lease is not null) Lease(run, model.Lease, actual.Lease!);
        await LookAsync(run);
    }

    async Task TakeAsync(Random random)
    {
        var demands = (random.Next(3) == 0 ? _queues[..1] : _queues).Select(queue => new QueueDemand(new QueueOptions(queue)
        {
            Concurrency = random.Next(3) == 0 ? random.Next(1, 3) : null,
            Rate = random.Next(3) == 0 ? random.Next(1, 3) : null,
            Per = random.Next(2) == 0 ? TimeSpan.FromMinutes(1) : TimeSpan.FromDays(100 * 365),
            FairBy = random.Next(2) == 0 ? "p" : null,
        }, random.Next(4))).ToList();
        var work = new WorkQuery { Queues = demands, Workflows = [.. Enumerable.Range(1, random.Next(4) > 0 ? 2 : random.Next(2)).Select(version => new WorkflowKey(_id, version))], Portable = random.Next(3) == 0 };
        var what = string.Join("; ", demands.Select(demand => $"{demand.Places} of {demand.Queue}")) + $"; versions to {work.Workflows.Count}{(work.Portable ? "; portable" : "")}";
        await taking.WaitAsync(cancellation);
        IReadOnlyList<TakenRun>? model, actual;
        try { (model, actual) = await BothAsync($"take {what}", one => one.TakeAsync(work, LawRun.Owner(6), cancellation), taken => List(taken.Select(run => run.Head))); }
        finally { taking.Release(); }
        foreach (var (mine, other) in (model ?? []).Zip(actual ?? []))
        {
            var run = _runs.Single(run => run.Id == mine.Lease.RunId);
            Lease(run, mine.Lease, other.Lease);
            await LookAsync(run);
        }
    }

    async Task CommitAsync(List<StoreModelRun> runs, Random random)
    {
        var pairs = runs.Select(run => run.Commit(random)).ToList();
        var what = string.Join(" and ", runs.Zip(pairs, (run, pair) => $"{run.Name}: {pair.What} (token {pair.Lease.Model.Token})"));
        var (answers, _) = await BothAsync($"commit {what}", one => one.CommitAsync([.. pairs.Select(pair => pair.For(Of(one, pair.Lease)))], cancellation), answers => string.Join(", ", answers));
        foreach (var (i, run) in runs.Index())
        {
            if (answers?[i] == CommitResult.Committed) run.Accept(pairs[i]);
            await LookAsync(run);
        }
    }

    async Task RenewAsync(List<StoreModelRun> runs, Random random)
    {
        var leases = runs.Select(run => run.Lease(random)).ToList();
        await SameAsync($"renew {string.Join(", ", leases.Select(lease => $"{lease.Model.RunId} token {lease.Model.Token}"))}", async one =>
        {
            var lost = await one.RenewAsync([.. leases.Select(lease => Of(one, lease))], cancellation);
            return leases.Where(lease => lost.Contains(Of(one, lease))).ToList();
        }, lost => $"lost: {string.Join(", ", lost.Select(lease => lease.Model.RunId))}");
    }

    Task PostAsync(StoreModelRun run, Random random)
    {
        var message = new RunMessage(s_messages[random.Next(3)], random.Next(2) == 0 ? null : RawJson.Parse($"[{random.Next(9)}]"), DateTimeOffset.UnixEpoch.AddSeconds(random.Next(9)), random.Next(2) == 0 ? null : "model");
        return SameAsync($"post {message.Name} to {run.Name}", one => one.PostAsync(run.Id, message, cancellation), isNew => $"{isNew}");
    }

    Task InboxAsync(StoreModelRun run) => SameAsync($"inbox of {run.Name}", one => one.InboxAsync(run.Id, cancellation), messages =>
        string.Join("; ", messages.Select(message => $"{message.Name} {message.Body} {message.At:O} {message.By}")));

    Task ListAsync(Random random)
    {
        var statuses = random.Next(2) == 0 ? null : Enum.GetValues<RunStatus>().Where(_ => random.Next(2) == 0).ToList();
        var where = random.Next(4) switch { 0 => ("t", "1"), 1 => ("p", "a"), 2 => ("t", "a"), _ => default((string Key, string Value)?) };
        var query = new RunQuery
        {
            Workflow = _id,
            Statuses = statuses,
            Since = random.Next(3) == 0 ? new DateTimeOffset(2026, 1, 10, 12, 0, random.Next(4), TimeSpan.Zero) : null,
            Where = where is { } pair ? new Dictionary<string, string> { [pair.Key] = pair.Value } : null,
            Limit = random.Next(3) == 0 ? random.Next(1, 4) : int.MaxValue,
        };
        return SameAsync($"list [{(statuses is null ? "all" : string.Join(',', statuses))}] since {query.Since:O} where {where} at most {query.Limit}", async one => await Expect.ListAsync(one.ListAsync(query, cancellation)), List);
    }

    Task ReadAsync(StoreModelRun run, long from) => SameAsync($"read {run.Name} from {from}", async one => await Expect.ListAsync(one.ReadAsync(run.Id, from, cancellation)), records =>
        string.Join('\n', records.Select(record => $"{record.Seq} {record.Hash} {Encoding.UTF8.GetString(record.Line.Span)}")));

    async Task PayloadAsync(StoreModelRun run, Random random)
    {
        if (run.Payloads.Count == 0) return;
        var payload = run.Payloads[random.Next(run.Payloads.Count)].Ref;
        await SameAsync($"payload of {run.Name}", one => one.ReadPayloadAsync(run.Id, payload, cancellation), bytes => $"{bytes.Length} bytes {Convert.ToHexString(bytes.Span[..Math.Min(9, bytes.Length)])}");
    }

    async Task DeleteAsync(StoreModelRun run)
    {
        await SameAsync($"delete {run.Name}", one => one.DeleteAsync(run.Id, cancellation), was => $"{was}");
        await LookAsync(run);
    }

    Task LookAsync(StoreModelRun run) => SameAsync($"find {run.Name}", one => one.FindAsync(run.Id, cancellation), head => head is null ? "no run" : Describe(head));

    async Task SameAsync<T>(string what, Func<ICheckpointStore, ValueTask<T>> act, Func<T, string> describe) => await BothAsync(what, act, describe);

    async Task<(T? Model, T? Store)> BothAsync<T>(string what, Func<ICheckpointStore, ValueTask<T>> act, Func<T, string> describe)
    {
        cancellation.ThrowIfCancellationRequested();
        var (model, expected, _) = await AnswerAsync(_model);
        var (actual, answer, why) = await AnswerAsync(store);
        Log.Add(Short($"{what} -> {expected}"));
        Expect.Holds(expected == answer, $"the store answered: {answer}{why}");
        return (model, actual);

        async Task<(T?, string, string)> AnswerAsync(ICheckpointStore one)
        {
            try
            {
                var result = await act(one);
                return (result, describe(result), "");
            }
            catch (Exception error) when (!cancellation.IsCancellationRequested)
            {
                return (default, $"throws {error.GetType().Name}", $": {error.Message}");
            }
        }
    }

    void Lease(StoreModelRun run, RunLease model, RunLease actual)
    {
        _given.Add(actual);
        run.Leased(model, actual);
    }

    RunLease Of(ICheckpointStore one, LeasePair lease) => ReferenceEquals(one, _model) ? lease.Model : lease.Store;

    static string Describe(CreateResult result) => result.Existing is { } head ? $"exists: {Describe(head)}" : result.Lease is null ? "created" : "a lease";

    static string Describe(RunHead head) => $"{Expect.Describe(head)} held by {head.Owner?.Pid}";

    static string List(IEnumerable<RunHead> heads) => string.Concat(heads.Select(head => $"\n  {Describe(head)}"));

    // Ids and hashes are new each time, the history is not.
    string Short(string text) => Hash().Replace(text, "#").Replace(_id + "_", "r", StringComparison.Ordinal).Replace(_id, "model", StringComparison.Ordinal).Replace(_queues[0], "queue 0", StringComparison.Ordinal).Replace(_queues[1], "queue 1", StringComparison.Ordinal);

    [GeneratedRegex("\\b[0-9a-f]{32}\\b")]
    private static partial Regex Hash();

    /// <summary>Removes its runs.</summary>
    public async ValueTask DisposeAsync()
    {
        await _model.DisposeAsync();
        foreach (var lease in _given) await store.ReleaseAsync(lease, CancellationToken.None);
        foreach (var run in _runs)
        {
            // What a faulty store does not give back stays.
            try { await store.DeleteAsync(run.Id, CancellationToken.None); }
            catch (PawlException) { }
        }
    }
}
