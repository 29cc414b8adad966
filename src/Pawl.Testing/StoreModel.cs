using Pawl.Storage;

namespace Pawl.Testing;

/// <summary>Random histories, played on a store and on the <see cref="MemoryStore"/>: every answer must be the same.</summary>
public static class StoreModel
{
    // More than most machines have cores: sequences of a store in another process wait much.
    const int AtOnce = 8;

    /// <summary>Plays many short sequences of operations (creates, claims, commits of every kind, messages, lists, removals), several at once, on one instance of the store.</summary>
    /// <param name="open">Opens the store. It may hold other runs; the sequences have their own ids and queues and remove their runs.</param>
    /// <param name="seed">The same seed makes the same sequences.</param>
    /// <param name="sequences">How many.</param>
    /// <param name="steps">Operations in each.</param>
    /// <param name="cancellationToken">Stops at the next operation.</param>
    /// <remarks>Leases that end with time must live longer than a sequence takes: seconds.</remarks>
    /// <exception cref="LawBrokenException">An answer differs. The message holds the shortest history that was found in which it does.</exception>
    public static async Task CheckAsync(Func<Task<ICheckpointStore>> open, int seed, int sequences, int steps = 12, CancellationToken cancellationToken = default)
    {
        await using var store = await open();
        using var taking = new SemaphoreSlim(1);
        var limits = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(Enumerable.Range(0, sequences), limits, async (sequence, cancellation) =>
        {
            // An operation is a number, so that the others mean nearly the same without it.
            var random = new Random(unchecked((seed * 1_000_003) + sequence));
            var operations = Enumerable.Range(0, steps).Select(_ => random.Next()).ToList();
            if (await PlayAsync(store, taking, operations, cancellation) is { } difference)
                throw new LawBrokenException($"seed {seed}, sequence {sequence}:\n" + await ShortenAsync(store, taking, operations, difference, cancellation));
        });
    }

    /// <summary>Null when all answers are the same.</summary>
    static async Task<StoreModelHistory?> PlayAsync(ICheckpointStore store, SemaphoreSlim taking, List<int> operations, CancellationToken cancellation)
    {
        await using var history = new StoreModelHistory(store, taking, cancellation);
        return await history.PlayAsync(operations) ? null : history;
    }

    /// <summary>Cuts behind the difference, then leaves out whatever it does not need.</summary>
    static async Task<string> ShortenAsync(ICheckpointStore store, SemaphoreSlim taking, List<int> operations, StoreModelHistory difference, CancellationToken cancellation)
    {
        operations = operations[..Math.Min(operations.Count, difference.Played)];
        for (var i = operations.Count - 1; i >= 0; i--)
        {
            List<int> fewer = [.. operations[..i], .. operations[(i + 1)..]];
            if (await PlayAsync(store, taking, fewer, cancellation) is { } still) (operations, difference) = (fewer[..Math.Min(fewer.Count, still.Played)], still);
            i = Math.Min(i, operations.Count);
        }
        return string.Join('\n', difference.Log);
    }
}
