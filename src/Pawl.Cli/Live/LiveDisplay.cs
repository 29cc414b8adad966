using Pawl.Cli.View;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Pawl.Cli.Live;

/// <summary>The list of steps on a terminal, redrawn in place. The only file that knows Spectre.Console: loading it costs more than a short run.</summary>
sealed class LiveDisplay(Cli cli, Workflow workflow, Estimates estimates) : RunDisplay
{
    static readonly TimeSpan Frame = TimeSpan.FromMilliseconds(100);
    const string Spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

    readonly Lock _lock = new();
    readonly Dictionary<string, RunEvent.StepStarted> _running = [];
    readonly Dictionary<string, RunEvent.StepEnded> _ended = [];
    readonly Dictionary<string, RunEvent.Progress> _progress = [];
    readonly List<string> _after = [];
    readonly long _began = cli.Caller.Time.GetTimestamp();
    string _title = workflow.Name;
    int _frame;

    public override void On(RunEvent happened)
    {
        lock (_lock)
        {
            switch (happened)
            {
                case RunEvent.Started started:
                    _title = $"{started.RunId}{(started.Resumed ? $" (resumed, {Human.Count(started.Reused, "step")} reused)" : "")}";
                    break;
                case RunEvent.StepStarted step:
                    _running[step.Path] = step;
                    _ended.Remove(step.Path);
                    break;
                case RunEvent.StepEnded end:
                    _running.Remove(end.Step.Path);
                    _progress.Remove(end.Step.Path);
                    _ended[end.Step.Path] = end;
                    var tail = TakeTail(end.Step.Path).ToList();
                    if (end is { RetryIn: null, Step: { Status: StepStatus.Failed, Restored: false } }) _after.AddRange(tail.Select(line => $"{end.Step.Path} | {Human.Line(line)}"));
                    break;
                case RunEvent.Output output:
                    Keep(output);
                    break;
                case RunEvent.Progress progress:
                    _progress[progress.Path] = progress;
                    break;
                case RunEvent.Warning warning:
                    _after.Add($"pawl: {warning.Message}");
                    break;
            }
        }
    }

    public override async Task WhileAsync(Task pass)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = cli.Ink.IsOn ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Out = new AnsiConsoleOutput(cli.Caller.Out),
        });
        await console.Live(Draw()).Overflow(VerticalOverflow.Ellipsis).Cropping(VerticalOverflowCropping.Top).StartAsync(async live =>
        {
            while (!pass.IsCompleted)
            {
                await Task.WhenAny(pass, Task.Delay(Frame, cli.Caller.Time, CancellationToken.None));
                _frame++;
                live.UpdateTarget(Draw());
            }
        });
        foreach (var line in _after) cli.Say(line);
        await pass;
    }

    Rows Draw()
    {
        lock (_lock)
        {
            var rows = new List<IRenderable> { new Text(_title, new Style(decoration: Decoration.Bold)) };
            foreach (var step in workflow.Steps) AddStep(rows, step.Id, step.Options.Title ?? step.Id);
            rows.Add(new Text(Footer(), new Style(decoration: Decoration.Dim)));
            return new Rows(rows);
        }
    }

    void AddStep(List<IRenderable> rows, string path, string title)
    {
        if (_running.TryGetValue(path, out var start))
        {
            var elapsed = cli.Now - start.At;
            var usual = estimates.Of(path) is { } median ? $" of about {Human.Duration(median)}" : "";
            var far = _progress.TryGetValue(path, out var progress) ? $"  {progress.Fraction * 100:0} % {Human.Line(progress.Message, 60)}" : "";
            rows.Add(Row(Spinner[_frame % Spinner.Length].ToString(), Color.Yellow, title, $"{Human.Duration(elapsed)}{usual}{(start.Attempt > 1 ? $", attempt {start.Attempt}" : "")}{far}"));
            foreach (var below in _running.Keys.Where(other => other.Length > path.Length && other.StartsWith(path, StringComparison.Ordinal) && other[path.Length] is '/' or '[').Order(StringComparer.Ordinal))
                rows.Add(Row("  " + Spinner[_frame % Spinner.Length], Color.Yellow, below, Human.Duration(cli.Now - _running[below].At)));
            if (_running.Keys.Where(key => key.StartsWith(path, StringComparison.Ordinal)).Select(LastLine).LastOrDefault(line => line is not null) is { } last)
                rows.Add(new Text($"    {Human.Line(last, Math.Max(20, cli.Caller.Width - 6))}", new Style(decoration: Decoration.Dim)));
        }
        else if (_ended.TryGetValue(path, out var end))
            rows.Add(Row(Sign(end), end.Step.Status switch { StepStatus.Completed => Color.Green, StepStatus.Failed => Color.Red, _ => Color.Grey }, title, Describe(end)));
        else
            rows.Add(Row("·", Color.Grey, title, ""));
    }

    static Paragraph Row(string sign, Color colour, string title, string note) =>
        new Paragraph().Append(sign, new Style(colour)).Append($" {title}  ").Append(note, new Style(decoration: Decoration.Dim));

    string Footer()
    {
        var done = workflow.Steps.Count(step => _ended.TryGetValue(step.Id, out var end) && end.RetryIn is null);
        return $"{done}/{workflow.Steps.Count} · {Human.Duration(cli.Caller.Time.GetElapsedTime(_began))}{(Left() is { } left ? $" · about {Human.Duration(left)} left" : "")}";
    }

    /// <summary>What is left on the longest chain, at least what the places for parallel steps allow; null when a step is unknown.</summary>
    TimeSpan? Left()
    {
        var open = workflow.Steps.Where(step => !_ended.TryGetValue(step.Id, out var end) || end.RetryIn is not null).ToList();
        if (open.Count == 0 || open.Any(step => estimates.Of(step.Id) is null)) return null;
        var path = CriticalPath.Of([.. open.Select(step => (step.Id, (IReadOnlyList<string>)[.. step.Needs, .. step.After]))], Rest);
        var crowded = workflow.Options.Concurrency is { } places ? path.Sum / places : TimeSpan.Zero;
        return path.Length > crowded ? path.Length : crowded;

        TimeSpan Rest(string id)
        {
            var rest = estimates.Of(id)!.Value - (_running.TryGetValue(id, out var start) ? cli.Now - start.At : TimeSpan.Zero);
            return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
        }
    }
}
