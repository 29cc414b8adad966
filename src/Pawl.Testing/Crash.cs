using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>A run that is to survive the death of its process anywhere.</summary>
public sealed record CrashScenario
{
    /// <summary>The definition. Made anew for each process, so that a body's own variables die with it.</summary>
    public required Func<Workflow> Workflow { get; init; }

    /// <summary>An empty store for each trial. Default: a <see cref="MemoryStore"/>.</summary>
    public Func<ValueTask<ICheckpointStore>> NewStore { get; init; } = () => new(new MemoryStore());

    /// <summary>The run's params.</summary>
    public IReadOnlyDictionary<string, object?>? Params { get; init; }

    /// <summary>The clients' settings, among them the clock.</summary>
    public PawlOptions Options { get; init; } = new();

    /// <summary>The ways to die or to lose an answer. Default: all.</summary>
    public IReadOnlyList<CrashMoment> Moments { get; init; } = Enum.GetValues<CrashMoment>();

    /// <summary>Also kills the process that recovers, at each of its writes. Default false.</summary>
    public bool Pairs { get; init; }

    /// <summary>At most about this many writes are tried, spread evenly. Default: all.</summary>
    public int? Points { get; init; }

    /// <summary>Called before each trial, so that what bodies keep outside the run can be reset.</summary>
    public Action? Reset { get; init; }

    /// <summary>Called after each trial.</summary>
    public Action<CrashTrial>? OnTrial { get; init; }
}

/// <summary>One history with crashes.</summary>
/// <param name="Crashes">Where the first, the second … process died.</param>
/// <param name="Problem">What differs from the unbroken run; null when nothing does.</param>
public sealed record CrashTrial(IReadOnlyList<CrashPoint> Crashes, string? Problem)
{
    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join("; then ", Crashes)}] {Problem ?? "as the unbroken run"}";
}

/// <summary>What came of all trials.</summary>
/// <param name="Writes">Writes of the unbroken run.</param>
/// <param name="Unbroken">How the unbroken run ended.</param>
/// <param name="Trials">Each trial.</param>
public sealed record CrashReport(int Writes, RunStatus Unbroken, IReadOnlyList<CrashTrial> Trials)
{
    /// <summary>Trials that ended otherwise than the unbroken run.</summary>
    public IEnumerable<CrashTrial> Broken => Trials.Where(trial => trial.Problem is not null);

    /// <summary>Throws when a trial is broken; the message shows the first ten.</summary>
    /// <exception cref="InvalidOperationException">At least one is.</exception>
    public CrashReport EnsureUnbroken() => Broken.Any()
        ? throw new InvalidOperationException($"{Broken.Count()} of {Trials.Count} histories ended otherwise than the unbroken run:\n  {string.Join("\n  ", Broken.Take(10))}")
        : this;
}

/// <summary>Kills a run at every write, resumes it, and compares the end with an unbroken run.</summary>
public static class Crash
{
    const string RunId = "crash";
    const int MostProcesses = 12;

    /// <summary>Runs the scenario once unbroken, and once for each write and each moment.</summary>
    /// <remarks>Every trial must end with the same status, outputs, state and step statuses as the unbroken run, keep a journal that verifies,
    /// and never again begin a step whose success was acknowledged (steps that ran because of a failure aside: a resume decides them anew).</remarks>
    /// <exception cref="InvalidOperationException">The unbroken run itself does not end.</exception>
    public static async Task<CrashReport> EverywhereAsync(CrashScenario scenario, CancellationToken cancellationToken = default)
    {
        var unbroken = await TryAsync(scenario, [], null, cancellationToken);
        if (unbroken.Problem is { } problem) throw new InvalidOperationException($"The unbroken run: {problem}");
        var trials = new List<CrashTrial>();
        var stride = scenario.Points is { } points ? Math.Max(1, unbroken.Writes[0] / points) : 1;
        for (var write = 1; write <= unbroken.Writes[0]; write += stride)
        {
            foreach (var moment in scenario.Moments)
            {
                var first = new CrashPoint(write, moment);
                var single = await Trial(first);
                if (!scenario.Pairs || single.Writes.Count < 2) continue;
                for (var second = 1; second <= single.Writes[1]; second++)
                    foreach (var again in scenario.Moments) await Trial(first, new CrashPoint(second, again));
            }
        }
        return new CrashReport(unbroken.Writes[0], unbroken.End!.Status, trials);

        async Task<History> Trial(params CrashPoint[] crashes)
        {
            var history = await TryAsync(scenario, crashes, unbroken.End, cancellationToken);
            var trial = new CrashTrial(crashes, history.Problem);
            trials.Add(trial);
            scenario.OnTrial?.Invoke(trial);
            return history;
        }
    }

    sealed record History(string? Problem, IReadOnlyList<int> Writes, End? End);

