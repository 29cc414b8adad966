using System.Text.Json;
using Pawl.Engine;
using Pawl.Scheduling;
using Pawl.Storage;

namespace Pawl;

// Schedules. A schedule is its next occurrence: a run in a queue whose time has not come. Whoever begins it makes the one behind it first, so the chain
// neither breaks nor doubles, and no journal grows.
public sealed partial class PawlClient
{
    // A worker that has taken an occurrence begins it at once; a dead one's is free when its lease ends.
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>Makes a schedule, or changes the one of this name. Durable when this returns; asking again for the same changes nothing.</summary>
    /// <remarks>A change makes another run, and takes back the one that waits for its time (it stays in the store as canceled); a schedule that is paused stays so. A crash within the change leaves it as it was, or as it is to be.</remarks>
    /// <returns>How it is now.</returns>
    /// <exception cref="InvalidDefinitionException">The cron text, the zone, the name or the params are wrong.</exception>
    /// <exception cref="ResumeRefusedException">Another process holds the next run and does not begin it.</exception>
    public async Task<ScheduleState> ScheduleAsync(Schedule schedule, CancellationToken cancellationToken = default)
    {
        var next = NextOf(schedule);
        var began = Time.GetTimestamp();
        while (true)
        {
            var open = await AheadAsync(schedule.Name, cancellationToken);
            if (open.Count > 0 && Newest(open) is var (newest, waiting) && newest.Revision == next.Revision)
            {
                var old = open.FindAll(one => one.Occurrence.Generation < newest.Generation);
                if (old.Count == 0) return await StateAsync(open, cancellationToken);
                // Before what was paused is taken back.
                if (Paused(old) is { } paused && waiting.Status != RunStatus.Paused) await WriteEachAsync(schedule.Name, IsPaused, PausedFor(paused.Error), cancellationToken);
                var isHeld = false;
                foreach (var (_, head) in old) isHeld |= !await TakeBackAsync(head.RunId, cancellationToken);
                if (isHeld) await HeldAsync(open, began, cancellationToken);
                // What began meanwhile has made another: look again.
                continue;
            }
            // From here on the schedule is the new one: a worker leaves out what is of an older generation. One that is paused still pauses it.
            var (made, isNew) = await PlaceAsync(next.In(open.Count == 0 ? 1 : open.Max(one => one.Occurrence.Generation) + 1), cancellationToken);
            // This time was used already, by what had the name before.
            if (!isNew && await OpenAsync(made, cancellationToken) is null) next = next.Next(next.Tick) ?? throw new InvalidDefinitionException($"The cron text '{schedule.Cron}' does not come any more.");
        }
    }

    /// <summary>Ends a schedule. Runs that have begun go on.</summary>
    /// <returns>False when there was none of this name.</returns>
    /// <exception cref="ResumeRefusedException">Another process holds the next run and does not begin it.</exception>
    public async Task<bool> UnscheduleAsync(string name, CancellationToken cancellationToken = default)
    {
        // The one that pauses the rest may be the first to go.
        if (Paused(await AheadAsync(name, cancellationToken)) is { } paused) await WriteEachAsync(name, IsPaused, PausedFor(paused.Error), cancellationToken);
        return await EachAheadAsync(name, _ => false, (head, _) => TakeBackAsync(head.RunId, cancellationToken), cancellationToken) > 0;
    }

    /// <summary>Stops a schedule until it is resumed. Runs that have begun go on.</summary>
    /// <param name="name">The schedule.</param>
    /// <param name="by">Who asks, for the record.</param>
    /// <param name="cancellationToken">Stops before it is paused.</param>
    /// <exception cref="ScheduleNotFoundException">There is none of this name.</exception>
    /// <exception cref="ResumeRefusedException">Another process holds the next run and does not begin it.</exception>
    public Task<ScheduleState> PauseScheduleAsync(string name, string? by = null, CancellationToken cancellationToken = default) =>
        ChangeAsync(name, IsPaused, PausedFor(by is null ? "the schedule was paused" : $"the schedule was paused by {by}", by), cancellationToken);

