using System.Diagnostics;
using System.Text;
using Pawl.Yaml;

namespace Pawl.Tests.Agents;

/// <summary>The command as a process in a folder of its own, with its output as it comes.</summary>
sealed class AgentProcess : IAsyncDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    readonly Process _process;
    readonly StringBuilder _output = new();
    readonly StringBuilder _answer = new();
    readonly Task _reading;

    AgentProcess(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _answer), ReadAsync(process.StandardError, null));
    }

    public static AgentProcess Start(string folder, string[] words, IReadOnlyDictionary<string, string>? variables = null, string? program = null)
    {
        var start = new ProcessStartInfo(program ?? PawlCommand.Path, words) { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, StandardOutputEncoding = Encoding.UTF8 };
        foreach (var (name, value) in variables ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return new AgentProcess(Process.Start(start)!);
    }

    public static async Task<(int Code, string Output, string Answer)> RunAsync(string folder, string[] words, IReadOnlyDictionary<string, string>? variables = null)
    {
        await using var process = Start(folder, words, variables);
        process._process.StandardInput.Close();
        return (await process.EndAsync(), process.Output, process.Answer);
    }

    public string Output { get { lock (_output) return _output.ToString(); } }

    /// <summary>Standard output alone.</summary>
    public string Answer { get { lock (_output) return _answer.ToString(); } }

    public int Id => _process.Id;

    public void Write(string text)
    {
        _process.StandardInput.Write(text);
        _process.StandardInput.Flush();
    }

    /// <summary>Waits until the output has this many of the text, and gives what came.</summary>
    public async Task<string> UntilAsync(string text, int times = 1)
    {
        await WaitAsync(() => Output.Split(text).Length > times, () => $"'{text}' did not come. What came: {Output}");
        return Output;
    }

    public static async Task WaitAsync(Func<bool> until, Func<string> why)
    {
        var clock = Stopwatch.StartNew();
        while (!until())
        {
            if (clock.Elapsed > s_patience) Assert.Fail(why());
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    public void Kill() => _process.Kill();

    public void Interrupt() => Posix.Signal(_process.Id, 2);

    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience);
        await _reading;
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    async Task ReadAsync(StreamReader reader, StringBuilder? also)
    {
        var buffer = new char[1024];
        while (await reader.ReadAsync(buffer) is > 0 and var read)
            lock (_output)
            {
                _output.Append(buffer, 0, read);
                also?.Append(buffer, 0, read);
            }
    }
}

/// <summary>A copy of the sample fleet in a folder of its own.</summary>
sealed class FleetFolder : IDisposable
{
    public FleetFolder()
    {
        var from = System.IO.Path.Combine(Docs.Repository.Root, "samples", "agents");
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var to = In(System.IO.Path.GetRelativePath(from, file));
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("pawl-fleet-").FullName;

    public string In(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>The notes that a tool was asked to count, in order.</summary>
    public string[] Counted => File.Exists(In("counted")) ? File.ReadAllLines(In("counted")) : [];

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
