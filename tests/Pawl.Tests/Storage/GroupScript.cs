using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>Two instances of a store whose runs commit together; and what must be found of it, in any trouble.</summary>
sealed class GroupScript(string root, TimeProvider time)
{
    readonly Dictionary<string, RunLease> _leases = [];
    TextWriter _output = TextWriter.Null;
    FileStore _first = null!, _second = null!;

    public Dictionary<string, Chain> Chains { get; } = new() { ["etl_1"] = new("etl_1"), ["etl_2"] = new("etl_2"), ["etl_3"] = new("etl_3") };

    /// <summary>Until here the process may be left: it holds two runs whose journals were not flushed.</summary>
    public async Task Begin(TextWriter output)
    {
        _output = output;
        await Try("opened", () => Task.FromResult(_first = FileStore.Open(root, new FileStoreOptions { Time = time })));
        await Create(_first, "etl_1");
        await Create(_first, "etl_2");
        await Commit(_first, ("etl_1", [Chain.Resumed(1)]));
        await Commit(_first, ("etl_2", [Chain.Resumed(1)]));
        await Commit(_first, ("etl_1", [Chain.Step("load")]), ("etl_2", [Chain.Step("load"), Chain.Step("clean")]));
        await Commit(_first, ("etl_1", [Chain.Step("clean"), Chain.Step("save")]), ("etl_2", [Chain.Step("save")]));
    }

    public async Task Run(TextWriter output)
    {
        await Begin(output);
        await Commit(_first, ("etl_1", [Chain.Step("clean")]));
        await Commit(_first, ("etl_1", [Chain.Step("load")]), ("etl_2", [Chain.Step("load")]));
        await Try("released", async () => await _first.ReleaseAsync(_leases["etl_1"], default));
        await Try("opened again", () => Task.FromResult(_second = FileStore.Open(root, new FileStoreOptions { Time = time })));
        await Try("claimed", async () => _leases["etl_1"] = (await _second.ClaimAsync("etl_1", Chain.Me, default)).Lease ?? throw new InvalidOperationException("it is held"));
        await Create(_second, "etl_3");
        await Commit(_second, ("etl_1", [Chain.Resumed(2)]), ("etl_3", [Chain.Resumed(1)]));
        await Commit(_second, ("etl_1", [Chain.Step("load")]), ("etl_3", [Chain.Step("load")]));
        await Try("released too", async () => await _first.ReleaseAsync(_leases["etl_2"], default));
        await Try("deleted", async () => await _second.DeleteAsync("etl_2", default));
        await Try("closed", async () => await _first.DisposeAsync());
        await Commit(_second, ("etl_1", [Chain.Step("clean")]), ("etl_3", [Chain.Step("clean"), Chain.Step("save")]));
        await Try("closed too", async () => await _second.DisposeAsync());
        _output.WriteLine("DONE");
    }

    /// <summary>Takes over what a dead process left.</summary>
    public async Task TakeOver(TextWriter output)
    {
        using var elsewhere = new StoreDirectory("/dev/shm");
        var left = new GroupScript(elsewhere.Root, time);
        await left.Begin(TextWriter.Null);
        foreach (var (run, chain) in left.Chains) Chains[run] = chain;
        _output = output;
        await Try("opened", () => Task.FromResult(_second = FileStore.Open(root, new FileStoreOptions { Time = time })));
        foreach (var run in new[] { "etl_2", "etl_1" })
            await Try($"claimed {run}", async () => _leases[run] = (await _second.ClaimAsync(run, Chain.Me, default)).Lease ?? throw new InvalidOperationException("it is held"));
        await Commit(_second, ("etl_1", [Chain.Resumed(2)]), ("etl_2", [Chain.Resumed(2)]));
        await Commit(_second, ("etl_1", [Chain.Step("load")]), ("etl_2", [Chain.Step("load")]));
        await Try("closed", async () => await _second.DisposeAsync());
        _output.WriteLine("DONE");
    }

    Task Create(FileStore store, string run) => Try($"{run}=1", async () =>
        _leases[run] = (await store.CreateAsync(Chains[run].Created, RunHead.After(null, Chains[run].Created), Chain.Me, default)).Lease ?? throw new InvalidOperationException("it exists"));

    async Task Commit(FileStore store, params (string Run, Checkpoint[] Drafts)[] together)
    {
        var commits = together.Select(one => Chains[one.Run].Commit(_leases.GetValueOrDefault(one.Run, new RunLease(one.Run, 1)), one.Drafts)).ToArray();
        await Try(string.Join(' ', commits.Select(commit => $"{commit.Lease.RunId}={commit.Records[^1].Seq}")), () =>
        {
            // Waited for here: a subject runs while its module is initialized, and no other thread may go on in it.
            var results = store.CommitAsync([.. commits.Select(commit => commit with { Lease = _leases[commit.Lease.RunId] })], default).AsTask().GetAwaiter().GetResult();
            Assert.All(results, result => Assert.Equal(CommitResult.Committed, result));
            return Task.CompletedTask;
        });
    }

