using System.Reflection;
using Pawl.Storage;

namespace Pawl.Dashboard.Tests;

/// <summary>A store that counts how often it is read.</summary>
public class CountingStore : DispatchProxy
{
    ICheckpointStore _inner = null!;
    long _lists, _counts, _journals;

    public long Counts => Interlocked.Read(ref _counts);
    public long Journals => Interlocked.Read(ref _journals);
    public long Reads => Interlocked.Read(ref _lists) + Counts + Journals;

    public static (ICheckpointStore Store, CountingStore Counter) Around(ICheckpointStore inner)
    {
        var store = Create<ICheckpointStore, CountingStore>();
        var counter = (CountingStore)(object)store;
        counter._inner = inner;
        return (store, counter);
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        switch (targetMethod!.Name)
        {
            case nameof(ICheckpointStore.ListAsync): Interlocked.Increment(ref _lists); break;
            case nameof(ICheckpointStore.CountAsync): Interlocked.Increment(ref _counts); break;
            case nameof(ICheckpointStore.ReadAsync): Interlocked.Increment(ref _journals); break;
        }
        return targetMethod.Invoke(_inner, args);
    }
}
