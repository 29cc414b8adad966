using System.CommandLine;
using System.Globalization;
using Pawl.Cli.Input;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Commands;

/// <summary><c>pawl fork RUN</c>: a new run from any checkpoint of any run, or of every run that fits; the parents stay as they are.</summary>
sealed class ForkCommand
{
    /// <summary>For <c>--at</c>: where the run failed.</summary>
    const string Failed = "failed";

    readonly Cli _cli;
    readonly Argument<string?> _run;
    readonly Option<string?> _at = new("--at") { Description = "A checkpoint's number: the last one kept; a step: it and what ended behind it run again; 'failed': where the run failed. Default: the newest", HelpName = "STEP|SEQ" };
    readonly Option<string[]> _params = new("--param", "-p") { Description = "A param, over that of the run; may be repeated", HelpName = "NAME=VALUE" };
    readonly Option<string?> _paramsFile = new("--params-file") { Description = "A JSON object with params", HelpName = "FILE" };
    readonly Option<string[]> _set = new("--set") { Description = "An output or state there: outputs.STEP=JSON, state.KEY=JSON, or a member inside; may be repeated", HelpName = "PATH=JSON" };
    readonly Option<string[]> _where = new("--where") { Description = "Instead of RUN, every run that fits: status=failed and error~timeout", HelpName = "CONDITIONS" };
    readonly Option<string?> _runId = new("--run-id") { Description = "The new run's id", HelpName = "ID" };
    readonly Option<string?> _file = new("--file", "-f") { Description = "The workflow file; default: the run's own, as it is now", HelpName = "FILE" };
    readonly Option<bool> _stored = new("--stored") { Description = "On the definition that is stored with the run, not on the file as it is now" };
    readonly Option<bool> _plan = new("--plan") { Description = "Show what the fork would reuse and run; makes nothing" };
    readonly Option<bool> _hold = new("--hold") { Description = "Make it and leave it paused; 'pawl resume' goes on with it" };
    readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "Show the output of the steps" };

    ForkCommand(Cli cli) => (_cli, _run) = (cli, RunArgument.Optional(cli));

    public static Command Create(Cli cli)
    {
        var verb = new ForkCommand(cli);
        verb._run.Description = "The run; it is read, never changed";
        verb._at.CompletionSources.Add(context => RunArgument.StepsOf(cli, context, verb._run));
        return Verbs.On(new Command("fork", "Start a new run from any checkpoint of another, with changed params, outputs or state")
        {
            verb._run, verb._at, verb._params, verb._paramsFile, verb._set, verb._where, verb._runId, verb._file, verb._stored, verb._plan, verb._hold, verb._verbose,
        }, verb.RunAsync);
    }

    async Task<int> RunAsync()
    {
        await using var client = await _cli.Store.OpenAsync(_cli.Caller, live: true);
        if (_cli.Get(_where) is not { Length: > 0 } where) return await ForkAsync(client, RunArgument.Check(_cli.Get(_run) ?? throw new UsageException("Name the run, or say with --where which runs are meant.")), _cli.Get(_runId));
        if (_cli.Get(_run) is not null) throw new UsageException("Name a run or give --where, not both.");
        if (_cli.Get(_runId) is not null) throw new UsageException("--run-id names one fork, and --where may find many runs.");
        var heads = await RunFilter.Parse(new RunQuery(), where).ListAsync(client, _cli.Stop);
        if (heads.Count == 0) _cli.Say($"No such runs in {_cli.Store.Uri}.");
        return await _cli.JsonListAsync("forks", async () =>
        {
            var code = ExitCode.Done;
            foreach (var head in heads)
            {
                var one = await TryAsync(client, head);
                if (code == ExitCode.Done) code = one;
            }
            return code;
        });
    }

    /// <summary>Of many, one that cannot be forked does not keep the others from it.</summary>
    async Task<int> TryAsync(PawlClient client, RunHead head)
    {
        try { return await ForkAsync(client, head.RunId, null); }
        catch (Exception error) when (error is PawlException or UsageException)
        {
            _cli.Warn($"{head.RunId}: {error.Message}");
            _cli.JsonProblem(error.Message, ExitCode.Word(error), ExitCode.Of(error), head.RunId);
            return ExitCode.Refused;
        }
    }

    async Task<int> ForkAsync(PawlClient client, string runId, string? forkId)
    {
        var head = await client.FindAsync(runId, _cli.Stop) ?? throw new RunNotFoundException(runId);
        var workflow = await Definitions.OfRunAsync(_cli, client, runId, _cli.Get(_file), _cli.Get(_stored));
        var given = Params.Read(_cli.Get(_params), _cli.Get(_paramsFile), _cli.Caller);
        // The resume gets them, since the fork keeps none; the journal of an older program does not say which they are.
        var secrets = given.IntersectBy(workflow.Params.Where(param => param.Type == "secret").Select(param => param.Name), pair => pair.Key).ToDictionary();
        var fork = new ForkOptions { By = CancelCommand.By(), RunId = forkId is null ? null : RunArgument.Check(forkId), Params = given.Except(secrets).ToDictionary() };
        var resume = new ResumeOptions { Params = secrets };
        fork = await AtAsync(client, head, fork);
        try
        {
            if (_cli.Get(_plan))
            {
                _cli.Say($"A fork of {runId}{(fork.At is { } at ? $"@{at}" : "")}:");
                return PlanView.Show(_cli, await client.PlanForkAsync(workflow, runId, fork, ResumeCommand.WithFacts(resume, _cli.Caller, workflow), _cli.Stop), wayOn: null);
            }
            var made = await client.ForkAsync(runId, fork, _cli.Stop);
            _cli.Say($"{made.RunId} is a fork of {runId}@{made.Tags["forked_at"]}.");
            if (!_cli.Get(_hold)) return await ResumeCommand.ResumeAsync(_cli, client, workflow, made.RunId, resume, _cli.Get(_verbose), _cli.Caller.CanAsk && !_cli.IsJson);
            if (secrets.Count > 0) _cli.Warn($"{string.Join(", ", secrets.Keys.Select(name => $"'{name}'"))} is a secret and was not kept: give it again to the resume.");
            _cli.Say($"Go on with:  {_cli.CommandLine("resume", made.RunId)}");
            _cli.Json(w =>
            {
                w.WriteStartObject();
                HeadView.Write(w, made);
                w.WriteEndObject();
            });
            return ExitCode.Done;
        }
        catch (ArgumentException wrong) { throw new UsageException(wrong.Message); }
    }

    /// <summary>The place, and what is set there: outputs and state are changed as they stand at it.</summary>
    async Task<ForkOptions> AtAsync(PawlClient client, RunHead head, ForkOptions fork)
    {
        var at = _cli.Get(_at);
        if (at == Failed)
        {
            if (head.Status != RunStatus.Failed) throw new UsageException($"Run '{head.RunId}' has not failed; it is {Words.Of(head.Status)}.");
        }
        else if (long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var seq)) fork = fork with { At = seq };
        else if (at is not null) fork = fork with { Before = at };
        if (_cli.Get(_set) is not { Length: > 0 } settings) return fork;
        var plan = await client.ForkPointAsync(head.RunId, fork, _cli.Stop);
        var paths = (await client.HistoryAsync(head.RunId, _cli.Stop)).Where(record => record.Kind == CheckpointKind.Step).ToLookup(record => record.Seq <= plan, record => record.Path!);
        return ForkSettings.Apply(fork, settings, await client.SnapshotAsync(head.RunId, plan, _cli.Stop), [.. paths[true]], [.. paths[false]]);
    }
}
