using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;

namespace Pawl.Yaml;

/// <summary>Runs shell steps as process groups that cannot outlive their runner. Thread safe.</summary>
/// <remarks>After kill -9 of this process a watcher inside each group kills the group at once; processes that left their session are ended
/// before the step runs the next time on this machine.</remarks>
internal sealed class ShellRunner(TimeProvider time, RuntimeDirectory? directory = null)
{
    // Standard input is a pipe whose other end only the runner has. Nothing starts before the runner has recorded the group and says so;
    // at the pipe's end, the runner's death, the watcher kills the session: first the jobs of 'set -m' with groups of their own, then its own group.
    // The trap is a handler and no ignore, so that the step's processes get the default action.
    const string Wrapper = """
        read -r go || exit 125
        exec 3<&0 4>&2 </dev/null 2>/dev/null
        trap : TERM INT HUP QUIT
        (
          trap '' TERM INT HUP QUIT
          read -r end <&3
          for stat in /proc/[0-9]*/stat; do
            read -r line <"$stat" || continue
            pid=${stat#/proc/} pid=${pid%/stat}
            set -- ${line##*) }
            [ "$4" = $$ ] && [ "$3" != $$ ] && kill -KILL "$pid"
          done
          kill -KILL 0
        ) >/dev/null 4>&- &
        (exec 2>&4 3<&- 4>&-; exec "$@")
        exit $?
        """;

    static int s_number;

    readonly Lazy<RuntimeDirectory> _directory = new(() => directory ?? RuntimeDirectory.OfUser());

