using System.Globalization;
using System.Runtime.InteropServices;
using Pawl.Agents;
using Pawl.Cli.Commands;
using Pawl.Cli.Input;
using Pawl.Cli.Live;
using Pawl.Cli.View;
using Pawl.Storage;

namespace Pawl.Cli.Repl;

/// <summary>The runs of a session: begun, gone on with, forked. Each can be stopped by itself.</summary>
sealed class ReplRuns(Cli cli, PawlClient client, string file)
{
    const string TaskParam = AgentFleet.TaskParam;

    /// <summary>The run that was worked on last.</summary>
    public string? Last { get; private set; }

    /// <summary>Ctrl+C stopped it.</summary>
    public bool WasStopped { get; private set; }

    /// <exception cref="UsageException">The workflow takes no task.</exception>
    public Workflow Load() => Definitions.Load(file, cli) is var workflow && workflow.Params.Any(param => param.Name == TaskParam) ? workflow
        : throw new UsageException($"The workflow in '{file}' has no param '{TaskParam}', so it cannot be given a task. Add it: params: {{ {TaskParam}: {{ type: string }} }}.");

    public Task BeginAsync(string task)
    {
        var workflow = Load();
        var facts = ProjectFacts.Gather(cli.Caller);
        return PassAsync(workflow, (onEvent, stop) => client.RunAsync(workflow, new Dictionary<string, object?> { [TaskParam] = task },
            new StartOptions { OnEvent = onEvent, Environment = facts.Environment, ProjectPath = facts.ProjectPath }, stop));
    }

    /// <summary>The run that an id names: <c>RUN</c>, or <c>RUN@SEQ</c> for one of its checkpoints.</summary>
    /// <exception cref="RunNotFoundException">There is none.</exception>
    public async Task<(RunHead Head, long? Seq)> FindAsync(string id)
    {
        var at = id.IndexOf('@', StringComparison.Ordinal);
        var runId = RunArgument.Check(at < 0 ? id : id[..at]);
        var head = await client.FindAsync(runId, cli.Stop) ?? throw new RunNotFoundException(runId);
        if (at < 0) return (head, null);
        return long.TryParse(id.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var seq) && seq >= 1 && seq <= head.Seq ? (head, seq)
            : throw new UsageException($"'{id}': run '{runId}' has checkpoints 1 to {head.Seq}.");
    }

    /// <summary>Throws where a run has no place to go on from: asked before its owner types a task for it.</summary>
    public async Task CheckAsync(RunHead head, long? seq)
    {
        if (seq is null && head.Status == RunStatus.Completed && (await client.FleetRoundsAsync(head.RunId, cancellationToken: cli.Stop)).Count == 0)
            throw new UsageException($"Run '{head.RunId}' is completed, and has no rounds to go on behind. Name a step: fork {head.RunId} STEP.");
    }

    /// <summary>Goes on with a run, behind what was said so far. From an earlier checkpoint, or when it is completed, a fork goes on, and the run stays as it is.</summary>
    /// <param name="head">The run.</param>
    /// <param name="seq">The checkpoint; null is the newest.</param>
    /// <param name="message">What is said; null says nothing.</param>
    /// <param name="forks">A fork, in any case.</param>
    public async Task ResumeAsync(RunHead head, long? seq, string? message, bool forks = false)
    {
        var workflow = await Definitions.OfRunAsync(cli, client, head.RunId, null);
        var rounds = await client.FleetRoundsAsync(head.RunId, cancellationToken: cli.Stop);
        var newest = rounds.Count > 0 ? rounds[^1] : null;
        var isNewest = seq is null || seq == head.Seq || newest?.CheckpointId == $"{head.RunId}@{seq}";
        if (forks || !isNewest || head.Status == RunStatus.Completed)
        {
            head = await client.ForkAsync(head.RunId, Point(head, isNewest ? null : seq, newest), cli.Stop);
            cli.Say(cli.Ink.Faint($"{head.RunId} is a fork of {head.Tags["forked_from"]}@{head.Tags["forked_at"]}."));
        }
        IReadOnlyDictionary<string, object?>? said = message is null ? null
            : workflow.Params.Any(param => param.Name == AgentFleet.MessageParam) ? AgentFleet.Say(head, message) : new Dictionary<string, object?> { [TaskParam] = message };
        await PassAsync(workflow, (onEvent, stop) => client.ResumeAsync(workflow, head.RunId, ResumeCommand.WithFacts(new ResumeOptions { Params = said, OnEvent = onEvent }, cli.Caller, workflow), stop));
    }

