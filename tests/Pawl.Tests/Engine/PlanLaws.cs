using Pawl.Storage;
using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>What the plan says is what the resume then does, step by step.</summary>
public class PlanLaws
{
    const int Triples = 5000;

    [Fact]
    public void Plan_and_reality_agree_for_every_workflow_every_journal_and_every_edit()
    {
        var (refused, reused, rerun, jumped, ran) = (0, 0, 0, 0, 0);
        Parallel.For(0, Triples, seed =>
        {
            try
            {
                var tale = new VirtualTime();
                var seen = tale.Run(() => AgreeAsync(seed, tale));
                Interlocked.Add(ref refused, seen.Refused ? 1 : 0);
                Interlocked.Add(ref reused, seen[StepDecision.Reuse]);
                Interlocked.Add(ref rerun, seen[StepDecision.Rerun]);
                Interlocked.Add(ref jumped, seen[StepDecision.Skip]);
                Interlocked.Add(ref ran, seen[StepDecision.Run]);
            }
            catch (Exception error) { throw new InvalidOperationException($"seed {seed}: {error.Message}", error); }
        });
        // Every kind of answer was among them, many times.
        Assert.True(new[] { refused, reused, rerun, jumped, ran }.All(count => count > 200), $"refused {refused}, reused {reused}, rerun {rerun}, jumped {jumped}, ran {ran}");
    }

    sealed record Seen(bool Refused, IReadOnlyList<StepPlan> Steps)
    {
        public int this[StepDecision decision] => Steps.Count(step => step.Decision == decision);
    }

    static async Task<Seen> AgreeAsync(int seed, VirtualTime time)
    {
        var random = new Random(seed);
        var drawn = new Drawn(random);
        var store = new MemoryStore(time);
        var lab = new Lab(store, time);
        await BreakAsync(drawn, random, store, time);
        if (await lab.Client.FindAsync("run", Lab.Token) is null) return new Seen(true, []);

        drawn.Edit(random);
        var resume = drawn.Resume(random);
        drawn.IsMended = true;
        var workflow = drawn.Build();
        var plan = await lab.Client.PlanAsync(workflow, "run", resume, Lab.Token);
        if (plan.Refusals.Count > 0)
        {
            Assert.Equal(plan.Refusals[0], (await Assert.ThrowsAsync<ResumeRefusedException>(() => lab.Resume(workflow, resume))).Refusal);
            return new Seen(true, plan.Steps);
        }
        var before = (await lab.Head()).Seq;
        var result = await lab.Resume(workflow, resume);
        Assert.Equal(RunStatus.Completed, result.Status);
        Assert.Equal(workflow.Steps.Select(step => step.Id), plan.Steps.Select(step => step.Path));
        var records = (await lab.Journal()).Where(record => record.Seq > before && record.Kind == CheckpointKind.Step).ToLookup(record => record.Path!);
        foreach (var step in plan.Steps)
        {
            var fact = result.Steps.Where(report => report.Path == step.Path).ToList();
            switch (step.Decision)
            {
                case StepDecision.Reuse:
                    Assert.True(fact is [{ Restored: true }] && !records.Contains(step.Path) && fact[0].Duration == step.Saves.Duration, $"{step} was {Told(fact)}");
                    break;
                case StepDecision.Skip:
                    Assert.True(records[step.Path].Single() is { Status: StepStatus.Skipped, Reason: "jumped over by request" }, $"{step} was {Told(fact)}");
                    break;
                default:
                    Assert.True(fact is [{ Restored: false, Status: StepStatus.Completed }] && records[step.Path].Last().Status == StepStatus.Completed, $"{step} was {Told(fact)}");
                    break;
            }
        }
        Assert.Equal(plan.Saves, result.Saved);
        return new Seen(false, plan.Steps);

        static string Told(List<StepReport> reports) => reports.Count == 0 ? "not met" : string.Join(" and ", reports);
    }

    /// <summary>A pass that fails, dies at some write, is interrupted or canceled, or completes; perhaps two of them.</summary>
    static async Task BreakAsync(Drawn drawn, Random random, MemoryStore store, VirtualTime time)
    {
        for (var pass = 0; pass < random.Next(1, 3); pass++)
        {
            var dying = random.Next(3) == 0 ? new CrashingStore(store, new CrashPoint(random.Next(2, 12), CrashMoment.After)) : null;
            var lab = new Lab((ICheckpointStore?)dying ?? store, time);
            drawn.IsMended = random.Next(6) == 0;
            using var interrupt = new CancellationTokenSource();
            await using var timer = random.Next(4) == 0 ? time.CreateTimer(_ => interrupt.Cancel(), null, TimeSpan.FromMilliseconds(random.Next(1, 200)), Timeout.InfiniteTimeSpan) : null;
            try
            {
                if (pass == 0) await lab.Run(drawn.Build(), interrupt: interrupt);
                else await lab.Resume(drawn.Build(), interrupt: interrupt);
            }
            catch (Exception error) when (error is ProcessDiedException or PawlException) { }
        }
        if (random.Next(12) == 0 && await new Lab(store, time).Client.FindAsync("run", Lab.Token) is { Status: not RunStatus.Completed }) await new Lab(store, time).Client.CancelAsync("run", cancellationToken: Lab.Token);
    }

