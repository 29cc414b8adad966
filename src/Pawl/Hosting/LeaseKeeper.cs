#pragma warning disable CA1001 // The token source has no timer, and ends with the last run.

using Pawl.Engine;
using Pawl.Storage;

namespace Pawl;

/// <summary>Keeps the leases of the runs that a client executes, all in one round trip, and brings runs their messages. Works only while there are runs.</summary>
sealed class LeaseKeeper(ICheckpointStore store, PawlOptions options, Diagnostics.StoreAbsence absence)
{
    // Messages are brought by the store's hints; this is how long one whose hint got lost may wait.
    static readonly TimeSpan s_interval = TimeSpan.FromSeconds(10);
    static readonly TimeSpan s_afterFailure = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    readonly Dictionary<string, (Run Run, RunLease Lease)> _held = [];
    CancellationTokenSource? _stop;
    Task _work = Task.CompletedTask;

    public async Task AddAsync(Run run, RunLease lease)
    {
        lock (_lock)
        {
            _held[run.Id] = (run, lease);
            if (_stop is null)
            {
                _stop = new CancellationTokenSource();
                _work = Task.WhenAll(RenewAsync(_stop.Token), WatchAsync(_stop.Token));
            }
        }
        // What came between the claim and this moment had nobody to hint to.
        await LookAsync(run, lease, CancellationToken.None);
    }

    /// <summary>Returns when nothing is done for the run any more.</summary>
    public async Task RemoveAsync(Run run)
    {
        Task work;
        lock (_lock)
        {
            _held.Remove(run.Id);
            if (_held.Count > 0 || _stop is null) return;
            // Not CancelAsync: it goes by the thread pool, and a pass stays on its caller's scheduler.
            _stop.Cancel();
            (_stop, work) = (null, _work);
        }
        await work;
    }

    async Task RenewAsync(CancellationToken stop)
    {
        var interval = store.Info.LeaseTime / 3 ?? s_interval;
        var renewed = options.Time.GetTimestamp();
        while (true)
        {
            try
            {
                await Task.Delay(interval, options.Time, stop);
                List<(Run Run, RunLease Lease)> held;
                lock (_lock) held = [.. _held.Values];
                var lost = (await store.RenewAsync([.. held.Select(one => one.Lease)], stop)).ToHashSet();
                renewed = options.Time.GetTimestamp();
                absence.Over();
                foreach (var (run, lease) in held)
                {
                    if (lost.Contains(lease)) run.RequestStop(StopReason.LeaseLost, new LeaseLostException(run.Id));
                    else await LookAsync(run, lease, stop);
                }
            }
            catch (OperationCanceledException) { return; }
            catch (IOException error)
            {
                absence.Met(error.Message);
                // By now another may have taken the runs: what this process still does for them could be done twice.
                if (store.Info.LeaseTime is not { } limit || options.Time.GetElapsedTime(renewed) < limit) continue;
                List<Run> lost;
                lock (_lock) lost = [.. _held.Values.Select(one => one.Run)];
                lost.ForEach(run => run.RequestStop(StopReason.LeaseLost, new LeaseLostException(run.Id)));
            }
        }
    }

    async Task WatchAsync(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                await foreach (var hint in store.WatchAsync(stop))
                {
                    (Run Run, RunLease Lease) one;
                    lock (_lock)
                        if (hint.RunId is null || !_held.TryGetValue(hint.RunId, out one)) continue;
                    await LookAsync(one.Run, one.Lease, stop);
                }
            }
            catch (OperationCanceledException) { return; }
            catch (IOException error)
            {
                absence.Met(error.Message);
                try { await Task.Delay(s_afterFailure, options.Time, stop); }
                catch (OperationCanceledException) { return; }
            }
        }
    }

    /// <summary>What is wrong with one run's messages is that run's trouble: the leases of all others hang on this.</summary>
    async Task LookAsync(Run run, RunLease lease, CancellationToken stop)
    {
        var (cancel, pause) = (RunMessage.Cancel(lease.Token), RunMessage.Pause(lease.Token));
        try
        {
            foreach (var message in await run.Waits.LookAsync(stop))
            {
                if (message.Damage is { } why) run.WarnOnce($"A message to this run cannot be heard; others are: {why}. 'pawl repair {run.Id}' sets it aside, and then it can be sent again.");
                if (message.Name != cancel && message.Name != pause) continue;
                run.StoppedBy = message.By;
                run.RequestStop(message.Name == cancel ? StopReason.Cancel : StopReason.Pause);
            }
        }
        catch (JournalCorruptException damaged) { run.Warn($"Messages to this run cannot be read: {damaged.Message}"); }
        catch (IOException error) { absence.Met(error.Message); }
    }
}
