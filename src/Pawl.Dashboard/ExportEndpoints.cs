using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Pawl.Storage;

namespace Pawl.Dashboard;

/// <summary>Runs and lists as files.</summary>
static class ExportEndpoints
{
    static readonly string[] s_columns = ["run_id", "workflow", "version", "status", "done", "total", "created_at", "started_at", "updated_at", "queue", "error_step", "error", "tags"];

    public static void Map(RouteGroupBuilder api, PawlClient client)
    {
        api.MapGet("/runs/{id}/export", async (HttpContext context, string id, string? what) =>
        {
            var stop = context.RequestAborted;
            await RunEndpoints.HeadAsync(client, id, stop);
            switch (what ?? "journal")
            {
                // The lines as they are kept: 'hash' chains them, so that whoever has the file can check it.
                case "journal": return File(context, $"{id}.journal.jsonl", "application/x-ndjson", output => JournalAsync(client, id, output, stop));
                case "log": return File(context, $"{id}.log", "text/plain; charset=utf-8", output => LogAsync(client, id, output, stop));
                case "snapshot":
                    var snapshot = await client.SnapshotAsync(id, null, stop);
                    return File(context, $"{id}.snapshot.json", "application/json", output => output.WriteAsync(AnswerJson.Of(snapshot), stop).AsTask());
                case "outputs":
                    var outputs = (await client.SnapshotAsync(id, null, stop)).Outputs;
                    return File(context, $"{id}.outputs.json", "application/json", output => output.WriteAsync(AnswerJson.Of(outputs), stop).AsTask());
                default: throw new BadRequestException($"'{what}' cannot be exported. There are: journal, snapshot, outputs, log.");
            }
        });
        // Not below /runs: a run may have any name.
        api.MapGet("/export/runs", (HttpContext context, string? format) =>
        {
            var (stop, query) = (context.RequestAborted, context.Request.Query);
            // A wrong question is answered before the file begins.
            ListEndpoints.Query(query);
            return format switch
            {
                "csv" => File(context, "runs.csv", "text/csv; charset=utf-8", output => CsvAsync(ListEndpoints.SearchAsync(client, query, stop), output, stop)),
                "json" or null => File(context, "runs.json", "application/json", output => ListAsync(ListEndpoints.SearchAsync(client, query, stop), output, stop)),
                _ => throw new BadRequestException($"'{format}' is no format. There are: json, csv."),
            };
        });
    }

    static IResult File(HttpContext context, string name, string type, Func<Stream, Task> write)
    {
        // Names of runs are letters, digits and '. _ -': they need no quoting.
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{name}\"";
        context.Response.Headers.CacheControl = "no-store";
        return Results.Stream(write, type);
    }

    static async Task ListAsync(IAsyncEnumerable<RunHead> heads, Stream output, CancellationToken stop)
    {
        var between = "["u8.ToArray();
        await foreach (var head in heads.WithCancellation(stop))
        {
            await output.WriteAsync(between, stop);
            await output.WriteAsync(AnswerJson.Of(head), stop);
            between = ",\n"u8.ToArray();
        }
        await output.WriteAsync(between.Length == 1 ? "[]"u8.ToArray() : "]"u8.ToArray(), stop);
    }

    static async Task JournalAsync(PawlClient client, string id, Stream output, CancellationToken stop)
    {
        await foreach (var record in client.Store.ReadAsync(id, 1, stop))
        {
            await output.WriteAsync(record.Line, stop);
            await output.WriteAsync("\n"u8.ToArray(), stop);
        }
    }

    static async Task LogAsync(PawlClient client, string id, Stream output, CancellationToken stop)
    {
        await foreach (var record in client.Store.ReadAsync(id, 1, stop))
        {
            if (record.Kind is not (CheckpointKind.Step or CheckpointKind.Compensated) || RunEndpoints.Log(record) is not { } log) continue;
            await output.WriteAsync(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"── {record.Path}, {(record.Kind == CheckpointKind.Compensated ? "undone" : $"attempt {record.Attempt}")}: {record.Status?.ToString().ToLowerInvariant()}, {record.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z\n")), stop);
            var text = await client.Store.ReadPayloadAsync(id, log, stop);
            await output.WriteAsync(text, stop);
            if (text.Length > 0 && text.Span[^1] != '\n') await output.WriteAsync("\n"u8.ToArray(), stop);
        }
    }

    static async Task CsvAsync(IAsyncEnumerable<RunHead> heads, Stream output, CancellationToken stop)
    {
        await using var writer = new StreamWriter(output, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\r\n" };
        await writer.WriteLineAsync(string.Join(',', s_columns));
        await foreach (var head in heads)
        {
            string?[] cells = [head.RunId, head.Workflow, Text(head.Version), head.Status.ToString().ToLowerInvariant(), Text(head.Done), Text(head.Total), Time(head.CreatedAt), Time(head.StartedAt), Time(head.UpdatedAt),
                head.Queue, head.ErrorStep, head.Error, string.Join(' ', head.Tags.Concat(head.Partition).Select(pair => $"{pair.Key}={pair.Value}"))];
            await writer.WriteLineAsync(string.Join(',', cells.Select(Cell)).AsMemory(), stop);
        }
    }

    // A cell that begins like a formula would be one to a spreadsheet.
    static string Cell(string? text)
    {
        if (text is null) return "";
        if (text.Length > 0 && text[0] is '=' or '+' or '-' or '@' or '\t' or '\r') text = "'" + text;
        return text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    static string? Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
