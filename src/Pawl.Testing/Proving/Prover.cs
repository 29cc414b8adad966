using System.Globalization;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>How a proof is done.</summary>
public sealed record ProveOptions
{
    /// <summary>At most this many points, spread evenly. Default: all.</summary>
    public int? Points { get; init; }

    /// <summary>Points at the same time. Default 1.</summary>
    public int Parallel { get; init; } = 1;

    /// <summary>Workers execute a fifth of the points; the world must know how. Default false.</summary>
    public bool Workers { get; init; }

    /// <summary>The two unbroken runs begin at least so far apart, so that a clock of whole seconds shows. Default 1.1 s; zero for code that reads no clock.</summary>
    public TimeSpan Apart { get; init; } = TimeSpan.FromSeconds(1.1);

    /// <summary>Keeps the world of every point. Default: of those that do not hold.</summary>
    public bool Keep { get; init; }

    /// <summary>What every request for approval is answered with, so that what is behind them is proved; null answers none. A question that
    /// <see cref="UnknownOutcome"/> asks is never answered: nobody would know.</summary>
    public Decision? Approvals { get; init; }

    /// <summary>Signals that are sent to a run that waits for them: bodies by name. None by default.</summary>
    public IReadOnlyDictionary<string, RawJson?> Signals { get; init; } = new Dictionary<string, RawJson?>();

    /// <summary>Called when the points are known, and after each; one call at a time is not promised.</summary>
    public Action<int, PointVerdict?>? OnPoint { get; init; }
}

/// <summary>The proof as a workflow: two unbroken runs, then one step for each point. So it is resumed like any other run.</summary>
/// <param name="name">The workflow that is proved.</param>
/// <param name="steps">Its steps, to tell which one was under way; none when they are not known.</param>
/// <param name="newWorld">Makes a world: by a name of its own.</param>
/// <param name="options">How.</param>
public sealed class Prover(string name, IReadOnlyList<Step> steps, Func<string, CancellationToken, Task<ProofWorld>> newWorld, ProveOptions options)
{
    // Whoever answers approvals and signals.
    const string By = "pawl prove";
    // A step shorter than this is met by the points around its checkpoint.
    const double ShortestGap = 4;
    const double ShortGap = 50;
    static readonly int[] s_short = [5, 50];
    static readonly int[] s_long = [5, 25, 50, 75];

    /// <summary>How the proof's own run keeps its results (<see cref="PawlOptions.Json"/>): for the client that executes it in a program compiled ahead. Read-only.</summary>
    public static JsonSerializerOptions Json => ProvingJson.Own;

    internal sealed record Unbroken(Ending Ending, IReadOnlyList<Unstable> Unstable, IReadOnlyList<ProofPoint> Points);

    /// <summary>The proof. Its run can be interrupted, and resumed in another process, over the same worlds' root.</summary>
    public Workflow Workflow => field ??= Define();

    /// <summary>The proof that a completed run of <see cref="Workflow"/> is.</summary>
    public Proof Read(RunResult run)
    {
        var unbroken = run.Output<Unbroken>("unbroken");
        return new Proof(name, unbroken.Ending.Status, run.Output<IReadOnlyList<PointVerdict>>("points"), unbroken.Unstable);
    }

    Workflow Define()
    {
        var proof = Workflow.Create("prove");
        var unbroken = proof.Step("unbroken", UnbrokenAsync);
        proof.ForEach("points", ctx => ctx.Output(unbroken).Points, point => point.Number.ToString("0000", CultureInfo.InvariantCulture),
            (ctx, point) => TryAsync(point, ctx.Output(unbroken), ctx.CancellationToken), maxParallel: options.Parallel);
        return proof.Build();
    }

    async Task<Unbroken> UnbrokenAsync(StepContext context)
    {
        var began = context.Time.GetTimestamp();
        var (first, writes) = await UnbrokenAsync("unbroken-1", context.CancellationToken);
        if (options.Apart - context.Time.GetElapsedTime(began) is { Ticks: > 0 } rest) await Task.Delay(rest, context.Time, context.CancellationToken);
        var (second, _) = await UnbrokenAsync("unbroken-2", context.CancellationToken);
        var points = Sample(Points(writes), options.Points);
        options.OnPoint?.Invoke(points.Count, null);
        return new Unbroken(first, Comparison.Unstable(first, second), points);
    }

