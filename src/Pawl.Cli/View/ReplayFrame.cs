using System.Globalization;
using System.Text;
using Pawl.Storage;

namespace Pawl.Cli.View;

/// <summary>One checkpoint of a run that is replayed, with where the run stood there.</summary>
/// <param name="Number">From 1; also the checkpoint's number.</param>
/// <param name="Record">The checkpoint.</param>
/// <param name="Head">The head there.</param>
/// <param name="Elapsed">Since the run was created.</param>
/// <param name="Spent">Calls, tokens and money up to here.</param>
sealed record ReplayFrame(int Number, Checkpoint Record, RunHead Head, TimeSpan Elapsed, Cost Spent)
{
    const int LongestOutput = 200;

    public static List<ReplayFrame> Of(IReadOnlyList<Checkpoint> records)
    {
        var frames = new List<ReplayFrame>(records.Count);
        var (head, spent) = ((RunHead?)null, default(Cost));
        foreach (var record in records)
        {
            head = RunHead.After(head, record);
            if (record is { Kind: CheckpointKind.Step, Attempt: > 0 }) spent += Cost.Of(record) with { Duration = TimeSpan.Zero };
            frames.Add(new ReplayFrame(frames.Count + 1, record, head, record.At - records[0].At, spent));
        }
        return frames;
    }

    /// <summary>What happened, in one line without colours.</summary>
    public string Line
    {
        get
        {
            var what = Record.Status is { } status && Record.Kind == CheckpointKind.Step ? Words.Of(status) : Words.Of(Record.Kind);
            var line = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"{Number,4}  +{Human.Duration(Elapsed),-11} {what,-10} {Record.Path}"));
            if (Record.Attempt > 0) line.Append(CultureInfo.InvariantCulture, $"  attempt {Record.Attempt}, {Human.Duration(Record.Duration)}");
            if ((Record.Error?.Message ?? Record.Reason) is { } why) line.Append("  ").Append(Human.Line(why, LongestOutput));
            return line.ToString().TrimEnd();
        }
    }

    public string Output => Record.OutputRef is { } large ? $"{Human.Bytes(large.Bytes)}, kept beside the journal" : Human.Line(Encoding.UTF8.GetString(Record.Output.Span), LongestOutput);

    public bool Contains(string text) => Line.Contains(text, StringComparison.OrdinalIgnoreCase) || Output.Contains(text, StringComparison.OrdinalIgnoreCase);

    public void Write(Cli cli, int of) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteNumber("seq", Record.Seq);
        w.WriteNumber("of", of);
        w.WriteString("at", Human.Iso(Record.At));
        w.WriteNumber("elapsed_ms", Math.Round(Elapsed.TotalMilliseconds, 3));
        w.WriteString("kind", Words.Of(Record.Kind));
        w.WriteString("step", Record.Path);
        w.WriteString("status", Record.Status is { } status ? Words.Of(status) : null);
        w.WriteNumber("attempt", Record.Attempt);
        w.WriteNumber("duration_ms", Math.Round(Record.Duration.TotalMilliseconds, 3));
        w.WriteString("reason", Record.Reason);
        w.WriteString("error", Record.Error?.Message);
        foreach (var (name, json) in ((string, ReadOnlyMemory<byte>)[])[("output", Record.Output), ("state", Record.State), ("metrics", Record.Metrics)])
        {
            w.WritePropertyName(name);
            if (json.IsEmpty) w.WriteNullValue();
            else w.WriteRawValue(json.Span);
        }
        w.WriteString("run_status", Words.Of(Head.Status));
        w.WriteNumber("done", Head.Done);
        w.WriteNumber("total", Head.Total);
        w.WriteEndObject();
    });
}
