using System.Text.RegularExpressions;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>Compares endings, and finds the step to blame. Pure.</summary>
static partial class Comparison
{
    const string Gone = "(is not there)";

    /// <summary>What differs between two runs that nobody disturbed.</summary>
    public static IReadOnlyList<Unstable> Unstable(Ending first, Ending second) =>
        [.. Differences(first, second, []).Select(pair => new Unstable(pair.Name, pair.Expected, pair.Got, pair.Step))];

    /// <summary>The first difference with the step to blame, or null.</summary>
    /// <param name="unbroken">How it should end.</param>
    /// <param name="broken">How it ended.</param>
    /// <param name="unstable">Facts that do not count.</param>
    /// <param name="left">The journal that the killed process left.</param>
    /// <param name="point">Where it was killed.</param>
    /// <param name="graph">The workflow's steps, if they are known.</param>
    public static Difference? Find(Ending unbroken, Ending broken, IReadOnlyList<Unstable> unstable, IReadOnlyList<Checkpoint> left, ProofPoint point, IReadOnlyList<Step> graph)
    {
        var all = Differences(unbroken, broken, [.. unstable.Select(fact => Mask(fact.What))]).ToList();
        if (all.Count == 0) return null;
        var underWay = unbroken.UnderWay(left, justCommitted: point is { IsBefore: false, Delay: 0, Files: 0 }, graph);
        var failed = broken.ErrorStep is not null && broken.Status != unbroken.Status;
        var step = underWay.Count switch
        {
            0 when failed => broken.ErrorStep,
            0 => all.Select(pair => pair.Step).FirstOrDefault(name => name is not null),
            1 => underWay[0],
            _ => AmongSeveral(all, underWay),
        };
        // What the step itself made, and of that files, show best what happened; a status only that something did.
        var first = failed ? all[0] with { Got = $"{all[0].Got} at '{broken.ErrorStep}': {broken.Error}" }
            : all.OrderBy(pair => pair.Name.StartsWith("status", StringComparison.Ordinal)).ThenBy(pair => pair.Step is not null && pair.Step != step).ThenBy(pair => !IsOfWorld(pair.Name)).First();
        return new Difference(first.Name, first.Expected, first.Got, all.Count - 1, step, Remedy(first, failed));
    }

    /// <summary>Of steps side by side: the one that is known to have made what differs, or whose name what it left bears; otherwise nobody knows.</summary>
    static string AmongSeveral(List<Pair> all, IReadOnlyList<string> underWay)
    {
        var world = all.Where(pair => IsOfWorld(pair.Name)).ToList();
        return world.Concat(all).Select(pair => pair.Step).FirstOrDefault(step => step is not null && underWay.Contains(step))
            ?? underWay.FirstOrDefault(step => world.Exists(pair => pair.Name.Contains(step[(step.LastIndexOf('/') + 1)..], StringComparison.Ordinal)))
            ?? string.Join(" or ", underWay);
    }

    sealed record Pair(string Name, string Expected, string Got, string? Step);

    static IEnumerable<Pair> Differences(Ending expected, Ending got, HashSet<string> leftOut)
    {
        var found = got.Facts.GroupBy(fact => fact.Name).ToDictionary(group => group.Key, group => group.First());
        foreach (var fact in expected.Facts.Where(fact => !leftOut.Contains(Mask(fact.Name))))
        {
            if (!found.TryGetValue(fact.Name, out var other)) yield return new Pair(fact.Name, fact.Value, Gone, fact.Step);
            else if (other.Value != fact.Value) yield return new Pair(fact.Name, fact.Value, other.Value, fact.Step);
        }
        var known = expected.Facts.Select(fact => fact.Name).ToHashSet();
        foreach (var fact in got.Facts.Where(fact => !known.Contains(fact.Name) && !leftOut.Contains(Mask(fact.Name)))) yield return new Pair(fact.Name, Gone, fact.Value, fact.Step);
    }

    static bool IsOfWorld(string name) => !name.StartsWith("status of ", StringComparison.Ordinal) && !name.StartsWith("output of ", StringComparison.Ordinal)
        && !name.StartsWith("state: ", StringComparison.Ordinal) && name != "journal";

    static string Remedy(Pair first, bool failed)
    {
        if (failed) return "Let the step begin by removing or accepting what an attempt that was cut off left (mkdir -p, rm -f, 'if not there'), or decide with on_unknown.";
        // What no step wrote, but was seen behind the run, is a view of something outside.
        if (!IsOfWorld(first.Name) || (first.Step is null && first.Expected != Gone)) return "Something outside was done twice: send $PAWL_IDEMPOTENCY_KEY with the request so that the other side can tell a repetition, or ask it first with on_unknown: { probe: … }.";
        if (first.Expected == Gone) return "A cut-off attempt left it behind: give it a fixed name that the next attempt overwrites, or remove left-overs when the step begins.";
        if (first.Got == Gone) return "The step takes away what its own next attempt needs: remove it in a later step, or write the result under a temporary name and rename it.";
        if (first.Got.StartsWith(first.Expected, StringComparison.Ordinal) || IsRepeated(first)) return "It was appended twice: write the whole file under a temporary name and rename it, or look first whether the line is there.";
        return "Write it under a temporary name and rename it as the step's last act, and compute it from the step's inputs, not from what the file held before.";
    }

    static bool IsRepeated(Pair pair)
    {
        var (expected, got) = (pair.Expected.Split('\n'), pair.Got.Split('\n'));
        return got.Length > expected.Length && got.ToHashSet().SetEquals(expected);
    }

    // Names with a process id or chance in them differ from run to run, and mean the same.
    static string Mask(string name) => name.StartsWith("file ", StringComparison.Ordinal) ? Chance().Replace(name, "#") : name;

    [GeneratedRegex(@"(?<=tmp\.)[A-Za-z0-9]{6,}|[0-9]+")]
    private static partial Regex Chance();
}
