using Pawl.Storage;

namespace Pawl.Cli.Input;

/// <summary>Conditions about runs: <c>status=failed and error~timeout and team=data</c>. A name that is no field is a tag or a partition value.</summary>
sealed class RunFilter
{
    static readonly string[] s_fields = ["run", "status", "workflow", "error", "step", "queue", "parent"];

    // The longer signs first: '!=' is no '='.
    static readonly string[] s_signs = ["!=", "!~", "=", "~"];

    readonly List<Func<RunHead, bool>> _conditions = [];

    /// <summary>What stores can look up by themselves.</summary>
    public RunQuery Query { get; private set; }

    RunFilter(RunQuery query) => Query = query;

    /// <summary>What the store cannot decide.</summary>
    public bool Matches(RunHead head) => _conditions.TrueForAll(condition => condition(head));

    /// <summary>Every head that meets the query and all conditions, newest first; <see cref="RunQuery.Limit"/> counts those.</summary>
    public async Task<List<RunHead>> ListAsync(PawlClient client, CancellationToken stop)
    {
        var heads = new List<RunHead>();
        var limit = Query.Limit;
        await foreach (var head in client.ListAsync(_conditions.Count == 0 ? Query : Query with { Limit = int.MaxValue }, stop))
        {
            if (heads.Count >= limit) break;
            if (Matches(head)) heads.Add(head);
        }
        return heads;
    }

    public static RunFilter Parse(RunQuery query, string[]? texts)
    {
        var filter = new RunFilter(query);
        foreach (var condition in (texts ?? []).SelectMany(Conditions)) filter.Add(condition);
        return filter;
    }

    /// <summary>What stands between the 'and's; one in a quoted value is a part of it.</summary>
    static IEnumerable<string> Conditions(string text)
    {
        const string and = " and ";
        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is '"' or '\'' && text[..i].TrimEnd() is [.., '=' or '~'] && text.IndexOf(text[i], i + 1) is > 0 and var end) i = end;
            else if (string.CompareOrdinal(text, i, and, 0, and.Length) == 0)
            {
                yield return text[start..i].Trim();
                start = i + and.Length;
                i = start - 1;
            }
        }
        yield return text[start..].Trim();
    }

    /// <summary>One condition more.</summary>
    public void Add(Func<RunHead, bool> condition) => _conditions.Add(condition);

    void Add(string condition)
    {
        var at = condition.AsSpan().IndexOfAny('=', '~', '!');
        var sign = at > 0 ? Array.Find(s_signs, sign => condition.AsSpan(at).StartsWith(sign)) : null;
        if (sign is null) throw new UsageException($"--where '{condition}': write NAME=VALUE, NAME!=VALUE, NAME~PART or NAME!~PART, joined by 'and'. Names are {string.Join(", ", s_fields)}, tags and partition values.");
        var (name, value) = (condition[..at].Trim(), Unquoted(condition[(at + sign.Length)..].Trim()));
        switch (name, sign)
        {
            case ("status", "=") when Query.Statuses is null:
                Query = Query with { Statuses = [Words.Parse<RunStatus>("status", value)] };
                return;
            case ("workflow", "=") when Query.Workflow is null:
                Query = Query with { Workflow = value };
                return;
            case (_, "=") when !s_fields.Contains(name) && Query.Where?.ContainsKey(name) != true:
                Query = Query with { Where = new Dictionary<string, string>(Query.Where ?? new Dictionary<string, string>()) { [name] = value } };
                return;
        }
        if (name == "status" && sign is "=" or "!=") _ = Words.Parse<RunStatus>("status", value);
        _conditions.Add(head => sign[0] == '!' != (sign[^1] == '='
            ? Of(head, name) is { } text && text == value
            : Of(head, name)?.Contains(value, StringComparison.OrdinalIgnoreCase) == true));
    }

    static string Unquoted(string value) => value.Length >= 2 && value[0] is '"' or '\'' && value[^1] == value[0] ? value[1..^1] : value;

    static string? Of(RunHead head, string name) => name switch
    {
        "run" => head.RunId,
        "status" => Words.Of(head.Status),
        "workflow" => head.Workflow,
        "error" => head.Error,
        "step" => head.ErrorStep,
        "queue" => head.Queue,
        "parent" => head.ParentRunId,
        _ => head.Tags.GetValueOrDefault(name) ?? head.Partition.GetValueOrDefault(name),
    };
}
