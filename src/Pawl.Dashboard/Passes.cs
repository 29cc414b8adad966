using System.Collections.Concurrent;

namespace Pawl.Dashboard;

/// <summary>Passes that execute in this process. What ends one is in its journal, for whoever looks.</summary>
sealed class Passes
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    readonly ConcurrentDictionary<Task, bool> _running = [];
    readonly CancellationToken _stop;

    public Passes(CancellationToken stopping)
    {
        var stop = new CancellationTokenSource();
        _stop = stop.Token;
        // Before the process ends each pass closes its journal.
        stopping.Register(() =>
        {
            stop.Cancel();
            Task.WhenAll(_running.Keys).ContinueWith(_ => { }, TaskScheduler.Default).Wait(s_patience);
        });
    }

    /// <summary>Returns when the pass has begun, durably; what keeps it from beginning is thrown.</summary>
    /// <param name="execute">The pass.</param>
    /// <param name="undo">Takes back what was made for a pass that does not begin; null is nothing.</param>
    /// <returns>The pass itself, in a tuple because a task of a task would be awaited whole.</returns>
    public async Task<(Task Pass, string RunId)> BeginAsync(Func<Action<RunEvent>, CancellationToken, Task> execute, Func<Task>? undo = null)
    {
        var begun = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        var pass = Task.Run(() => execute(happened => { if (happened is RunEvent.Started started) begun.TrySetResult(started.RunId); }, _stop), CancellationToken.None);
        _running[pass] = true;
        _ = pass.ContinueWith(done => { _ = done.Exception; _running.TryRemove(done, out _); }, TaskScheduler.Default);
        // What did not begin did not because of an error.
        if (await Task.WhenAny(begun.Task, pass) == pass && !begun.Task.IsCompleted)
        {
            try { await (undo?.Invoke() ?? Task.CompletedTask); }
            catch (PawlException)
            {
                // Somebody else goes on with it. Why this pass did not begin is what counts.
            }
            await pass;
        }
        return (pass, await begun.Task);
    }
}
