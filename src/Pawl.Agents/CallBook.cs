using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Pawl.Agents;

/// <summary>Which recorded answer belongs to which call of a step's attempt, and which place a new one takes.</summary>
/// <remarks>A call takes the first recorded answer to the same request that no other call of this attempt has taken: calls side by side may come in any order.</remarks>
sealed class CallBook
{
    static readonly ConditionalWeakTable<StepContext, Shelf> s_shelves = [];

    readonly Lock _lock = new();
    // Without a request: an answer that a person set, in a fork, for whatever is asked at that place.
    readonly SortedDictionary<int, RequestFacts?> _recorded = [];
    readonly HashSet<int> _taken = [];
    readonly string _name;
    int _calls;
    int _free;

    CallBook(StepContext context, string name)
    {
        _name = name;
        var below = $"{context.Path}/{name}/";
        foreach (var path in context.SubSteps)
            if (path.StartsWith(below, StringComparison.Ordinal) && int.TryParse(path.AsSpan(below.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && context.TryOutput(path) is { } output) _recorded[number] = ChatRecord.Request(output);
    }

    /// <summary>The book of an attempt: clients made one after the other for the same step share it.</summary>
    public static CallBook Of(StepContext context, string name) => Shelf.Of(context).Books.GetOrAdd(name, _ => new CallBook(context, name));

    /// <summary>A name for the next run of an agent in a step: the name itself, then <c>name/2</c>, ….</summary>
    public static string NextRun(StepContext context, string name) =>
        Shelf.Of(context).Runs.AddOrUpdate(name, 1, (_, count) => count + 1) is > 1 and var number ? string.Create(CultureInfo.InvariantCulture, $"{name}/{number}") : name;

    /// <summary>The sub-step of a call, whether it is recorded, and what is different from the recorded call that stands at its place.</summary>
    public (string Name, bool IsRecorded, string? Difference) Take(RequestFacts request)
    {
        lock (_lock)
        {
            _calls++;
            if (_recorded.TryGetValue(_calls, out var here) && here is null && _taken.Add(_calls)) return (Name(_calls), true, null);
            foreach (var (number, recorded) in _recorded)
                if (recorded?.Hash == request.Hash && _taken.Add(number)) return (Name(number), true, null);
            var difference = here is not null && !_taken.Contains(_calls) ? $"{request.DifferenceFrom(here)} (recorded as '{Name(_calls)}')" : null;
            do _free++; while (_recorded.ContainsKey(_free));
            return (Name(_free), false, difference);
        }
    }

    string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"{_name}/{number}");

    sealed class Shelf
    {
        public ConcurrentDictionary<string, CallBook> Books { get; } = [];
        public ConcurrentDictionary<string, int> Runs { get; } = [];
        public static Shelf Of(StepContext context) => s_shelves.GetValue(context, _ => new Shelf());
    }
}
