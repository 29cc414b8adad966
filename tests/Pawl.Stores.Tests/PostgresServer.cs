using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Npgsql;

namespace Pawl.Stores;

/// <summary>A PostgreSQL of our own: its data in a temporary directory, its port a free one, everything flushed as in production. It ends with this object, or with this process.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    public const string User = "pawl", Password = "s3cret/p@ss word";
    // The shell waits for the end of its input, which is the end of this process too, and stops the server then.
    const string Watcher = """exec 3<&0; "$@" < /dev/null & server=$!; echo $server; cat <&3 > /dev/null; kill -INT $server 2> /dev/null; wait $server""";

    readonly string _folder;
    readonly string _binaries;
    readonly string[] _settings;
    Process? _watcher;
    int _pid;

    PostgresServer(string folder, string binaries, string[] settings) => (_folder, _binaries, _settings) = (folder, binaries, settings);

    public int Port { get; private set; }

    public string ConnectionString => new NpgsqlConnectionStringBuilder { Host = "127.0.0.1", Port = Port, Username = User, Password = Password, Database = "postgres", MaxPoolSize = 40 }.ConnectionString;

    /// <param name="parent">Where its data go. Default: the temporary directory.</param>
    /// <param name="settings">Settings that differ from the defaults, as <c>name=value</c>.</param>
    public static async Task<PostgresServer> StartAsync(string? parent = null, params string[] settings)
    {
        var folder = Path.Combine(parent ?? Temporary(), "pawl-pg-" + Path.GetRandomFileName()[..8]);
        Directory.CreateDirectory(folder);
        var server = new PostgresServer(folder, Binaries(), settings);
        try
        {
            var secret = Path.Combine(folder, "password");
            await File.WriteAllTextAsync(secret, Password + "\n");
            if (IsRoot) await RunAsync("chown", "-R", Account(), folder);
            await RunAsync([.. AsAccount(), Path.Combine(server._binaries, "initdb"), "-D", server.Data, "-U", User, "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync"]);
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A server that follows this one, and to which this one waits to be flushed: what it acknowledges is on both.</summary>
    public async Task<PostgresServer> FollowAsync()
    {
        var folder = Path.Combine(Path.GetDirectoryName(_folder)!, "pawl-pg-" + Path.GetRandomFileName()[..8]);
        Directory.CreateDirectory(folder);
        var follower = new PostgresServer(folder, _binaries, _settings);
        try
        {
            var secret = Path.Combine(folder, "pgpass");
            await File.WriteAllTextAsync(secret, $"*:*:*:*:{Password}\n");
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(secret, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            if (IsRoot) await RunAsync("chown", "-R", Account(), folder);
            await RunAsync([.. AsAccount(), "env", $"PGPASSFILE={secret}", Path.Combine(_binaries, "pg_basebackup"), "-h", "127.0.0.1", "-p", $"{Port}", "-U", User, "-D", follower.Data, "-R", "-X", "stream", "--checkpoint=fast", "--no-sync"]);
            await follower.StartAgainAsync();
            await ExecuteAsync("alter system set synchronous_standby_names = '*'");
            await ExecuteAsync("select pg_reload_conf()");
            return follower;
        }
        catch
        {
            await follower.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a server that followed another the one that is written to.</summary>
    public async Task PromoteAsync()
    {
        // What it copied of the other's settings would make it wait for a follower of its own.
        await ExecuteAsync("select pg_promote()");
        await ExecuteAsync("alter system reset synchronous_standby_names");
        await ExecuteAsync("select pg_reload_conf()");
    }

    async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    string Data => Path.Combine(_folder, "data");

    /// <summary>Starts the stopped server on the same port.</summary>
    public async Task StartAgainAsync()
    {
        // Until the processes of a killed server are gone, the next one cannot have its memory; until its port is bound, somebody else may take it.
        for (var attempt = 1; ; attempt++)
        {
            if (Port == 0 || (attempt > 1 && !_started)) Port = FreePort();
            List<string> settings = [$"port={Port}", "listen_addresses=127.0.0.1", $"unix_socket_directories={_folder}", "max_connections=300", .. _settings];
            string[] command = ["-c", Watcher, "sh", .. AsAccount(), Path.Combine(_binaries, "postgres"), "-D", Data, .. settings.SelectMany(setting => new[] { "-c", setting })];
            _watcher = Process.Start(new ProcessStartInfo("/bin/sh", command) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder })!;
            var log = _watcher.StandardError.ReadToEndAsync();
            _pid = int.Parse((await _watcher.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
            if (await AnswersAsync())
            {
                _started = true;
                return;
            }
            await StopAsync();
            if (attempt == 20) throw new InvalidOperationException($"PostgreSQL does not start:\n{await log}");
        }
    }

    bool _started;

    async Task<bool> AnswersAsync()
    {
        // Not pooled: nothing of a server that is gone may answer for this one.
        var connection = new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false, Timeout = 2 }.ConnectionString;
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(30) && IsRunning; await Task.Delay(20))
        {
            try
            {
                await using var one = new NpgsqlConnection(connection);
                await one.OpenAsync();
                return true;
            }
            catch (NpgsqlException)
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

    /// <summary>What a crash of the machine is to the server: SIGKILL, nothing flushed, nobody told.</summary>
    public async Task KillAsync()
    {
        Process.GetProcessById(_pid).Kill();
        await StopAsync();
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
        // The processes of a killed server may still be at it.
        for (var attempt = 1; Directory.Exists(_folder); attempt++)
        {
            try { Directory.Delete(_folder, recursive: true); }
            catch (IOException) when (attempt < 50) { await Task.Delay(100); }
        }
    }

    /// <summary>PostgreSQL refuses to run as root; the account must be able to reach its files.</summary>
    static string Temporary()
    {
        var folder = Path.TrimEndingDirectorySeparator(Path.GetTempPath());
        for (var above = folder; IsRoot && above is not null; above = Path.GetDirectoryName(above))
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(above) & UnixFileMode.OtherExecute) == 0) return "/tmp";
        return folder;
    }

    static bool IsRoot => !OperatingSystem.IsWindows() && geteuid() == 0;

    static string[] AsAccount() => IsRoot ? ["setpriv", $"--reuid={Account()}", $"--regid={Account()}", "--clear-groups"] : [];

    static string Account() => File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";

    static string Binaries()
    {
        var folders = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql").OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var version) ? version : 0).Select(folder => Path.Combine(folder, "bin")) : [];
        return folders.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')).FirstOrDefault(folder => File.Exists(Path.Combine(folder, "postgres")) && File.Exists(Path.Combine(folder, "initdb")))
            ?? throw new InvalidOperationException("These tests need PostgreSQL's programs (postgres, initdb): apt-get install postgresql. Nothing has to be configured: a server of their own is started and stopped.");
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    static async Task RunAsync(params string[] command)
    {
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{command[0]} failed: {error}{await output}");
    }

    [DllImport("libc")] static extern uint geteuid();
}
