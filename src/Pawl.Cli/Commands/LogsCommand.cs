using System.CommandLine;
using System.Text;
using System.Text.Json;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl logs RUN [STEP]</c>: what steps wrote, attempt by attempt.</summary>
static class LogsCommand
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    public sealed record Log(Checkpoint Record, long? ExitCode, byte[] Bytes);

    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        var step = new Argument<string?>("STEP") { Description = "Only this step and what is below it", Arity = ArgumentArity.ZeroOrOne };
        step.CompletionSources.Add(context => RunArgument.StepsOf(cli, context, run));
        var follow = new Option<bool>("--follow", "-f") { Description = "Stay until the run ends, and show what steps write: while they run, if a process of this machine executes them; else when they have ended" };
        return Verbs.On(new Command("logs", "The captured output of a run's steps") { run, step, follow }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller, live: true);
            var runId = await RunArgument.OrNewestAsync(cli, client, cli.Get(run));
            var story = await Stories.ReadAsync(client, runId, cli.Stop);
            if (cli.Get(step) is { } wanted) story.Require(wanted);
            var logs = new List<Log>();
            var spoken = new Spoken();
            var seq = await ShowAsync(cli, client, runId, cli.Get(step), 1, logs, spoken);
            if (cli.Get(follow)) await FollowAsync(cli, client, runId, cli.Get(step), seq, logs, spoken);
            if (logs.Count == 0) cli.Say(cli.Ink.Faint(story.Head.Owner is null || cli.Get(follow) ? "No output was captured." : "No output yet: a step's output is kept with its checkpoint, when it has ended. -f waits for it."));
            WriteJson(cli, runId, logs);
            return ExitCode.Done;
        });
    }

    static async Task FollowAsync(Cli cli, PawlClient client, string runId, string? step, long seq, List<Log> logs, Spoken spoken)
    {
        string? place = null;
        while (true)
        {
            // The head first: what it says has ended is in the journal by then.
            var head = await client.FindAsync(runId, cli.Stop) ?? throw new RunNotFoundException(runId);
            seq = await ShowAsync(cli, client, runId, step, seq, logs, spoken);
            if (!cli.IsJson) place = await SayAsync(cli, await client.LiveAsync(head, place, cli.Stop), step, spoken);
            if (head.Owner is null)
            {
                cli.Say(cli.Ink.Faint($"{runId} is {(HeadView.Died(head) ? "left by a process that died" : Words.Of(head.Status))}."));
                return;
            }
            await Task.Delay(Interval, cli.Caller.Time, cli.Stop);
        }
    }

    static async Task<string?> SayAsync(Cli cli, LiveNews news, string? step, Spoken spoken)
    {
        if (news.HasGap) spoken.Lines.Clear();
        foreach (var line in news.Lines.Where(line => step is null || IsUnder(line.Step, step)))
        {
            if (line.Attempt is { } attempt) spoken.Lines[line.Step] = (attempt, 0);
            if (line is not { Text: { } text, Fraction: null } || !spoken.Lines.TryGetValue(line.Step, out var now) || now.Attempt <= spoken.Whole.GetValueOrDefault(line.Step)) continue;
            spoken.Lines[line.Step] = (now.Attempt, now.Count + 1);
            await cli.Caller.Out.WriteLineAsync($"{cli.Ink.Faint($"{line.Step} │")} {text}");
        }
        return news.Place;
    }

    /// <summary>What was shown of steps while they ran: their logs go on behind that.</summary>
    sealed class Spoken
    {
        public Dictionary<string, (int Attempt, int Count)> Lines { get; } = [];

        /// <summary>The last attempt whose log was shown, by step.</summary>
        public Dictionary<string, int> Whole { get; } = [];

        public ReadOnlySpan<byte> Rest(Log log)
        {
            ReadOnlySpan<byte> rest = log.Bytes;
            Whole[log.Record.Path!] = log.Record.Attempt;
            if (!Lines.TryGetValue(log.Record.Path!, out var shown) || shown.Attempt != log.Record.Attempt) return rest;
            for (var known = shown.Count; known > 0 && rest.Length > 0; known--) rest = rest[(rest.IndexOf((byte)'\n') is >= 0 and var end ? end + 1 : rest.Length)..];
            return rest;
        }
    }

    /// <returns>The next number to read.</returns>
    static async Task<long> ShowAsync(Cli cli, PawlClient client, string runId, string? step, long seq, List<Log> logs, Spoken spoken)
    {
        await foreach (var record in client.Store.ReadAsync(runId, seq, cli.Stop))
        {
            seq = record.Seq + 1;
            if (record.Kind is not (CheckpointKind.Step or CheckpointKind.Compensated) || (step is not null && !IsUnder(record.Path!, step)) || await ReadAsync(client, runId, record, cli.Stop) is not { } log) continue;
            logs.Add(log);
            if (cli.IsJson) continue;
            cli.Say(cli.Ink.Strong($"── {record.Path}, {(IsUndo(record) ? "undone" : $"attempt {record.Attempt}")}: {Words.Of(record.Status ?? default)}{(log.ExitCode is { } code ? $", exit code {code}" : "")}, {Human.Duration(record.Duration)}"));
            var text = Encoding.UTF8.GetString(IsUndo(record) ? log.Bytes : spoken.Rest(log));
            cli.Caller.Out.Write(text);
            if (text.Length > 0 && text[^1] != '\n') cli.Say();
        }
        return seq;
    }

    static bool IsUndo(Checkpoint record) => record.Kind == CheckpointKind.Compensated;

    public static async Task<Log?> ReadAsync(PawlClient client, string runId, Checkpoint record, CancellationToken stop)
    {
        if (record.Data.IsEmpty) return null;
        using var data = JsonDocument.Parse(record.Data);
        if (!data.RootElement.TryGetProperty("log", out var log)) return null;
        var payload = new PayloadRef(log.GetProperty("sha256").GetString()!, log.GetProperty("bytes").GetInt64());
        var code = data.RootElement.TryGetProperty("exit_code", out var exit) && exit.TryGetInt64(out var number) ? number : (long?)null;
        return new Log(record, code, (await client.Store.ReadPayloadAsync(runId, payload, stop)).ToArray());
    }

    static bool IsUnder(string path, string step) => path.StartsWith(step, StringComparison.Ordinal) && (path.Length == step.Length || path[step.Length] is '/' or '[');

    static void WriteJson(Cli cli, string runId, List<Log> logs) => cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteString("run_id", runId);
        w.WriteStartArray("logs");
        foreach (var (record, code, bytes) in logs)
        {
            w.WriteStartObject();
            w.WriteString("step", record.Path);
            w.WriteNumber("seq", record.Seq);
            w.WriteNumber("attempt", record.Attempt);
            w.WriteBoolean("undo", IsUndo(record));
            w.WriteString("status", Words.Of(record.Status ?? default));
            if (code is { } exit) w.WriteNumber("exit_code", exit);
            else w.WriteNull("exit_code");
            w.WriteNumber("bytes", bytes.Length);
            w.WriteString("text", Encoding.UTF8.GetString(bytes));
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteEndObject();
    });
}