    /// <summary>Goes on with a paused schedule. Times that have passed meanwhile were missed (<see cref="MissedRuns"/>).</summary>
    /// <inheritdoc cref="PauseScheduleAsync"/>
    public Task<ScheduleState> ResumeScheduleAsync(string name, string? by = null, CancellationToken cancellationToken = default) =>
        ChangeAsync(name, head => !IsPaused(head),
            (lease, now, occurrence) => [PutBack(lease, now, by), PassRecords.Waiting([new Wait("", null, occurrence.Tick)], 0, Occurrence.PutBack, now)], cancellationToken);

    /// <summary>Puts a run of a schedule into its queue now, once; the next time stays, and so does a pause.</summary>
    /// <param name="name">The schedule.</param>
    /// <param name="by">Who asks, for the record.</param>
    /// <param name="cancellationToken">Stops before the run exists.</param>
    /// <returns>The head of the new run.</returns>
    /// <exception cref="ScheduleNotFoundException">There is none of this name.</exception>
    public async Task<RunHead> TriggerAsync(string name, string? by = null, CancellationToken cancellationToken = default)
    {
        var (occurrence, _) = Newest(await OpenOfAsync(name, cancellationToken));
        for (var taken = 0; ; taken++)
        {
            var now = Time.GetUtcNow();
            var record = CheckpointCodec.Encode(occurrence.Trigger(_names.Next($"{name}-manual", now, taken), by, now), 1, more: false, "");
            var head = Transitions.Apply(null, record);
            if ((await Store.CreateAsync(record, head, null, cancellationToken)).Existing is null) return head;
        }
    }

    /// <summary>Every schedule, by name.</summary>
    public async Task<IReadOnlyList<ScheduleState>> SchedulesAsync(CancellationToken cancellationToken = default)
    {
        var states = new List<ScheduleState>();
        foreach (var open in (await AheadAsync(null, cancellationToken)).GroupBy(one => one.Occurrence.Name).OrderBy(open => open.Key, StringComparer.Ordinal)) states.Add(await StateAsync([.. open], cancellationToken));
        return states;
    }

    /// <summary>A schedule's next occurrence as it would be made now; nothing is written.</summary>
    /// <exception cref="InvalidDefinitionException">The cron text, the zone, the name or the params are wrong.</exception>
    internal Occurrence NextOf(Schedule schedule)
    {
        var given = Encode(schedule.Params);
        ParamBinder.Bind(schedule.Workflow, given);
        var start = new StartOptions { Tags = new Dictionary<string, string> { [Occurrence.Tag] = schedule.Name, [Occurrence.Mark] = "true" } };
        var queue = new EnqueueOptions { Queue = RunIds.Check(schedule.Queue), Priority = schedule.Priority };
        return Occurrence.First(schedule, PassRecords.Created(schedule.Name, schedule.Workflow, given, start, Time, queue).Data, Time.GetUtcNow());
    }

    /// <summary>Before an occurrence begins, or is left out: the one behind it exists from here on. A crash between leaves this one due, and whoever takes it makes the same again.</summary>
    async Task HandOnAsync(Occurrence occurrence, CancellationToken cancellationToken)
    {
        if (occurrence.Next(Time.GetUtcNow()) is { } next) await PlaceAsync(next, cancellationToken);
    }

    /// <summary>Makes the run of an occurrence; whoever else makes it makes the same. An id whose run was taken back, and so never began, is passed over.</summary>
    /// <returns>The run, and whether it is new.</returns>
    async Task<(RunHead Head, bool IsNew)> PlaceAsync(Occurrence occurrence, CancellationToken cancellationToken)
    {
        for (var n = 1; ; n++)
        {
            var record = CheckpointCodec.Encode((n == 1 ? occurrence : occurrence.Again(n)).Record(Time.GetUtcNow()), 1, more: false, "");
            var head = Transitions.Apply(null, record);
            if ((await Store.CreateAsync(record, head, null, cancellationToken)).Existing is not { } existing) return (head, true);
            if (IsTakenBack(existing)) continue;
            // That of the schedule as it was before may be at the same time, and is about to be taken back.
            if (await OpenAsync(existing, cancellationToken) is { } old && old.Generation < occurrence.Generation) continue;
            return (existing, false);
        }
    }

