using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>A law that every store keeps.</summary>
/// <param name="Name">A sentence.</param>
/// <param name="Check">Checks it. The function given opens the store, the same one each time; it may hold other runs, and the law removes its own.</param>
public sealed record StoreLaw(string Name, Func<Func<Task<ICheckpointStore>>, CancellationToken, Task> Check)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>The laws of <see cref="ICheckpointStore"/> as data: run them with any test framework, or against a live store.</summary>
/// <remarks>A broken law throws <see cref="LawBrokenException"/>. The laws write runs whose ids begin with <c>law_</c>.</remarks>
public static partial class StoreConformance
{
    /// <summary>Every law.</summary>
    public static IReadOnlyList<StoreLaw> Laws { get; } = [.. Creating(), .. Committing(), .. Claiming(), .. Reading(), .. Listing(), .. Messages(), .. Deleting(),
        .. Together(), .. Taking(), .. Limiting(), .. Waking(), .. Watching(), .. Leasing()];

    /// <summary>Checks every law.</summary>
    /// <returns>The laws that are broken, each with its reason; empty when the store keeps them all.</returns>
    public static async Task<IReadOnlyList<(StoreLaw Law, string Reason)>> CheckAsync(Func<Task<ICheckpointStore>> open, CancellationToken cancellationToken = default)
    {
        var broken = new List<(StoreLaw, string)>();
        foreach (var law in Laws)
        {
            try { await law.Check(open, cancellationToken); }
            catch (Exception error) when (!cancellationToken.IsCancellationRequested) { broken.Add((law, error.Message)); }
        }
        return broken;
    }

    delegate Task Check(ICheckpointStore store, CancellationToken cancellation);

    /// <summary>A law that needs one instance of the store.</summary>
    static StoreLaw Law(string name, Check check) => new(name, async (open, cancellation) =>
    {
        await using var store = new Sweeper(await open());
        await check(store, cancellation);
    });

    /// <summary>A law about two instances of the store, as two processes have them.</summary>
    static StoreLaw Law(string name, Func<ICheckpointStore, ICheckpointStore, CancellationToken, Task> check) => new(name, async (open, cancellation) =>
    {
        await using var one = new Sweeper(await open());
        await using var two = new Sweeper(await open(), one);
        await check(one, two, cancellation);
    });

