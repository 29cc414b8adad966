using System.Globalization;
using System.Text;

namespace Pawl.Testing;

/// <summary>Where a history is broken.</summary>
/// <param name="Number">From 1, in the order of the unbroken run.</param>
/// <param name="Write">The write of the first process, from 1.</param>
/// <param name="IsBefore">Dies before that write; else behind it.</param>
/// <param name="Delay">So many milliseconds behind it; 0 is at once.</param>
/// <param name="Files">Behind it, when so many files have changed; 0 is at once.</param>
/// <param name="Where">For people.</param>
/// <param name="ByWorker">A worker executes the run and another one goes on with it, where the world has workers.</param>
public sealed record ProofPoint(int Number, int Write, bool IsBefore, int Delay, int Files, string Where, bool ByWorker)
{
    /// <summary>The value of <see cref="CrashOrder.Variable"/>.</summary>
    /// <param name="fewer">Writes that the process does not do itself.</param>
    public string Order(int fewer = 0) => (Write - fewer).ToString(CultureInfo.InvariantCulture) + (Delay > 0 ? $"+{Delay.ToString(CultureInfo.InvariantCulture)}" : Files > 0 ? $"~{Files.ToString(CultureInfo.InvariantCulture)}" : IsBefore ? ":before" : ":after");
}

/// <summary>Something that two runs are compared by.</summary>
/// <param name="Name">What it is: <c>output of 'load': count</c>, <c>file log.txt</c>.</param>
/// <param name="Value">Its value as a text.</param>
/// <param name="Step">The step that made it, when that is known.</param>
public sealed record Fact(string Name, string Value, string? Step = null);

/// <summary>How a broken history ended otherwise than the unbroken one.</summary>
/// <param name="What">The first fact that differs.</param>
/// <param name="Expected">Its value in the unbroken run.</param>
/// <param name="Got">Its value here.</param>
/// <param name="Others">Facts that differ besides.</param>
/// <param name="Step">The step to blame; null when none was under way and no fact has one.</param>
/// <param name="Remedy">What mends it, in a sentence.</param>
public sealed record Difference(string What, string Expected, string Got, int Others, string? Step, string Remedy)
{
    /// <summary>Expected and got as a short unified diff.</summary>
    public string Diff()
    {
        const int most = 8;
        var (expected, got) = (Expected.TrimEnd('\n').Split('\n'), Got.TrimEnd('\n').Split('\n'));
        var same = 0;
        while (same < Math.Min(expected.Length, got.Length) && expected[same] == got[same]) same++;
        var end = 0;
        while (end < Math.Min(expected.Length, got.Length) - same && expected[^(end + 1)] == got[^(end + 1)]) end++;
        var text = new StringBuilder();
        if (same > 0) text.Append("  ").Append(expected[same - 1]).Append('\n');
        Append('-', expected[same..^end]);
        Append('+', got[same..^end]);
        return text.ToString().TrimEnd('\n');

        void Append(char sign, string[] lines)
        {
            foreach (var line in lines.Take(most)) text.Append(sign).Append(' ').Append(line.Length > 200 ? line[..200] + "…" : line).Append('\n');
            if (lines.Length > most) text.Append(sign).Append(CultureInfo.InvariantCulture, $" … {lines.Length - most} more lines\n");
        }
    }
}

/// <summary>What came of one point.</summary>
/// <param name="Point">Where the process was killed.</param>
/// <param name="Reached">False: the run ended before it came there, and nothing was tried.</param>
/// <param name="Difference">Null: it holds.</param>
/// <param name="Evidence">The folder that shows it, when it was kept.</param>
public sealed record PointVerdict(ProofPoint Point, bool Reached, Difference? Difference, string? Evidence = null);

/// <summary>What two unbroken runs already differ in: time, chance, process ids. Left out of all comparisons.</summary>
/// <param name="What">The fact.</param>
/// <param name="First">Its value in the first run.</param>
/// <param name="Second">Its value in the second one.</param>
/// <param name="Step">The step that made it.</param>
public sealed record Unstable(string What, string First, string Second, string? Step);

/// <summary>What came of a proof.</summary>
/// <param name="Workflow">The workflow's name.</param>
/// <param name="Ending">How the unbroken run ended.</param>
/// <param name="Points">All that were tried.</param>
/// <param name="Unstable">What differs without any crash.</param>
public sealed record Proof(string Workflow, RunStatus Ending, IReadOnlyList<PointVerdict> Points, IReadOnlyList<Unstable> Unstable)
{
    /// <summary>The points at which the run did not end as the unbroken one.</summary>
    public IEnumerable<PointVerdict> Failures => Points.Where(point => point.Difference is not null);

    /// <summary>Passes when every point holds.</summary>
    /// <exception cref="InvalidOperationException">One does not; the message names each step to blame with its first evidence.</exception>
    public Proof Holds()
    {
        if (!Failures.Any()) return this;
        var steps = Failures.GroupBy(point => point.Difference!.Step).Select(group =>
            $"step '{group.Key}' is not safe to run twice: {group.Count()} points, the first killed {group.First().Point.Where}\n  {group.First().Difference!.What}\n{group.First().Difference!.Diff()}\n  {group.First().Difference!.Remedy}");
        throw new InvalidOperationException($"{Failures.Count()} of {Points.Count} points do not hold.\n{string.Join("\n", steps)}");
    }
}