    /// <summary>Where a fork stands: at the checkpoint; of a completed run behind its last round, where the fleet's own end is not recorded yet.</summary>
    static ForkOptions Point(RunHead head, long? seq, FleetCheckpoint? newest) => seq is not null || head.Status != RunStatus.Completed ? new ForkOptions { At = seq }
        : new ForkOptions { At = long.Parse(newest!.CheckpointId.AsSpan(head.RunId.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture) };

    /// <summary>A fork before a step, which runs again.</summary>
    public async Task ForkBeforeAsync(RunHead head, string step, string? message)
    {
        RunHead made;
        try { made = await client.ForkAsync(head.RunId, new ForkOptions { Before = step }, cli.Stop); }
        catch (ArgumentException wrong) { throw new UsageException(wrong.Message); }
        cli.Say(cli.Ink.Faint($"{made.RunId} is a fork of {head.RunId}@{made.Tags["forked_at"]}."));
        await ResumeAsync(made, null, message);
    }

    async Task PassAsync(Workflow workflow, Func<Action<RunEvent>, CancellationToken, Task<RunResult>> execute)
    {
        WasStopped = false;
        var display = new ReplDisplay(cli);
        cli.AgentListener = display.On;
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cli.Stop);
        RunResult result;
        // The first Ctrl+C stops the run at once and keeps what is done; a second one ends the program.
        using (PosixSignalRegistration.Create(PosixSignal.SIGINT, context =>
        {
            if (stopping.IsCancellationRequested) return;
            context.Cancel = WasStopped = true;
            ThreadPool.QueueUserWorkItem(static source => source.Cancel(), stopping, preferLocal: false);
        }))
            try { result = await execute(On, stopping.Token); }
            finally { display.Finish(); }
        Say(result);
        if (cli.Caller.CanAsk && await Decisions.AskAsync(cli, client, result))
            await PassAsync(workflow, (onEvent, stop) => client.ResumeAsync(workflow, result.RunId, ResumeCommand.WithFacts(new ResumeOptions { OnEvent = onEvent }, cli.Caller, workflow), stop));

        void On(RunEvent happened)
        {
            if (happened is RunEvent.Started started) Last = started.RunId;
            display.On(happened);
        }
    }

    void Say(RunResult result)
    {
        var saved = Human.Cost(result.Saved) is { Length: > 0 } cost ? $" (saved {cost})" : "";
        cli.Say(result switch
        {
            { Status: RunStatus.Completed } => cli.Ink.Good($"✓ {result.RunId} completed in {Human.Duration(result.Duration)}{saved}"),
            { Status: RunStatus.Failed } => cli.Ink.Bad($"✗ {result.RunId}: {Human.Line(result.Error, 500)}"),
            { Waits.Count: > 0 } => cli.Ink.Careful($"‖ {result.RunId} waits: {string.Join("; ", result.Waits.Select(wait => $"'{wait.Path}' for {HeadView.Describe(wait, cli)}"))}"),
            _ => cli.Ink.Careful($"■ {result.RunId} was stopped; what is done is kept"),
        });
        if (result.Waits.Any(wait => wait.Message is not null)) cli.Say($"Decide with:  approve {result.RunId}   or reject");
        else if (result.Status is not (RunStatus.Completed or RunStatus.Canceled)) cli.Say($"Go on with:  resume {result.RunId}");
    }
}
