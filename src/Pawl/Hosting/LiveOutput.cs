using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Pawl.Storage;

namespace Pawl;

/// <summary>What the steps of a pass say while they run, in a file that other processes of this machine can read. Not durable, on purpose: each step's log
/// comes whole with its checkpoint, and the file goes with its pass. What a killed process leaves is removed by the next pass over the run.</summary>
sealed class LiveOutput : IDisposable
{
    // Of a pass that says more the newest is kept.
    const int MostBytes = 1024 * 1024;
    static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);
    static readonly JsonWriterOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly Lock _lock = new();
    readonly string _folder;
    readonly string _pass;
    readonly ITimer _timer;
    readonly ArrayBufferWriter<byte> _news = new();
    readonly Dictionary<string, int> _running = [];
    FileStream? _file;
    int _part;
    bool _isOver;

    LiveOutput(string folder, string key, long token, TimeProvider time)
    {
        (_folder, _pass) = (folder, string.Create(CultureInfo.InvariantCulture, $"{key}.{token}"));
        _timer = time.CreateTimer(_ => Flush(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Null when nobody can look, by <see cref="PawlOptions.LiveFolder"/>.</summary>
    public static LiveOutput? Begin(PawlClient client, RunLease lease)
    {
        if (client.Options.LiveFolder is not { } folder) return null;
        var key = KeyOf(client.Store, lease.RunId);
        try
        {
            // With nothing to say there is no file; those of dead passes go in any case.
            foreach (var old in Directory.EnumerateFiles(folder, $"{key}.*")) File.Delete(old);
            return new LiveOutput(folder, key, lease.Token, client.Options.Time);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Looking on is a comfort: no run fails for it.
            return null;
        }
    }

    public Action<RunEvent> With(Action<RunEvent>? listener) => happened =>
    {
        Tell(happened);
        listener?.Invoke(happened);
    };

    void Tell(RunEvent happened)
    {
        lock (_lock)
        {
            if (_isOver) return;
            var before = _news.WrittenCount;
            switch (happened)
            {
                case RunEvent.StepStarted began:
                    _running[began.Path] = began.Attempt;
                    Began(began.Path, began.Attempt);
                    break;
                case RunEvent.StepEnded { Step.Path: var path }:
                    // What began before and is not known here was reused.
                    if (_running.Remove(path)) Write(path, w => w.WriteBoolean("ended", true));
                    break;
                case RunEvent.Output said:
                    Write(said.Path, w =>
                    {
                        w.WriteString("line", said.Line);
                        if (said.IsError) w.WriteBoolean("error", true);
                    });
                    break;
                case RunEvent.Progress { Path: var path, Fraction: var fraction, Message: var message }:
                    Write(path, w =>
                    {
                        w.WriteNumber("fraction", fraction);
                        if (message is not null) w.WriteString("line", message);
                    });
                    break;
            }
            if (before == 0 && _news.WrittenCount > 0) _timer.Change(s_pause, Timeout.InfiniteTimeSpan);
            // Whoever says much does not wait for the timer, and holds little memory.
            if (_news.WrittenCount > MostBytes / 8) Flush();
        }
    }

    void Began(string path, int attempt) => Write(path, w => w.WriteNumber("attempt", attempt));

    void Write(string path, Action<Utf8JsonWriter> members)
    {
        using (var writer = new Utf8JsonWriter(_news, s_json))
        {
            writer.WriteStartObject();
            writer.WriteString("step", path);
            members(writer);
            writer.WriteEndObject();
        }
        _news.Write("\n"u8);
    }

    void Flush()
    {
        lock (_lock)
        {
            if (_isOver || _news.WrittenCount == 0) return;
            try
            {
                if (_file is null || _file.Position + _news.WrittenCount > MostBytes) NextPart();
                _file!.Write(_news.WrittenSpan);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                _isOver = true;
            }
            _news.ResetWrittenCount();
        }
    }

    void NextPart()
    {
        var old = _file;
        if (old is not null)
        {
            var rest = _news.WrittenSpan.ToArray();
            _news.ResetWrittenCount();
            foreach (var (path, attempt) in _running) Began(path, attempt);
            _news.Write(rest);
        }
        // Only the user may read what steps say.
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.Read | FileShare.Delete, BufferSize = 0 };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        _file = new FileStream(Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{_pass}.{++_part}")), options);
        Remove(old);
    }

    static void Remove(FileStream? file)
    {
        if (file is null) return;
        file.Dispose();
        try { File.Delete(file.Name); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The next pass tries again.
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            _timer.Dispose();
            Remove(_file);
        }
    }

    /// <summary>What is behind a place in the file of the run's present pass. A small read of a local file: waiting for it would cost more.</summary>
    public static LiveNews Read(PawlClient client, RunHead head, string? behind)
    {
        if (client.Options.LiveFolder is not { } folder || head.Owner is null) return new LiveNews([], null, false);
        var pass = string.Create(CultureInfo.InvariantCulture, $"{KeyOf(client.Store, head.RunId)}.{head.Token}.");
        try
        {
            var part = Directory.EnumerateFiles(folder, pass + "*").Select(path => int.Parse(Path.GetFileName(path).AsSpan(pass.Length), CultureInfo.InvariantCulture)).DefaultIfEmpty().Max();
            if (part == 0) return new LiveNews([], behind, false);
            var (known, from) = Place(behind, head.Token);
            using var file = new FileStream(Path.Combine(folder, pass + part.ToString(CultureInfo.InvariantCulture)), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            if (known != part) from = 0;
            var bytes = new byte[Math.Max(0, file.Length - from)];
            file.Position = from;
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            // The last line may still be on its way.
            var whole = bytes.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
            return new LiveNews(Lines(bytes.AsMemory(0, whole)), string.Create(CultureInfo.InvariantCulture, $"{head.Token}.{part}.{from + whole}"), known != part && (known > 0 || part > 1));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Its pass has just ended, or begun a new part.
            return new LiveNews([], behind, false);
        }
    }

    static (int Part, long From) Place(string? text, long token)
    {
        var parts = (text ?? "").Split('.');
        return parts.Length == 3 && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var pass) && pass == token
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var part) && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var from) ? (part, from) : (0, 0);
    }

    static List<LiveLine> Lines(ReadOnlyMemory<byte> bytes)
    {
        var lines = new List<LiveLine>();
        while (bytes.Span.IndexOf((byte)'\n') is >= 0 and var end)
        {
            using (var line = JsonDocument.Parse(bytes[..end]))
            {
                var root = line.RootElement;
                lines.Add(new LiveLine(root.GetProperty("step").GetString()!,
                    root.TryGetProperty("line", out var text) ? text.GetString() : null,
                    root.TryGetProperty("error", out _),
                    root.TryGetProperty("attempt", out var attempt) ? attempt.GetInt32() : null,
                    root.TryGetProperty("fraction", out var fraction) ? fraction.GetDouble() : null,
                    root.TryGetProperty("ended", out _)));
            }
            bytes = bytes[(end + 1)..];
        }
        return lines;
    }

    static string KeyOf(ICheckpointStore store, string runId) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{store.Info.Uri}\n{runId}")).AsSpan(0, 16));
}
