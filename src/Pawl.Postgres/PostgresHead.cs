using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>A head as its column keeps it, and what the other columns take from it.</summary>
static class PostgresHead
{
    // Times to 100 ns and any text come back as they were, which columns of their own could not promise. ASCII, so that every database can hold it.
    static readonly PostgresJson s_json = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Converters = { new JsonStringEnumConverter<RunStatus>(JsonNamingPolicy.SnakeCaseLower) },
    });

    /// <summary>All that no step changes; the rest has columns, which a step can change without writing this anew.</summary>
    public static string Write(RunHead head) => JsonSerializer.Serialize(head with { Seq = 0, Hash = "", UpdatedAt = default, Done = 0, Recoveries = 0, Owner = null }, s_json.RunHead);

    /// <summary>Whether a record leaves the JSON as it is: behind these kinds the fold (<c>Transitions</c>) differs in nothing but what has columns.</summary>
    public static bool IsStep(Checkpoint record) => record.Kind is CheckpointKind.Step or CheckpointKind.Timer or CheckpointKind.Compensated or CheckpointKind.Compensating;

    /// <summary>One such record and nothing else: the run's row may stay as it is. Not a long record, since lists of running runs read it.</summary>
    public static bool IsStep(in Commit commit) => commit is { Records.Count: 1, Payloads.Count: 0, Release: false } && IsStep(commit.Records[0]) && commit.Records[0].Line.Length <= 2000;

    /// <summary>Columns <c>head, seq, hash, updated, done, recoveries, owner</c>, the owner null where nobody holds the run; then, where steps left the row as it was, the last one's <c>line, done</c>.</summary>
    public static RunHead Read(NpgsqlDataReader row)
    {
        var head = ReadRow(row, 0) with { Owner = row.IsDBNull(6) ? null : PostgresOwner.Read(row.GetString(6)).ToRunOwner() };
        if (row.IsDBNull(7)) return head;
        var last = Checkpoint.FromLine(row.GetFieldValue<byte[]>(7));
        return head with { Seq = last.Seq, Hash = last.Hash, UpdatedAt = last.At, Done = row.GetInt32(8) };
    }

    /// <summary>What the row alone tells, from a column on.</summary>
    public static RunHead ReadRow(NpgsqlDataReader row, int column) => JsonSerializer.Deserialize(row.GetString(column), s_json.RunHead)! with
    {
        Seq = row.GetInt64(column + 1),
        Hash = row.GetString(column + 2),
        UpdatedAt = new DateTimeOffset(row.GetInt64(column + 3), TimeSpan.Zero),
        Done = row.GetInt32(column + 4),
        Recoveries = row.GetInt32(column + 5),
    };

    static readonly string[] s_statuses = [.. Enum.GetNames<RunStatus>().Select(name => name.ToLowerInvariant())];

    public static string Status(RunStatus status) => s_statuses[(int)status];

    /// <summary>When a worker takes it by time; the earliest time there is: at once. A time that had come by the clock of its writer has come, whatever the database's clock says.</summary>
    public static DateTime? Due(RunHead head) => head.Status switch
    {
        RunStatus.Running => s_atOnce,
        RunStatus.Pending or RunStatus.Waiting or RunStatus.Failed => head.WakeAt is { } wake ? wake <= head.UpdatedAt ? s_atOnce : wake.UtcDateTime : null,
        _ => null,
    };

    // The driver writes it as -infinity.
    static readonly DateTime s_atOnce = DateTime.SpecifyKind(DateTime.MinValue, DateTimeKind.Utc);

    public static int? Seen(RunHead head) => head.Status == RunStatus.Waiting ? head.Seen : null;

    /// <summary>What a list can ask for: tags and partition, as JSON so that no sign in them can be mistaken.</summary>
    public static string[]? Labels(RunHead head) =>
        head.Tags.Count + head.Partition.Count == 0 ? null : [.. head.Tags.Concat(head.Partition).Select(Label).Distinct()];

    /// <summary>The partition as JSON whose text is the same for the same values.</summary>
    public static string Part(RunHead head) => head.Partition.Count == 0 ? "{}" : JsonSerializer.Serialize(
        new SortedDictionary<string, string>(head.Partition.ToDictionary(pair => Readable(pair.Key)!, pair => Readable(pair.Value)!), StringComparer.Ordinal), PostgresJson.Default.SortedDictionaryStringString);

    public static string Label(KeyValuePair<string, string> word) => $"{JsonSerializer.Serialize(word.Key, PostgresJson.Default.String)}:{JsonSerializer.Serialize(word.Value, PostgresJson.Default.String)}";

    /// <summary>A column for people: it cannot hold a zero character. The line can.</summary>
    public static string? Readable(string? text) => text?.Replace("\0", "", StringComparison.Ordinal);
}

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(RunHead)), JsonSerializable(typeof(string)), JsonSerializable(typeof(PostgresOwner)), JsonSerializable(typeof(SortedDictionary<string, string>))]
sealed partial class PostgresJson : JsonSerializerContext;
