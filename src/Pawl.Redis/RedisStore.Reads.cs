using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

// Lists, journals, messages.
public sealed partial class RedisStore
{
    // Heads that one script answers with, runs that it looks at, bytes of a journal that it reads: the server does nothing else meanwhile.
    const int Page = 256, Looks = 2048, Bytes = 1 << 20;

    /// <inheritdoc/>
    /// <remarks>Read in pages, each a moment of its own; what is read follows the smallest set of runs that meet one condition.</remarks>
    public async IAsyncEnumerable<RunHead> ListAsync(RunQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (query.RunId is { } id)
        {
            if (query.Limit > 0 && await ExecuteAsync(RedisScript.Find, id) is { IsNull: false } found && RedisHead.Read((RedisResult[])found!) is var one && query.Matches(one)) yield return one;
            yield break;
        }
        List<string[]> conditions = [.. query.Where?.Select(word => new[] { "label:" + RedisHead.Label(word) }) ?? []];
        if (query.Workflow is { } workflow) conditions.Add(["workflow:" + workflow]);
        if (query.Statuses is { } statuses) conditions.Add([.. statuses.Distinct().Select(status => "status:" + RedisHead.Status(status))]);
        if (conditions.Count == 0) conditions.Add(["runs"]);
        RedisValue[] sets = [.. conditions.SelectMany(one => new RedisValue[] { one.Length }.Concat(one.Select(name => (RedisValue)name)))];
        var behind = query.Behind is { } place ? RedisHead.Place(place.CreatedAt, place.RunId) : "";
        var since = query.Since is { } time ? RedisHead.Place(time, "") : "";
        for (var left = query.Limit; left > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var answer = (RedisResult[])(await ExecuteAsync(RedisScript.List, [behind, since, Math.Min(left, Page), Looks, .. sets]))!;
            foreach (var head in answer[1..]) yield return RedisHead.Read((RedisResult[])head!);
            if ((behind = (string)answer[0]!) is "") yield break;
            left -= answer.Length - 1;
        }
    }

    /// <inheritdoc/>
    public async ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            if (await _database.IdentifyEndpointAsync(_keys[0], CommandFlags.DemandMaster) is not { } place) throw new IOException("Redis: the server cannot be reached.");
            var server = _client.GetServer(place);
            const string used = "used_memory:";
            var line = ((string)(await server.ExecuteAsync("INFO", "memory"))!).Split('\n').FirstOrDefault(line => line.StartsWith(used, StringComparison.Ordinal));
            return long.TryParse(line?[used.Length..], out var bytes) ? new StoreSize(bytes, "all that the server holds in memory") : null;
        }
        catch (RedisServerException)
        {
            // Its user may not ask.
            return null;
        }
        catch (Exception error) when (RedisErrors.Is(error)) { throw RedisErrors.Describe(error); }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<Checkpoint> ReadAsync(string runId, long fromSeq, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (read, which) = (Math.Max(1, fromSeq) - 1, (string?)null);
        for (var hasMore = true; hasMore;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var answer = (RedisResult[])(await ExecuteAsync(RedisScript.Read, runId, read, Bytes))!;
            var born = (string)answer[0]!;
            (hasMore, born) = (born.StartsWith('+'), born.TrimStart('+'));
            // Removed, and perhaps made anew under its id, while it was read: what was read so far was whole when it was read, and there is no more of it.
            if (which is not null && born != which) yield break;
            which = born;
            foreach (var line in answer[1..])
            {
                read++;
                Checkpoint record;
                try { record = Checkpoint.FromLine((byte[])line!); }
                catch (FormatException error) { throw new JournalCorruptException(runId, read, error.Message); }
                yield return record;
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<ReadOnlyMemory<byte>> ReadPayloadAsync(string runId, PayloadRef payload, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var found = await RedisErrors.KnownAsync(_database.HashGetAsync($"{_root}payloads:{runId}", payload.Sha256, CommandFlags.DemandMaster));
        if ((byte[]?)found is not { } content) throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is missing");
        return Convert.ToHexStringLower(SHA256.HashData(content)) == payload.Sha256 ? content : throw new JournalCorruptException(runId, 0, $"payload {payload.Sha256} is damaged");
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlyList<RunMessage>> InboxAsync(string runId, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var entries = await RedisErrors.KnownAsync(_database.HashGetAllAsync($"{_root}inbox:{runId}", CommandFlags.DemandMaster));
        return [.. entries.Select(entry => RedisMessage.Read((string)entry.Name!, (byte[])entry.Value!)).OrderBy(message => message.Order).Select(message => message.Message)];
    }
}
