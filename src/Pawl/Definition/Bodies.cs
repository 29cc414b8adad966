namespace Pawl.Engine;

/// <summary>The shapes of a step's body, brought to one.</summary>
static class Bodies
{
    public static Func<StepContext, Task<StepResult>> Typed<T>(Func<StepContext, Task<T>> body) => async ctx =>
    {
        var value = await body(ctx);
        return value is StepResult result ? result : StepResult.Ok(Encode(ctx, value));
    };

    public static Func<StepContext, Task<StepResult>> Typed<T>(Func<Task<T>> body) => async ctx => StepResult.Ok(Encode(ctx, await body()));

    public static Func<StepContext, Task<StepResult>> Typed<TItem, T>(TItem item, Func<StepContext, TItem, Task<T>> body) => Typed(ctx => body(ctx, item));

    public static Func<StepContext, Task<StepResult>> Untyped(Func<StepContext, Task> body) => async ctx =>
    {
        await body(ctx);
        return StepResult.Ok();
    };

    /// <summary>By the declared type, so that a trimmed program needs no run-time type look-up.</summary>
    static object? Encode<T>(StepContext ctx, T value) => value switch
    {
        null => null,
        RawJson raw => raw,
        _ when ctx.Json.WriteIndented => PawlJson.Encode(value, ctx.Json),
        _ => new Encoded(PawlJson.Encode(value, ctx.Json).Utf8),
    };

    /// <summary>JSON on one line that this process made itself and need not check.</summary>
    internal sealed record Encoded(ReadOnlyMemory<byte> Utf8);
}

/// <summary>Runs indexed work with a limit; the first error is thrown when all that began has ended.</summary>
static class FanOut
{
    public static async Task RunAsync(int count, int maxParallel, bool stopOnError, Func<int, Task> work)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxParallel, 1);
        var next = -1;
        Exception? first = null;
        var lanes = new Task[Math.Min(maxParallel, count)];
        async Task Lane()
        {
            if (lanes.Length > 1) await Task.Yield();
            while (Interlocked.Increment(ref next) is var index && index < count && !(stopOnError && Volatile.Read(ref first) is not null))
            {
                try { await work(index); }
                catch (Exception error) { Interlocked.CompareExchange(ref first, error, null); }
            }
        }
        for (var i = 0; i < lanes.Length; i++) lanes[i] = Lane();
        await Task.WhenAll(lanes);
        if (first is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
    }
}
