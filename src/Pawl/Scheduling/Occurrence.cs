using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl.Scheduling;

/// <summary>One time of a schedule: a run that waits for it in its queue. Its <c>created</c> record holds the schedule whole, so that it alone gives the next one. Immutable; pure.</summary>
/// <remarks>The id follows from schedule and time: whoever makes the next occurrence, and however often, makes one.</remarks>
sealed class Occurrence
{
    /// <summary>The tag that names the schedule of a run.</summary>
    public const string Tag = "schedule";

    /// <summary>The tag of every run of every schedule, with the value <c>true</c>, so that a store finds them by its index.</summary>
    public const string Mark = "scheduled";

    /// <summary>A pass with this reason executes nothing: the run is only given to its queue again.</summary>
    public const string PutBack = "put back into its queue";

    readonly JsonElement _created;
    readonly TimeSpan _grace;

    Occurrence(JsonElement created, JsonElement schedule)
    {
        _created = created.Clone();
        Name = schedule.GetProperty("name").GetString()!;
        Text = schedule.GetProperty("cron").GetString()!;
        Zone = schedule.GetProperty("zone").GetString()!;
        Missed = Enum.Parse<MissedRuns>(schedule.GetProperty("missed").GetString()!, ignoreCase: true);
        Overlap = Enum.Parse<OverlapPolicy>(schedule.GetProperty("overlap").GetString()!, ignoreCase: true);
        Revision = schedule.GetProperty("revision").GetString()!;
        Generation = schedule.TryGetProperty("generation", out var generation) ? generation.GetInt32() : 1;
        Tick = schedule.GetProperty("tick").GetDateTimeOffset();
        _grace = TimeSpan.FromSeconds(schedule.GetProperty("grace_seconds").GetInt64());
    }

    public string Name { get; }

    /// <summary>Cron.</summary>
    public string Text { get; }

    public string Zone { get; }
    public MissedRuns Missed { get; }
    public OverlapPolicy Overlap { get; }

    /// <summary>The same for the same definition.</summary>
    public string Revision { get; }

    /// <summary>Raised with each change of the schedule: of two occurrences that have not begun the one of the older generation never will.</summary>
    public int Generation { get; }

    public DateTimeOffset Tick { get; }

    public string RunId => _created.GetProperty("run_id").GetString()!;

    /// <summary>A schedule's first occurrence behind a time.</summary>
    /// <param name="schedule">The schedule.</param>
    /// <param name="created">The data of an enqueued run of it, with any id.</param>
    /// <param name="after">The time.</param>
    /// <exception cref="InvalidDefinitionException">Its name, cron text or zone is wrong.</exception>
    public static Occurrence First(Schedule schedule, ReadOnlyMemory<byte> created, DateTimeOffset after)
    {
        if (!RunIds.IsValid(schedule.Name) || schedule.Name.Length > 90)
            throw new InvalidDefinitionException($"'{RunIds.Printable(schedule.Name)}' cannot name a schedule: use letters, digits, '.', '_' and '-', at most 90, beginning with a letter or digit.");
        var tick = Cron.Parse(schedule.Cron).Next(after, ZoneOf(schedule.Zone)) ?? throw new InvalidDefinitionException($"The cron text '{schedule.Cron}' does not come any more.");
        var words = new Dictionary<string, string>
        {
            ["name"] = schedule.Name, ["cron"] = schedule.Cron.Trim(), ["zone"] = schedule.Zone, ["missed"] = Word(schedule.Missed), ["overlap"] = Word(schedule.Overlap),
        };
        var grace = (long)schedule.Grace.TotalSeconds;
        using var data = JsonDocument.Parse(created);
        words["revision"] = RevisionOf(data.RootElement, [.. words.Values, grace.ToString(CultureInfo.InvariantCulture)]);
        return At(data.RootElement, schedule.Name, tick, w =>
        {
            foreach (var (name, value) in words) w.WriteString(name, value);
            w.WriteNumber("grace_seconds", grace);
        });
    }

    /// <summary>The occurrence that a run was made for, or null. It stands for its time until a pass <see cref="Begins"/>.</summary>
    public static Occurrence? Of(JsonElement created) => created.TryGetProperty("schedule", out var schedule) ? new Occurrence(created, schedule) : null;

    /// <summary>The same occurrence under another id, for where its own belongs to one that was taken back.</summary>
    public Occurrence Again(int n) => Of(Rewrite(_created, $"{RunId}-{n}", w =>
    {
        foreach (var member in _created.EnumerateObject())
            if (IsTime(member)) member.WriteTo(w);
    }))!;

    /// <summary>The same time for a schedule that was changed so often.</summary>
    public Occurrence In(int generation) => At(_created, Name, Tick, w =>
    {
        foreach (var member in _created.GetProperty("schedule").EnumerateObject())
            if (member.Name is not ("tick" or "generation")) member.WriteTo(w);
        w.WriteNumber("generation", generation);
    });

