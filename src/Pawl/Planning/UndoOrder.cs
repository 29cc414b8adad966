using Pawl.Engine;

namespace Pawl.Planning;

/// <summary>In which order finished steps are undone: the last one first, but none before those that come behind it in the graph, which finished earlier when it ran again. Pure.</summary>
static class UndoOrder
{
    /// <param name="workflow">The graph.</param>
    /// <param name="finished">The done steps in the order of their records.</param>
    public static List<JournalEntry> Of(Workflow workflow, IReadOnlyList<JournalEntry> finished)
    {
        var last = finished.Where(entry => entry.Status == StepStatus.Completed).Reverse().ToList();
        var within = last.ToLookup(entry => TopOf(entry.Path));
        var behind = workflow.Steps.SelectMany(step => step.Needs.Concat(step.After).Select(need => (Need: need, step.Id))).ToLookup(pair => pair.Need, pair => pair.Id);
        var (order, taken, visited) = (new List<JournalEntry>(last.Count), new HashSet<JournalEntry>(), new HashSet<string>());
        foreach (var entry in last)
        {
            foreach (var step in behind[TopOf(entry.Path)]) Visit(step);
            if (taken.Add(entry)) order.Add(entry);
        }
        return order;

        // Without recursion: a row of steps may be long.
        void Visit(string first)
        {
            var open = new Stack<(string Step, bool IsNext)>([(first, false)]);
            while (open.TryPop(out var at))
            {
                if (at.IsNext) order.AddRange(within[at.Step].Where(taken.Add));
                else if (visited.Add(at.Step))
                {
                    open.Push((at.Step, true));
                    foreach (var step in behind[at.Step]) open.Push((step, false));
                }
            }
        }
    }

    static string TopOf(string path) => path.AsSpan().IndexOfAny('/', '[') is > 0 and var cut ? path[..cut] : path;
}
