using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Journals of runs that are looked at, read and folded once for all who look: whoever comes again reads what is new. Thread safe.</summary>
sealed class Stories(PawlClient client)
{
    // Of all runs that are kept together: some 50 MB.
    const int MostRecords = 60_000, MostRuns = 100;

    readonly Lock _lock = new();
    // The one that was looked at last is the last.
    readonly List<Kept> _kept = [];

    /// <summary>The story of a run, as far as its head says or further.</summary>
    public async Task<RunStory> OfAsync(RunHead head, CancellationToken stop)
    {
        Kept kept;
        lock (_lock)
        {
            kept = _kept.Find(one => one.RunId == head.RunId) ?? new Kept(head.RunId);
            _kept.Remove(kept);
            _kept.Add(kept);
        }
        await kept.Reading.WaitAsync(stop);
        try
        {
            if (kept.Story is not { } known || !Has(known.Records, head)) kept.Story = new RunStory(head, await ReadAsync(head, kept.Story?.Records, stop));
            Trim();
            return kept.Story;
        }
        finally
        {
            kept.Reading.Release();
        }
    }

    /// <summary>Records from a number on. Those of a run that is too long to be kept are read from the store.</summary>
    public async Task<List<Checkpoint>> RecordsAsync(RunHead head, long from, int limit, CancellationToken stop) => head.Seq > MostRecords
        ? await client.Store.ReadAsync(head.RunId, from, stop).Take(limit).ToListAsync(stop)
        : [.. (await OfAsync(head, stop)).Records.Skip((int)Math.Min(from - 1, int.MaxValue)).Take(limit)];

    static bool Has(IReadOnlyList<Checkpoint> records, RunHead head) => records.Count >= head.Seq && records[(int)head.Seq - 1].Hash == head.Hash;

    async Task<IReadOnlyList<Checkpoint>> ReadAsync(RunHead head, IReadOnlyList<Checkpoint>? known, CancellationToken stop)
    {
        if (known is [.., var last])
        {
            // The last one again: its hash says that all before it are still the same.
            var more = await client.Store.ReadAsync(head.RunId, last.Seq, stop).ToListAsync(stop);
            if (more is [var same, ..] && same.Hash == last.Hash && (IReadOnlyList<Checkpoint>)[.. known, .. more.Skip(1)] is var all && Has(all, head)) return all;
        }
        return await client.HistoryAsync(head.RunId, stop);
    }

    void Trim()
    {
        lock (_lock)
        {
            var records = _kept.Sum(one => one.Story?.Records.Count ?? 0);
            while (records > MostRecords || _kept.Count > MostRuns)
            {
                records -= _kept[0].Story?.Records.Count ?? 0;
                _kept.RemoveAt(0);
            }
        }
    }

    sealed class Kept(string runId)
    {
        public string RunId => runId;
        public SemaphoreSlim Reading { get; } = new(1);
        public RunStory? Story { get; set; }
    }
}