    /// <summary>A graph drawn from a seed, and its edits.</summary>
    sealed class Drawn(Random random)
    {
        readonly List<Node> _nodes = [.. Enumerable.Range(0, random.Next(1, 8)).Select(i => new Node($"step{i}", "1",
            [.. Enumerable.Range(0, i).Where(_ => random.Next(3) == 0).Select(j => $"step{j}")], random.Next(0, 50), random.Next(5) == 0, random.Next(4) == 0))];
        readonly Dictionary<string, string> _renamed = [];
        int _added;

        /// <summary>What failed no longer does.</summary>
        public bool IsMended { get; set; }

        public Workflow Build() => Workflow.Create("w").Also(builder =>
        {
            foreach (var node in _nodes)
            {
                var mended = IsMended;
                builder.Step(node.Id, async ctx =>
                {
                    if (node.HasParts) await ctx.StepAsync("part", () => Task.FromResult(1));
                    if (node.Milliseconds > 0) await ctx.Delay(node.Milliseconds / 1000.0);
                    return node.Fails && !mended ? throw new StepException("it fails", ErrorClass.Permanent) : node.Id;
                }, step => step.Needs(node.Needs).Options(new StepOptions { Fingerprint = node.Print }));
            }
        }).Build();

        /// <summary>Steps come, go, change and get other names.</summary>
        public void Edit(Random random)
        {
            for (var edits = random.Next(4); edits > 0; edits--)
            {
                var at = random.Next(_nodes.Count);
                var node = _nodes[at];
                switch (random.Next(5))
                {
                    case 0:
                        _nodes[at] = node with { Print = node.Print + "'" };
                        break;
                    case 1:
                        _nodes.Add(new Node($"new{_added++}", "1", [node.Id], 5, false, false));
                        break;
                    case 2 when !_renamed.ContainsValue(node.Id) && node.Id.StartsWith("step", StringComparison.Ordinal):
                        _renamed[$"other{node.Id}"] = node.Id;
                        _nodes[at] = node with { Id = $"other{node.Id}" };
                        for (var i = 0; i < _nodes.Count; i++) _nodes[i] = _nodes[i] with { Needs = [.. _nodes[i].Needs.Select(need => need == node.Id ? $"other{node.Id}" : need)] };
                        break;
                    case 3 when _nodes.Count > 1 && random.Next(3) == 0:
                        _nodes.RemoveAt(at);
                        for (var i = 0; i < _nodes.Count; i++) _nodes[i] = _nodes[i] with { Needs = [.. _nodes[i].Needs.Where(need => need != node.Id)] };
                        break;
                    default:
                        _nodes[at] = node with { Milliseconds = node.Milliseconds + 1 };
                        break;
                }
            }
        }

        public ResumeOptions Resume(Random random) => new()
        {
            Map = random.Next(4) > 0 && _renamed.Count > 0 ? _renamed.Where(pair => _nodes.Exists(node => node.Id == pair.Key)).ToDictionary() : null,
            RerunChanged = random.Next(2) == 0,
            From = random.Next(3) == 0 ? random.Next(20) == 0 ? "nowhere" : _nodes[random.Next(_nodes.Count)].Id : null,
            Force = random.Next(2) == 0,
        };

        sealed record Node(string Id, string Print, string[] Needs, int Milliseconds, bool Fails, bool HasParts);
    }

    [Fact]
    public void A_start_from_a_later_step_does_not_go_around_a_decision_that_is_still_to_be_made() => Lab.Do(async lab =>
    {
        var fails = true;
        var builder = Workflow.Create("w");
        builder.Fail("work", () => fails);
        builder.Add(new Step { Id = "gate", Kind = "approval", Needs = ["work"], Body = async ctx => (await ctx.RequestApprovalAsync(new ApprovalRequest("Publish?"))).IsApproved ? StepResult.Ok() : StepResult.Fail("rejected") });
        builder.Work("publish", 1, step => step.Needs("gate"));
        var workflow = builder.Build();
        await lab.Run(workflow);
        // Nobody was asked yet.
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish" }));
        fails = false;
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        await lab.Client.PauseAsync("run", cancellationToken: Lab.Token);
        Assert.Equal(RefusalReason.Waiting, await lab.Refused(workflow, new ResumeOptions { From = "publish" }));
        Assert.Equal(RunStatus.Waiting, (await lab.Resume(workflow)).Status);
        await lab.Client.ApproveAsync("run", "gate", cancellationToken: Lab.Token);
        (await lab.Resume(workflow)).EnsureCompleted();
        Assert.Contains("publish", lab.Began);
    });
}
