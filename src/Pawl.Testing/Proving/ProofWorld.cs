namespace Pawl.Testing;

/// <summary>A world in which one history happens: a store, processes, and whatever steps change outside of the run. One for each point, made by the prover and disposed by it.</summary>
public abstract class ProofWorld : IAsyncDisposable
{
    /// <summary>The run.</summary>
    public abstract string RunId { get; }

    /// <summary>Begins the run in a first process, and returns when that has ended or died.</summary>
    /// <param name="point">Where it dies; null: nowhere.</param>
    /// <param name="cancellationToken">Ends the process, and throws.</param>
    /// <returns>Whether it died as ordered.</returns>
    public abstract Task<bool> BeginAsync(ProofPoint? point, CancellationToken cancellationToken);

    /// <summary>Goes on in another process with a run that waited and was answered: the same history, so that writes are counted on.</summary>
    /// <param name="point">Where it dies, if that was not met before; null: nowhere.</param>
    /// <param name="cancellationToken">Ends the process, and throws.</param>
    /// <returns>Whether it died as ordered.</returns>
    public abstract Task<bool> BeginAgainAsync(ProofPoint? point, CancellationToken cancellationToken);

    /// <summary>Goes on with the run in another process, or begins it when it does not exist, and returns when that has ended.</summary>
    public abstract Task GoOnAsync(ProofPoint point, CancellationToken cancellationToken);

    /// <summary>Looks at the run from outside.</summary>
    public abstract Task<T> LookAsync<T>(Func<PawlClient, Task<T>> look);

    /// <summary>The writes of the process that <see cref="BeginAsync"/> ran.</summary>
    public abstract IReadOnlyList<TracedWrite> Writes { get; }

    /// <summary>What the world outside of the run looks like. Called once, at the end.</summary>
    public virtual Task<IReadOnlyList<WorldFact>> ObserveAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<WorldFact>>([]);

    /// <summary>Replaces what is this world's own name (a folder, a run id) in a text, so that worlds can be compared.</summary>
    public virtual string Normalize(string text) => text.Replace(RunId, "RUN", StringComparison.Ordinal);

    /// <summary>Keeps what is there as evidence when the world is disposed.</summary>
    /// <returns>Where it is, or null.</returns>
    public virtual string? Keep() => null;

    /// <inheritdoc/>
    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }
}

/// <summary>A fact about the world outside of a run.</summary>
/// <param name="Name">As in <see cref="Fact"/>.</param>
/// <param name="Value">Its value as a text.</param>
/// <param name="ChangedAt">When it was last changed, if known: names the step that did it.</param>
public sealed record WorldFact(string Name, string Value, DateTimeOffset? ChangedAt = null);
