using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Whole histories: processes that race for one run, die and come back, over a store that is slow and loses answers, while leases are
/// taken away and somebody pauses or cancels. Everything follows from the seed.</summary>
public class SimulationLaws
{
    const int Races = 4000;

    [Fact]
    public void Processes_that_race_die_and_return_bring_a_run_to_its_one_right_end()
    {
        var (takeovers, cancels, deaths) = (0, 0, 0);
        Parallel.For(0, Races, seed =>
        {
            var history = new History(seed);
            try { history.Play(); }
            catch (Exception error) { throw new InvalidOperationException($"seed {seed}: {error.Message}", error); }
            Interlocked.Add(ref takeovers, history.Takeovers);
            Interlocked.Add(ref deaths, history.Deaths);
            if (history.Canceled) Interlocked.Increment(ref cancels);
        });
        // A simulation in which nothing happens proves nothing.
        Assert.True(takeovers > Races / 20 && cancels > Races / 50 && deaths > Races / 2, $"{takeovers} takeovers, {cancels} cancels, {deaths} deaths");
    }

    sealed class History(int seed)
    {
        const string RunId = "run";
        readonly Random _random = new(seed);
        readonly VirtualTime _time = new(seed: seed);
        readonly MemoryStore _store = new();
        readonly RandomWorkflow _workflow = new(seed, failures: false) { Options = new RandomWorkflow(seed).Options with { Durability = Durability.Sync, Strategy = CheckpointStrategy.EveryStep } };
        readonly HashSet<string> _acknowledged = [];
        string? _broken;
        bool _over;

        public int Takeovers { get; private set; }
        public int Deaths { get; private set; }
        public bool Canceled { get; private set; }

        public void Play()
        {
            _time.Run(async () =>
            {
                var others = new List<Task>();
                if (_random.Next(3) == 0) others.Add(ThiefAsync());
                if (_random.Next(3) == 0) others.Add(OperatorAsync());
                await Task.WhenAll(Enumerable.Range(0, 2 + _random.Next(2)).Select(_ => ProcessAsync()));
                _over = true;
                await Task.WhenAll(others);
                await JudgeAsync();
            });
        }

        /// <summary>A machine that starts the run, or goes on with it, until it is over; its first lives end early.</summary>
        async Task ProcessAsync()
        {
            for (var life = 1; life < 60 && !_over; life++)
            {
                await Pause(40);
                var process = new CrashingStore(_store, life <= 3 && _random.Next(3) > 0 ? new CrashPoint(_random.Next(1, 12), (CrashMoment)_random.Next(4)) : null);
                var watched = new Watched(this, process);
                try
                {
                    var client = new PawlClient(watched, new PawlOptions { Time = _time });
                    var result = await client.RunAsync(_workflow.Build(), null, new StartOptions { RunId = RunId, IfExists = ExistingRun.Join, OnEvent = watched.See });
                    if (result.Status is RunStatus.Completed or RunStatus.Canceled && !result.CheckpointWriteFailed) _over = true;
                }
                catch (ResumeRefusedException refused) when (refused.Refusal.Reason is RefusalReason.Held) { }
                catch (ResumeRefusedException refused) when (refused.Refusal.Reason is RefusalReason.Canceled or RefusalReason.Completed) { _over = true; }
                catch (Exception error) when (process.IsDead || error is IOException) { }
                if (process.IsDead) Deaths++;
                await process.KillAsync();
            }
        }

        /// <summary>A store that takes a lease away although its process lives, as an expiry does.</summary>
        async Task ThiefAsync()
        {
            for (var i = 0; i < 3 && !_over; i++)
            {
                await Pause(150);
                if (await _store.FindAsync(RunId, default) is not { Owner: not null } head) continue;
                await _store.ReleaseAsync(new RunLease(RunId, head.Token), default);
                if ((await _store.FindAsync(RunId, default))!.Owner is null) Takeovers++;
            }
        }

        async Task OperatorAsync()
        {
            await Pause(400);
            var client = new PawlClient(_store, new PawlOptions { Time = _time });
            try
            {
                if (_random.Next(2) == 0) await client.PauseAsync(RunId, patience: TimeSpan.FromSeconds(1));
                else Canceled = (await client.CancelAsync(RunId, patience: TimeSpan.FromSeconds(5))).Status == RunStatus.Canceled;
            }
            catch (RunNotFoundException) { }
            catch (IllegalTransitionException) { }
        }

