namespace Pawl.Storage;

/// <summary>A store that can tell how much room it takes. Any store may do without.</summary>
public interface IMeasuredStore : ICheckpointStore
{
    /// <summary>Its size at this moment. No run is read; a store of files looks at each of them.</summary>
    /// <returns>Null when the store is not told.</returns>
    /// <exception cref="IOException">The store cannot be reached or read.</exception>
    ValueTask<StoreSize?> MeasureAsync(CancellationToken cancellationToken);
}

/// <summary>How much room a store takes.</summary>
/// <param name="Bytes">At least what its runs take.</param>
/// <param name="Of">What was measured, for people: it may hold more than runs.</param>
public sealed record StoreSize(long Bytes, string Of);
