using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl doctor</c>: whether this machine and this store can keep what Pawl promises.</summary>
sealed class DoctorCommand
{
    const long LittleSpace = 1024L * 1024 * 1024;
    const long NoSpace = 64L * 1024 * 1024;

    enum Health { Good, Warning, Bad }

    sealed record Finding(string About, Health Health, string Text, string? Hint = null);

    readonly Cli _cli;
    readonly List<Finding> _findings = [];
    bool _opens;

    DoctorCommand(Cli cli) => _cli = cli;

    public static Command Create(Cli cli) =>
        Verbs.On(new Command("doctor", "Whether this machine and this store can keep what is promised"), () => new DoctorCommand(cli).RunAsync());

    async Task<int> RunAsync()
    {
        Add("pawl", Health.Good, $"{Cli.Version} on {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}");
        Programs();
        Settings();
        if (_cli.Store.Root is { } root) Disk(root);
        else await StoreAsync();
        await RunsAsync();
        foreach (var finding in _findings) Say(finding);
        WriteJson();
        return _findings.Exists(finding => finding.Health == Health.Bad) ? ExitCode.Failed : ExitCode.Done;
    }

    void Programs()
    {
        Program("sh", Health.Bad, "Shell steps cannot run without it.");
        Program("bash", Health.Warning, "Steps run in bash unless they say 'shell: sh'.");
        if (OperatingSystem.IsLinux()) Program("setsid", Health.Bad, "Each step runs in a session of its own, so that none outlives its run. Install util-linux.");
        Program("git", Health.Warning, "Only steps that call it, and ${{ git.… }}, need it.");
    }

    void Program(string name, Health without, string need)
    {
        if (ProjectFacts.Find(name, _cli.Caller) is { } path) Add(name, Health.Good, path);
        else Add(name, without, "not found in PATH", need);
    }

    void Settings()
    {
        if (!StoreChoice.IsEnabled(_cli.Caller)) Add("settings", Health.Warning, "CHECKPOINT_ENABLED switches checkpoints off: no run can be resumed", "Unset it.");
        try
        {
            var policy = Retention.Of(null, _cli);
            Add("retention", Health.Good, $"finished runs stay {(policy.MaxAge is { } age ? Human.Duration(age) : "for ever")}, unless their workflow says otherwise");
        }
        catch (UsageException wrong)
        {
            Add("retention", Health.Bad, wrong.Message);
        }
    }

    /// <summary>A database tells itself how durable it is.</summary>
    async Task StoreAsync()
    {
        if (_cli.Store.Kind == "memory")
        {
            Add("store", Health.Warning, $"{_cli.Store.Uri} ends with its process", "Use file:DIRECTORY to resume runs.");
            return;
        }
        try
        {
            await using var client = await _cli.Store.OpenAsync(_cli.Caller);
            var info = client.Store.Info;
            Add("store", Health.Good, $"{info.Uri}: {Class(info.Durability)}");
            if (info.Remark is { } remark) Add("durability", Health.Warning, remark, "Change the server's settings if runs must survive a loss of power.");
            _opens = true;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or PawlException)
        {
            Add("store", Health.Bad, error.Message, "Mend it, or choose another with --store.");
        }
    }

    void Disk(string root)
    {
        // A store that does not exist yet is not made by asking: the folder it would be made in is measured.
        var folder = root;
        while (!Directory.Exists(folder) && Path.GetDirectoryName(folder) is { } parent) folder = parent;
        try
        {
            var report = DurabilityProbe.Measure(folder);
            var measured = string.Create(CultureInfo.InvariantCulture, $"{report.FileSystem}, flush {report.FlushMicroseconds / 1000:0.00} ms, {Class(report.Class)}");
            Add("store", Health.Good, $"{_cli.Store.Uri}{(folder == root ? "" : " (not made yet)")}: {measured}");
            if (report.Remark is { } remark) Add("durability", report.Lock ? Health.Warning : Health.Bad, remark, report.Lock ? "Put the store on a local disk if runs must survive a loss of power." : "Put the store on a local disk.");
            var free = new DriveInfo(folder).AvailableFreeSpace;
            Add("space", free < NoSpace ? Health.Bad : free < LittleSpace ? Health.Warning : Health.Good, $"{Human.Bytes(free)} free", free < LittleSpace ? "'pawl prune' removes old runs." : null);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Add("store", Health.Bad, $"{_cli.Store.Uri} cannot be written: {error.Message}", "Make it writable, or choose another with --store.");
        }
    }

    async Task RunsAsync()
    {
        if (_cli.Store.Root is { } root ? !Directory.Exists(root) : !_opens) return;
        try
        {
            await using var client = await _cli.Store.OpenAsync(_cli.Caller);
            var (all, live) = (0, 0);
            // What a server holds may be more than is worth reading here: those that a process has, or had.
            await foreach (var head in client.ListAsync(_opens ? new RunQuery { Statuses = [RunStatus.Running] } : null, _cli.Stop))
            {
                all++;
                if (head.Owner is not null) live++;
                if (HeadView.Died(head)) Add("run", Health.Warning, $"{head.RunId}: its process died, {head.Done} of {head.Total} steps are done", _cli.CommandLine("resume", head.RunId));
                else if (head.Error?.StartsWith("journal corrupt", StringComparison.Ordinal) == true) Add("run", Health.Bad, $"{head.RunId}: {head.Error}", _cli.CommandLine("repair", head.RunId));
            }
            Add("runs", Health.Good, _opens ? $"{live} running" : $"{Human.Count(all, "run")}, {live} running");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Add("runs", Health.Bad, $"cannot be listed: {error.Message}");
        }
    }

    void Add(string about, Health health, string text, string? hint = null) => _findings.Add(new Finding(about, health, text, hint));

    static string Class(DurabilityClass durability) => durability switch
    {
        DurabilityClass.Power => "survives a loss of power",
        DurabilityClass.Process => "survives the end of the process, not a loss of power",
        _ => "survives nothing",
    };

    void Say(Finding finding)
    {
        var sign = finding.Health switch { Health.Good => _cli.Ink.Good("✓"), Health.Warning => _cli.Ink.Careful("!"), _ => _cli.Ink.Bad("✗") };
        _cli.Say($"{sign} {finding.About,-10}  {Human.Line(finding.Text)}");
        if (finding.Hint is { } hint) _cli.Say($"              {_cli.Ink.Faint(hint)}");
    }

    void WriteJson() => _cli.Json(w =>
    {
        w.WriteStartObject();
        w.WriteBoolean("ok", !_findings.Exists(finding => finding.Health == Health.Bad));
        w.WriteStartArray("findings");
        foreach (var finding in _findings)
        {
            w.WriteStartObject();
            w.WriteString("about", finding.About);
            w.WriteString("health", Words.Of(finding.Health));
            w.WriteString("text", finding.Text);
            w.WriteString("hint", finding.Hint);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteEndObject();
    });
}
