using System.Reflection;
using Pawl.Storage;

namespace Pawl.Tests.Engine;

/// <summary>What one run, or one queue, does to the others.</summary>
public class SeveralRunsLaws
{
    static readonly Workflow s_quick = Workflow.Define("w", ctx => Task.FromResult(1));

    static Task<RunHead> Enqueue(Lab lab, Workflow workflow, string id, string queue = "default") =>
        lab.Client.EnqueueAsync(workflow, null, new EnqueueOptions { Queue = queue }, new StartOptions { RunId = id }, Lab.Token);

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    [InlineData("c")]
    public void A_worker_with_several_queues_takes_from_each_of_them(string queue) => Lab.Do(async lab =>
    {
        await using var worker = new Hand(lab, new WorkerOptions { Workflows = [s_quick], Queues = [new QueueOptions("a"), new QueueOptions("b"), new QueueOptions("c")], Concurrency = 2 });
        for (var i = 0; i < 5; i++) await Enqueue(lab, s_quick, $"r{i}", queue);
        for (var i = 0; i < 5; i++) Assert.Equal(RunStatus.Completed, (await lab.Ended($"r{i}")).Status);
    });

    [Fact]
    public void A_worker_never_has_more_runs_than_it_has_places_however_many_queues_it_serves() => Lab.Do(async lab =>
    {
        var (now, most) = (0, 0);
        var slow = Workflow.Define("w", async ctx =>
        {
            most = Math.Max(most, ++now);
            await lab.Delay(1);
            now--;
        });
        for (var i = 0; i < 12; i++) await Enqueue(lab, slow, $"r{i}", "abc"[i % 3].ToString());
        await using var worker = new Hand(lab, new WorkerOptions { Workflows = [slow], Queues = [new QueueOptions("a"), new QueueOptions("b"), new QueueOptions("c")], Concurrency = 2 });
        for (var i = 0; i < 12; i++) await lab.Ended($"r{i}");
        Assert.Equal(2, most);
    });

    [Fact]
    public void What_a_step_registers_for_its_end_and_throws_there_stops_nobody_else() => Lab.Do(async lab =>
    {
        var bad = Workflow.Define("bad", async ctx =>
        {
            ctx.CancellationToken.Register(() => throw new InvalidOperationException("no such process"));
            await lab.Delay(1000, ctx.CancellationToken);
        });
        var good = Workflow.Define("good", ctx => lab.Delay(1000, ctx.CancellationToken));
        await using var worker = new Hand(lab, bad, good);
        await Enqueue(lab, bad, "bad");
        await Enqueue(lab, good, "good");
        await lab.Delay(5);
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("bad", "ann", TimeSpan.FromSeconds(30), Lab.Token)).Status);
        // It hears of it at once, and not by the look that comes every ten seconds.
        Assert.Equal(RunStatus.Canceled, (await lab.Client.CancelAsync("good", "ann", TimeSpan.FromSeconds(2), Lab.Token)).Status);
    });

    [Fact]
    public void What_a_step_registers_for_its_time_limit_and_throws_there_ends_no_process() => Lab.Do(async lab =>
    {
        var builder = Workflow.Create("w");
        builder.Step("slow", async ctx =>
        {
            ctx.CancellationToken.Register(() => throw new InvalidOperationException("no such process"));
            await lab.Delay(1000, ctx.CancellationToken);
        }, step => step.Timeout(TimeSpan.FromSeconds(5)));
        var result = await lab.Run(builder.Build());
        Assert.Equal(RunStatus.Failed, result.Status);
        Assert.Contains("5", result.Error, StringComparison.Ordinal);
    });

    [Fact]
    public void The_child_of_a_run_that_is_not_over_is_not_pruned() => Lab.Do(async lab =>
    {
        var paid = 0;
        var pay = Workflow.Define("pay", ctx => ctx.StepAsync("charge", () => Task.FromResult(++paid)));
        var order = Workflow.Define("order", async ctx =>
        {
            await ctx.RunChildAsync("pay", pay);
            await ctx.WaitForSignalAsync("go");
        });
        Assert.Equal(RunStatus.Waiting, (await lab.Client.RunAsync(order, null, new StartOptions { RunId = "o" }, Lab.Token)).Status);
        await lab.Delay(3600);
        var everything = new RetentionPolicy { MaxAge = TimeSpan.Zero };
        Assert.Empty(await lab.Client.PruneAsync(everything, cancellationToken: Lab.Token));
        await lab.Client.SignalAsync("o", "go", cancellationToken: Lab.Token);
        (await lab.Client.ResumeAsync(order, "o", cancellationToken: Lab.Token)).EnsureCompleted();
        Assert.Equal(1, paid);
        await lab.Delay(3600);
        Assert.Equal(2, (await lab.Client.PruneAsync(everything, cancellationToken: Lab.Token)).Count);
    });

    [Fact]
    public void A_run_that_cannot_be_read_is_not_taken_again_and_again()
    {
        var time = new Pawl.Testing.VirtualTime();
        var store = Unreadable.Around(new MemoryStore(time, TimeSpan.FromSeconds(30)), "bad");
        var lab = new Lab(store, time);
        time.Run(async () =>
        {
            await Enqueue(lab, s_quick, "bad");
            await Enqueue(lab, s_quick, "good");
            await using var worker = new Hand(lab, s_quick);
            Assert.Equal(RunStatus.Completed, (await lab.Ended("good")).Status);
            await lab.Delay(300);
            // Once for each lease, and not once for each look.
            Assert.InRange(((Unreadable)(object)store).Reads, 2, 60);
        });
    }

    /// <summary>A store in which the journal of one run cannot be read.</summary>
    public class Unreadable : DispatchProxy
    {
        ICheckpointStore _inner = null!;
        string _run = "";

        public int Reads { get; private set; }

        public static ICheckpointStore Around(ICheckpointStore inner, string run)
        {
            var store = Create<ICheckpointStore, Unreadable>();
            var proxy = (Unreadable)(object)store;
            (proxy._inner, proxy._run) = (inner, run);
            return store;
        }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            if (targetMethod!.Name != nameof(ICheckpointStore.ReadAsync) || !_run.Equals(args![0])) return targetMethod.Invoke(_inner, args);
            Reads++;
            return FailAsync(_run);
        }

        static async IAsyncEnumerable<Checkpoint> FailAsync(string run)
        {
            await Task.CompletedTask;
            if (run.Length > 0) throw new JournalCorruptException(run, 2, "the record is missing");
            yield break;
        }
    }
}