    /// <summary>What two runs are compared by.</summary>
    sealed record End(RunStatus Status, string Text);

    static async Task<History> TryAsync(CrashScenario scenario, CrashPoint[] crashes, End? expected, CancellationToken cancellationToken)
    {
        scenario.Reset?.Invoke();
        var store = await scenario.NewStore();
        await using var disposal = store;
        var writes = new List<int>();
        var acknowledged = new HashSet<string>();
        while (writes.Count < MostProcesses)
        {
            var process = new CrashingStore(store, writes.Count < crashes.Length ? crashes[writes.Count] : null);
            var again = new List<string>();
            try
            {
                var start = new StartOptions { RunId = RunId, IfExists = ExistingRun.Join, OnEvent = Watch };
                await new PawlClient(process, scenario.Options).RunAsync(scenario.Workflow(), scenario.Params, start, cancellationToken);
            }
            catch (Exception error) when (process.IsDead || error is IOException)
            {
                // A process that could not even begin, or end, its run: the next one goes on.
            }
            await process.KillAsync();
            writes.Add(process.Writes);
            if (again.Count > 0) return new History($"process {writes.Count} began again what was acknowledged before: {string.Join(", ", again)}", writes, null);
            Learn(process.Acknowledged, acknowledged);
            // Also what was not acknowledged: the next process will find it, and decide such steps anew.
            await foreach (var record in store.ReadAsync(RunId, 1, cancellationToken))
                if (RanAfterFailure(record)) Forget(record.Path!, acknowledged);
            if (await store.FindAsync(RunId, cancellationToken) is not { Status: not (RunStatus.Pending or RunStatus.Running) }) continue;

            var end = await EndAsync(store, scenario.Options, cancellationToken);
            var problems = await new PawlClient(store, scenario.Options).VerifyAsync(RunId, cancellationToken);
            if (problems.Count > 0) return new History($"the journal does not verify: {problems[0]}", writes, end);
            return new History(expected is null || expected == end ? null : $"ended as\n{end.Text}\n  instead of\n{expected.Text}", writes, end);

            void Watch(RunEvent happened)
            {
                if (!process.IsDead && happened is RunEvent.StepStarted began && acknowledged.Contains(began.Path)) again.Add(began.Path);
            }
        }
        return new History($"did not end within {MostProcesses} processes", writes, null);
    }

    static void Learn(IReadOnlyList<Checkpoint> records, HashSet<string> acknowledged)
    {
        foreach (var record in records)
        {
            if (record is { Kind: CheckpointKind.Step, Status: StepStatus.Completed }) acknowledged.Add(record.Path!);
            if (record.Kind == CheckpointKind.Compensated) Forget(record.Path!, acknowledged);
        }
    }

    static void Forget(string root, HashSet<string> acknowledged) =>
        acknowledged.RemoveWhere(path => path.StartsWith(root, StringComparison.Ordinal) && (path.Length == root.Length || path[root.Length] is '/' or '['));

    static bool RanAfterFailure(Checkpoint record)
    {
        if (record.Kind != CheckpointKind.Step || record.Data.IsEmpty) return false;
        using var data = JsonDocument.Parse(record.Data);
        return data.RootElement.TryGetProperty("after_failure", out _);
    }

    static async Task<End> EndAsync(ICheckpointStore store, PawlOptions options, CancellationToken cancellationToken)
    {
        var snapshot = await new PawlClient(store, options).SnapshotAsync(RunId, null, cancellationToken);
        var steps = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await foreach (var record in store.ReadAsync(RunId, 1, cancellationToken))
        {
            if (record.Kind == CheckpointKind.Step) steps[record.Path!] = $"{record.Status} {record.Cause} {record.Error?.Message}".Trim().ToLowerInvariant();
            else if (record.Kind == CheckpointKind.Compensated) steps[record.Path!] = $"compensated {record.Status}".ToLowerInvariant();
        }
        var text = new System.Text.StringBuilder();
        var head = snapshot.Head;
        text.Append(System.Globalization.CultureInfo.InvariantCulture, $"    {head.Status} {head.Done}/{head.Total} {head.ErrorStep} {head.Error}\n");
        Append("step", steps.Select(step => (step.Key, step.Value)));
        Append("output", snapshot.Outputs.Select(output => (output.Key, output.Value.ToString())));
        Append("state", snapshot.State.Select(value => (value.Key, value.Value.ToString())));
        return new End(head.Status, text.ToString().TrimEnd());

        void Append(string what, IEnumerable<(string Key, string Value)> values)
        {
            foreach (var (key, value) in values.OrderBy(pair => pair.Key, StringComparer.Ordinal)) text.Append("    ").Append(what).Append(' ').Append(key).Append(": ").Append(value).Append('\n');
        }
    }
}
