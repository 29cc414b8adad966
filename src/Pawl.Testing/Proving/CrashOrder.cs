using System.Diagnostics;
using System.Globalization;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>The order to die that a process finds in its environment: a real SIGKILL of itself, at one write of its store or so long behind it.</summary>
/// <remarks>The <c>pawl</c> command obeys it, and so does a program that opens its store through <see cref="Obey"/>. A write is a created run, a claim or a commit.</remarks>
public static class CrashOrder
{
    /// <summary>The variable with the order: <c>5:before</c> or <c>5:after</c> the fifth write; <c>5+120</c>, so many milliseconds behind it; or <c>5~2</c>, when behind it
    /// the second file below the current folder changes. The last two are never later than the next write begins.</summary>
    public const string Variable = "PAWL_CRASH_AT";

    /// <summary>The variable with the file that gets a line for each write that was answered. Behind the lines of an earlier process writes are counted on, for the order too.</summary>
    public const string TraceVariable = "PAWL_CRASH_TRACE";

    /// <summary>The store itself when the environment holds no order, else one that kills this process. A transactional store stays one.</summary>
    /// <param name="store">The store; disposed with the one that is returned.</param>
    /// <param name="variable">Where variables are read. Default: the process's environment.</param>
    /// <exception cref="ArgumentException">The order cannot be read.</exception>
    public static ICheckpointStore Obey(ICheckpointStore store, Func<string, string?>? variable = null)
    {
        variable ??= Environment.GetEnvironmentVariable;
        var (order, trace) = (variable(Variable), variable(TraceVariable));
        if (string.IsNullOrEmpty(order) && string.IsNullOrEmpty(trace)) return store;
        var instant = string.IsNullOrEmpty(order) ? (CrashInstant?)null : Parse(order);
        if (string.IsNullOrEmpty(trace)) trace = null;
        return store is ITransactionalStore database ? new KillingDatabase(database, instant, trace) : new KillingStore(store, instant, trace);
    }

    internal static CrashInstant Parse(string order)
    {
        var at = order.AsSpan().IndexOfAny(':', '+', '~');
        if (at > 0 && int.TryParse(order.AsSpan(0, at), NumberStyles.None, CultureInfo.InvariantCulture, out var write))
        {
            if (order[at] == ':' && order[at..] is ":before" or ":after") return new CrashInstant(write, IsBefore: order[at..] == ":before", 0, 0);
            if (int.TryParse(order.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count > 0)
                return order[at] == '+' ? new CrashInstant(write, false, count, 0) : new CrashInstant(write, false, 0, count);
        }
        throw new ArgumentException($"{Variable} is '{order}': write N:before, N:after, N+MILLISECONDS or N~FILES.", nameof(order));
    }

    /// <summary>The death that no handler sees.</summary>
    internal static void Die()
    {
        using var self = Process.GetCurrentProcess();
        self.Kill();
        new ManualResetEventSlim().Wait();
    }
}

/// <summary>An order that was read.</summary>
readonly record struct CrashInstant(int Write, bool IsBefore, int Delay, int Files)
{
    public bool IsAtOnce => !IsBefore && Delay == 0 && Files == 0;
}

/// <summary>A write that a store answered.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Began">When it began, in milliseconds of the process's own clock.</param>
/// <param name="Ended">When it was answered.</param>
/// <param name="What">What was written, for people.</param>
/// <param name="Changed">The first files below the current folder that were seen to change since the write before it.</param>
public sealed record TracedWrite(int Number, double Began, double Ended, string What, IReadOnlyList<string> Changed)
{
    /// <summary>The lines of a trace file; a last one that was cut off is left out.</summary>
    public static IReadOnlyList<TracedWrite> Read(string file)
    {
        var writes = new List<TracedWrite>();
        if (!File.Exists(file)) return writes;
        foreach (var line in File.ReadLines(file))
        {
            if (line.Split('\t') is not [var number, var began, var ended, var what, .. var changed]) continue;
            writes.Add(new TracedWrite(int.Parse(number, CultureInfo.InvariantCulture), double.Parse(began, CultureInfo.InvariantCulture), double.Parse(ended, CultureInfo.InvariantCulture), what, changed));
        }
        return writes;
    }

    internal static string Describe(IReadOnlyList<Commit> commits) => string.Join(", ", commits.SelectMany(commit => commit.Records).Select(record => record switch
    {
        { Kind: CheckpointKind.Step, Path: { } path } => $"the result of '{path}'",
        { Kind: CheckpointKind.Resumed } => "the beginning of the pass",
        { Path: { } path } => $"{record.Kind.ToString().ToLowerInvariant()} '{path}'",
        _ => $"the end of the run ({record.Kind.ToString().ToLowerInvariant()})",
    }).DefaultIfEmpty("the release of the run"));
}
