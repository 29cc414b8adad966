using System.Text;
using Pawl.Cli.Input;
using Pawl.Storage;
using Pawl.Testing;
using Pawl.Yaml;

namespace Pawl.Cli.Proving;

/// <summary>One history of a workflow file in a copy of the folder, executed by processes of this very program.</summary>
sealed class SandboxWorld(ProofSession session, string name) : ProofWorld
{
    const int Killed = 137;
    const int MostText = 16 * 1024;
    const int MostBytes = 8 * 1024 * 1024;
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);
    static readonly UTF8Encoding s_utf8 = new(false, throwOnInvalidBytes: true);

    readonly string _folder = Path.Combine(session.Worlds, name);
    bool _isSetUp;
    bool _isKept;

    string Work => Path.Combine(_folder, "work");
    string Trace => Path.Combine(_folder, "trace");
    string Store => session.StoreKind == "sqlite" ? $"sqlite:{Path.Combine(_folder, "store.db")}" : $"file:{Path.Combine(_folder, "store")}";

    public override string RunId { get; } = $"{session.RunId}-{name}";

    public override IReadOnlyList<TracedWrite> Writes => TracedWrite.Read(Trace);

    public async Task<ProofWorld> MakeAsync(CancellationToken cancellationToken)
    {
        // What an interrupted proof left of this point.
        Remove();
        Directory.CreateDirectory(Path.Combine(_folder, "tmp"));
        session.Sandboxes.MakeCopy(Work);
        _isSetUp = true;
        await HookAsync("setup", session.Settings.Setup, cancellationToken);
        return this;
    }

    public override async Task<bool> BeginAsync(ProofPoint? point, CancellationToken cancellationToken)
    {
        if (point is not { ByWorker: true }) return await ExecuteAsync(Run, point?.Order(), Trace, cancellationToken) == Killed;
        await ExecuteAsync(["enqueue", .. Run[1..^1]], null, null, cancellationToken);
        return await WorkAsync(point.Order(fewer: 1), Trace, cancellationToken);
    }

    public override async Task<bool> BeginAgainAsync(ProofPoint? point, CancellationToken cancellationToken) => point is { ByWorker: true }
        ? await WorkAsync(point.Order(fewer: 1), Trace, cancellationToken)
        : await ExecuteAsync(Resume, point?.Order(), Trace, cancellationToken) == Killed;

    public override async Task GoOnAsync(ProofPoint point, CancellationToken cancellationToken)
    {
        if (await HeadAsync(cancellationToken) is null) await ExecuteAsync(Run, null, null, cancellationToken);
        else if (point.ByWorker) await WorkAsync(null, null, cancellationToken);
        else await ExecuteAsync(Resume, null, null, cancellationToken);
    }

    public override async Task<T> LookAsync<T>(Func<PawlClient, Task<T>> look)
    {
        await using var client = await new StoreChoice(Store, Store.StartsWith("file:", StringComparison.Ordinal) ? Store[5..] : null, Configuration.None).OpenAsync(session.Caller);
        return await look(client);
    }

    public override async Task<IReadOnlyList<WorldFact>> ObserveAsync(CancellationToken cancellationToken)
    {
        await TearDownAsync(cancellationToken);
        IReadOnlyList<string> patterns = [.. session.Settings.Compare.DefaultIfEmpty("**"), .. session.Settings.Ignore.Select(pattern => $"!{pattern}")];
        var facts = new List<WorldFact>();
        var found = Globs.Match(Work, patterns);
        foreach (var path in found)
        {
            var file = new FileInfo(Path.Combine(Work, path));
            if (session.Sandboxes.IsUntouched(path, file)) continue;
            facts.Add(new WorldFact($"file {path}", Content(file), new DateTimeOffset(file.LastWriteTimeUtc)));
        }
        facts.AddRange(session.Sandboxes.Match(patterns).Except(found).Select(path => new WorldFact($"file {path}", "(was removed)")));
        return facts;
    }

    public override string Normalize(string text) => base.Normalize(text.Replace(Work, "SANDBOX", StringComparison.Ordinal).Replace(_folder, "SANDBOX", StringComparison.Ordinal));

    public override string? Keep()
    {
        _isKept = true;
        return _folder;
    }

    public override async ValueTask DisposeAsync()
    {
        await TearDownAsync(CancellationToken.None);
        if (!_isKept) Remove();
        await base.DisposeAsync();
    }

    string[] Run => ["run", session.File(Work), "--run-id", RunId, "--store", Store, .. session.Params.SelectMany(pair => (string[])["--param", pair]), .. session.Configuration(Work), "--auto"];

    string[] Resume => ["resume", RunId, "--file", session.File(Work), "--store", Store, .. session.Configuration(Work), "--auto"];

    async Task<RunHead?> HeadAsync(CancellationToken cancellationToken) => await LookAsync(client => client.FindAsync(RunId, cancellationToken).AsTask());

    /// <summary>A worker, until the run and its children have ended, or wait for somebody, or the worker died.</summary>
    async Task<bool> WorkAsync(string? order, string? trace, CancellationToken cancellationToken)
    {
        using var worker = session.Start(["worker", "--store", Store, .. session.Configuration(Work)], Work, _folder, order, trace);
        while (!worker.HasExited && !await LookAsync(client => IsAtRestAsync(client, cancellationToken))) await Task.Delay(Look, session.Caller.Time, cancellationToken);
        if (!worker.HasExited) Posix.Signal(worker.Id, Posix.SigTerm);
        return await session.EndAsync(worker, cancellationToken) == Killed;
    }

    static async Task<bool> IsAtRestAsync(PawlClient client, CancellationToken cancellationToken)
    {
        await foreach (var head in client.ListAsync(null, cancellationToken))
        {
            if (head.Owner is not null || head.Status is RunStatus.Pending or RunStatus.Running) return false;
            if (head.Status == RunStatus.Waiting && (head.Waits.Any(wait => wait.Signal is null) || (await client.Store.InboxAsync(head.RunId, cancellationToken)).Count > head.Seen)) return false;
        }
        return true;
    }

    async Task<int> ExecuteAsync(string[] words, string? order, string? trace, CancellationToken cancellationToken)
    {
        using var process = session.Start(words, Work, _folder, order, trace);
        return await session.EndAsync(process, cancellationToken);
    }

    async Task TearDownAsync(CancellationToken cancellationToken)
    {
        if (!_isSetUp) return;
        _isSetUp = false;
        await HookAsync("teardown", session.Settings.Teardown, cancellationToken);
    }

    async Task HookAsync(string hook, string? text, CancellationToken cancellationToken)
    {
        if (text is null) return;
        using var process = session.Start(null, Work, _folder, null, null, text);
        var code = await session.EndAsync(process, cancellationToken);
        if (code == 0) return;
        Keep();
        throw new StepException($"'{hook}' of 'prove' ended with exit code {code} (see {Path.Combine(_folder, "log")}).", ErrorClass.Permanent);
    }

    string Content(FileInfo file)
    {
        using var stream = Posix.OpenRead(file.FullName);
        if (file.Length > MostBytes) return $"{file.Length} bytes, SHA-256 {Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(stream))}";
        var bytes = new byte[file.Length];
        stream.ReadExactly(bytes);
        try
        {
            // Normalised before it is cut: two worlds' names differ.
            if (!bytes.Contains((byte)0) && Normalize(s_utf8.GetString(bytes)) is var text)
                return text.Length <= MostText ? text : $"{text[..MostText]}\n… {text.Length} characters, SHA-256 {Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(text)))}";
        }
        catch (DecoderFallbackException)
        {
            // Not a text.
        }
        return $"{bytes.Length} bytes, SHA-256 {Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))}";
    }

    void Remove()
    {
        if (Directory.Exists(_folder)) Directory.Delete(_folder, recursive: true);
    }
}
