using Pawl.Cli.View;
using Pawl.Testing;

namespace Pawl.Cli.Proving;

/// <summary>How far a proof is: one line that changes on a terminal, lines for tenths and for what does not hold elsewhere. Thread safe.</summary>
sealed class ProofProgress(Cli cli, string workflow) : IDisposable
{
    readonly Lock _lock = new();
    int _total;
    int _done;
    int _bad;
    int _tenth;

    public void GoingOn() => cli.Say($"Going on with the proof of {workflow} that was interrupted.");

    public void On(int total, PointVerdict? verdict)
    {
        lock (_lock)
        {
            if (verdict is null)
            {
                _total = total;
                Line($"{workflow}: {Human.Count(total, "point")} to be killed at; two unbroken runs are done.");
                return;
            }
            _done++;
            if (verdict.Difference is { } difference)
            {
                _bad++;
                if (!cli.TextIsTerminal) Line($"{cli.Ink.Bad("✗")} killed {verdict.Point.Where}: {Human.Line(difference.What)} differs{(difference.Step is { } step ? $", step '{step}'" : "")}");
            }
            // How many there are in all is not known when an interrupted proof goes on.
            if (cli.TextIsTerminal) cli.Text.Write($"\r{_done}{(_total > 0 ? $"/{_total}" : "")} points{(_bad > 0 ? $", {_bad} do not hold" : "")}  ");
            else if (_total > 0 && _done * 10 / _total > _tenth) Line($"{_done}/{_total} points");
            if (_total > 0) _tenth = _done * 10 / _total;
        }
    }

    public void End()
    {
        lock (_lock)
            if (cli.TextIsTerminal && _done > 0) cli.Text.Write("\r                                        \r");
    }

    void Line(string text) => cli.Say(text);

    public void Dispose() => End();
}
