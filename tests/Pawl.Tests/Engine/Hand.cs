using Pawl.Testing;

namespace Pawl.Tests.Engine;

/// <summary>A worker as its own process: a client of its own, and a way to stop or kill it.</summary>
sealed class Hand : IAsyncDisposable
{
    readonly CancellationTokenSource _stop = new();
    readonly CrashingStore _store;
    readonly Task _work;

    public Hand(Lab lab, params Workflow[] workflows) : this(lab, new WorkerOptions { Workflows = workflows, Concurrency = 4, DrainTime = TimeSpan.FromSeconds(5) }) { }

    public Hand(Lab lab, WorkerOptions options, CrashPoint? crash = null)
    {
        _store = new CrashingStore(lab.Store, crash);
        Worker = new PawlWorker(new PawlClient(_store, lab.Options), options);
        _work = Worker.RunAsync(_stop.Token);
    }

    public PawlWorker Worker { get; }
    public bool IsDead => _store.IsDead;
    public int Writes => _store.Writes;

    public async Task KillAsync()
    {
        await _store.KillAsync();
        _stop.Cancel();
    }

    public async ValueTask DisposeAsync()
    {
        _stop.Cancel();
        try { await _work; }
        catch (ProcessDiedException) { }
    }
}
