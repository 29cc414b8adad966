using System.Runtime.CompilerServices;

namespace Pawl.Storage;

// Workers on one machine that share a directory.
public sealed partial class FileStore
{
    // How soon another process's message or new run is seen.
    static readonly TimeSpan s_lookInterval = TimeSpan.FromMilliseconds(50);

    /// <inheritdoc/>
    /// <remarks>Reads the head of every run that changed since the last call: meant for the runs of one machine, not for a hundred thousand.</remarks>
    public async ValueTask<IReadOnlyList<TakenRun>> TakeAsync(WorkQuery work, RunOwner claimant, CancellationToken cancellationToken)
    {
        var taken = new List<TakenRun>();
        if (!Directory.Exists(_root)) return taken;
        PrepareRoot();
        // Limits over all workers hold because one worker chooses at a time.
        using var alone = Durable.TryLock(Path.Join(_root, ".take"));
        if (alone is null) return taken;
        var runs = List(new RunQuery(), cancellationToken).Where(head => head.Queue is not null).Select(head => (head, head.Status == RunStatus.Waiting ? Messages(head.RunId) : 0)).ToList();
        foreach (var head in WorkChoice.Of(work, runs, _options.Time.GetUtcNow()))
        {
            ClaimResult claim;
            try { claim = await ClaimAsync(head.RunId, claimant, cancellationToken); }
            catch (JournalCorruptException) { continue; }
            // Those that are claimed already have to be executed; the next look meets the fault again.
            catch (Exception error) when (taken.Count > 0 && error is IOException or UnauthorizedAccessException) { break; }
            if (claim.Lease is { } lease) taken.Add(new TakenRun(lease, head));
        }
        return taken;
    }

    int Messages(string runId) => Locate(runId) is { } files ? FileStoreInbox.Count(files) : 0;

    /// <inheritdoc/>
    /// <remarks>Looks every 50 ms: at the inboxes of the runs that this instance holds, and at the root, which changes with new runs and is touched with new messages.</remarks>
    public async IAsyncEnumerable<StoreHint> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var inboxes = new Dictionary<string, FileFacts?>();
        var root = Durable.FactsOf(_root);
        while (true)
        {
            await Task.Delay(s_lookInterval, _options.Time, cancellationToken);
            foreach (var (runId, run) in _live)
            {
                if (run.Inbox is not { } inbox || (inboxes.TryGetValue(runId, out var before) && before == inbox)) continue;
                inboxes[runId] = inbox;
                yield return new StoreHint(runId);
            }
            if (inboxes.Count > _live.Count)
                foreach (var runId in inboxes.Keys.Where(runId => !_live.ContainsKey(runId)).ToList()) inboxes.Remove(runId);
            if (Durable.FactsOf(_root) is not { } now || now == root) continue;
            root = now;
            yield return new StoreHint(null);
        }
    }

    /// <summary>A hint for other processes; nothing depends on it.</summary>
    void Tell()
    {
        try
        {
            Directory.SetLastWriteTimeUtc(_root, _options.Time.GetUtcNow().UtcDateTime);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever waits also looks now and then.
        }
    }
}
