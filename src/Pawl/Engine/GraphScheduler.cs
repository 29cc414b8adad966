using System.Threading.Channels;

namespace Pawl.Engine;

/// <summary>Which steps are ready: needs, conditions, concurrency, failure policy. One instance serves all levels of a run.</summary>
sealed class GraphScheduler(Run run)
{
    enum NodeState { Waiting, Running, Succeeded, Skipped, Blocked, Failed, NotStarted }

    sealed class Node(Step step, string path)
    {
        public Step Step => step;
        public string Path => path;
        public NodeState State = NodeState.Waiting;
        public int Pending;
        public List<Node> Next { get; } = [];
        /// <summary>A step before this one failed, seen through skipped ones.</summary>
        public bool FailedBefore;
        /// <summary>The step to blame, when blocked.</summary>
        public string? Blocker;
    }

    /// <summary>How a level of the graph ended.</summary>
    internal sealed record Result(IReadOnlyList<(string Path, StepError Error)> Failures, bool Stopped);

    /// <summary>Runs steps below another one and turns the end into that step's result.</summary>
    public async Task<StepResult> RunNestedAsync(StepAttempt parent, IReadOnlyList<Step> steps, int? maxParallel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxParallel ?? 1, 1);
        foreach (var step in steps) run.Claim(parent, Join(parent.Path, step.Id));
        var result = await RunAsync(steps, parent.Path, parent, parent.Cancellation, maxParallel, null);
        if (result.Stopped)
        {
            parent.Interrupt();
            throw new OperationCanceledException($"Run '{run.Id}' is stopping.");
        }
        if (result.Failures.Count == 0) return StepResult.Ok();
        var (path, error) = result.Failures[0];
        var others = result.Failures.Count > 1 ? $" (and {result.Failures.Count - 1} more: {string.Join(", ", result.Failures.Skip(1).Take(5).Select(failure => failure.Path))})" : "";
        return StepResult.Fail($"'{path}' failed: {error.Message}{others}", error.Class == ErrorClass.Critical ? ErrorClass.Critical : ErrorClass.Permanent, "steps");
    }

    public async Task<Result> RunAsync(IReadOnlyList<Step> steps, string prefix, StepAttempt? parent, CancellationToken cancellation, int? maxParallel, HashSet<string>? selected)
    {
        var nodes = Link(steps, prefix);
        var ended = Channel.CreateUnbounded<Node>(new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = true });
        var ready = new Queue<Node>(nodes.Where(node => node.Pending == 0));
        var failures = new List<(string, StepError)>();
        var (running, open, halted, stopped) = (0, nodes.Count, false, false);
        var width = maxParallel ?? int.MaxValue;

        while (open > 0)
        {
            while (running < width && ready.TryDequeue(out var node))
            {
                halted |= run.IsHalted || run.IsStopping || cancellation.IsCancellationRequested;
                if (run.IsStopping || (halted && !node.Step.RunsAfterFailure && !IsBlocked(node))) { End(node, NodeState.NotStarted); continue; }
                node.State = NodeState.Running;
                running++;
                _ = StartAsync(node, alone: running == 1 && ready.Count == 0);
            }
            if (running == 0)
            {
                if (ready.Count == 0 && open > 0) throw new InvalidDefinitionException($"Steps wait for each other in a circle: {string.Join(", ", nodes.Where(node => node.Pending > 0).Select(node => node.Path))}.");
                continue;
            }
            var done = await ended.Reader.ReadAsync(CancellationToken.None);
            running--;
            Completed(done);
        }
        return new Result(failures, stopped || run.IsStopping || cancellation.IsCancellationRequested);

        async Task StartAsync(Node node, bool alone)
        {
            // Steps side by side must not wait for one that computes, or flushes, before its first await.
            if (!alone) await Task.Yield();
            // A leaf takes its place before anything about it is decided, so that a stop in the meantime keeps it from starting.
            run.Waits.Enter(parent);
            try { await RunNodeAsync(node, parent, cancellation, selected, () => halted || run.IsHalted); }
            catch (Exception error)
            {
                // Not a user's failure, those are results: a fault of the engine itself must surface, not be recorded as something else.
                run.RequestStop(StopReason.Interrupt);
                ended.Writer.TryComplete(error);
                return;
            }
            // Told first: what comes next begins before this one no longer counts.
            ended.Writer.TryWrite(node);
            run.Waits.Leave(parent);
        }

        void Completed(Node node)
        {
            if (node.State == NodeState.Failed)
            {
                var error = run.Journal.Find(node.Path)?.Error ?? new StepError("failed", "failed", ErrorClass.Permanent);
                failures.Add((node.Path, error));
                run.IsHalted |= error.Class == ErrorClass.Critical;
                halted |= run.Workflow.Options.OnFailure != FailurePolicy.Continue || run.IsHalted;
            }
            if (node.State == NodeState.Running) { node.State = NodeState.NotStarted; stopped = true; }
            End(node, node.State);
        }

        void End(Node node, NodeState state)
        {
            node.State = state;
            open--;
            foreach (var next in node.Next)
            {
                if (state is NodeState.Failed || node.FailedBefore) next.FailedBefore = true;
                if (state == NodeState.Failed) next.Blocker ??= node.Step.Id;
                else if (state == NodeState.Blocked) next.Blocker ??= node.Blocker;
                if (--next.Pending == 0) ready.Enqueue(next);
            }
        }

        static bool IsBlocked(Node node) => node.Blocker is not null;
    }

    List<Node> Link(IReadOnlyList<Step> steps, string prefix)
    {
        var nodes = steps.Select(step => new Node(step, Join(prefix, step.Id))).ToList();
        var byId = nodes.ToDictionary(node => node.Step.Id);
        foreach (var node in nodes)
        {
            foreach (var need in node.Step.Needs.Concat(node.Step.After).Distinct())
            {
                byId[need].Next.Add(node);
                node.Pending++;
            }
            lock (run.Seen) run.Seen[node.Path] = node.Step;
        }
        return nodes;
    }

    /// <summary><c>group/child</c>, and <c>each[key]</c> for an item of a fan-out.</summary>
    public static string Join(string prefix, string id) => prefix.Length == 0 || id.StartsWith('[') ? prefix + id : $"{prefix}/{id}";

    async Task RunNodeAsync(Node node, StepAttempt? parent, CancellationToken cancellation, HashSet<string>? selected, Func<bool> halted)
    {
        var step = node.Step;
        if (run.Steps.TryReuse(node.Path) is { } recorded)
        {
            node.State = recorded.End switch { StepEnd.Skipped when recorded.Entry!.Cause == SkipCause.Condition => NodeState.Skipped, _ => NodeState.Succeeded };
            return;
        }
        if (selected is not null && !selected.Contains(step.Id))
        {
            // Left out by name: what needs it uses recorded outputs, and nothing is recorded about it.
            node.State = NodeState.Succeeded;
            return;
        }
        if (node.Blocker is { } blocker && !step.RunsAfterFailure)
        {
            await SkipAsync(node, NodeState.Blocked, SkipCause.Blocked, $"blocked by '{blocker}', which failed");
            return;
        }
        if (!step.RunsAfterFailure && step.Needs.FirstOrDefault(need => SkippedByCondition(node, need)) is { } skipped)
        {
            await SkipAsync(node, NodeState.Skipped, SkipCause.Condition, $"needs '{skipped}', which was skipped");
            return;
        }
        var takesPlace = !step.IsCompound && parent?.IsInPlace != true;
        if (takesPlace) await run.Gate.EnterAsync();
        try
        {
            if (run.IsStopping || cancellation.IsCancellationRequested || (halted() && !step.RunsAfterFailure)) { node.State = NodeState.NotStarted; return; }
            await ExecuteAsync(node, parent, cancellation);
        }
        finally
        {
            if (takesPlace) run.Gate.Leave();
        }
    }

    async Task ExecuteAsync(Node node, StepAttempt? parent, CancellationToken cancellation)
    {
        var step = node.Step;
        if (step.Condition is { } condition)
        {
            Verdict verdict;
            try
            {
                verdict = await condition(new StepContext(run, new StepAttempt(node.Path, 0, "condition", cancellation, node.FailedBefore, parent)));
            }
            catch (Exception) when (run.IsStopping || cancellation.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                await run.Steps.RecordAsync(node.Path, StepStatus.Failed, SkipCause.None, "its condition could not be decided", node.FailedBefore, new StepError("condition", error.Message, ErrorClass.Permanent));
                node.State = NodeState.Failed;
                return;
            }
            if (!verdict.Run)
            {
                await SkipAsync(node, NodeState.Skipped, SkipCause.Condition, verdict.Reason ?? "its condition is false");
                return;
            }
        }
        var outcome = await run.Steps.ExecuteAsync(node.Path, step.Body, step.Options, null, parent, cancellation, node.FailedBefore, inPlace: !step.IsCompound);
        node.State = outcome.End switch
        {
            StepEnd.Completed => NodeState.Succeeded,
            StepEnd.Skipped => outcome.Entry!.Cause == SkipCause.Condition ? NodeState.Skipped : NodeState.Succeeded,
            StepEnd.Failed => outcome.Entry!.Tolerated ? NodeState.Succeeded : NodeState.Failed,
            _ => NodeState.Running,
        };
    }

    bool SkippedByCondition(Node node, string need)
    {
        var prefix = node.Path[..^node.Step.Id.Length];
        return run.Journal.Find(prefix + need) is { Status: StepStatus.Skipped, Cause: SkipCause.Condition };
    }

    async Task SkipAsync(Node node, NodeState state, SkipCause cause, string reason)
    {
        var outcome = await run.Steps.RecordAsync(node.Path, StepStatus.Skipped, cause, reason, node.FailedBefore);
        node.State = outcome.End == StepEnd.Stopped ? NodeState.Running : state;
    }
}
