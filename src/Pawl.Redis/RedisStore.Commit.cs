using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

// The commit: what is sent. What is durable at which line stands in Scripts/commit.lua.
public sealed partial class RedisStore
{
    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<CommitResult>> CommitAsync(IReadOnlyList<Commit> commits, CancellationToken cancellationToken)
    {
        // Refused now or not at all: half-way the outcome would be unknown.
        cancellationToken.ThrowIfCancellationRequested();
        if (commits.Count == 0) return [];
        var values = new List<RedisValue>(commits.Count * 16);
        foreach (var commit in commits) Add(values, commit);
        // One round trip. When it is answered, every commit that was written is durable with its records, payloads and head, as far as the server flushes before it answers.
        // Without an answer each is there whole or not at all, and the same commits sent again find out: token and place are checked by the script itself.
        var answers = (string[])(await ExecuteAsync(RedisScript.Commit, [.. values]))!;
        return [.. answers.Select(answer => answer switch { "committed" => CommitResult.Committed, "lost" => CommitResult.LeaseLost, _ => CommitResult.Conflict })];
    }

    static void Add(List<RedisValue> values, in Commit commit)
    {
        var (lease, records, payloads, head, release) = commit;
        values.AddRange([lease.RunId, lease.Token, release ? "1" : "", records.Count]);
        if (records.Count > 0)
        {
            var changes = false;
            foreach (var record in records) changes |= !RedisHead.IsStep(record);
            values.AddRange([records[0].Seq, records[^1].Seq, records[^1].Hash, head!.UpdatedAt.UtcTicks, head.Done, head.Recoveries, changes ? "1" : ""]);
            if (changes)
                values.AddRange([RedisHead.Status(head.Status), RedisHead.Kind(head.Workflow, head.Version), RedisHead.Due(head), RedisHead.Began(head), RedisHead.Seen(head), RedisHead.Write(head)]);
            foreach (var record in records) values.Add(record.Line);
        }
        values.Add(payloads.Count);
        foreach (var payload in payloads)
        {
            values.Add(payload.Ref.Sha256);
            values.Add(payload.Content);
        }
    }
}
