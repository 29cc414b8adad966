using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Pawl.Storage;
using StackExchange.Redis;

namespace Pawl.Redis;

/// <summary>A head as its run's hash keeps it, and what indexes take from it.</summary>
static class RedisHead
{
    static readonly RedisJson s_json = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Converters = { new JsonStringEnumConverter<RunStatus>(JsonNamingPolicy.SnakeCaseLower) },
    });

    static readonly string[] s_statuses = [.. Enum.GetNames<RunStatus>().Select(name => name.ToLowerInvariant())];

    /// <summary>All that no step changes; the rest has fields, which a step can change without writing this anew.</summary>
    public static string Write(RunHead head) => JsonSerializer.Serialize(head with { Seq = 0, Hash = "", UpdatedAt = default, Done = 0, Recoveries = 0, Owner = null }, s_json.RunHead);

    /// <summary>Whether a record leaves the JSON as it is: behind these kinds the fold (<c>Transitions</c>) differs in nothing but what has fields.</summary>
    public static bool IsStep(Checkpoint record) => record.Kind is CheckpointKind.Step or CheckpointKind.Timer or CheckpointKind.Compensated or CheckpointKind.Compensating;

    /// <summary>What the script's <c>head</c> answers: <c>head, seq, hash, updated, done, recoveries, owner</c>, the owner empty where nobody holds the run.</summary>
    public static RunHead Read(ReadOnlySpan<RedisResult> row) => JsonSerializer.Deserialize((byte[])row[0]!, s_json.RunHead)! with
    {
        Seq = (long)row[1],
        Hash = (string)row[2]!,
        UpdatedAt = new DateTimeOffset((long)row[3], TimeSpan.Zero),
        Done = (int)row[4],
        Recoveries = (int)row[5],
        Owner = (string)row[6]! is { Length: > 0 } owner ? RedisOwner.Read(owner).ToRunOwner() : null,
    };

    public static string Status(RunStatus status) => s_statuses[(int)status];

    /// <summary>A workflow with its version: what a worker can execute, or cannot.</summary>
    public static string Kind(string workflow, int version) => string.Create(CultureInfo.InvariantCulture, $"{workflow}/{version}");

    /// <summary>When a worker takes it by time, in microseconds; 0 is at once, nothing is never. A time that had come by the clock of its writer has come, whatever the server's clock says.</summary>
    public static string Due(RunHead head) => head.Status switch
    {
        RunStatus.Running => "0",
        RunStatus.Pending or RunStatus.Waiting or RunStatus.Failed => head.WakeAt is not { } wake ? "" : wake <= head.UpdatedAt ? "0" : Text(Math.Max(0, Micros(wake.AddTicks(9)))),
        _ => "",
    };

    public static string Began(RunHead head) => head.StartedAt is { } began ? Text(Micros(began)) : "";

    public static string Seen(RunHead head) => head.Status == RunStatus.Waiting ? Text(head.Seen) : "";

    /// <summary>Where a run stands in lists: times of one length, so that the order of signs is the order of times.</summary>
    public static string Place(DateTimeOffset created, string runId) => string.Create(CultureInfo.InvariantCulture, $"{created.UtcTicks:D19}{runId}");

    /// <summary>Where it stands in its queue: the most urgent first, and of these the oldest.</summary>
    public static string Rank(RunHead head) => string.Create(CultureInfo.InvariantCulture, $"{(long)int.MaxValue - head.Priority:D10}{Place(head.CreatedAt, head.RunId)}");

    /// <summary>What a list can ask for: tags and partition, as JSON, so that no sign in them can be mistaken, and a line's end separates them.</summary>
    public static string Labels(RunHead head) => string.Join('\n', head.Tags.Concat(head.Partition).Select(Label).Distinct());

    public static string Label(KeyValuePair<string, string> word) => $"{JsonSerializer.Serialize(word.Key, RedisJson.Default.String)}:{JsonSerializer.Serialize(word.Value, RedisJson.Default.String)}";

    /// <summary>The partition as JSON whose text is the same for the same values.</summary>
    public static string Part(RunHead head) =>
        head.Partition.Count == 0 ? "{}" : JsonSerializer.Serialize(new SortedDictionary<string, string>(head.Partition.ToDictionary(), StringComparer.Ordinal), RedisJson.Default.SortedDictionaryStringString);

    public static long Micros(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / 10;

    public static DateTimeOffset Time(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * 10);

    static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(RunHead)), JsonSerializable(typeof(string)), JsonSerializable(typeof(RedisOwner)), JsonSerializable(typeof(RedisMessage.Sent)), JsonSerializable(typeof(SortedDictionary<string, string>))]
sealed partial class RedisJson : JsonSerializerContext;