    /// <summary>What a worker that took a run decides about its time.</summary>
    /// <returns>False when the run is to be executed; else it is settled and its lease given back.</returns>
    async Task<bool> SettleAsync(RunLease lease, RunHead head)
    {
        var isSettled = true;
        try
        {
            if (await OpenAsync(head, CancellationToken.None) is not { } occurrence) return isSettled = false;
            var now = Time.GetUtcNow();
            var open = await AheadAsync(occurrence.Name, CancellationToken.None);
            if (open.Exists(one => one.Occurrence.Generation > occurrence.Generation))
            {
                // Whoever changed the schedule died before this one was taken back.
                await WriteAsync(lease, head, new Checkpoint { Kind = CheckpointKind.Canceled, At = now, Reason = TakenBack });
                return true;
            }
            if (Paused(open) is { } paused)
            {
                // Whoever changed the paused schedule died before this one was paused too.
                await WriteAsync(lease, head, PausedFor(paused.Error)(lease, now, occurrence));
                return true;
            }
            try { await HandOnAsync(occurrence, CancellationToken.None); }
            catch (InvalidDefinitionException problem)
            {
                // Not lost and not taken again at once: a worker that knows the zone may come.
                Diagnostics.Log.Warning(Options.Logging.CreateLogger("Pawl.Worker"), lease.RunId, problem.Message);
                await WriteAsync(lease, head, PutBack(lease, now), PassRecords.Waiting([new Wait("", null, now + TimeSpan.FromMinutes(1))], 0, Occurrence.PutBack, now));
                return true;
            }
            var reason = occurrence.TooLate(now) ?? (occurrence.Overlap == OverlapPolicy.Skip && await BeforeAsync(occurrence) is { } other ? $"left out: '{other}' still runs" : null);
            if (reason is null) return isSettled = false;
            await WriteAsync(lease, head, new Checkpoint { Kind = CheckpointKind.Canceled, At = now, Reason = reason });
            return true;
        }
        finally
        {
            if (isSettled) await ReleaseAsync(lease);
        }
    }

    /// <summary>A run of the same schedule that is not over. Of two that were taken at the same moment the earlier is before the later.</summary>
    async Task<string?> BeforeAsync(Occurrence occurrence)
    {
        var query = new RunQuery { Where = TagOf(occurrence.Name), Statuses = [RunStatus.Pending, RunStatus.Running, RunStatus.Waiting] };
        await foreach (var head in Store.ListAsync(query, CancellationToken.None))
        {
            if (head.RunId == occurrence.RunId) continue;
            if (head.Status == RunStatus.Pending ? head.Owner is not null && string.CompareOrdinal(head.RunId, occurrence.RunId) < 0 : await OpenAsync(head, CancellationToken.None) is null) return head.RunId;
        }
        return null;
    }

    /// <summary>Occurrences that have not begun, of one schedule or of all.</summary>
    async Task<List<(Occurrence Occurrence, RunHead Head)>> AheadAsync(string? name, CancellationToken cancellationToken)
    {
        var query = new RunQuery { Where = name is null ? new Dictionary<string, string> { [Occurrence.Mark] = "true" } : TagOf(name), Statuses = [RunStatus.Pending, RunStatus.Running, RunStatus.Waiting, RunStatus.Paused] };
        var heads = new List<RunHead>();
        await foreach (var head in Store.ListAsync(query, cancellationToken)) heads.Add(head);
        var open = new List<(Occurrence, RunHead)>();
        foreach (var head in heads)
        {
            try
            {
                if (await OpenAsync(head, cancellationToken) is { } occurrence) open.Add((occurrence, head));
            }
            catch (JournalCorruptException)
            {
                // One run's damage is no matter of the other schedules; who executes or verifies it is told.
            }
        }
        return open;
    }

