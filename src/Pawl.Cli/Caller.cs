using System.Text;

namespace Pawl.Cli;

/// <summary>Who calls: streams, environment, folder, clock, and the wish to stop. A test is a caller without a process.</summary>
sealed record Caller
{
    public required TextWriter Out { get; init; }
    public required TextWriter Error { get; init; }
    public TextReader In { get; init; } = TextReader.Null;
    public required Func<string, string?> Variable { get; init; }
    public required string Directory { get; init; }
    public TimeProvider Time { get; init; } = TimeProvider.System;
    public bool OutIsTerminal { get; init; }
    public bool ErrorIsTerminal { get; init; }

    /// <summary>A person can be asked.</summary>
    public bool CanAsk { get; init; }

    /// <summary>Columns of the terminal; no limit elsewhere.</summary>
    public int Width { get; init; } = int.MaxValue;

    /// <summary>Ctrl+C, SIGTERM or SIGHUP.</summary>
    public CancellationToken Stop { get; init; }

    public static Caller OfProcess(CancellationToken stop)
    {
        var (outIsTerminal, errorIsTerminal) = (!Console.IsOutputRedirected, !Console.IsErrorRedirected);
        return new Caller
        {
            Out = Writer(Console.OpenStandardOutput()),
            Error = Writer(Console.OpenStandardError()),
            // Console.In takes hold of the terminal: only for who is asked something.
            In = new LazyInput(stop),
            Variable = Environment.GetEnvironmentVariable,
            Directory = Environment.CurrentDirectory,
            OutIsTerminal = outIsTerminal,
            ErrorIsTerminal = errorIsTerminal,
            CanAsk = outIsTerminal && !Console.IsInputRedirected,
            Width = outIsTerminal && Console.WindowWidth is > 0 and var width ? width : int.MaxValue,
            Stop = stop,
        };
    }

    /// <summary>The full path of what the caller names.</summary>
    public string FullPath(string path) => Path.GetFullPath(path, Directory);

    static StreamWriter Writer(Stream stream) => new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };

    sealed class LazyInput(CancellationToken stop) : TextReader
    {
        /// <summary>Ctrl+C ends the question; the thread that waits for the line ends with the process.</summary>
        public override string? ReadLine() => Task.Run(Console.In.ReadLine, CancellationToken.None).WaitAsync(stop).GetAwaiter().GetResult();

        /// <summary>One key, not shown and without waiting for the end of a line; keys that are no letter as the letter that means the same.</summary>
        public override int Read()
        {
            var key = Console.ReadKey(intercept: true);
            return key.Key switch
            {
                ConsoleKey.RightArrow or ConsoleKey.DownArrow or ConsoleKey.Enter or ConsoleKey.Spacebar => 'n',
                ConsoleKey.LeftArrow or ConsoleKey.UpArrow or ConsoleKey.Backspace => 'b',
                ConsoleKey.Home => 'g',
                ConsoleKey.End => 'G',
                ConsoleKey.Escape => 'q',
                _ => key.KeyChar,
            };
        }
    }
}