    /// <summary>Runs the script to its end. When the token is cancelled its processes are asked to end, then killed, and the outcome says so.</summary>
    /// <param name="command">What to run.</param>
    /// <param name="onLine">Gets each line of output as it comes and whether it is of the error stream, secrets masked, on another thread. What it throws is thrown again when the script has ended.</param>
    /// <param name="cancellationToken">Ends the script.</param>
    /// <exception cref="StepException">It could not be started; the class says whether another attempt may help.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled before the script began.</exception>
    public async Task<ShellOutcome> RunAsync(ShellCommand command, Action<string, bool>? onLine, CancellationToken cancellationToken)
    {
        if (OperatingSystem.IsWindows()) throw new StepException("Shell steps do not work on Windows: run pawl in WSL or a container, or write this step as a code step.");
        var key = StepGroup.KeyOf(command.Key);
        var start = Prepare(command, key);
        await StepGroup.EndLeftOversAsync(_directory.Value, key, command.IsRepeated, time, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();

        var prefix = $"{key}.{Environment.ProcessId}-{ProcessTable.Find(Environment.ProcessId)?.Started}-{Interlocked.Increment(ref s_number)}";
        try
        {
            var isPwsh = command.Shell == ShellKind.Pwsh;
            var script = _directory.Value.Create($"{prefix}.{(isPwsh ? "ps1" : "sh")}", Encoding.UTF8.GetBytes(command.Script));
            start.ArgumentList.Add(isPwsh ? PwshQuoting.Caller(script) : script);
            start.Environment["PAWL_OUTPUT"] = _directory.Value.Create($"{prefix}.output", []);
            start.Environment["PAWL_METRICS"] = _directory.Value.Create($"{prefix}.metrics", []);
            return await RunAsync(command, start, prefix, onLine, cancellationToken);
        }
        finally
        {
            foreach (var file in _directory.Value.Find(prefix + ".")) File.Delete(file);
        }
    }

    async Task<ShellOutcome> RunAsync(ShellCommand command, ProcessStartInfo start, string prefix, Action<string, bool>? onLine, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var masker = new SecretMasker(command.Secrets);
        var captured = new CapturedOutput(masker, command.OutputLimit, onLine);
        var wasStopped = false;
        using var process = Start(start);
        // Disposing the process leaves the streams open; closing the first one lets the watcher kill what may be there.
        using var input = process.StandardInput;
        using var output = process.StandardOutput;
        using var errors = process.StandardError;
        var group = StepGroup.Record(_directory.Value, prefix, process.Id);
        var pump = OutputPump.Start(Descriptor(output.BaseStream), captured.Open(isError: false), Descriptor(errors.BaseStream), captured.Open(isError: true));
        try
        {
            // Not through the stream: .NET would start its engine for sockets.
            Posix.Write(Descriptor(input.BaseStream), "go\n"u8);
            var ended = process.WaitForExitAsync(CancellationToken.None);
            try
            {
                await ended.WaitAsync(cancellationToken);
            }
            catch (OperationCanceledException)
            {
                wasStopped = true;
                await group.StopAsync(command.Grace, ended, time);
                await ended;
            }
        }
        finally
        {
            group.Kill();
            await pump.FinishAsync();
        }
        captured.DisplayFailure?.Throw();
        var (result, problem) = Read("$PAWL_OUTPUT", start.Environment["PAWL_OUTPUT"]!, ShellOutputs.MaxBytes, masker, bytes => ShellOutputs.Parse(bytes));
        var (metrics, noMetrics) = Read("$PAWL_METRICS", start.Environment["PAWL_METRICS"]!, ShellMetrics.MaxBytes, masker, bytes => ShellMetrics.Parse(bytes));
        return new ShellOutcome
        {
            ExitCode = process.ExitCode,
            Outputs = problem is null ? result : new RawJson("{}"u8.ToArray()),
            OutputProblem = problem,
            Metrics = metrics,
            MetricsProblem = noMetrics,
            Log = captured.ToArray(),
            LogLeftOut = captured.LeftOut,
            Tail = captured.Tail,
            Duration = time.GetElapsedTime(began),
            WasStopped = wasStopped,
        };
    }

    [UnsupportedOSPlatform("windows")]
    static ProcessStartInfo Prepare(ShellCommand command, string key)
    {
        if (!Directory.Exists(command.WorkingDirectory))
            throw new StepException($"The working directory '{command.WorkingDirectory}' does not exist. An earlier step must create it, or 'working_directory' must name another one.");
        var start = new ProcessStartInfo
        {
            WorkingDirectory = command.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // A runner inside a step must not hand that step's values on.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("PAWL_PARAM_", StringComparison.Ordinal) || name.StartsWith("PAWL_EXPR_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        foreach (var (name, value) in command.Environment)
        {
            if (ShellScript.WhyNotInEnvironment(value) is { } why) throw new StepException($"The variable {name} cannot be given to the script: {why}");
            start.Environment[name] = value;
        }
        start.Environment[StepGroup.Marker] = key;

        var ownPath = Environment.GetEnvironmentVariable("PATH");
        var path = start.Environment.TryGetValue("PATH", out var given) ? given : ownPath;
        string[] newSession = OperatingSystem.IsLinux() ? [FindProgram("setsid", ownPath)] : [FindProgram("perl", ownPath), "-MPOSIX", "-e", "POSIX::setsid(); exec { $ARGV[0] } @ARGV;"];
        string[] shell = command.Shell switch
        {
            ShellKind.Bash => [FindProgram("bash", path), "--noprofile", "--norc", "-eo", "pipefail"],
            ShellKind.Sh => [FindProgram("sh", path), "-e"],
            _ => [FindProgram("pwsh", path), "-NoProfile", "-NonInteractive", "-Command"],
        };
        start.FileName = newSession[0];
        foreach (var word in (string[])[.. newSession[1..], "/bin/sh", "-c", Wrapper, "pawl-step", .. shell]) start.ArgumentList.Add(word);
        return start;
    }

    static Process Start(ProcessStartInfo start)
    {
        const int tooBig = 7;
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception error) when (error.NativeErrorCode == tooBig)
        {
            throw new StepException("All variables together are too large for the script's environment. Write large values to a file and pass its path.", ErrorClass.Permanent, error);
        }
        catch (Win32Exception error)
        {
            throw new StepException($"The script could not be started: {error.Message}", ErrorClass.Transient, error);
        }
    }

    // Process.Start would look in the working directory, too.
    [UnsupportedOSPlatform("windows")]
    static string FindProgram(string name, string? path)
    {
        foreach (var folder in $"{path}:/usr/local/bin:/usr/bin:/bin".Split(':'))
        {
            var file = Path.Combine(folder, name);
            if (Path.IsPathFullyQualified(folder) && File.Exists(file) && (File.GetUnixFileMode(file) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0) return file;
        }
        throw new StepException(name switch
        {
            "pwsh" => "This step needs the program 'pwsh' (PowerShell), and it is not on PATH. Install it, or write the step for bash.",
            "bash" => "This step needs the program 'bash', and it is not on PATH. Install it, or say 'shell: sh'.",
            "setsid" => "Shell steps need the program 'setsid', and it is not on PATH. Install util-linux (or busybox).",
            _ => $"Shell steps need the program '{name}', and it is not on PATH. Install it.",
        });
    }

    static int Descriptor(Stream pipe) => (int)((System.IO.Pipes.PipeStream)pipe).SafePipeHandle.DangerousGetHandle();

    static (T? Content, string? Problem) Read<T>(string name, string path, int limit, SecretMasker masker, Func<byte[], T> parse)
    {
        try
        {
            using var file = Posix.OpenRead(path);
            if (file.Length > limit) return (default, $"{name} has {file.Length} bytes; at most {limit} are taken. Write large results to a file and output its path.");
            var bytes = new byte[file.Length];
            file.ReadExactly(bytes);
            if (masker.Reveals(bytes)) return (default, $"{name} holds the value of a secret, and secrets are not stored with a run. Let the steps that need it take the secret from the environment.");
            return (parse(bytes), null);
        }
        catch (Exception error) when (error is IOException or FormatException or NotSupportedException)
        {
            return (default, error is FormatException ? error.Message : $"{name} cannot be read: {error.Message}");
        }
    }
}
