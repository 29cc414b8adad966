using System.Text.Json;
using Pawl.Engine;

namespace Pawl.Planning;

/// <summary>What a person allowed, and for what it counts. Pure.</summary>
static class Decisions
{
    /// <summary>The question itself, or the step that is nothing else.</summary>
    public static string SubjectOf(JournalEntry decision) => decision.DecidesStep ? Above(decision.Path) : decision.Path;

    /// <summary>What a fork asks a person itself: the parent's decision counts for what was done because of it, and for nothing else. A decision within a step that is done
    /// stays; so does an approval step when all steps right behind it are done.</summary>
    public static List<string> OfParent(IReadOnlyList<Storage.Checkpoint> parent, Journal at)
    {
        var behind = StepsBehind(parent, at);
        return [.. Made(at).Where(entry => entry.DecidesStep && Transitions.IsTopLevel(SubjectOf(entry)) ? !behind[SubjectOf(entry)].All(step => at.Find(step) is { IsDone: true }) : !IsUsed(at, entry)).Select(SubjectOf)];
    }

    /// <summary>What is asked again by a run that starts from a step on: within it, and within those behind it, whatever was allowed and is not done.</summary>
    public static List<string> StartedOver(Journal journal, HashSet<string> steps) =>
        [.. Made(journal).Where(entry => steps.Contains(entry.Path.Split('/', '[')[0]) && !IsUsed(journal, entry)).Select(SubjectOf)];

    static IEnumerable<JournalEntry> Made(Journal journal) => journal.Entries.Where(entry => entry is { IsDone: true, IsDecision: true });

    static bool IsUsed(Journal journal, JournalEntry decision)
    {
        for (var path = SubjectOf(decision); path.Contains('/', StringComparison.Ordinal);)
            if (journal.Find(path = Above(path)) is { IsDone: true }) return true;
        return false;
    }

    static string Above(string path) => path[..path.LastIndexOf('/')];

    /// <summary>The steps right behind each step of the first level, as of the newest definition.</summary>
    static ILookup<string, string> StepsBehind(IReadOnlyList<Storage.Checkpoint> parent, Journal at)
    {
        foreach (var record in at.Passes.AsEnumerable().Reverse().Append(parent[0]).Where(record => !record.Data.IsEmpty))
        {
            using var data = JsonDocument.Parse(record.Data);
            if (!data.RootElement.TryGetProperty("steps", out var steps)) continue;
            return steps.EnumerateArray().Where(step => step.TryGetProperty("needs", out _))
                .SelectMany(step => step.GetProperty("needs").EnumerateArray().Select(need => (Need: need.GetString()!, Step: step.GetProperty("id").GetString()!))).ToLookup(pair => pair.Need, pair => pair.Step);
        }
        return Enumerable.Empty<string>().ToLookup(_ => "");
    }
}
