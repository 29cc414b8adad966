using System.Globalization;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>What is there: runs, workflows, schedules.</summary>
static class ListEndpoints
{
    const int Usual = 50, MostOnPage = 500;

    // More than this are "many" to a person; counting them all would read them all.
    const int MostCounted = 1000;

    // A search reads so many heads for one page, and tells where to go on.
    const int MostSearched = 5000;

    public static void Map(RouteGroupBuilder api, PawlClient client, Definitions definitions, DashboardOptions options, Feed feed)
    {
        api.MapGet("/info", (HttpContext context) => Json.Answer(context, Info(context, client, options)));
        api.MapGet("/size", async (HttpContext context, CancellationToken stop) =>
            // A store may read on the thread that asks it.
            Json.Answer(context, client.Store is IMeasuredStore store && await Task.Run(async () => await store.MeasureAsync(stop), stop) is { } size ? size : new { }));
        api.MapGet("/runs", async (HttpContext context, CancellationToken stop) => await RunsAsync(context, client, stop)).Shared(feed);
        api.MapGet("/counts", async (HttpContext context, CancellationToken stop) => Json.Answer(context, await CountsAsync(client, stop))).Shared(feed);
        api.MapGet("/workflows", async (HttpContext context, CancellationToken stop) => Json.Answer(context, await WorkflowsAsync(client, definitions, stop))).Shared(feed);
        api.MapGet("/schedules", async (HttpContext context, CancellationToken stop) => Json.Answer(context, new { items = await client.SchedulesAsync(stop) })).Shared(feed);
    }

    /// <summary>What the page asks for when it is opened, under the addresses by which it would.</summary>
    public static Task<byte[]> FirstAsync(HttpContext context, PawlClient client, DashboardOptions options, CancellationToken stop)
    {
        var info = Info(context, client, options);
        // A store may read on the thread that asks it.
        return Task.Run(async () =>
        {
            // At the same time, where the store can.
            var counts = CountsAsync(client, stop);
            var (items, next) = await PageAsync(client, new RunQuery(), "", Usual, stop);
            return AnswerJson.Of(new Dictionary<string, object> { ["/info"] = info, ["/counts"] = await counts, [$"/runs?limit={Usual}&"] = new { items, next } });
        }, stop);
    }

    static object Info(HttpContext context, PawlClient client, DashboardOptions options) => new
    {
        store = client.Store.Info.Uri, durability = client.Store.Info.Durability, remark = client.Store.Info.Remark,
        version = typeof(PawlClient).Assembly.GetName().Version?.ToString(3), options.ReadOnly, actor = options.Actor(context), host = Environment.MachineName, lease = client.Store.Info.LeaseTime,
    };

    static async Task<IResult> RunsAsync(HttpContext context, PawlClient client, CancellationToken stop)
    {
        var asked = context.Request.Query;
        var limit = (int)Math.Clamp(asked.Number("limit") ?? Usual, 1, MostOnPage);
        var (items, next) = await PageAsync(client, Query(asked), asked["text"].ToString().Trim(), limit, stop);
        return Json.Answer(context, new { items, next }, string.Join('.', items.Select(Mark).Append(next).Aggregate(17UL, (sum, mark) => (sum * 31) ^ Hash(mark))));
    }

    static async Task<(List<RunHead> Items, string? Next)> PageAsync(PawlClient client, RunQuery query, string text, int limit, CancellationToken stop)
    {
        var (items, searched, last) = (new List<RunHead>(), 0, default(RunHead));
        await foreach (var head in client.ListAsync(query with { Limit = text.Length == 0 ? limit + 1 : MostSearched }, stop))
        {
            searched++;
            if (text.Length > 0 && !Contains(head, text)) { last = head; continue; }
            if (items.Count == limit) break;
            items.Add(head);
            last = head;
        }
        var more = text.Length == 0 ? searched > limit : searched == MostSearched || items.Count == limit;
        return (items, more && last is not null ? Place(last) : null);
    }

    /// <summary>Every run that the filter of the list finds, newest first.</summary>
    public static async IAsyncEnumerable<RunHead> SearchAsync(PawlClient client, IQueryCollection asked, [EnumeratorCancellation] CancellationToken stop)
    {
        var text = asked["text"].ToString().Trim();
        await foreach (var head in client.ListAsync(Query(asked), stop))
            if (text.Length == 0 || Contains(head, text)) yield return head;
    }

    /// <summary>What a change of a run changes.</summary>
    public static string Mark(RunHead head) => $"{head.RunId}@{head.Seq}.{head.Token}.{(head.Owner is null ? 0 : 1)}";

    // Of one process's life is enough: a tag that differs costs one answer.
    static ulong Hash(string? text) => (ulong)string.GetHashCode(text, StringComparison.Ordinal);