    static IEnumerable<StoreLaw> Creating()
    {
        yield return Law("A created run is found with its first record", async (store, cancellation) =>
        {
            var run = await LawRun.CreateAsync(store, null, cancellation);
            await run.IsWholeAsync(store, cancellation);
            Expect.Holds((await store.FindAsync(run.Id, cancellation))!.Status == RunStatus.Pending, "a created run is not pending");
        });
        yield return Law("A run created without a claimant is nobody's", async (store, cancellation) =>
        {
            var run = await LawRun.CreateAsync(store, null, cancellation);
            Expect.Holds(run.Lease is null && (await store.FindAsync(run.Id, cancellation))!.Owner is null, "it has an owner");
            await run.ClaimAsync(cancellation);
        });
        yield return Law("A run created with a claimant is claimed in the same act", async (store, cancellation) =>
        {
            var run = await LawRun.CreateAsync(store, LawRun.Owner(7), cancellation);
            Expect.Holds(run.Lease is { Token: > 0 } && run.Lease.RunId == run.Id, "there is no lease with a token");
            Expect.Holds((await store.FindAsync(run.Id, cancellation))!.Owner?.Pid == 7, "the head does not name the owner");
        });
        yield return Law("Creating a run that exists changes nothing and answers with its head", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation);
            var other = LawRun.Created(run.Id, "another");
            var result = await store.CreateAsync(other, RunHead.After(null, other), LawRun.Owner(9), cancellation);
            Expect.Holds(result.Lease is null && result.Existing?.Workflow == "law", "it was created again");
            await run.AppendAsync(cancellation, run.Step("a"));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Of many that create the same run at once exactly one succeeds", async (one, two, cancellation) =>
        {
            var id = LawRun.NewId();
            var results = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
            {
                var created = LawRun.Created(id, $"w{i}");
                return await (i % 2 == 0 ? one : two).CreateAsync(created, RunHead.After(null, created), LawRun.Owner(i), cancellation);
            }, cancellation)));
            Expect.Holds(results.Count(result => result.Lease is not null) == 1, $"{results.Count(result => result.Lease is not null)} of 16 created it");
            var winner = Array.FindIndex(results, result => result.Lease is not null);
            Expect.Holds((await one.FindAsync(id, cancellation))!.Workflow == $"w{winner}", "it is not the winner's");
        });
        yield return Law("A run id with every allowed sign is kept as it is", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation, LawRun.NewId() + "_Az09.-" + new string('x', 80));
            await run.IsWholeAsync(store, cancellation);
        });
        yield return Law("Run ids that differ in case only are two runs", async (store, cancellation) =>
        {
            var id = LawRun.NewId();
            var lower = await LawRun.BeginAsync(store, cancellation, id + "_a");
            var upper = await LawRun.BeginAsync(store, cancellation, id + "_A");
            await lower.AppendAsync(cancellation, lower.Step("x"));
            await lower.IsWholeAsync(store, cancellation);
            await upper.IsWholeAsync(store, cancellation);
        });
        yield return Law("A run id that could leave the store is refused", async (store, cancellation) =>
        {
            foreach (var id in new[] { "../law", "law/x", "", ".law", "con" })
            {
                var created = LawRun.Created(id);
                await Expect.ThrowsAsync<ArgumentException>(async () => await store.CreateAsync(created, RunHead.After(null, created), null, cancellation), $"'{id}' was accepted");
            }
        });
        yield return Law("Tags, partition and parent come back with the head", async (store, cancellation) =>
        {
            var run = await LawRun.BeginAsync(store, cancellation, data: ""","tags":{"team":"dócs"},"partition":{"date":"2026-01-10"},"parent":"mother","version":3""");
            var head = (await store.FindAsync(run.Id, cancellation))!;
            Expect.Holds((head.Tags["team"], head.Partition["date"], head.ParentRunId, head.Version) == ("dócs", "2026-01-10", "mother", 3), "they do not");
        });
    }

    /// <summary>Removes a law's runs when it is over.</summary>
    sealed class Sweeper(ICheckpointStore inner, Sweeper? first = null) : IMeasuredStore
    {
        // One instance may create what the other takes: the last to go removes what the first could not.
        readonly HashSet<string> _runs = first?._runs ?? [];
        readonly List<RunLease> _leases = [];

        public StoreInfo Info => inner.Info;

        public async ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken)
        {
            lock (_runs) _runs.Add(head.RunId);
            var result = await inner.CreateAsync(created, head, claimant, cancellationToken);
            if (result.Lease is { } lease) lock (_runs) _leases.Add(lease);
            return result;
        }

        public async ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken)
        {
            var result = await inner.ClaimAsync(runId, claimant, cancellationToken);
            if (result.Lease is { } lease) lock (_runs) _leases.Add(lease);
            return result;
        }

        public async ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken)
        {
            var taken = await inner.TakeAsync(work, claimant, cancellationToken);
            lock (_runs) _leases.AddRange(taken.Select(run => run.Lease));
            return taken;
        }

        public ValueTask<IReadOnlyList<RunLease>> RenewAsync(IReadOnlyList<RunLease> leases, CancellationToken cancellationToken) => inner.RenewAsync(leases, cancellationToken);
        public ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken) => inner.CommitAsync(commits, cancellationToken);
        public IAsyncEnumerable<RunHead> ListAsync(RunQuery query, CancellationToken cancellationToken) => inner.ListAsync(query, cancellationToken);
        public IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, CancellationToken cancellationToken) => inner.ReadAsync(runId, fromSeq, cancellationToken);
        public ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken) => inner.ReadPayloadAsync(runId, payload, cancellationToken);
        public ValueTask<bool> PostAsync(string runId, RunMessage message, CancellationToken cancellationToken) => inner.PostAsync(runId, message, cancellationToken);
        public ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken) => inner.InboxAsync(runId, cancellationToken);
        public IAsyncEnumerable<StoreHint> WatchAsync(CancellationToken cancellationToken) => inner.WatchAsync(cancellationToken);
        public ValueTask<bool> DeleteAsync(string runId, CancellationToken cancellationToken) => inner.DeleteAsync(runId, cancellationToken);

        public ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken) => inner is IMeasuredStore measured ? measured.MeasureAsync(cancellationToken) : default;

        public async ValueTask DisposeAsync()
        {
            foreach (var lease in _leases) await inner.ReleaseAsync(lease, CancellationToken.None);
            foreach (var run in _runs.Where(RunIds.IsValid))
            {
                // A run that the law left in another instance's hands stays behind: better than hiding what the law found.
                try { await inner.DeleteAsync(run, CancellationToken.None); }
                catch (PawlException) { }
            }
            await inner.DisposeAsync();
        }
    }
}