        async Task JudgeAsync()
        {
            var client = new PawlClient(_store, new PawlOptions { Time = _time });
            if (_broken is not null) throw new InvalidOperationException(_broken);
            var head = (await client.FindAsync(RunId))!;
            if (Canceled != (head.Status == RunStatus.Canceled)) throw new InvalidOperationException($"canceled: {Canceled}, but the run is {head.Status}");
            if (!Canceled && head.Status != RunStatus.Completed) throw new InvalidOperationException($"the run ended as {head.Status}: {head.Error}");
            if (await client.VerifyAsync(RunId) is { Count: > 0 } problems) throw new InvalidOperationException(problems[0]);
            var journal = await client.HistoryAsync(RunId);
            var tokens = journal.Where(record => record.Kind == CheckpointKind.Resumed).Select(record => record.Token).ToList();
            if (!tokens.SequenceEqual(tokens.Distinct().Order())) throw new InvalidOperationException($"passes with the tokens {string.Join(", ", tokens)}");
            foreach (var twice in journal.Where(record => record is { Kind: CheckpointKind.Step, Status: StepStatus.Completed }).GroupBy(record => record.Path).Where(group => group.Count() > 1))
                throw new InvalidOperationException($"step {twice.Key} succeeded twice");
            if (Canceled) return;
            var alone = new PawlClient(new MemoryStore(), new PawlOptions { Time = _time });
            await alone.RunAsync(_workflow.Build(), null, new StartOptions { RunId = RunId });
            var (expected, found) = (await Outputs(alone), await Outputs(client));
            if (expected != found) throw new InvalidOperationException($"the outputs are\n{found}\ninstead of\n{expected}");
        }

        static async Task<string> Outputs(PawlClient client)
        {
            var snapshot = await client.SnapshotAsync(RunId);
            return string.Join('\n', snapshot.Outputs.Concat(snapshot.State).Select(pair => $"{pair.Key}: {pair.Value}").Order(StringComparer.Ordinal));
        }

        Task Pause(int most) => Task.Delay(TimeSpan.FromMilliseconds(_random.Next(most)), _time);

        /// <summary>A process's way to the store: slow, and watched.</summary>
        sealed class Watched(History history, CrashingStore process) : StoreInFront(process)
        {
            long _token;

            public void See(RunEvent happened)
            {
                if (happened is not RunEvent.StepStarted began || process.IsDead || !Holds()) return;
                if (history._acknowledged.Contains(began.Path)) history._broken ??= $"{began.Path} began again at {history._time.Elapsed}";
                if (history._workflow.Build().Find(began.Path) is not { RunsAfterFailure: false } step) return;
                foreach (var need in step.Needs.Where(need => !began.Path.Contains('/') && !history.IsDurable(need)))
                    history._broken ??= $"{began.Path} began before {need} was durable";
            }

            public override async ValueTask<CreateResult> CreateAsync(Checkpoint created, RunHead head, RunOwner? claimant, CancellationToken cancellationToken) =>
                Keep(await Slowly(() => Inner.CreateAsync(created, head, claimant, cancellationToken)), result => result.Lease);

            public override async ValueTask<ClaimResult> ClaimAsync(string runId, RunOwner claimant, CancellationToken cancellationToken) =>
                Keep(await Slowly(() => Inner.ClaimAsync(runId, claimant, cancellationToken)), result => result.Lease);

            public override async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
            {
                var results = await Slowly(() => Inner.CommitAsync(commits, cancellationToken));
                foreach (var (commit, result) in commits.Zip(results))
                    if (result == CommitResult.Committed)
                        foreach (var record in commit.Records)
                            if (record is { Kind: CheckpointKind.Step, Status: StepStatus.Completed }) history._acknowledged.Add(record.Path!);
                return results;
            }

            async ValueTask<T> Slowly<T>(Func<ValueTask<T>> call)
            {
                await history.Pause(6);
                var result = await call();
                await history.Pause(6);
                return result;
            }

            T Keep<T>(T result, Func<T, RunLease?> lease)
            {
                if (lease(result) is { } mine) _token = mine.Token;
                return result;
            }

            /// <summary>A process whose lease was taken away may begin a step before it notices: its writes are refused.</summary>
            bool Holds()
            {
                try
                {
                    history._store.RenewAsync(new RunLease(RunId, _token), default).AsTask().GetAwaiter().GetResult();
                    return true;
                }
                catch (LeaseLostException) { return false; }
            }
        }

        bool IsDurable(string step)
        {
            var done = false;
            var records = _store.ReadAsync(RunId, 1, default).ToBlockingEnumerable();
            foreach (var record in records.Where(record => record.Kind == CheckpointKind.Step && record.Path == step))
                done = record.Status is StepStatus.Completed or StepStatus.Skipped || record.Tolerated;
            return done;
        }
    }
}
