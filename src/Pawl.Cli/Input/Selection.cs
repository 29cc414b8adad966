namespace Pawl.Cli.Input;

/// <summary>A part of the graph, checked against the steps there are.</summary>
static class Selection
{
    public static StepSelection? Of(Workflow workflow, string? from, string? until, string[]? only)
    {
        var names = (only ?? []).SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).ToList();
        if (from is null && until is null && names.Count == 0) return null;
        if (names.Count > 0 && (from is not null || until is not null)) throw new UsageException("--only names the steps itself: leave out --from and --until.");
        var known = workflow.Steps.Select(step => step.Id).ToList();
        foreach (var name in names.Append(from).Append(until).OfType<string>())
            if (!known.Contains(name)) throw new UsageException($"There is no step '{name}' in '{workflow.Name}'.{Nearest.Hint(name, known)} Its steps are: {string.Join(", ", known)}.");
        return new StepSelection { From = from, Until = until, Only = names.Count > 0 ? names : null };
    }

    /// <summary>The ids that are meant; null is all.</summary>
    public static HashSet<string>? Ids(Workflow workflow, StepSelection? select)
    {
        if (select is null) return null;
        if (select.Only is { } only) return [.. only];
        var ids = workflow.Steps.Select(step => step.Id).ToHashSet();
        var edges = Definitions.Edges(workflow).ToDictionary(edge => edge.Id, edge => edge.Before);
        if (select.From is { } from) ids.RemoveWhere(id => id != from && !Ancestors(id).Contains(from));
        if (select.Until is { } until) ids.IntersectWith([until, .. Ancestors(until)]);
        return ids;

        HashSet<string> Ancestors(string id)
        {
            var found = new HashSet<string>();
            var open = new Stack<string>([id]);
            while (open.TryPop(out var at))
                foreach (var before in edges[at]) if (found.Add(before)) open.Push(before);
            return found;
        }
    }
}
