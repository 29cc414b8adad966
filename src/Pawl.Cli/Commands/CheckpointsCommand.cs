using System.CommandLine;
using System.Globalization;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl checkpoints RUN</c>: the journal as a table.</summary>
static class CheckpointsCommand
{
    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        return Verbs.On(new Command("checkpoints", "The journal of a run as a table") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var runId = await RunArgument.OrNewestAsync(cli, client, cli.Get(run));
            var records = await client.HistoryAsync(runId, cli.Stop);
            var table = new Table("SEQ", "WHAT", "TIME", "STEP", "TRY", "TOOK", "REMARKS");
            foreach (var record in records)
            {
                table.Add(record.Status is { } status ? Words.Of(status) : Words.Of(record.Kind), record.Seq.ToString(CultureInfo.InvariantCulture), What(record), Human.Date(record.At, cli.Caller), record.Path ?? "",
                    record.Attempt > 0 ? record.Attempt.ToString(CultureInfo.InvariantCulture) : "", record.Duration > TimeSpan.Zero ? Human.Duration(record.Duration) : "", record.Error?.Message ?? record.Reason ?? "");
            }
            table.Write(cli);
            cli.Json(w =>
            {
                w.WriteStartObject();
                w.WriteString("run_id", runId);
                w.WriteStartArray("checkpoints");
                // The exact bytes of the journal: what is hashed is what is shown.
                foreach (var record in records) w.WriteRawValue(record.Line.Span, skipInputValidation: true);
                w.WriteEndArray();
                w.WriteEndObject();
            });
            return ExitCode.Done;
        });
    }

    static string What(Checkpoint record) => record.Kind == CheckpointKind.Step ? Words.Of(record.Status ?? default) : Words.Of(record.Kind);
}
