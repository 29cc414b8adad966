using System.Diagnostics;

namespace Pawl.Yaml;

/// <summary>Reads both streams of a step on one thread that never blocks in a read, so that a daemon which keeps a pipe open cannot hold it.</summary>
internal sealed class OutputPump
{
    static readonly TimeSpan DrainLimit = TimeSpan.FromMilliseconds(200);
    static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly OutputStream _output;
    readonly OutputStream _errors;
    int _outputDescriptor;
    int _errorDescriptor;
    long _finishedAt;

    OutputPump(int outputDescriptor, OutputStream output, int errorDescriptor, OutputStream errors) =>
        (_outputDescriptor, _output, _errorDescriptor, _errors) = (outputDescriptor, output, errorDescriptor, errors);

    /// <summary>Reads until both streams end, or until they are told to.</summary>
    public static OutputPump Start(int outputDescriptor, OutputStream output, int errorDescriptor, OutputStream errors)
    {
        var pump = new OutputPump(outputDescriptor, output, errorDescriptor, errors);
        new Thread(pump.Run) { IsBackground = true, Name = "pawl step output" }.Start();
        return pump;
    }

    /// <summary>The writer has ended: reads what is in the pipes, for 200 ms at most.</summary>
    public Task FinishAsync()
    {
        Volatile.Write(ref _finishedAt, Stopwatch.GetTimestamp());
        return _ended.Task;
    }

    void Run()
    {
        try
        {
            var buffer = new byte[64 * 1024];
            while (_outputDescriptor >= 0 || _errorDescriptor >= 0)
            {
                var finishedAt = Volatile.Read(ref _finishedAt);
                var wait = finishedAt == 0 ? Tick : DrainLimit - Stopwatch.GetElapsedTime(finishedAt);
                if (wait <= TimeSpan.Zero) break;
                var (output, errors) = Posix.WaitReadable(_outputDescriptor, _errorDescriptor, (int)Math.Ceiling(wait.TotalMilliseconds));
                if (output) Read(ref _outputDescriptor, _output, buffer);
                if (errors) Read(ref _errorDescriptor, _errors, buffer);
            }
            _output.End();
            _errors.End();
            _ended.SetResult();
        }
        catch (Exception error)
        {
            // Whatever it was belongs to the step that waits for this.
            _ended.SetException(error);
        }
    }

    static void Read(ref int descriptor, OutputStream stream, byte[] buffer)
    {
        var count = Posix.Read(descriptor, buffer);
        if (count == 0) descriptor = -1;
        else stream.Write(buffer.AsSpan(0, count));
    }
}
