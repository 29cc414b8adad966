using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using Pawl.Storage;

namespace Pawl.Postgres;

/// <summary>A head as its column keeps it, and what the other columns take from it.</summary>
static class PostgresHead
{
    // Times to 100 ns and any text come back as they were, which columns of their own could not promise. ASCII, so that every database can hold it.
    static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    public static string Write(RunHead head) => JsonSerializer.Serialize(head.Owner is null ? head : head with { Owner = null }, s_json);

    public static RunHead Read(string json) => JsonSerializer.Deserialize<RunHead>(json, s_json)!;

    /// <summary>Columns <c>head, owner</c>, the owner null where nobody holds the run.</summary>
    public static RunHead Read(NpgsqlDataReader row, int column) =>
        Read(row.GetString(column)) with { Owner = row.IsDBNull(column + 1) ? null : PostgresOwner.Read(row.GetString(column + 1)).ToRunOwner() };

    static readonly string[] s_statuses = [.. Enum.GetNames<RunStatus>().Select(name => name.ToLowerInvariant())];
    static readonly string[] s_kinds = [.. Enum.GetNames<CheckpointKind>().Select(name => name.ToLowerInvariant())];

    public static string Status(RunStatus status) => s_statuses[(int)status];

    public static string Kind(CheckpointKind kind) => s_kinds[(int)kind];

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
        new SortedDictionary<string, string>(head.Partition.ToDictionary(pair => Readable(pair.Key)!, pair => Readable(pair.Value)!), StringComparer.Ordinal));

    public static string Label(KeyValuePair<string, string> word) => $"{JsonSerializer.Serialize(word.Key)}:{JsonSerializer.Serialize(word.Value)}";

    /// <summary>A column for people: it cannot hold a zero character. The line can.</summary>
    public static string? Readable(string? text) => text?.Replace("\0", "", StringComparison.Ordinal);
}
