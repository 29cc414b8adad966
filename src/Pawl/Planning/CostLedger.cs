using System.Text.Json;
using Pawl.Engine;
using Pawl.Storage;

namespace Pawl.Planning;

/// <summary>Journal → what a run took, step by step and pass by pass, and what it did not have to do again. Pure.</summary>
sealed class CostLedger
{
    readonly Dictionary<string, StepCost> _steps = [];
    readonly Dictionary<string, int> _tried = [];
    readonly List<PassCost> _passes = [];
    Cost _before;
    bool _nothingLost;
    bool _forks;

    public RunCosts Result(RunHead head) => new() { Head = head, Steps = [.. _steps.Values], Passes = _passes };

    /// <summary>Takes the next record. The journal has indexed it.</summary>
    public void Add(Journal journal, Checkpoint record)
    {
        if (record.Kind == CheckpointKind.Resumed)
        {
            if (CostMeter.IsFork(record))
            {
                _steps.Clear();
                _passes.Clear();
                (_before, _nothingLost) = (default, false);
            }
            var reused = _nothingLost ? default : Cost.Sum(Kept(journal.Entries).Values);
            _passes.Add(new PassCost(_passes.Count + 1, record.At, null, default, reused, default));
            (_nothingLost, _forks) = (false, CostMeter.IsFork(record));
        }
        else if (_passes.Count > 0)
        {
            var pass = _passes[^1];
            if (record.Kind == CheckpointKind.Step && record.Attempt > 0) pass = pass with { Spent = pass.Spent + Spend(record, journal.Spent), Skipped = pass.Skipped + SavedBy(record) };
            // A fork's first pass sets outputs, and ends at once: what it has then is what the fork saved.
            if (record.Kind == CheckpointKind.Paused && _forks) (pass, _nothingLost, _forks) = (pass with { Reused = Cost.Sum(Kept(journal.Entries).Values) }, true, false);
            _passes[^1] = pass with { End = journal.Head.Status == RunStatus.Running ? null : journal.Head.Status };
        }
        // Whoever waited and was woken did not lose anything: nothing was saved.
        if (record.Kind == CheckpointKind.Waiting) _nothingLost = true;
    }

    Cost Spend(Checkpoint record, Cost all)
    {
        var path = record.Path!;
        var cost = all.Since(_before);
        _before = all;
        var isAttempt = record.Attempt > _tried.GetValueOrDefault(path);
        _tried[path] = record.Attempt;
        // A result set by hand.
        if (!isAttempt && cost == default) return cost;
        var step = _steps.GetValueOrDefault(path) ?? new StepCost(path, 0, default);
        _steps[path] = step with { Attempts = step.Attempts + (isAttempt ? 1 : 0), Spent = step.Spent + cost };
        return cost;
    }

    /// <summary>What an earlier run's result once took that a skip, or a cassette, used instead.</summary>
    public static Cost SavedBy(Checkpoint record)
    {
        if (record.Data.IsEmpty || (record.Cause != SkipCause.Unchanged && record.Data.Span.IndexOf("\"played_from\""u8) < 0)) return default;
        using var data = JsonDocument.Parse(record.Data);
        return data.RootElement.TryGetProperty("saved", out var saved) ? Cost.Read(saved) : default;
    }

    /// <summary>What the results once took that a pass would begin with, by top-level step.</summary>
    public static Dictionary<string, Cost> Kept(IReadOnlyCollection<JournalEntry> entries)
    {
        var kept = new Dictionary<string, Cost>();
        foreach (var (path, cost) in Used(entries, entries.Where(entry => entry.IsDone).Select(entry => entry.Path).ToHashSet()))
        {
            var cut = path.AsSpan().IndexOfAny('/', '[');
            var step = cut < 0 ? path : path[..cut];
            kept[step] = kept.GetValueOrDefault(step) + cost;
        }
        return kept;
    }

    /// <summary>What the results once took that a pass used.</summary>
    public static Cost Saved(Journal journal, IEnumerable<StepReport> reports)
    {
        var restored = reports.Where(report => report.Restored).Select(report => report.Path).ToHashSet();
        return restored.Count == 0 ? default : Cost.Sum(Used(journal.Entries, restored).Select(used => used.Cost));
    }

    /// <summary>Each result that is used, and what was done below it. The time of what is below is in its own.</summary>
    static IEnumerable<(string Path, Cost Cost)> Used(IEnumerable<JournalEntry> entries, HashSet<string> used)
    {
        foreach (var entry in entries)
        {
            if (!entry.IsDone) continue;
            if (IsBelow(used, entry.Path)) yield return (entry.Path, entry.Cost with { Duration = TimeSpan.Zero });
            else if (used.Contains(entry.Path)) yield return (entry.Path, entry.Cost);
        }
    }

    static bool IsBelow(HashSet<string> used, string path)
    {
        var above = used.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var rest = path.AsSpan(); rest.LastIndexOfAny('/', '[') is > 0 and var cut;)
        {
            rest = rest[..cut];
            if (above.Contains(rest)) return true;
        }
        return false;
    }
}