    public static RunQuery Query(IQueryCollection asked)
    {
        var statuses = asked["status"].SelectMany(value => value!.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Select(Status).ToList();
        var where = new Dictionary<string, string>();
        foreach (var pair in asked["where"])
        {
            var cut = pair!.IndexOf('=', StringComparison.Ordinal);
            if (cut < 1) throw new BadRequestException($"'{pair}': a tag is asked for as key=value.");
            where[pair[..cut]] = pair[(cut + 1)..];
        }
        return new RunQuery
        {
            Statuses = statuses.Count > 0 ? statuses : null,
            Workflow = asked["workflow"] is [{ Length: > 0 } workflow] ? workflow : null,
            Since = asked["since"] is [{ Length: > 0 } since] ? Time(since) : null,
            Where = where.Count > 0 ? where : null,
            Behind = Behind(asked),
        };
    }

    static RunStatus Status(string word) => Enum.TryParse<RunStatus>(word, ignoreCase: true, out var status) && !char.IsAsciiDigit(word[0]) ? status
        : throw new BadRequestException($"There is no status '{word}'. They are: {string.Join(", ", Enum.GetNames<RunStatus>()).ToLowerInvariant()}.");

    static DateTimeOffset Time(string text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time
        : throw new BadRequestException($"'{text}' is no time. Write it as 2026-01-31T12:00:00Z.");

    public static RunPlace? Behind(IQueryCollection asked) => asked["behind"] is [{ Length: > 0 } place] ? Place(place) : null;

    public static string Place(RunHead head) => $"{head.CreatedAt.UtcTicks:x}~{head.RunId}";

    static RunPlace Place(string text)
    {
        var cut = text.IndexOf('~', StringComparison.Ordinal);
        return cut > 0 && long.TryParse(text.AsSpan(0, cut), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var ticks) && ticks >= 0 && ticks <= DateTime.MaxValue.Ticks
            ? new RunPlace(new DateTimeOffset(ticks, TimeSpan.Zero), text[(cut + 1)..])
            : throw new BadRequestException("'behind' is not what an answer before said as 'next'.");
    }

    static bool Contains(RunHead head, string text) =>
        head.RunId.Contains(text, StringComparison.OrdinalIgnoreCase) || head.Workflow.Contains(text, StringComparison.OrdinalIgnoreCase)
        || (head.Error?.Contains(text, StringComparison.OrdinalIgnoreCase) ?? false) || (head.ErrorStep?.Contains(text, StringComparison.OrdinalIgnoreCase) ?? false)
        || head.Tags.Concat(head.Partition).Any(pair => $"{pair.Key}={pair.Value}".Contains(text, StringComparison.OrdinalIgnoreCase));

    static async Task<object> CountsAsync(PawlClient client, CancellationToken stop)
    {
        var counts = await client.Store.CountAsync(new RunQuery { Limit = MostCounted }, stop);
        return new { counts = counts.ToDictionary(pair => pair.Key.ToString().ToLowerInvariant(), pair => pair.Value), at_most = MostCounted };
    }

    static async Task<object> WorkflowsAsync(PawlClient client, Definitions definitions, CancellationToken stop)
    {
        var heads = await client.ListAsync(new RunQuery { Limit = MostSearched + 1 }, stop).ToListAsync(stop);
        var isCut = heads.Count > MostSearched;
        if (isCut)
        {
            heads.RemoveAt(MostSearched);
            // What runs rarely is found by its name, where that is known.
            foreach (var name in definitions.Startable().Select(known => known.Workflow?.Name).OfType<string>().Except(heads.Select(head => head.Workflow)).ToList())
                heads.AddRange(await client.ListAsync(new RunQuery { Workflow = name, Limit = MostCounted }, stop).ToListAsync(stop));
        }
        return new { items = heads.GroupBy(head => head.Workflow).OrderBy(group => group.Key, StringComparer.Ordinal).Select(Figures), at_most = MostSearched, is_cut = isCut };
    }

    static object Figures(IGrouping<string, RunHead> runs)
    {
        var ended = runs.Where(head => head.Status is RunStatus.Completed or RunStatus.Failed).ToList();
        var times = runs.Where(head => head.Status == RunStatus.Completed && head.StartedAt is not null).Select(head => head.UpdatedAt - head.StartedAt!.Value).Order().ToList();
        return new
        {
            name = runs.Key, versions = runs.Select(head => head.Version).Distinct().Order(), runs = runs.Count(),
            statuses = runs.GroupBy(head => head.Status).ToDictionary(status => status.Key.ToString().ToLowerInvariant(), status => status.Count()),
            success = ended.Count == 0 ? (double?)null : Math.Round((double)ended.Count(head => head.Status == RunStatus.Completed) / ended.Count, 3),
            p50 = At(times, 0.5), p95 = At(times, 0.95), last_run = runs.First(),
        };

        static TimeSpan? At(List<TimeSpan> sorted, double part) => sorted.Count == 0 ? null : sorted[(int)Math.Min(sorted.Count - 1, Math.Ceiling(sorted.Count * part) - 1)];
    }
}
