using System.Runtime.InteropServices;

namespace Pawl.Cli;

/// <summary>Ctrl+C, SIGTERM and SIGHUP as one token. The first asks, the second one kills.</summary>
sealed class Interrupts : IDisposable
{
    readonly CancellationTokenSource _asked = new();
    readonly PosixSignalRegistration[] _signals;

    /// <param name="keyboard">Also Ctrl+C; false leaves it to the command.</param>
    public Interrupts(bool keyboard) => _signals =
    [
        .. keyboard ? (PosixSignalRegistration[])[PosixSignalRegistration.Create(PosixSignal.SIGINT, Ask)] : [],
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Ask),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, Ask),
    ];

    public CancellationToken Token => _asked.Token;

    void Ask(PosixSignalContext context)
    {
        // Not cancelled the second time: the signal's own action ends the process, and the journal bears that.
        if (_asked.IsCancellationRequested)
        {
            // A live view hid the cursor.
            if (!Console.IsOutputRedirected) Console.Out.Write("\e[?25h");
            else if (!Console.IsErrorRedirected) Console.Error.Write("\e[?25h");
            return;
        }
        context.Cancel = true;
        // On another thread: who waits for the token must not hold up a second signal.
        ThreadPool.QueueUserWorkItem(static source => source.Cancel(), _asked, preferLocal: false);
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _asked.Dispose();
    }
}