    /// <summary>Whether a record is the first of a pass that executes something.</summary>
    public static bool Begins(Checkpoint record) => record.Kind == CheckpointKind.Resumed && record.Reason != PutBack;

    /// <summary>What comes behind this one when it begins now; null when the calendar ends.</summary>
    /// <exception cref="InvalidDefinitionException">This machine does not know the zone.</exception>
    public Occurrence? Next(DateTimeOffset now)
    {
        if (NextTick(now) is not { } tick) return null;
        var schedule = _created.GetProperty("schedule");
        return At(_created, Name, tick, w =>
        {
            foreach (var member in schedule.EnumerateObject())
                if (member.Name != "tick") member.WriteTo(w);
        });
    }

    DateTimeOffset? NextTick(DateTimeOffset now)
    {
        var (cron, zone) = (Cron.Parse(Text), ZoneOf(Zone));
        if (Missed != MissedRuns.All || now <= Tick) return cron.Next(now > Tick ? now : Tick, zone);
        // Of those that are due already the last ones: looked for in a time before now, which is doubled until it holds enough of them.
        for (var back = TimeSpan.FromHours(1); ; back *= 2)
        {
            var from = now - Tick > back ? now - back : Tick;
            var due = new Queue<DateTimeOffset>();
            var tick = cron.Next(from, zone);
            for (; tick <= now; tick = cron.Next(tick.Value, zone))
            {
                due.Enqueue(tick.Value);
                if (due.Count > Schedule.MostMissed) due.Dequeue();
            }
            if (from == Tick || due.Count == Schedule.MostMissed) return due.Count > 0 ? due.Peek() : tick;
        }
    }

    /// <summary>Why it is not executed any more, or null.</summary>
    public string? TooLate(DateTimeOffset now) => Missed == MissedRuns.Skip && now - Tick > _grace
        ? $"missed: its time was {Tick.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z, and the schedule leaves out what would begin later than {_grace} behind it" : null;

    /// <summary>The record that makes the run. Nobody takes it before its time.</summary>
    public Checkpoint Record(DateTimeOffset now) => Created(_created, now);

    /// <summary>The record of a run that has no place among the times and is the same in everything else.</summary>
    public Checkpoint Trigger(string runId, string? by, DateTimeOffset now) => Created(Rewrite(_created, runId, w =>
    {
        if (by is not null) w.WriteString("by", by);
    }), now);

    static Checkpoint Created(JsonElement data, DateTimeOffset now) => new() { Kind = CheckpointKind.Created, At = now, Data = Encoding.UTF8.GetBytes(data.GetRawText()) };

    static Occurrence At(JsonElement created, string name, DateTimeOffset tick, Action<Utf8JsonWriter> schedule) =>
        Of(Rewrite(created, $"{name}-{tick.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture)}", w =>
        {
            w.WriteString("not_before", tick.UtcDateTime);
            w.WriteStartObject("schedule");
            schedule(w);
            w.WriteString("tick", tick.UtcDateTime);
            w.WriteEndObject();
        }))!;

    /// <summary>The same data for another run at another time.</summary>
    static JsonElement Rewrite(JsonElement created, string runId, Action<Utf8JsonWriter> time)
    {
        using var stream = new MemoryStream();
        using (var w = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            w.WriteStartObject();
            foreach (var member in created.EnumerateObject())
            {
                if (member.Name == "run_id") w.WriteString("run_id", runId);
                else if (!IsTime(member)) member.WriteTo(w);
            }
            time(w);
            w.WriteEndObject();
        }
        using var data = JsonDocument.Parse(stream.ToArray());
        return data.RootElement.Clone();
    }

    static bool IsTime(JsonProperty member) => member.Name is "not_before" or "schedule";

    /// <summary>Everything that the definition says; not who defined it, with which program.</summary>
    static string RevisionOf(JsonElement created, IEnumerable<string> words)
    {
        var members = created.EnumerateObject().Where(member => member.Name is not ("run_id" or "host" or "engine")).Select(member => $"{member.Name}={member.Value.GetRawText()}");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', members.Concat(words)))).AsSpan(0, 8));
    }

    static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    static TimeZoneInfo ZoneOf(string zone)
    {
        try { return TimeZoneInfo.FindSystemTimeZoneById(zone); }
        catch (Exception error) when (error is TimeZoneNotFoundException or InvalidTimeZoneException or System.Security.SecurityException)
        {
            var known = TimeZoneInfo.GetSystemTimeZones().Select(one => one.Id).ToList();
            var mend = known.Count < 10 ? "This machine has no time zones: install its package 'tzdata'." : "Write a name of the IANA list, as in 'Europe/Berlin'.";
            throw new InvalidDefinitionException($"The time zone '{RunIds.Printable(zone)}' is not known on this machine.{Nearest.Hint(zone, known)} {mend}");
        }
    }
}
