using System.CommandLine;
using System.Globalization;
using System.Text;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl replay RUN</c>: walks a run's journal checkpoint by checkpoint; without a terminal, all of them.</summary>
sealed class ReplayCommand
{
    const string Keys = "n next · b back · g first · G last · j jump · / search · i inspect · s snapshot · l log · q quit";

    readonly Cli _cli;
    readonly PawlClient _client;
    readonly IReadOnlyList<Checkpoint> _records;
    readonly List<ReplayFrame> _frames;
    int _at;
    string _searched = "";

    ReplayCommand(Cli cli, PawlClient client, IReadOnlyList<Checkpoint> records)
    {
        (_cli, _client, _records, _frames) = (cli, client, records, ReplayFrame.Of(records));
    }

    ReplayFrame Frame => _frames[_at];

    public static Command Create(Cli cli)
    {
        var run = RunArgument.Optional(cli);
        return Verbs.On(new Command("replay", "Walk a run's journal, checkpoint by checkpoint") { run }, async () =>
        {
            await using var client = await cli.Store.OpenAsync(cli.Caller);
            var runId = await RunArgument.OrNewestAsync(cli, client, cli.Get(run));
            var replay = new ReplayCommand(cli, client, await client.HistoryAsync(runId, cli.Stop));
            if (cli.Caller.CanAsk && !cli.IsJson) await replay.WalkAsync();
            else replay.PrintAll();
            return ExitCode.Done;
        });
    }

    void PrintAll()
    {
        foreach (var frame in _frames)
        {
            frame.Write(_cli, _frames.Count);
            if (_cli.IsJson) continue;
            _cli.Say(frame.Line);
            if (frame.Output.Length > 0) _cli.Say($"      {_cli.Ink.Faint("output")}  {frame.Output}");
        }
    }

    async Task WalkAsync()
    {
        Draw();
        while (true)
        {
            // Whoever waits for a key hears Ctrl+C all the same.
            switch (await Task.Run(_cli.Caller.In.Read, _cli.Stop).WaitAsync(_cli.Stop))
            {
                case 'n' or ' ' or '\n': Go(_at + 1); break;
                case 'b' or 'p': Go(_at - 1); break;
                case 'g': Go(0); break;
                case 'G': Go(_frames.Count - 1); break;
                case 'j': Jump(Ask("Jump to a checkpoint's number or a step: ")); break;
                case '/': Search(Ask("Search for: ")); break;
                case 'i':
                    await ShowCommand.ShowCheckpointAsync(_cli, _client, Frame.Head.RunId, Frame.Record);
                    break;
                case 's':
                    ShowCommand.ShowSnapshot(_cli, await _client.SnapshotAsync(Frame.Head.RunId, Frame.Record.Seq, _cli.Stop));
                    break;
                case 'l':
                    await ShowLogAsync();
                    break;
                case 'q' or -1: return;
                default: _cli.Say(_cli.Ink.Faint(Keys)); break;
            }
        }
    }

    void Go(int at)
    {
        if (at < 0 || at >= _frames.Count) { _cli.Say(_cli.Ink.Faint(at < 0 ? "This is the first checkpoint." : "This is the last checkpoint.")); return; }
        _at = at;
        Draw();
    }

    void Jump(string where)
    {
        if (int.TryParse(where, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && seq >= 1 && seq <= _frames.Count) Go(seq - 1);
        else if (After(frame => frame.Record.Path == where) is { } step) Go(step);
        else _cli.Say(_cli.Ink.Careful($"There is no checkpoint 1 to {_frames.Count} and no step '{Human.Line(where, 80)}'.{Nearest.Hint(where, _frames.Select(frame => frame.Record.Path).OfType<string>().Distinct())}"));
    }

    void Search(string text)
    {
        // An empty answer looks for the same again.
        if (text.Length > 0) _searched = text;
        if (_searched.Length > 0 && After(frame => frame.Contains(_searched)) is { } found) Go(found);
        else _cli.Say(_cli.Ink.Careful($"Nothing contains '{Human.Line(_searched, 80)}'."));
    }

    /// <summary>The next frame of which this holds, round the end; null when of none.</summary>
    int? After(Func<ReplayFrame, bool> holds)
    {
        for (var i = 1; i <= _frames.Count; i++)
            if (holds(_frames[(_at + i) % _frames.Count])) return (_at + i) % _frames.Count;
        return null;
    }

    async Task ShowLogAsync()
    {
        if (Frame.Record.Kind != CheckpointKind.Step || await LogsCommand.ReadAsync(_client, Frame.Head.RunId, Frame.Record, _cli.Stop) is not { } log)
        {
            _cli.Say(_cli.Ink.Faint("No output was captured here."));
            return;
        }
        foreach (var line in Encoding.UTF8.GetString(log.Bytes).TrimEnd('\n').Split('\n')) _cli.Say($"  {_cli.Ink.Faint("|")} {Human.Line(line)}");
    }

    string Ask(string question)
    {
        _cli.Caller.Out.Write(question);
        return (_cli.Caller.In.ReadLine() ?? "").Trim();
    }

    void Draw()
    {
        if (_cli.Ink.IsOn) _cli.Caller.Out.Write("\e[H\e[2J");
        var head = Frame.Head;
        var state = Words.Of(head.Status);
        _cli.Say($"{_cli.Ink.Strong(head.RunId)}  {Bar()}  checkpoint {Frame.Number} of {_frames.Count}, {_cli.Ink.Of(state, state)}, {head.Done} of {head.Total} done");
        _cli.Say(_cli.Ink.Of(Frame.Record.Status is { } status ? Words.Of(status) : "", Frame.Line));
        if (Frame.Output.Length > 0) _cli.Say($"  output  {Frame.Output}");
        if (!Frame.Record.State.IsEmpty) _cli.Say($"  state   {Human.Line(Encoding.UTF8.GetString(Frame.Record.State.Span), 200)}");
        if (Human.Cost(Frame.Spent) is { Length: > 0 } spent) _cli.Say($"  spent   {spent}");
        _cli.Say($"  steps   {string.Join("  ", new RunStory(head, [.. _records.Take(Frame.Number)]).Defined.Select(step => _cli.Ink.Of(step.State, $"{Sign(step.State)} {step.Path}")))}");
        _cli.Say(_cli.Ink.Faint(Keys));
    }

    string Bar()
    {
        const int width = 20;
        var done = _frames.Count == 1 ? width : _at * width / (_frames.Count - 1);
        return $"[{new string('=', done)}{new string('·', width - done)}]";
    }

    static char Sign(string state) => state switch { "completed" => '✓', "failed" => '✗', "skipped" or "blocked" => '↷', "canceled" => '■', _ => '·' };
}
