namespace Pawl.Engine;

/// <summary>A problem of a definition.</summary>
sealed record GraphProblem(string StepPath, string Message);

/// <summary>What makes a graph of steps valid. Pure.</summary>
static class GraphRules
{
    // The timer's range.
    static readonly TimeSpan LongestLimit = TimeSpan.FromDays(49);

    public static List<GraphProblem> Check(IReadOnlyList<Step> steps, WorkflowOptions? options = null)
    {
        var problems = new List<GraphProblem>();
        if (options?.Concurrency < 1) problems.Add(new("", "Concurrency must be at least 1."));
        if (options?.Timeout is { } limit && (limit <= TimeSpan.Zero || limit > LongestLimit)) problems.Add(new("", $"The run's time limit must be above zero and at most {LongestLimit.Days} days."));
        if (steps.Count == 0) problems.Add(new("", "There are no steps."));
        CheckLevel(steps, "", problems);
        return problems;
    }

    static void CheckLevel(IReadOnlyList<Step> steps, string prefix, List<GraphProblem> problems)
    {
        var byId = new Dictionary<string, Step>(steps.Count);
        foreach (var step in steps)
        {
            var path = prefix + step.Id;
            if (!RunIds.IsValidStepId(step.Id))
                problems.Add(new(path, $"'{RunIds.Printable(step.Id)}' is not a step id: use letters, digits, '.', '_' and '-', beginning with a letter or digit."));
            if (step.Options.Timeout is { } limit && (limit <= TimeSpan.Zero || limit > LongestLimit)) problems.Add(new(path, $"The time limit of step '{step.Id}' must be above zero and at most {LongestLimit.Days} days."));
            if (step.Options.Retry is { Attempts: < 1 } or { Delay.Ticks: < 0 }) problems.Add(new(path, $"Step '{step.Id}' must have at least one attempt and no negative pause between attempts."));
            if (!byId.TryAdd(step.Id, step)) problems.Add(new(path, $"Two steps have the id '{step.Id}'."));
        }
        foreach (var step in steps)
        {
            foreach (var need in step.Needs.Concat(step.After))
            {
                if (need == step.Id) problems.Add(new(prefix + step.Id, $"Step '{step.Id}' needs itself."));
                else if (!byId.ContainsKey(need))
                    problems.Add(new(prefix + step.Id, $"Step '{step.Id}' needs '{RunIds.Printable(need)}', which does not exist here.{Nearest.Hint(need, byId.Keys)}"));
            }
            CheckLevel(step.Children, prefix + step.Id + "/", problems);
        }
        if (FindCycle(steps, byId) is { } cycle)
            problems.Add(new(prefix + cycle[0], $"Steps wait for each other in a circle: {string.Join(" -> ", cycle)}."));
    }

    /// <summary>A cycle as a closed path, or null.</summary>
    static List<string>? FindCycle(IReadOnlyList<Step> steps, Dictionary<string, Step> byId)
    {
        var done = new HashSet<string>();
        foreach (var start in steps)
        {
            // An explicit stack: a chain of 100,000 steps must not end the process.
            var path = new List<string>();
            var onPath = new HashSet<string>();
            var stack = new Stack<(string Id, int Next)>();
            if (done.Contains(start.Id)) continue;
            stack.Push((start.Id, 0));
            while (stack.TryPop(out var frame))
            {
                if (frame.Next == 0) { path.Add(frame.Id); onPath.Add(frame.Id); }
                var needs = byId.TryGetValue(frame.Id, out var step) ? step.Needs.Count + step.After.Count : 0;
                if (frame.Next == needs)
                {
                    path.RemoveAt(path.Count - 1);
                    onPath.Remove(frame.Id);
                    done.Add(frame.Id);
                    continue;
                }
                stack.Push((frame.Id, frame.Next + 1));
                var need = frame.Next < step!.Needs.Count ? step.Needs[frame.Next] : step.After[frame.Next - step.Needs.Count];
                if (need == frame.Id || done.Contains(need)) continue;
                if (onPath.Contains(need))
                {
                    var cycle = path[path.IndexOf(need)..];
                    cycle.Add(need);
                    return cycle;
                }
                stack.Push((need, 0));
            }
        }
        return null;
    }
}
