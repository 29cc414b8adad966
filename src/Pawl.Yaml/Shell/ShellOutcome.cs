using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Pawl.Yaml;

/// <summary>How a shell step ended.</summary>
internal sealed record ShellOutcome
{
    /// <summary>Of the script; 128 + n when signal n killed it.</summary>
    public required int ExitCode { get; init; }

    /// <summary>What it wrote to <c>$PAWL_OUTPUT</c>: a JSON object.</summary>
    public required RawJson Outputs { get; init; }

    /// <summary>Why the outputs cannot be used, or null.</summary>
    public string? OutputProblem { get; init; }

    /// <summary>What it wrote to <c>$PAWL_METRICS</c>; null when that cannot be used.</summary>
    public ShellMetrics? Metrics { get; init; }

    /// <summary>Why the metrics cannot be used, or null. They are about the work, not its result: the step does not fail.</summary>
    public string? MetricsProblem { get; init; }

    /// <summary>Output and errors as they came, secrets masked, up to the limit.</summary>
    public required ReadOnlyMemory<byte> Log { get; init; }

    /// <summary>Bytes missing in the middle of <see cref="Log"/>.</summary>
    public required long LogLeftOut { get; init; }

    /// <summary>The last lines of output, secrets masked.</summary>
    public required IReadOnlyList<string> Tail { get; init; }

    public required TimeSpan Duration { get; init; }

    /// <summary>It was ended because its token was cancelled.</summary>
    public bool WasStopped { get; init; }

    /// <summary>The step's result, with the log as its attachment.</summary>
    public StepResult ToResult()
    {
        var detail = Tail.Count == 0 ? null : string.Join('\n', Tail);
        var result = this switch
        {
            { WasStopped: true } => StepResult.Fail($"The script was stopped after {Duration.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s.", ErrorClass.Transient, "stopped", detail),
            { ExitCode: not 0 } => StepResult.Fail(Describe(ExitCode), ExitCode is 126 or 127 ? ErrorClass.Permanent : ErrorClass.Transient, "exit_code", detail),
            { OutputProblem: { } problem } => StepResult.Fail(problem, ErrorClass.Permanent, "bad_output", detail),
            _ => StepResult.Ok(Outputs),
        };
        return result with { Info = Info(), Metrics = Metrics?.Values.Count > 0 ? Metrics.Values : null, Attachments = Log.Length == 0 ? null : [Log] };
    }

    RawJson Info()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("exit_code", ExitCode);
            if (Metrics?.Model is { } model) writer.WriteString("model", model);
            if (Log.Length > 0)
            {
                writer.WriteStartObject("log");
                writer.WriteString("sha256", Convert.ToHexStringLower(SHA256.HashData(Log.Span)));
                writer.WriteNumber("bytes", Log.Length);
                writer.WriteEndObject();
            }
            if (LogLeftOut > 0) writer.WriteNumber("log_left_out", LogLeftOut);
            writer.WriteEndObject();
        }
        return new RawJson(buffer.WrittenMemory);
    }

    static string Describe(int exitCode) => exitCode switch
    {
        126 => "The script ended with exit code 126: a command was found but cannot be executed. Is it executable (chmod +x), and made for this machine?",
        127 => "The script ended with exit code 127: a command was not found. Is it installed, and its folder on PATH?",
        137 => "The script ended with exit code 137 (SIGKILL): something killed it, often the system because memory ran out.",
        > 128 and <= 159 when SignalName(exitCode - 128) is { } name => $"The script ended with exit code {exitCode} ({name}).",
        _ => $"The script ended with exit code {exitCode}.",
    };

    static string? SignalName(int signal) => signal switch
    {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => null,
    };
}
