using System.Diagnostics;
using System.Globalization;
using StackExchange.Redis;

namespace Pawl.Stores;

/// <summary>A Redis of our own: its data in a temporary directory, its port a free one, everything flushed before it is acknowledged. It ends with this object, or with this process.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    public const string Password = "s3cret/p@ss:word";
    // The shell waits for the end of its input, which is the end of this process too, and stops the server then.
    const string Watcher = """exec 3<&0; "$@" < /dev/null & server=$!; echo $server; cat <&3 > /dev/null; kill -TERM $server 2> /dev/null; wait $server""";

    readonly string _folder = Path.Combine(Path.GetTempPath(), "pawl-redis-" + Path.GetRandomFileName()[..8]);
    readonly string[] _settings;
    Process? _watcher;
    Task<string> _log = Task.FromResult("");
    int _pid;
    bool _started;

    RedisServer(string[] settings) => _settings = settings;

    public int Port { get; private set; }

    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>Of a database, with what may stand behind the question mark.</summary>
    public string Uri(string tail = "", int database = 0) => $"redis://:{System.Uri.EscapeDataString(Password)}@{Address}/{database}{(tail.Length > 0 ? "?" + tail : "")}";

    public ConfigurationOptions Client => new() { EndPoints = { Address }, Password = Password, AllowAdmin = true, ConnectTimeout = 2000, ConnectRetry = 1 };

    /// <param name="settings">Settings that differ from those of a server that flushes everything, as <c>name=value</c>.</param>
    public static async Task<RedisServer> StartAsync(params string[] settings)
    {
        var server = new RedisServer(settings);
        Directory.CreateDirectory(server._folder);
        try
        {
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the stopped server on the same port, with the data that it had.</summary>
    public async Task StartAgainAsync()
    {
        // Until its port is bound, somebody else may take it.
        for (var attempt = 1; ; attempt++)
        {
            if (Port == 0 || (attempt > 1 && !_started)) Port = PostgresServer.FreePort();
            List<string> settings = [$"port={Port}", "bind=127.0.0.1", $"dir={_folder}", "save=", "appendonly=yes", "appendfsync=always", $"requirepass={Password}", .. _settings];
            string[] command = ["-c", Watcher, "sh", "redis-server", .. settings.SelectMany(setting => new[] { "--" + setting.Split('=')[0], setting[(setting.IndexOf('=', StringComparison.Ordinal) + 1)..] })];
            _watcher = Process.Start(new ProcessStartInfo("/bin/sh", command) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder })!;
            _pid = int.Parse((await _watcher.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
            _log = _watcher.StandardOutput.ReadToEndAsync();
            if (await AnswersAsync())
            {
                _started = true;
                return;
            }
            await StopAsync();
            if (attempt == 5) throw new InvalidOperationException($"redis-server does not start:\n{await _log}");
        }
    }

    async Task<bool> AnswersAsync()
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(20) && !_watcher!.HasExited && IsRunning; await Task.Delay(20))
        {
            try
            {
                await using var client = await ConnectionMultiplexer.ConnectAsync(Client);
                await client.GetDatabase().ExecuteAsync("PING");
                return true;
            }
            catch (Exception error) when (error is RedisException or RedisTimeoutException)
            {
                // Not yet.
            }
        }
        return false;
    }

    bool IsRunning
    {
        get
        {
            try { return !Process.GetProcessById(_pid).HasExited; }
            catch (ArgumentException) { return false; }
        }
    }

    /// <summary>SIGKILL: nothing is flushed, nobody is told.</summary>
    public async Task KillAsync()
    {
        Process.GetProcessById(_pid).Kill();
        await StopAsync();
    }

    /// <summary>What it answers to a command.</summary>
    public async Task<RedisResult> AskAsync(params string[] command)
    {
        await using var client = await ConnectionMultiplexer.ConnectAsync(Client);
        return await client.GetServer(Address).ExecuteAsync(command[0], command[1..]);
    }

    /// <summary>How often it was asked a command, by its own count; by scripts too.</summary>
    public async Task<long> CallsAsync(string command)
    {
        var line = ((string)(await AskAsync("INFO", "commandstats"))!).Split('\n').FirstOrDefault(line => line.StartsWith($"cmdstat_{command}:", StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line.Split('=')[1].Split(',')[0], CultureInfo.InvariantCulture);
    }

    async Task StopAsync()
    {
        if (_watcher is null) return;
        _watcher.StandardInput.Close();
        await _watcher.WaitForExitAsync();
        _watcher.Dispose();
        _watcher = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }
}
