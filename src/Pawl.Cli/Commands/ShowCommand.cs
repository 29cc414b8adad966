using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Pawl.Cli.Agents;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl show RUN [STEP|SEQ]</c>: one checkpoint, or the state of the run there.</summary>
static class ShowCommand
{
    const string FleetFormat = "fleet";

    public static Command Create(Cli cli)
    {
        var run = RunArgument.Required(cli);
        var which = new Argument<string?>("STEP|SEQ") { Description = "A step (its newest checkpoint) or a checkpoint's number; default: the last", Arity = ArgumentArity.ZeroOrOne };
        which.CompletionSources.Add(context => RunArgument.StepsOf(cli, context, run));
        var snapshot = new Option<bool>("--snapshot") { Description = "The state of the run at that checkpoint: params, outputs, state, metrics" };
        var format = new Option<string?>("--format") { Description = $"{FleetFormat}: the rounds of a fleet of agents, as JSON; of STEP|SEQ only that checkpoint", HelpName = FleetFormat };
        var metadata = new Option<string[]>("--metadata") { Description = $"With --format {FleetFormat}: goes into the metadata; may be repeated", HelpName = "NAME=VALUE" };
        return Verbs.On(new Command("show", "One checkpoint of a run, or the state there") { run, which, snapshot, format, metadata }, async () =>
        {
            if (cli.Get(format) is { } name && name != FleetFormat) throw new UsageException($"--format '{Human.Line(name, 80)}': the only format is '{FleetFormat}'.");
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            if (cli.Has(format)) return await FleetRounds.ShowAsync(cli, client, RunArgument.Check(cli.Get(run)!), cli.Get(which), Params.Labels("--metadata", cli.Get(metadata)));
            var story = await Stories.ReadAsync(client, cli.Get(run)!, cli.Stop);
            var record = Which(story, cli.Get(which));
            if (cli.Get(snapshot)) ShowSnapshot(cli, await client.SnapshotAsync(story.Head.RunId, record.Seq, cli.Stop));
            else await ShowCheckpointAsync(cli, client, story.Head.RunId, record);
            return ExitCode.Done;
        });
    }

    static Checkpoint Which(RunStory story, string? which)
    {
        if (which is null) return story.Records[^1];
        if (!long.TryParse(which, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) || story.Find(which) is not null)
        {
            var step = story.Require(which);
            return step.Records.Count > 0 ? step.Records[^1].Record : throw new UsageException($"Step '{which}' has no checkpoint in run '{story.Head.RunId}' yet.");
        }
        return seq >= 1 && seq <= story.Records.Count ? story.Records[(int)seq - 1] : throw new UsageException($"Run '{story.Head.RunId}' has checkpoints 1 to {story.Records.Count}; there is no {seq}.");
    }

    public static async Task ShowCheckpointAsync(Cli cli, PawlClient client, string runId, Checkpoint record)
    {
        var output = await client.OutputAsync(runId, record, cli.Stop);
        cli.Say($"{cli.Ink.Strong($"{runId}@{record.Seq}")}  {Words.Of(record.Kind)}{(record.Path is { } path ? $" {path}" : "")}");
        cli.Say($"  at        {Human.Date(record.At, cli.Caller)}");
        if (record.Status is { } status) cli.Say($"  status    {cli.Ink.Of(Words.Of(status), Words.Of(status))}{(record.Cause != SkipCause.None ? $" ({Words.Of(record.Cause)})" : "")}");
        if (record.Attempt > 0) cli.Say($"  attempt   {record.Attempt}, took {Human.Duration(record.Duration)}");
        if (record.Reason is { } reason) cli.Say($"  reason    {Human.Line(reason)}");
        if (record.Error is { } error) cli.Say($"  error     {Human.Line(error.Message)} ({error.Type}, {Words.Of(error.Class)})");
        if (record.Token > 0) cli.Say($"  token     {record.Token}");
        if (output is { } value) Block(cli, "output", value.Utf8);
        Block(cli, "state", record.State);
        Block(cli, "metrics", record.Metrics);
        Block(cli, "inputs", record.Inputs);
        Block(cli, "progress", record.Progress);
        Block(cli, "data", record.Data);
        cli.Say($"  hash      {record.Hash}");
        cli.Json(w =>
        {
            w.WriteStartObject();
            w.WriteString("run_id", runId);
            w.WritePropertyName("checkpoint");
            w.WriteRawValue(record.Line.Span, skipInputValidation: true);
            w.WritePropertyName("output");
            if (output is { } json) w.WriteRawValue(json.Utf8.Span);
            else w.WriteNullValue();
            w.WriteEndObject();
        });
    }

    public static void ShowSnapshot(Cli cli, Snapshot snapshot)
    {
        cli.Say($"{cli.Ink.Strong($"{snapshot.Head.RunId}@{snapshot.Head.Seq}")}  {cli.Ink.Of(Words.Of(snapshot.Head.Status), Words.Of(snapshot.Head.Status))}, {snapshot.Head.Done} of {snapshot.Head.Total} done");
        foreach (var (name, values) in Parts(snapshot))
            foreach (var (key, value) in values) Block(cli, $"{name} {key}", value.Utf8);
        cli.Json(w =>
        {
            w.WriteStartObject();
            HeadView.Write(w, snapshot.Head);
            foreach (var (name, values) in Parts(snapshot))
            {
                w.WriteStartObject(name);
                foreach (var (key, value) in values)
                {
                    w.WritePropertyName(key);
                    w.WriteRawValue(value.Utf8.Span);
                }
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
    }

    static (string, IReadOnlyDictionary<string, RawJson>)[] Parts(Snapshot snapshot) =>
        [("params", snapshot.Params), ("state", snapshot.State), ("outputs", snapshot.Outputs), ("metrics", snapshot.Metrics)];

    /// <summary>Short JSON on the line, long JSON indented below it.</summary>
    static void Block(Cli cli, string name, ReadOnlyMemory<byte> json)
    {
        if (json.IsEmpty) return;
        const int onOneLine = 80;
        var text = json.Length <= onOneLine ? Encoding.UTF8.GetString(json.Span) : "\n    " + Indented(json).Replace("\n", "\n    ", StringComparison.Ordinal);
        cli.Say($"  {name,-8}  {text}");
    }

    static string Indented(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 128 });
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) document.RootElement.WriteTo(writer);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
