using System.Reflection;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>A store that counts how often it is read.</summary>
public class CountingStore : DispatchProxy
{
    ICheckpointStore _inner = null!;
    long _lists;

    public long Lists => Interlocked.Read(ref _lists);

    public static (ICheckpointStore Store, CountingStore Counter) Around(ICheckpointStore inner)
    {
        var store = Create<ICheckpointStore, CountingStore>();
        var counter = (CountingStore)(object)store;
        counter._inner = inner;
        return (store, counter);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name == nameof(ICheckpointStore.ListAsync)) Interlocked.Increment(ref _lists);
        return targetMethod.Invoke(_inner, args);
    }
}
