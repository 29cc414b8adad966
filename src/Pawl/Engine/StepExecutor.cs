using System.Data.Common;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>How a step ended, for whoever waits for it.</summary>
enum StepEnd { Completed, Skipped, Failed, Stopped }

readonly record struct StepOutcome(StepEnd End, JournalEntry? Entry, Exception? Cause, Journal Journal)
{
    public bool HasOutput => Entry?.HasOutput == true;
    public ReadOnlyMemory<byte> Output => Journal.Output(Entry!);
}

/// <summary>The one idea: if the journal has a result for this path, use it; otherwise execute, and append one.</summary>
/// <remarks>What waits for a commit is taken from a pool: of many runs at once every step waits, and its methods' states were most of what a step allocated.</remarks>
sealed class StepExecutor(Run run)
{
    // How long a body may ignore its cancellation before the engine goes on without it.
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    public const string TimeoutType = "timeout";
    // How often a step whose transaction met another one is tried, whatever its retry policy says.
    const int MaxConflicts = 10;

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<StepOutcome> RunSubStepAsync(StepAttempt parent, string name, Func<StepContext, Task<StepResult>> body, StepOptions options)
    {
        if (string.IsNullOrWhiteSpace(name) || name.AsSpan().ContainsAnyInRange('\0', '\x1f') || name.AsSpan().ContainsAnyInRange('\x7f', '\x9f')) throw new InvalidDefinitionException($"Step '{parent.Path}' used an empty or unprintable sub-step name.");
        if (parent.Transaction is not null) throw new InvalidDefinitionException($"Step '{parent.Path}' runs in a transaction and can have no sub-steps: its checkpoint closes the transaction.");
        var path = $"{parent.Path}/{name}";
        run.Claim(parent, path);
        if (TryReuse(path) is not { } outcome)
        {
            run.Waits.Enter(parent);
            try { outcome = await ExecuteAsync(path, body, options, null, parent, parent.Cancellation, failedBefore: false); }
            finally { run.Waits.Leave(parent); }
        }
        switch (outcome.End)
        {
            case StepEnd.Completed or StepEnd.Skipped:
                return outcome;
            case StepEnd.Failed when outcome.Entry!.Tolerated:
                return outcome;
            case StepEnd.Failed:
                throw new StepFailedException(path, outcome.Entry.Error!, outcome.Cause);
            default:
                parent.Interrupt();
                throw new OperationCanceledException($"Run '{run.Id}' is stopping.", run.Kill);
        }
    }

