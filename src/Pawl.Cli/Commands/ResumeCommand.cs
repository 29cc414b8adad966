using System.CommandLine;
using System.Globalization;
using Pawl.Cli.Input;
using Pawl.Cli.Live;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl resume [RUN]</c>: goes on with a run, and says beforehand what that means.</summary>
sealed class ResumeCommand
{
    const int MostOffered = 9;

    readonly Cli _cli;
    readonly Argument<string?> _run;
    readonly Option<string[]> _params = new("--param", "-p") { Description = "A param, over the saved one; may be repeated", HelpName = "NAME=VALUE" };
    readonly Option<string?> _paramsFile = new("--params-file") { Description = "A JSON object with params", HelpName = "FILE" };
    readonly Option<string?> _from = new("--from") { Description = "Run from this step on, done or not", HelpName = "STEP" };
    readonly Option<string?> _until = new("--until") { Description = "End with this step, this time and in later resumes", HelpName = "STEP" };
    readonly Option<string[]> _only = new("--only") { Description = "Run these steps only, this time and in later resumes", HelpName = "A,B" };
    readonly Option<bool> _all = new("--all") { Description = "Run everything, also what the run was asked to leave out" };
    readonly Option<bool> _plan = new("--plan") { Description = "Show what a resume would do; changes nothing" };
    readonly Option<string[]> _map = new("--map") { Description = "A finished step has a new name; may be repeated", HelpName = "OLD=NEW" };
    readonly Option<bool> _rerunChanged = new("--rerun-changed") { Description = "Run finished steps again that were edited since" };
    readonly Option<bool> _force = new("--force") { Description = "Also a canceled run, and one of another project folder" };
    readonly Option<string?> _file = new("--file", "-f") { Description = "The workflow file; default: the run's own", HelpName = "FILE" };
    readonly Option<string[]> _budget = BudgetText.Option();
    readonly Option<string?> _ageGuard = new("--age-guard") { Description = "For a last checkpoint older than a day: warn (default), refuse or ignore", HelpName = "POLICY" };
    readonly Option<string?> _envGuard = new("--env-guard") { Description = "For another git branch or commit, or version of a tool: warn (default), refuse or ignore", HelpName = "POLICY" };
    readonly Option<bool> _auto = new("--auto") { Description = "Never ask: take the newest" };
    readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Show the output of the steps" };

    ResumeCommand(Cli cli)
    {
        _cli = cli;
        _run = RunArgument.Optional(cli);
        _run.Description = "The run (RUN, or RUN@SEQ for its newest checkpoint); default: the newest that can be resumed";
    }

    public static Command Create(Cli cli)
    {
        var verb = new ResumeCommand(cli);
        return Verbs.On(new Command("resume", "Go on with a run: what is done is reused, the rest runs")
        {
            verb._run, verb._params, verb._paramsFile, verb._from, verb._until, verb._only, verb._all, verb._plan, verb._map, verb._rerunChanged, verb._force, verb._file, verb._budget, verb._ageGuard, verb._envGuard, verb._auto, verb._verbose,
        }, verb.RunAsync);
    }

    async Task<int> RunAsync()
    {
        await using var client = await _cli.Store.OpenAsync(_cli.Caller, live: true);
        var runId = await WhichAsync(client);
        var workflow = await Definitions.OfRunAsync(_cli, client, runId, _cli.Get(_file), moved: _cli.Get(_force));
        var resume = new ResumeOptions
        {
            Params = Params.Read(_cli.Get(_params), _cli.Get(_paramsFile), _cli.Caller),
            From = _cli.Get(_from), Select = Part(workflow), RerunChanged = _cli.Get(_rerunChanged), Force = _cli.Get(_force), Map = Map(), Budget = BudgetText.Parse(_cli.Get(_budget)),
            AgeGuard = Guard(_ageGuard), EnvironmentGuard = Guard(_envGuard),
        };
        return _cli.Get(_plan)
            ? PlanView.Show(_cli, await client.PlanAsync(workflow, runId, WithFacts(resume, _cli.Caller, workflow), _cli.Stop), _cli.CommandLine("resume", [runId, .. Asked(workflow)]))
            : await ResumeAsync(_cli, client, workflow, runId, resume, _cli.Get(_verbose), MayAsk);
    }

    /// <summary>What the plan was asked with: the resume that it shows is asked with the same. Secrets are not repeated.</summary>
    IEnumerable<string> Asked(Workflow workflow)
    {
        var secrets = workflow.Params.Where(param => param.Type == "secret").Select(param => param.Name).ToHashSet();
        IEnumerable<(string Name, string? Value)> words =
        [
            .. (_cli.Get(_params) ?? []).Where(pair => !secrets.Contains(pair.Split('=')[0])).Select(pair => (_params.Name, (string?)pair)),
            (_paramsFile.Name, _cli.Get(_paramsFile)), (_from.Name, _cli.Get(_from)), (_until.Name, _cli.Get(_until)), .. (_cli.Get(_only) ?? []).Select(list => (_only.Name, (string?)list)), .. (_cli.Get(_map) ?? []).Select(pair => (_map.Name, (string?)pair)),
            (_file.Name, _cli.Get(_file)), .. (_cli.Get(_budget) ?? []).Select(pair => (_budget.Name, (string?)pair)), (_ageGuard.Name, _cli.Get(_ageGuard)), (_envGuard.Name, _cli.Get(_envGuard)),
        ];
        foreach (var (name, value) in words)
        {
            if (value is null) continue;
            yield return name;
            yield return value;
        }
        if (_cli.Get(_all)) yield return _all.Name;
        if (_cli.Get(_rerunChanged)) yield return _rerunChanged.Name;
        if (_cli.Get(_force)) yield return _force.Name;
    }