    async Task<(Ending Ending, IReadOnlyList<TracedWrite> Writes)> UnbrokenAsync(string world, CancellationToken cancellationToken)
    {
        await using var one = await newWorld(world, cancellationToken);
        await BeginAsync(one, null, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        var ending = await Ending.ReadAsync(one, cancellationToken);
        if (ending.Status is RunStatus.Completed or RunStatus.Waiting) return (ending, one.Writes);
        throw new StepException($"The unbroken run itself did not complete: {ending.Status.ToString().ToLowerInvariant()}{(ending.ErrorStep is { } step ? $" at '{step}'" : "")}: {ending.Error}{(one.Keep() is { } kept ? $" (see {kept})" : "")}");
    }

    async Task<PointVerdict> TryAsync(ProofPoint point, Unbroken unbroken, CancellationToken cancellationToken)
    {
        await using var world = await newWorld($"point-{point.Number.ToString("0000", CultureInfo.InvariantCulture)}", cancellationToken);
        if (!await BeginAsync(world, point, cancellationToken)) return Told(new PointVerdict(point, Reached: false, null));
        var left = await world.LookAsync(client => LeftAsync(client, world.RunId, cancellationToken));
        await world.GoOnAsync(point, cancellationToken);
        while (await AnswerAsync(world, cancellationToken)) await world.GoOnAsync(point, cancellationToken);
        var problem = point.Number % 4 == 0 ? await GoOnAgainAsync(world, point, cancellationToken) : null;
        var ending = await Ending.ReadAsync(world, cancellationToken);
        // What an interrupted process left is no verdict.
        cancellationToken.ThrowIfCancellationRequested();
        var difference = Comparison.Find(unbroken.Ending, ending, unbroken.Unstable, left, point, steps) ?? problem;
        return Told(new PointVerdict(point, Reached: true, difference, difference is not null || options.Keep ? world.Keep() : null));
    }

    async Task<bool> BeginAsync(ProofWorld world, ProofPoint? point, CancellationToken cancellationToken)
    {
        var died = await world.BeginAsync(point, cancellationToken);
        while (!died && await AnswerAsync(world, cancellationToken)) died = await world.BeginAgainAsync(point, cancellationToken);
        return died;
    }

    /// <summary>Sends what runs of the world wait for, child runs among them. False when there was nothing to send.</summary>
    Task<bool> AnswerAsync(ProofWorld world, CancellationToken cancellationToken) => world.LookAsync(async client =>
    {
        var sent = false;
        await foreach (var head in client.ListAsync(new RunQuery { Statuses = [RunStatus.Waiting] }, cancellationToken))
        {
            foreach (var wait in head.Waits)
            {
                if (wait.Message is not null && !Ending.IsBookkeeping(wait.Path) && options.Approvals is { } decision)
                    sent |= await (decision == Decision.Approved ? client.ApproveAsync(head.RunId, wait.Path, By, cancellationToken: cancellationToken) : client.RejectAsync(head.RunId, wait.Path, By, cancellationToken: cancellationToken));
                else if (wait is { Message: null, Signal: { } signal } && options.Signals.TryGetValue(signal, out var body))
                    sent |= await client.SignalAsync(head.RunId, signal, body, By, cancellationToken: cancellationToken);
            }
        }
        return sent;
    });

    PointVerdict Told(PointVerdict verdict)
    {
        options.OnPoint?.Invoke(0, verdict);
        return verdict;
    }

    /// <summary>A run that has ended is not begun again: nothing may change.</summary>
    static async Task<Difference?> GoOnAgainAsync(ProofWorld world, ProofPoint point, CancellationToken cancellationToken)
    {
        var before = await world.LookAsync(client => client.FindAsync(world.RunId, cancellationToken).AsTask());
        await world.GoOnAsync(point, cancellationToken);
        var after = await world.LookAsync(client => client.FindAsync(world.RunId, cancellationToken).AsTask());
        return before?.Hash == after?.Hash ? null : new Difference("journal", $"{before?.Seq} records", $"{after?.Seq} records after a second resume", 0, null, "A fault of Pawl: please report it with this folder.");
    }

    static async Task<IReadOnlyList<Checkpoint>> LeftAsync(PawlClient client, string runId, CancellationToken cancellationToken) =>
        await client.FindAsync(runId, cancellationToken) is null ? [] : await client.HistoryAsync(runId, cancellationToken);

    /// <summary>Before and after every write; in between, at some instants of what is under way, and when it changes files.</summary>
    List<ProofPoint> Points(IReadOnlyList<TracedWrite> writes)
    {
        var points = new List<ProofPoint>();
        // A worker takes a run that waited without a claim of its own: its writes would have other numbers.
        var first = writes.TakeWhile((write, i) => i == 0 || write.What != KillingStore.Claim).Count();
        for (var i = 0; i < writes.Count; i++)
        {
            var write = writes[i];
            Add(write, isBefore: true, 0, 0, $"before {write.What}");
            Add(write, isBefore: false, 0, 0, $"after {write.What}");
            if (i == 0 || i + 1 == writes.Count) continue;
            var next = writes[i + 1];
            var gap = next.Began - write.Ended;
            foreach (var part in gap < ShortestGap ? [] : gap < ShortGap ? s_short : s_long)
                Add(write, isBefore: false, Math.Max(1, (int)(gap * part / 100)), 0, $"{(part == s_long[0] ? "at the beginning" : string.Create(CultureInfo.InvariantCulture, $"at {part} %"))} of what leads to {next.What}, {Math.Max(1, (int)(gap * part / 100))} ms in");
            // The first, the middle one and the last say enough of many.
            foreach (var file in ((int[])[1, (next.Changed.Count + 1) / 2, next.Changed.Count]).Distinct().Where(file => file <= next.Changed.Count && file > 0))
                Add(write, isBefore: false, 0, file, $"when '{next.Changed[file - 1]}' changes, on the way to {next.What}");
        }
        return points;

        void Add(TracedWrite write, bool isBefore, int delay, int files, string where) =>
            points.Add(new ProofPoint(points.Count + 1, write.Number, isBefore, delay, files, where, options.Workers && write.Number > 2 && write.Number <= first && points.Count % 5 == 4));
    }

    static List<ProofPoint> Sample(List<ProofPoint> points, int? most) => most is not { } count || count >= points.Count ? points
        : [.. Enumerable.Range(0, count).Select(i => points[count == 1 ? points.Count / 2 : (int)((long)i * (points.Count - 1) / (count - 1))])];
}
