using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Pawl.Cli.Input;
using Pawl.Testing;
using Pawl.Yaml;

namespace Pawl.Cli.Proving;

/// <summary>A proof of a workflow file: where it is kept, and how its processes are started. The proof is itself a run, in a store beside its sandboxes.</summary>
/// <remarks>Everything is below a private folder of the user in the temporary folder, named after what is proved: the same call finds it again. Outside of the
/// caller's folder on purpose: a program that looks for a repository or a project above itself must not find the caller's.</remarks>
sealed class ProofSession
{
    readonly string _file;
    readonly string? _configuration;
    readonly string _directory;
    readonly Patience _patience = new();

    ProofSession(Caller caller, string file, string? configuration, string folder, ProveSettings settings, IReadOnlyList<string> parameters, string storeKind)
    {
        (Caller, _file, _configuration, _directory, Folder, Settings, Params, StoreKind) = (caller, file, configuration, caller.Directory, folder, settings, parameters, storeKind);
        Sandboxes = new Sandboxes(_directory, Path.Combine(folder, "origin"), settings.Exclude);
    }

    public Caller Caller { get; }
    public ProveSettings Settings { get; }
    public IReadOnlyList<string> Params { get; }
    public string StoreKind { get; }
    public string Folder { get; }
    public Sandboxes Sandboxes { get; }
    public string RunId { get; private set; } = "";
    public string Worlds => Path.Combine(Folder, "worlds");

    /// <param name="file">The workflow file, whole path.</param>
    /// <param name="configuration">The configuration file that the call names, whole path; null is the one beside the workflow, if there is one.</param>
    /// <param name="settings">Its <c>prove</c> part with the call's own patterns.</param>
    /// <param name="parameters">As <c>name=value</c>.</param>
    /// <param name="storeKind"><c>file</c> or <c>sqlite</c>.</param>
    /// <param name="more">What else makes it another proof.</param>
    /// <param name="caller">Who asks.</param>
    public static ProofSession Of(Caller caller, string file, string? configuration, ProveSettings settings, IReadOnlyList<string> parameters, string storeKind, params string[] more)
    {
        var root = RuntimeDirectory.Open(Path.Combine(Path.GetTempPath(), Sandboxes.RootName)).Path;
        var probe = new ProofSession(caller, file, configuration, root, settings, parameters, storeKind);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        string[] facts = [Cli.Version, file, System.IO.File.ReadAllText(file), configuration ?? "", configuration is null ? "" : System.IO.File.ReadAllText(configuration), caller.Directory, storeKind, .. more, .. parameters, .. settings.Compare, "!", .. settings.Ignore];
        foreach (var fact in facts.Concat(probe.Sandboxes.Describe())) hash.AppendData(Encoding.UTF8.GetBytes(fact + '\0'));
        return new ProofSession(caller, file, configuration, Path.Combine(root, Convert.ToHexStringLower(hash.GetHashAndReset())[..12]), settings, parameters, storeKind);
    }

    /// <summary>Begins the proof, or goes on with the one that was interrupted.</summary>
    /// <param name="prover">What is done.</param>
    /// <param name="onGoingOn">Told when it goes on.</param>
    public async Task<RunResult> RunAsync(Prover prover, Action onGoingOn)
    {
        var store = $"file:{Path.Combine(Folder, "proof")}";
        if (Directory.Exists(Folder))
        {
            await using var old = PawlClient.Open(store, new PawlOptions { Json = Prover.Json });
            if (await old.NewestResumableAsync("prove", Caller.Stop) is { Status: not RunStatus.Failed } open)
            {
                RunId = open.RunId;
                onGoingOn();
                return await old.ResumeAsync(prover.Workflow, RunId, cancellationToken: Caller.Stop);
            }
            await foreach (var head in old.ListAsync(null, Caller.Stop))
                if (head.Owner is { } owner) throw new ResumeRefusedException(new Refusal(RefusalReason.Held, $"This proof is being done by {owner}.", $"Wait for it. It is in {Folder}."));
            Directory.Delete(Folder, recursive: true);
        }
        Sandboxes.MakeOrigin();
        RunId = $"prove_{Caller.Time.GetUtcNow():yyyyMMdd_HHmmss}";
        await using var client = PawlClient.Open(store, new PawlOptions { Json = Prover.Json });
        return await client.RunAsync(prover.Workflow, null, new StartOptions { RunId = RunId }, Caller.Stop);
    }

    public Task<ProofWorld> NewWorldAsync(string name, CancellationToken cancellationToken) => new SandboxWorld(this, name).MakeAsync(cancellationToken);

    /// <summary>The workflow file in a sandbox; itself when it is not in the folder that is copied.</summary>
    public string File(string sandbox) => In(sandbox, _file);

    /// <summary>The options by which its processes find the configuration that the call named.</summary>
    public string[] Configuration(string sandbox) => _configuration is null ? [] : ["--config", In(sandbox, _configuration)];

    string In(string sandbox, string file) => Path.GetRelativePath(_directory, file) is var relative && !Path.IsPathRooted(relative) && !relative.StartsWith("..", StringComparison.Ordinal) ? Path.Combine(sandbox, relative) : file;

    /// <summary>Starts this program, or a bash text, in a session of its own: Ctrl+C reaches the proof alone.</summary>
    public Process Start(string[]? words, string directory, string world, string? order, string? trace, string? script = null)
    {
        string[] session = ProjectFacts.Find("setsid", Caller) is { } setsid ? [setsid] : [];
        string[] command = script is null ? [.. Self, .. words!] : ["/usr/bin/env", "bash", "-eo", "pipefail", "-c", script];
        string[] all = [.. session, "/bin/sh", "-c", """exec "$@" >>"$0" 2>&1 </dev/null""", Path.Combine(world, "log"), .. command];
        var start = new ProcessStartInfo(all[0], all[1..]) { WorkingDirectory = directory };
        foreach (var name in start.Environment.Keys.Where(name => name is "PAWL_STORE" or CrashOrder.Variable or CrashOrder.TraceVariable || name.StartsWith("CHECKPOINT_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["TMPDIR"] = Path.Combine(world, "tmp");
        if (order is not null) start.Environment[CrashOrder.Variable] = order;
        if (trace is not null) start.Environment[CrashOrder.TraceVariable] = trace;
        return Process.Start(start)!;
    }

    /// <summary>The exit code; 137 of one that was killed. One that takes very much longer than others is killed, and so is one whose proof is stopped.</summary>
    public async Task<int> EndAsync(Process process, CancellationToken cancellationToken)
    {
        var began = Caller.Time.GetTimestamp();
        using var late = new CancellationTokenSource(_patience.Limit, Caller.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            await process.WaitForExitAsync(either.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            cancellationToken.ThrowIfCancellationRequested();
            return -1;
        }
        if (process.ExitCode == 0) _patience.Took(Caller.Time.GetElapsedTime(began));
        return process.ExitCode;
    }

    static string[] Self { get; } = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
        ? [Environment.ProcessPath!, Path.Combine(AppContext.BaseDirectory, "Pawl.Cli.dll")]
        : [Environment.ProcessPath!];
}