    /// <summary>Goes on with a run that is known, after a word about what is reused.</summary>
    public static async Task<int> ResumeAsync(Cli cli, PawlClient client, Workflow workflow, string runId, ResumeOptions resume, bool verbose, bool mayAsk)
    {
        resume = WithFacts(resume, cli.Caller, workflow);
        var plan = await client.PlanAsync(workflow, runId, resume, cli.Stop);
        foreach (var other in plan.Refusals.Skip(1)) cli.Warn(other.ToString());
        if (plan.Refusals.Count > 0) throw new ResumeRefusedException(plan.Refusals[0]);
        PlanView.Summarize(cli, plan);
        return await new Pass(cli, client, workflow) { Verbose = verbose, Select = plan.Select, MayAsk = mayAsk }
            .RunAsync(onEvent => client.ResumeAsync(workflow, runId, resume with { OnEvent = onEvent }, cli.Stop));
    }

    public static ResumeOptions WithFacts(ResumeOptions resume, Caller caller, Workflow workflow)
    {
        var facts = ProjectFacts.Gather(caller, workflow);
        return resume with { By = CancelCommand.By(), Environment = facts.Environment, ProjectPath = facts.ProjectPath };
    }

    async Task<string> WhichAsync(PawlClient client)
    {
        if (_cli.Get(_run) is { } named)
        {
            var at = named.IndexOf('@', StringComparison.Ordinal);
            if (at < 0) return RunArgument.Check(named);
            var runId = RunArgument.Check(named[..at]);
            if (!long.TryParse(named.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var seq)) throw new UsageException($"'{named}': behind the @ comes the number of a checkpoint ('pawl checkpoints {runId}').");
            var head = await client.FindAsync(runId, _cli.Stop) ?? throw new RunNotFoundException(runId);
            if (head.Seq == seq) return runId;
            throw new ResumeRefusedException(new Refusal(RefusalReason.Incompatible, $"Checkpoint {seq} is not the newest of run '{runId}' (that is {head.Seq}), and only the newest can be resumed.",
                $"Use 'pawl fork {runId} --at {seq}' for a new run from there, or 'pawl resume {runId}', with --from STEP to run a finished step again."));
        }
        var candidates = new List<RunHead>();
        await foreach (var head in client.ListAsync(null, _cli.Stop))
        {
            if (!HeadView.CanResume(head) || head.ParentRunId is not null || Schedule.IsAhead(head)) continue;
            candidates.Add(head);
            if (candidates.Count == MostOffered || !MayAsk) break;
        }
        return candidates.Count switch
        {
            0 => throw new ResumeRefusedException(new Refusal(RefusalReason.NothingToResume, $"No run in {_cli.Store.Uri} can be resumed.", "'pawl list' shows what is there.")),
            1 => candidates[0].RunId,
            _ => Ask(candidates),
        };
    }

    bool MayAsk => _cli.Caller.CanAsk && !_cli.IsJson && !_cli.Get(_auto);

    string Ask(List<RunHead> candidates)
    {
        for (var i = 0; i < candidates.Count; i++)
        {
            var head = candidates[i];
            _cli.Say($"{i + 1}  {head.RunId}  {_cli.Ink.Of(HeadView.State(head), HeadView.State(head))}  {head.Done}/{head.Total}  {Human.Ago(head.UpdatedAt, _cli.Now)}{(head.Error is { } error ? $"  {Human.Line(error, 60)}" : "")}");
        }
        _cli.Caller.Out.Write($"Which one? [1-{candidates.Count}, default 1] ");
        var answer = _cli.Caller.In.ReadLine() ?? throw new OperationCanceledException();
        if (answer.Trim().Length == 0) return candidates[0].RunId;
        return int.TryParse(answer.Trim(), out var chosen) && chosen >= 1 && chosen <= candidates.Count ? candidates[chosen - 1].RunId
            : throw new UsageException($"'{answer.Trim()}' is not one of 1 to {candidates.Count}.");
    }

    /// <summary>Another part than the run keeps to; null leaves it.</summary>
    StepSelection? Part(Workflow workflow)
    {
        var part = Selection.Of(workflow, null, _cli.Get(_until), _cli.Get(_only));
        if (!_cli.Get(_all)) return part;
        return part is null ? new StepSelection() : throw new UsageException("--all runs everything: leave out --until and --only.");
    }

    Dictionary<string, string>? Map()
    {
        var pairs = Params.Pairs("--map", _cli.Get(_map));
        if (pairs.Count == 0) return null;
        if (pairs.GroupBy(pair => pair.Value).FirstOrDefault(group => group.Count() > 1) is { } twice) throw new UsageException($"--map gives '{twice.Key}' two old names.");
        return pairs.ToDictionary(pair => pair.Value, pair => pair.Name);
    }

    GuardPolicy Guard(Option<string?> option) => _cli.Get(option) is { } word ? Words.Parse<GuardPolicy>("policy", word) : GuardPolicy.Warn;
}