    /// <summary>Once more when the disk failed, as the engine does.</summary>
    async Task Try(string what, Func<Task> act)
    {
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            try
            {
                await act();
                _output.WriteLine($"ACK {what}");
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException or PawlException or KeyNotFoundException or Xunit.Sdk.XunitException)
            {
                _output.WriteLine($"ERR {what}: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            }
        }
    }

    /// <summary>What is broken; null when nothing is.</summary>
    public static async Task<string?> Broken(StoreDirectory directory, IReadOnlyCollection<string> acknowledged, Dictionary<string, Chain> expected)
    {
        var least = new Dictionary<string, int> { ["etl_1"] = 0, ["etl_2"] = 0, ["etl_3"] = 0 };
        foreach (var words in acknowledged.SelectMany(what => what.Split(' ')).Select(word => word.Split('=')).Where(words => words.Length == 2)) least[words[0]] = Math.Max(least[words[0]], int.Parse(words[1]));
        if (acknowledged.Contains("deleting")) least["etl_2"] = 0;
        try
        {
            // Those who read change nothing, and see all.
            Dictionary<string, int> seen = [];
            await using (var reader = directory.Open())
            {
                var before = Contents(directory);
                var heads = await reader.List();
                if (heads.Find(head => head.Error is not null) is { } damaged) return $"a run is listed as damaged: {damaged.Error}";
                foreach (var (run, count) in least)
                {
                    if (await Differs(reader, run, expected[run], count) is { } wrong) return wrong;
                    seen[run] = (await reader.Read(run)).Count;
                    if ((heads.Find(head => head.RunId == run)?.Seq ?? 0) != seen[run]) return $"the head of {run} is another than its journal's";
                }
                if (acknowledged.Contains("deleted") && seen["etl_2"] > 0) return "the deleted run is back";
                if (!before.SequenceEqual(Contents(directory))) return "reading wrote";
            }
            // And whoever claims finds the same, in the journals themselves, and goes on, alone and together.
            await using var store = directory.Open();
            List<(Chain Chain, RunLease Lease)> going = [];
            foreach (var run in seen.Keys.Where(run => seen[run] > 0))
            {
                if ((await store.Claim(run)).Lease is not { } lease) return $"{run} cannot be claimed";
                if (await Differs(store, run, expected[run], seen[run]) is { } wrong) return $"behind the claim: {wrong}";
                var raw = await File.ReadAllBytesAsync(directory.Journal(run));
                if (!raw.AsSpan().SequenceEqual(FileStoreJournal.Join(expected[run].Records[..seen[run]]))) return $"the journal of {run} itself lacks records";
                var chain = new Chain(run);
                foreach (var record in expected[run].Records[1..seen[run]]) chain.Add(record);
                if (await store.Commit(chain.Commit(lease, Chain.Resumed(lease.Token))) != CommitResult.Committed) return $"{run} cannot go on";
                going.Add((chain, lease));
            }
            if (going.Count > 0 && (await store.CommitAsync([.. going.Select(one => one.Chain.Commit(one.Lease, Chain.Step("load")))], default)).Any(result => result != CommitResult.Committed)) return "they cannot go on together";
            foreach (var (chain, _) in going)
                if ((await store.Read(chain.RunId)).Count != chain.Records.Count) return $"the next commits of {chain.RunId} did not follow";
            await store.DisposeAsync();
            var left = Directory.Exists(directory.Of(".group")) ? Directory.EnumerateFiles(directory.Of(".group")).Where(file => !file.EndsWith("lock", StringComparison.Ordinal)).ToList() : [];
            return left.Count > 0 ? $"group files stay: {string.Join(", ", left)}" : null;
        }
        catch (Exception e) when (e is PawlException or IOException)
        {
            return $"{e.GetType().Name}: {e.Message}";
        }
    }

    static async Task<string?> Differs(FileStore store, string run, Chain expected, int least)
    {
        var read = await store.Read(run);
        if (read.Count < least) return $"{run} has {read.Count} records of {least} acknowledged";
        for (var i = 0; i < read.Count; i++)
            if (!read[i].Line.Span.SequenceEqual(expected.Records[i].Line.Span)) return $"record {i + 1} of {run} was misread";
        return read.Count > 0 && read[^1].More ? $"half a commit of {run} is there" : null;
    }

    static List<(string, long, DateTime)> Contents(StoreDirectory directory) => !Directory.Exists(directory.Root) ? [] :
        [.. new DirectoryInfo(directory.Root).EnumerateFiles("*", SearchOption.AllDirectories).Select(file => (file.FullName, file.Length, file.LastWriteTimeUtc)).Order()];
}
