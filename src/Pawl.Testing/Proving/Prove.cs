using System.Diagnostics;
using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>What is outside of the run, for <see cref="Prove"/>.</summary>
public sealed record OutsideWorld
{
    /// <summary>Called before each history: makes everything as it was at the first one.</summary>
    public Func<Task>? Reset { get; init; }

    /// <summary>Called after each: names and values that must be as after an unbroken run (rows of a table, requests that a fake received).</summary>
    public Func<Task<IReadOnlyDictionary<string, string>>>? Observe { get; init; }
}

/// <summary>Proves, in a test, that a workflow in code is safe to be killed anywhere: <c>(await Prove.ThatAsync(CreateWorkflow)).Holds();</c></summary>
/// <remarks>Each history is compared with an unbroken run: status, every step's status and output, state, and what the world shows. Two unbroken runs
/// come first; what differs between them is in <see cref="Proof.Unstable"/> and left out. One history at a time, since they share the outside world.</remarks>
public static class Prove
{
    const string RunId = "prove";

    /// <summary>Fast, within this process: the store fails as if the process had died, before and after each write, and another client goes on.</summary>
    /// <remarks>Shows that each step can run twice, whole, and that nothing depends on what a process had in memory. Not what a step leaves that is cut off in its
    /// middle: a body that does not look at its token goes on to its end here. That is what <see cref="ThatProgramAsync"/> kills for.</remarks>
    /// <param name="workflow">Makes the definition anew for each process.</param>
    /// <param name="parameters">The run's params.</param>
    /// <param name="world">What is outside of the run.</param>
    /// <param name="options">How many points.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="InvalidOperationException">The unbroken run itself does not complete.</exception>
    public static Task<Proof> ThatAsync(Func<Workflow> workflow, IReadOnlyDictionary<string, object?>? parameters = null, OutsideWorld? world = null, ProveOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(workflow().Name, workflow().Steps, (_, _) => Task.FromResult<ProofWorld>(new InProcess(world ?? new OutsideWorld(), new MemoryStore(), workflow, parameters)), options, cancellationToken);

    /// <summary>With real processes and a real SIGKILL, before and after each write and in the middle of steps. The program must start its run with the given id and
    /// <see cref="ExistingRun.Join"/>, and open its store through <see cref="CrashOrder.Obey"/>; a test may start its own program again.</summary>
    /// <param name="start">How the program is started, over an empty folder for its store.</param>
    /// <param name="open">Opens the store of that folder, to look at.</param>
    /// <param name="runId">The id that the program gives its run.</param>
    /// <param name="world">What is outside of the run.</param>
    /// <param name="options">How many points.</param>
    /// <param name="cancellationToken">Stops it, and kills the program.</param>
    /// <exception cref="InvalidOperationException">The unbroken run itself does not complete.</exception>
    public static Task<Proof> ThatProgramAsync(Func<string, ProcessStartInfo> start, Func<string, ICheckpointStore> open, string runId, OutsideWorld? world = null, ProveOptions? options = null, CancellationToken cancellationToken = default) =>
        RunAsync(runId, [], (_, _) => Task.FromResult<ProofWorld>(new OfProgram(world ?? new OutsideWorld(), start, open, runId)), options, cancellationToken);

    static async Task<Proof> RunAsync(string name, IReadOnlyList<Step> steps, Func<string, CancellationToken, Task<ProofWorld>> newWorld, ProveOptions? options, CancellationToken cancellationToken)
    {
        var prover = new Prover(name, steps, newWorld, (options ?? new ProveOptions()) with { Parallel = 1, Workers = false });
        await using var client = PawlClient.Open("memory:");
        var run = await client.RunAsync(prover.Workflow, cancellationToken: cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        return run.Status == RunStatus.Completed ? prover.Read(run) : throw new InvalidOperationException(run.Error);
    }

    abstract class Shared(OutsideWorld world) : ProofWorld
    {
        protected Task ResetAsync() => world.Reset?.Invoke() ?? Task.CompletedTask;

        public override async Task<IReadOnlyList<WorldFact>> ObserveAsync(CancellationToken cancellationToken) =>
            world.Observe is { } observe ? [.. (await observe()).Select(fact => new WorldFact(fact.Key, fact.Value))] : [];
    }

    sealed class InProcess(OutsideWorld world, ICheckpointStore store, Func<Workflow> workflow, IReadOnlyDictionary<string, object?>? parameters) : Shared(world)
    {
        int _writes;

        public override string RunId => Prove.RunId;

        public override IReadOnlyList<TracedWrite> Writes => [.. Enumerable.Range(1, _writes).Select(number => new TracedWrite(number, number, number, $"write {number}", []))];

        public override async Task<bool> BeginAsync(ProofPoint? point, CancellationToken cancellationToken)
        {
            await ResetAsync();
            return await BeginAgainAsync(point, cancellationToken);
        }

        public override Task<bool> BeginAgainAsync(ProofPoint? point, CancellationToken cancellationToken) =>
            PassAsync(point is null ? null : new CrashPoint(point.Write - _writes, point.IsBefore ? CrashMoment.Before : CrashMoment.After), cancellationToken);

        public override Task GoOnAsync(ProofPoint point, CancellationToken cancellationToken) => PassAsync(null, cancellationToken);

        public override Task<T> LookAsync<T>(Func<PawlClient, Task<T>> look) => look(new PawlClient(store));

        async Task<bool> PassAsync(CrashPoint? crash, CancellationToken cancellationToken)
        {
            var process = new CrashingStore(store, crash);
            try
            {
                await new PawlClient(process).RunAsync(workflow(), parameters, new StartOptions { RunId = RunId, IfExists = ExistingRun.Join }, cancellationToken);
            }
            catch (Exception) when (process.IsDead)
            {
                // Where it died before its run had begun, or behind its end.
            }
            catch (ResumeRefusedException) when (crash is null)
            {
                // It waits for a signal or a person, as the unbroken one does.
            }
            _writes += process.Writes;
            var died = process.IsDead;
            await process.KillAsync();
            return died;
        }
    }

    sealed class OfProgram(OutsideWorld world, Func<string, ProcessStartInfo> start, Func<string, ICheckpointStore> open, string runId) : Shared(world)
    {
        readonly string _folder = Directory.CreateTempSubdirectory("pawl-prove-").FullName;

        string Trace => Path.Combine(_folder, "trace");

        public override string RunId => runId;

        public override IReadOnlyList<TracedWrite> Writes => TracedWrite.Read(Trace);

        public override string Normalize(string text) => text.Replace(_folder, "FOLDER", StringComparison.Ordinal);

        public override async Task<bool> BeginAsync(ProofPoint? point, CancellationToken cancellationToken)
        {
            await ResetAsync();
            return await BeginAgainAsync(point, cancellationToken);
        }

        public override Task<bool> BeginAgainAsync(ProofPoint? point, CancellationToken cancellationToken) => ExecuteAsync(point?.Order(), Trace, cancellationToken);

        public override Task GoOnAsync(ProofPoint point, CancellationToken cancellationToken) => ExecuteAsync(null, null, cancellationToken);

        public override async Task<T> LookAsync<T>(Func<PawlClient, Task<T>> look)
        {
            await using var client = new PawlClient(open(Path.Combine(_folder, "store")));
            return await look(client);
        }

        async Task<bool> ExecuteAsync(string? order, string? trace, CancellationToken cancellationToken)
        {
            const int killed = 137;
            var info = start(Path.Combine(_folder, "store"));
            info.Environment[CrashOrder.Variable] = order;
            info.Environment[CrashOrder.TraceVariable] = trace;
            using var process = Process.Start(info)!;
            try { await process.WaitForExitAsync(cancellationToken); }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }
            return process.ExitCode == killed;
        }

        public override ValueTask DisposeAsync()
        {
            Directory.Delete(_folder, recursive: true);
            return base.DisposeAsync();
        }
    }
}
