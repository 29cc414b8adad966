using Pawl.Storage;

namespace Pawl.Engine;

/// <summary>What the journal knows of one step: its last decisive record.</summary>
sealed class JournalEntry(string path, Checkpoint record)
{
    public string Path => path;
    public long Seq => record.Seq;
    public int Attempt => record.Attempt;
    public StepStatus? Status => IsForgotten ? null : record.Status;
    public SkipCause Cause => record.Cause;
    public bool Tolerated => record.Tolerated;
    public TimeSpan Duration => record.Duration;
    public Cost Cost => Cost.Of(record);
    public string? Reason => record.Reason;
    public StepError? Error => record.Error;
    public PayloadRef? OutputRef => record.OutputRef;
    public ReadOnlyMemory<byte> Metrics => record.Metrics;
    /// <summary>A person's yes; and whether its step is nothing but the question.</summary>
    public bool IsDecision => DecidesStep || record.Data.Span.IndexOf(Approval.WithinFact) >= 0;
    public bool DecidesStep => record.Data.Span.IndexOf(Approval.StepFact) >= 0;

    public bool AfterFailure => record.Data.Span.IndexOf("\"after_failure\":true"u8) >= 0;

    /// <summary>The result no longer counts; the attempts made stay counted.</summary>
    public bool IsForgotten { get; init; }
    public ReadOnlyMemory<byte> OutputBytes { get; set; }
    public bool OutputInStore { get; set; }

    /// <summary>How often the path had a result, forgotten ones counted.</summary>
    public int Results { get; init; }

    // Every step of a long run has an entry: a nullable time would take three times the room.
    readonly long _timerDue;
    public DateTimeOffset? TimerDue { get => _timerDue == 0 ? null : new DateTimeOffset(_timerDue, TimeSpan.Zero); init => _timerDue = value?.UtcTicks ?? 0; }

    public bool HasOutput => !IsForgotten && (OutputInStore || OutputRef is not null || !OutputBytes.IsEmpty);

    /// <summary>The step is not executed again by a resume.</summary>
    public bool IsDone => Status switch
    {
        StepStatus.Completed => true,
        StepStatus.Skipped => Cause != SkipCause.Blocked,
        StepStatus.Failed => Tolerated,
        _ => false,
    };

    public JournalEntry Forget() => new(path, record) { IsForgotten = true, Results = Results };

    public JournalEntry Rename(string to) => new(to, record) { OutputBytes = OutputBytes, OutputInStore = OutputInStore, TimerDue = TimerDue, Results = Results };
}
