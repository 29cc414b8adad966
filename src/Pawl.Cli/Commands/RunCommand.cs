using System.CommandLine;
using Pawl.Cli.Input;
using Pawl.Cli.Live;
using Pawl.Cli.View;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl run FILE</c>: starts a run and stays with it.</summary>
sealed class RunCommand
{
    readonly Cli _cli;
    readonly Argument<string?> _file = new("FILE") { Description = $"The workflow file; default: {Definitions.DefaultFile}", Arity = ArgumentArity.ZeroOrOne };
    readonly Option<string[]> _params = new("--param", "-p") { Description = "A param; may be repeated", HelpName = "NAME=VALUE" };
    readonly Option<string?> _paramsFile = new("--params-file") { Description = "A JSON object with params", HelpName = "FILE" };
    readonly Option<string?> _runId = new("--run-id") { Description = "The run's id; default: the workflow's name and the time", HelpName = "ID" };
    readonly Option<bool> _resume = new("--resume") { Description = "Go on with the newest resumable run of this workflow, if there is one" };
    readonly Option<string?> _parallel = new("--parallel") { Description = "Steps at the same time, at most", HelpName = "N" };
    readonly Option<string?> _from = new("--from") { Description = "Begin at this step", HelpName = "STEP" };
    readonly Option<string?> _until = new("--until") { Description = "End with this step", HelpName = "STEP" };
    readonly Option<string[]> _only = new("--only") { Description = "Run these steps only", HelpName = "A,B" };
    readonly Option<bool> _dryRun = new("--dry-run") { Description = "Show what would run; writes nothing" };
    readonly Option<bool> _auto = new("--auto") { Description = "Never ask anything" };
    readonly Option<string?> _durability = new("--durability") { Description = "When checkpoints must be durable: sync, async or exit", HelpName = "MODE" };
    readonly Option<bool> _noCheckpoint = new("--no-checkpoint") { Description = "Keep nothing; the run cannot be resumed" };
    readonly Option<bool> _status = new("--checkpoint-status") { Description = "Do not run: show the status of the newest run, of FILE if it is named (as 'pawl status')" };
    readonly Option<string[]> _tags = new("--tag") { Description = "A word to find the run by; may be repeated", HelpName = "NAME=VALUE" };
    readonly Option<string[]> _partition = new("--partition") { Description = "What part of the data the run works on; may be repeated", HelpName = "NAME=VALUE" };
    readonly Option<string[]> _budget = BudgetText.Option();
    readonly Option<string?> _replay = new("--replay-from") { Description = "Play the recorded results of this run instead of the steps", HelpName = "RUN" };
    readonly Option<string[]> _replayOnly = new("--replay-only") { Description = "Play only steps of these kinds or with these ids", HelpName = "KIND|STEP,…" };
    readonly Option<bool> _replayStrict = new("--replay-strict") { Description = "A step without a recorded result fails, instead of running" };
    readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Show the output of the steps" };

    RunCommand(Cli cli) => _cli = cli;

    public static Command Create(Cli cli)
    {
        var verb = new RunCommand(cli);
        var command = new Command("run", "Start a run and stay with it until it ends")
        {
            verb._file, verb._params, verb._paramsFile, verb._runId, verb._resume, verb._parallel, verb._from, verb._until, verb._only, verb._dryRun, verb._auto,
            verb._durability, verb._noCheckpoint, verb._status, verb._tags, verb._partition, verb._budget, verb._replay, verb._replayOnly, verb._replayStrict, verb._verbose,
        };
        foreach (var step in (Option[])[verb._from, verb._until, verb._only]) step.CompletionSources.Add(context => verb.StepIds(context.ParseResult.GetValue(verb._file)));
        return Verbs.On(command, verb.RunAsync);
    }

