using System.Reflection;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>A store whose lists are of made-up runs: more than a test would execute.</summary>
public class ManyRuns : DispatchProxy
{
    ICheckpointStore _inner = null!;
    IReadOnlyList<RunHead> _heads = [];

    public static ICheckpointStore Around(ICheckpointStore inner, IEnumerable<RunHead> heads)
    {
        var store = Create<ICheckpointStore, ManyRuns>();
        var many = (ManyRuns)(object)store;
        (many._inner, many._heads) = (inner, [.. heads.OrderByDescending(head => head.CreatedAt).ThenByDescending(head => head.RunId, StringComparer.Ordinal)]);
        return store;
    }

    /// <summary>Runs of which the first was created so long ago, and the others one second later each.</summary>
    public static IEnumerable<RunHead> Make(int count, string name, TimeSpan ago, Func<RunHead, RunHead> with) => Enumerable.Range(0, count).Select(number =>
    {
        var at = DateTimeOffset.UtcNow - ago + TimeSpan.FromSeconds(number);
        return with(new RunHead { RunId = $"{name}{number:d5}", Workflow = name, CreatedAt = at, UpdatedAt = at });
    });

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod!.Name == nameof(ICheckpointStore.ListAsync) && args![0] is RunQuery query ? _heads.Where(query.Matches).Take(query.Limit).ToAsyncEnumerable() : targetMethod.Invoke(_inner, args);
}
