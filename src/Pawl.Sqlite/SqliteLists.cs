using System.Text;

namespace Pawl.Storage;

/// <summary>Statements for lists and counts of runs. For each status SQLite reads an index in its order, and merges them; a label has an index of its own.</summary>
sealed class SqliteLists(SqliteDb db, RunQuery query)
{
    static readonly string s_byRun = string.Join(", ", SqliteHeads.Columns.Split(',', StringSplitOptions.TrimEntries).Select(column => $"r.{column} AS {column}"));
    static readonly string s_byLabel = s_byRun.Replace("r.created_at", "l.created_at", StringComparison.Ordinal).Replace("r.run_id", "l.run_id", StringComparison.Ordinal);

    readonly List<SqlValue> _values = [];
    readonly List<KeyValuePair<string, string>> _labels = query.Where?.ToList() ?? [];

    /// <summary>The newest heads behind a place; null when no status is asked for.</summary>
    public (string Sql, SqlValue[] Values)? Heads(RunPlace? behind, int count)
    {
        var sql = new StringBuilder();
        foreach (var status in query.Statuses?.Distinct().Select(SqliteHeads.Name) ?? (IEnumerable<string?>)[null])
        {
            var byLabel = IsByLabel(status);
            sql.Append(sql.Length > 0 ? " UNION ALL " : "").Append("SELECT ").Append(byLabel ? s_byLabel : s_byRun);
            From(sql, status, byLabel, behind);
        }
        if (sql.Length == 0) return null;
        sql.Append(" ORDER BY created_at DESC, run_id DESC LIMIT ?");
        _values.Add(count);
        return (sql.ToString(), [.. _values]);
    }

    /// <summary>How many runs have a status, counted up to the query's limit.</summary>
    public (string Sql, SqlValue[] Values) Count(RunStatus status)
    {
        var sql = new StringBuilder("SELECT count(*) FROM (SELECT 1");
        From(sql, SqliteHeads.Name(status), IsByLabel(SqliteHeads.Name(status)), query.Behind);
        sql.Append(" LIMIT ?)");
        _values.Add(query.Limit);
        return (sql.ToString(), [.. _values]);
    }

    // What few runs have leads, and the other conditions are looked up.
    bool IsByLabel(string? status) => _labels.Count > 0 && !(status is not null && IsRare("core_workflow_runs WHERE status = ?", status));

    void From(StringBuilder sql, string? status, bool byLabel, RunPlace? behind)
    {
        var lead = byLabel ? _labels.FirstOrDefault(label => IsRare("core_workflow_labels WHERE name = ? AND value = ?", label.Key, label.Value), _labels[0]) : default;
        var (time, run) = byLabel ? ("l.created_at", "l.run_id") : ("r.created_at", "r.run_id");
        sql.Append(byLabel ? " FROM core_workflow_labels l CROSS JOIN core_workflow_runs r ON r.run_id = l.run_id WHERE true" : " FROM core_workflow_runs r WHERE true");
        if (query.RunId is { } id) And("r.run_id = ?", id);
        if (byLabel) And("l.name = ? AND l.value = ?", lead.Key, lead.Value);
        foreach (var label in _labels)
            if (!byLabel || label.Key != lead.Key) And($"EXISTS (SELECT 1 FROM core_workflow_labels o WHERE o.name = ? AND o.value = ? AND o.created_at = {time} AND o.run_id = {run})", label.Key, label.Value);
        if (status is not null) And("r.status = ?", status);
        if (query.Workflow is { } workflow) And(status is not null && !byLabel ? "+r.workflow_name = ?" : "r.workflow_name = ?", workflow);
        if (query.Since is { } since) And($"{time} >= ?", (DateTimeOffset?)since);
        if (behind is { } place) And($"({time}, {run}) < (?, ?)", (DateTimeOffset?)place.CreatedAt, place.RunId);

        void And(string condition, params ReadOnlySpan<SqlValue> more)
        {
            sql.Append(" AND ").Append(condition);
            _values.AddRange(more);
        }
    }

    bool IsRare(string runs, params ReadOnlySpan<SqlValue> values)
    {
        using var rows = db.Query($"SELECT count(*) FROM (SELECT 1 FROM {runs} LIMIT 2000)", values);
        rows.Read();
        return rows.Number(0) < 2000;
    }
}