    async Task<int> RunAsync()
    {
        var runId = _cli.Get(_runId) is { } id ? RunArgument.Check(id) : null;
        if (_cli.Get(_status)) return await StatusCommand.ShowAsync(_cli, runId, _cli.Get(_file) is { } file ? Definitions.Load(file, _cli).Name : null);
        var loaded = Definitions.Load(_cli.Get(_file), _cli);
        var workflow = Definitions.With(loaded, Options(loaded.Options));
        var parameters = Params.Read(_cli.Get(_params), _cli.Get(_paramsFile), _cli.Caller);
        var select = Selection.Of(workflow, _cli.Get(_from), _cli.Get(_until), _cli.Get(_only));
        if (_cli.Get(_dryRun)) return await DryRun.ShowAsync(_cli, workflow, parameters, select);

        await using var client = await _cli.Store.OpenAsync(_cli.Caller, checkpointing: !_cli.Get(_noCheckpoint) && StoreChoice.IsEnabled(_cli.Caller), live: true);
        if (_cli.Get(_resume) && await ResumableAsync(client, workflow, runId) is { } resumable) return await GoOnAsync(client, resumable, parameters);

        var facts = ProjectFacts.Gather(_cli.Caller, workflow);
        var start = new StartOptions
        {
            RunId = runId, Select = select, Budget = BudgetText.Parse(_cli.Get(_budget)), Environment = facts.Environment, ProjectPath = facts.ProjectPath,
            Tags = Params.Labels("--tag", _cli.Get(_tags)), Partition = Params.Labels("--partition", _cli.Get(_partition)),
            Mode = new Dictionary<string, bool>
            {
                ["auto"] = _cli.Get(_auto), ["smart_execution"] = true, ["parallel"] = workflow.Options.Concurrency is not 1, ["dry_run"] = false,
            },
        };
        if (_cli.Get(_replay) is { } recorded) start = start with { Cassette = await Cassette.OfAsync(client, RunArgument.Check(recorded), Kinds(), _cli.Get(_replayStrict), _cli.Stop) };
        var pass = new Pass(_cli, client, workflow) { Verbose = _cli.Get(_verbose), Select = select, MayAsk = MayAsk };
        return await pass.RunAsync(onEvent => client.RunAsync(workflow, parameters, start with { OnEvent = onEvent }, _cli.Stop));
    }

    /// <summary>With a run that exists: what was settled when it began cannot be said again.</summary>
    async Task<int> GoOnAsync(PawlClient client, string runId, Dictionary<string, object?> parameters)
    {
        if (((Option[])[_durability, _tags, _partition, _replay, _replayOnly, _replayStrict]).FirstOrDefault(_cli.Has) is { } settled)
            throw new UsageException($"{settled.Name} is settled when a run begins, and run '{runId}' goes on. Leave it out, or start a new run without --resume.");
        var loaded = await Definitions.OfRunAsync(_cli, client, runId, _cli.Get(_file) ?? Definitions.DefaultFile);
        var workflow = Definitions.With(loaded, Options(loaded.Options));
        var resume = new ResumeOptions { Params = parameters, From = _cli.Get(_from), Select = Selection.Of(workflow, null, _cli.Get(_until), _cli.Get(_only)), Budget = BudgetText.Parse(_cli.Get(_budget)) };
        return await ResumeCommand.ResumeAsync(_cli, client, workflow, runId, resume, _cli.Get(_verbose), MayAsk);
    }

    WorkflowOptions Options(WorkflowOptions options)
    {
        if (_cli.Get(_parallel) is { } parallel)
            options = options with { Concurrency = int.TryParse(parallel, out var places) && places > 0 ? places : throw new UsageException($"--parallel '{parallel}': write a whole number from 1.") };
        if (_cli.Get(_durability) is { } durability) options = options with { Durability = Words.Parse<Durability>("durability", durability) };
        return options;
    }

    List<string>? Kinds() => _cli.Get(_replayOnly) is { Length: > 0 } lists ? [.. lists.SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))] : null;

    async Task<string?> ResumableAsync(PawlClient client, Workflow workflow, string? runId)
    {
        if (!client.Options.Checkpointing) return null;
        if (runId is null) return (await client.NewestResumableAsync(workflow.Name, _cli.Stop))?.RunId;
        return await client.FindAsync(runId, _cli.Stop) is not null ? runId : null;
    }

    IEnumerable<string> StepIds(string? file)
    {
        try { return Definitions.Load(file, _cli).Steps.Select(step => step.Id); }
        catch (Exception) { return []; }
    }

    bool MayAsk => _cli.Caller.CanAsk && !_cli.IsJson && !_cli.Get(_auto);
}
