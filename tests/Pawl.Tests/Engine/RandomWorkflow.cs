namespace Pawl.Tests.Engine;

/// <summary>A workflow drawn from a seed: graphs, conditions, failures, retries, groups, fan-outs, policies.</summary>
sealed class RandomWorkflow
{
    readonly Random _random;
    readonly bool _failures;

    public RandomWorkflow(int seed, bool failures = true)
    {
        _random = new Random(seed);
        _failures = failures;
        Options = new WorkflowOptions
        {
            // What runs beside a failure under another policy depends on when a crash came: only this one has one right end.
            OnFailure = FailurePolicy.Continue,
            Concurrency = Chance(50) ? _random.Next(1, 4) : null,
            Durability = (Durability)_random.Next(3),
            Strategy = Chance(30) ? CheckpointStrategy.Marked : CheckpointStrategy.EveryStep,
        };
        // Drawn once; built anew for each process.
        Steps = [.. Enumerable.Range(0, _random.Next(1, 8)).Select(Draw)];
    }

    public WorkflowOptions Options { get; init; }
    List<Action<WorkflowBuilder>> Steps { get; }

    public Workflow Build()
    {
        var builder = Workflow.Create("random").Options(Options);
        foreach (var step in Steps) step(builder);
        return builder.Build();
    }

    bool Chance(int percent) => _random.Next(100) < percent;

    Action<WorkflowBuilder> Draw(int index)
    {
        var id = $"s{index}";
        var before = Enumerable.Range(0, index).Select(i => $"s{i}").ToArray();
        var needs = before.Where(_ => Chance(35)).ToArray();
        var after = before.Except(needs).Where(_ => Chance(15)).ToArray();
        var (kind, milliseconds) = (_random.Next(10), _random.Next(0, 60));
        // A failure that passes by itself needs a retry that outlasts it: otherwise a resume, too, would be one.
        var passes = kind is 3 or > 5 && Chance(25);
        var failsUntil = _failures && Chance(15) ? int.MaxValue : passes ? _random.Next(2, 4) : 0;
        var configure = Configure(needs, after, passes || Chance(40) ? 3 : 1);
        var items = Enumerable.Range(0, _random.Next(0, 4)).ToArray();
        var parallel = Chance(50) ? 1 : (int?)null;
        async Task<string> Body(StepContext ctx)
        {
            if (milliseconds > 0) await Task.Delay(TimeSpan.FromMilliseconds(milliseconds), ctx.Time, ctx.CancellationToken);
            ctx.State.Set(ctx.Path, index);
            if (ctx.Attempt < failsUntil) throw new IOException($"{ctx.Path} is broken");
            return ctx.Path + string.Concat(needs.Select(need => ctx.TryOutput(need) is { } output ? output.Utf8.Length : 0));
        }
        return kind switch
        {
            0 or 1 => builder => builder.Group(id, group =>
            {
                group.Step("x", Body);
                group.Step("y", Body, s => s.Needs("x"));
                group.Step("z", Body);
            }, configure, parallel),
            2 => builder => builder.ForEach(id, _ => items, item => $"k{item}", (ctx, _) => Body(ctx), configure, parallel),
            3 => builder => builder.Step(id, async ctx =>
            {
                var first = await ctx.StepAsync("first", Body, new StepOptions { Retry = Quick(3) });
                var all = await ctx.MapAsync("map", items, item => $"{item}", (one, item) => one.StepAsync($"{item}", () => Task.FromResult(item)), 2);
                return $"{first} {all.Sum()}";
            }, configure),
            4 => builder => builder.Choose(id, cases => cases
                .When("even", _ => index % 2 == 0, then => { then.Step("a", Body); then.Step("b", Body); })
                .Otherwise(then => then.Step("c", Body)), configure),
            5 => builder => builder.Sleep(id, TimeSpan.FromMilliseconds(milliseconds), configure),
            _ => builder => builder.Step(id, Body, configure),
        };
    }

    Action<StepBuilder> Configure(string[] needs, string[] after, int retries)
    {
        var (always, onFailure, condition, tolerated, marked, limited) = (Chance(10), Chance(5), Chance(10), Chance(10), Chance(40), Chance(5));
        return step =>
        {
            step.Needs(needs).After(after);
            step.Options(new StepOptions { ContinueOnError = tolerated, Checkpoint = marked, Retry = Quick(retries), Timeout = limited ? TimeSpan.FromHours(1) : null });
            if (always || onFailure) step.EvenAfterFailure();
            if (onFailure) step.When(ctx => ctx.AnyFailedBefore);
            else if (condition) step.When(_ => false);
        };
    }

    static RetryPolicy Quick(int attempts) => new() { Attempts = attempts, Delay = TimeSpan.FromMilliseconds(20) };
}
