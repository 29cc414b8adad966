using Pawl.Storage;

namespace Pawl.Tests.Storage;

/// <summary>What a store must show after a subject ran its script to any point, in any trouble.</summary>
static class Promise
{
    static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What is broken; null when nothing is.</summary>
    /// <param name="directory">The store as it was found.</param>
    /// <param name="acknowledged">What the subject had been told.</param>
    /// <param name="expected">The records that the script writes, in order.</param>
    /// <param name="deleting">The deletion of the other run had begun.</param>
    public static async Task<string?> Broken(StoreDirectory directory, IReadOnlyCollection<string> acknowledged, IReadOnlyList<Checkpoint> expected, bool deleting)
    {
        await using var store = directory.Open();
        try
        {
            var least = acknowledged.Select(what => int.TryParse(what, out var seq) ? seq : what == "created" ? 1 : 0).DefaultIfEmpty().Max();
            var read = await store.Read("etl_1");
            if (read.Count < least) return $"{read.Count} records of {least} acknowledged";
            for (var i = 0; i < read.Count; i++)
            {
                if (!read[i].Line.Span.SequenceEqual(expected[i].Line.Span)) return $"record {i + 1} was misread";
            }
            if (read.Count > 0 && read[^1].More) return "half a commit is there";
            if (read.Exists(record => record.OutputRef is not null)) await store.ReadPayloadAsync("etl_1", Subject.Script.Payload, Token);
            if (acknowledged.Contains("posted") && (await store.InboxAsync("etl_1", Token)) is not [{ Name: "approve", By: "ann" }]) return "the message is gone";
            if (acknowledged.Contains("deleted") && await store.Find("etl_2") is not null) return "the deleted run is back";
            if (acknowledged.Contains("other") && !deleting && await store.Find("etl_2") is null) return "the other run is gone";
            if ((await store.List()).Find(head => head.Error is not null) is { } damaged) return $"a run is listed as damaged: {damaged.Error}";

            // And it goes on from there.
            var chain = new Chain("etl_1");
            foreach (var record in read.Skip(1)) chain.Add(record);
            var lease = read.Count == 0 ? await store.Create(chain) : (await store.Claim("etl_1")).Lease;
            if (lease is null) return "the run cannot be claimed";
            if (await store.Commit(chain.Commit(lease, Chain.Resumed(lease.Token))) != CommitResult.Committed) return "the run cannot go on";
            return (await store.Read("etl_1")).Count == chain.Records.Count ? null : "the next commit did not follow";
        }
        catch (Exception e) when (e is PawlException or IOException)
        {
            return $"{e.GetType().Name}: {e.Message}";
        }
    }
}
