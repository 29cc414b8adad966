using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.Proving;
using Pawl.Testing;
using Pawl.Yaml;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl prove FILE</c>: kills the workflow's runs everywhere, and compares what becomes of them with an unbroken one.</summary>
sealed class ProveCommand
{
    readonly Cli _cli;
    readonly Argument<string?> _file = new("FILE") { Description = $"The workflow file; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
    readonly Option<string[]> _params = new("--param", "-p") { Description = "A param; may be repeated", HelpName = "NAME=VALUE" };
    readonly Option<string?> _points = new("--points") { Description = "How many points, spread evenly: all (default) or a number", HelpName = "N" };
    readonly Option<string?> _parallel = new("--parallel") { Description = "Points at the same time; default: one for each processor", HelpName = "N" };
    readonly Option<string[]> _compare = new("--compare") { Description = "Only these files must be as after an unbroken run; may be repeated", HelpName = "GLOB" };
    readonly Option<string?> _html = new("--html") { Description = "Also writes the report as one HTML file", HelpName = "FILE" };
    readonly Option<bool> _keep = new("--keep") { Description = "Keep the sandbox of every point; default: of those that do not hold" };

    ProveCommand(Cli cli) => _cli = cli;

    public static Command Create(Cli cli)
    {
        var verb = new ProveCommand(cli);
        return Verbs.On(new Command("prove", "Kill a run at every point, resume it, and compare with an unbroken one: which step is not safe to run twice? Runs the steps for real, many times")
        {
            verb._file, verb._params, verb._points, verb._parallel, verb._compare, verb._html, verb._keep,
        }, verb.RunAsync);
    }

    async Task<int> RunAsync()
    {
        var workflow = Definitions.Load(_cli.Get(_file), _cli);
        var settings = ProveSettings.Of(workflow.Source!.Text);
        if (_cli.Get(_compare) is { Length: > 0 } globs) settings = settings with { Compare = Patterns(globs) };
        var parameters = _cli.Get(_params) ?? [];
        _ = Params.Pairs("--param", parameters);
        if (_cli.Store.Kind is not ("file" or "sqlite")) throw new UsageException($"--store {_cli.Store.Uri}: each point gets a store of its own, of the kind file: or sqlite:.");
        var points = _cli.Get(_points) is null or "all" ? null : Number("--points", _points);
        var parallel = Number("--parallel", _parallel) ?? Environment.ProcessorCount;
        var configuration = _cli.Get(_cli.ConfigOption) is { } named ? _cli.Caller.FullPath(named) : null;
        var session = ProofSession.Of(_cli.Caller, _cli.Caller.FullPath(_cli.Get(_file) ?? Definitions.DefaultFile), configuration, settings, parameters, _cli.Store.Kind, $"{points} {_cli.Get(_keep)}");

        var began = _cli.Caller.Time.GetTimestamp();
        using var progress = new ProofProgress(_cli, workflow.Name);
        var prover = new Prover(workflow.Name, workflow.Steps, session.NewWorldAsync, new ProveOptions { Points = points, Parallel = parallel, Workers = true, Keep = _cli.Get(_keep), Approvals = settings.Approvals, Signals = settings.Signals, OnPoint = progress.On });
        var run = await session.RunAsync(prover, progress.GoingOn);
        progress.End();
        if (run.Status == RunStatus.Failed) return NothingToCompareWith(run.Error);
        if (run.Status != RunStatus.Completed)
        {
            _cli.Say("The proof was interrupted; what is done is kept. Go on with the same command.");
            _cli.JsonProblem("interrupted", "interrupted", ExitCode.Interrupted);
            return ExitCode.Interrupted;
        }
        var proof = prover.Read(run);
        if (_cli.Get(_html) is { } html) ProofPage.Write(_cli.Caller.FullPath(html), proof, _cli.Now);
        var isKept = _cli.Get(_keep) || proof.Failures.Any();
        ProofReport.Show(_cli, proof, _cli.Caller.Time.GetElapsedTime(began), isKept ? session.Folder : null);
        if (!isKept) Directory.Delete(session.Folder, recursive: true);
        return proof.Failures.Any() ? ExitCode.Failed : ExitCode.Done;
    }

    int NothingToCompareWith(string? why)
    {
        _cli.Warn(why ?? "The proof failed.");
        _cli.JsonProblem(why, "failed", ExitCode.Failed);
        return ExitCode.Failed;
    }

    int? Number(string name, Option<string?> option) => _cli.Get(option) is not { } text ? null
        : int.TryParse(text, out var number) && number > 0 ? number : throw new UsageException($"{name} '{text}': write a whole number from 1.");

    static string[] Patterns(string[] globs)
    {
        try { foreach (var glob in globs) _ = Glob.Parse(glob); }
        catch (FormatException wrong) { throw new UsageException($"--compare: {wrong.Message}"); }
        return globs;
    }
}