    /// <summary>The recorded result, if a resume does not look at the step again.</summary>
    public StepOutcome? TryReuse(string path)
    {
        if (run.Journal.Find(path) is not { IsDone: true } entry) return null;
        run.StepEnded(new StepReport(path, entry.Status!.Value, entry.Attempt, entry.Duration, Restored: true, $"reused: recorded as checkpoint {entry.Seq}", entry.Error));
        return new StepOutcome(entry.Status switch { StepStatus.Completed => StepEnd.Completed, StepStatus.Failed => StepEnd.Failed, _ => StepEnd.Skipped }, entry, null, run.Journal);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<StepOutcome> ExecuteAsync(string path, Func<StepContext, Task<StepResult>> body, StepOptions options, string? reason,
        StepAttempt? parent, CancellationToken cancellation, bool failedBefore, bool inPlace = false)
    {
        if (run.Cassette?.Find(path) is { } played) (body, options) = (played, StepOptions.Default);
        var before = run.Journal.Find(path);
        var first = (before?.Attempt ?? 0) + 1;
        reason ??= before switch
        {
            { Status: StepStatus.Failed } => $"retry after: {Shorten(before.Error?.Message)}",
            { Status: StepStatus.Canceled } => "stopped before",
            { Attempt: > 0 } => "asked to run again",
            _ => "first run",
        };
        for (var attempt = first; ; attempt++)
        {
            if (run.IsStopping || cancellation.IsCancellationRequested) return Stopped(parent);
            var (outcome, retryIn) = await AttemptAsync(path, body, options, attempt, attempt - first + 1, reason, parent, cancellation, failedBefore, inPlace);
            if (retryIn is not { } pause) return outcome;
            try
            {
                await Task.Delay(pause, run.Time, cancellation);
            }
            catch (OperationCanceledException) { return Stopped(parent); }
            reason = $"retry after: {Shorten(outcome.Entry!.Error?.Message)}";
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<(StepOutcome, TimeSpan? RetryIn)> AttemptAsync(string path, Func<StepContext, Task<StepResult>> body, StepOptions options, int number, int tries,
        string reason, StepAttempt? parent, CancellationToken cancellation, bool failedBefore, bool inPlace)
    {
        using var limit = options.Timeout is { } timeout ? new TimeLimit(timeout, run) : null;
        using var linked = limit is null ? null : CancellationTokenSource.CreateLinkedTokenSource(cancellation, limit.Token);
        var token = linked?.Token ?? cancellation;
        var attempt = new StepAttempt(path, number, reason, token, failedBefore, parent) { IsInPlace = inPlace || parent?.IsInPlace == true };
        var context = new StepContext(run, attempt);
        using var activity = Diagnostics.Telemetry.Source.HasListeners() ? Diagnostics.Telemetry.StepActivity(run.Id, path, number) : null;
        var began = run.Time.GetTimestamp();
        if (run.IsWatched) run.Publish(new RunEvent.StepStarted(run.Time.GetUtcNow(), path, number, reason));
        var (result, cause) = await InvokeAsync(options.Transactional ? Within(attempt, body) : options.OnUnknown?.Guard(body) ?? body, context, token, options, limit);
        await using var transaction = attempt.Transaction;
        var took = run.Time.GetElapsedTime(began);

        // A body that swallowed the stop of its sub-step has no result, whatever it returned.
        var interrupted = attempt.Interrupted || result.Status == StepStatus.Canceled;
        // A parked attempt is none: it begins anew when what it waits for has come.
        if (interrupted && run.Stop == StopReason.Park) return (Stopped(parent), null);
        if (interrupted && (run.IsStopping || cancellation.IsCancellationRequested)) return (await StopAsync(attempt, took, parent), null);
        if (interrupted && limit?.IsCancellationRequested == true) result = Keeping(result, TimedOut(options));
        var (draft, payloads) = Record(path, result, attempt, context, took, reason, failedBefore);

        TimeSpan? retryIn = null;
        var conflict = cause is DbException { IsTransient: true };
        var written = false;
        if (transaction is not null)
        {
            if (result.Status == StepStatus.Completed)
            {
                var problem = await AppendAsync(draft, payloads, transaction);
                if (problem is null && run.Stop is StopReason.LeaseLost or StopReason.WriteFailed) return (Stopped(parent), null);
                (written, conflict) = (problem is null, problem is not null);
                if (conflict) (draft, payloads) = Record(path, result = StepResult.Fail($"its transaction was not committed: {problem}", ErrorClass.Transient, "transaction"), attempt, context, took, reason, failedBefore);
            }
            // What is recorded below is no part of it.
            await transaction.DisposeAsync();
        }
        if (result.Status == StepStatus.Failed)
        {
            if (conflict && tries < MaxConflicts) retryIn = TimeSpan.FromMilliseconds(10 * tries);
            else if (tries < options.Retry.Attempts && result.Error!.Class == ErrorClass.Transient)
                retryIn = options.Retry.DelayAfter(tries, Seed(path, number));
            else if (options.ContinueOnError && result.Error!.Class != ErrorClass.Critical)
                draft = draft with { Tolerated = true };
            activity?.SetStatus(System.Diagnostics.ActivityStatusCode.Error, result.Error!.Message);
        }
        if (!written && !await AppendAsync(draft, options.Checkpoint || result.Checkpoint, payloads, options.IsDurable)) return (Stopped(parent), null);
        if (run.OverBudget is not null) run.RequestStop(StopReason.Pause);
        Diagnostics.Telemetry.Step(result.Status, took);
        run.StepEnded(new StepReport(path, draft.Status!.Value, number, took, Restored: false, draft.Reason, draft.Error), retryIn);
        var end = result.Status switch { StepStatus.Completed => StepEnd.Completed, StepStatus.Skipped => StepEnd.Skipped, _ => StepEnd.Failed };
        return (new StepOutcome(end, run.Journal.Find(path), cause, run.Journal), retryIn);
    }

    /// <summary>The only place where a user's exception is caught.</summary>
    async ValueTask<(StepResult, Exception?)> InvokeAsync(Func<StepContext, Task<StepResult>> body, StepContext context, CancellationToken token, StepOptions options, CancellationTokenSource? limit)
    {
        try
        {
            var task = body(context);
            if (!task.IsCompleted && token.CanBeCanceled)
            {
                await Task.WhenAny(task, AfterGrace(token, task));
                if (!task.IsCompleted)
                    return (StepResult.Fail($"did not stop within {Grace.TotalSeconds:0} s after its cancellation and may still run in this process. Pass ctx.CancellationToken to what it awaits.", ErrorClass.Critical, "unstoppable"), null);
            }
            var result = Normalize(await task);
            // Whatever a body makes of its own stop is not a result: half-done work must not count as done, nor be tolerated as failed.
            return (token.IsCancellationRequested ? Keeping(result, Stopped(options, limit)) : result, null);
        }
        catch (Exception error) when (token.IsCancellationRequested)
        {
            return (Stopped(options, limit), error);
        }
        catch (Exception error)
        {
            var errorClass = (options.Retry.Classifier ?? RetryPolicy.Classify)(error);
            var shown = error as StepFailedException;
            var detail = error is PawlException ? null : error.ToString();
            return (StepResult.Fail(shown?.Message ?? error.Message, shown?.Error.Class ?? errorClass, error.GetType().Name, detail), error);
        }
    }

    static StepResult Stopped(StepOptions options, CancellationTokenSource? limit) => limit?.IsCancellationRequested == true ? TimedOut(options) : StepResult.Canceled();

    /// <summary>What a stopped body made is no result; what it tells about itself, such as its log, stays.</summary>
    static StepResult Keeping(StepResult result, StepResult stopped) => stopped with { Info = result.Info, Metrics = result.Metrics, Attachments = result.Attachments };

    static StepResult TimedOut(StepOptions options) => StepResult.Fail($"time limit of {Text(options.Timeout!.Value)} exceeded", ErrorClass.Transient, TimeoutType);

    async Task AfterGrace(CancellationToken token, Task body)
    {
        // What continues inside the canceller's call is no more than the start of a timer.
        var asked = new TaskCompletionSource();
        await using var registration = token.Register(() => asked.TrySetResult());
        await Task.WhenAny(asked.Task, body);
        if (!body.IsCompleted) await Task.Delay(Grace, run.Time, CancellationToken.None);
    }

    StepResult Normalize(StepResult? result)
    {
        result ??= StepResult.Ok();
        if (result.Output is null) return result;
        if (result.Output is Bodies.Encoded) return result;
        return result.WithEncoded(OneLine(PawlJson.Encode(result.Output, run.Json), check: result.Output is RawJson));
    }

    /// <summary>Raw JSON from outside is checked, and may not break the line: outside strings a line break is only white space.</summary>
    static RawJson OneLine(RawJson raw, bool check)
    {
        if (check)
        {
            var reader = new Utf8JsonReader(raw.Utf8.Span, new JsonReaderOptions { MaxDepth = 64 });
            while (reader.Read()) { }
        }
        if (raw.Utf8.Span.IndexOfAny((byte)'\n', (byte)'\r') < 0) return raw;
        var copy = raw.Utf8.ToArray();
        copy.AsSpan().ReplaceAny(System.Buffers.SearchValues.Create("\n\r"u8), (byte)' ');
        return new RawJson(copy);
    }

    (Checkpoint, List<Payload>?) Record(string path, StepResult result, StepAttempt attempt, StepContext context, TimeSpan took, string reason, bool failedBefore)
    {
        List<Payload>? payloads = null;
        var output = result.Output switch { RawJson raw => raw.Utf8, Bodies.Encoded encoded => encoded.Utf8, _ => default };
        PayloadRef? reference = null;
        if (output.Length > run.Options.PayloadThreshold)
        {
            (reference, payloads) = (Address(output), []);
            payloads.Add(new Payload(reference, output));
            if (output.Length > run.Options.PayloadWarning)
                run.Warn($"The output of '{path}' has {output.Length / 1048576.0:0.#} MiB. It is kept whole, but a reference (a path, a URL, a table) would serve better.");
            output = default;
        }
        if (result.Attachments is { } attachments) foreach (var content in attachments) (payloads ??= []).Add(new Payload(Address(content), content));
        var data = PassRecords.WithAttached(result.Info?.Utf8 ?? default, payloads, reference);
        if (attempt.ChildRuns is { Count: > 0 } children) data = With(data, ChildRuns.Written(children));
        if (failedBefore) data = WithFlag(data);
        return (new Checkpoint
        {
            Kind = CheckpointKind.Step, At = run.Time.GetUtcNow(), Path = path, Status = result.Status, Attempt = attempt.Number, Duration = took,
            Reason = result.Reason ?? (attempt.Number == 1 && reason == "first run" ? null : reason), Cause = result.Cause, Error = result.Error, Output = output, OutputRef = reference,
            State = result.Status == StepStatus.Completed ? context.TakeStateDelta() : default,
            Metrics = attempt.ChildCost.Beside(ModelPrice.Priced(result, run.Workflow.Options.Prices, run.WarnUnpriced)) is { } metrics ? PawlJson.Encode(metrics, run.Json).Utf8 : default,
            Inputs = result.Inputs is { } inputs ? OneLine(inputs, check: true).Utf8 : default,
            Progress = attempt.Progress.IsEmpty && attempt.Parent is { } parent ? parent.Progress : attempt.Progress,
            Data = data,
        }, payloads);
    }

    public static PayloadRef Address(ReadOnlyMemory<byte> content) => new(Convert.ToHexStringLower(SHA256.HashData(content.Span)), content.Length);

    static byte[] WithFlag(ReadOnlyMemory<byte> data) => With(data, "{\"after_failure\":true}"u8);

    /// <summary>The members of both objects.</summary>
    public static byte[] With(ReadOnlyMemory<byte> data, ReadOnlySpan<byte> more) => data.Length <= 2 ? more.ToArray() : [.. more[..^1], (byte)',', .. data.Span[1..]];

    /// <summary>Records something about a step that no attempt made: a skip, or a stop.</summary>
    public async Task<StepOutcome> RecordAsync(string path, StepStatus status, SkipCause cause, string reason, bool failedBefore, StepError? error = null, int attempt = 0)
    {
        var draft = new Checkpoint
        {
            Kind = CheckpointKind.Step, At = run.Time.GetUtcNow(), Path = path, Status = status, Cause = cause, Reason = reason, Error = error, Attempt = attempt,
            Data = failedBefore ? WithFlag(default) : default,
        };
        if (!await AppendAsync(draft, marked: false, null)) return Stopped(null);
        run.StepEnded(new StepReport(path, status, attempt, TimeSpan.Zero, Restored: false, reason, error));
        return new StepOutcome(status == StepStatus.Failed ? StepEnd.Failed : StepEnd.Skipped, run.Journal.Find(path), null, run.Journal);
    }

    /// <summary>A stopped attempt is recorded with the end of the pass: it costs no flush of its own.</summary>
    async Task<StepOutcome> StopAsync(StepAttempt attempt, TimeSpan took, StepAttempt? parent)
    {
        const string why = "stopped with its run";
        var now = run.Time.GetUtcNow();
        if (run.Stop is not (StopReason.LeaseLost or StopReason.WriteFailed) && run.Journal.Compensating is null)
            await AppendAsync(new Checkpoint { Kind = CheckpointKind.Step, At = now, Path = attempt.Path, Status = StepStatus.Canceled, Attempt = attempt.Number, Duration = took, Reason = why, Progress = attempt.Progress }, marked: false, null);
        run.StepEnded(new StepReport(attempt.Path, StepStatus.Canceled, attempt.Number, took, Restored: false, why, null));
        return Stopped(parent);
    }

    StepOutcome Stopped(StepAttempt? parent)
    {
        parent?.Interrupt();
        return new StepOutcome(StepEnd.Stopped, null, null, run.Journal);
    }

    Func<StepContext, Task<StepResult>> Within(StepAttempt attempt, Func<StepContext, Task<StepResult>> body) => async context =>
    {
        if (run.Client.Store is not ITransactionalStore store || run.Lease is not { } lease)
            throw new InvalidDefinitionException($"Step '{attempt.Path}' is transactional, and the store {run.Client.Store.Info.Uri} has no transactions: use a SQLite or PostgreSQL store.");
        if (run.Journal is not { Strategy: CheckpointStrategy.EveryStep, Durability: Durability.Sync })
            throw new InvalidDefinitionException($"Step '{attempt.Path}' is transactional: that needs a checkpoint of every step and 'durability: sync', for what came before it must be written before it.");
        try { attempt.Transaction = await store.BeginAsync(lease, attempt.Cancellation); }
        catch (IOException away)
        {
            // As with a checkpoint that cannot be written: the store is away, and the step has not failed.
            run.RequestStop(StopReason.WriteFailed, new CheckpointWriteException($"The transaction of step '{attempt.Path}' could not be opened: {away.Message}", away));
            attempt.Interrupt();
            throw;
        }
        return await body(context);
    };

    /// <summary>Appends in the step's transaction. The answer says why nothing was written.</summary>
    async ValueTask<string?> AppendAsync(Checkpoint draft, IReadOnlyList<Payload>? payloads, IStepTransaction transaction)
    {
        try { return await run.Journal.AppendWithinAsync(transaction, draft, payloads); }
        catch (LeaseLostException lost) { run.RequestStop(StopReason.LeaseLost, lost); }
        catch (CheckpointWriteException failed) { run.RequestStop(StopReason.WriteFailed, failed); }
        return null;
    }

    /// <summary>Appends; a write that fails stops the run, because the engine never goes on without durability.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> AppendAsync(Checkpoint draft, bool marked, IReadOnlyList<Payload>? payloads, bool durable = false, IEnumerable<Checkpoint>? with = null)
    {
        try
        {
            await run.Journal.AppendAsync(draft, marked, payloads, durable, with);
            return true;
        }
        catch (LeaseLostException lost)
        {
            run.RequestStop(StopReason.LeaseLost, lost);
        }
        catch (CheckpointWriteException failed)
        {
            run.RequestStop(failed.InnerException is LeaseLostException ? StopReason.LeaseLost : StopReason.WriteFailed, failed);
        }
        return false;
    }

    public async Task SleepAsync(StepAttempt parent, string name, TimeSpan duration) => await WaitAsync(parent, name, null, duration, null, _ => StepResult.Ok());

    /// <summary>Waits below a step for a message or a time. The end of the waiting is durable before it begins, what came of it is a sub-step's result.</summary>
    public async ValueTask<StepOutcome> WaitAsync(StepAttempt parent, string name, string? signal, TimeSpan? timeout, string? message, Func<RunMessage?, StepResult> resultOf)
    {
        var path = $"{parent.Path}/{name}";
        var (known, now) = (run.Journal.Find(path), run.Time.GetUtcNow());
        var wait = new Wait(path, signal, known?.TimerDue ?? now + timeout, message);
        // Nobody could answer what only this process knows.
        if (known is not { IsDone: true } && (wait.Due != known?.TimerDue || (message is not null && known is not { Status: null, IsForgotten: false })))
            if (!await AppendAsync(PassRecords.Begun(wait, now), marked: true, null, durable: message is not null)) { parent.Interrupt(); throw new OperationCanceledException(); }
        return await RunSubStepAsync(parent, name, async ctx => resultOf(await run.Waits.ForAsync(ctx.Attempted, wait, ctx.CancellationToken)), StepOptions.Default);
    }

    /// <summary>A number in 0..1 that depends only on run, step and attempt.</summary>
    double Seed(string path, int attempt) =>
        BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{run.Id}/{path}/{attempt}"))) / (double)uint.MaxValue;

    public static string Shorten(string? text) => text is null ? "an error" : text.ReplaceLineEndings(" ") is var line && line.Length > 160 ? line[..157] + "..." : line;

    static string Text(TimeSpan span) => span.TotalSeconds < 120 ? $"{span.TotalSeconds:0.###} s" : span.ToString("c", System.Globalization.CultureInfo.InvariantCulture);
}
