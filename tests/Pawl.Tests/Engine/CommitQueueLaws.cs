using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>Runs whose commits are made together, on the threads of the pool.</summary>
public class CommitQueueLaws
{
    const int Runs = 20;

    [Fact]
    public async Task A_step_that_blocks_holds_up_no_run_whose_commit_was_made_with_its_own()
    {
        var store = new GatheringStore(new MemoryStore());
        using var others = new CountdownEvent(Runs - 1);
        var client = new PawlClient(store);
        var workflow = Workflow.Define("w", async ctx =>
        {
            await ctx.StepAsync("one", store.BeginAsync);
            // The thread is gone until every other run has its next checkpoint.
            if (ctx.RunId == store.First) Assert.True(others.Wait(TimeSpan.FromSeconds(60)));
            await ctx.StepAsync("two", () => Task.FromResult(2));
            if (ctx.RunId != store.First) others.Signal();
        });
        // Not in the context of the test, which would hand each run to a thread of its own.
        var results = await Task.WhenAll(Enumerable.Range(0, Runs).Select(n => Task.Run(() => client.RunAsync(workflow, null, new StartOptions { RunId = $"run{n}" }))));
        Assert.NotNull(store.First);
        Assert.All(results, result => Assert.Equal(RunStatus.Completed, result.Status));
    }

    [Fact]
    public async Task A_run_whose_commit_was_made_alone_goes_on_before_the_next_write_is_over()
    {
        var store = new NextInFront(new MemoryStore());
        var client = new PawlClient(store);
        var first = Workflow.Define("first", async ctx =>
        {
            await ctx.StepAsync("one", async () => { await store.OtherBegan.Task; return 1; });
            await ctx.StepAsync("two", () => { store.WentOn.Set(); return Task.FromResult(2); });
        });
        var other = Workflow.Define("other", ctx => ctx.StepAsync("next", async () =>
        {
            store.OtherBegan.SetResult();
            await store.OneIsWritten.Task;
            store.OtherIsDone.Set();
            return 3;
        }));
        var results = await Task.WhenAll(Task.Run(() => client.RunAsync(other, null, new StartOptions { RunId = "other" })), Task.Run(() => client.RunAsync(first, null, new StartOptions { RunId = "first" })));
        Assert.All(results, result => Assert.Equal(RunStatus.Completed, result.Status));
        Assert.True(store.HasGoneOn);
    }

    /// <summary>A store that writes on the thread that asks it: the write of 'one' lasts until another run waits for the next, and that one until the first run has gone on.</summary>
    sealed class NextInFront(ICheckpointStore inner) : StoreInFront(inner)
    {
        static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

        public TaskCompletionSource OtherBegan { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public TaskCompletionSource OneIsWritten { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public ManualResetEventSlim OtherIsDone { get; } = new();
        public ManualResetEventSlim WentOn { get; } = new();
        public bool HasGoneOn { get; private set; }

        public override ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
        {
            if (Has(commits, "one"))
            {
                OneIsWritten.SetResult();
                Assert.True(OtherIsDone.Wait(s_patience, CancellationToken.None));
                // Its commit comes right behind its step.
                Thread.Sleep(100);
            }
            if (Has(commits, "next")) HasGoneOn = WentOn.Wait(s_patience, CancellationToken.None);
            return base.CommitAsync(commits, cancellationToken);
        }

        static bool Has(IReadOnlyList<Commit> commits, string step) => commits.Any(commit => commit.Records.Any(record => record.Path?.EndsWith($"/{step}", StringComparison.Ordinal) == true));
    }

    [Fact]
    public async Task Runs_whose_commits_were_made_together_stay_together()
    {
        const int steps = 10;
        var store = new GatheringStore(new MemoryStore());
        // No time passes: nobody goes on without those that are still told.
        var client = new PawlClient(store, new PawlOptions { Time = new VirtualTime() });
        var workflow = Workflow.Define("w", async ctx =>
        {
            await ctx.StepAsync("one", store.BeginAsync);
            for (var i = 0; i < steps; i++) await ctx.StepAsync($"s{i}", () => Task.FromResult(i));
        });
        await Task.WhenAll(Enumerable.Range(0, Runs).Select(n => Task.Run(() => client.RunAsync(workflow, null, new StartOptions { RunId = $"run{n}" }))));
        Assert.InRange(store.Calls, steps, steps * Runs / 2);
    }

    [Fact]
    public async Task A_failed_commit_of_several_runs_is_sent_again_for_each()
    {
        var store = new GatheringStore(new MemoryStore()) { FailsOnce = true };
        var client = new PawlClient(store, new PawlOptions { WriteRetries = 0 });
        var workflow = Workflow.Define("w", ctx => ctx.StepAsync("one", store.BeginAsync));
        var results = await Task.WhenAll(Enumerable.Range(0, Runs).Select(n => Task.Run(() => client.RunAsync(workflow, null, new StartOptions { RunId = $"run{n}" }))));
        Assert.NotNull(store.First);
        Assert.All(results, result => Assert.Equal(RunStatus.Completed, result.Status));
    }

    /// <summary>The first step ends in all runs at once, and its commits wait for that, so that the runs behind the first two come together.</summary>
    sealed class GatheringStore(ICheckpointStore inner) : StoreInFront(inner)
    {
        readonly TaskCompletionSource _here = new(TaskCreationOptions.RunContinuationsAsynchronously), _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int _begun, _ended, _calls;

        /// <summary>The first run of the first group.</summary>
        public string? First { get; private set; }

        public bool FailsOnce { get; init; }

        /// <summary>Writes since the first group.</summary>
        public int Calls => _calls;

        public async Task<int> BeginAsync()
        {
            if (Interlocked.Increment(ref _begun) == Runs) _here.TrySetResult();
            await _here.Task;
            var ended = Interlocked.Increment(ref _ended);
            if (ended == Runs) _all.TrySetResult();
            return ended;
        }

        public override async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
        {
            if (commits.Any(commit => commit.Records.Any(record => record.Path?.EndsWith("/one", StringComparison.Ordinal) == true)))
            {
                await _all.Task;
                if (commits.Count > 1 && First is null)
                {
                    First = commits[0].Lease.RunId;
                    if (FailsOnce) throw new IOException("the disk is away");
                }
            }
            if (First is not null) Interlocked.Increment(ref _calls);
            return await Inner.CommitAsync(commits, cancellationToken);
        }
    }
}
