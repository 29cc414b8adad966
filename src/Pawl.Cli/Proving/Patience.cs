namespace Pawl.Cli.Proving;

/// <summary>How long a process of a proof may take before it counts as hanging: very much longer than any before it. Thread safe.</summary>
sealed class Patience
{
    // Until one has ended, nobody knows what is long.
    static readonly TimeSpan s_first = TimeSpan.FromMinutes(30);
    static readonly TimeSpan s_least = TimeSpan.FromMinutes(10);
    const int Factor = 20;

    long _longest;

    public TimeSpan Limit => Volatile.Read(ref _longest) is > 0 and var longest ? TimeSpan.FromTicks(Math.Max(s_least.Ticks, longest * Factor)) : s_first;

    /// <summary>A process ended well. A quick one says nothing about slow ones.</summary>
    public void Took(TimeSpan time)
    {
        for (var known = Volatile.Read(ref _longest); time.Ticks > known;)
        {
            var before = Interlocked.CompareExchange(ref _longest, time.Ticks, known);
            if (before == known) return;
            known = before;
        }
    }
}
