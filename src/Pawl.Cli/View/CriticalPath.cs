namespace Pawl.Cli.View;

/// <summary>The chain of steps that decides how long a run takes when everything else runs beside it. Pure.</summary>
/// <param name="Steps">The chain, first step first.</param>
/// <param name="Length">Its duration: no run is shorter.</param>
/// <param name="Sum">All steps one after another: no run is longer.</param>
sealed record CriticalPath(IReadOnlyList<string> Steps, TimeSpan Length, TimeSpan Sum)
{
    /// <param name="steps">Ids with the ids they come after, in any order, without cycles. Unknown ids are passed over.</param>
    /// <param name="duration">How long a step takes.</param>
    public static CriticalPath Of(IReadOnlyList<(string Id, IReadOnlyList<string> Before)> steps, Func<string, TimeSpan> duration)
    {
        var ends = new Dictionary<string, (TimeSpan End, string? Before)>();
        foreach (var wave in Waves(steps))
        {
            foreach (var (id, before) in wave)
            {
                var (begin, last) = (TimeSpan.Zero, (string?)null);
                foreach (var one in before) if (ends.TryGetValue(one, out var end) && (last is null || end.End > begin)) (begin, last) = (end.End, one);
                ends[id] = (begin + duration(id), last);
            }
        }
        var chain = new List<string>();
        for (var at = ends.Count == 0 ? null : ends.MaxBy(end => end.Value.End).Key; at is not null; at = ends[at].Before) chain.Insert(0, at);
        return new CriticalPath(chain, chain.Count == 0 ? TimeSpan.Zero : ends[chain[^1]].End, TimeSpan.FromTicks(steps.Sum(step => duration(step.Id).Ticks)));
    }

    /// <summary>Steps that can run side by side, wave after wave.</summary>
    public static List<List<(string Id, IReadOnlyList<string> Before)>> Waves(IReadOnlyList<(string Id, IReadOnlyList<string> Before)> steps)
    {
        var known = steps.Select(step => step.Id).ToHashSet();
        var placed = new HashSet<string>();
        var waves = new List<List<(string Id, IReadOnlyList<string> Before)>>();
        while (placed.Count < known.Count)
        {
            var wave = steps.Where(step => !placed.Contains(step.Id) && step.Before.All(id => placed.Contains(id) || !known.Contains(id))).ToList();
            if (wave.Count == 0) throw new InvalidDefinitionException($"The steps {string.Join(", ", known.Except(placed))} wait for one another.");
            waves.Add(wave);
            foreach (var step in wave) placed.Add(step.Id);
        }
        return waves;
    }
}