    /// <summary>The occurrence that a run stands for, as long as nothing of it was executed.</summary>
    async Task<Occurrence?> OpenAsync(RunHead head, CancellationToken cancellationToken)
    {
        if (Transitions.IsFinal(head.Status) || !head.Tags.ContainsKey(Occurrence.Tag)) return null;
        Occurrence? occurrence = null;
        await foreach (var record in Store.ReadAsync(head.RunId, 1, cancellationToken))
        {
            if (Occurrence.Begins(record)) return null;
            if (record.Kind != CheckpointKind.Created) continue;
            using var data = JsonDocument.Parse(record.Data);
            occurrence = Occurrence.Of(data.RootElement);
        }
        return occurrence;
    }

    static Occurrence? Open(Journal journal) =>
        Transitions.IsFinal(journal.Head.Status) || journal.Passes.Exists(Occurrence.Begins) ? null : Occurrence.Of(journal.CreatedData!.RootElement);

    async Task<List<(Occurrence Occurrence, RunHead Head)>> OpenOfAsync(string name, CancellationToken cancellationToken) =>
        await AheadAsync(name, cancellationToken) is { Count: > 0 } open ? open : throw new ScheduleNotFoundException(name, (await AheadAsync(null, cancellationToken)).Select(one => one.Occurrence.Name));

    static (Occurrence Occurrence, RunHead Head) Newest(List<(Occurrence Occurrence, RunHead Head)> open) => open.MaxBy(one => (one.Occurrence.Generation, one.Occurrence.Tick));

    /// <summary>One of what has not begun is paused: then the schedule is, whatever died before all were.</summary>
    static RunHead? Paused(List<(Occurrence Occurrence, RunHead Head)> open) => open.Find(one => IsPaused(one.Head)).Head;

    static bool IsPaused(RunHead head) => head.Status == RunStatus.Paused;

    static Func<RunLease, DateTimeOffset, Occurrence, Checkpoint[]> PausedFor(string? reason, string? by = null) => (_, now, _) => [new Checkpoint { Kind = CheckpointKind.Paused, At = now, Reason = reason, Data = PassRecords.By(by) }];

    /// <param name="open">All that has not begun of one schedule.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    async Task<ScheduleState> StateAsync(List<(Occurrence Occurrence, RunHead Head)> open, CancellationToken cancellationToken)
    {
        var (occurrence, head) = Newest(open);
        var last = new List<RunHead>();
        await foreach (var one in Store.ListAsync(new RunQuery { Where = TagOf(occurrence.Name), Limit = 50 }, cancellationToken))
            if (!IsTakenBack(one) && await OpenAsync(one, cancellationToken) is null) last.Add(one);
        return new ScheduleState(occurrence.Name, occurrence.Text, occurrence.Zone, occurrence.Missed, occurrence.Overlap, occurrence.Tick, Paused(open) is not null, head,
            last.MaxBy(one => one.StartedAt ?? one.UpdatedAt));
    }

    async Task<ScheduleState> ChangeAsync(string name, Func<RunHead, bool> isDone, Func<RunLease, DateTimeOffset, Occurrence, Checkpoint[]> records, CancellationToken cancellationToken)
    {
        await OpenOfAsync(name, cancellationToken);
        await WriteEachAsync(name, isDone, records, cancellationToken);
        return await StateAsync(await OpenOfAsync(name, cancellationToken), cancellationToken);
    }

    /// <summary>Appends records to all occurrences that have not begun and are not done.</summary>
    Task<int> WriteEachAsync(string name, Func<RunHead, bool> isDone, Func<RunLease, DateTimeOffset, Occurrence, Checkpoint[]> records, CancellationToken cancellationToken) =>
        EachAheadAsync(name, isDone, async (head, occurrence) =>
        {
            if ((await Store.ClaimAsync(head.RunId, Owner(), cancellationToken)).Lease is not { } lease) return false;
            try
            {
                // As it is now that nobody else can change it.
                var now = (await Store.FindAsync(head.RunId, cancellationToken))!;
                if (await OpenAsync(now, cancellationToken) is not null && !isDone(now)) await WriteAsync(lease, now, records(lease, Time.GetUtcNow(), occurrence));
                return true;
            }
            finally
            {
                await ReleaseAsync(lease);
            }
        }, cancellationToken);

    /// <summary>Does something to all occurrences that have not begun, until none is left to do it to: one that begins meanwhile has made another.</summary>
    async Task<int> EachAheadAsync(string name, Func<RunHead, bool> isDone, Func<RunHead, Occurrence, Task<bool>> change, CancellationToken cancellationToken)
    {
        var began = Time.GetTimestamp();
        for (var changed = 0; ;)
        {
            var open = (await AheadAsync(name, cancellationToken)).FindAll(one => !isDone(one.Head));
            if (open.Count == 0) return changed;
            // What was to be taken back first: a death in between must not bring it to life.
            open.Sort((one, other) => (one.Occurrence.Generation, one.Occurrence.Tick).CompareTo((other.Occurrence.Generation, other.Occurrence.Tick)));
            var isHeld = false;
            foreach (var (occurrence, head) in open)
            {
                if (await change(head, occurrence)) changed++;
                else isHeld = true;
            }
            if (isHeld) await HeldAsync(open, began, cancellationToken);
        }
    }

    async Task HeldAsync(List<(Occurrence Occurrence, RunHead Head)> open, long began, CancellationToken cancellationToken)
    {
        if (Time.GetElapsedTime(began) > s_patience && open.Find(one => one.Head.Owner is not null).Head is { Owner: { } owner } held) throw new ResumeRefusedException(Held(held.RunId, owner));
        await Task.Delay(TimeSpan.FromMilliseconds(50), Time, cancellationToken);
    }

    const string TakenBack = "its schedule was changed or removed";

    static bool IsTakenBack(RunHead head) => head is { Status: RunStatus.Canceled, Error: TakenBack };

    /// <summary>Ends an occurrence that has not begun: from here nobody begins it.</summary>
    /// <returns>False when another process holds it.</returns>
    async Task<bool> TakeBackAsync(string runId, CancellationToken cancellationToken)
    {
        var claim = await Store.ClaimAsync(runId, Owner(), cancellationToken);
        if (claim.HeldBy is not null) return false;
        if (claim.Lease is not { } lease) return true;
        try
        {
            var head = (await Store.FindAsync(runId, cancellationToken))!;
            if (await OpenAsync(head, cancellationToken) is not null) await WriteAsync(lease, head, new Checkpoint { Kind = CheckpointKind.Canceled, At = Time.GetUtcNow(), Reason = TakenBack });
            return true;
        }
        finally
        {
            await ReleaseAsync(lease);
        }
    }

    static Checkpoint PutBack(RunLease lease, DateTimeOffset now, string? by = null) => new()
    {
        Kind = CheckpointKind.Resumed, At = now, Token = lease.Token, Reason = Occurrence.PutBack, Data = PassRecords.Write(w =>
        {
            w.WriteNumber("done", 0);
            if (by is not null) w.WriteString("by", by);
        }),
    };

    /// <summary>Appends records in one act.</summary>
    async Task WriteAsync(RunLease lease, RunHead head, params Checkpoint[] drafts)
    {
        var records = new Checkpoint[drafts.Length];
        for (var i = 0; i < records.Length; i++)
        {
            records[i] = CheckpointCodec.Encode(drafts[i], head.Seq + 1, more: i < records.Length - 1, head.Hash);
            head = Transitions.Apply(head, records[i]);
        }
        await _commits.CommitAsync(new Commit(lease, records, [], head with { Owner = null }));
    }

    static Dictionary<string, string> TagOf(string name) => new() { [Occurrence.Tag] = name };
}
